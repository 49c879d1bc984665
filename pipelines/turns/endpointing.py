"""Endpointing: decides when the caller's turn is over.

Three witnesses: the silence, the words and the voice. Silence alone is slow or rude; an
end-of-turn model of the voice alone is wrong about every third pause; the words say whether a
sentence can stand. A turn that sounds and reads finished ends after a short silence, any other
after a long one. The final text comes from a flush, not from a timer: the turn never ends before
it is there. Pure; times are seconds on the call's clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vivavoce.agent.options import Turns

_UNFINISHED = re.compile(
    r"(?:\b(?:and|or|but|so|because|if|when|that|which|the|a|an|to|of|for|with|at|in|on|from|my"
    r"|your|is|are|um|uh|er|erm|i|we|please can you|et|ou|mais|de|le|la|les|un|une|à|pour|avec"
    r"|je|euh|und|oder|aber|der|die|das|ein|eine|mit|für|y|o|pero|el|los|con|para|äh)"
    r"|[,:;–—-]|\.\.\.|…)$",
    re.IGNORECASE,
)


def unfinished(text: str) -> bool:
    """Return whether the words ask for more: a trailing "and", "the", a comma."""
    return bool(_UNFINISHED.search(text.strip().rstrip(".!?").rstrip()))


@dataclass(frozen=True, slots=True)
class Flush:
    """Ask the transcriber for its final text, and the end-of-turn model for its opinion."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """What sounded like speech held no words: no turn."""


@dataclass(frozen=True, slots=True)
class TurnOver:
    """The caller has finished.

    Attributes:
        text: All that was said in the turn.
        started: First voiced sample (s).
        stopped: Last voiced sample (s).
        flushed: When the last flush was sent (s).
        final: When its text came (s).
        why: "semantic" (voice and words agree that it is finished) or "timeout".
        probability: The end-of-turn model's, for the last pause; None if it gave none.
        silence: How long the caller had been silent (s).
    """

    text: str
    started: float
    stopped: float
    flushed: float
    final: float
    why: str
    probability: float | None
    silence: float

    @property
    def reason(self) -> str:
        """The decision and its grounds, in one line."""
        voice = "no opinion" if self.probability is None else f"voice {self.probability:.2f}"
        return f"{self.why}: silence {self.silence * 1000:.0f} ms, {voice}"


Decision = Flush | Nothing | TurnOver


class Endpointing:
    """One call's turn ends."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._speaking = False
        self._started: float | None = None
        self._stopped = 0.0
        self._flushed: float | None = None
        self._final = 0.0
        self._owed = 0
        self._texts: list[str] = []
        self._probability: float | None = None

    @property
    def open(self) -> bool:
        """Whether a turn is in progress: the caller speaks, or has and may go on."""
        return self._started is not None

    @property
    def speaking(self) -> bool:
        """Whether the caller is speaking now."""
        return self._speaking

    @property
    def stopped(self) -> float:
        """The last voiced sample's time (s); names the present pause."""
        return self._stopped

    @property
    def waiting(self) -> bool:
        """Whether a final text is owed."""
        return self._owed > 0

    def speech_started(self, at: float) -> None:
        """The caller has begun to speak, or goes on."""
        if self._started is None:
            self._started = at
        self._speaking = True
        self._flushed = None
        self._probability = None

    def speech_stopped(self, at: float) -> None:
        """The caller has gone silent; `at` is the last voiced sample's time."""
        self._speaking = False
        self._stopped = at
        self._flushed = None
        self._probability = None

    def judged(self, probability: float, stopped: float) -> None:
        """The end-of-turn model's opinion on the pause that began at `stopped`."""
        if not self._speaking and stopped == self._stopped:
            self._probability = probability

    def understood(self, text: str, now: float) -> list[Decision]:
        """A flush was answered."""
        self._owed = max(0, self._owed - 1)
        self._final = now
        if text.strip():
            self._texts.append(text.strip())
        return self.tick(now)

    def tick(self, now: float) -> list[Decision]:
        """Time has passed."""
        if self._started is None or self._speaking:
            return []
        silence = now - self._stopped
        if self._flushed is None:
            if silence < self._turns.flush_after:
                return []
            self._flushed = now
            self._owed += 1
            return [Flush()]
        if self._owed:
            return []
        text = " ".join(self._texts)
        if not text:
            # Whatever it was, it is not waited for.
            self._reset()
            return [Nothing()]
        sure = (
            self._probability is not None
            and self._probability >= self._turns.threshold
            and not unfinished(text)
        )
        if silence < (self._turns.min_silence if sure else self._turns.max_silence):
            return []
        over = TurnOver(
            text=text,
            started=self._started,
            stopped=self._stopped,
            flushed=self._flushed,
            final=self._final,
            why="semantic" if sure else "timeout",
            probability=self._probability,
            silence=silence,
        )
        self._reset()
        return [over]

    def _reset(self) -> None:
        self._started = None
        self._flushed = None
        self._probability = None
        self._texts = []
