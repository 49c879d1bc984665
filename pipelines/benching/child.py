"""A process that is measured: asked for its figures, a line of JSON each way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from vivavoce.pipelines.benching.process import ChildError, Process

READY = 120.0
"""Seconds that a start may take: models are loaded on the way."""
ANSWER = 20.0
"""Seconds that an answer may take, of a process that is busy."""


class Child(Process):
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
        # `-m` finds modules of the working folder, too: a checkout's benchmarks.
        super().__init__([sys.executable, "-W", "ignore", "-m", module], name=name)
        self.ready: dict[str, Any] = {}
        self._options = {**options, "cores": list(cores)}
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            ChildError: It ends, or is not ready in time; nothing is left running.
        """
        await self.spawn()
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
        stdin, stdout = self.stdin, self.stdout
        async with self._turn:
            try:
                stdin.write(json.dumps(message).encode() + b"\n")
                async with asyncio.timeout(within):
                    await stdin.drain()
                    line = await stdout.readline()
            except TimeoutError:
                text = f"{self.name} gave no answer within {within:g} s\n{self.log}"
                raise ChildError(text.strip()) from None
            except ConnectionError:
                line = b""
        if not line:
            raise await self.ended()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ChildError(f"{self.name}: {answer['error']}")
        return answer


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
