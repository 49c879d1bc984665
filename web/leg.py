"""A leg: one connection of a caller's, of whatever kind. A call may outlive it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from vivavoce.pipelines.audio.convert import Int16

BLOCK = 0.02
"""Seconds of sound that are heard and answered at a time."""

Told = Callable[[str], None]
"""Takes a text message of the client's."""


class Leg(Protocol):
    """One connection. Everything is safe at any time; once it is closed it does nothing.

    Attributes:
        name: Names it to its client, for renegotiation.
        kind: "webrtc", "websocket", "realtime" or a carrier's name.
        rate: Sample rate of what is said to it (Hz).
        told: Who takes its messages.
    """

    name: str
    kind: str
    rate: int
    told: Told | None

    @property
    def closed(self) -> bool:
        """Whether it is gone for good."""

    @property
    def alive(self) -> bool:
        """Whether anything came from the client lately: if not, what is said may not arrive."""

    @property
    def wanted(self) -> float:
        """Seconds of speech that it lacks now."""

    async def listen(self) -> list[tuple[Int16, int]]:
        """Wait for 20 ms blocks of the caller's sound, each with its rate (Hz).

        They come by the leg's own clock, silent where nothing was sent. None come when it is
        closed, or nothing happened for a second.
        """

    async def say(self, pcm: Int16) -> None:
        """Send speech (int16 at `rate`)."""

    def write(self, text: str) -> None:
        """Send a message; what cannot be sent is dropped."""

    def figures(self) -> dict[str, Any]:
        """Return how good the connection is, as the `network` event has it."""

    async def close(self) -> None:
        """Close it; idempotent."""
