"""Callers handed over to people: bridged, warm, by REFER; and what the record says of it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.phone.agents import phone
from tests.phone.conftest import Bot, local_trunk
from tests.speech import speak
from vivavoce.agent import Agent, LineError
from vivavoce.agent.control import put_through
from vivavoce.phone import Policy, line_of

CALLER, HUMAN = 1000.0, 500.0


async def caller_on(station, seen, bot: Bot):
    here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
    line = await here.dial("desk")
    return line, asyncio.create_task(bot.talk(line))


def silent(bot: Bot, seconds: float = 0.5) -> bool:
    last = bot.heard[-round(seconds / 0.02) :]
    return len(last) > 10 and not any(abs(pcm.astype(int)).max() > 300 for pcm in last)


async def ended(seen) -> None:
    await asyncio.wait_for(seen.over.wait(), 20)


async def test_a_caller_is_joined_with_somebody(models, station):
    caller, human = Bot(CALLER), Bot(HUMAN)
    there = await station(human.take)
    trunk = local_trunk(port=there.local[0].port, transport=None)
    async with phone(Agent(greeting="Hello."), models, trunks=[trunk]) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun)
        await seen.call.transfer("100", mode="bridge", announcement="")
        assert seen.call.joined
        await human.hears_tone(CALLER, 1.0)
        await caller.hears_tone(HUMAN, 1.0)
        line.press("42")
        await human.until(lambda: human.keys == "42")
        human.lines[0].press("#")
        await caller.until(lambda: caller.keys == "#")
        requests = seen.call.usage.requests
        human.lines[0].hang_up()
        await ended(seen)
        assert await line.over(10)
        await talking
    (transfer,) = seen.call.transfers
    assert (transfer.to, transfer.mode, transfer.state) == ("100", "bridge", "done")
    assert transfer.joined is not None
    assert transfer.ended - transfer.joined > 1.0
    assert seen.call.reason == "transferred to 100; the other side hung up"
    # No model was asked anything while they spoke with each other.
    assert seen.call.usage.requests == requests


async def test_the_caller_hangs_up_and_so_does_the_other_side(models, station):
    caller, human = Bot(CALLER), Bot(HUMAN)
    there = await station(human.take)
    trunk = local_trunk(port=there.local[0].port, transport=None)
    async with phone(Agent(), models, trunks=[trunk]) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun and caller.heard)
        await seen.call.transfer("100", mode="bridge", announcement="")
        await human.hears(0.2)
        line.hang_up()
        assert await human.lines[0].over(10)
        await ended(seen)
        await talking
    assert seen.call.transfers[0].why == "the caller hung up"


async def test_nobody_answers_and_the_caller_is_back(models, station):
    caller, human = Bot(CALLER), Bot(HUMAN)
    human.answering = False
    there = await station(human.take)
    trunk = local_trunk(port=there.local[0].port, transport=None)
    async with phone(Agent(), models, trunks=[trunk]) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun and caller.heard)
        # Meanwhile the caller is told, and hears it ring.
        going = asyncio.create_task(seen.call.transfer("100", mode="bridge", ring_time=4.0))
        await caller.until(lambda: human.lines)
        assert seen.call.on_hold
        with pytest.raises(LineError, match="is under way"):
            await seen.call.transfer("101", mode="bridge")
        await caller.until(lambda: any(abs(pcm.astype(int)).max() > 800 for pcm in caller.heard))
        with pytest.raises(LineError, match="was not reached"):
            await going
        assert not seen.call.on_hold
        assert not seen.call.ended
        assert seen.call.transfers[0].state == "failed"
        assert "putting you through" in seen.call.transcript.replies[0].generated
        # What it rang with is gone at once, and the agent speaks again.
        await caller.until(lambda: silent(caller))
        human.reject = 486
        with pytest.raises(LineError, match="Busy"):
            await seen.call.transfer("100", mode="bridge", announcement="")
        reply = await seen.call.say("They are not there.")
        assert reply.heard == "They are not there."
        line.hang_up()
        await talking
        await ended(seen)


async def test_a_caller_who_does_not_wait_leaves_nobody_ringing(models, station):
    caller, human = Bot(CALLER), Bot(HUMAN)
    human.answering = False
    there = await station(human.take)
    trunk = local_trunk(port=there.local[0].port, transport=None)
    async with phone(Agent(), models, trunks=[trunk]) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun and caller.heard)
        going = asyncio.create_task(seen.call.transfer("100", mode="bridge", announcement=""))
        await caller.until(lambda: human.lines)
        line.hang_up()
        with pytest.raises(LineError, match="the caller hung up"):
            await asyncio.wait_for(going, 10)
        assert await human.lines[0].over(10)
        await talking
        await ended(seen)
        assert not seen.phone.station.lines


class Person(Bot):
    """Somebody who listens to the briefing, and then answers it."""

    def __init__(self, frequency: float, *, keys: str = "", words: str = "") -> None:
        super().__init__(frequency)
        self.answers = keys
        self.words = words
        self.told = np.zeros(0, np.int16)

    async def talk(self, line) -> None:
        loud = quiet = 0
        while blocks := await line.listen():
            for pcm, _rate in blocks:
                self.heard.append(pcm)
                if abs(pcm.astype(int)).max() > 500:
                    loud, quiet = loud + 1, 0
                else:
                    quiet += 1
            line.say(np.zeros(round(line.wanted * line.rate), np.int16))
            if loud > 20 and quiet > 40:
                break
        self.told = self.sound
        self.heard.clear()
        if self.answers:
            line.press(self.answers)
        else:
            spoken = speak(self.words, line.rate)
            at = 0
            while at < len(spoken) and (blocks := await line.listen()):
                count = round(line.wanted * line.rate)
                line.say(spoken[at : at + count])
                at += count
        await super().talk(line)


async def test_the_agent_tells_the_other_one_first(models, station):
    caller, human = Bot(CALLER), Person(HUMAN, keys="1")
    there = await station(human.take)
    trunk = local_trunk(port=there.local[0].port, transport=None)
    async with phone(Agent(), models, trunks=[trunk]) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun and caller.heard)
        await asyncio.wait_for(
            seen.call.transfer(
                "100", mode="warm", briefing="Mary has lost her key.", announcement=""
            ),
            30,
        )
        await human.hears_tone(CALLER, 1.0)
        await caller.hears_tone(HUMAN, 1.0)
        line.hang_up()
        await talking
        await ended(seen)
    (transfer,) = seen.call.transfers
    assert transfer.briefing[0]["generated"].startswith("Mary has lost her key.")
    assert len(human.told) > 8000
    states = [e.transfer.state for e in seen.call.past if hasattr(e, "transfer")]
    assert states == ["calling", "briefing", "joined", "done"]


@pytest.mark.needs_flite
@pytest.mark.parametrize(("words", "taken"), [("Yes.", True), ("No, not now.", False)])
async def test_the_other_one_says_yes_or_no(models, station, words, taken):
    caller, human = Bot(CALLER), Person(HUMAN, words=words)
    there = await station(human.take)
    trunk = local_trunk(port=there.local[0].port, transport=None)
    async with phone(Agent(tools=[put_through]), models, trunks=[trunk]) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun and caller.heard)
        going = seen.call.transfer("100", mode="warm", briefing="Mary calls.", announcement="")
        if taken:
            await asyncio.wait_for(going, 40)
            await human.hears_tone(CALLER, 0.6)
        else:
            with pytest.raises(LineError, match="does not take the call"):
                await asyncio.wait_for(going, 40)
            assert await human.lines[0].over(10)
            assert not seen.call.ended
        line.hang_up()
        await talking
        await ended(seen)


async def test_every_call_of_ours_is_held_to_the_policy(models, station):
    caller = Bot(CALLER)
    policy = Policy(numbers=("+33*",), per_minute=1)
    async with phone(Agent(), models, policy=policy) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun and caller.heard)
        for mode in ("refer", "bridge"):
            with pytest.raises(LineError, match="not among the numbers"):
                await seen.call.transfer("+44123", mode=mode, announcement="")
            with pytest.raises(LineError, match="not among the numbers"):
                await seen.call.transfer("sip:+33123@elsewhere.test", mode=mode, announcement="")
        with pytest.raises(LineError):  # nobody is there, and it counts
            await seen.call.transfer("+33123", mode="refer")
        with pytest.raises(LineError, match="a minute are made already"):
            await seen.call.transfer("+33123", mode="bridge", announcement="")
        with pytest.raises(ValueError, match="what it is about"):
            await seen.call.transfer("+33123", mode="warm")
        with pytest.raises(ValueError, match="refer, bridge or warm"):
            await seen.call.transfer("+33123", mode="cold")
        line.hang_up()
        await talking
        await ended(seen)


@pytest.mark.parametrize("target", ["desk", "boss"])
async def test_the_far_end_has_us_call_somebody_else(models, station, target):
    """Who is on the line transfers the agent, where the trunk may."""
    caller, other = Bot(CALLER), Bot(HUMAN)
    there = await station(other.take)
    port = there.local[0].port
    trunk = local_trunk(port=port, transport=None, refer=("desk",))
    async with phone(Agent(), models, trunks=[trunk]) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun and caller.heard)
        outcome = await line.transfer(f"sip:{target}@127.0.0.1:{port}", within=20)
        if target == "boss":
            assert outcome.value == "failed"
            assert not other.lines
            assert not seen.call.ended
            line.hang_up()
        else:
            assert outcome.value == "done"
            line.hang_up()
            reply = await asyncio.wait_for(seen.call.say("Hello, who is it?"), 20)
            assert reply.heard == "Hello, who is it?"
            await other.hears(0.2)
            assert line_of(seen.call).number == "desk"
            other.lines[0].hang_up()
        await talking
        await ended(seen)
