"""What the desk does for interpreters: sessions of one line, rooms and lectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from vivavoce.agent import Agent, Interpreter
from vivavoce.agent.languages import base
from vivavoce.phone.media.codec import Opus
from vivavoce.pipelines.hosting import Host, face
from vivavoce.pipelines.interpret.interpretation import Interpretation
from vivavoce.pipelines.interpret.listening import Listener
from vivavoce.pipelines.interpret.programme import Encode
from vivavoce.pipelines.interpret.room import Room
from vivavoce.pipelines.interpret.rooms import Open, Rooms
from vivavoce.pipelines.interpret.seat import Seat
from vivavoce.pipelines.interpret.seating import Person, SeatingError
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.consent import Consent
from vivavoce.pipelines.speakable import prepare
from vivavoce.pipelines.talk import Talk
from vivavoce.web import rtvi
from vivavoce.web.live import DeskError, LiveCall, Wish
from vivavoce.web.store_keeper import Keeper

_STATUS = {"full": 503, "taken": 409, "over": 410}


class UnreachedError(Exception):
    """Somebody was not reached by telephone; the message says why."""


class Telephone(Protocol):
    """Calls people into rooms."""

    async def invite(self, room: Room, number: str, *, language: str, name: str = "") -> Person:
        """Call somebody, and seat them once they answer; cancelling hangs up.

        Raises:
            UnreachedError: Nobody answered, they may not be called, or there is no seat for them.
        """


def encoder(rate: int) -> Encode:
    """Return an Opus encoder of 20 ms blocks, for a lecture's listeners."""
    return Opus(rate, repairs=True).encode  # nobody tells what each of them lacked


def faces(hosts: Sequence[Host]) -> dict[str, Agent[Any]]:
    """Return who takes calls, by name: of an interpreter, what a call knows of it.

    The languages that they speak are loaded: at a first reply that would hold up all calls (20 ms).

    Raises:
        ValueError: There is nobody, or two have one name.
    """
    found = {host.name: face(host) for host in hosts}
    if not hosts or len(found) != len(hosts):
        raise ValueError("give at least one agent, and each another name: Agent(name=...)")
    for agent in found.values():
        for language in agent.languages:
            prepare(language)
    return found


