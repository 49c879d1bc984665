"""A process that is measured: started, asked for its figures, ended. A line of JSON each way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

READY = 120.0
"""Seconds that a start may take: models are loaded on the way."""
ANSWER = 20.0
"""Seconds that an answer may take, of a process that is busy."""
STOP = 20.0
"""Seconds that the end may take, then it is killed."""
_KEPT = 60  # lines of its log
_LONGEST = 1 << 26  # bytes of an answer: the records of many calls


class ChildError(RuntimeError):
    """The process did not start, or ended; the message has its last words."""


class Child:
    """The process, from outside.

    Args:
        module: What it runs.
        options: What it is given, as JSON.
        name: What it is called in errors.
        cores: Cores that it and its threads may use; empty for any.

    Attributes:
        ready: What it said of itself when it was.
    """

    def __init__(
        self, module: str, options: Mapping[str, Any], *, name: str, cores: Sequence[int] = ()
    ) -> None:
        self.ready: dict[str, Any] = {}
        self._command = [sys.executable, "-W", "ignore", "-m", module]
        self._options = {**options, "cores": list(cores)}
        self._name = name
        self._process: asyncio.subprocess.Process | None = None
        self._logging: asyncio.Task[None] | None = None
        self._log: deque[str] = deque(maxlen=_KEPT)
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int:
        """Its process id; 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def log(self) -> str:
        """The last lines of its log."""
        return "\n".join(self._log)

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            ChildError: It ends, or is not ready in time; nothing is left running.
        """
        # `-m` finds modules of the working folder, too: a checkout's benchmarks.
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST,
            # Ctrl-C is for who measures: what was measured is asked for afterwards.
            start_new_session=True,
        )
        self._logging = asyncio.create_task(self._keep_log(), name=f"log of {self._name}")
        try:
            self.ready = await self._talk(self._options, READY)
        except BaseException:
            await self.close()
            raise

    async def ask(self, what: str, within: float = ANSWER, **given: Any) -> dict[str, Any]:
        """Ask something; one question at a time.

        Raises:
            ChildError: It has ended, failed, or does not answer in time.
        """
        return await self._talk({"ask": what, **given}, within)

    async def _talk(self, message: Mapping[str, Any], within: float) -> dict[str, Any]:
        process = self._process
        if process is None:
            raise ChildError(f"{self._name} is not running")
        assert process.stdin is not None
        assert process.stdout is not None
        async with self._turn:
            try:
                process.stdin.write(json.dumps(message).encode() + b"\n")
                async with asyncio.timeout(within):
                    await process.stdin.drain()
                    line = await process.stdout.readline()
            except TimeoutError:
                text = f"{self._name} gave no answer within {within:g} s\n{self.log}"
                raise ChildError(text.strip()) from None
            except ConnectionError:
                line = b""
        if not line:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 2)
            await asyncio.sleep(0)  # its last words
            raise ChildError(f"{self._name} ended ({process.returncode})\n{self.log}".strip())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ChildError(f"{self._name}: {answer['error']}")
        return answer

    async def _keep_log(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self._log.append(line.decode(errors="replace").rstrip()[:400])

    async def close(self) -> None:
        """End it: orderly, and by force after 20 s. Idempotent."""
        process, self._process = self._process, None
        logging, self._logging = self._logging, None
        try:
            if process is not None and process.returncode is None:
                assert process.stdin is not None
                with contextlib.suppress(ConnectionError, RuntimeError):
                    process.stdin.close()
                try:
                    await asyncio.wait_for(process.wait(), STOP)
                except TimeoutError:
                    pass
                finally:
                    if process.returncode is None:
                        with contextlib.suppress(ProcessLookupError):
                            process.kill()
                        await process.wait()
        finally:
            if logging is not None:
                logging.cancel()
                await asyncio.gather(logging, return_exceptions=True)


Answer = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Questions:
    """The process' own end. Standard output is the answers' alone: what is printed goes to the log.

    Make it before anything is imported that may print.
    """

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)

    def options(self) -> dict[str, Any]:
        """Read what the process is given, and take the cores that it may use; blocks.

        To be done before any thread is started: those that there are keep their cores.
        """
        given: dict[str, Any] = json.loads(sys.stdin.buffer.readline() or b"{}")
        if cores := given.pop("cores", []):
            with contextlib.suppress(AttributeError, OSError):
                os.sched_setaffinity(0, cores)
        return given

    async def serve(self, ready: Mapping[str, Any], answers: Mapping[str, Answer]) -> None:
        """Say that the process is ready, and answer until nobody asks any more."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        try:
            self.tell(ready)
            # No time-out: the process lives as long as who measures it.
            while line := await reader.readline():
                question = json.loads(line)
                answer = answers.get(question.pop("ask", ""))
                if answer is None:
                    self.tell({"error": "there is no such question"})
                    continue
                try:
                    self.tell(await answer(question))
                except Exception as error:  # noqa: BLE001 (it is told, whatever it is)
                    self.tell({"error": f"{type(error).__name__}: {error}"})
        finally:
            transport.close()

    def tell(self, value: Mapping[str, Any]) -> None:
        """Write a line of JSON."""
        data = memoryview(json.dumps(value).encode() + b"\n")
        while data:
            data = data[os.write(self._out, data) :]
