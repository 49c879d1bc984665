"""The rooms of a server: opened, found by their links and telephone numbers, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.reason import SHUTTING_DOWN
from vivavoce.pipelines.interpret.programme import Encode
from vivavoce.pipelines.interpret.room import LEAVING, Kind, Room
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

KEPT = 600.0
"""Seconds for which the record of a room that is over can be fetched."""
LISTENERS = 500
"""People in a lecture, at most."""
PEOPLE = 12
"""People in a room, at most."""
LONGEST_TITLE = 120


class RoomsError(ValueError):
    """A room cannot be opened; the message says what to do."""


@dataclass(eq=False)
class Open:
    """A room, and what leads to it.

    Attributes:
        room: The room.
        key: Whoever has it may end the room, have it call somebody, and read its record.
        number: The telephone number that leads into it; "" for none.
        language: What those who call that number speak.
        ended_at: When it ended (s); None while it goes on.
    """

    room: Room
    number: str = ""
    language: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    ended_at: float | None = None


Hook = Callable[[Room], None]


class Rooms:
    """Opens rooms and carries them to their end. Close it when the server ends.

    Args:
        models: What they hear, think and speak with.
        most: How many may be open at once.
        encoder: Makes encoders for those who listen in packets (see `Room`).
        worker: The process that they are in, of several: their ids end in its name.

    Attributes:
        began: Told of each room when it is opened.
        ended: Told of each once it is over.
    """

    def __init__(
        self,
        models: Models,
        *,
        most: int = 20,
        encoder: Callable[[int], Encode] | None = None,
        worker: str = "",
    ) -> None:
        self.began: list[Hook] = []
        self.ended: list[Hook] = []
        self._models, self._most, self._encoder = models, most, encoder
        self._worker = worker
        self._open: dict[str, Open] = {}
        self._past: OrderedDict[str, Open] = OrderedDict()
        self._tasks = Tasks()
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def open(
        self,
        interpreter: Interpreter,
        *,
        kind: Kind = "room",
        title: str = "",
        people: int | None = None,
        number: str = "",
        language: str = "",
    ) -> Open:
        """Open a room.

        Args:
            interpreter: How it is interpreted.
            kind: "lecture" where one speaks and the others came to listen.
            title: What it is called, for people.
            people: How many may be there at once; None for what is usual.
            number: Who telephones this number joins.
            language: What those speak.

        Raises:
            RoomsError: There are too many, the number leads into another one, or the language is
                none of the interpreter's.
        """
        if len(self._open) >= self._most:
            raise RoomsError(f"{self._most} rooms are open already: end one first")
        if number and self.by_number(number) is not None:
            raise RoomsError(f"the number {number} leads into another room")
        if number and language not in interpreter.languages:
            known = ", ".join(interpreter.languages)
            raise RoomsError(f"who calls {number} speaks one of {known}, not {language!r}")
        if people is None:
            people = LISTENERS if kind == "lecture" else PEOPLE
        room = Room(
            interpreter,
            self._models,
            kind=kind,
            title=" ".join(title.split())[:LONGEST_TITLE],
            people=people,
            encoder=self._encoder,
            ident=self._ident(),
        )
        opened = Open(room, number, language)
        self._open[room.id] = opened
        for told in self.began:
            told(room)
        task = self._tasks.spawn(self._carry(opened), f"room {room.id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        log.info("%r is open: %s", room, interpreter)
        return opened

    def find(self, ident: str) -> Open | None:
        """Return a room that is open, or was until lately; None if there is none."""
        limit = time.monotonic() - KEPT
        while self._past:
            oldest = next(iter(self._past.values()))
            if oldest.ended_at is not None and oldest.ended_at > limit:
                break
            self._past.popitem(last=False)
        return self._open.get(ident) or self._past.get(ident)

    def by_number(self, number: str) -> Open | None:
        """Return the room that a telephone number leads into; None if there is none."""
        for opened in self._open.values():
            if number and opened.number == number and not opened.room.over:
                return opened
        return None

    async def close(self) -> None:
        """End all rooms, and wait for that; idempotent."""
        for opened in list(self._open.values()):
            with contextlib.suppress(Exception):
                await opened.room.hang_up(SHUTTING_DOWN)
        if self._running:
            await asyncio.wait(set(self._running), timeout=LEAVING + 2.0)
        await self._tasks.close()

    def _ident(self) -> str | None:
        if not self._worker:
            return None
        return f"{secrets.token_urlsafe(12).replace('-', 'x')}-{self._worker}"

    async def _carry(self, opened: Open) -> None:
        room = opened.room
        try:
            await room.run()
        finally:
            self._open.pop(room.id, None)
            opened.ended_at = time.monotonic()
            self._past[room.id] = opened
            for told in self.ended:
                told(room)
