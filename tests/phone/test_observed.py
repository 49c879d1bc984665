"""A telephone's calls, counted: how they went, how good the line was, and who was refused."""

from __future__ import annotations

import asyncio

import pytest

from tests.phone.agents import phone
from tests.phone.conftest import Bot, local_trunk
from vivavoce.agent import Agent
from vivavoce.phone import DialError
from vivavoce.pipelines.observing.observer import Observer


async def test_a_call_by_sip_is_counted_with_its_line(models, station):
    observer, caller = Observer(), Bot()
    value = observer.meter.registry.get_sample_value
    trunk = local_trunk(numbers={"1": "host"})
    agent = Agent(name="host", greeting="Good evening and welcome to the house.")
    async with phone(agent, models, trunks=[trunk], observer=observer) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("1")
        talking = asyncio.create_task(caller.talk(line))
        async with asyncio.timeout(20):
            while not value("vivavoce_leg_received_packets_total", {"kind": "phone in"}):
                await asyncio.sleep(0.05)
                observer.collect()
        assert value("vivavoce_calls_active", {"kind": "phone in"}) == 1
        line.hang_up()
        await asyncio.wait_for(talking, 5)
        await asyncio.wait_for(seen.over.wait(), 10)
        with pytest.raises(DialError):
            await here.dial("2")
    ended = {"kind": "phone in", "reason": "caller"}
    assert value("vivavoce_calls_ended_total", ended) == 1
    assert value("vivavoce_leg_jitter_seconds_count", {"kind": "phone in"}) == 1
    refused = {"kind": "phone in", "reason": "no_agent"}
    assert value("vivavoce_calls_refused_total", refused) == 1
    assert observer.calls == 0
    await observer.close()
