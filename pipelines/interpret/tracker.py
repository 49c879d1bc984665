"""The tracker: who of the few people at one microphone speaks, told by their voices.

Pure: sound and the voice detector's view of it in, utterances with names out. What it cannot tell,
because an utterance is too short, it takes for whoever spoke last.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from vivavoce.pipelines.interpret import quality, who
from vivavoce.pipelines.interpret.quality import HOP, RATE, Analyser, Float32, Int16

END = 0.3
"""Seconds of silence that end an utterance: another one may be somebody else's."""
LONGEST = 12.0
"""Seconds after which one is told, whether or not it has ended."""
LEAST = 24
"""Voiced frames without which a voice is not told from another: half a second."""
NEW = 40
"""Voiced frames without which nobody new is believed in."""
APART = 5.0
"""Distance from everybody known from which on it is somebody new."""
PEOPLE = 6
"""At most."""
REMEMBERED = 2_000
"""Utterances whose speaker can be asked for."""


class Said(NamedTuple):
    """An utterance.

    Attributes:
        name: Whose: "A", "B", ...; empty where nobody is known yet.
        start: Its first sample, counted from the first that was fed.
        end: The sample after its last.
        sure: How much farther the next nearest voice is (0: not told by its voice).
    """

    name: str
    start: int
    end: int
    sure: float


class Tracker:
    """Tells the people at one microphone apart. Costs 2.5 ms for a second of sound.

    Attributes:
        people: What they sound like, by name.
    """

    def __init__(self) -> None:
        self.people: dict[str, Float32] = {}
        self._weights: dict[str, int] = {}
        self._analyser = Analyser()
        self._blocks: list[tuple[Int16, float]] = []
        self._count = 0
        self._fed = 0  # samples that were analysed
        self._start: int | None = None
        self._silence = 0
        self._voices: list[Float32] = []
        self._last = ""
        self._said: deque[Said] = deque(maxlen=REMEMBERED)

    def feed(self, pcm: Int16, speech: float) -> list[Said]:
        """Hear a block.

        Args:
            pcm: int16 mono at 16 kHz.
            speech: Probability that somebody speaks in it.

        Returns:
            The utterances that end with it.
        """
        begin = self._fed + self._count
        self._blocks.append((pcm, float(speech)))
        self._count += len(pcm)
        over: list[Said] = []
        if speech >= 0.5:
            if self._start is None:
                self._start = begin
            self._silence = 0
        elif self._start is not None:
            self._silence += len(pcm)
        if self._count >= RATE // 2 or self._ends():
            self._analyse()
        if self._ends():
            over.append(self._end())
        return over

    def who(self, at: float | None = None) -> str:
        """Return who speaks, or spoke at a moment (s since the first sample)."""
        if at is None:
            return self._name()[0] if self._start is not None else self._last
        sample = int(at * RATE)
        for said in reversed(self._said):
            if said.start <= sample:
                return said.name
        return self._said[0].name if self._said else self._last

    def _ends(self) -> bool:
        if self._start is None:
            return False
        length = self._fed + self._count - self._start
        return self._silence >= END * RATE or length >= LONGEST * RATE

    def _analyse(self) -> None:
        pcm = np.concatenate([block for block, _ in self._blocks])
        speech = np.concatenate([np.full(len(b), s, np.float32) for b, s in self._blocks])
        self._blocks, self._count = [], 0
        self._fed += len(pcm)
        table, _ = self._analyser.feed(pcm)
        if not len(table):
            return
        # The last frame ends where the sound does, within a window.
        at = len(pcm) - 1 - np.arange(len(table))[::-1] * HOP - quality.WINDOW // 2
        table[:, quality.SPEECH] = speech[np.clip(at, 0, None)]
        if self._start is not None:
            spoken = table[table[:, quality.SPEECH] >= 0.35]
            if len(spoken):
                self._voices.append(spoken)

    def _prints(self) -> tuple[Float32 | None, int]:
        """Return what the utterance so far sounds like, and how many voiced frames it has."""
        if not self._voices:
            return None, 0
        table = np.concatenate(self._voices)
        told = who.features(table[who.voiced(table)])
        if len(told) < LEAST:
            return None, len(told)
        points = who.prints(who.pieces(told, size=min(who.PIECE, len(told))))
        found: Float32 = points.mean(axis=0)
        return found, len(told)

    def _name(self) -> tuple[str, float, Float32 | None, int]:
        """Return whose the utterance so far is, how sure that is, its print and its length."""
        point, count = self._prints()
        if point is None:
            return self._last, 0.0, None, count
        gaps = sorted(
            (float(np.mean((point - person) ** 2)), name) for name, person in self.people.items()
        )
        # A short utterance is farther from its own speaker's mean, by chance.
        chance = 2.0 * max(0.0, (2 * who.PIECE - count) / who.PIECE)
        if gaps and (gaps[0][0] < APART + chance or len(self.people) >= PEOPLE or count < NEW):
            sure = gaps[1][0] - gaps[0][0] if len(gaps) > 1 else APART + chance - gaps[0][0]
            return gaps[0][1], sure, point, count
        if count < NEW:
            return self._last, 0.0, None, count
        return chr(ord("A") + len(self.people)), APART, point, count

    def _end(self) -> Said:
        name, sure, point, count = self._name()
        if point is not None and name:
            known = self.people.get(name)
            weight = self._weights.get(name, 0)
            if known is None:
                self.people[name], self._weights[name] = point, count
            elif sure > 1.0:
                total = weight + count
                self.people[name] = ((known * weight + point * count) / total).astype(np.float32)
                # It may change a little for as long as the session lasts.
                self._weights[name] = min(total, 1_500)
        assert self._start is not None
        end = self._fed + self._count
        said = Said(name, self._start, end, sure)
        self._said.append(said)
        self._last = name or self._last
        self._voices = []
        self._start = end if self._silence < END * RATE else None
        self._silence = 0
        return said
