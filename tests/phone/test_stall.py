"""An event loop that stands still: what is being said goes on, and not a sample is said twice."""

from __future__ import annotations

import asyncio
import queue
import threading
import time

import numpy as np
import pytest

from tests.phone.agents import phone
from tests.phone.conftest import local_trunk
from tests.phone.peers import tone
from vivavoce.agent import Agent
from vivavoce.phone import Exposure, Station

LONG = 3.0  # s of tone


class FarEnd(threading.Thread):
    """A telephone on a thread of its own: our loop's stalls are not its own."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.heard: list[np.ndarray] = []
        self.over = threading.Event()
        self.problem: queue.Queue[BaseException] = queue.Queue()

    def run(self) -> None:
        try:
            asyncio.run(self.call())
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.problem.put(error)

    async def call(self) -> None:
        trunk = local_trunk(port=self.port, transport="udp")
        exposure = Exposure(listen=("udp:127.0.0.1:0",), rtp=range(48_000, 52_000))
        async with Station(trunks=[trunk], exposure=exposure) as station:
            line = await station.dial("1")
            while not self.over.is_set() and (blocks := await line.listen()):
                self.heard += [pcm for pcm, _ in blocks]
                line.say(np.zeros(round(line.wanted * line.rate), np.int16))
            line.hang_up()


async def listening(seen, far: FarEnd) -> None:
    async with asyncio.timeout(20):
        while not seen.begun or len(far.heard) < 10:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.02)


def loud_of(heard: list[np.ndarray]) -> np.ndarray:
    """Return what was heard from the first loud sample to the last."""
    sound = np.concatenate(heard).astype(int)
    loud = np.flatnonzero(abs(sound) > 1000)
    return sound[loud[0] : loud[-1] + 1]


@pytest.mark.parametrize("threaded", [True, False], ids=["thread", "no thread"])
async def test_a_stalled_loop_leaves_no_gap_in_what_is_said(models, threaded):
    sound = tone(LONG, 500, 8000)
    async with phone(Agent(), models, exposure={"media_thread": threaded}) as seen:
        far = FarEnd(seen.port)
        far.start()
        try:
            await listening(seen, far)
            playing = asyncio.create_task(seen.call.play(sound, rate=8000, interruptible=False))
            for _ in range(4):
                await asyncio.sleep(0.5)
                time.sleep(0.2)  # noqa: ASYNC251 - that is what is tested
            await asyncio.wait_for(playing, 20)
            await asyncio.sleep(0.5)
        finally:
            far.over.set()
            await asyncio.to_thread(far.join, 20)
        assert far.problem.empty(), far.problem.get()
    sound = loud_of(far.heard)
    # Each 10 ms of it, beside silence.
    levels = abs(sound[: len(sound) // 80 * 80].reshape(-1, 80)).max(axis=1)
    silent = int((levels < 1000).sum()) * 10
    figures = seen.begun[0][1].statistics().sent
    if threaded:
        # A machine that lets our thread wait, too, is another matter: the sender counts that.
        theirs = 0.02 * figures.skipped
        assert silent <= 60 + 1000 * theirs, f"{silent} ms of silence, {figures}"
        assert len(sound) / 8000 == pytest.approx(LONG, abs=0.1 + theirs)
        assert figures.borrowed > 0.3
    else:
        assert silent >= 300  # what it is good for


async def test_what_is_cut_is_not_in_the_reserve(models):
    """The caller has cut in, and then the loop stalls: nothing more is heard of it."""
    async with phone(Agent(), models) as seen:
        far = FarEnd(seen.port)
        far.start()
        try:
            await listening(seen, far)
            playing = asyncio.create_task(seen.call.play(tone(LONG, 500, 8000), rate=8000))
            await asyncio.sleep(0.7)
            await seen.call.interrupt()
            await asyncio.wait_for(playing, 10)
            await asyncio.sleep(0.06)
            time.sleep(0.3)  # noqa: ASYNC251
            await asyncio.sleep(0.3)
        finally:
            far.over.set()
            await asyncio.to_thread(far.join, 20)
        assert far.problem.empty(), far.problem.get()
        borrowed = seen.begun[0][1].statistics().sent.borrowed
    reply = playing.result()
    assert reply.interrupted
    said = reply.ended - reply.started
    assert len(loud_of(far.heard)) / 8000 <= said + 0.15 + borrowed
    assert said < LONG - 1
