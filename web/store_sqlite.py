"""SQLite: records in one file, read and written in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from vivavoce.web.records import PATIENCE, Bucket, Entry, Query, RecordsError, RefusedError
from vivavoce.web.store_database import Held, Outcome
from vivavoce.web.store_journal import Step
from vivavoce.web.store_rows import FIELDS, buckets, entry, limit, place, words

T = TypeVar("T")

UPGRADES: tuple[str, ...] = (
    """
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY, call TEXT NOT NULL UNIQUE, agent TEXT NOT NULL,
        caller TEXT NOT NULL, called TEXT NOT NULL, kind TEXT NOT NULL, began REAL NOT NULL,
        seconds REAL NOT NULL, live INTEGER NOT NULL, ended TEXT NOT NULL, turns INTEGER NOT NULL,
        p50 REAL, p95 REAL, cost REAL, last TEXT NOT NULL, recorded INTEGER NOT NULL DEFAULT 0,
        touched REAL NOT NULL, words TEXT NOT NULL, record TEXT NOT NULL
    );
    CREATE INDEX calls_began ON calls (began DESC, call DESC);
    CREATE INDEX calls_caller ON calls (caller);
    CREATE INDEX calls_live ON calls (touched) WHERE live;
    CREATE TABLE latencies (
        id INTEGER NOT NULL REFERENCES calls (id) ON DELETE CASCADE, at REAL NOT NULL,
        ms REAL NOT NULL
    );
    CREATE INDEX latencies_at ON latencies (at);
    CREATE INDEX latencies_id ON latencies (id);
    CREATE VIRTUAL TABLE found USING fts5 (
        words, content='calls', content_rowid='id', tokenize="unicode61 categories 'L* N* Co Mc'"
    );
    CREATE TRIGGER calls_made AFTER INSERT ON calls BEGIN
        INSERT INTO found (rowid, words) VALUES (new.id, new.words);
    END;
    CREATE TRIGGER calls_gone AFTER DELETE ON calls BEGIN
        INSERT INTO found (found, rowid, words) VALUES ('delete', old.id, old.words);
    END;
    CREATE TRIGGER calls_changed AFTER UPDATE OF words ON calls WHEN old.words <> new.words BEGIN
        INSERT INTO found (found, rowid, words) VALUES ('delete', old.id, old.words);
        INSERT INTO found (rowid, words) VALUES (new.id, new.words);
    END;
    """,
    """
    ALTER TABLE calls ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    ALTER TABLE calls ADD COLUMN digest TEXT NOT NULL DEFAULT '';
    CREATE INDEX calls_digest ON calls (digest) WHERE digest <> '';
    CREATE INDEX calls_owner ON calls (owner) WHERE live;
    CREATE TABLE owners (owner TEXT PRIMARY KEY, beat REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE changes (
        id INTEGER NOT NULL REFERENCES calls (id) ON DELETE CASCADE, number INTEGER NOT NULL,
        change TEXT NOT NULL, PRIMARY KEY (id, number)
    ) WITHOUT ROWID;
    """,
)
"""Each leads from one version of the tables to the next; none of them is ever changed."""
_COLUMNS = (
    "call", "agent", "caller", "called", "kind", "began", "seconds", "live", "ended", "turns",
    "p50", "p95", "cost", "last", "words", "record",
)  # fmt: skip
_WRITE = (
    f"INSERT INTO calls ({', '.join(_COLUMNS)}, touched, owner, digest)"  # noqa: S608 (ours)
    f" VALUES ({', '.join('?' * (len(_COLUMNS) + 3))}) ON CONFLICT (call) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*_COLUMNS[1:], "touched", "owner"))
    # Who comes back to a call that is over is to be told so: its digest stays.
    + ", digest = CASE excluded.digest WHEN '' THEN calls.digest ELSE excluded.digest END"
    " WHERE (calls.live OR NOT excluded.live) AND calls.owner IN ('', excluded.owner) RETURNING id"
)
_GROWING = ("agent", "kind", "seconds", "turns", "p50", "p95", "cost", "last")
_GROW = (
    f"UPDATE calls SET {', '.join(f'{name} = ?' for name in _GROWING)}, touched = ?"  # noqa: S608
    " WHERE call = ? AND live AND owner = ? RETURNING id"
)
_MANY = 500  # values in one statement


class SqliteDatabase:
    """Records in a SQLite file. Implements `vivavoce.web.store_database.Database`.

    Several processes of one machine may use it at a time (WAL); a folder on a network may not
    hold it.

    Args:
        path: The file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._base: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Open the file, and make or upgrade its tables; idempotent.

        Raises:
            RecordsError: It cannot be, or a newer version has made it.
        """
        if self._thread is not None:
            return
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")
        try:
            await self._do(self._open)
        except BaseException:
            await self.close()
            raise

    async def write(self, step: Step, owner: str, now: float) -> Outcome:
        """Keep a row, or a change."""
        row = step.row

        def work(base: sqlite3.Connection) -> Outcome:
            if step.number:
                values = [*(getattr(row, name) for name in _GROWING), now, row.call, owner]
                found = base.execute(_GROW, values).fetchall()
            else:
                values = [*(getattr(row, name) for name in _COLUMNS), now, owner, row.digest]
                found = base.execute(_WRITE, values).fetchall()
            if not found:
                whose = base.execute("SELECT owner FROM calls WHERE call = ?", [row.call])
                return _refused(whose.fetchone(), owner)
            (ident,) = found[0]
            if step.number:
                base.execute("INSERT INTO changes VALUES (?, ?, ?)",
                             [ident, step.number, step.change])  # fmt: skip
            else:
                base.execute("DELETE FROM latencies WHERE id = ?", [ident])
                base.execute("DELETE FROM changes WHERE id = ?", [ident])
            base.executemany(
                "INSERT INTO latencies (id, at, ms) VALUES (?, ?, ?)",
                [(ident, at, ms) for at, ms in step.latencies],
            )
            return "kept"

        return await self._change(work)

    async def beat(self, owner: str, now: float) -> None:
        """Note that a server lives."""
        await self._change(
            lambda base: base.execute("INSERT OR REPLACE INTO owners VALUES (?, ?)", [owner, now])
        )

    async def beats(self) -> Sequence[tuple[str, float, float]]:
        """Return owners, and when they were heard of."""
        statement = (
            "SELECT calls.owner, max(coalesce(beat, 0)), max(touched)"
            " FROM calls LEFT JOIN owners USING (owner) WHERE live GROUP BY calls.owner"
        )
        return await self._do(lambda base: base.execute(statement).fetchall())

    async def forget_owners(self, owners: Collection[str]) -> None:
        """Forget servers."""
        await self._change(
            lambda base: base.executemany(
                "DELETE FROM owners WHERE owner = ?1"
                " AND NOT EXISTS (SELECT 1 FROM calls WHERE live AND owner = ?1)",
                [(each,) for each in owners],
            )
        )

    async def of(self, owner: str) -> Sequence[str]:
        """Return an owner's calls."""
        return await self._column("SELECT call FROM calls WHERE live AND owner = ?", owner)

    async def going(self, calls: Collection[str]) -> Sequence[str]:
        """Return which go on."""
        return await self._of(calls, "live")

    async def taken(self, calls: Collection[str], owner: str) -> Sequence[str]:
        """Return calls that another one has."""
        return await self._of(calls, "owner <> ?", owner)

    async def _of(self, calls: Collection[str], condition: str, *values: str) -> list[str]:
        asked = list(calls)

        def work(base: sqlite3.Connection) -> list[str]:
            found: list[str] = []
            for first in range(0, len(asked), _MANY):
                some = asked[first : first + _MANY]
                marks = ", ".join("?" * len(some))
                statement = f"SELECT call FROM calls WHERE call IN ({marks}) AND {condition}"  # noqa: S608
                found += [row[0] for row in base.execute(statement, [*some, *values])]
            return found

        return await self._do(work)

    async def held(self, digest: str) -> Held | None:
        """Return who has a call."""
        statement = (
            "SELECT call, calls.owner, live, coalesce(beat, 0), touched"
            " FROM calls LEFT JOIN owners USING (owner) WHERE digest = ? AND digest <> ''"
        )
        found = await self._do(lambda base: base.execute(statement, [digest]).fetchone())
        return None if found is None else Held(found[0], found[1], bool(found[2]), *found[3:])

    async def claim(self, held: Held, owner: str, now: float) -> bool:
        """Make a call another owner's."""
        found = await self._column(
            "UPDATE calls SET owner = ?1, touched = ?2 WHERE call = ?3 AND live AND owner = ?4"
            " AND touched = ?5 AND coalesce((SELECT beat FROM owners WHERE owner = ?4), 0) = ?6"
            " RETURNING call",
            owner, now, held.call, held.owner, held.touched, held.beat,
        )  # fmt: skip
        return bool(found)

    async def release(self, call: str, owner: str) -> None:
        """Let go of a call."""
        await self._column(
            "UPDATE calls SET owner = '' WHERE call = ? AND owner = ? AND live RETURNING call",
            call,
            owner,
        )

    async def mark(self, call: str) -> bool:
        """Note that there is a recording."""
        found = await self._column(
            "UPDATE calls SET recorded = 1 WHERE call = ? RETURNING call", call
        )
        return bool(found)

    async def get(self, call: str) -> Sequence[str]:
        """Return a record and its changes, of one moment."""

        def work(base: sqlite3.Connection) -> list[str]:
            rows = base.execute(
                "SELECT 0 AS number, record AS part FROM calls WHERE call = ?1 UNION ALL"
                " SELECT number, change FROM changes JOIN calls USING (id) WHERE call = ?1"
                " ORDER BY 1",
                [call],
            )
            return [str(part) for _, part in rows]

        return await self._do(work)

    async def search(self, query: Query) -> Sequence[Entry]:
        """Return calls."""
        where, values = _conditions(query)
        statement = (
            f"SELECT {', '.join(FIELDS)} FROM calls {where}"  # noqa: S608 (names of ours)
            " ORDER BY began DESC, call DESC LIMIT ?"
        )
        rows = await self._do(
            lambda base: base.execute(statement, [*values, limit(query) + 1]).fetchall()
        )
        return [entry(row) for row in rows]

    async def percentiles(
        self, since: datetime, until: datetime, bucket: float, agent: str
    ) -> list[Bucket]:
        """Return latencies over time."""
        statement = (
            "SELECT at, call, ms FROM latencies JOIN calls USING (id)"
            " WHERE at >= ? AND at < ? AND (? = '' OR agent = ?)"
        )
        values = [since.timestamp(), until.timestamp(), agent, agent]
        return await self._do(lambda base: buckets(base.execute(statement, values), bucket))

    async def over(
        self, *, caller: str | None = None, call: str | None = None, before: float | None = None
    ) -> Sequence[str]:
        """Return calls that are over."""
        return await self._column(
            "SELECT call FROM calls WHERE NOT live AND (?1 IS NULL OR caller = ?1)"
            " AND (?2 IS NULL OR call = ?2) AND (?3 IS NULL OR began < ?3)",
            caller,
            call,
            before,
        )

    async def remove(self, calls: Collection[str]) -> None:
        """Delete rows, and their words from the index; the files then hold nothing of them."""
        doomed = list(calls)
        if not doomed:
            return

        def work(base: sqlite3.Connection) -> None:
            for first in range(0, len(doomed), _MANY):
                some = doomed[first : first + _MANY]
                marks = ", ".join("?" * len(some))
                base.execute(f"DELETE FROM calls WHERE call IN ({marks})", some)  # noqa: S608
            # The index keeps deleted words until its parts are merged.
            base.execute("INSERT INTO found (found) VALUES ('optimize')")

        await self._change(work)
        # Old pages lie in the log until it is written back. Who reads meanwhile keeps it.
        await self._do(lambda base: base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    async def close(self) -> None:
        """Close the file; idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        base, self._base = self._base, None
        try:
            if base is not None:
                await asyncio.get_running_loop().run_in_executor(thread, base.close)
        finally:
            thread.shutdown(wait=False)

    # In the thread.

    def _open(self, _nothing: Any = None) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        made = not self.path.exists()
        self._base = base = sqlite3.connect(
            self.path, timeout=PATIENCE / 2, isolation_level=None, check_same_thread=False
        )
        if made:
            self.path.chmod(0o600)  # what people said is nobody else's
        _to_wal(base)
        base.executescript(
            "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
        )
        with _transaction(base):
            (version,) = base.execute("PRAGMA user_version").fetchone()
            if version > len(UPGRADES):
                raise RecordsError(
                    f"{self.path} was made by a newer vivavoce: use that one, or another file"
                )
            for upgrade in UPGRADES[version:]:
                for statement in _statements(upgrade):
                    base.execute(statement)
            base.execute(f"PRAGMA user_version = {len(UPGRADES)}")

    async def _column(self, statement: str, *values: Any) -> list[str]:
        return await self._do(lambda base: [str(row[0]) for row in base.execute(statement, values)])

    async def _change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def whole(base: sqlite3.Connection) -> T:
            with _transaction(base):
                return work(base)

        return await self._do(whole)

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._thread is None:
            raise RecordsError("the records are not open: `async with` them, or await open()")
        loop, base = asyncio.get_running_loop(), cast("sqlite3.Connection", self._base)
        try:
            async with asyncio.timeout(PATIENCE):
                return await loop.run_in_executor(self._thread, work, base)
        except (sqlite3.DataError, sqlite3.IntegrityError, OverflowError) as error:
            raise RefusedError(f"{self.path} refuses it: {error}") from error
        except (sqlite3.Error, OSError) as error:
            raise RecordsError(f"cannot use the records in {self.path}: {error}") from error
        except TimeoutError:
            raise RecordsError(f"{self.path} did not answer in {PATIENCE:g} s") from None


def _refused(row: tuple[str] | None, owner: str) -> Outcome:
    """Say why nothing was written."""
    return "taken" if row is not None and row[0] not in {"", owner} else "over"


def _to_wal(base: sqlite3.Connection) -> None:
    """Write ahead: where two open a new file at a time, SQLite refuses one of them at once.

    It waits for a lock as long as the connection's time-out says, but not for this change.
    """
    until = time.monotonic() + PATIENCE / 2
    while True:
        try:
            base.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


@contextlib.contextmanager
def _transaction(base: sqlite3.Connection) -> Any:
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        base.execute("ROLLBACK")
        raise
    base.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """Split a script: `executescript` would end the transaction that it is to be part of."""
    found, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found


def _conditions(query: Query) -> tuple[str, list[Any]]:
    parts: list[str] = []
    values: list[Any] = []

    def add(condition: str, *given: Any) -> None:
        parts.append(condition)
        values.extend(given)

    if query.text:
        wanted = " ".join(f'"{word}" *' for word in words(query.text))
        if wanted:
            add("id IN (SELECT rowid FROM found WHERE found MATCH ?)", wanted)
        else:
            add("0")
    if query.agent:
        add("agent = ?", query.agent)
    if query.caller:
        add("caller = ?", query.caller)
    if query.since is not None:
        add("began >= ?", query.since.timestamp())
    if query.until is not None:
        add("began < ?", query.until.timestamp())
    if query.live is not None:
        add("live = ?", query.live)
    if query.cursor:
        add("(began, call) < (?, ?)", *place(query.cursor))
    return f"WHERE {' AND '.join(parts)}" if parts else "", values
