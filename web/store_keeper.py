"""The keeper: puts what happens in calls into records, while it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from vivavoce.agent.call import Call
from vivavoce.agent.events import (
    AgentSaid,
    CallerPartial,
    CallerSaid,
    Event,
    Failed,
    HandedOff,
    ToolEnded,
    TransferMoved,
)
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.records import Records

EVENTS = 5000
"""Events of a call that are kept; later ones are not."""
SETTLING = 5.0
"""Seconds that a call's last events are waited for once it is over."""
UPLOADING = 30.0
"""Seconds that recordings may still take when the server ends; the rest wait in the spool."""
_TELLING = (CallerSaid, AgentSaid, ToolEnded, HandedOff, TransferMoved, Failed)


class Keeper:
    """Follows calls from their beginning to their end. Close it before the records.

    Args:
        records: Where they are put.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._tasks = Tasks()
        self._following: dict[str, tuple[asyncio.Task[None], list[dict[str, Any]]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def began(self, call: Call[Any], make: Callable[[], dict[str, Any]]) -> None:
        """Put a call, and put it again after each turn.

        Args:
            call: The call.
            make: Makes its record as far as it goes.
        """
        events: list[dict[str, Any]] = []
        task = self._tasks.spawn(self._follow(call, make, events), f"keep {call.id}")
        self._following[call.id] = (task, events)

    def ended(self, call: Call[Any], record: dict[str, Any]) -> None:
        """Put what a call has come to, and keep its recording, which is finished.

        Args:
            call: A call that has begun here; of another one nothing is kept.
            record: Its whole record.
        """
        found = self._following.pop(call.id, None)
        if found is None:
            return
        task, events = found
        ending = self._tasks.spawn(self._end(call, record, task, events), f"keep {call.id}")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Keep what is over, and follow nobody any more; idempotent."""
        if self._ending:
            await asyncio.wait(set(self._ending), timeout=UPLOADING)
        await self._tasks.close()

    async def _follow(
        self, call: Call[Any], make: Callable[[], dict[str, Any]], events: list[dict[str, Any]]
    ) -> None:
        self._put(make(), events, live=True)
        async for event in call:
            self._note(event, events)
            if isinstance(event, _TELLING):
                self._put(make(), events, live=True)

    async def _end(
        self,
        call: Call[Any],
        record: dict[str, Any],
        following: asyncio.Task[None],
        events: list[dict[str, Any]],
    ) -> None:
        try:
            await asyncio.wait({following}, timeout=SETTLING)
        finally:
            # Also when this is cut short: a record that is not put is lost.
            following.cancel()
            self._put(record, events, live=False)
        await self._records.keep(call.id)

    def _note(self, event: Event, events: list[dict[str, Any]]) -> None:
        if len(events) < EVENTS and not isinstance(event, CallerPartial):
            events.append(event.to_dict())

    def _put(self, record: dict[str, Any], events: list[dict[str, Any]], *, live: bool) -> None:
        self._records.put({**record, "live": live, "events": list(events)})
