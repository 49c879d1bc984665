"""The dubbed recording: a translation over its original, as one hears it on television. Pure."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.interpret.outlet import BENEATH, DUCKED

Samples = NDArray[np.int16]

HOP = 0.02
"""Seconds in which it is decided whether the translation sounds."""
AUDIBLE = 150
"""Amplitude (of 32767) from which it does: about -47 dBFS, above any line's noise."""
HOLD = 0.5
"""Seconds that the original stays low behind it: it must not surge between two words."""


class Dub:
    """Makes one track of two: the speaker beneath the translation.

    Args:
        rate: Sample rate (Hz).
        beneath: Gain of the original while no translation sounds.
        ducked: Its gain while one does.
    """

    def __init__(self, rate: int, *, beneath: float = BENEATH, ducked: float = DUCKED) -> None:
        self._hop = max(1, round(rate * HOP))
        self._hold = round(HOLD / HOP)
        self._beneath, self._ducked = beneath, ducked
        self._rest = np.zeros((0, 2), np.int16)
        self._gain = beneath
        self._low = 0  # hops that the original still stays low

    def feed(self, pairs: Samples) -> Samples:
        """Take both tracks and return what can be told of the dubbed one.

        Args:
            pairs: int16, shape (n, 2): the original left, the translation right.

        Returns:
            int16, shape (m,): what is left over comes with the next ones, or with `flush`.
        """
        given = np.concatenate((self._rest, pairs)) if len(self._rest) else pairs
        hops = len(given) // self._hop
        self._rest = given[hops * self._hop :]
        return self._mix(given[: hops * self._hop].reshape(hops, self._hop, 2))

    def flush(self) -> Samples:
        """Return what is left over."""
        rest, self._rest = self._rest, self._rest[:0]
        return self._mix(rest.reshape(1, len(rest), 2)) if len(rest) else rest.reshape(-1)

    def _mix(self, hops: Samples) -> Samples:
        if not hops.size:
            return np.zeros(0, np.int16)
        sounds = np.abs(hops[:, :, 1].astype(np.int32)).max(axis=1) >= AUDIBLE
        out = np.empty(hops.shape[:2], np.float32)
        for number, on in enumerate(sounds.tolist()):
            self._low = self._hold if on else max(0, self._low - 1)
            wanted = self._ducked if self._low else self._beneath
            gain = np.linspace(self._gain, wanted, hops.shape[1], endpoint=False, dtype=np.float32)
            self._gain = wanted
            out[number] = hops[number, :, 0] * gain + hops[number, :, 1]
        return np.clip(np.rint(out), -32_768, 32_767).astype(np.int16).reshape(-1)


def header(rate: int, frames: int) -> bytes:
    """Return the header of a mono WAV file of 16 bits (44 bytes).

    Args:
        rate: Sample rate (Hz).
        frames: How many samples follow.
    """
    size = 2 * frames
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", size,
    )  # fmt: skip
