"""A database of records: what a `Store` asks of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from vivavoce.web.records import Bucket, Entry, Query
from vivavoce.web.store_rows import Row


class Database(Protocol):
    """Keeps rows. Whatever cannot be done raises `RecordsError`; all of it may be cancelled."""

    async def open(self) -> None:
        """Connect, and make or upgrade the tables; idempotent."""

    async def write(self, row: Row, now: float) -> None:
        """Keep a call's row in the place of its last one.

        A row that goes on does not take the place of one that is over.

        Args:
            row: The row.
            now: The time (s since 1970): it was heard of then.
        """

    async def touch(self, calls: Collection[str], now: float) -> None:
        """Note that calls go on."""

    async def stale(self, before: float) -> Sequence[str]:
        """Return the records, as JSON, of calls that go on and were last heard of before."""

    async def mark(self, call: str) -> bool:
        """Note that there is a recording of a call; False if there is no row."""

    async def get(self, call: str) -> str | None:
        """Return a record as JSON."""

    async def search(self, query: Query) -> Sequence[Entry]:
        """Return calls, the newest first: one more than the query's limit if there are more."""

    async def percentiles(
        self, since: datetime, until: datetime, bucket: float, agent: str
    ) -> list[Bucket]:
        """Return latencies over time."""

    async def over(
        self, *, caller: str | None = None, call: str | None = None, before: float | None = None
    ) -> Sequence[str]:
        """Return calls that are over: of a caller, of an id, or that began before."""

    async def remove(self, calls: Collection[str]) -> None:
        """Delete rows, and what was made for finding them."""

    async def close(self) -> None:
        """Let go; idempotent."""
