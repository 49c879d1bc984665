"""The logbook of a telephone: shows its calls as they go on, and leaves their records."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from vivavoce.agent.record import record
from vivavoce.cli.run import write_record
from vivavoce.cli.show import CallShow
from vivavoce.phone import TelephoneLine
from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.records import RecordsError
from vivavoce.web.store import Store
from vivavoce.web.store_keeper import Keeper


class Logbook:
    """Shows and records the calls of a telephone.

    Args:
        console: Where they are shown.
        models: Which model serves each stage.
        folder: Where records go; None: nowhere.
        as_json: An event a line, the record last, instead of text.
        records: Where calls are kept; None: nowhere.

    Raises:
        RecordsError: There are both a folder and records.
    """

    def __init__(
        self,
        console: Console,
        models: dict[str, str],
        folder: Path | None,
        *,
        as_json: bool,
        records: Store | None = None,
    ) -> None:
        if records is not None and folder is not None:
            raise RecordsError("--out and [records] are two places: give one of both")
        self._console, self._models = console, models
        self._keeper = None if records is None else Keeper(records)
        self.recordings = folder if records is None else records.folder
        self._folder, self._as_json = folder, as_json
        self._tasks = Tasks()
        self._starts: dict[str, datetime] = {}
        self.over = asyncio.Event()

    def began(self, conversation: Talk, line: TelephoneLine) -> None:
        """Follow a call."""
        self._starts[conversation.call.id] = datetime.now(UTC)
        if self._keeper is not None:
            self._keeper.began(
                conversation.call, partial(self._record, conversation, line, growing=True)
            )
        self._tasks.spawn(self._follow(conversation, line), "show")

    def ended(self, conversation: Talk, line: TelephoneLine) -> None:
        """Leave a call's record."""
        call, entry = conversation.call, self._record(conversation, line)
        self._starts.pop(call.id, None)
        if self._keeper is not None:
            self._keeper.ended(call, entry)
        if self._folder is not None:
            write_record(self._folder / f"{call.id}.json", entry)
        if self._as_json:
            print(json.dumps({"event": "record", **entry}, ensure_ascii=False), flush=True)
        self.over.set()

    def _record(
        self, conversation: Talk, line: TelephoneLine, *, growing: bool = False
    ) -> dict[str, Any]:
        entry = record(
            conversation.call,
            agent=conversation.agent.name,
            began=self._starts.get(conversation.call.id, datetime.now(UTC)),
            seconds=conversation.now(),
            models=self._models,
            growing=growing,
        )
        # Whoever is at the other end is the one whose data these are.
        people = (
            (line.number, line.caller)
            if line.direction.value == "out"
            else (
                line.caller,
                line.number,
            )
        )
        entry |= {"caller": people[0], "called": people[1]}
        entry["kind"] = f"phone {line.direction.value}"
        entry["phone"] = {
            "direction": line.direction.value,
            "trunk": line.trunk,
            "caller": line.caller,
            "number": line.number,
        }
        return entry

    async def close(self) -> None:
        """Stop following, and keep what is over; idempotent."""
        if self._keeper is not None:
            await self._keeper.close()
        await self._tasks.close()

    async def _follow(self, conversation: Talk, line: TelephoneLine) -> None:
        call = conversation.call
        if self._as_json:
            async for event in call:
                row = {"call": call.id, **event.to_dict()}
                print(json.dumps(row, ensure_ascii=False), flush=True)
            return
        arrow = "→" if line.direction.value == "out" else "←"
        who = line.number if line.direction.value == "out" else line.caller
        show = CallShow(self._console, who or "unknown")
        self._console.print(f"[bold]{arrow} {escape(who)}[/] [dim]{escape(line.number)}[/]")
        async for event in call:
            show.event(event)
        self._console.print(f"[dim]{escape(who)}: {escape(call.reason)}[/]")
