"""What a call needs of its models: one small interface per capability."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.turns.endpointing import TurnEvent

Samples = NDArray[np.int16]


class HearingListener(Protocol):
    """Who is told what the transcriber understood. Called on the event loop; must not block."""

    def on_partial(self, segment: int, text: str) -> None:
        """All that is understood of a segment so far; replaces what was told before."""

    def on_final(self, segment: int, text: str) -> None:
        """The segment's final text, possibly empty: told once for each flushed one, in order.

        A transcriber that follows the caller's turns may end a segment of itself, just before or
        just after it tells the end of the turn. The segment that nobody flushed has its final
        text then and the next one begins; one without words is not told.
        """

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        """The transcriber has a view of the caller's turn; only where it was asked for one.

        `seconds_ago` is audio time: how far the event lies behind the newest audio that was
        sent (s, never negative). What is sent again over a new connection is judged again.
        """

    def on_trouble(self, error: ModelError, *, lost: bool) -> None:
        """Transcription fails; `lost` when it has been given up for now."""


class Hearing(Protocol):
    """Live transcription of one call."""

    async def open(self, listener: HearingListener) -> None:
        """Begin; returns at once and connects behind the scenes."""

    def send(self, pcm: bytes) -> None:
        """Take int16 mono audio at 16 kHz. Never blocks; audio is kept while disconnected."""

    def flush(self) -> int:
        """Ask for the final text of what was sent since the last flush; return its number."""

    @property
    def backlog(self) -> float:
        """Seconds of audio that were taken and not sent yet."""

    async def close(self) -> None:
        """End it; idempotent."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A tool call, whole. `id` is nine alphanumerics; `arguments` is JSON text as sent."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost, in tokens."""

    prompt: int = 0
    completion: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer."""

    reason: str
    usage: Usage = field(default_factory=Usage)


Thought = TextDelta | ToolCallDelta | Finished


class Thinking(Protocol):
    """A chat model with tools."""

    def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer a history, streamed. Closing the iterator ends the request.

        Raises:
            ModelError: If the server cannot be reached, refuses, stalls or breaks off.
        """


class Speaking(Protocol):
    """Text to speech."""

    @property
    def rate(self) -> int:
        """Sample rate of what `stream` gives (Hz)."""

    def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text: int16 mono chunks of any length. Closing the iterator ends the request.

        What was given stays given: an error behind the first chunk never means that it is said
        again.

        Args:
            text: What to say; may hold tags ("[emotion=calm]"), which a model without them is
                not sent.
            voice: Who speaks; a preset's slug, a voice's id, or more than that (`Speaker`).
            language: Its code.

        Raises:
            ModelError: If the server cannot be reached, refuses, stalls or breaks off.
        """
