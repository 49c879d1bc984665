"""A whole recording, heard in a stream: its stretches of speech, with times and speakers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vivavoce.sandbox.diarize import Speakers
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.pcm import HEARING_RATE, Samples
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.segment import PREROLL, WINDOW, Segment, Segmenter

_DECODE_S = 60.0


@dataclass(frozen=True)
class Stretch:
    """A stretch of speech, at most about 15 s.

    Attributes:
        text: What was said.
        start: Seconds since the recording's beginning.
        end: Likewise.
        speaker: Its label, where speakers are told apart.
        ends: Where its words end (s), for scripts that say so.
    """

    text: str
    start: float
    end: float
    speaker: str | None = None
    ends: tuple[float, ...] = ()

    @property
    def words(self) -> list[tuple[str, float, float]]:
        """Its words with start and end: an estimate by their letters, unless a script tells."""
        words = self.text.split()
        ends = self.ends
        if len(ends) != len(words):
            sizes = np.cumsum([len(word) + 1 for word in words])
            span = self.end - self.start
            ends = tuple(self.start + span * float(size) / float(sizes[-1]) for size in sizes)
        starts = (self.start, *ends[:-1])
        return [
            (word, round(start, 2), round(end, 2))
            for word, start, end in zip(words, starts, ends, strict=True)
        ]


@dataclass
class Listened:
    """How much was heard until now (s)."""

    seconds: float = 0.0
    texts: list[str] = field(default_factory=list)


async def stretches(
    source: Iterator[Samples],
    hearing: Hearing,
    listened: Listened | None = None,
    speakers: Speakers | None = None,
) -> AsyncIterator[Stretch]:
    """Hear a recording.

    Args:
        source: Blocks of 16 kHz samples; read in a thread, as they are needed.
        hearing: The recogniser.
        listened: Kept up to date.
        speakers: Tells speakers apart, if given.

    Raises:
        AudioError: What the source raises.
    """
    segmenter, probability = Segmenter(), hearing.probability()
    rest = np.zeros(0, np.float32)

    def look(last: bool) -> list[Segment] | None:
        nonlocal rest
        block = next(source, None)
        if block is None and not last:
            return None
        if block is not None:
            if listened is not None:
                listened.seconds += len(block) / HEARING_RATE
            rest = np.concatenate((rest, block))
        else:
            rest = np.concatenate((rest, np.zeros(-len(rest) % WINDOW, np.float32)))
        whole = len(rest) - len(rest) % WINDOW
        windows, rest = rest[:whole].reshape(-1, WINDOW), rest[whole:]
        return [s for w in windows if (s := segmenter.push(w, probability(w))) is not None]

    while (found := await _in(hearing.vad_threads, look, False)) is not None:
        for segment in found:
            yield await _decoded(segment, hearing, speakers)
    for segment in await _in(hearing.vad_threads, look, True):
        yield await _decoded(segment, hearing, speakers)
    if last := segmenter.close():
        yield await _decoded(last, hearing, speakers)


async def _in(threads: Executor, call: Any, *given: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(threads, call, *given)


async def _decoded(segment: Segment, hearing: Hearing, speakers: Speakers | None) -> Stretch:
    job = hearing.decode(segment.samples, urgent=False)
    try:
        async with asyncio.timeout(_DECODE_S):
            text = await job.text
    finally:
        job.cancel()
    voiced = segment.samples[: segment.voiced_end - segment.start]
    speaker = None
    if speakers is not None and text:
        speaker = await _in(hearing.vad_threads, speakers.label, voiced)
    # What a segment begins with is mostly the silence before its first word.
    start = segment.start + min(PREROLL // 2, len(voiced) // 2) if segment.start else 0
    return Stretch(
        text,
        round(start / HEARING_RATE, 2),
        round(segment.voiced_end / HEARING_RATE, 2),
        speaker,
    )


async def scripted(
    profile: Profile, source: Iterator[Samples], hearing: Hearing, listened: Listened
) -> AsyncIterator[Stretch]:
    """Give the next scripted utterance as all that was said, once the recording is read."""
    words = profile.next_words()

    def read() -> float:
        for block in source:
            listened.seconds += len(block) / HEARING_RATE
        return listened.seconds

    seconds = await _in(hearing.vad_threads, read)
    text = " ".join(word for word, _ in words)
    ends = tuple(end for _, end in words if end is not None)
    last = ends[-1] if len(ends) == len(words) and ends else seconds
    if text:
        yield Stretch(text, 0.0, round(last, 2), ends=ends)
