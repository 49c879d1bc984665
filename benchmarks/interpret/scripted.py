"""Models with fixed latencies for simulated time, whose every word can be followed to the ear.

The speaker's words are known and mostly said once; the translation of a word is another word; its
speech is a tone of its own pitch. So what a listener heard can be read off the samples that they
were given, and be held against what was said.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.interpret.talk import BREATH, FILE, read
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.interpret.tracing import Sounded
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import (
    Finished,
    HearingListener,
    TextDelta,
    Thought,
    Usage,
)
from vivavoce.pipelines.turns.heard import weight

Samples = NDArray[np.int16]

RATE = 16_000
"""Of the speaker's audio (Hz)."""
VOICE_RATE = 24_000
"""Of the translation's (Hz)."""
LETTER = 0.062
"""Seconds of a letter of a translation."""
WORD = 0.12
"""Seconds of a word of it at least, so that its pitch can be told at any speed."""
PACE = 0.054
"""Seconds per unit of `weight` that the speaker takes: about 175 words a minute."""
TONES = 48
LOWEST, STEP = 500, 100
"""Hz: of the lowest tone, and from one to the next."""
AMPLITUDE = 6_000

_FRENCH = dict(
    pair.split("=")
    for pair in (
        "the=le a=un an=un and=et or=ou of=de in=dans to=à that=que we=nous they=ils i=je he=il"
        " it=il was=était is=est were=étaient are=sont for=pour with=avec on=sur not=pas you=vous"
        " if=si"
        " but=mais because=car when=quand who=qui which=lequel had=avait have=avons one=une this=ce"
        " my=mon their=leur them=eux at=à by=par from=de so=donc very=très after=après"
    ).split()
)
_SPARED = {"très", "donc", "le", "une"}
"""What is left out where brevity is asked for."""


