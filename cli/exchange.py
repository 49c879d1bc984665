"""The telephone of a call server: the same hosts, and rooms into which both lead."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from vivavoce.cli.logbook import Logbook
from vivavoce.cli.phone import make_phone, places
from vivavoce.cli.phone_setup import PhoneSetup
from vivavoce.phone import DialError, Phone, PhoneError
from vivavoce.pipelines.hosting import Host
from vivavoce.pipelines.interpret.room import Room
from vivavoce.pipelines.interpret.seating import Person, SeatingError
from vivavoce.web.desk import Desk
from vivavoce.web.interpreting import UnreachedError
from vivavoce.web.metrics_site import show_phone


class Invitations:
    """Calls people into rooms. Implements `web.interpreting.Telephone`.

    Args:
        phone: What calls them.
    """

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    async def invite(self, room: Room, number: str, *, language: str, name: str = "") -> Person:
        """Call somebody, and seat them once they answer; cancelling hangs up.

        Raises:
            UnreachedError: Nobody answered, they may not be called, or there is no seat for them.
        """
        try:
            return await self._phone.invite(room, number, language=language, name=name)
        except (DialError, PhoneError, SeatingError, ValueError) as error:
            raise UnreachedError(f"{number} was not reached: {error}") from error


@contextlib.asynccontextmanager
async def telephone(
    desk: Desk,
    agents: Sequence[Host],
    setup: PhoneSetup | None,
    console: Console,
    *,
    folder: Path | None = None,
    as_json: bool = False,
) -> AsyncGenerator[Phone | None]:
    """Have a call server's hosts answer the telephone, too.

    Args:
        desk: The call server's, whose models, records and rooms they share.
        agents: Who answers.
        setup: The telephone; None: there is none.
        console: Where calls are shown.
        folder: Where recordings and records go; None: nowhere.
        as_json: Print events as JSON.

    Raises:
        PhoneError: It is set up wrongly, or an address cannot be bound.
    """
    if setup is None:
        yield None
        return
    book = Logbook(console, desk.models.names, folder, as_json=as_json, records=desk.records)
    try:
        phone = make_phone(
            agents,
            desk.models,
            setup,
            book,
            desk.turnstile.gate,
            desk.observer,
            rooms=desk.interpreting.rooms,
        )
        if desk.observer is not None:
            show_phone(desk.observer, phone)
        async with phone:
            desk.interpreting.telephone = Invitations(phone)
            if not as_json:
                where = escape(places(phone, setup))
                console.print(f"[dim]by telephone: {where}[/]", highlight=False)
            try:
                yield phone
            finally:
                desk.interpreting.telephone = None
    finally:
        await book.close()
