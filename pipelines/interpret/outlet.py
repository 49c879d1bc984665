"""Outlets: what one listener hears of one speaker, and how far they have heard it."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np

from vivavoce.agent.interpreter import Original
from vivavoce.pipelines.audio import chunks
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.models.interfaces import Samples

LIMIT = 120.0
"""Seconds that may wait for a listener who does not listen just now."""
BEHIND = 1.0
"""Seconds of an original that are kept for a listener; it is heard as it is spoken, or not."""
READY = 0.04
"""Seconds of it that are there before it is heard, and after every gap."""
DUCKED = 10 ** (-18 / 20)
"""Gain of an original while its translation sounds: -18 dB."""
BENEATH = 10 ** (-12 / 20)
"""Gain of a ducked original while nothing else sounds: -12 dB."""


class Source(Protocol):
    """What an outlet draws from: puts the same into all of its outlets."""

    @property
    def rate(self) -> int:
        """Sample rate (Hz)."""

    def draw(self, count: int) -> None:
        """Put the next `count` samples into every outlet, as far as there is speech."""

    def peek(self, count: int) -> Samples:
        """Return up to `count` samples that are going to be drawn, as far as is known."""


class Outlet:
    """One listener's end of a lane. It never waits.

    All outlets of a lane give the same samples in the same order; each has a position of its own,
    and the one that is furthest ahead draws for all. Silence is not kept, so that a listener
    whose clock is slower catches up in the pauses.

    Args:
        source: The lane.
        limit: Seconds that may wait; beyond it the oldest are skipped, so that who was away for
            long begins at the present again.

    Attributes:
        position: Samples handed over, silence included.
        skipped: Samples that were not, because too many waited.
        speaking: Whether the last `take` gave speech.
        closed: Whether it gives nothing more than silence.
    """

    def __init__(self, source: Source, *, limit: float = LIMIT) -> None:
        self._source = source
        self._limit = round(limit * source.rate)
        self._chunks: deque[Samples] = deque()
        self._waiting = 0
        self.position = 0
        self.skipped = 0
        self.speaking = False
        self.closed = False

    @property
    def rate(self) -> int:
        """Sample rate of what it gives (Hz)."""
        return self._source.rate

    @property
    def waiting(self) -> float:
        """Seconds that this listener is behind the one who is furthest ahead."""
        return self._waiting / self.rate

    def put(self, samples: Samples) -> None:
        """Take more speech (int16 at `rate`); for its source."""
        if self.closed or not len(samples):
            return
        self._chunks.append(samples)
        self._waiting += len(samples)
        while self._waiting > self._limit:
            oldest = self._chunks.popleft()
            self._waiting -= len(oldest)
            self.skipped += len(oldest)

    def take(self, count: int) -> Samples:
        """Return the next `count` samples (int16 at `rate`); silence where there is no speech."""
        if self._waiting < count and not self.closed:
            self._source.draw(count - self._waiting)
        taken = chunks.take(self._chunks, count)
        self._waiting -= len(taken)
        self.position += count
        self.speaking = len(taken) > 0
        if len(taken) == count:
            return taken
        out = np.zeros(count, np.int16)
        out[: len(taken)] = taken
        return out

    def peek(self, count: int) -> Samples:
        """Return up to `count` samples that `take` is going to give, as far as is known."""
        if self.closed:
            return np.zeros(0, np.int16)
        more = self._source.peek(max(0, count - self._waiting))
        known: Samples = np.concatenate([*self._chunks, more])[:count]
        return known

    def close(self) -> None:
        """Let go of what waits; idempotent."""
        self.closed = True
        self._chunks.clear()
        self._waiting = 0


class Beneath:
    """A speaker's own voice, as one listener hears it beneath the translation. It never waits.

    "ducked" is -12 dB, and -18 dB while a translation sounds; "full" is as loud as it was; "off"
    is silence.

    Args:
        rate: Sample rate of what it gives (Hz).
        original: How it is to be heard; may be changed.
    """

    def __init__(self, rate: int, original: Original) -> None:
        self.rate = rate
        self.original: Original = original
        self._resampler: Resampler | None = None
        self._chunks: deque[Samples] = deque()
        self._waiting = 0
        self._running = False
        self._gain = 0.0

    def feed(self, pcm: Samples, rate: int) -> None:
        """Take what the speaker said (int16, mono, at `rate` Hz)."""
        if self.original == "off":
            return
        if rate != self.rate:
            if self._resampler is None or self._resampler.source_rate != rate:
                self._resampler = Resampler(rate, self.rate, aligned=False)
            pcm = self._resampler.feed(pcm)
        if not len(pcm):
            return
        self._chunks.append(pcm)
        self._waiting += len(pcm)
        while self._waiting > BEHIND * self.rate and len(self._chunks) > 1:
            self._waiting -= len(self._chunks.popleft())

    def take(self, count: int, *, translated: bool) -> Samples:
        """Return the next `count` samples (int16 at `rate`).

        Args:
            count: How many.
            translated: Whether a translation sounds over it.
        """
        # Two lines' blocks never come in step: a little is kept, so that there is no gap.
        self._running = self._waiting >= count + (0 if self._running else READY * self.rate)
        if not self._running:
            self._gain = 0.0
            return np.zeros(count, np.int16)
        taken = chunks.take(self._chunks, count)
        self._waiting -= len(taken)
        wanted = self._wanted(translated=translated)
        if not wanted and not self._gain:
            return np.zeros(count, np.int16)
        ramp = np.linspace(self._gain, wanted, count, dtype=np.float32)
        self._gain = wanted
        out: Samples = (taken * ramp).astype(np.int16)
        return out

    def _wanted(self, *, translated: bool) -> float:
        if self.original == "ducked":
            return DUCKED if translated else BENEATH
        return 1.0 if self.original == "full" else 0.0
