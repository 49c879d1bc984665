"""A live call: what a client asked for, what carries it, and what is left of it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from vivavoce.agent import Agent
from vivavoce.agent.record import record
from vivavoce.agent.revival import Past
from vivavoce.pipelines.interpret.room import Room
from vivavoce.pipelines.interpret.seat import Seat
from vivavoce.pipelines.interpret.seating import Hears, Person
from vivavoce.pipelines.talk import Talk
from vivavoce.web.line import Line

ASKED = (
    *("agent", "interpreter", "language", "voice"),
    *("room", "lecture", "name", "speaks", "hears", "captions", "copy"),
)
"""What a client may ask of its call."""


class DeskError(Exception):
    """A call cannot begin or go on.

    Attributes:
        status: HTTP's status that says so.
        code: A word for programs.
        retry: Seconds after which it may be tried again; 0 for never.
    """

    def __init__(self, status: int, code: str, text: str, retry: float = 0.0) -> None:
        super().__init__(text)
        self.status, self.code, self.retry = status, code, retry


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks of its call.

    Attributes:
        agent: Who is to answer; "" for the first one.
        language: What they are to speak.
        voice: In which voice, where that may be chosen.
        address: Where the client is.
        caller: Who it is, where a token says so.
        called: What it called: a number, a page's origin.
        room: The room that they join; "" for a call of their own.
        name: What others in it see.
        speaks: Whether they speak in it, or only listen.
        hears: What they hear of others.
        copies: They agree that their voice is copied for what is said in their name.
    """

    agent: str = ""
    language: str = ""
    voice: str = ""
    address: str = ""
    caller: str = ""
    called: str = ""
    room: str = ""
    name: str = ""
    speaks: bool = True
    hears: Hears = "translation"
    copies: bool = False


@dataclass(eq=False)
class LiveCall:
    """A call, from its leave to begin to the end of its record.

    Attributes:
        id: Names it.
        resume: Whoever has it is the caller, and may come back with it.
        wish: What was asked for.
        line: What carries it.
        agent: Who answered.
        began: When.
        conversation: Once the client is reached.
        record: Once it is over.
        recording: Where it is recorded.
        room: The room that they are in; None for a call of their own.
        person: Who they are in it.
        resumable: Whether its caller was told what to come back with.
        past: What another server carried of it; None where it began here.
        taken: Another server carries it by now.
    """

    id: str
    resume: str
    wish: Wish
    line: Line
    agent: Agent[Any]
    began: datetime
    recording: Path | None = None
    conversation: Talk | None = None
    room: Room | None = None
    person: Person | None = None
    record: dict[str, Any] | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    leaving: bool = False
    resumable: bool = False
    past: Past | None = None
    taken: bool = False

    @property
    def kept(self) -> bool:
        """Whether it is recorded and kept: who only listens to others leaves nothing behind."""
        return self.person is None or self.person.speaks

    @property
    def seat(self) -> dict[str, str]:
        """Where they are seated, as their client is told; nothing for a call of their own."""
        if self.room is None or self.person is None:
            return {}
        return {"room": self.room.id, "person": self.person.id, "name": self.person.name}

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.record is not None

    def is_caller(self, token: str) -> bool:
        """Whether a token is this call's, whichever worker's name it bears."""
        return _is_callers(token, self.resume)

    def figures(self) -> tuple[object, Mapping[str, Any]]:
        """Return its present connection, and how good that is; None and nothing without one."""
        leg = self.line.leg
        return leg, {} if leg is None else leg.figures()

    def make_record(self, models: Mapping[str, str], *, growing: bool = False) -> dict[str, Any]:
        """Make its record, once there is a conversation.

        Args:
            models: Which model serves each stage.
            growing: It goes on: see `vivavoce.agent.record.record`.
        """
        conversation, leg = self.conversation, self.line.leg
        assert conversation is not None
        entry = record(
            conversation.call,
            agent=self.agent.name,
            began=self.began,
            seconds=conversation.now(),
            models=dict(models),
            growing=growing,
        )
        kind, call = leg.kind if leg is not None else "", conversation.call
        entry |= {"caller": call.caller, "called": call.called, "kind": kind}
        entry["web"] = {
            "kind": kind,
            "caller": self.wish.caller,
            "called": self.wish.called,
            "network": leg.figures() if leg is not None else {},
        }
        if isinstance(conversation, Seat) and conversation.speakers is not None:
            entry["voices"] = conversation.speakers.records
        if self.room is not None and self.person is not None:
            entry["seat"] = {"room": self.room.id, **self.person.to_dict()}
        return entry

    def report(self, models: Mapping[str, str]) -> dict[str, Any]:
        """Return its record, as far as it goes.

        Args:
            models: As for `make_record`.
        """
        if self.record is not None:
            return self.record
        if self.conversation is None:
            return {"call": self.id, "agent": self.agent.name, "phase": "connecting"}
        return {**self.make_record(models), "phase": self.conversation.call.phase}

    async def hang_up(self, reason: str = "the caller hung up") -> None:
        """End it."""
        if self.conversation is not None:
            await self.conversation.hang_up(reason, after_speech=False)
        elif self.task is not None and not self.leaving:
            self.leaving = True  # a second time, it would interrupt the farewell
            # A task that is cancelled before its first step never comes to what it owes at its end.
            await asyncio.sleep(0)
            self.task.cancel()


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class PastCall:
    """What is held of a call that is over, for who was in it.

    Not the call itself: with its pipeline, its connection and their sound it would be a megabyte.

    Attributes:
        id: Named it.
        resume: Whoever has it was the caller.
        wish: What was asked for.
        agent: The name of who answered.
        record: Its record.
        recording: Where it was recorded.
        person: Who its caller was in a room; None for a call of their own.
        reached: Whether its client was ever reached.
        ended_at: When it was over (s, monotonic).
    """

    id: str
    resume: str
    wish: Wish
    agent: str
    record: dict[str, Any]
    recording: Path | None
    person: Person | None
    reached: bool
    ended_at: float

    @classmethod
    def of(cls, live: LiveCall, record: dict[str, Any], now: float) -> PastCall:
        """Keep what is needed of a call that has ended."""
        return cls(
            live.id,
            live.resume,
            live.wish,
            live.agent.name,
            record,
            live.recording,
            live.person,
            live.conversation is not None,
            now,
        )

    @property
    def over(self) -> bool:
        """It has ended."""
        return True

    def is_caller(self, token: str) -> bool:
        """Whether a token is this call's, whichever worker's name it bears."""
        return _is_callers(token, self.resume)

    async def hang_up(self) -> None:
        """Do nothing: it is over."""


def _is_callers(token: str, resume: str) -> bool:
    return hmac.compare_digest(_secret(token), _secret(resume))


def _secret(token: str) -> bytes:
    return token.rpartition(".")[2].encode()
