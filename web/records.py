"""Records: what is left of calls, to be found, read and deleted.

A `Records` is a database of records and a place of recordings, whatever both are. The contract:

- A record is the JSON object that `agent.record.record` makes, with `caller`, `called` and `kind`
  beside ("webrtc", "websocket", "realtime", a carrier's name, "phone in", "phone out"), `live`
  (true until it is over), `events` (what happened, as `Event.to_dict` tells it) and, while it goes
  on, `revival` (what another server needs to go on with it), which nobody reads but `claim`.
- `put` takes a record as far as it goes, again and again: when a call begins, within a second of
  whatever changes, and when it is over. The newest one counts. It returns at once; the record is
  written soon, in the order of `put`, and what was put before a search need not be found by it.
  `flush` waits for it. Of a long call that goes on, the newest words are not found at once.
- What is put is redacted before it is written: nothing that is read here has to be redacted again.
- A call whose server was lost (killed, cut off) is over when that was not heard of for two minutes;
  its record says so, and keeps what was said up to a second before.
- Until then another server may take it over (`claim`), for a caller who comes back to it. What the
  first one still writes of it is refused from then on, and it is told so (`on_taken`).
- Times are aware datetimes (UTC) or seconds; latencies are milliseconds from the caller's last
  voiced sample to the first audible one of the reply.
- Nothing blocks the event loop. Everything but `put` raises `RecordsError` when the database or
  the recordings cannot be reached, and waits for `PATIENCE` seconds at most. Every method may be
  cancelled; what a cancelled deletion left is found by the next one.
- `open` before, `close` after; both are idempotent. `close` writes what waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

PATIENCE = 20.0
"""Seconds that a database or a place of recordings is waited for."""
MOST = 500
"""Entries that one search returns at most."""


class RecordsError(Exception):
    """Records cannot be had: the message says what is wrong and what to do."""


def scarce(error: BaseException) -> str:
    """Tell what there was too little of, where that is why something failed.

    Returns:
        In words; "" where it failed for another reason. Later there may be enough of it.
    """
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    # What `threading` raises where the system gives it no thread: for want of memory, mostly.
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "no thread can be started"
    return ""


class RefusedError(RecordsError):
    """A database takes a record neither now nor later: to try again is of no use."""


class NotHeldError(RecordsError):
    """A call cannot be taken over.

    Attributes:
        code: "no_call" where there is none, "over" where it has ended or was lost for too long,
            "elsewhere" where another server carries it.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Claimed:
    """A call that was taken over from a server that was lost.

    Attributes:
        record: Its record as far as it came, with `revival`.
        away: How long nobody has carried it (s).
    """

    record: dict[str, Any]
    away: float


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for; what is left empty is not asked.

    Attributes:
        text: Words that were said, heard or written in the call, or stand in its caller, agent or
            end; all of them have to be there, in any order, each as the beginning of a word.
        agent: The agent's name.
        caller: Who called, exactly.
        since: Calls that began then or later.
        until: Calls that began before.
        live: Only calls that go on (true), or that are over (false).
        limit: How many; at most `MOST`.
        cursor: Where the last search ended: `Found.cursor`.
    """

    text: str = ""
    agent: str = ""
    caller: str = ""
    since: datetime | None = None
    until: datetime | None = None
    live: bool | None = None
    limit: int = 50
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A call in a list.

    Attributes:
        call: Its id.
        agent: Who answered.
        caller: Who called: a token's caller, an address or a number.
        called: What they called: a number, or a page's origin.
        kind: How: "webrtc", "phone in", ….
        began: When.
        seconds: How long it took, or has taken at its last turn.
        live: Whether it goes on.
        ended: Why it ended; "" while it goes on.
        turns: Turns of the caller that were answered.
        p50: Median latency of those (ms); None without any.
        p95: 95th percentile (ms), likewise.
        cost: US dollars; None where a price is unknown.
        last: The last words, of whichever side.
        recorded: Whether there is a recording.
    """

    call: str
    agent: str
    caller: str
    called: str
    kind: str
    began: datetime
    seconds: float
    live: bool
    ended: str
    turns: int
    p50: float | None
    p95: float | None
    cost: float | None
    last: str
    recorded: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {**found, "began": self.began.isoformat(timespec="seconds")}


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        entries: The newest first.
        cursor: For the next search; "" when there is no more.
    """

    entries: Sequence[Entry] = ()
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Latencies of the turns answered within a stretch of time.

    Attributes:
        since: Where the stretch begins: a multiple of its length since 1970, UTC.
        calls: Calls with such turns.
        turns: How many turns.
        percentiles: `{"p50": ms, "p95": ms, "p99": ms}`, by nearest rank, as the ledger's.
    """

    since: datetime
    calls: int
    turns: int
    percentiles: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "since": self.since.isoformat(timespec="seconds"),
            "calls": self.calls,
            "turns": self.turns,
            **self.percentiles,
        }


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording: a stereo WAV, the caller left and the agent right, on one sample clock.

    Attributes:
        size: Bytes.
        path: Where it lies, if it is a file here; None if it is elsewhere (then `stream` it).
    """

    size: int
    path: Path | None = None


class Records(Protocol):
    """What is left of calls. The module says what holds for all of it."""

    async def open(self) -> None:
        """Make everything ready: the database's tables, or their upgrade.

        Raises:
            RecordsError: It cannot be reached or used, or was made by a newer version.
        """

    def put(self, record: Mapping[str, Any]) -> None:
        """Take a call's record as far as it goes; it is redacted and written soon.

        It may not be changed afterwards.

        Never raises and never waits: a database that cannot be reached gets it later.
        """

    async def claim(self, digest: str, within: float) -> Claimed:
        """Take a call over from a server that is lost, for a caller who comes back to it.

        It waits for as long as it takes to be sure that the server is lost: 3 s at most. What is
        claimed is ours: it is put from now on, or released.

        Args:
            digest: What the caller's token hashes to, as `revival` in the record had it.
            within: Seconds after the loss in which it may be.

        Raises:
            NotHeldError: It cannot be.
        """

    async def release(self, call: str) -> None:
        """Let go of a call that was claimed and is not carried: it may be claimed once more."""

    def spool(self, call: str) -> Path | None:
        """Return where a call is to be recorded (WAV); None where calls are not recorded."""

    async def keep(self, call: str) -> None:
        """Take the recording that was made at `spool(call)`; without one, do nothing.

        A place that cannot be reached gets it later: the file waits in the spool.
        """

    async def flush(self) -> None:
        """Wait until all that was put is written."""

    async def get(self, call: str) -> dict[str, Any] | None:
        """Return a call's record; None if there is none."""

    async def search(self, query: Query) -> Found:
        """Return calls, the newest first.

        Raises:
            RecordsError: The cursor is none of ours.
        """

    async def percentiles(
        self, since: datetime, until: datetime, bucket: float, agent: str = ""
    ) -> list[Bucket]:
        """Return the latencies of answered turns over time.

        Args:
            since: From when.
            until: To when.
            bucket: Length of a stretch (s).
            agent: Of that agent alone; "" for all.

        Returns:
            The oldest first; stretches without turns are left out.

        Raises:
            RecordsError: That would be more than 10,000 stretches, or none.
        """

    async def recording(self, call: str) -> Recording | None:
        """Return what is to be known of a call's recording; None if there is none."""

    def stream(self, call: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Read a recording.

        Args:
            call: Whose.
            start: First byte.
            end: Byte after the last; None for its end.

        Raises:
            RecordsError: There is none.
        """

    async def forget(self, caller: str) -> int:
        """Delete all records and recordings of one caller, exactly of that name; count them.

        Calls that go on are not deleted.
        """

    async def delete(self, call: str) -> bool:
        """Delete one call that is over, and its recording; False if there is none."""

    async def purge(self, before: datetime) -> int:
        """Delete calls that are over and began before, and their recordings; count them."""

    async def close(self) -> None:
        """Write what waits, and let go."""
