"""A spoken passage, and what a transcription made of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.hearing import MistralHearing
from vivavoce.pipelines.models.http import Endpoint, Http, Timeouts
from vivavoce.pipelines.models.interfaces import Hearing
from vivavoce.pipelines.models.speech import SpeechModel
from vivavoce.pipelines.models.vllm_hearing import VllmHearing
from vivavoce.pipelines.turns.endpointing import TurnEvent

RATE = 16_000
FRAME = RATE // 50
FLUSH_AFTER = 0.3
"""Seconds of silence behind an utterance after which a final text is asked for."""
PATIENCE = 150.0
"""Seconds that the last final text may take."""
TEXTS = (
    "I would like a table for four people this evening.",
    "Can we sit outside, please?",
    "My name is Oliver, and my number is two three five.",
    "Thank you very much, see you later.",
)
DIALECTS = {
    "mistral": (MistralHearing, "voxtral-mini-transcribe-realtime-2602", ""),
    "vllm": (VllmHearing, "mistralai/Voxtral-Mini-4B-Realtime-2602", "/vllm"),
}
"""Client, model, and where it is below the sandbox's URL."""

Samples = NDArray[np.int16]


@dataclass
class Passage:
    """Utterances with pauses: the audio, and where a final text is asked for (sample)."""

    audio: Samples
    flushes: tuple[int, ...]

    @classmethod
    def of(cls, utterances: Sequence[Samples], pause: float) -> Passage:
        """Join utterances (int16 at 16 kHz) with seconds of silence before and behind each."""
        silence = np.zeros(round(pause * RATE), np.int16)
        parts, flushes = [silence], []
        at = len(silence)
        for each in utterances:
            flushes.append(at + len(each) + round(FLUSH_AFTER * RATE))
            at += len(each) + len(silence)
            parts += [each, silence]
        return cls(np.concatenate(parts), tuple(flushes))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.audio) / RATE


async def spoken(http: Http, where: Endpoint, texts: Sequence[str] = TEXTS) -> list[Samples]:
    """Have texts spoken by a speech model."""
    model = SpeechModel(http, where)
    found = []
    for text in texts:
        chunks = [chunk async for chunk in model.stream(text, voice=None, language="en")]
        found.append(resample(np.concatenate(chunks), model.rate, RATE))
    return found


def recorded(folder: Path) -> list[Samples]:
    """Read the WAV files of a folder, each an utterance, in the order of their names."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        with WavReader(path) as reader:
            found.append(resample(reader.read(), reader.rate, RATE))
    return found


@dataclass
class Listener:
    """Keeps what it is told."""

    finals: list[tuple[int, str]] = field(default_factory=list)
    troubles: list[ModelError] = field(default_factory=list)
    partials: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def on_partial(self, segment: int, text: str) -> None:  # noqa: ARG002 - counted only
        """Count it."""
        self.partials += 1

    def on_final(self, segment: int, text: str) -> None:
        """Keep it."""
        self.finals.append((segment, text))
        self.told.set()

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        """Nobody asked."""

    def on_trouble(self, error: ModelError, *, lost: bool) -> None:  # noqa: ARG002 - kept
        """Keep it."""
        self.troubles.append(error)

    async def until(self, count: int, seconds: float) -> None:
        """Wait for so many final texts.

        Raises:
            TimeoutError: If they do not come.
        """
        async with asyncio.timeout(seconds):
            while len(self.finals) < count:
                self.told.clear()
                await self.told.wait()


@asynccontextmanager
async def heard(
    dialect: str, url: str, key: str, timeouts: Timeouts
) -> AsyncIterator[tuple[Hearing, Listener]]:
    """Open a transcription in a dialect, at the sandbox or at a relay before it."""
    client, model, _ = DIALECTS[dialect]
    hearing, listener = client(Endpoint(url, key, model), timeouts), Listener()
    await hearing.open(listener)
    try:
        yield hearing, listener
    finally:
        await hearing.close()


async def play(passage: Passage, hearing: Hearing, listener: Listener, pace: float) -> None:
    """Send a passage in frames of 20 ms, `pace` times as fast as it was spoken; wait for its texts.

    Raises:
        TimeoutError: If a final text does not come.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    flushes = iter((*passage.flushes, len(passage.audio) + FRAME))
    flush = next(flushes)
    for number, at in enumerate(range(0, len(passage.audio), FRAME), 1):
        hearing.send(passage.audio[at : at + FRAME].tobytes())
        if at + FRAME > flush:
            hearing.flush()
            flush = next(flushes)
        ahead = began + number * FRAME / RATE / pace - loop.time()
        if ahead > 0.004:
            await asyncio.sleep(ahead)
    await listener.until(len(passage.flushes), PATIENCE)


def differences(expected: Sequence[tuple[int, str]], found: Sequence[tuple[int, str]]) -> list[str]:
    """Tell what differs, utterance by utterance; nothing when both are the same."""
    return [
        f"{one!r} became {other!r}"
        for one, other in itertools.zip_longest(expected, found)
        if one != other
    ]
