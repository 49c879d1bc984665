"""Listening: somebody who only listens to an interpreted session, at the least cost.

No pipeline runs for a listener: what they hear is made for all of their language at once.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Protocol

import numpy as np

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.events import CallEnded, CallStarted, Failed, SegmentChanged
from vivavoce.agent.interpreter import Interpreter, Original
from vivavoce.agent.line import LineError, Sound
from vivavoce.agent.reason import LINE_CLOSED
from vivavoce.agent.transcript import Failure, Reply
from vivavoce.agent.transfer import TransferRequest
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.interpret.programme import Follower, Programme
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.transport import Transport
from vivavoce.pipelines.turns.playout import Block

_WRONG = "a listener's line carries no such thing"


class Held(Protocol):
    """What a still line is of."""

    def now(self) -> float:
        """Return the seconds since the session began."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End it."""


class StillLine:
    """A line at which nobody speaks for us. Implements `agent.line.Line`.

    Args:
        talk: Whose.
    """

    def __init__(self, talk: Held) -> None:
        self._talk = talk

    def now(self) -> float:
        """Return the seconds since the session began."""
        return self._talk.now()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def say(self, text: str, *, interruptible: bool) -> Reply:
        """Say nothing."""
        del interruptible
        return Reply(generated=text, closed=True)

    async def play(self, sound: Sound, *, rate: int, text: str, interruptible: bool) -> Reply:
        """Play nothing."""
        del sound, rate, interruptible
        return Reply(generated=text, closed=True)

    async def interrupt(self) -> None:
        """Do nothing: others listen, too."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """Let the listener go."""
        await self._talk.hang_up(reason, after_speech=after_speech)

    async def hold(self, *, on: bool, music: Sound | None, rate: int) -> None:
        """Do nothing."""

    async def transfer(self, request: TransferRequest) -> None:
        """Refuse."""
        del request
        raise LineError(_WRONG)

    async def send_dtmf(self, digits: str) -> None:
        """Refuse."""
        del digits
        raise LineError(_WRONG)

    async def send(self, message: Any) -> None:
        """Refuse."""
        del message
        raise LineError(_WRONG)

    async def handed_off(self) -> None:
        """Do nothing."""

    async def consult(self, agent: Agent[Any, Any], request: str) -> str:
        """Refuse."""
        del agent, request
        raise LineError(_WRONG)


class Listener:
    """One listener of a session. Implements `Talk`.

    Args:
        interpreter: Whose session it is.
        transport: What carries the call.
        hears: The language that they hear.
        clock: The session's clock.
        began: When the session began, on that clock (s).
        rate: Sample rate of what it gives (Hz).
        call_id: Names the call; made up if None.
        caller: Who calls, where that is known.
        called: What they called, likewise.

    Attributes:
        call: The call's public face: events, and a transcript of segments from when they came.
        playout: How long after it was played sound is heard, as the client says (s).
        follower: Their place in a programme; None where they only read.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        transport: Transport,
        *,
        hears: str,
        clock: Clock,
        began: float,
        rate: int,
        call_id: str | None = None,
        caller: str = "",
        called: str = "",
    ) -> None:
        self.clock = clock
        self.call: Call[Any] = Call(
            interpreter.facade(hears),
            call_id or secrets.token_hex(6),
            caller=caller,
            called=called,
        )
        self.playout = 0.0
        self.follower: Follower | None = None
        self._rate = rate
        self._began = began
        self._transport = transport
        self._over = ""
        self._noted: set[int] = set()

    # For the session.

    def tune(self, programme: Programme | None) -> None:
        """Hear a programme from now on, from the present; None: nothing."""
        if self.follower is not None:
            if self.follower.programme is programme:
                return
            self.follower.close()
        self.follower = None if programme is None else Follower(programme)

    def note(self, event: SegmentChanged) -> None:
        """Enter a segment that is new or has changed; one event serves all who listen."""
        if self.call.ended:
            return
        if id(event.segment) not in self._noted:
            self._noted.add(id(event.segment))
            self.call.transcript.add(event.segment)
        self.call.emit(event)

    # For the transport (`Carried`) and for whoever serves the call (`Talk`).

    @property
    def rate(self) -> int:
        """Sample rate of what `play` gives (Hz)."""
        return self._rate

    @property
    def agent(self) -> Agent[Any]:
        """The interpreter's facade."""
        return self.call.agent

    @property
    def busy(self) -> bool:
        """Never: nobody waits for a listener."""
        return False

    @property
    def settled(self) -> bool:
        """Always: a listener says nothing."""
        return True

    @property
    def over(self) -> str:
        """Why the call is over; empty while it goes on."""
        return self._over

    def fail(self, stage: str, message: str) -> None:
        """Note that something of the transport's failed; the call goes on."""
        failure = Failure(stage, message, self.now())
        self.call.transcript.add(failure)
        self.call.emit(Failed(failure.at, failure))

    def packet(self) -> bytes | None:
        """Take the next 20 ms of what they hear, encoded; None where it cannot be had like that."""
        if self.follower is None or not self.follower.programme.encodes:
            return None
        return self.follower.packet()

    def set_original(self, original: Original) -> None:
        """Do nothing: what a listener hears is made for all of their language."""

    async def play(self, count: int) -> Block:
        """Take the next `count` samples of what they hear."""
        follower = self.follower
        samples = np.zeros(count, np.int16) if follower is None else follower.take(count)
        return Block(samples, None, (), bool(samples.any()))

    def ahead(self, seconds: float) -> tuple[int, Samples]:
        """Return nothing: what comes next is made for all, when it comes."""
        del seconds
        return 0, np.zeros(0, np.int16)

    def now(self) -> float:
        """Return the seconds since the session began."""
        return self.clock.now() - self._began

    def use(self, agent: Agent[Any]) -> None:
        """Do nothing: an interpreter is not replaced in the middle of a session."""

    def note_heard(self) -> None:
        """Do nothing: segments tell by themselves how far they are."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """Let the listener go, at once."""
        del after_speech
        self._over = self._over or reason

    async def run(self) -> Call[Any]:
        """Carry the call to its end and return it; cancelling it ends the call."""
        self.call.connect(StillLine(self))
        self.call.emit(CallStarted(self.now(), self.call.id))
        reason = LINE_CLOSED
        try:
            reason = await self._transport.carry(self)
        finally:
            self.tune(None)
            try:
                await asyncio.shield(self._transport.close())
            finally:
                self.call.emit(CallEnded(self.now(), self._over or reason))
        return self.call
