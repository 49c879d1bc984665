"""Asking: a question, its answers, and when to ask again. Pure; the time comes from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from vivavoce.agent.answers import Answer, Part

T = TypeVar("T")

GATHER = 3.0
"""Seconds that an unfinished answer (two digits of four) waits for the rest."""


class NoAnswer(Exception):  # noqa: N818 (what happened, not a fault of ours)
    """The caller gave no answer that fits; the message says why.

    Attributes:
        heard: What they said instead, in order.
    """

    def __init__(self, why: str, heard: list[str]) -> None:
        super().__init__(why)
        self.heard = heard


@dataclass(frozen=True, slots=True)
class Say:
    """Say this, then listen."""

    text: str


@dataclass(frozen=True, slots=True)
class Given(Generic[T]):
    """The answer is there."""

    value: T


@dataclass(frozen=True, slots=True)
class Stop:
    """Give up."""

    why: str


Step = Say | Given[T] | Stop


class Asking(Generic[T]):
    """One question until it is answered or given up.

    Args:
        question: What is asked.
        answer: What counts as an answer.
        language: Which language the caller speaks.
        retries: How many times it is asked again.
        patience: Silence after which it is asked again (s).
        again: What is said then; None is a sentence that fits the kind of answer.
    """

    def __init__(
        self,
        question: str,
        answer: Answer[T],
        *,
        language: str,
        retries: int,
        patience: float,
        again: str | None = None,
    ) -> None:
        self._answer = answer
        self._language = language
        self._left = retries
        self._patience = patience
        self._again = again
        self._question = question
        self._words = ""
        self._keys = ""
        self._saying = True
        self._talking = False
        self._due = 0.0
        self.heard: list[str] = []

    @property
    def due(self) -> float | None:
        """When `tick` has something to decide; None while somebody speaks."""
        return None if self._saying or self._talking else self._due

    def begin(self) -> Say:
        """Return the first thing to say."""
        return Say(self._question)

    def listening(self, now: float) -> None:
        """The question was said, or cut: from now on the caller is waited for."""
        self._saying = False
        self._due = max(self._due, now + self._patience)

    def speaking(self) -> None:
        """The caller has begun to speak: nothing is due before they have finished."""
        self._talking = True

    def silent(self, now: float) -> None:
        """The caller has stopped; their words may come yet."""
        self._talking = False
        self._due = now + self._patience

    def said(self, text: str, now: float) -> Step[T] | None:
        """The caller said something; None: there is more to come."""
        self.heard.append(text)
        self._talking = False
        # What came before counts: a number is often given in two breaths.
        whole = f"{self._words} {text}".strip()
        step = self._take(self._answer.read(whole, self._language), now)
        if step is None:
            self._words = whole
            return None
        if isinstance(step, Say) and self._words:
            alone = self._answer.read(text, self._language)
            self._words = ""
            if alone is not None and not isinstance(alone, Part):
                self._left += 1
                return self._take(alone, now)
        self._words = ""
        return step

    def pressed(self, key: str, now: float) -> Step[T] | None:
        """The caller pressed a key; None: there is more to come."""
        self._keys += key
        found = self._answer.read_keys(self._keys)
        step = self._take(found, now)
        if step is not None:
            self._keys = ""
        return step

    def tick(self, now: float) -> Step[T] | None:
        """Time passes."""
        if self.due is None or now < self._due:
            return None
        self._words = self._keys = ""
        return self._once_more("the caller said nothing that fits")

    def _take(self, found: T | Part | None, now: float) -> Step[T] | None:
        if isinstance(found, Part):
            self._due = now + GATHER
            return None
        if found is None:
            return self._once_more("the caller's answer was not understood")
        return Given(found)

    def _once_more(self, why: str) -> Say | Stop:
        if self._left <= 0:
            return Stop(why)
        self._left -= 1
        self._saying = True
        return Say(self._again or self._answer.hint(self._language))
