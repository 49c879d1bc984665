"""A telephone that drains: nobody new, whoever is there goes on."""

from __future__ import annotations

import asyncio

import pytest

from tests.phone.agents import phone
from tests.phone.conftest import Bot, local_trunk
from tests.phone.peers import sipp
from tests.phone.scenarios import scenario, send
from vivavoce.agent import Agent
from vivavoce.phone import DialError

OPTIONS = send("OPTIONS", 1, to="")


async def test_a_station_that_drains_says_503_and_waits_no_longer_than_it_is_told(
    station, tmp_path
):
    bot = Bot()
    there = await station(bot.take)
    here = await station(port=there.local[0].port, transport="udp")
    port = there.local[0].port
    well = scenario(OPTIONS + '<recv response="200"/>')
    assert (await sipp(port, tmp_path, "-s", "1", "-m", "1", scenario=well))[0] == 0
    line = await here.dial("1")
    await there.drain(0.0)  # the call goes on, and it is not waited for
    assert not line.ended
    with pytest.raises(DialError) as caught:
        await here.dial("1")
    assert caught.value.code == 503
    assert there.refused["closing"] == 1
    away = scenario(OPTIONS + '<recv response="503"/>')
    code, logged = await sipp(port, tmp_path, "-s", "1", "-m", "1", scenario=away)
    assert code == 0, logged
    waiting = asyncio.create_task(there.drain(60.0))
    await bot.hears(0.2)
    assert not waiting.done()
    line.hang_up()
    await asyncio.wait_for(waiting, 10)


async def test_a_telephone_that_drains_keeps_its_agents_calls(models, station):
    caller = Bot()
    async with phone(Agent(), models) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("1")
        talking = asyncio.create_task(caller.talk(line))
        await caller.hears(0.2)
        draining = asyncio.create_task(seen.phone.drain(60.0))
        with pytest.raises(DialError) as caught:
            await here.dial("1")
        assert caught.value.code == 503
        assert not draining.done()
        await seen.call.send_dtmf("7")
        await caller.until(lambda: caller.keys == "7")
        line.hang_up()
        await asyncio.wait_for(draining, 20)
        assert seen.over.is_set()
        await asyncio.wait_for(talking, 5)
