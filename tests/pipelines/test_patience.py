"""Silence in whole calls: who is asked, who is told to wait, and what the model is told of it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.pipelines.conftest import RATE
from vivavoce.agent import Agent, Silence, Turns
from vivavoce.pipelines.patience import tone

HELLO = "What is the weather in Paris today?"
CALM = Turns(eager=False)
LONG = "Good evening, and welcome to the house of many long greetings."


def silent(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.int16)


async def test_a_caller_who_says_nothing_is_asked_and_let_go(hold):
    agent = Agent(silence=Silence(ask_after=1, asks=1, goodbye="Well, goodbye."), turns=CALM)
    held = await hold(agent, [silent(8)])
    said = [reply.heard for reply in held.call.transcript.replies]
    assert said == ["Are you still there?", "Well, goodbye."]
    assert held.call.reason == "nobody was there any more"
    assert held.asked == []


async def test_a_caller_who_answers_is_answered(hold):
    agent = Agent(
        silence=Silence(ask_after=1.5, asks=1, still_there="Hello?"), turns=CALM, languages="fr"
    )
    held = await hold(agent, [HELLO], script={"hear": [HELLO], "think": ["It is sunny."]})
    said = [reply.heard for reply in held.call.transcript.replies]
    assert said[0] == "Hello?"
    assert "It is sunny." in said
    # The question is part of what the model knows.
    assert any("Hello?" in message["content"] for message in held.asked[0]["messages"])


@pytest.mark.parametrize("working", ["words", "tone", "nothing"])
async def test_a_slow_tool_is_not_silence(hold, working):
    agent = Agent(silence=Silence(working=working, work_after=0.5, work_again=30), turns=CALM)

    @agent.tool
    async def look() -> str:
        """Look it up."""
        await asyncio.sleep(1.5)
        return "It is sunny."

    think = [{"name": "look"}, "Sunny it is."]
    held = await hold(agent, [HELLO], script={"hear": [HELLO], "think": think}, patience=7)
    said = [reply.heard for reply in held.call.transcript.replies]
    assert said == (["One moment, please.", "Sunny it is."] if working == "words" else [*said[-1:]])
    assert said[-1] == "Sunny it is."
    (tool,) = held.call.transcript.tools
    loud = held.loud(tool.started + 0.5, tool.started + 1.4)
    assert (loud > 500) == (working != "nothing")
    # The model's own words and the tool's result are all that it is told.
    assert "One moment" not in str(held.asked[-1]["messages"])
    assert not held.call.transcript.failures


async def test_a_protected_greeting_is_said_to_its_end_and_the_caller_heard(hold):
    agent = Agent(
        greeting=LONG,
        turns=Turns(eager=False, greeting="protected"),
    )
    held = await hold(agent, [(HELLO, 0.5)], script={"hear": [HELLO], "think": ["It is sunny."]})
    greeting, reply = held.call.transcript.replies
    assert greeting.heard == LONG
    assert not greeting.interrupted
    assert reply.heard == "It is sunny."


async def test_during_a_muted_greeting_nobody_is_heard(hold):
    agent = Agent(
        greeting=LONG,
        turns=Turns(eager=False, greeting="muted"),
    )
    held = await hold(
        agent, [("Wait.", 0.5), HELLO], script={"hear": [HELLO], "think": ["It is sunny."]}
    )
    greeting, reply = held.call.transcript.replies
    assert greeting.heard == LONG
    assert [utterance.text for utterance in held.call.transcript.caller] == [HELLO]
    assert reply.heard == "It is sunny."


def test_the_tone_is_soft_and_does_not_click():
    sound = tone(24_000)
    assert 500 < np.abs(sound).max() < 4_000
    assert abs(int(sound[0])) < 50
    assert np.abs(np.diff(sound.astype(int))).max() < 1_200
