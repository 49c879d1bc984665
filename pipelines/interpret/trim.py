"""Trim: takes the silence off the two ends of a piece of speech, while it is synthesised. Pure.

Synthesisers leave up to half a second of silence around what they say. Between segments of one
sentence that is a pause that nobody made, and every second of it is lag.
"""

from __future__ import annotations

import numpy as np

from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.turns.playout import AUDIBLE

BEFORE = 0.02
"""Seconds of silence that are left before the first sound."""


class Trim:
    """Trims one piece of speech.

    Args:
        rate: Sample rate (Hz).
        after: Seconds of silence that are left behind the last sound, if there were as many.
    """

    def __init__(self, rate: int, after: float) -> None:
        self._before = round(rate * BEFORE)
        self._after = round(rate * after)
        self._begun = False
        self._silence = np.zeros(0, np.int16)

    def feed(self, samples: Samples) -> Samples:
        """Take samples (int16) and return those that are surely to be heard."""
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= AUDIBLE)
        if not len(loud):
            self._silence = np.concatenate([self._silence, samples])
            return samples[:0]
        given = np.concatenate([self._silence, samples])
        if not self._begun:
            self._begun = True
            given = given[max(0, len(self._silence) + int(loud[0]) - self._before) :]
        quiet = len(samples) - 1 - int(loud[-1])
        self._silence = given[len(given) - quiet :] if quiet else samples[:0]
        surely: Samples = given[: len(given) - quiet]
        return surely

    def finish(self) -> Samples:
        """Return what is left of the silence at the end; start over."""
        rest = self._silence[: self._after] if self._begun else self._silence[:0]
        self._begun, self._silence = False, self._silence[:0]
        return rest