def pseudo(number: int) -> str:
    """Return a word that means nothing and no other number has: three or four syllables."""
    syllables = ""
    number += 400
    while number:
        number, digit = divmod(number, 70)
        syllables += "bdfgklmnprstvz"[digit // 5] + "aeiou"[digit % 5]
    return syllables + "n"


@dataclass
class Speech:
    """What somebody says in a session, without samples: they are as loud all along.

    Attributes:
        words: On the clock of the audio (s).
        stretches: Begin and end of each stretch of sound, likewise.
        seconds: How long it is altogether, with the silence behind it.
    """

    words: list[Sounded] = field(default_factory=list)
    stretches: list[tuple[float, float]] = field(default_factory=list)
    seconds: float = 0.0

    def say(self, text: str, at: float) -> float:
        """Say a text without a pause; return when it is over (s)."""
        end = at
        for word in text.split():
            begin, end = end, end + max(0.08, weight(word) * PACE)
            self.words.append(Sounded(word, begin, end))
        self.stretches.append((at, end))
        self.seconds = max(self.seconds, end)
        return end


def speech(
    seconds: float, *, seed: int, first: int = 0, free: bool = True, once: bool = True
) -> Speech:
    """Make somebody who talks as the talk does.

    Args:
        seconds: For how long.
        seed: Of the dice: where there are long silences.
        first: The number of the first such word.
        free: Whether there are silences of up to 20 s, some pauses of a quarter of a second, and
            a pause at some commas; else as the talk is.
        once: Whether longer words are replaced by ones that mean nothing and come once; what holds
            sentences together stays.
    """
    dice = random.Random(seed)
    made = Speech()
    lines = read(FILE.read_text(encoding="utf-8"))
    count, at, index = first, 0.6, 0
    while at < seconds:
        line, flowing, pause = lines[index % len(lines)]
        index += 1
        words = []
        for word in line.split():
            bare = "".join(char for char in word if char.isalpha())
            if once and len(bare) >= 5:
                count += 1
                words.append(word.replace(bare, pseudo(count)) if bare in word else pseudo(count))
            else:
                words.append(word)
        part: list[str] = []
        for word in words:
            part.append(word)
            if word.endswith((",", ";", ":")) and not flowing and dice.random() < 0.6:
                at = made.say(" ".join(part), at) + dice.uniform(0.15, 0.35)
                part = []
        if part:
            at = made.say(" ".join(part), at)
        at += pause
        if free and not flowing:
            chance = dice.random()
            if chance < 0.04:
                at += dice.uniform(5, 20)
            elif chance < 0.3:
                at -= BREATH / 2
    made.seconds = at
    return made


def dialogue(seconds: float, *, seed: int) -> dict[str, Speech]:
    """Make two who talk with each other: "en" and "fr", turn by turn, each of one to five lines.

    A turn begins up to three seconds behind the one before it, or cuts in on its last words;
    either way the translation of that one is still being spoken.
    """
    dice = random.Random(seed)
    long = {"en": speech(seconds, seed=seed, free=False)}
    long["fr"] = speech(seconds, seed=seed, first=100_000, free=False)
    made = {"en": Speech(), "fr": Speech()}
    texts = {language: _lines(one) for language, one in long.items()}
    index = dict.fromkeys(made, 0)
    at, who = 0.6, "en"
    while at < seconds:
        for _ in range(dice.randint(1, 5)):
            line = texts[who][index[who] % len(texts[who])]
            index[who] += 1
            at = made[who].say(line if who == "en" else translated(line), at) + 0.4
        who = "fr" if who == "en" else "en"
        # Never before one's own last word.
        at = max(at + dice.uniform(-4.0, 3.0), made[who].seconds + 0.4)
    for one in made.values():
        one.seconds = at
    return made


def _lines(said: Speech) -> list[str]:
    """Return what was said, stretch by stretch."""
    words = iter(said.words)
    lines: list[list[str]] = [[] for _ in said.stretches]
    for line, (_, end) in zip(lines, said.stretches, strict=True):
        ended = 0.0
        while ended < end - 1e-6:
            word = next(words)
            line.append(word.text)
            ended = word.ended
    return [" ".join(line) for line in lines]


class ScriptedHearing:
    """Understands a speaker's words, each `delay` seconds behind its end. Implements `Hearing`.

    About one word in seven is understood wrongly at first. While the connection is lost nothing
    is told; then everything is, at once.

    Args:
        said: What is said.
        delay: Behind a word's end (s of audio).
        final: From a flush to its final text (s).
        seed: Of what is misunderstood.
        outages: Begin and length of each loss of the connection (s of audio).
    """

    def __init__(
        self,
        said: Speech,
        *,
        delay: float = 0.24,
        final: float = 0.06,
        seed: int = 1,
        outages: Iterable[tuple[float, float]] = (),
    ) -> None:
        self._words = said.words
        self._delay, self._final = delay, final
        dice = random.Random(seed)
        self._wrong = [dice.random() < 0.15 for _ in self._words]
        self._outages = list(outages)
        self._listener: HearingListener | None = None
        self._position = 0
        self._begun = 0  # the first word of the segment
        self._shown = 0  # words that were understood
        self._told = ""
        self._segment = 0
        self._timers: set[asyncio.TimerHandle] = set()
        self._owed: list[tuple[int, str]] = []
        self.reconnects = 0
        self._was_out = False

    async def open(self, listener: HearingListener) -> None:
        """Begin."""
        self._listener = listener

    @property
    def _now(self) -> float:
        return self._position / RATE

    @property
    def _out(self) -> bool:
        return any(at <= self._now < at + length for at, length in self._outages)

    @property
    def backlog(self) -> float:
        """Seconds of audio that were taken and not sent yet."""
        return next((self._now - at for at, n in self._outages if at <= self._now < at + n), 0.0)

    def send(self, pcm: bytes) -> None:
        """Take int16 mono audio at 16 kHz."""
        self._position += len(pcm) // 2
        listener = self._listener
        if listener is None:
            return
        if self._out:
            if not self._was_out:
                self.reconnects += 1
                listener.on_trouble(
                    ModelError("hearing", "unreachable", "the connection was lost"), lost=False
                )
            self._was_out = True
            return
        self._was_out = False
        for number, text in self._owed:
            self._later(number, text)
        self._owed = []
        while (
            self._shown < len(self._words)
            and self._words[self._shown].ended + self._delay <= self._now
        ):
            self._shown += 1
        if self._shown <= self._begun:
            return
        if self._timers:
            return  # as on a socket: nothing of the next segment before the final of this one
        words = [word.text for word in self._words[self._begun : self._shown]]
        fresh = self._now - self._words[self._shown - 1].ended - self._delay < 0.25
        if self._wrong[self._shown - 1] and fresh:
            words[-1] = words[-1][: max(2, len(words[-1]) // 2)]
        text = " ".join(words)
        if text != self._told:
            self._told = text
            listener.on_partial(self._segment, text)

    def flush(self) -> int:
        """Ask for the final text of what was sent since the last flush; return its number."""
        number = self._segment
        end = self._begun
        while end < len(self._words) and self._words[end].ended <= self._now:
            end += 1
        text = " ".join(word.text for word in self._words[self._begun : end])
        self._segment += 1
        self._begun = end
        self._shown = max(self._shown, end)
        self._told = ""
        if self._out:
            self._owed.append((number, text))
        else:
            self._later(number, text)
        return number

    def _later(self, number: int, text: str) -> None:
        def tell() -> None:
            self._timers.discard(timer)
            if self._listener is not None:
                self._listener.on_final(number, text)

        timer = asyncio.get_running_loop().call_later(self._final, tell)
        self._timers.add(timer)

    async def close(self) -> None:
        """End it; idempotent."""
        self._listener = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()


def translated(text: str, *, brief: bool = False) -> str:
    """Return the right translation of a text: word by word, a little longer than it is."""
    words = []
    for word in text.split():
        bare = word.strip(",;:.!?")
        mark = word[len(bare) :] if word.startswith(bare) else ""
        french = _FRENCH.get(bare.lower(), bare if bare.isdigit() else f"{bare}é")
        if brief and french in _SPARED and not mark:
            continue
        words.append((french.capitalize() if bare[:1].isupper() else french) + mark)
    return " ".join(words) or "oui"


@dataclass
class WordThinking:
    """Translates word by word, with fixed latencies. Implements `Thinking`.

    Attributes:
        first: To the first token (s).
        tokens: A second, behind it; a word has 1.4.
        faults: How often a request fails, of 1; and as often one takes 3 s.
        asked: What was asked for, in order.
    """

    first: float = 0.2
    tokens: float = 60.0
    faults: float = 0.0
    seed: int = 3
    asked: list[str] = field(default_factory=list)
    failed: int = 0
    brief: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Translate the last message."""
        del tools
        text = str(messages[-1]["content"])
        brief = "\nBe brief:" in str(messages[0]["content"])
        self.brief += brief
        self.asked.append(text)
        chance = self._dice.random()
        if chance < self.faults:
            self.failed += 1
            await asyncio.sleep(self.first)
            raise ModelError("thinking", "unreachable", "the server is overloaded")
        await asyncio.sleep(3.0 if chance < 2 * self.faults else self.first)
        words = translated(text, brief=brief).split()
        for index, word in enumerate(words):
            yield TextDelta(word if index == 0 else f" {word}")
            await asyncio.sleep(1.4 / self.tokens)
        yield Finished("stop", Usage(40, round(1.4 * len(words))))


@dataclass
class ToneSpeaking:
    """Speaks each word as a tone, with fixed latencies. Implements `Speaking`.

    Attributes:
        first: To the first audio (s).
        factor: Seconds that a second of audio takes.
        faults: How often a request fails before it gives anything, of 1.
    """

    first: float = 0.09
    factor: float = 0.25
    faults: float = 0.0
    seed: int = 4
    failed: int = 0
    rate: int = VOICE_RATE

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text."""
        del voice, language
        await asyncio.sleep(self.first)
        if self._dice.random() < self.faults:
            self.failed += 1
            raise ModelError("speaking", "unreachable", "the server is overloaded")
        for word in text.split():
            samples = tone(word)
            yield samples
            await asyncio.sleep(self.factor * len(samples) / self.rate)


def pitch(word: str) -> int:
    """Return the number of a word's tone."""
    bare = "".join(char for char in word.casefold() if char.isalnum())
    return zlib.crc32(bare.encode()) % TONES


def tone(word: str) -> Samples:
    """Return a word's sound (int16, `VOICE_RATE`)."""
    count = round(max(WORD, LETTER * (len(word) + 1)) * VOICE_RATE)
    phase = 2 * np.pi * (LOWEST + STEP * pitch(word)) * np.arange(count) / VOICE_RATE
    edge = VOICE_RATE // 200
    ramp = np.minimum(1.0, np.minimum(np.arange(count) + 1, np.arange(count)[::-1] + 1) / edge)
    samples: Samples = np.round(AMPLITUDE * ramp * np.sin(phase)).astype(np.int16)
    return samples


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone that was heard: its number, and when it began and ended (s)."""

    number: int
    started: float
    ended: float


FRAME = VOICE_RATE // 50


def listen(samples: Samples, began: float = 0.0) -> list[Tone]:
    """Return the tones of what a listener was given, in order (int16, `VOICE_RATE`).

    A tone counts from 60 ms on: what is shorter is the seam between two.
    """
    whole = len(samples) // FRAME * FRAME
    frames = samples[:whole].reshape(-1, FRAME)
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=1))
    bins = np.arange(TONES) * (STEP * FRAME // VOICE_RATE) + LOWEST * FRAME // VOICE_RATE
    power = spectrum[:, bins]
    best = power.argmax(axis=1)
    loud = power.max(axis=1) > AMPLITUDE * FRAME / 16
    tones: list[Tone] = []
    start = 0
    labels = np.where(loud, best, -1)
    edges = np.flatnonzero(np.diff(labels)) + 1
    for end in [*edges.tolist(), len(labels)]:
        if end > start and labels[start] >= 0 and end - start >= 3:
            at = began + start * FRAME / VOICE_RATE
            until = began + end * FRAME / VOICE_RATE
            if tones and tones[-1].number == labels[start] and at - tones[-1].ended < 0.05:
                tones[-1] = Tone(tones[-1].number, tones[-1].started, until)
            else:
                tones.append(Tone(int(labels[start]), at, until))
        start = end
    return tones


def collapsed(numbers: Iterable[int]) -> list[int]:
    """Return a row of tones without repetitions next to one another."""
    row: list[int] = []
    for number in numbers:
        if not row or row[-1] != number:
            row.append(number)
    return row
