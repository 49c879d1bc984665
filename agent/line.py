"""The line: what a running pipeline does for the call that it carries."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import Buffer

from vivavoce.agent.transcript import Reply

if TYPE_CHECKING:
    from vivavoce.agent.agent import Agent
    from vivavoce.agent.transfer import TransferRequest

Sound = Buffer | str | PathLike[str]
"""A sound to play: int16 mono samples (a numpy array, bytes), or the path of a WAV file."""

KEYS = frozenset("0123456789*#ABCD")
"""The keys of a telephone."""


class LineError(RuntimeError):
    """This line cannot do what it was asked for; the message says what can."""


class Line(Protocol):
    """What a running pipeline does for the call that it carries."""

    def now(self) -> float:
        """Return the seconds since the call began."""

    async def sleep(self, seconds: float) -> None:
        """Wait, on the call's clock; return at once when the call ends."""

    async def say(self, text: str, *, interruptible: bool) -> Reply:
        """Speak a text; return when it was played or cut."""

    async def play(self, sound: Sound, *, rate: int, text: str, interruptible: bool) -> Reply:
        """Play a sound; return when it was played or cut."""

    async def interrupt(self) -> None:
        """Cut what is being said."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End the call, after what is being said where asked."""

    async def hold(self, *, on: bool, music: Sound | None, rate: int) -> None:
        """Put the caller on hold, or take them back."""

    async def transfer(self, request: TransferRequest) -> None:
        """Hand the caller over; return once that is done, or both are joined.

        Raises:
            LineError: If the line cannot, the other side refused, or nobody took the caller.
        """

    async def send_dtmf(self, digits: str) -> None:
        """Send key tones.

        Raises:
            LineError: If the line cannot.
        """

    async def send(self, message: Any) -> None:
        """Send a message to the application at the other end.

        Raises:
            LineError: If the line carries no messages.
        """

    async def handed_off(self) -> None:
        """Have the agent that took over say its greeting, once nothing is being thought out."""

    async def consult(self, agent: Agent[Any, Any], request: str) -> str:
        """Have another agent's model answer a request in text, with its own tools."""
