"""A seat: one participant of an interpreted session, on one transport."""

from __future__ import annotations

from typing import Any

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.segment import Segment
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.interpret.ear import Ear
from vivavoce.pipelines.interpret.lane import Voices
from vivavoce.pipelines.interpret.outlet import Beneath, Outlet
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.transport import Transport
from vivavoce.pipelines.turns.playout import Block


class Seat:
    """One participant: speaks, hears the others translated, or both. Implements `Talk`.

    It owns its ear, the ear owns its lanes; a session connects them: another's
    `ear.lane(language).outlet()` is given to `listen`, and their voice to `beneath`.

    Args:
        interpreter: How it is to be done.
        models: With what.
        transport: What carries the call.
        speaks: The participant's language; "" where it is either of the interpreter's two; None
            where they only listen.
        hears: The language that they hear.
        name: Names the speaker in segments.
        call_id: Names the call; made up if None.
        caller: Who calls, where that is known.
        called: What they called, likewise.
        clock: The session's clock; one of its own if None.
        began: When the session began, on that clock (s): all times of all its participants count
            from there; when this call begins, if None.
        voices: Whose voice speaks for this participant; the interpreter's if None.
        simulated: Whether time is simulated.

    Attributes:
        call: The call's public face: events, transcript with segments, ledger, usage.
        ear: What hears the participant; None where they only listen.
        changed: Told of each segment of this participant's: `note` of this seat, and whatever a
            session adds.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        models: Models,
        transport: Transport,
        *,
        speaks: str | None,
        hears: str,
        name: str = "A",
        call_id: str | None = None,
        caller: str = "",
        called: str = "",
        clock: Clock | None = None,
        began: float | None = None,
        voices: Voices | None = None,
        simulated: bool = False,
    ) -> None:
        self.call: Call[Any]
        self.ear: Ear | None
        self.clock: Clock
        raise NotImplementedError

    # For the session.

    def listen(self, outlet: Outlet) -> None:
        """Hear an outlet from now on, mixed with whatever else is heard."""
        raise NotImplementedError

    def unlisten(self, outlet: Outlet) -> None:
        """Hear it no more; idempotent. The outlet itself is left to its lane (`Lane.leave`)."""
        raise NotImplementedError

    def beneath(self, speaker: Seat) -> Beneath:
        """Hear a speaker's own voice beneath the translation; feed it by `hears_also`."""
        raise NotImplementedError

    def note(self, segment: Segment) -> None:
        """Enter a segment that is new or has changed into this seat's call."""
        raise NotImplementedError

    # For the transport (`Carried`) and for whoever serves the call (`Talk`).

    @property
    def rate(self) -> int:
        """Sample rate of what `play` gives (Hz)."""
        raise NotImplementedError

    @property
    def agent(self) -> Agent[Any]:
        """The interpreter's facade."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether a model is being waited for: time must pass as it does."""
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        """Whether nobody speaks and nothing is being made."""
        raise NotImplementedError

    @property
    def over(self) -> str:
        """Why the call is over; empty while it goes on."""
        raise NotImplementedError

    async def play(self, count: int) -> Block:
        """Take the next `count` samples of what the participant hears."""
        raise NotImplementedError

    def ahead(self, seconds: float) -> tuple[int, Samples]:
        """Return what `play` is going to give next, as far as is known (int16 at `rate`)."""
        raise NotImplementedError

    def now(self) -> float:
        """Return the seconds since the session began."""
        raise NotImplementedError

    def use(self, agent: Agent[Any]) -> None:
        """Do nothing: an interpreter is not replaced in the middle of a session."""

    def note_heard(self) -> None:
        """Do nothing: segments tell by themselves how far they are."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End the call, after what is being said where asked."""
        raise NotImplementedError

    async def run(self) -> Call[Any]:
        """Carry the call to its end and return it.

        Raises:
            RuntimeError: If the pipeline does not start.
        """
        raise NotImplementedError
