"""The track: what a simulated caller sounds like, sample by sample, and which word is where.

Pure. A voice is a steady sound as long as its words take to say; a cough is one without words;
noise is faint. So the voice detector's stand-in and the transcriber's both go by the samples that
the pipeline was really given.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.turns.heard import weight, words

Samples = NDArray[np.int16]

RATE = 16_000
"""Hz."""
PACE = 0.06
"""Seconds per unit of `weight` that a caller takes."""
HESITATION = 0.7
"""Seconds of silence where a caller's line has an ellipsis."""
VOICE = 4_000
"""Amplitude of a voice (about -18 dBFS)."""

_SIGNS: Samples = (2 * np.random.default_rng(3).integers(0, 2, RATE) - 1).astype(np.int16)
"""A second of noise at full swing: every sample is as loud as the others."""

_ELLIPSIS = re.compile(r"\.\.\.|…")


def seconds(text: str, pace: float = PACE) -> list[float]:
    """Return how long each word of a text takes to say (s)."""
    return [weight(text[start:end]) * pace for start, end in words(text)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sound without a gap, from sample `start` to sample `end`: steady, or `samples`."""

    start: int
    end: int
    amplitude: int = VOICE
    samples: Samples | None = None


@dataclass(slots=True)
class Track:
    """Everything the caller says in a call.

    Attributes:
        position: Samples that were taken.
        words: What was or will be said, in order.
        ends: The sample behind each word.
        hush: Amplitude of the background noise, until sample `hushed`.
        hushed: Where the noise ends.
    """

    position: int = 0
    words: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    hush: int = 0
    hushed: int = 0
    _stretches: list[Stretch] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The sample behind the last sound so far; 0 before any."""
        return self._stretches[-1].end if self._stretches else 0

    @property
    def sounding(self) -> bool:
        """Whether there is sound, or is to be, that was not taken yet."""
        return self.end > self.position

    @property
    def speaking_for(self) -> int:
        """Samples since the sound in progress began; 0 in silence."""
        for stretch in reversed(self._stretches):
            if stretch.start < self.position < stretch.end:
                return self.position - stretch.start
        return 0

    def say(self, text: str, at: int) -> None:
        """Say a text from sample `at` on, or when what is being said is over.

        An ellipsis is a hesitation: the voice pauses there.
        """
        start = max(at, self.position, self.end)
        for part in _parts(text):
            end = start
            for (begin, stop), length in zip(words(part), seconds(part), strict=True):
                end += round(length * RATE)
                self.words.append(part[begin:stop])
                self.ends.append(end)
            if end > start:
                self._stretches.append(Stretch(start, end))
            start = end + round(HESITATION * RATE)

    def sound(self, length: float, at: int) -> None:
        """Make a sound like a voice, without words, for some seconds from sample `at` on."""
        start = max(at, self.position, self.end)
        self._stretches.append(Stretch(start, start + max(1, round(length * RATE))))

    def play(self, samples: Samples, at: int) -> None:
        """Make a sound of its own (int16, `RATE`) from sample `at` on."""
        start = max(at, self.position, self.end)
        self._stretches.append(Stretch(start, start + len(samples), samples=samples))

    def noise(self, amplitude: int, length: float) -> None:
        """Have faint noise in the background from now on, for some seconds."""
        self.hush = amplitude
        self.hushed = self.position + round(length * RATE)

    def next_edge(self) -> int | None:
        """Return the next sample at which a sound begins or ends; None if there is none."""
        found: int | None = None
        for stretch in reversed(self._stretches):
            if stretch.end <= self.position:
                break
            found = stretch.start if stretch.start > self.position else stretch.end
        return found

    def take(self, count: int) -> Samples:
        """Return the next `count` samples."""
        start, stop = self.position, self.position + count
        self.position = stop
        out = np.zeros(count, np.int16)
        if self.hush and start < self.hushed:
            self._fill(out, start, Stretch(start, min(stop, self.hushed), self.hush))
        for stretch in reversed(self._stretches):
            if stretch.end <= start:
                break
            if stretch.start < stop:
                self._fill(out, start, stretch)
        return out

    def said(self, after: int, before: int) -> list[str]:
        """Return the words that ended behind sample `after` and not behind sample `before`."""
        return self.words[bisect_right(self.ends, after) : bisect_right(self.ends, before)]

    @staticmethod
    def _fill(out: Samples, start: int, stretch: Stretch) -> None:
        first = max(stretch.start - start, 0)
        last = min(stretch.end - start, len(out))
        if stretch.samples is not None:
            out[first:last] = stretch.samples[start + first - stretch.start :][: last - first]
            return
        # Of the same level in any part, and nothing like the agent's own voice, heard back.
        at = first
        while at < last:
            begin = (start + at) % RATE
            count = min(last - at, RATE - begin)
            np.multiply(_SIGNS[begin : begin + count], stretch.amplitude, out=out[at : at + count])
            at += count


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _ELLIPSIS.split(text)]
