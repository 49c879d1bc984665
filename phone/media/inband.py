"""Keys heard as tones, for lines that tell them no other way (ITU-T Q.23, Q.24).

Goertzel's algorithm for the eight frequencies, over overlapping windows of 13 ms, all as one
small matrix product. A key must be the only thing in the sound, its two tones about equally
loud, for four windows; speech is rarely so pure for so long.
"""

from __future__ import annotations

import numpy as np

from vivavoce.pipelines.audio.convert import Float32, Int16
from vivavoce.pipelines.audio.resample import Resampler

from .dtmf import Digit

RATE = 8_000
WINDOW, HOP = 104, 52  # samples: 13 and 6.5 ms

_ROWS = (697.0, 770.0, 852.0, 941.0)
_COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
_PAD = ("123A", "456B", "789C", "*0#D")
_HITS, _MISSES = 4, 4  # windows in a row that begin and end a key: 33 ms, 26 ms
_FAINTEST = 10 ** (-42 / 10) * 32768.0**2  # power of both tones: -42 dBFS
_PURITY = 0.74  # of the window's power lies in the two tones
_CLEAR = 10 ** (6 / 10)  # each tone over the next loudest of its group: 6 dB
_TWIST, _REVERSE_TWIST = 10 ** (8 / 10), 10 ** (6 / 10)  # row over column: a line's slope


def _basis() -> Float32:
    time = np.arange(WINDOW) / RATE
    angles = 2 * np.pi * np.outer(np.array(_ROWS + _COLUMNS), time)
    basis = np.concatenate((np.cos(angles), np.sin(angles))).astype(np.float32)
    return np.ascontiguousarray(basis.T)


_BASIS = _basis()
_EMPTY: list[Digit] = []


class ToneDetector:
    """Listens for keys in one stream.

    Args:
        rate: Sample rate of the audio (Hz); other than 8000 is resampled.

    Attributes:
        held: The key that sounds, or None.
    """

    def __init__(self, rate: int = RATE) -> None:
        self.held: str | None = None
        self._resampler = Resampler(rate, RATE, aligned=False) if rate != RATE else None
        self._rest: Int16 = np.zeros(0, np.int16)
        self._candidate: str | None = None
        self._hits = 0
        self._misses = 0
        self._windows = 0

    def feed(self, pcm: Int16) -> list[Digit]:
        """Take audio (int16, any length) and return the keys that ended in it."""
        if self._resampler is not None:
            pcm = self._resampler.feed(pcm)
        known = np.concatenate((self._rest, pcm)) if len(self._rest) else pcm
        count = max(0, (len(known) - WINDOW) // HOP + 1)
        self._rest = known[count * HOP :]
        if not count:
            return _EMPTY
        audio = known.astype(np.float32)
        energy = float(np.dot(audio, audio)) / len(audio)
        idle = self._candidate is None and self.held is None
        if idle and energy * (len(audio) / HOP) < _FAINTEST:
            return _EMPTY  # nothing that could hold a key: the common case, and cheap
        step = audio.itemsize
        windows: Float32 = np.ndarray((count, WINDOW), np.float32, audio, 0, (HOP * step, step))
        found = windows @ _BASIS
        found *= found
        tones = (found[:, :8] + found[:, 8:]) * (2.0 / WINDOW**2)
        powers = np.einsum("ij,ij->i", windows, windows) / WINDOW
        if idle and not (tones[:, :4].max(1) + tones[:, 4:].max(1) >= _PURITY * powers).any():
            return _EMPTY  # speech, nearly always: no window could hold a key
        done: list[Digit] = []
        for tone, power in zip(tones.tolist(), powers.tolist(), strict=True):
            done += self._step(_key(tone, power))
        return done

    def flush(self) -> list[Digit]:
        """End the stream: a key that still sounds is over."""
        done = self._end()
        self._candidate = None
        self._rest = np.zeros(0, np.int16)
        return done

    def _step(self, key: str | None) -> list[Digit]:
        done: list[Digit] = []
        if self.held is not None:
            if key == self.held:
                self._windows += 1 + self._misses  # a drop-out within the key
                self._misses = 0
            else:
                self._misses += 1
                if self._misses >= _MISSES:
                    done = self._end()
        if key is not None and key == self._candidate:
            self._hits += 1
        else:
            self._candidate = key
            self._hits = 1
        if key is not None and key != self.held and self._hits >= _HITS:
            done += self._end()
            self.held = key
            self._windows = self._hits
            self._misses = 0
        return done

    def _end(self) -> list[Digit]:
        if self.held is None:
            return []
        # A tone of d samples fills about (d - WINDOW) / HOP + 1 windows, and half-fills two more.
        digit = Digit(self.held, (self._windows * HOP + WINDOW - HOP) / RATE, inband=True)
        self.held = None
        self._windows = self._misses = 0
        return [digit]


def _key(tones: list[float], power: float) -> str | None:
    """The key that a window holds, if it holds one and nothing else."""
    rows, columns = tones[:4], tones[4:]
    low, high = max(rows), max(columns)
    if low + high < _FAINTEST or low + high < _PURITY * power:
        return None
    if low > high * _TWIST or high > low * _REVERSE_TWIST:
        return None
    row, column = rows.index(low), columns.index(high)
    if any(other * _CLEAR > low for index, other in enumerate(rows) if index != row):
        return None
    if any(other * _CLEAR > high for index, other in enumerate(columns) if index != column):
        return None
    return _PAD[row][column]
