"""A trial: a session on the virtual clock, in which everything goes wrong that can.

A speaker talks for as long as is asked: sentences, pauses, silences of half a minute, monologues
of half a minute without a breath, coughs, and always over the translation. The transcriber takes
words back, ends segments of itself, loses its connection and tells a segment anew; the chat model
and the synthesiser fail, stall and break off. Each word that is said is another one, so that it
can be told where every one of them has gone.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.options import Limits
from vivavoce.agent.segment import Segment
from vivavoce.agent.testing.interpreted import model_of
from vivavoce.agent.testing.steps import StepLike, fail, say, wait
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.simulation.engine import hush
from vivavoce.pipelines.simulation.interpreted import InterpretedEngine
from vivavoce.pipelines.simulation.senses import UNDERSTAND, TrackHearing
from vivavoce.pipelines.simulation.track import RATE, Track
from vivavoce.pipelines.simulation.voice import ToneVoice

_ONSETS, _VOWELS = "bdfgklmnprstv", "aeiou"


def word(number: int) -> str:
    """Return the word of a number: another one for each, and none that means anything."""
    syllables = []
    for _ in range(3):
        number, rest = divmod(number, len(_ONSETS) * len(_VOWELS))
        syllables.append(_ONSETS[rest // len(_VOWELS)] + _VOWELS[rest % len(_VOWELS)])
    return "".join(reversed(syllables))


@dataclass(frozen=True, slots=True)
class Faults:
    """How often something goes wrong (0 to 1).

    Attributes:
        revise: A partial text ends with words that were not said.
        split: The transcriber ends a segment of itself, by the second.
        reconnect: It loses its connection, by the second.
        think: A request to the chat model fails or stalls.
        speak: A request to the synthesiser fails, stalls or breaks off.
    """

    revise: float = 0.3
    split: float = 0.02
    reconnect: float = 0.01
    think: float = 0.06
    speak: float = 0.06


class ShakyHearing(TrackHearing):
    """A transcription that errs, and is right in the end. Implements `Hearing`."""

    def __init__(self, track: Track, chance: random.Random, faults: Faults) -> None:
        super().__init__(track)
        self._chance, self._faults = chance, faults
        self._away = 0
        self._second = 0
        self.reconnects = self.splits = 0

    def send(self, pcm: bytes) -> None:
        """Take audio, and tell what may not be true."""
        if (self._position + len(pcm) // 2) // RATE > self._second and self._listener:
            self._second = self._position // RATE + 1
            if self._chance.random() < self._faults.reconnect:
                self.reconnects += 1
                self._away = self._position + round(self._chance.uniform(0.2, 2.5) * RATE)
                error = ModelError("hearing", "unreachable", "the connection was lost")
                self._listener.on_trouble(error, lost=False)
            elif self._told and self._chance.random() < self._faults.split:
                self._split()
        if self._position < self._away:
            # What is sent meanwhile is kept, and understood later.
            self._position += len(pcm) // 2
            self._told = ""
            return
        super().send(pcm)

    def _split(self) -> None:
        """End a segment where its last word is understood."""
        end = self._position - round(UNDERSTAND * RATE)
        text = " ".join(self._track.said(self._begun, end))
        if text and self._listener is not None:
            self.splits += 1
            self._segment += 1
            self._begun, self._told = end, ""
            self._listener.on_final(self._segment - 1, text)

    def tell(self, segment: int, text: str) -> None:
        """Tell a partial text, or what was mistaken for it."""
        assert self._listener is not None
        if self._chance.random() < self._faults.revise:
            words = text.split()
            for at in range(max(0, len(words) - self._chance.randint(1, 2)), len(words)):
                word = words[at]
                words[at] = self._chance.choice(
                    [word.title(), f"{word},", f"{word}x", f"{word} ha"]
                )
            if self._chance.random() < 0.3:
                words = words[: max(1, len(words) - self._chance.randint(1, 3))]
            text = " ".join(words)
        self._listener.on_partial(segment, text)


class ShakyVoice(ToneVoice):
    """A synthesiser that fails, stalls and breaks off. Implements `Speaking`.

    Attributes:
        said: What it has spoken, to the end or not.
    """

    def __init__(self, spoken: Callable[[], None], chance: random.Random, faults: Faults) -> None:
        super().__init__(spoken)
        self._chance, self._faults = chance, faults
        self.said: list[str] = []

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text, in pieces of a fifth of a second."""
        wrong = self._chance.random() < self._faults.speak
        kind = self._chance.choice(["fail", "stall", "break"]) if wrong else ""
        if kind == "fail":
            raise ModelError("speaking", "broken", "the trial says so")
        if kind == "stall":
            await asyncio.sleep(60)
        async for samples in super().stream(text, voice=voice, language=language):
            self.said.append(text)
            for start in range(0, len(samples), self.rate // 5):
                if kind == "break" and start:
                    raise ModelError("speaking", "broken", "the trial says so")
                yield samples[start : start + self.rate // 5]
                await asyncio.sleep(0.02)


@dataclass(slots=True)
class Outcome:
    """What became of a trial.

    Attributes:
        words: What was said, in order.
        segments: What became of it.
        spoken: What the synthesiser was given and answered.
        seconds: How long the session took.
        reconnects: How often the transcriber lost its connection.
        splits: How often it ended a segment of itself.
        played: Seconds of speech that were sent.
    """

    words: list[str]
    segments: list[Segment]
    spoken: list[str]
    seconds: float
    reconnects: int
    splits: int
    played: float

    @property
    def understood(self) -> list[str]:
        """The words of all segments in order, without marks and case.

        What was cut off before it was known better counts as the word that it was taken for:
        "bababax", or "ha" in the place of one word or of none.
        """
        told = [_bare(word) for each in self.segments for word in each.text.split()]
        found: list[str] = []
        for at, word in enumerate(told):
            if word != "ha":
                found.append(word)
                continue
            behind = next((later for later in told[at + 1 :] if later != "ha"), "")
            place = len(found)
            if place < len(self.words) and self.words[place] != behind:
                found.append(self.words[place])
        return found


def _bare(word: str) -> str:
    return word.strip(".,").removesuffix("x").strip(".,").lower()


async def trial(minutes: float, *, seed: int = 7, faults: Faults | None = None) -> Outcome:
    """Hold a session.

    Args:
        minutes: How long the speaker speaks, of the session's time.
        seed: Of all chances.
        faults: How often something goes wrong.
    """
    hush()
    faults = faults or Faults()
    chance = random.Random(seed)
    hearing: list[ShakyHearing] = []
    voice: list[ShakyVoice] = []

    def translate(text: str) -> StepLike:
        if chance.random() < faults.think:
            return chance.choice([fail("broken"), wait(60) + say("late"), wait(1.5) + say("?")])
        return " ".join(f"{word}eau" for word in text.split())

    def hears(track: Track) -> ShakyHearing:
        hearing.append(ShakyHearing(track, chance, faults))
        return hearing[-1]

    interpreter = Interpreter("en", "fr", limits=Limits(call=86_400))
    engine = InterpretedEngine(interpreter, model_of(translate), hearing=hears)
    voice.append(ShakyVoice(engine.line.wake, chance, faults))
    engine.models.speaking = voice[0]
    said: list[str] = []
    await engine.start()
    try:
        while engine.session.now() < minutes * 60:
            await engine.speak(_next(chance, said))
            if chance.random() < 0.15:
                await engine.sound(chance.uniform(0.1, 0.6))
            silence = 30.0 if chance.random() < 0.2 else 0.0
            await engine.passes(chance.choice([0.1, 0.3, 0.6, 1.0, 2.5, silence]))
        await engine.settle(60)
    finally:
        await engine.stop()
    call = engine.call
    return Outcome(
        said,
        call.transcript.segments,
        voice[0].said,
        call.now,
        hearing[0].reconnects,
        hearing[0].splits,
        call.usage.said,
    )


def _next(chance: random.Random, said: list[str]) -> str:
    """Return what is said next, and enter its words: a sentence or two, or a monologue."""
    monologue = chance.random() < 0.08
    text = []
    for _ in range(12 if monologue else chance.randint(1, 2)):
        words = [word(len(said) + at) for at in range(chance.randint(1, 12))]
        said += words
        if len(words) > 6 and not monologue:
            words[3] += ","
        text.append(" ".join(words) + ("" if monologue else "."))
    return " ".join(text)
