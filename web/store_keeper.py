"""The keeper: puts what happens in calls into records, while it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from vivavoce.agent.call import Call
from vivavoce.agent.events import (
    AgentSaid,
    AgentStarted,
    CallerPartial,
    CallerSaid,
    Event,
    Failed,
    HandedOff,
    LanguageChanged,
    ToolEnded,
    ToolStarted,
    TransferMoved,
)
from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import Reply
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.records import Records

EVENTS = 5000
"""Events of a call that are kept; later ones are not."""
SETTLING = 5.0
"""Seconds that a call's last events are waited for once it is over."""
UPLOADING = 30.0
"""Seconds that recordings may still take when the server ends; the rest wait in the spool."""
LOOK = 0.5
"""Seconds between two looks at what has changed without an event: what was heard of a reply, the
agent's state. With the time that writing takes, a server that is killed loses no more than the last
second."""
_TELLING = (
    CallerSaid,
    AgentStarted,
    AgentSaid,
    ToolStarted,
    ToolEnded,
    HandedOff,
    LanguageChanged,
    TransferMoved,
    Failed,
)

Make = Callable[[], dict[str, Any]]


@dataclass(slots=True)
class _Followed:
    """A call that is followed.

    Attributes:
        call: The call.
        make: Makes its record.
        revive: Makes what another server needs to go on with it; None: none can.
        events: What happened.
        seen: How it was when it was last put.
        task: Follows it.
    """

    call: Call[Any]
    make: Make
    revive: Make | None
    events: list[dict[str, Any]]
    seen: object = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Keeper:
    """Follows calls from their beginning to their end. Close it before the records.

    Args:
        records: Where they are put.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._tasks = Tasks()
        self._following: dict[str, _Followed] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    def began(
        self,
        call: Call[Any],
        make: Make,
        *,
        revive: Make | None = None,
        events: Iterable[dict[str, Any]] = (),
    ) -> None:
        """Put a call, and put it again whenever it has changed.

        Args:
            call: The call.
            make: Makes its record as far as it goes.
            revive: Makes what another server needs to go on with it: see
                `vivavoce.agent.revival`. None: none can.
            events: What happened in it before, on another server.
        """
        followed = _Followed(call, make, revive, list(events))
        followed.task = self._tasks.spawn(self._follow(followed), f"keep {call.id}")
        self._following[call.id] = followed
        if self._looking is None or self._looking.done():
            self._looking = self._tasks.spawn(self._look(), "look at calls")

    def left(self, call: Call[Any]) -> None:
        """Put a call as it is now, and follow it no more: another server goes on with it."""
        followed = self._following.pop(call.id, None)
        if followed is not None:
            self._put(followed)
            assert followed.task is not None
            followed.task.cancel()

    def ended(self, call: Call[Any], record: dict[str, Any]) -> None:
        """Put what a call has come to, and keep its recording, which is finished.

        Args:
            call: A call that has begun here; of another one nothing is kept.
            record: Its whole record.
        """
        followed = self._following.pop(call.id, None)
        if followed is None:
            return
        ending = self._tasks.spawn(self._end(followed, record), f"keep {call.id}")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Keep what is over, and follow nobody any more; idempotent."""
        if self._ending:
            await asyncio.wait(set(self._ending), timeout=UPLOADING)
        await self._tasks.close()

    async def _follow(self, followed: _Followed) -> None:
        self._put(followed)
        async for event in followed.call:
            _note(event, followed.events)
            if isinstance(event, _TELLING):
                self._put(followed)

    async def _look(self) -> None:
        """Put calls that have changed without an event, while there are any."""
        while self._following:
            await asyncio.sleep(LOOK)
            for followed in list(self._following.values()):
                kept = None if followed.revive is None else followed.revive()
                if followed.seen != _seen(followed.call, kept):
                    self._put(followed)

    async def _end(self, followed: _Followed, record: dict[str, Any]) -> None:
        following = followed.task
        assert following is not None
        try:
            await asyncio.wait({following}, timeout=SETTLING)
        finally:
            # Also when this is cut short: a record that is not put is lost.
            following.cancel()
            self._records.put({**record, "live": False, "events": list(followed.events)})
        await self._records.keep(followed.call.id)

    def _put(self, followed: _Followed) -> None:
        record = {**followed.make(), "live": True, "events": list(followed.events)}
        kept = None if followed.revive is None else followed.revive()
        if kept is not None:
            record["revival"] = kept
        followed.seen = _seen(followed.call, kept)
        self._records.put(record)


def _note(event: Event, events: list[dict[str, Any]]) -> None:
    if len(events) < EVENTS and not isinstance(event, CallerPartial):
        events.append(event.to_dict())


def _seen(call: Call[Any], kept: dict[str, Any] | None) -> object:
    """Return what tells whether a call has changed, cheaply: what was heard, what is kept."""
    entries = call.transcript.entries
    last: object = None
    for entry in reversed(entries):
        if isinstance(entry, Reply):
            last = entry.heard, entry.closed
            break
        if isinstance(entry, Segment):
            last = entry.state, entry.text, entry.translation
            break
    return len(entries), last, json.dumps(kept, default=str)
