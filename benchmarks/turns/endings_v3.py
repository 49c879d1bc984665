"""A stand-in for Voxtral 3's turn events, on the clock of the samples.

It is the sandbox's own (`vivavoce.sandbox.turns`), with the timing of the latency benchmark: the
turn seems to be over, and is over, so long behind the last voiced sample if the words so far can
stand. How good Voxtral 3's own judgement is, this cannot say.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.latency.backend import TURNS
from benchmarks.latency.wire import BLOCK, RATE
from benchmarks.turns.endings import Heard
from vivavoce.pipelines.benching.clip import Samples
from vivavoce.pipelines.turns.endpointing import TurnEvent
from vivavoce.sandbox.turns import Settings, Turns, stands

VOICED = 10 ** (-45 / 20) * 32_768
"""RMS of a block from which it counts as voice, as for the sandbox's scripted ears."""
ONSET = 3 * BLOCK
"""Samples of voice in a row that begin a turn, likewise."""

Rule = Callable[[str], bool | None]
"""Whether words can be all that their speaker wanted to say; None for no words."""


def ended(text: str) -> bool | None:
    """Believe its own punctuation: what it wrote no full stop behind goes on.

    The model that writes the words judges the turn, so one should follow from the other.
    """
    known = stands(text)
    return known and text.endswith((".", "!", "?"))


class StandIn:
    """Tells one utterance's turn events."""

    def __init__(self, heard: Heard, rule: Rule) -> None:
        self._heard = heard
        self._rule = rule
        self._turns = Turns(Settings(), ONSET)
        self._begun = 0.0

    def feed(self, now: float, block: Samples) -> list[TurnEvent]:
        """Take the block that is whole at `now` (s); return what became of the turn."""
        begin = round(now * RATE) - len(block)
        loud = float(np.sqrt(np.mean(np.square(block.astype(np.float64))))) > VOICED
        last = None
        if loud:
            last = begin + int(np.flatnonzero(np.abs(block.astype(np.int32)) > VOICED)[-1]) + 1
        patience = (0.0, 0.0) if loud or not self._turns.open else self._patience(now)
        found: list[TurnEvent] = []
        for event in self._turns.push(begin, begin + len(block), float(loud), patience, last):
            if event.kind == "start":
                self._begun = now - 1.0
            found.append(event.kind)
        return found

    def _patience(self, now: float) -> tuple[float, float]:
        if self._rule(self._heard.words(self._begun, now)) is False:
            return math.inf, math.inf
        return float(TURNS["eager_end_ms"]) / 1000, float(TURNS["end_ms"]) / 1000
