"""A database of records: what a `Store` asks of one.

Each call that goes on has one owner: the server that carries it, by a name that is new each time a
store is made. Whoever else writes of the call is refused, so that a server that was thought lost
and wakes up does not write over what another one, which took the call over, has written since.

A server's signs of life stand in one row for each server, not with its calls: a beat costs the same
for one call and for a hundred, and touches none of their rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from vivavoce.web.records import Bucket, Entry, Query
from vivavoce.web.store_journal import Step

Outcome = Literal["kept", "over", "taken"]
"""What came of a write: it stands; the call is over, and does not go on; or it is another's."""


@dataclass(frozen=True, slots=True)
class Held:
    """Who has a call that somebody wants to come back to.

    Attributes:
        call: Its id.
        owner: Its server; "" where that has let go of it.
        live: Whether it goes on.
        beat: The server's last sign of life (s since 1970, on that server's clock); 0 for none.
        touched: When it last wrote of the call, likewise.
    """

    call: str
    owner: str
    live: bool
    beat: float
    touched: float


class Database(Protocol):
    """Keeps rows. Whatever cannot be done raises `RecordsError`; all of it may be cancelled."""

    async def open(self) -> None:
        """Connect, and make or upgrade the tables; idempotent."""

    async def write(self, step: Step, owner: str, now: float) -> Outcome:
        """Keep a call's row in the place of its last one, or what has changed beside it.

        A row that goes on does not take the place of one that is over, and none that of another
        owner's.

        Args:
            step: What there is to write.
            owner: Whose the call is.
            now: The time (s since 1970).
        """

    async def beat(self, owner: str, now: float) -> None:
        """Note that a server lives."""

    async def beats(self) -> Sequence[tuple[str, float, float]]:
        """Return the owners of calls that go on: the last beat of each, and its last write.

        Calls without an owner ("") count as one's.
        """

    async def forget_owners(self, owners: Collection[str]) -> None:
        """Forget servers, but those that have calls that go on."""

    async def of(self, owner: str) -> Sequence[str]:
        """Return the calls of an owner that go on."""

    async def going(self, calls: Collection[str]) -> Sequence[str]:
        """Return which of some calls go on."""

    async def taken(self, calls: Collection[str], owner: str) -> Sequence[str]:
        """Return which calls are no longer an owner's, of some that were."""

    async def held(self, digest: str) -> Held | None:
        """Return who has the call that a token hashes to; None where none does."""

    async def claim(self, held: Held, owner: str, now: float) -> bool:
        """Make a call another owner's; False if it is not as it was `held`: its owner lives."""

    async def release(self, call: str, owner: str) -> None:
        """Let go of a call that nobody carries yet: it may be claimed at once."""

    async def mark(self, call: str) -> bool:
        """Note that there is a recording of a call; False if there is no row."""

    async def get(self, call: str) -> Sequence[str]:
        """Return a record as JSON, and its changes in their order; nothing if there is none."""

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
