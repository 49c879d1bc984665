"""A room: a session of several people, each of whom hears the others in their own language.

Each speaker has one ear, whoever listens; each ear has one lane for every language that somebody
else in the room hears. Who only listens costs no pipeline: see `listening`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pipecat.processors.frame_processor import FrameProcessor

from vivavoce.agent.call import Call
from vivavoce.agent.events import CallEnded, CallStarted, SegmentChanged
from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.reason import SESSION_CLOSED, code_of
from vivavoce.agent.record import record
from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import Failure, Transcript
from vivavoce.agent.usage import Usage
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.interpret.listening import Listener, StillLine
from vivavoce.pipelines.interpret.programme import Encode
from vivavoce.pipelines.interpret.seat import Seat
from vivavoce.pipelines.interpret.seating import Hears, Person, Route, Seating
from vivavoce.pipelines.interpret.wiring import Made, Wiring
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.transport import Carried, Transport

log = logging.getLogger("vivavoce")

Kind = Literal["room", "lecture"]

LOOK = 0.2
"""Seconds between two looks at who is there and who speaks."""
TELL = 0.5
"""Seconds between two news of that, at least."""
SHOWN = 20
"""Listeners that are named to others; of more they are counted by language."""
DRAIN = 8.0
"""Seconds in which what somebody said who has left is still translated and heard by the rest."""
LEAVING = 10.0
"""Seconds in which all have left when the room ends."""


class Room:
    """One session of several people. `run` carries it; each seat's own `run` carries its call.

    Args:
        interpreter: How it is to be done; all of its languages may be spoken.
        models: With what.
        kind: "lecture" where one speaks and the others came to listen.
        title: What it is called, for people.
        ident: Names it; made up if None, and not to be guessed.
        people: How many may be there at once.
        speakers: How many of them may speak.
        encoder: Makes an encoder for a rate (Hz), of 20 ms blocks, for listeners who take packets;
            None: they get samples.

    Attributes:
        call: The room's public face: every segment of everybody, and its end.
        seating: Who is there.
        began_at: When it began.
        on_change: Told when who is there, or who speaks, has changed; twice a second at most.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        models: Models,
        *,
        kind: Kind = "room",
        title: str = "",
        ident: str | None = None,
        people: int = 12,
        speakers: int = 6,
        encoder: Callable[[int], Encode] | None = None,
    ) -> None:
        self.interpreter = interpreter
        self.id = ident or secrets.token_urlsafe(12).replace("-", "x")
        self.kind, self.title = kind, title
        self.clock = Clock()
        self.began = self.clock.now()
        self.began_at = datetime.now(UTC)
        self.call: Call[Any] = Call(interpreter.facade(), self.id, called=title)
        self.call.models = dict(models.names)
        self.seating = Seating(
            interpreter.languages,
            people=people,
            speakers=1 if kind == "lecture" else speakers,
            lecture=kind == "lecture",
            longest=interpreter.limits.call,
        )
        self.on_change: list[Callable[[], None]] = []
        self._models = models
        self._encoder = encoder
        self._made: dict[str, Made] = {}
        self._there: dict[str, Callable[[], bool]] = {}
        self._wiring = Wiring(models.speaking.rate, interpreter.original, encoder)
        self._speaking: set[str] = set()
        self._shown: tuple[int, frozenset[str]] = (-1, frozenset())
        self._told_at = -TELL
        self._noted: set[int] = set()
        self._calls: list[tuple[Person, Call[Any]]] = []
        self._together = Transcript()
        self._news = asyncio.Event()
        self._tasks = Tasks()
        self._over = ""
        self._ended = asyncio.Event()
        self.call.connect(StillLine(self))

    def __repr__(self) -> str:
        return f"<Room {self.kind} {len(self.seating)} people>"

    # Who is there.

    @property
    def ends_at(self) -> datetime:
        """When it ends at the latest."""
        return self.began_at + timedelta(seconds=self.interpreter.limits.call)

    @property
    def over(self) -> str:
        """Why it is over; "" while it goes on."""
        self._over = self._over or self.seating.over(self.now())
        return self._over

    def now(self) -> float:
        """Return the seconds since it began."""
        return self.clock.now() - self.began

    def reserve(
        self,
        *,
        language: str,
        name: str = "",
        speaks: bool = True,
        hears: Hears = "translation",
        kind: str = "",
    ) -> Person:
        """Give somebody a seat before they are reached; `leave` gives it back.

        Args:
            language: What they speak, or only hear.
            name: What others see.
            speaks: Whether they are listened to.
            hears: The translation, the original, or captions alone.
            kind: How they come: "webrtc", "phone in".

        Raises:
            SeatingError: There is none for them.
        """
        person = self.seating.join(
            self.now(), language=language, name=name, speaks=speaks, hears=hears
        )
        person.kind = kind
        self._news.set()
        return person

    def seat(
        self,
        person: Person,
        transport: Transport,
        *,
        call_id: str | None = None,
        caller: str = "",
        called: str = "",
        there: Callable[[], bool] | None = None,
    ) -> Made:
        """Seat somebody who has reserved; they leave when its `run` ends.

        Args:
            person: Who.
            transport: What carries their call.
            call_id: Names their call; made up if None.
            caller: Who calls, where that is known.
            called: What they called, likewise.
            there: Whether they can be reached just now; None: always.
        """
        door = _Door(transport, lambda: self.leave(person.id))
        made: Made
        if person.speaks:
            made = _Place(
                self.interpreter,
                self._models,
                door,
                speaks=person.language,
                hears=person.language,
                name=person.name,
                call_id=call_id,
                caller=caller,
                called=called,
                clock=self.clock,
                began=self.began,
                drain=DRAIN,
            )
            made.gone = lambda: self._gone(person.id)
            made.on_segment.append(lambda segment: self._segment(person.id, segment))
        else:
            made = Listener(
                self.interpreter,
                door,
                hears=person.language,
                clock=self.clock,
                began=self.began,
                rate=self._models.speaking.rate,
                call_id=call_id,
                caller=caller,
                called=called,
            )
        self._made[person.id] = made
        if person.speaks:
            self._calls.append((person, made.call))
        if there is not None:
            self._there[person.id] = there
        self._news.set()
        return made

    def leave(self, ident: str) -> None:
        """Somebody has left for good; idempotent.

        What they said last is still translated and heard by the others.
        """
        person = self.seating.leave(ident, self.now(), fading=ident in self._made)
        if person is not None:
            log.info("%r: %s has left", self, ident)
            self._there.pop(ident, None)
            if not person.speaks:
                self._gone(ident)
            self._news.set()

    def choose(self, ident: str, *, language: str = "", hears: Hears | None = None) -> None:
        """Have somebody hear something else, from the present on.

        Raises:
            SeatingError: They cannot.
        """
        self.seating.choose(ident, language=language, hears=hears)
        person, made = self.seating[ident], self._made.get(ident)
        if made is not None:
            made.call.language = person.language
        self._news.set()

    async def hang_up(self, reason: str, *, after_speech: bool = False) -> None:
        """End it for all."""
        del after_speech
        self._over = self._over or reason
        self._news.set()

    # Running it.

    async def run(self) -> Call[Any]:
        """Carry it until it is over, everybody has gone, and its end is told; return its call.

        Cancelling it ends it for all; the cancellation goes on.
        """
        self.call.emit(CallStarted(0.0, self.call.id))
        reason = SESSION_CLOSED
        try:
            while not (why := self.over):
                self._look()
                if self._news.is_set():
                    self._news.clear()
                    await self._wiring.arrange(self.seating, self._made)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self._news.wait()
            reason = why
        finally:
            self._over = self._over or reason
            await asyncio.shield(self._tasks.spawn(self._end(reason), f"end of {self.id}"))
        return self.call

    async def wait(self, within: float) -> bool:
        """Wait until it is over and its end is told; return whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._ended.wait()
        return self._ended.is_set()

    async def _end(self, reason: str) -> None:
        for made in list(self._made.values()):
            await made.hang_up(reason, after_speech=False)
        self.seating.end(self.now())
        until = self.clock.now() + LEAVING
        while any(isinstance(made, Seat) for made in self._made.values()):
            if self.clock.now() > until:
                log.warning("%r: somebody does not leave", self)
                break
            await asyncio.sleep(0.02)
        await self._wiring.arrange(self.seating, self._made)
        self.call.emit(CallEnded(self.now(), reason))
        self._tell()
        self._ended.set()

    def _gone(self, ident: str) -> None:
        self.seating.gone(ident)
        made = self._made.pop(ident, None)
        if isinstance(made, Listener):
            made.tune(None)
        self._news.set()

    # What is told.

    def _segment(self, ident: str, segment: Segment) -> None:
        """A segment of somebody's is new or has changed: tell those who read it."""
        event = SegmentChanged(self.now(), segment)
        if not self.call.ended:
            if id(segment) not in self._noted:
                self._noted.add(id(segment))
                self.call.transcript.add(segment)
            self.call.emit(event)
        for reader in self._wiring.readers.get(Route(ident, segment.target), ()):
            made = self._made.get(reader)
            if isinstance(made, Listener):
                made.note(event)
            elif made is not None:
                made.note(segment)

    def _look(self) -> None:
        """See who can be reached, and who speaks."""
        for ident, there in list(self._there.items()):
            self.seating.reach(ident, there=there())
        self._speaking = {
            ident
            for ident, made in self._made.items()
            if isinstance(made, Seat) and made.ear is not None and made.ear.speaking
        }
        shown = self.seating.changes, frozenset(self._speaking)
        now = self.now()
        if shown != self._shown and now - self._told_at >= TELL:
            self._shown, self._told_at = shown, now
            self._tell()

    def _tell(self) -> None:
        for told in list(self.on_change):
            told()

    def state(self) -> dict[str, Any]:
        """Return who is there, as clients have it."""
        people = list(self.seating)
        listeners: dict[str, int] = {}
        for person in people:
            if not person.speaks:
                listeners[person.language] = listeners.get(person.language, 0) + 1
        named = sum(listeners.values()) <= SHOWN
        return {
            "room": self.id,
            "kind": self.kind,
            "title": self.title,
            "participants": [
                person.to_dict(speaking=person.id in self._speaking)
                for person in people
                if person.speaks or named
            ],
            "listeners": listeners,
            "over": self.over,
            "over_code": code_of(self.over),
        }

    def record(self, *, growing: bool = False) -> dict[str, Any]:
        """Return the room's record: everybody's segments in the order of time, and who was there.

        What it took from the models is that of all of its speakers' calls.

        Args:
            growing: It goes on, and its record is made again and again: see `Transcript.rows`.
        """
        entry = record(
            self.call,
            agent=self.interpreter.name,
            began=self.began_at,
            seconds=self.now(),
            models=self._models.names,
            growing=growing,
        )
        calls = [call for _, call in self._calls]
        usage = Usage()
        for call in calls:
            for each in fields(Usage):
                total = getattr(usage, each.name) + getattr(call.usage, each.name)
                setattr(usage, each.name, total)
        costs = [call.cost() for call in calls]
        entry["usage"] = usage.to_dict()
        entry["cost_usd"] = None if None in costs else round(sum(filter(None, costs)), 6)
        timed: list[tuple[float, Segment | Failure]] = []
        timed += [(each.started, each) for each in self.call.transcript.segments]
        timed += [(each.at, each) for call in calls for each in call.transcript.failures]
        timed.sort(key=lambda each: each[0])
        self._together.entries = [each for _, each in timed]
        together = self._together
        entry["transcript"] = together.rows() if growing else together.to_dict()
        people = [*self.seating.past, *self.seating]
        entry |= {"caller": "", "called": self.title, "kind": self.kind}
        entry["room"] = {
            "kind": self.kind,
            "title": self.title,
            "languages": list(self.interpreter.languages),
            "participants": [person.to_dict() for person in sorted(people, key=_joined)],
            "calls": {person.id: call.id for person, call in self._calls},
        }
        return entry


def _joined(person: Person) -> tuple[float, str]:
    return person.joined, person.id


class _Door:
    """A participant's transport, which tells when they have left. Implements `Transport`."""

    def __init__(self, transport: Transport, left: Callable[[], None]) -> None:
        self._transport, self._left = transport, left

    def input(self) -> FrameProcessor:
        return self._transport.input()

    def output(self) -> FrameProcessor:
        return self._transport.output()

    async def carry(self, conversation: Carried) -> str:
        try:
            return await self._transport.carry(conversation)
        finally:
            self._left()

    async def close(self) -> None:
        await self._transport.close()


class _Place(Seat):
    """A speaker's seat, which tells when the last of what they said was heard."""

    gone: Callable[[], None]

    async def run(self) -> Call[Any]:
        try:
            return await super().run()
        finally:
            self.gone()
