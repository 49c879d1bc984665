"""Calls that are left to other servers, and those that others take."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.migration import MOVED, TAKEN, Migration
from vivavoce.web.records import RecordsError


class Kept:
    """Records that note what they are asked for, and fail to be written if told to."""

    def __init__(self) -> None:
        self.on_taken: list[Any] = []
        self.asked: list[str] = []
        self.broken = False

    async def flush(self) -> None:
        self.asked.append("flush")
        if self.broken:
            raise RecordsError("the disk is full")

    async def release(self, call: str) -> None:
        self.asked.append(f"release {call}")


class Live:
    """A live call, as far as a migration handles it."""

    def __init__(self, kept: Kept, *, reached: bool = True) -> None:
        self.id, self.taken, self.reason = "c1", False, ""
        self.line = SimpleNamespace(leave=lambda: kept.asked.append("leave"))
        conversation = SimpleNamespace(
            call="call", note_heard=lambda: kept.asked.append("note heard")
        )
        self.conversation = conversation if reached else None

    async def hang_up(self, reason: str) -> None:
        self.reason = reason


def make(kept: Kept, *lives: Live) -> Migration:
    keeper: Any = SimpleNamespace(left=lambda call: kept.asked.append(f"left {call}"))
    calls: Any = {live.id: live for live in lives}
    store: Any = kept
    return Migration(store, keeper, calls, 30.0, Tasks())


async def leave(migration: Migration, live: Any) -> None:
    await migration.leave(live)


async def test_a_call_is_whole_in_the_records_before_another_may_have_it():
    kept = Kept()
    live = Live(kept)
    await leave(make(kept, live), live)
    assert kept.asked == ["leave", "note heard", "left call", "flush", "release c1"]
    assert (live.taken, live.reason) == (True, MOVED)


async def test_a_call_that_cannot_be_kept_ends_here_all_the_same():
    kept = Kept()
    kept.broken = True
    live = Live(kept)
    with pytest.raises(RecordsError):
        await leave(make(kept, live), live)
    assert "release c1" not in kept.asked
    assert live.reason == MOVED


async def test_who_was_not_reached_yet_is_left_to_nobody():
    kept = Kept()
    live = Live(kept, reached=False)
    await leave(make(kept, live), live)
    assert (live.taken, kept.asked) == (False, [])
    assert live.reason == "the server is shutting down"


async def test_a_call_that_another_has_taken_ends_here():
    kept = Kept()
    live = Live(kept)
    migration = make(kept, live)
    for told in kept.on_taken:
        told("another")
        told("c1")
    async with asyncio.timeout(30):
        while not live.reason:  # noqa: ASYNC110 (a task of the migration's, which tells nobody)
            await asyncio.sleep(0)
    assert (live.taken, live.reason, kept.asked) == (True, TAKEN, ["leave"])
    migration.close()
    migration.close()
    assert not kept.on_taken
