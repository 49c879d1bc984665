"""Callers: what is said next, from what has been heard so far. Pure; one block at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from vivavoce.pipelines.benching.clip import Clip, Samples
from vivavoce.pipelines.benching.take import BLOCK, RATE, Take

LEAD = 0.3
"""Room noise before a turn (s)."""
PEACE = 0.9
"""Silence of the agent after which its reply is over (s)."""
PATIENCE = 8.0
"""Silence of the agent after which a turn is lost (s)."""
LONGEST = 30.0
"""Of waiting behind one's own last word, whatever goes on (s)."""


def room(seconds: float, seed: int) -> Samples:
    """Return the noise of a quiet room: -81 dBFS, so that nothing is ever digital silence."""
    noise = np.random.default_rng(seed).normal(0, 3, round(seconds * RATE))
    samples: Samples = np.round(noise).astype(np.int16)
    return samples


class Caller(Protocol):
    """Who calls, for one take."""

    def block(self, number: int, take: Take) -> Samples | None:
        """Return block `number` (`BLOCK` samples, int16), or None when the take is over."""


class PatientCaller:
    """Says nothing and hears a greeting out.

    Args:
        seed: Of the room's noise.
        first: Seconds in which the greeting begins, if there is one.
    """

    def __init__(self, seed: int = 0, first: float = PEACE) -> None:
        self._room = room(2.0, seed)
        self._first = first

    def block(self, number: int, take: Take) -> Samples | None:
        """See `Caller`."""
        now = number * BLOCK / RATE
        if now > LONGEST or (now > self._first and take.silent_since(now) > PEACE):
            return None
        return _noise(self._room, number * BLOCK)


class TurnCaller:
    """Says one utterance and waits until the answer is over.

    Attributes:
        begin: When its first voiced sample is captured (s of the take).
        voiced_end: When its last one is (s).
    """

    def __init__(self, clip: Clip, seed: int = 0) -> None:
        # Whole blocks before, and never the same phase: engines' windows must not line up.
        lead = round((LEAD + (seed * 7 % 20) / 1000) * RATE)
        self.begin = lead / RATE
        self.voiced_end = (lead + clip.voiced_end + 1) / RATE
        said = np.concatenate([np.zeros(lead, np.int16), clip.samples])
        self._audio = said + room(len(said) / RATE, seed)[: len(said)]
        self._room = room(2.0, seed + 1)

    def block(self, number: int, take: Take) -> Samples | None:
        """See `Caller`."""
        at = number * BLOCK
        if at < len(self._audio):
            return _whole(self._audio[at : at + BLOCK], self._room)
        now = at / RATE
        waited = now - self.voiced_end
        answered = take.first_sound(self.voiced_end) is not None
        if waited > (LONGEST if answered else PATIENCE):
            return None
        if answered and take.silent_since(now) > PEACE:
            return None
        return _noise(self._room, at)


class CuttingCaller:
    """Says one utterance, cuts into the answer, and waits until all is over.

    Attributes:
        cut_at: When the first voiced sample of the interruption is captured (s); None before.
        cut_end: When its last one is (s).
        turn_end: When the last voiced sample of the turn is that came before (s).
    """

    def __init__(self, clip: Clip, cut: Clip, into: float, seed: int = 0) -> None:
        """Prepare it.

        Args:
            clip: The turn.
            cut: The interruption.
            into: How much of the answer is heard before (s).
            seed: Of the room's noise.
        """
        self._turn = TurnCaller(clip, seed)
        self.turn_end = self._turn.voiced_end
        self._cut = cut
        self._into = into
        self._from: int | None = None
        self._room = room(2.0, seed + 2)
        self.cut_at: float | None = None
        self.cut_end = 0.0

    def block(self, number: int, take: Take) -> Samples | None:
        """See `Caller`."""
        if self._from is None:
            first = take.first_sound(self._turn.voiced_end)
            now = number * BLOCK / RATE
            if first is None or now - first < self._into:
                return self._turn.block(number, take)
            self._from = number
            self.cut_at = now
            self.cut_end = now + (self._cut.voiced_end + 1) / RATE
        at = (number - self._from) * BLOCK
        if at < len(self._cut.samples):
            return _whole(self._cut.samples[at : at + BLOCK], self._room)
        now = number * BLOCK / RATE
        waited = now - self.cut_end
        if waited > LONGEST or (waited > 3.0 and take.silent_since(now) > PEACE):
            return None
        return _noise(self._room, at)


def _whole(samples: Samples, noise: Samples) -> Samples:
    if len(samples) == BLOCK:
        return samples
    return np.concatenate([samples, noise[: BLOCK - len(samples)]])


def _noise(noise: Samples, at: int) -> Samples:
    start = at % (len(noise) - BLOCK)
    return noise[start : start + BLOCK]


def order(count: int, of: int, seed: int) -> Sequence[int]:
    """Return `count` indices below `of`: each used once before any is used again."""
    random = np.random.default_rng(seed)
    found: list[int] = []
    while len(found) < count:
        found.extend(int(index) for index in random.permutation(of))
    return found[:count]
