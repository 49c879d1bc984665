"""A crowd: people who talk with an engine, turn after turn, and what they hear meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import aiohttp
import psutil  # type: ignore[import-untyped]

from benchmarks.capacity.clients import LINES, RefusedError, Talker, Words
from benchmarks.capacity.machine import Clocks, Server
from benchmarks.capacity.window import Turn, Window
from benchmarks.measured import Measured
from vivavoce.pipelines.benching.clip import Clip

SEEDS = 7
"""Different beginnings of a turn: no two neighbours are in phase with a server's windows."""
BEGIN = 25.0
"""Seconds that connecting may take altogether."""
LOOK = 0.25
"""Seconds between two looks at whether enough was heard."""


class Crowd:
    """People who talk with an engine; how they do is for those who build on this.

    Attributes:
        processes: The engine's.
        gone: Why calls ended, of those that did.
    """

    def __init__(self, processes: Sequence[Measured]) -> None:
        self.processes = list(processes)

    @property
    def calls(self) -> int:
        """How many there are."""
        raise NotImplementedError

    @property
    def gone(self) -> list[str]:
        """Why calls ended, of those that did."""
        raise NotImplementedError

    def turns(self, since: float) -> list[Turn]:
        """Return the turns that ended from a moment on (s, the loop's clock).

        Not the first one of each call, which warms it up.
        """
        raise NotImplementedError

    async def window(
        self, seconds: float, *, least: int = 0, most: float = 0.0, enough: int = 0
    ) -> Window:
        """Let them talk for a while; return what they heard and what it cost.

        Args:
            seconds: How long.
            least: Turns that have to be over, however long it takes,
            most: but not longer than so many seconds.
            enough: Turns with which it is over sooner, from half the seconds on; 0: it is not.
        """
        loop = asyncio.get_running_loop()
        began, cpu, mine = loop.time(), self._cpu(), os.times()
        machine, core = psutil.cpu_times(), Clocks.read()
        while (passed := loop.time() - began) < max(seconds, most):
            count = len(self.turns(began))
            if passed >= seconds and count >= least:
                break
            if enough and count >= enough and passed >= seconds / 2:
                break
            await asyncio.sleep(LOOK)
        now, used = loop.time(), self._cpu() - cpu
        here, core_now, machine_now = os.times(), Clocks.read(), psutil.cpu_times()
        return Window(
            calls=self.calls,
            turns=self.turns(began),
            seconds=now - began,
            cpu=used,
            memory=sum(process.memory() for process in self.processes),
            callers=here.user + here.system - mine.user - mine.system,
            idle=machine_now.idle - machine.idle,
            others=max(0.0, core_now.busy - core.busy - used),
            stolen=core_now.stolen - core.stolen,
            gone=self.gone,
        )

    def _cpu(self) -> float:
        return sum(process.cpu() for process in self.processes)


class Callers(Crowd):
    """People who call a server over the network. Use it as an async context manager.

    Args:
        server: Whom they call.
        line: `webrtc` or `websocket`.
        clip: What they say.

    Attributes:
        talkers: Those who were let in.
        refused: How many were refused, by HTTP status.
        rude: How many of these were not told when to try again.
        failed: Why others did not get through.
    """

    def __init__(self, server: Server, line: str, clip: Clip) -> None:
        super().__init__([server])
        self.talkers: list[Talker] = []
        self.refused: Counter[int] = Counter()
        self.rude = 0
        self.failed: list[str] = []
        self._url = server.url
        self._call, codec = LINES[line]
        self._words = [Words.make(clip, seed * 31, codec) for seed in range(SEEDS)]
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._calling: set[asyncio.Task[None]] = set()
        self.offered = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._calling:
            task.cancel()
        await asyncio.gather(*self._calling, return_exceptions=True)
        await asyncio.gather(*(talker.close() for talker in self.talkers), return_exceptions=True)
        await self._http.close()

    @property
    def calls(self) -> int:
        """See `Crowd`."""
        return len(self.talkers)

    @property
    def gone(self) -> list[str]:
        """See `Crowd`."""
        return [*(talker.gone for talker in self.talkers if talker.gone), *self.failed]

    def turns(self, since: float) -> list[Turn]:
        """See `Crowd`."""
        return [turn for talker in self.talkers for turn in talker.turns[1:] if turn.ended >= since]

    async def offer(self, count: int, every: float) -> None:
        """Have more people call, one after the other, whether they are let in or not.

        Args:
            count: How many.
            every: Seconds between two of them.
        """
        for _ in range(count):
            task = asyncio.create_task(self._begin(self.offered), name="caller")
            self._calling.add(task)
            task.add_done_callback(self._calling.discard)
            self.offered += 1
            await asyncio.sleep(every)

    async def connected(self) -> None:
        """Wait until nobody is on the way any more."""
        if waiting := set(self._calling):
            await asyncio.wait(waiting, timeout=BEGIN)

    async def _begin(self, number: int) -> None:
        talker = Talker(self._words[number % SEEDS])
        try:
            async with asyncio.timeout(BEGIN):
                await self._call(self._http, self._url, talker)
        except RefusedError as refusal:
            self.refused[refusal.status] += 1
            self.rude += not refusal.again
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            self.failed.append(f"{type(error).__name__}: {error}")
        else:
            self.talkers.append(talker)

    def told(self) -> dict[str, Any]:
        """Return how those fared who called, JSON-able."""
        return {
            "offered": self.offered,
            "taken": len(self.talkers),
            "refused": {str(code): count for code, count in sorted(self.refused.items())},
            "rude": self.rude,
            "failed": self.failed[:5],
        }
