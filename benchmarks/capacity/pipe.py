"""Calls over the benchmark's pipe: no network, the same for every engine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil  # type: ignore[import-untyped]

from benchmarks.capacity.climb import BRIEF_MS, CHAR_MS, SCRIPTED, TURN, Ramp
from benchmarks.capacity.crowd import Crowd
from benchmarks.capacity.machine import CORES, pin
from benchmarks.capacity.window import Turn
from benchmarks.latency import roster
from benchmarks.latency.backend import REPLY, Backend
from benchmarks.latency.engine import Engine
from benchmarks.latency.roster import Entry
from vivavoce.pipelines.benching.callers import TurnCaller
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.sandbox.launch import Sandbox

AT_ONCE = 3
"""Processes that start at the same time."""
HELD = 0.6e9
"""Bytes that a process of a peer's may take, where each call has one."""


class Piped(Crowd):
    """People who talk through pipes. Use it as an async context manager.

    Args:
        seats: For each call the process that has it, and its number there.
        clip: What they say.
    """

    def __init__(self, seats: Sequence[tuple[Engine, int]], clip: Clip) -> None:
        super().__init__(list({id(one): one for one, _ in seats}.values()))
        self._seats, self._clip = seats, clip
        self._over: list[Turn] = []
        self._gone: list[str] = []
        self._talking: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._talking = [
            asyncio.create_task(self._talk(number), name="caller")
            for number in range(len(self._seats))
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)

    @property
    def calls(self) -> int:
        """See `Crowd`."""
        return len(self._seats)

    @property
    def gone(self) -> list[str]:
        """See `Crowd`."""
        return list(self._gone)

    def turns(self, since: float) -> list[Turn]:
        """See `Crowd`."""
        return [turn for turn in self._over if turn.ended >= since]

    async def _talk(self, number: int) -> None:
        engine, call = self._seats[number]
        loop = asyncio.get_running_loop()
        await asyncio.sleep(number * TURN / len(self._seats))
        try:
            for turn in itertools.count():
                caller = TurnCaller(self._clip, number * 31 + turn)
                take = await engine.play(caller, call)
                if turn:  # the first turn of each call warms it up
                    self._over.append(Turn(take, caller, loop.time()))
        except ChildError as error:
            self._gone.append(str(error).splitlines()[0])


@dataclass
class Pipe(Ramp):
    """One engine over the pipe: a new process for each number of calls.

    Attributes:
        entry: Which engine.
        cache: Where peers' environments are.
        clip: What callers say.
        split: A process for each call instead of one for all.
        versions: What ran.
    """

    entry: Entry
    cache: Path
    clip: Clip
    split: bool = False

    def __post_init__(self) -> None:
        self.name = f"{self.entry.name}{', a process each' if self.split else ''}"
        self.about: dict[str, Any] = {"what": self.entry.what, "split": self.split}

    def alone(self) -> AbstractAsyncContextManager[Crowd]:
        """See `Ramp`."""
        return self._crowd(1, BRIEF_MS)

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[None]:
        """See `Ramp`: each number of calls has its own."""
        yield

    def people(self, calls: int) -> AbstractAsyncContextManager[Crowd]:
        """See `Ramp`."""
        if self.split and calls * HELD > psutil.virtual_memory().available:
            raise ChildError(f"{self.name}: there is no memory for {calls} processes")
        return self._crowd(calls, CHAR_MS)

    @asynccontextmanager
    async def _crowd(self, calls: int, char_ms: float) -> AsyncGenerator[Crowd]:
        with Sandbox() as sandbox:
            backend = Backend.make(sandbox)
            await asyncio.to_thread(backend.script, [self.clip] * SCRIPTED, REPLY, char_ms)
            async with self._engines(sandbox, backend, calls) as seats:
                for one in {id(one): one for one, _ in seats}.values():
                    pin(one, CORES)
                    self.about["versions"] = one.ready.get("versions", {})
                async with Piped(seats, self.clip) as crowd:
                    if char_ms == CHAR_MS:
                        await asyncio.sleep(TURN)  # until all of them talk
                    yield crowd

    @asynccontextmanager
    async def _engines(
        self, sandbox: Sandbox, backend: Backend, calls: int
    ) -> AsyncGenerator[list[tuple[Engine, int]]]:
        """Start an engine's calls; give for each the process that has it, and its number there."""
        pythons = await asyncio.to_thread(roster.prepare, [self.entry], self.cache)
        shares = [1] * calls if self.split else [calls]
        processes = [
            roster.make(self.entry, pythons, sandbox.url, [backend.key] * share) for share in shares
        ]
        room = asyncio.Semaphore(AT_ONCE)

        async def start(one: Engine) -> None:
            async with room:
                await one.start()

        try:
            starting = [asyncio.create_task(start(one), name="start") for one in processes]
            try:
                await asyncio.gather(*starting)
            finally:
                for task in starting:
                    task.cancel()
                await asyncio.gather(*starting, return_exceptions=True)
            yield [
                (one, number)
                for one, share in zip(processes, shares, strict=True)
                for number in range(share)
            ]
        finally:
            await asyncio.gather(*(one.close() for one in processes), return_exceptions=True)
