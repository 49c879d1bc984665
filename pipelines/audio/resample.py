"""A streaming resampler with a short, constant delay.

A polyphase FIR filter: linear phase (Kaiser window, 60 dB), so its group delay is the same
for every frequency, and is the whole of what it holds back. With r the lower of the two rates:

| r        | delay  | which is                               | passband | stopband |
|----------|--------|----------------------------------------|----------|----------|
| < 16 kHz | 16 / r | 2.0 ms at 8 kHz                        | 0.42 r   | 0.54 r   |
| ≥ 16 kHz | 24 / r | 1.5 ms at 16, 1.0 at 24, 0.5 at 48 kHz | 0.44 r   | 0.52 r   |

Up to the passband's edge (3.4 kHz at 8 kHz, 7.0 kHz at 16 kHz) the level is true to 0.02 dB;
from the stopband's edge on, everything is 60 dB down or more, images too.
The transition band lies across r/2, so that what little folds back folds back above the
passband: within it nothing aliases louder than -60 dB.

Measured on one shared EPYC core, Python 3.11, numpy 2.3, int16 in and out, 20 ms blocks,
beside soxr 1.0 (streaming): CPU per block and how much later than the input a sound comes out.

| from → to kHz | ours: µs, ms late | soxr VHQ    | soxr HQ     | soxr QQ  |
|---------------|-------------------|-------------|-------------|----------|
| 8 → 16        | 19, 2.0           | 3, 64       | 3, 64       | 4, 0.3   |
| 16 → 8        | 14, 2.0           | 3, 64       | 3, 64       | 3, 0.1   |
| 24 → 8        | 15, 2.0           | 3, 85       | 3, 42       | 3, 0.0   |
| 24 → 16       | 20, 1.5           | 3, 42       | 7, 21       | 4, 0.1   |
| 48 → 16       | 21, 1.5           | 4, 42       | 7, 21       | 4, 0.0   |
| 24 → 48       | 27, 1.0           | 9, 21       | 9, 21       | 7, 0.1   |
| 44.1 → 16     | 29, 1.5           | 4, 47       | 8, 23       | 4, 0.0   |

The worst of all pairs of 8, 16, 22.05, 24, 32, 44.1 and 48 kHz takes 40 µs. soxr's QQ is as
early as it is because it has no filter: from 48 to 16 kHz a tone of 9 or 20 kHz folds back into
the speech at full level (0 dB; here below -60). `benchmarks/audio.py` measures this again.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .convert import Float32, Int16, to_float32, to_int16

LOWEST_RATE = 4_000
HIGHEST_RATE = 192_000
"""Sample rates a `Resampler` accepts (Hz)."""

_STOPBAND_DB = 61.0  # what the window is made for: 60 and a margin
_CENTRE = 0.48  # the middle of the transition band, in units of the lower rate
_CHUNK = 1024  # outputs computed at once: bounds memory when a block is long
_PHASES = 6  # rows of a bank up to which each is applied by itself: nothing is gathered then


class _Filter(NamedTuple):
    """A polyphase bank: row `m % up` makes the output number m."""

    up: int
    down: int
    taps: int
    delay: int  # in output samples
    bank: Float32  # shape (up + _CHUNK, taps), rows repeat with period `up`


@lru_cache(maxsize=32)
def _design(source: int, target: int) -> _Filter:
    """Make the filter for a pair of rates; shared by all resamplers between them."""
    divisor = math.gcd(source, target)
    up, down = target // divisor, source // divisor
    half = 16 if min(source, target) < 16_000 else 24  # samples of the lower rate
    # The centre tap lies on an output sample, so that the delay is a whole number of them.
    delay = half * up // down if up > down else half
    centre = delay * down
    taps = -(-(2 * centre + 1) // up)

    time = np.arange(-centre, centre + 1, dtype=np.float64)
    cutoff = 2.0 * _CENTRE / max(up, down)
    beta = 0.1102 * (_STOPBAND_DB - 8.7)  # Kaiser's formula
    window = np.i0(beta * np.sqrt(np.maximum(0.0, 1.0 - (time / (centre + 1)) ** 2)))
    prototype = np.zeros(taps * up)
    prototype[: 2 * centre + 1] = np.sinc(cutoff * time) * window

    phases = prototype.reshape(taps, up).T[:, ::-1]  # phase p holds taps p, p + up, ...
    # Every phase passes a constant unchanged: else it would come out as a buzz.
    phases = phases / phases.sum(axis=1, keepdims=True)
    order = (np.arange(up + _CHUNK) * down) % up
    bank = phases[order].astype(np.float32)
    bank.setflags(write=False)
    return _Filter(up, down, taps, delay, bank)


class Resampler:
    """Changes the sample rate of one mono stream, fed in blocks of any size.

    What comes out does not depend on how the stream is cut into blocks, to the last bit.

    Two ways to place the constant delay (`delay`, see the module's table):

    * `aligned=True`: output sample m is the sound of input time m / target_rate. The first
      block comes out shorter by the delay, `flush()` gives the missing end, and the total is
      exactly `round(n * target / source)` samples (half rounds up).
    * `aligned=False`, for live audio: n samples in give `ceil(n * target / source)` out at
      once, so a 20 ms block gives a 20 ms block and a framer behind it never waits for the
      next one. The sound is late by `delay`, and `flush()` gives the `delay` more at the end.

    Where the rates are equal, samples pass through untouched and without delay.
    A resampler has one stream's state and is not thread-safe; the filters are shared.

    Args:
        source_rate: Rate of what is fed (Hz).
        target_rate: Rate of what comes out (Hz).
        aligned: How the delay is placed, as above.

    Raises:
        ValueError: A rate is outside `LOWEST_RATE`..`HIGHEST_RATE`.
    """

    def __init__(self, source_rate: int, target_rate: int, *, aligned: bool = True) -> None:
        for rate in (source_rate, target_rate):
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise ValueError(
                    f"Cannot resample {source_rate} Hz to {target_rate} Hz: rates lie between "
                    f"{LOWEST_RATE} and {HIGHEST_RATE} Hz."
                )
        self.source_rate = source_rate
        self.target_rate = target_rate
        self._filter = None if source_rate == target_rate else _design(source_rate, target_rate)
        self._aligned = aligned
        self.reset()

    @property
    def delay(self) -> float:
        """The constant group delay (s), at most 2 ms from 8 kHz up."""
        return self._filter.delay / self.target_rate if self._filter else 0.0

    def reset(self) -> None:
        """Begin a new stream."""
        self._fed = 0  # input samples so far
        self._made = 0  # output samples so far, with those an aligned stream drops
        self._history: Float32 = np.zeros(self._filter.taps - 1 if self._filter else 0, np.float32)

    def feed(self, pcm: Int16) -> Int16:
        """Resample a block of int16.

        Args:
            pcm: Samples, int16, shape (n,), n may be 0.

        Returns:
            A new int16 array, shape (m,); rounded and clipped.
        """
        if self._filter is None:
            return pcm.copy()
        return to_int16(self._advance(to_float32(pcm), self._filter))

    def feed_float(self, audio: Float32) -> Float32:
        """Resample a block of float32; as `feed`, but neither rounded nor clipped."""
        if self._filter is None:
            return audio.copy()
        return self._advance(audio, self._filter)

    def flush(self) -> Int16:
        """End the stream: return what is left of it as int16, and begin a new one."""
        return to_int16(self.flush_float())

    def flush_float(self) -> Float32:
        """End the stream: return what is left of it as float32, and begin a new one."""
        if self._filter is None:
            self.reset()
            return np.zeros(0, np.float32)
        up, down, _, delay, _ = self._filter
        total = (2 * self._fed * up + down) // (2 * down) + delay
        missing = (total - 1) * down // up + 1 - self._fed
        rest = self._advance(np.zeros(max(missing, 0), np.float32), self._filter, total)
        self.reset()
        return rest

    def _advance(self, audio: Float32, fir: _Filter, total: int | None = None) -> Float32:
        """Filter a block: make every output that the input so far allows, up to `total`."""
        # Output number q is centred on upsampled sample q * down, which is input sample
        # q * down // up; it needs that one and the taps - 1 before it.
        known = np.concatenate((self._history, audio))
        begin, first = self._fed, self._made
        self._fed += audio.size
        self._history = known[known.size - (fir.taps - 1) :]
        end = -(-self._fed * fir.up // fir.down)
        end = max(first, end if total is None else min(end, total))
        self._made = end
        if self._aligned:
            first = max(first, min(fir.delay, end))
        out = np.empty(end - first, np.float32)
        if not out.size:
            return out
        # What sliding_window_view gives, at a tenth of its cost.
        step = known.itemsize
        # einsum sums each row in one fixed order. A matrix product would be as fast, but picks its
        # order by the shapes, and then the last bit depends on the block size.
        if fir.up <= _PHASES:
            # Every `up`-th output is made by one row, from inputs that lie `down` apart.
            for at in range(first, min(first + fir.up, end)):
                made = out[at - first :: fir.up]
                shape = (made.size, fir.taps)
                place = (at * fir.down // fir.up - begin) * step
                seen: Float32 = np.ndarray(shape, np.float32, known, place, (fir.down * step, step))
                np.einsum("ij,j->i", seen, fir.bank[at % fir.up], out=made)
            return out
        shape = (known.size - fir.taps + 1, fir.taps)
        windows: Float32 = np.ndarray(shape, np.float32, known, 0, (step, step))
        for at in range(first, end, _CHUNK):
            stop = min(at + _CHUNK, end)
            row = at % fir.up
            rows = (np.arange(at, stop) * fir.down) // fir.up - begin
            np.einsum(
                "ij,ij->i",
                windows[rows],
                fir.bank[row : row + stop - at],
                out=out[at - first : stop - first],
            )
        return out


def resample(pcm: Int16, source_rate: int, target_rate: int) -> Int16:
    """Resample a whole recording.

    Args:
        pcm: Samples, int16, shape (n,).
        source_rate: Its rate (Hz).
        target_rate: The rate wanted (Hz).

    Returns:
        A new int16 array of `round(n * target_rate / source_rate)` samples (half rounds up),
        not delayed.

    Raises:
        ValueError: A rate is outside `LOWEST_RATE`..`HIGHEST_RATE`.
    """
    resampler = Resampler(source_rate, target_rate)
    return np.concatenate((resampler.feed(pcm), resampler.flush()))
