"""A caller's line, to a real server: what it hears, how it is lost, and how it comes back."""

from __future__ import annotations

import aiohttp
import numpy as np
import pytest

from tests.web.calls import host, serving
from vivavoce.pipelines.benching.callers import TurnCaller
from vivavoce.pipelines.benching.line import Line, LineError
from vivavoce.pipelines.benching.speech import sentences
from vivavoce.pipelines.benching.take import BLOCK, Take
from vivavoce.web.limits import Limits


class Silent:
    """Says nothing for so many blocks."""

    def __init__(self, blocks: int) -> None:
        self._left = blocks

    def block(self, number: int, take: Take) -> np.ndarray | None:
        return np.zeros(BLOCK, np.int16) if number < self._left else None


async def test_what_the_agent_says_is_heard_block_by_block():
    async with serving(host()) as server, aiohttp.ClientSession() as http:
        async with Line(http, server.url) as line:
            assert line.call in server.desk.calls
            take = await line.play(Silent(100))
        assert take.first_sound() is not None
        assert take.spoken(0.0) > 0.3
        assert max(packet.seconds for packet in take.packets) <= 0.02
        arrivals = [packet.at for packet in take.packets]
        assert arrivals == sorted(arrivals)


async def test_a_lost_line_is_not_hung_up_and_its_caller_comes_back():
    async with serving(host(greeting=None), wait=30.0) as server, aiohttp.ClientSession() as http:
        line = Line(http, server.url)
        await line.open()
        await line.play(Silent(20))
        line.drop()
        with pytest.raises(LineError, match="the caller dropped it"):
            await line.play(Silent(20))
        await line.close()
        await line.close()
        assert line.call in server.desk.calls
        async with Line(http, server.url, resume=line.resume) as back:
            assert back.call == line.call
            await back.play(Silent(20))


async def test_a_call_that_is_refused_says_with_which_status():
    async with serving(limits=Limits(calls=1)) as server, aiohttp.ClientSession() as http:
        async with Line(http, server.url):
            with pytest.raises(LineError, match="503") as refusal:
                await Line(http, server.url).open()
        assert refusal.value.status == 503
    async with aiohttp.ClientSession() as http:
        with pytest.raises(LineError, match="cannot be reached"):
            await Line(http, "http://127.0.0.1:9").open()


def test_the_sentences_are_whole():
    for clip in sentences():
        assert 1.0 < clip.voiced_end / 16_000 < 2.5
        assert len(clip.words) >= 6
        assert clip.words[-1][1] == pytest.approx(clip.voiced_end / 16_000, abs=0.001)
        assert TurnCaller(clip).voiced_end > 1.0
