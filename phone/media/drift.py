"""Two clocks that disagree: how fast the sender's runs, and playing as fast as that.

The sender's sound card and our clock differ, usually by some 50 ppm, at worst by a per cent:
10 ms every second, which empties or floods any jitter buffer. `Arrivals` fits a line through
the packets' transit times; its slope is the drift, what lies above the earliest packets is the
jitter. `Stretcher` resamples by the fraction that keeps the delay where it should be: for a
true drift that restores the right pitch, it does not change it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.audio.convert import Float32, Int16

WINDOW = 250
"""Packets whose jitter counts: 5 s at 20 ms."""

LIMIT = 0.025
"""The most that the stretcher changes the speed."""

_MEMORY = 8.0  # s: the line's time constant
_RIDGE = 44.0  # s²: a prior of 0.3 % at 20 ms of jitter, outweighed after 2 s
_JUMP = 0.5  # s: a transit this far off is another stream's, or one that stalled
_LATE_QUANTILE, _EARLY_QUANTILE = 0.99, 0.02


class Arrivals:
    """The transit times of a stream's packets, as a line with noise on top.

    A transit time is the time of arrival less the media time, so its origin means nothing.

    Attributes:
        drift: Speed of the sender's clock relative to ours, less one; 0.01 is 1 % fast.
        spread: How much later than the earliest packets the latest arrive (s).
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, as for another stream."""
        self.drift = 0.0
        self.spread = 0.0
        self._times: NDArray[np.float64] = np.zeros(WINDOW)
        self._transits: NDArray[np.float64] = np.zeros(WINDOW)
        self._count = 0
        self._early = 0.0  # the earliest packets, relative to the line (s)
        self._weight = self._mean_time = self._mean_transit = 0.0
        self._variance = self._covariance = 0.0
        self._last = 0.0

    def add(self, media_time: float, now: float) -> None:
        """Take a packet: its media time and when it arrived (s)."""
        transit = now - media_time
        if self._count and abs(transit - self._line(now)) > _JUMP:
            self.reset()
        decay = math.exp((self._last - now) / _MEMORY) if self._count else 0.0
        self._last = now
        weight = self._weight * decay + 1.0
        step_time = now - self._mean_time
        step_transit = transit - self._mean_transit
        gain = 1.0 / weight
        self._mean_time += gain * step_time
        self._mean_transit += gain * step_transit
        share = self._weight * decay * gain
        self._variance = self._variance * decay + share * step_time * step_time
        self._covariance = self._covariance * decay + share * step_time * step_transit
        self._weight = weight
        slope = self._covariance / (self._variance + _RIDGE)
        self.drift = max(-0.02, min(-slope, 0.02))
        at = self._count % WINDOW
        self._times[at] = now
        self._transits[at] = transit
        self._count += 1
        if self._count < 25:
            over = transit - self._line(now)
            self._early = over if self._count == 1 else min(self._early, over)
            self.spread = max(self.spread, over - self._early)
        elif self._count % 25 == 0:
            self._measure()

    def base(self, now: float) -> float:
        """Transit time of the earliest packets, as of now (s)."""
        return self._line(now) + self._early

    def _line(self, now: float) -> float:
        return self._mean_transit - self.drift * (now - self._mean_time)

    def _measure(self) -> None:
        size = min(self._count, WINDOW)
        over = self._transits[:size] - self._mean_transit
        over = np.sort(over + self.drift * (self._times[:size] - self._mean_time))
        self._early = float(over[int(_EARLY_QUANTILE * (size - 1))])
        self.spread = float(over[math.ceil(_LATE_QUANTILE * (size - 1))]) - self._early


_TAPS = 24
_PHASES = 1024


@lru_cache(maxsize=1)
def _bank() -> Float32:
    """Windowed sinc, one row per phase between two samples; row 0 passes samples unchanged."""
    offsets = np.arange(_TAPS) - (_TAPS // 2 - 1)
    time = offsets[None, :] - np.arange(_PHASES)[:, None] / _PHASES
    rows = np.sinc(time) * np.i0(5.0 * np.sqrt(np.maximum(0, 1 - (time / (_TAPS / 2)) ** 2)))
    rows /= rows.sum(axis=1, keepdims=True)
    bank = rows.astype(np.float32)
    bank.setflags(write=False)
    return bank


@lru_cache(maxsize=8)
def _count_up(count: int) -> NDArray[np.float64]:
    """Return 0 to `count - 1`: blocks have few lengths."""
    numbers = np.arange(count, dtype=np.float64)
    numbers.setflags(write=False)
    return numbers


class Stretcher:
    """A queue of samples that may be read a little faster or slower than they were put in.

    At speed 1.0 samples pass untouched. Once it has been changed they are interpolated (24
    taps, 1024 phases: images at 3.4 kHz, the worst place, 50 dB down), until `settle`.

    Attributes:
        speed: Input samples per output sample, within 1 ± `LIMIT`.
    """

    def __init__(self) -> None:
        self.speed = 1.0
        # Before the next sample lie the taps that reach into the past.
        self._past = _TAPS // 2 - 1
        self._samples: Int16 = np.zeros(self._past, np.int16)
        self._fraction = 0.0  # how far past the next sample we are
        self._stretching = False

    @property
    def stretching(self) -> bool:
        """Whether samples are being interpolated."""
        return self._stretching

    @property
    def waiting(self) -> int:
        """Samples put in and not yet read."""
        return len(self._samples) - self._past

    def set_speed(self, speed: float) -> None:
        """Change the speed from here on; interpolation begins if it is not 1."""
        self.speed = max(1 - LIMIT, min(speed, 1 + LIMIT))
        self._stretching = self._stretching or self.speed != 1.0

    def settle(self) -> None:
        """Stop interpolating: moves by half a sample at most, so do it where it is quiet."""
        if self._stretching and self._fraction >= 0.5 and self.waiting > 0:
            self._samples = self._samples[1:]
        self._stretching = False
        self._fraction = 0.0
        self.speed = 1.0

    def missing(self, count: int) -> int:
        """How many more samples must be put in before `count` can be read."""
        if not self._stretching:
            return max(0, count - self.waiting)
        last = int(self._fraction + (count - 1) * self.speed)
        return max(0, last + 1 + _TAPS // 2 - self.waiting)

    def feed(self, pcm: Int16) -> None:
        """Put samples in."""
        self._samples = np.concatenate((self._samples, pcm))

    def take(self, count: int) -> Int16:
        """Read `count` samples (int16); there must be enough."""
        past = self._past
        if not self._stretching:
            out = self._samples[past : past + count]
            self._samples = self._samples[count:]
            return out
        positions = _count_up(count) * self.speed
        positions += self._fraction
        whole = positions.astype(np.intp)
        positions -= whole
        positions *= _PHASES
        phases = positions.astype(np.intp)
        audio = self._samples.astype(np.float32)
        step = audio.itemsize
        windows: Float32 = np.ndarray(
            (len(audio) - _TAPS + 1, _TAPS), np.float32, audio, 0, (step, step)
        )
        mixed = np.einsum("ij,ij->i", windows[whole], _bank()[phases])
        end = self._fraction + count * self.speed
        self._samples = self._samples[int(end) :]
        self._fraction = end - int(end)
        np.rint(mixed, mixed)
        np.maximum(mixed, -32768.0, mixed)
        np.minimum(mixed, 32767.0, mixed)
        pcm: Int16 = mixed.astype(np.int16)
        return pcm
