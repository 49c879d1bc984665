"""Echo: whether what the microphone hears is our own voice coming back.

Loudspeakers are heard by microphones, and where nobody cancels that (a desk phone on
hands-free, a cheap headset) the agent would interrupt itself. An echo is our own voice later
(by up to `LATEST`), quieter, coloured and mixed with noise; what survives all that is how the
energy in each band rises and falls. So the two are compared by that, at every delay. A caller
who speaks over the agent has a rise and fall of their own. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

HEARD = 0.5
"""Seconds of the microphone that are compared."""
LATEST = 0.6
"""The longest delay of an echo (s)."""
ECHO = 0.7
"""Likeness from which it is an echo. Of 600 stretches each, all echoes in quiet rooms were above it
and 86 % of those with noise 10 dB below; of voices of a caller's own 0.3 %, and of those over an
echo 10 dB below 3 %."""

_FRAME = 0.032
_HOP = 0.016
_FINE = 0.008
_BANDS = 14
_SHAPE = 0.08  # by which the bands among themselves are less alike than all of it
_RANGE = 40.0  # dB below the loudest that count

Samples = NDArray[np.int16]
Levels = NDArray[np.float32]


@lru_cache(maxsize=4)
def _filters(rate: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The window, and the bands as a matrix (bins by bands)."""
    size = round(_FRAME * rate)
    edges = np.geomspace(220.0, 3_600.0, _BANDS + 1)
    bins = np.fft.rfftfreq(size, 1 / rate)
    matrix = np.zeros((len(bins), _BANDS), np.float32)
    for band in range(_BANDS):
        inside = (bins >= edges[band]) & (bins < edges[band + 1])
        if not inside.any():
            inside = np.abs(bins - edges[band : band + 2].mean()) < rate / size
        matrix[inside, band] = 1.0 / inside.sum()
    return np.hanning(size).astype(np.float32), matrix


def _levels(samples: Samples, rate: int, hop: float) -> Levels:
    """Return the bands' levels (dB) over time: float32, frames by bands."""
    window, matrix = _filters(rate)
    step = round(hop * rate)
    if len(samples) < len(window):
        return np.zeros((0, _BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, len(window))[::step]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    levels: Levels = (10.0 * np.log10(power @ matrix + 1.0)).astype(np.float32)
    floor = levels.max() - np.float32(_RANGE)
    return levels.clip(min=floor)


def likeness(heard: Samples, played: Samples, heard_rate: int, played_rate: int) -> float:
    """Compare what was heard with what was played before.

    Args:
        heard: The microphone's last `HEARD` seconds (int16, mono).
        played: What was played until the same moment, `HEARD` + `LATEST` seconds (int16, mono).
        heard_rate: Sample rate of the first (Hz).
        played_rate: Sample rate of the second (Hz).

    Returns:
        The correlation of the bands' levels at the best delay, 0 to 1; 0 where there is too
        little of either. Takes about 1 ms.
    """
    heard_levels = _levels(heard, heard_rate, _HOP)
    played_levels = _levels(played, played_rate, _FINE)
    count = len(heard_levels)
    span = (count - 1) * round(_HOP / _FINE) + 1
    if count < 8 or len(played_levels) < span:
        return 0.0
    places = np.lib.stride_tricks.sliding_window_view(played_levels, span, axis=0)
    theirs = places[:, :, :: round(_HOP / _FINE)].transpose(0, 2, 1)
    mine = heard_levels - heard_levels.mean(axis=0)
    theirs = theirs - theirs.mean(axis=1, keepdims=True)
    whole = _correlation(mine, theirs)
    # Two voices that both begin to speak are alike in that; their sounds are not.
    mine = mine - mine.mean(axis=1, keepdims=True)
    theirs = theirs - theirs.mean(axis=2, keepdims=True)
    shape = _correlation(mine, theirs) + _SHAPE
    return float(np.clip(np.minimum(whole, shape).max(), 0.0, 1.0))


def _correlation(mine: Levels, theirs: Levels) -> Levels:
    """Correlate (frames, bands) with each of (delays, frames, bands)."""
    sizes = np.sqrt((theirs * theirs).sum(axis=(1, 2)) * (mine * mine).sum())
    products: Levels = np.tensordot(theirs, mine, axes=([1, 2], [0, 1]))
    likenesses: Levels = products / np.maximum(sizes, 1.0)
    return likenesses


_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def repeats(text: str, spoken: str) -> bool:
    """Return whether the words of `text` were, most of them and in order, in `spoken`."""
    said = [word.lower() for word in _WORD.findall(text)]
    ours = [word.lower() for word in _WORD.findall(spoken)]
    if not said:
        return True
    row = [0] * (len(ours) + 1)
    for word in said:
        before = row[:]
        for at, other in enumerate(ours, 1):
            row[at] = before[at - 1] + 1 if word == other else max(before[at], row[at - 1])
    return row[-1] >= 0.6 * len(said)