class Interpreting:
    """Interpreters at a desk, and the rooms that they interpret. Close it with the desk.

    Args:
        hosts: Who takes calls; agents are none of ours.
        models: What is heard, thought and spoken with.
        most: How many rooms may be open at once.
        rooms: The rooms, where a telephone leads into them, too; None: of our own.

    Attributes:
        interpreters: By name.
        rooms: The rooms.
        telephone: Calls people into them; None: nobody can be called.
    """

    def __init__(
        self, hosts: Sequence[Host], models: Models, *, most: int, rooms: Rooms | None = None
    ) -> None:
        self.interpreters: dict[str, Interpreter] = {}
        self.use(hosts)
        self.rooms = Rooms(models, most=most, encoder=encoder) if rooms is None else rooms
        self.telephone: Telephone | None = None
        self._models = models

    def use(self, hosts: Sequence[Host]) -> None:
        """Let newer versions take what begins from now on."""
        self.interpreters = {host.name: host for host in hosts if isinstance(host, Interpreter)}

    def keep(self, keeper: Keeper) -> None:
        """Have the record of each room kept, beside those of its speakers' calls."""
        self.rooms.began.append(
            lambda room: keeper.began(room.call, partial(room.record, growing=True))
        )
        self.rooms.ended.append(lambda room: keeper.ended(room.call, room.record()))

    async def close(self) -> None:
        """End all rooms; idempotent."""
        await self.rooms.close()

    # Rooms.

    def room(self, ident: str) -> Open:
        """Return a room that is open.

        Raises:
            DeskError: There is none, or it is over.
        """
        opened = self.rooms.find(ident)
        if opened is None:
            raise DeskError(404, "no_room", "there is no such room: ask for another link")
        if opened.room.over:
            raise DeskError(410, "over", f"the session is over: {opened.room.over}")
        return opened

    def face(self, wish: Wish) -> Agent[Any] | None:
        """Return the interpreter of the room that somebody wants to join, as its calls know it.

        Raises:
            DeskError: There is no such room, or nobody speaks that language in it.
        """
        if not wish.room:
            return None
        room = self.room(wish.room).room
        if wish.agent and wish.agent != room.interpreter.name:
            text = f"the room is interpreted by {room.interpreter.name}, not by {wish.agent}"
            raise DeskError(404, "no_agent", text)
        try:
            return room.interpreter.facade(room.seating.language(wish.language))
        except SeatingError as error:
            raise DeskError(400, error.code, str(error)) from None

    def reserve(self, wish: Wish, kind: str) -> tuple[Room, Person]:
        """Give somebody a seat in a room.

        Raises:
            DeskError: There is no such room, or no seat for them.
        """
        room = self.room(wish.room).room
        try:
            person = room.reserve(
                language=wish.language,
                name=wish.name,
                speaks=wish.speaks,
                hears=wish.hears,
                kind=kind,
            )
        except SeatingError as error:
            status = _STATUS.get(error.code, 400)
            retry = 5.0 if status == 503 else 0.0
            raise DeskError(status, error.code, str(error), retry) from None
        return room, person

    # Calls.

    def talk(self, live: LiveCall) -> Talk | None:
        """Return what is carried on a call's line; None where an agent answers."""
        wish, line = live.wish, live.line
        caller = wish.caller or wish.address
        if live.room is not None and live.person is not None:
            talk = live.room.seat(
                live.person,
                line,
                call_id=live.id,
                caller=caller,
                called=wish.called,
                there=lambda: line.there,
            )
            _copy(live, talk)
            line.about = lambda: self._about(live)
            line.hear = lambda **what: self._hear(live, **what)
            live.room.on_change.append(line.tell_about)
            return talk
        interpreter = self.interpreters.get(live.agent.name)
        if interpreter is None:
            return None
        heard = [each for each in interpreter.targets if base(each) == base(wish.language)]
        alone = Interpretation(
            interpreter,
            self._models,
            line,
            hears=heard[0] if heard else None,
            call_id=live.id,
            caller=caller,
            called=wish.called,
        )
        if not interpreter.both_ways:  # of two at one microphone, one cannot agree for the other
            _copy(live, alone)
        return alone

    def left(self, live: LiveCall) -> None:
        """A call is over, or was never reached; idempotent."""
        if live.room is None or live.person is None:
            return
        live.room.leave(live.person.id)
        if live.line.tell_about in live.room.on_change:
            live.room.on_change.remove(live.line.tell_about)

    def _about(self, live: LiveCall) -> str:
        """Tell a client who is in its room."""
        assert live.room is not None
        assert live.person is not None
        at = round(live.room.now(), 3)
        return rtvi.event({"event": "room", "at": at, "you": live.person.name, **live.room.state()})

    def _hear(self, live: LiveCall, *, language: str = "", captions: bool | None = None) -> None:
        """Have somebody hear something else.

        Raises:
            SeatingError: They cannot.
        """
        assert live.room is not None
        assert live.person is not None
        room, person = live.room, live.person
        wanted = room.seating.language(language) if language else person.language
        hears = person.hears
        if captions is not None:
            hears = "captions" if captions else "translation"
        room.choose(person.id, language=wanted, hears=hears)


def _copy(live: LiveCall, talk: Seat | Listener) -> None:
    """Have a speaker's voice copied where they agree, from now on or in mid-session."""
    if not isinstance(talk, Seat) or talk.speakers is None or talk.ear is None:
        return
    speakers, speaker = talk.speakers, talk.ear.speaker

    def agree(on: bool) -> None:
        if on:
            who = live.wish.name or live.wish.caller or speaker
            today = datetime.now(UTC).date()
            speakers.agree(speaker, Consent(who, today, "in the page, before or in the session"))
        else:
            speakers.withdraw(speaker)

    def told() -> str:
        at = round(talk.now(), 3)
        return rtvi.event({"event": "voice", "at": at, **asdict(speakers.copying(speaker))})

    live.line.copy, live.line.voice = agree, told
    speakers.changed = lambda _found: live.line.tell_voice()
    if live.wish.copies:
        agree(True)
