"""A station whose event loop stalls, in a process of its own; prints its port.

    python -m benchmarks.phone.staller same|thread none|sleep|busy

Each call is told a tone, as a conversation would be: by its transport, from a playout.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.phone.stall import BLOCKED, EVERY
from vivavoce.phone import Exposure, Station, TelephoneLine, Trunk
from vivavoce.phone.transport import PhoneTransport
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.turns.playout import Block, Clause, Playout, Samples

RATE = 24_000


@dataclass
class Tone:
    """A conversation that is one long tone. Implements `Carried`."""

    clock: Clock = field(default_factory=Clock)
    rate: int = RATE
    busy: bool = False
    settled: bool = False
    over: str = ""

    def __post_init__(self) -> None:
        self._playout = Playout(RATE)
        self._second = np.arange(RATE) / RATE
        self._clause = Clause(self, "tone")
        self._playout.append(self._clause)
        self._more()

    def _more(self) -> None:
        while self._clause.waiting < 2 * RATE:
            sound = 8000 * np.sin(2 * np.pi * 500 * self._second)
            self._clause.add(sound.astype(np.int16))
            self._clause._audio.clear()  # noqa: SLF001 - or it would keep all that was played

    def fail(self, stage: str, message: str) -> None:
        raise AssertionError(f"{stage}: {message}")

    async def play(self, count: int) -> Block:
        self._more()
        return self._playout.pull(count)

    def ahead(self, seconds: float) -> tuple[int, Samples]:
        return self._playout.changes, self._playout.peek(round(seconds * RATE))


async def take(line: TelephoneLine) -> None:
    await PhoneTransport(line).carry(Tone())


def stall(kind: str) -> None:
    if kind == "sleep":
        time.sleep(BLOCKED)  # as a tool that waits for a file or a database
    end = time.monotonic() + BLOCKED
    while kind == "busy" and time.monotonic() < end:
        sum(range(1000))  # as a tool that computes in Python


async def main(threaded: bool, kind: str) -> None:
    trunk = Trunk(
        "lab", "127.0.0.1", transport=None, allow=("127.0.0.1",), max_calls=500, codecs=("PCMU",)
    )
    exposure = Exposure(
        listen=("udp:127.0.0.1:0",),
        max_calls=500,
        rtp=range(20_000, 30_000),
        media_thread=threaded,
    )
    async with Station(take, trunks=[trunk], exposure=exposure) as station:
        print(station.local[0].port, flush=True)
        loop = asyncio.get_running_loop()
        waiting = loop.run_in_executor(None, sys.stdin.readline)  # it lives as long as that
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=EVERY)
            if station.lines and kind != "none":
                stall(kind)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] == "thread", sys.argv[2]))
