"""What comes before the greeting: who has answered, that a machine speaks, what may be recorded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.phone.agents import phone
from tests.phone.conftest import Bot, local_trunk
from tests.phone.peers import read, tone
from tests.speech import speak
from vivavoce.agent import Agent
from vivavoce.agent.record import record
from vivavoce.phone import Answerer, Phone, PhoneError, Screen

MACHINE = "You have reached the voicemail of Peter Miller. Please leave a message after the tone."


def said(call) -> list[str]:
    return [reply.heard for reply in call.transcript.replies if reply.heard]


async def listens(bot: Bot) -> None:
    """Wait until something was said, and then nothing for a while."""

    def over() -> bool:
        loud = [abs(pcm.astype(int)).max() > 500 for pcm in bot.heard]
        return any(loud) and len(loud) > 60 and not any(loud[-40:])

    await bot.until(over, 30)


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_a_machine_says_so_before_anything_else(models, station, language):
    caller = Bot(0)
    agent = Agent(greeting="Hello, how can I help you?", languages=language)
    async with phone(agent, models, disclosure=True) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("1")
        talking = asyncio.create_task(caller.talk(line))
        await caller.until(lambda: seen.begun and len(said(seen.call)) == 2, 30)
        line.hang_up()
        await talking
    first, second = said(seen.call)
    assert ("intelligence artificielle" if language == "fr" else "a machine") in first
    assert second == "Hello, how can I help you?"
    assert 0.5 < seen.call.disclosed <= seen.call.transcript.replies[1].started + 0.2


@pytest.mark.parametrize(("answer", "agreed"), [("1", True), ("2", False)])
async def test_a_call_is_recorded_after_a_yes_only(models, station, tmp_path, answer, agreed):
    caller = Bot(0)
    agent = Agent(greeting="Hello, how can I help you?")
    async with phone(agent, models, recordings=tmp_path, consent={"en": "May we record?"}) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("1")
        talking = asyncio.create_task(caller.talk(line))
        await listens(caller)
        assert not list(tmp_path.iterdir())
        assert said(seen.call) == ["May we record?"]
        line.press(answer)
        await caller.until(lambda: len(said(seen.call)) == 2, 30)
        line.hang_up()
        await talking
        await asyncio.wait_for(seen.over.wait(), 10)
    call = seen.call
    assert said(call) == ["May we record?", "Hello, how can I help you?"]
    assert call.consent is agreed
    assert (tmp_path / f"{call.id}.wav").exists() is agreed
    made = record(call, agent="a", began=datetime.now(UTC), seconds=1, models={})
    assert made["consent"] is agreed
    if agreed:
        pcm, _ = read(tmp_path / f"{call.id}.wav")
        assert len(pcm) > 24_000  # the greeting; not the question


@pytest.mark.needs_flite
async def test_a_yes_in_words_will_do(models, station, tmp_path):
    caller = Bot(0)
    async with phone(
        Agent(), models, recordings=tmp_path, consent="May we record?", disclosure="I am a robot."
    ) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("1")
        talking = asyncio.create_task(caller.talk(line))
        await listens(caller)
        talking.cancel()
        spoken, at = np.concatenate([speak("Yes, you may.", 8000), np.zeros(16_000, np.int16)]), 0
        while seen.call.consent is None and await line.listen():
            count = round(line.wanted * line.rate)
            line.say(spoken[at : at + count])
            at += count
            assert at < 20 * 8000
        assert seen.call.consent is True
        line.hang_up()
    assert said(seen.call)[:2] == ["I am a robot.", "May we record?"]


async def test_nothing_is_asked_where_nothing_is_recorded(models, station):
    async with phone(Agent(greeting="Hello."), models, consent=True) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        caller = Bot(0)
        line = await here.dial("1")
        talking = asyncio.create_task(caller.talk(line))
        await caller.until(lambda: seen.begun and said(seen.call))
        line.hang_up()
        await talking
    assert said(seen.call) == ["Hello."]
    assert seen.call.consent is None


class Answering:
    """Picks up, plays something, and keeps what it hears from then on."""

    def __init__(self, sound: np.ndarray) -> None:
        self.sound = np.concatenate([np.zeros(3000, np.int16), sound])
        self.bot = Bot(0)
        self.lines: list = []

    async def take(self, line) -> None:
        self.lines.append(line)
        await line.answer()
        line.say(self.sound)  # at once: it leaves evenly, also on a busy machine
        blocks = len(self.sound) // 160
        while len(self.bot.heard) < blocks and (heard := await line.listen()):
            self.bot.heard += [pcm for pcm, _ in heard]
        self.during = len(self.bot.heard)
        await self.bot.talk(line)


async def calls(models, station, there, **options):
    station_ = await station(there.take)
    trunk = local_trunk(port=station_.local[0].port, transport="udp")
    return phone(Agent(greeting="Hello, this is Anna."), models, trunks=[trunk], **options)


async def test_a_machine_is_left_a_message_after_its_beep(models, station):
    there = Answering(np.concatenate([speak(MACHINE, 8000), tone(0.4, 1000)]))
    async with await calls(models, station, there, disclosure="I am a robot.") as seen:
        call = await seen.phone.dial("1", screen=Screen(message="Please call Anna."))
        assert await asyncio.wait_for(seen.phone.answered_by(call), 20) is Answerer.MACHINE
        await asyncio.wait_for(seen.over.wait(), 40)
    assert said(call) == ["I am a robot.", "Please call Anna."]
    assert call.reason == "a message was left on voicemail"
    # Not a word before the beep.
    during = np.concatenate(there.bot.heard[: there.during])
    assert abs(during.astype(int)).max() < 300


async def test_a_machine_is_hung_up_on(models, station):
    there = Answering(speak(MACHINE, 8000))
    async with await calls(models, station, there) as seen:
        call = await seen.phone.dial("1", screen=Screen())
        await asyncio.wait_for(seen.over.wait(), 40)
    assert call.reason == "voicemail"
    assert said(call) == []


@pytest.mark.needs_flite
async def test_a_person_is_greeted(models, station):
    there = Answering(speak("Hello?", 8000))
    async with await calls(models, station, there) as seen:
        call = await seen.phone.dial("1", screen=Screen(), memory={"name": "Ann"})
        await there.bot.until(lambda: said(call), 30)
        assert await seen.phone.answered_by(call) is Answerer.HUMAN
        await call.hang_up()
        await asyncio.wait_for(seen.over.wait(), 20)
    assert said(call) == ["Hello, this is Anna."]
    assert call.memory == {"name": "Ann"}


def test_sentences_that_are_none(models):
    with pytest.raises(PhoneError, match="at least one language"):
        Phone(Agent(), models, consent={})
