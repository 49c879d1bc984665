"""Rooms on the telephone: a number leads into one, and a room calls somebody."""

from __future__ import annotations

import asyncio

import pytest

from tests.phone.agents import phone
from tests.phone.conftest import Bot, local_trunk
from tests.web.calls import humming
from vivavoce.agent import Agent, Interpreter
from vivavoce.phone import DialError, Phone, Policy
from vivavoce.pipelines.interpret.rooms import Rooms
from vivavoce.pipelines.interpret.seating import SeatingError

BOOTH = Interpreter("en", "fr", name="booth", both_ways=True)


async def gathered(room, count):
    """Wait until so many are in a room."""
    async with asyncio.timeout(20):
        while len(room.seating) != count:  # noqa: ASYNC110 (it tells twice a second)
            await asyncio.sleep(0.05)


async def test_a_number_leads_into_a_room_until_it_is_full(station):
    async with humming() as models:
        rooms = Rooms(models)
        async with phone([BOOTH], models, rooms=rooms) as seen:
            opened = rooms.open(BOOTH, people=1, number="100", language="fr")
            here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
            line = await here.dial("100")
            await gathered(opened.room, 1)
            (person,) = opened.room.seating
            assert (person.language, person.kind, person.speaks) == ("fr", "phone in", True)
            with pytest.raises(DialError) as refused:
                await here.dial("100")
            assert refused.value.code == 486
            line.hang_up()
            await gathered(opened.room, 0)
            await asyncio.wait_for(seen.over.wait(), 20)
            assert [each.name for each in opened.room.seating.past] == ["A"]
        await rooms.close()


async def test_a_room_calls_somebody_and_hangs_up_when_it_ends(station):
    bot = Bot()
    far = await station(bot.take)
    trunk = local_trunk(port=far.local[0].port, transport="udp")
    async with humming() as models:
        rooms = Rooms(models)
        async with phone([Agent(), BOOTH], models, rooms=rooms, trunks=[trunk]) as seen:
            room = rooms.open(BOOTH).room
            made: Phone = seen.phone
            person = await made.invite(room, "luc", language="fr", name="Luc")
            assert (person.name, person.kind) == ("Luc", "phone out")
            assert len(room.seating) == 1
            with pytest.raises(SeatingError, match="choose of en, fr"):
                await made.invite(room, "luc", language="de")
            bot.reject = 486
            with pytest.raises(DialError):
                await made.invite(room, "luc", language="fr")
            assert len(room.seating) == 1  # who was not reached has no seat
            await room.hang_up("it is over")
            await asyncio.wait_for(seen.over.wait(), 30)
        await rooms.close()


async def test_what_the_policy_forbids_is_not_called():
    async with humming() as models:
        rooms = Rooms(models)
        async with phone([BOOTH], models, rooms=rooms, policy=Policy(numbers=("+33*",))) as seen:
            room = rooms.open(BOOTH).room
            with pytest.raises(DialError, match="not called"):
                await seen.phone.invite(room, "+44123", language="fr")
            assert len(room.seating) == 0
        await rooms.close()


async def test_an_interpreter_answers_alone_where_no_room_is_open(station):
    async with humming() as models, phone([BOOTH], models, rooms=Rooms(models)) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("100")
        async with asyncio.timeout(20):
            while not seen.begun:  # noqa: ASYNC110 (it is a list)
                await asyncio.sleep(0.05)
        assert seen.call.agent.name == "booth"
        line.hang_up()
        await asyncio.wait_for(seen.over.wait(), 20)
