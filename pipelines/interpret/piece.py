"""A piece: a segment on its way through a lane, and whose voice it gets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.ledger import Span
from vivavoce.agent.segment import Segment
from vivavoce.agent.voices import Speaker
from vivavoce.agent.voices import voice_for as chosen
from vivavoce.pipelines.interpret.cutting import Cut
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.turns.playout import Clause


class Voices(Protocol):
    """Whose voice speaks for whom."""

    def feed(self, speaker: str, pcm: Samples, speech: float) -> None:
        """Hear a speaker (int16 mono, 16 kHz), and how probable it is that somebody speaks."""

    def voice_for(
        self, speaker: str, language: str, *, begins: bool = True, at: float | None = None
    ) -> str | Speaker | None:
        """Return the voice for what a speaker said; asked before each segment is spoken.

        Args:
            speaker: Who said it.
            language: In which it is spoken.
            begins: Whether it begins a sentence.
            at: When it was said (s).
        """


class Chosen:
    """The interpreter's own voice, for everybody. Implements `Voices`."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    def feed(self, speaker: str, pcm: Samples, speech: float) -> None:
        """Hear nobody."""

    def voice_for(
        self, speaker: str, language: str, *, begins: bool = True, at: float | None = None
    ) -> str | Speaker | None:
        """Return the voice for a language."""
        del speaker, begins, at
        return chosen(self._interpreter.voice, language)


@dataclass(slots=True, eq=False)
class Piece:
    """A segment on its way.

    Attributes:
        segment: The segment.
        cut: What was said.
        first: When its first word ended (s).
        spans: What was done for it, in causal order (s since the session began).
        began: When the first of its translation came (s).
        texts: What is to be spoken, in order, as it is translated; None ends it.
        given: Whether something is, so that nothing may be translated anew.
        whole: Whether `clauses` is all of it.
        clauses: What is spoken of it, in order.
    """

    segment: Segment
    cut: Cut
    first: float
    spans: list[Span]
    began: float = 0.0
    texts: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    given: bool = False
    whole: bool = False
    clauses: list[Clause] = field(default_factory=list)


def name_of(voice: str | Speaker | None) -> str:
    """Return a voice's name; "speaker" where it is copied from a sample."""
    if isinstance(voice, Speaker):
        return "speaker" if voice.sample is not None else voice.voice or ""
    return voice or ""
