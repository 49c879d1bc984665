from __future__ import annotations

import asyncio

import pytest

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.events import CallEnded, CallerStarted, CallStarted
from vivavoce.agent.transcript import Reply


class Wire:
    """A line that keeps what it was asked for."""

    def __init__(self):
        self.asked = []
        self.clock = 0.0

    def now(self):
        return self.clock

    async def say(self, text, *, interruptible):
        self.asked.append(("say", text, interruptible))
        return Reply(text, text, closed=True)

    async def interrupt(self):
        self.asked.append(("interrupt",))

    async def hang_up(self, reason, *, after_speech):
        self.asked.append(("hang_up", reason, after_speech))


async def collect(call):
    return [event async for event in call]


@pytest.fixture
def call():
    return Call(Agent(), "c1", {"book": 1})


async def everything(call):
    reply = await call.say("Hello.")
    await call.interrupt()
    await call.hang_up()
    return reply


async def test_before_the_line_is_open_nothing_waits_and_nothing_happens(call):
    reply = await asyncio.wait_for(everything(call), 1)
    assert (reply.generated, reply.heard, reply.closed) == ("Hello.", "", True)
    assert call.phase == "connecting"
    assert call.now == 0.0
    assert not call.ended


async def test_a_call_on_the_line_hands_everything_to_it(call):
    wire = Wire()
    call.connect(wire)
    wire.clock = 2.5
    assert call.phase == "listening"
    assert call.now == 2.5
    reply = await call.say("Hello.", interruptible=False)
    await call.interrupt()
    await call.hang_up("enough", after_speech=False)
    assert reply.heard == "Hello."
    assert wire.asked == [("say", "Hello.", False), ("interrupt",), ("hang_up", "enough", False)]


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_a_blank_text_is_not_said(call, text):
    wire = Wire()
    call.connect(wire)
    assert (await call.say(text)).closed
    assert not wire.asked


async def test_after_the_call_has_ended_nothing_waits_and_nothing_happens(call):
    wire = Wire()
    call.connect(wire)
    call.emit(CallEnded(7.5, "hung up"))
    reply = await asyncio.wait_for(everything(call), 1)
    assert reply.closed
    assert not wire.asked
    assert call.ended
    assert call.reason == "hung up"
    assert call.now == 7.5


async def test_every_listener_sees_every_event_however_late_it_comes(call):
    early = asyncio.create_task(collect(call))
    await asyncio.sleep(0)
    began, spoke, ended = CallStarted(0, "c1"), CallerStarted(1), CallEnded(2, "done")
    call.emit(began)
    between = asyncio.create_task(collect(call))
    await asyncio.sleep(0)
    call.emit(spoke)
    call.emit(ended)
    late = asyncio.create_task(collect(call))
    for listener in (early, between, late):
        assert await asyncio.wait_for(listener, 30) == [began, spoke, ended]


async def test_a_cancelled_listener_leaves_the_others_alone(call):
    impatient = asyncio.create_task(collect(call))
    patient = asyncio.create_task(collect(call))
    await asyncio.sleep(0)
    call.emit(CallerStarted(1))
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    ended = CallEnded(2, "done")
    call.emit(ended)
    assert (await asyncio.wait_for(patient, 30))[-1] is ended


async def test_a_listener_that_breaks_off_is_forgotten(call):
    call.emit(CallerStarted(1))
    events = aiter(call)
    await anext(events)
    assert len(call._feed._listeners) == 1
    await events.aclose()
    assert not call._feed._listeners


def test_a_call_shows_what_it_is(call):
    assert repr(call) == "<Call c1 connecting>"
    assert call.deps == {"book": 1}
