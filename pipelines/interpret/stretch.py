"""Stretch: speech made faster or slower without a change of its pitch. Pure.

Waveform-similarity overlap-add (WSOLA: Verhelst and Roelands, 1993): the sound is put together
from overlapping windows that are taken from it at another pace; each is moved by a few
milliseconds to where it continues the one before it best, so that no period is torn. At normal
speed each window continues the one before it exactly, and what comes out is what went in, to the
sample; so the speed may change at any window.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.models.interfaces import Samples

HOP = 0.015
"""Seconds of a step; windows are twice as long."""
SEARCH = 0.008
"""Seconds that a window is moved at most: half the period of the lowest voice, each way."""

Float32 = NDArray[np.float32]


class Stretch:
    """Changes the pace of a stream of speech.

    Args:
        rate: Its sample rate (Hz).

    Attributes:
        hop: Samples that each `step` gives.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.hop = round(rate * HOP)
        self._search = round(rate * SEARCH)
        self._rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(self.hop) + 0.5) / self.hop)).astype(
            np.float32
        )
        self._fall = self._rise[::-1].copy()
        self.reset()

    def reset(self) -> None:
        """Forget everything, as at the start of a stream."""
        self._samples = np.zeros(0, np.float32)
        self._sounding = 0  # up to where there was anything to hear
        # The window before begins here; the next one should continue it one hop later.
        self._next = 0
        self._wanted = 0.0
        self._tail: Float32 | None = None

    @property
    def waiting(self) -> int:
        """Samples that were fed and are not in what was given yet."""
        return max(0, len(self._samples) - self._next)

    @property
    def drained(self) -> bool:
        """Whether everything that can be heard was given."""
        return self._next >= self._sounding

    def missing(self, speed: float) -> int:
        """Return how many samples must be fed before the next `step` at some speed."""
        reach = self._next + 2 * self.hop
        if speed != 1.0:
            reach = max(reach, int(self._wanted + self.hop * speed) + 2 * self.hop + self._search)
        return max(0, reach + 1 - len(self._samples))

    def feed(self, samples: Samples, *, sounding: bool = True) -> None:
        """Take more samples (int16); `sounding` says that they are more than a pause."""
        self._samples = np.concatenate([self._samples, samples.astype(np.float32)])
        if sounding:
            self._sounding = len(self._samples)

    def peek(self) -> Samples:
        """Return what was fed and not given yet (int16): what comes next at normal speed."""
        rest = self._samples[self._next :]
        return np.clip(np.rint(rest), -32_768, 32_767).astype(np.int16)

    def step(self, speed: float) -> Samples:
        """Return the next `hop` samples (int16).

        Args:
            speed: How much faster than it came: 1.0 is as it was.

        Raises:
            ValueError: If `missing` was not fed.
        """
        if self.missing(speed):
            raise ValueError(f"feed {self.missing(speed)} samples more before this step")
        at = self._place(speed)
        window = self._samples[at : at + 2 * self.hop]
        if self._tail is None:
            out = window[: self.hop].copy()
        else:
            out = self._tail + window[: self.hop] * self._rise
        self._tail = window[self.hop :] * self._fall
        self._wanted = float(at) if speed == 1.0 else self._wanted + self.hop * speed
        self._next = at + self.hop
        self._forget()
        return np.clip(np.rint(out), -32_768, 32_767).astype(np.int16)

    def _place(self, speed: float) -> int:
        """Return where the next window is taken from."""
        if self._tail is None or speed == 1.0:
            return self._next
        wanted = round(self._wanted + self.hop * speed)
        first = max(0, wanted - self._search)
        pattern = self._samples[self._next : self._next + self.hop]
        field = self._samples[first : wanted + self._search + self.hop]
        if not pattern.any():
            return wanted
        likeness = np.correlate(field, pattern, "valid")
        squares = np.concatenate([[0.0], np.cumsum(field.astype(np.float64) ** 2)])
        energy = squares[self.hop :] - squares[: -self.hop]
        return first + int(np.argmax(likeness / np.sqrt(energy + 1e4)))

    def _forget(self) -> None:
        """Let go of what is not needed any more."""
        done = min(self._next, int(self._wanted)) - self._search
        if done > self.rate:
            self._samples = self._samples[done:]
            self._sounding -= done
            self._next -= done
            self._wanted -= done


def stretched(samples: Samples, rate: int, speed: float) -> Samples:
    """Return a whole recording (int16, mono) at another pace.

    Args:
        samples: The recording.
        rate: Its sample rate (Hz).
        speed: How much faster than it is.
    """
    if not len(samples) or speed == 1.0:
        return samples
    stretch = Stretch(rate)
    wanted = round(len(samples) / speed)
    stretch.feed(samples)
    parts: list[Samples] = []
    while sum(map(len, parts)) < wanted:
        if missing := stretch.missing(speed):
            stretch.feed(np.zeros(missing, np.int16), sounding=False)
        parts.append(stretch.step(speed))
    return np.concatenate(parts)[:wanted]
