"""A crowd: callers who call one server over the network and go on talking."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any, Self

import aiohttp
import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.capacity.clients import LINES, RefusedError, Talker, Turn, Words
from benchmarks.capacity.machine import Server
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.listening import lateness
from vivavoce.pipelines.benching.take import answer

SEEDS = 7
"""Different beginnings of a turn: no two neighbours are in phase with a server's windows."""
BEGIN = 25.0
"""Seconds that connecting may take altogether."""


class Crowd:
    """Callers of one server. Use it as an async context manager.

    Args:
        server: Whom they call.
        line: `webrtc` or `websocket`.
        clip: What they say.

    Attributes:
        talkers: Those who were let in.
        refused: HTTP status of each refusal.
        failed: Why others did not get through.
    """

    def __init__(self, server: Server, line: str, clip: Clip) -> None:
        self.talkers: list[Talker] = []
        self.refused: list[int] = []
        self.failed: list[str] = []
        self._server = server
        self._call, codec = LINES[line]
        self._words = [Words.make(clip, seed * 31, codec) for seed in range(SEEDS)]
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._calling: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._calling:
            task.cancel()
        await asyncio.gather(*self._calling, return_exceptions=True)
        await asyncio.gather(*(talker.close() for talker in self.talkers), return_exceptions=True)
        await self._http.close()

    async def add(self, count: int, every: float) -> None:
        """Have more people call, one after the other.

        Args:
            count: How many.
            every: Seconds between two of them.
        """
        before = len(self._calling)
        for number in range(before, before + count):
            self._calling.append(asyncio.create_task(self._begin(number), name="caller"))
            await asyncio.sleep(every)
        for task in self._calling[before:]:
            await asyncio.wait({task}, timeout=BEGIN)

    async def _begin(self, number: int) -> None:
        talker = Talker(self._words[number % SEEDS])
        try:
            async with asyncio.timeout(BEGIN):
                await self._call(self._http, self._server.url, talker)
        except RefusedError as refusal:
            self.refused.append(refusal.status)
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            self.failed.append(f"{type(error).__name__}: {error}")
        else:
            self.talkers.append(talker)

    async def window(self, seconds: float, *, least: int = 0, most: float = 60.0) -> dict[str, Any]:
        """Let them talk for a while; return what they heard and what it cost.

        Args:
            seconds: How long.
            least: Turns that have to be over, however long it takes.
            most: But not longer than so many seconds.
        """
        loop = asyncio.get_running_loop()
        began, cpu, mine = loop.time(), self._server.cpu(), os.times()
        others = psutil.cpu_times()
        for talker in self.talkers:
            talker.late = 0.0
        await asyncio.sleep(seconds)
        while len(self._turns(began)) < least and loop.time() - began < most:  # noqa: ASYNC110
            await asyncio.sleep(0.25)
        now = loop.time()
        used = (self._server.cpu() - cpu) / (now - began)
        here = os.times()
        after = psutil.cpu_times()
        turns = self._turns(began)
        return {
            "calls": len(self.talkers),
            **told(turns),
            "cpu": round(used, 4),
            "cpu_per_call": round(used / max(1, len(self.talkers)), 5),
            "memory_mb": round(self._server.memory(), 1),
            "caller_late_ms": round(max((t.late for t in self.talkers), default=0.0) * 1000, 1),
            "caller_cpu": round(
                (here.user + here.system - mine.user - mine.system) / (now - began), 3
            ),
            "machine_idle": round((after.idle - others.idle) / (now - began), 3),
            "gone": [talker.gone for talker in self.talkers if talker.gone],
        }

    def _turns(self, since: float) -> list[Turn]:
        return [
            turn
            for talker in self.talkers
            for turn in talker.turns[1:]  # the first one of each call warms it up
            if turn.ended >= since
        ]


def told(turns: Sequence[Turn]) -> dict[str, Any]:
    """Return what turns tell, JSON-able."""
    late = [each for turn in turns for each in lateness(turn.take.packets)]
    answers = [answer(turn.take, turn.caller.voiced_end) for turn in turns]
    return {"turns": len(turns), **judged(late, answers)}


def judged(late: Sequence[float], answers: Sequence[Any]) -> dict[str, Any]:
    """Return how late packets and answers were, JSON-able."""
    v2v = [each.v2v * 1000 for each in answers if each.v2v is not None]
    return {
        "late_ms": {
            name: round(float(np.percentile(late, share)) * 1000, 1) if late else None
            for name, share in (("p50", 50), ("p99", 99), ("max", 100))
        },
        "v2v_ms": {
            name: round(float(np.percentile(v2v, share)), 1) if v2v else None
            for name, share in (("p50", 50), ("p95", 95))
        },
        "packets": len(late),
        "lost": sum(each.lost for each in answers),
        "premature": sum(each.premature for each in answers),
    }
