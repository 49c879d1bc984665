"""Clauses become sound: how many at once, what a failure leaves, what is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest

from vivavoce.agent import Agent, Call
from vivavoce.agent.options import Speech as SpeechOptions
from vivavoce.agent.transcript import Reply
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.speech import Speech
from vivavoce.pipelines.stage import Context
from vivavoce.pipelines.synthesis import Synthesis
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.playout import Clause


class Voice:
    """A speech model that speaks when it is let, and fails at what it is told to."""

    rate = 1_000

    def __init__(self, fails: str = "") -> None:
        self.fails, self.at_once, self.most = fails, 0, 0
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.may_speak = asyncio.Event()

    async def stream(self, text: str, *, voice: Any, language: str) -> AsyncGenerator[Samples]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            yield np.full(10, 9_000, np.int16)
            self.begun.put_nowait(text)
            await self.may_speak.wait()
            if text == self.fails:
                raise ModelError("speaking", "broken", "it broke")
            yield np.full(90, 9_000, np.int16)
        finally:
            self.at_once -= 1


class Bench:
    """A synthesis of two clauses at once, and what it was told of failures."""

    def __init__(self, voice: Voice) -> None:
        self.troubles: list[ModelError | None] = []
        agent = Agent(speech=SpeechOptions(ahead=2))
        context = Context(Call(agent), Clock(), 0.0, self._trouble)
        self.call, self.tasks = context.call, Tasks()
        self.synthesis = Synthesis(context, voice, self.tasks)

    async def _trouble(self, error: ModelError | None) -> None:
        self.troubles.append(error)

    def say(self, text: str, guess: int | None = None) -> tuple[Speech, list[Clause]]:
        speech = Speech(Reply(), guess=guess)
        pieces = [*speech.write(text, (), 1.0), *speech.clauses.finish()]
        clauses = [speech.place(piece, 1.0) for piece in pieces]
        for clause in clauses:
            self.synthesis.begin(speech, clause)
        return speech, clauses

    async def settles(self) -> None:
        async with asyncio.timeout(10):
            await asyncio.wait(set(self.synthesis._jobs.values()))
            await asyncio.sleep(0)  # for what is called when they are done
        assert not self.synthesis.busy


async def test_clauses_are_made_side_by_side_and_no_more_than_allowed():
    bench = Bench(voice := Voice())
    speech, clauses = bench.say("One. Two. Three. Four.")
    assert [await voice.begun.get(), await voice.begun.get()] == ["One.", "Two."]
    assert bench.synthesis.busy
    assert not clauses[2].received
    voice.may_speak.set()
    await bench.settles()
    assert voice.most == 2
    assert [(each.received, each.complete) for each in clauses] == [(100, True)] * 4
    assert [span.stage for span in speech.causes[clauses[0]]] == ["clause", "speech"]
    assert bench.call.usage.characters == len("One.Two.Three.Four.")


async def test_a_picture_is_not_sent_to_be_spoken():
    bench = Bench(voice := Voice())
    speech = Speech(Reply(generated="😀"))
    clause = speech.place("😀", 1.0)
    bench.synthesis.begin(speech, clause)
    await bench.settles()
    assert clause.complete
    assert not voice.most


@pytest.mark.parametrize("guess", [None, 7])
async def test_behind_a_failure_a_reply_says_no_more(guess: int | None):
    bench = Bench(voice := Voice(fails="Two."))
    speech, clauses = bench.say("One. Two. Three. Four.", guess)
    voice.may_speak.set()
    await bench.settles()
    assert speech.ended
    assert clauses[1].broken
    assert all(each.complete for each in clauses)
    assert not clauses[3].received
    # Of a guess nobody is told before it comes true.
    told = [speech.failed] if guess else bench.troubles
    assert [error.kind for error in told if error] == ["broken"]
    assert not (bench.troubles if guess else speech.failed)


async def test_what_is_stopped_is_let_go_and_others_go_on():
    bench = Bench(voice := Voice())
    cut, (gone,) = bench.say("One.")
    _, (kept,) = bench.say("Two.")
    assert [await voice.begun.get(), await voice.begun.get()] == ["One.", "Two."]
    bench.synthesis.stop(cut)
    voice.may_speak.set()
    await bench.settles()
    assert (gone.received, gone.complete) == (10, True)
    assert kept.received == 100
    await bench.tasks.close()


async def test_what_is_stopped_before_it_began_is_over():
    bench = Bench(voice := Voice())
    speech, (clause,) = bench.say("One.")
    bench.synthesis.stop(speech)
    await bench.settles()
    assert clause.complete
    assert not voice.most


async def test_a_slow_synthesiser_is_given_more_words_at_first():
    bench = Bench(Voice())
    assert bench.synthesis.first_words == 1
    bench.synthesis._first_audio = 0.3
    assert bench.synthesis.first_words == 3
