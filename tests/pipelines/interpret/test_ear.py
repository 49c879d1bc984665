"""The ear: what is asked of a transcriber, and what becomes of one that refuses or fails."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from vivavoce.agent import Call, Interpreter
from vivavoce.agent.segment import Segment
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.interpret.ear import RATE, Ear
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import HearingListener
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.simulation.senses import LevelVad
from vivavoce.pipelines.simulation.thinking import ScriptedThinking
from vivavoce.pipelines.simulation.voice import ToneVoice
from vivavoce.pipelines.stage import Context

BLOCK = RATE // 50
VOICE = np.tile(np.array([4_000, -4_000], np.int16), BLOCK // 2)
HUSH = np.zeros(BLOCK, np.int16)


class Scribe:
    """A transcriber that tells what the test wants."""

    backlog = 0.0

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes
        self.sent = bytearray()
        self.flushed = 0
        self.closed = 0
        self.listener: HearingListener | None = None

    async def open(self, listener: HearingListener) -> None:
        self.listener = listener

    def send(self, pcm: bytes) -> None:
        self.sent += pcm

    def flush(self) -> int:
        self.flushed += 1
        return self.flushed - 1

    async def close(self) -> None:
        self.closed += 1


class Booth:
    """An ear with a scribe, in a call of its own."""

    def __init__(self, interpreter: Interpreter, language: str = "") -> None:
        self.scribes: list[Scribe] = []
        self.segments: list[Segment] = []
        clock = Clock()
        self.clock = clock

        async def trouble(error: ModelError | None) -> None:
            raise AssertionError(error)

        self.call = Call(interpreter.facade())
        context = Context(self.call, clock, clock.now(), trouble)
        models = Models(
            hearing=self._hearing,
            thinking=ScriptedThinking(lambda messages, _tools: "oui " * 3, lambda: None),
            speaking=ToneVoice(lambda: None),
            vad=LevelVad,
        )
        self.ear = Ear(
            context,
            interpreter,
            models,
            speaker="A",
            language=language or interpreter.source,
            changed=self._changed,
        )

    def _hearing(self, wishes: Wishes) -> Scribe:
        self.scribes.append(Scribe(wishes))
        return self.scribes[-1]

    def _changed(self, segment: Segment) -> None:
        if segment not in self.segments:
            self.segments.append(segment)

    def feed(self, pcm: np.ndarray, blocks: int) -> None:
        for _ in range(blocks):
            self.clock.skip(0.02)
            self.ear.feed(pcm)


async def test_the_transcriber_is_told_the_language_and_the_terms() -> None:
    held = Booth(Interpreter("fr-CA", "en", glossary={"pain au levain": "sourdough"}))
    wishes = held.scribes[0].wishes
    assert wishes.language == "fr"
    assert list(wishes.context_bias) == ["pain au levain"]
    await held.ear.close()


async def test_one_that_takes_no_wishes_is_told_nothing_and_loses_nothing() -> None:
    held = Booth(Interpreter("fr", "en"))
    await held.ear.open()
    held.feed(VOICE, 30)
    first = held.scribes[0]
    held.ear.on_trouble(ModelError("hearing", "refused", "takes none as language"), lost=True)
    held.feed(VOICE, 5)
    await _turn()
    plain = held.scribes[1]
    assert not plain.wishes.special
    assert len(plain.sent) == 35 * BLOCK * 2
    assert first.closed
    assert not held.call.transcript.failures
    # Once it has understood something, a refusal is one.
    held.ear.on_partial(0, "Bonjour")
    held.ear.on_trouble(ModelError("hearing", "refused", "enough"), lost=True)
    assert len(held.scribes) == 2
    assert [failure.stage for failure in held.call.transcript.failures] == ["hearing"]
    await held.ear.close()
    await held.ear.close()


async def test_a_connection_that_is_taken_up_again_is_no_failure() -> None:
    held = Booth(Interpreter("fr", "en"))
    await held.ear.open()
    held.ear.on_partial(0, "Bonjour")
    held.ear.on_trouble(ModelError("hearing", "unreachable", "gone"), lost=False)
    assert not held.call.transcript.failures
    await held.ear.close()


async def test_a_pause_asks_for_the_final_text_and_ends_the_turn() -> None:
    held = Booth(Interpreter("fr", "en", policy="captions"))
    held.ear.lane("en")
    await held.ear.open()
    assert held.ear.quiet
    held.feed(VOICE, 50)
    assert held.ear.speaking
    held.ear.on_partial(0, "Bonjour tout le monde")
    (first,) = held.call.ledger.health.partials
    assert 900 < first < 1_100
    held.feed(HUSH, 15)
    assert held.scribes[0].flushed == 1
    assert held.ear.busy
    held.ear.on_final(0, "Bonjour tout le monde.")
    await _turn()
    held.feed(HUSH, 60)
    assert held.ear.quiet
    assert [segment.text for segment in held.segments] == ["Bonjour tout le monde."]
    segment = held.segments[0]
    # The voice ended a second after it had begun; the words cannot have been said later.
    assert segment.ended <= 1.1
    assert held.call.usage.heard == pytest.approx(2.5)
    await held.ear.close()


async def test_words_that_are_only_an_echo_are_not_translated() -> None:
    held = Booth(Interpreter("fr", "en", policy="captions"))
    held.ear.lane("en")
    held.ear.echoes = lambda text: "sourdough" in text
    await held.ear.open()
    held.ear.on_final(0, "the sourdough is ready.")
    held.ear.on_final(1, "Merci beaucoup.")
    held.feed(HUSH, 60)
    assert [segment.text for segment in held.segments] == ["Merci beaucoup."]
    await held.ear.close()


async def test_nothing_is_heard_behind_its_end() -> None:
    held = Booth(Interpreter("fr", "en"))
    await held.ear.open()
    lane = held.ear.lane("en")
    await held.ear.close()
    held.feed(VOICE, 5)
    held.ear.on_partial(0, "Bonjour")
    held.ear.on_final(0, "Bonjour.")
    held.ear.typed("Bonjour.")
    lane.heard(0, "Bonjour.", final=True)
    assert not held.segments
    assert not held.scribes[0].sent


async def test_only_who_waits_for_turns_asks_the_model_for_their_ends() -> None:
    model = object.__new__(SmartTurn)
    for policy, wanted in (("simultaneous", False), ("consecutive", True)):
        held = Booth(Interpreter("fr", "en", policy=policy))  # type: ignore[arg-type]
        models = Models(
            hearing=held._hearing,
            thinking=ScriptedThinking([], lambda: None),
            speaking=ToneVoice(lambda: None),
            vad=LevelVad,
            smart_turn=model,
        )
        ear = Ear(
            held.ear._context,
            Interpreter("fr", "en", policy=policy),  # type: ignore[arg-type]
            models,
            speaker="A",
            language="fr",
            changed=held._changed,
        )
        assert (ear._smart_turn is model) is wanted
        await ear.close()
        await held.ear.close()


async def _turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
