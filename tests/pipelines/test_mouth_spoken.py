"""The mouth says figures in words, and the transcript keeps them as they were written."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vivavoce.agent import Agent, Speaker
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.models.interfaces import Finished, Samples, TextDelta, Thought
from vivavoce.pipelines.speech import Speech
from vivavoce.pipelines.text import RATE, TICK, TextTransport, text_models
from vivavoce.pipelines.turns.playout import Clause

REPLY = "That is $42.50 for **4**. 😀 --- See you on May 5 at 7:30 pm!"


class Tells:
    """A chat model that tells one reply."""

    async def stream(self, messages: Any, tools: Any) -> AsyncGenerator[Thought]:
        for piece in REPLY.split(" "):
            yield TextDelta(piece + " ")
        yield Finished("stop")


class Notes:
    """A speech model that notes what it is asked to say."""

    rate = RATE

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    async def stream(self, text: str, *, voice: Any, language: str) -> AsyncGenerator[Samples]:
        self.asked.append((text, voice))
        yield np.full(TICK, 1_000, np.int16)


@pytest.mark.parametrize("voice", [None, Speaker("voice_478", emotion="calm")])
async def test_figures_are_said_in_words_and_kept_as_written(voice: Speaker | None) -> None:
    notes = Notes()
    transport = TextTransport()
    models = replace(text_models(Tells()), speaking=notes)
    conversation = Conversation(Agent("Be brief.", voice=voice), models, transport)
    transport.follow(conversation.call)
    running = asyncio.create_task(conversation.run())
    try:
        async with asyncio.timeout(30):
            await transport.say("What is it?")
    finally:
        await conversation.hang_up("the test is over", after_speech=False)
        await asyncio.wait_for(running, 20)
    # The apology is made ready when a call begins, and is not said.
    asked = [text for text, _ in notes.asked if not text.startswith("Sorry")]
    said = " ".join(asked)
    assert said == (
        "That is forty-two dollars and fifty cents for four."
        " See you on May fifth at seven thirty p.m.!"
    )
    assert {given for _, given in notes.asked} == {voice}
    (reply,) = conversation.call.transcript.replies
    assert reply.generated.split() == REPLY.split()
    assert reply.heard.split() == REPLY.split()
    assert not reply.interrupted
    # What is paid for is what was sent.
    assert conversation.call.usage.characters == sum(map(len, asked))


async def test_the_audio_of_what_was_said_does_not_wait_for_the_garbage_collector() -> None:
    transport = TextTransport()
    models = replace(text_models(Tells()), speaking=Notes())
    conversation = Conversation(Agent("Be brief."), models, transport)
    transport.follow(conversation.call)
    gc.collect()
    gc.disable()
    running = asyncio.create_task(conversation.run())
    try:
        async with asyncio.timeout(30):
            for _ in range(3):
                await transport.say("What is it?")
        *replies, _last = conversation.call.transcript.replies
        assert len(replies) == 2
        left = [
            each
            for each in gc.get_objects()
            if (isinstance(each, Clause) and each.owner in replies)
            or (isinstance(each, Speech) and each.reply in replies)
        ]
        assert not left
    finally:
        gc.enable()
        await conversation.hang_up("the test is over", after_speech=False)
        await asyncio.wait_for(running, 20)
