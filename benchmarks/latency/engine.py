"""An engine: a process that holds calls, and a caller who talks with it in real time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.latency.wire import BLOCK, RATE, pack, receive
from vivavoce.pipelines.benching.callers import Caller
from vivavoce.pipelines.benching.listening import goes_on
from vivavoce.pipelines.benching.take import Packet, Take

ROOT = Path(__file__).parents[2]
READY = 120.0
"""Seconds an engine may take until it is ready: peers load models on the way."""
STOP = 15.0
"""Seconds it may take to end."""
DRAIN = 5.0
"""Seconds a write to it may take."""


class EngineError(RuntimeError):
    """An engine did not start, or ended; the message has its last words."""


class Engine:
    """One engine's process.

    Attributes:
        name: As in the roster.
        ready: What it said of itself: versions, sample rate.
        turns: What it told of its turns, in order, by call (our ledger).
    """

    def __init__(self, name: str, python: Path | str, worker: str, options: dict[str, Any]) -> None:
        """Prepare it; nothing runs yet.

        Args:
            name: As in the roster.
            python: The interpreter of its environment.
            worker: The module that its process runs.
            options: What the worker takes: url, keys (one for each call), variant.
        """
        self.name = name
        self.ready: dict[str, Any] = {}
        self.turns: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        self._command = [
            str(python),
            "-m",
            worker,
            json.dumps(options),
        ]
        self._process: asyncio.subprocess.Process | None = None
        self._takes: dict[int, tuple[float, Take]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._log: deque[str] = deque(maxlen=60)
        self._failed = ""
        self._started = asyncio.Event()

    @property
    def pid(self) -> int:
        """Its process's number.

        Raises:
            EngineError: It does not run.
        """
        if self._process is None:
            raise EngineError(f"{self.name}: it does not run")
        return self._process.pid

    @property
    def log(self) -> str:
        """The last lines it wrote to stderr."""
        return "\n".join(self._log)

    async def start(self) -> None:
        """Start it and wait until it holds its calls.

        Raises:
            EngineError: If it ends or is not ready in time; nothing is left running.
        """
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 22,
        )
        self._tasks = [
            asyncio.create_task(self._read(), name=f"read {self.name}"),
            asyncio.create_task(self._keep_log(), name=f"log of {self.name}"),
        ]
        try:
            async with asyncio.timeout(READY):
                await self._started.wait()
        except TimeoutError:
            self._failed = f"it was not ready within {READY:g} s"
        except BaseException:
            await self.close()
            raise
        if self._failed:
            await self.close()
            raise EngineError(f"{self.name}: {self._failed}\n{self.log}")

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        loop = asyncio.get_running_loop()
        while (message := await receive(self._process.stdout)) is not None:
            kind, call, payload = message
            if kind == b"A":
                if (taking := self._takes.get(call)) is None:
                    continue
                began, take = taking
                pcm = np.frombuffer(payload, np.int16)
                peak = int(np.abs(pcm.astype(np.int32)).max(initial=0))
                rate: int = self.ready["rate"]
                packet = Packet(loop.time() - began, len(pcm) / rate, peak, goes_on(pcm, rate))
                take.packets.append(packet)
            elif kind == b"T":
                self.turns[call].append(json.loads(payload))
            elif kind == b"Y":
                self.ready = json.loads(payload)
                self._started.set()
            elif kind == b"X":
                self._failed = payload.decode(errors="replace")
        self._failed = self._failed or "it ended"
        self._started.set()

    async def _keep_log(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self._log.append(line.decode(errors="replace").rstrip()[:400])

    async def play(self, caller: Caller, call: int = 0) -> Take:
        """Let a caller talk with it, in real time; return what was heard.

        Cancelling it hangs up the caller and leaves the engine as it is.

        Raises:
            EngineError: If the engine ends on the way.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        take = Take()
        self._takes[call] = (began, take)
        number = 0
        try:
            while (samples := caller.block(number, take)) is not None:
                number += 1
                due = began + number * BLOCK / RATE
                if (ahead := due - loop.time()) > 0:
                    await asyncio.sleep(ahead)
                if self._failed:
                    raise EngineError(f"{self.name}: {self._failed}\n{self.log}")
                self._process.stdin.write(pack(b"A", call, samples.tobytes()))
                take.late = max(take.late, loop.time() - due)
                async with asyncio.timeout(DRAIN):
                    await self._process.stdin.drain()
        except (ConnectionError, TimeoutError) as error:
            raise EngineError(f"{self.name}: it takes no audio ({error!r})\n{self.log}") from error
        finally:
            self._takes.pop(call, None)
        return take

    def cpu(self) -> float:
        """Return the CPU time that its process and its children have used (s)."""
        assert self._process is not None
        try:
            process = psutil.Process(self._process.pid)
            family = [process, *process.children(recursive=True)]
            return float(sum(sum(one.cpu_times()[:2]) for one in family))
        except psutil.NoSuchProcess as error:
            raise EngineError(f"{self.name}: it ended\n{self.log}") from error

    def memory(self) -> float:
        """Return the memory that its process and its children hold (MB)."""
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        family = [process, *process.children(recursive=True)]
        return float(sum(one.memory_info().rss for one in family)) / 1e6

    async def close(self) -> None:
        """End it: orderly, and by force after 15 s. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            process.stdin.write(pack(b"Q", 0, b""))
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
