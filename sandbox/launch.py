"""Starts the sandbox as a child process that cannot outlive its parent."""

from __future__ import annotations

import asyncio
import atexit
import collections
import contextlib
import http.client
import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import urllib.parse
from types import TracebackType
from typing import IO, Any, Self

KEY_VARIABLE = "VIVAVOCE_SANDBOX_KEY"

_READY_S = 30.0  # a cold start takes under 2 s on an idle machine
_STOP_S = 5.0
_KEPT_LINES = 100


class SandboxError(RuntimeError):
    """The sandbox did not start or refused a profile; the message says why."""


class Sandbox:
    """A sandbox in a child process, on a free loopback port, with a key of its own.

    Usable as ``async with Sandbox.launch() as sandbox``, as ``with Sandbox() as sandbox``, or
    by ``start`` and ``close``. The child ends when this process does, even by SIGKILL: it
    watches the pipe that this object holds, and on Linux the kernel tells it too.

    Attributes:
        url: Base URL for clients, such as ``http://127.0.0.1:40123``; set by ``start``.
        key: The main API key, for the clients and for ``/sandbox/keys``.
        engines: What the ready line told of the engines.
        pid: The child's process id; None before the start and after the end.
    """

    def __init__(self, *, port: int = 0, key: str | None = None, ready_s: float = _READY_S) -> None:
        """Set how to start; nothing runs yet.

        Args:
            port: 0 takes a free one.
            key: The main API key; random when None.
            ready_s: How long the start may take, in seconds.
        """
        self.url = ""
        self.key = key or f"sandbox-{secrets.token_urlsafe(24)}"
        self.engines: dict[str, Any] = {}
        self._port, self._ready_s = port, ready_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._ready: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._readers: list[threading.Thread] = []

    @classmethod
    def launch(cls, *, port: int = 0, key: str | None = None, ready_s: float = _READY_S) -> Self:
        """Give a sandbox to enter with ``async with``; takes what the constructor takes."""
        return cls(port=port, key=key, ready_s=ready_s)

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> str:
        """The last lines that the child wrote to stderr."""
        return "\n".join(self._lines)

    def start(self) -> Self:
        """Start the child and wait until its engines are warm; blocks for about a second.

        Raises:
            SandboxError: When it ends, or is not ready in time; nothing is left running.
        """
        self._spawn()
        try:
            self._await_ready()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End the child: orderly, and by force after 5 s. Idempotent; blocks until it is gone."""
        atexit.unregister(self.close)
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for reader in self._readers:
            reader.join(_STOP_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def make_key(self, **profile: Any) -> str:
        """Make an API key with latencies, a script or faults of its own; give it.

        Args:
            profile: ``latency``, ``script`` and ``faults``, as ``vivavoce.sandbox.profile`` has
                them, in JSON-able form.

        Raises:
            SandboxError: When the profile is refused, with the reason.
        """
        key: str = self._ask("POST", "/sandbox/keys", profile)["key"]
        return key

    def report(self, key: str) -> dict[str, Any]:
        """Give what was counted under a key: connections, requests, turns, seconds, bodies."""
        return self._ask("GET", f"/sandbox/keys/{key}")

    def change_key(self, key: str, **profile: Any) -> None:
        """Give a key another profile, from its script's start; open connections take it up.

        Args:
            key: What ``make_key`` gave.
            profile: As for ``make_key``, whole: what is left out goes back to its default.

        Raises:
            SandboxError: When the profile is refused, with the reason.
        """
        self._ask("PUT", f"/sandbox/keys/{key}", profile)

    def drop_key(self, key: str) -> None:
        """Remove a key; open connections under it go on."""
        self._ask("DELETE", f"/sandbox/keys/{key}")

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        address = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise SandboxError(f"{method} {path}: {answer.status} {text}")
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def _spawn(self) -> None:
        if self._process is not None:
            raise RuntimeError("this sandbox is running already: make another one")
        command = [sys.executable, "-m", "vivavoce.sandbox", "--port", str(self._port)]
        command.append("--watch-stdin")
        # The kernel's signal follows the starting thread, which must not end before the child.
        # On Windows a virtual environment's python stands between the two.
        if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
            command += ["--parent", str(os.getpid())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, KEY_VARIABLE: self.key},
        )
        self._ready = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=read, args=(pipe,), daemon=True)
            for read, pipe in (
                (self._read_out, self._process.stdout),
                (self._read_log, self._process.stderr),
            )
        ]
        for reader in self._readers:
            reader.start()
        atexit.register(self.close)

    def _read_out(self, pipe: IO[bytes]) -> None:
        """Hand on the ready line (empty: it ended first), then keep the pipe empty."""
        self._ready.put(pipe.readline())
        while pipe.read(4096):
            pass

    def _read_log(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._lines.append(line.decode(errors="replace").rstrip())

    def _await_ready(self) -> None:
        try:
            line = self._ready.get(timeout=self._ready_s)
        except queue.Empty:
            msg = f"the sandbox was not ready after {self._ready_s:g} s\n{self.log}"
            raise SandboxError(msg) from None
        if not line:
            self._readers[1].join(_STOP_S)  # its last words are the reason
            raise SandboxError(f"the sandbox ended before it was ready\n{self.log}")
        ready = json.loads(line)
        self.url, self.engines = ready["url"], ready["engines"]

    async def __aenter__(self) -> Self:
        """Start without blocking the loop; cancelling it leaves no child."""
        self._spawn()
        waiting = asyncio.ensure_future(asyncio.to_thread(self._await_ready))
        try:
            await asyncio.shield(waiting)
        except BaseException:
            # Ending the child ends the wait too.
            await asyncio.shield(asyncio.to_thread(self.close))
            with contextlib.suppress(SandboxError):
                await waiting
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child without blocking the loop."""
        await asyncio.shield(asyncio.to_thread(self.close))

    def __enter__(self) -> Self:
        """Start; see ``start``."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; see ``close``."""
        self.close()
