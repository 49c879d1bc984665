"""PostgreSQL: records of many servers in one database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from vivavoce.web.records import PATIENCE, Bucket, Entry, Query, RecordsError, RefusedError
from vivavoce.web.store_rows import FIELDS, Row, entry, limit, place, words

T = TypeVar("T")

UPGRADES: tuple[str, ...] = (
    """
    CREATE TABLE vivavoce_calls (
        call text PRIMARY KEY, agent text NOT NULL, caller text NOT NULL, called text NOT NULL,
        kind text NOT NULL, began double precision NOT NULL, seconds double precision NOT NULL,
        live boolean NOT NULL, ended text NOT NULL, turns integer NOT NULL, p50 double precision,
        p95 double precision, cost double precision, last text NOT NULL,
        recorded boolean NOT NULL DEFAULT false, touched double precision NOT NULL,
        words tsvector NOT NULL, record jsonb NOT NULL
    );
    CREATE INDEX vivavoce_calls_began ON vivavoce_calls (began DESC, call DESC);
    CREATE INDEX vivavoce_calls_caller ON vivavoce_calls (caller);
    CREATE INDEX vivavoce_calls_live ON vivavoce_calls (touched) WHERE live;
    CREATE INDEX vivavoce_calls_words ON vivavoce_calls USING gin (words);
    CREATE TABLE vivavoce_latencies (
        call text NOT NULL REFERENCES vivavoce_calls ON DELETE CASCADE,
        at double precision NOT NULL, ms double precision NOT NULL
    );
    CREATE INDEX vivavoce_latencies_at ON vivavoce_latencies (at);
    CREATE INDEX vivavoce_latencies_call ON vivavoce_latencies (call);
    """,
)
"""Each leads from one version of the tables to the next; none of them is ever changed."""
_COLUMNS = (
    "call", "agent", "caller", "called", "kind", "began", "seconds", "live", "ended", "turns",
    "p50", "p95", "cost", "last", "record",
)  # fmt: skip
_WRITE = (
    f"INSERT INTO vivavoce_calls ({', '.join(_COLUMNS)}, touched, words) VALUES ("  # noqa: S608
    + ", ".join(f"${number + 1}" for number in range(len(_COLUMNS)))
    + f", ${len(_COLUMNS) + 1}, array_to_tsvector(${len(_COLUMNS) + 2}::text[]))"
    + " ON CONFLICT (call) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*_COLUMNS[1:], "touched", "words"))
    + " WHERE vivavoce_calls.live OR NOT excluded.live RETURNING call"
)
_LOCK = 0x76697661  # "viva": so that two servers do not make the tables at a time
_CONNECTIONS = 4
_SEARCHED = 20_000  # different words of a call that are looked for: a tsvector holds 1 MB


class PostgresDatabase:
    """Records in PostgreSQL. Implements `vivavoce.web.store_database.Database`.

    Its tables are `vivavoce_…` in the first schema of the user's search path. Deleted rows leave
    the files when PostgreSQL vacuums them.

    Args:
        url: `postgresql://USER@HOST/DATABASE`; the password is better in PGPASSWORD or a
            password file, as libpq knows them.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"postgresql", "postgres"}:
            raise RecordsError("give postgresql://USER@HOST/DATABASE")
        try:
            import asyncpg
        except ImportError:
            raise RecordsError("PostgreSQL needs `pip install 'vivavoce[postgres]'`") from None
        self._asyncpg: Any = asyncpg
        self._url = url
        # A password in the URL stands in no log.
        self.where = f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._pool: Any = None

    async def open(self) -> None:
        """Connect, and make or upgrade the tables; idempotent.

        Raises:
            RecordsError: It cannot be, or a newer version has made them.
        """
        if self._pool is not None:
            return

        async def connect() -> None:
            # Without a cache of statements it also works behind a pooler.
            self._pool = await self._asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=_CONNECTIONS,
                command_timeout=PATIENCE,
                timeout=PATIENCE / 2,
                statement_cache_size=0,
                server_settings={"application_name": "vivavoce"},
            )

        await self._guard(connect)
        try:
            await self._transaction(self._upgrade)
        except BaseException:
            await self.close()
            raise

    async def write(self, row: Row, now: float) -> None:
        """Keep a row."""

        async def work(base: Any) -> None:
            values = [getattr(row, name) for name in _COLUMNS]
            found = row.words.split()[:_SEARCHED]
            if await base.fetchval(_WRITE, *values, now, found) is None:
                return
            await base.execute("DELETE FROM vivavoce_latencies WHERE call = $1", row.call)
            await base.executemany(
                "INSERT INTO vivavoce_latencies (call, at, ms) VALUES ($1, $2, $3)",
                [(row.call, at, ms) for at, ms in row.latencies],
            )

        await self._transaction(work)

    async def touch(self, calls: Collection[str], now: float) -> None:
        """Note that calls go on."""
        await self._execute(
            "UPDATE vivavoce_calls SET touched = $1 WHERE live AND call = ANY ($2)",
            now,
            list(calls),
        )

    async def stale(self, before: float) -> Sequence[str]:
        """Return records of calls nobody has heard of."""
        return await self._column(
            "SELECT record FROM vivavoce_calls WHERE live AND touched < $1", before
        )

    async def mark(self, call: str) -> bool:
        """Note that there is a recording."""
        return bool(
            await self._column(
                "UPDATE vivavoce_calls SET recorded = true WHERE call = $1 RETURNING call", call
            )
        )

    async def get(self, call: str) -> str | None:
        """Return a record."""
        found = await self._column("SELECT record FROM vivavoce_calls WHERE call = $1", call)
        return found[0] if found else None

    async def search(self, query: Query) -> Sequence[Entry]:
        """Return calls."""
        where, values = _conditions(query)
        rows = await self._fetch(
            f"SELECT {', '.join(FIELDS)} FROM vivavoce_calls {where}"  # noqa: S608 (names of ours)
            f" ORDER BY began DESC, call DESC LIMIT {limit(query) + 1}",
            *values,
        )
        return [entry(row) for row in rows]

    async def percentiles(
        self, since: datetime, until: datetime, bucket: float, agent: str
    ) -> list[Bucket]:
        """Return latencies over time."""
        rows = await self._fetch(
            "SELECT floor(at / $3::float8) AS number, count(DISTINCT call) AS calls,"
            " count(*) AS turns,"
            " percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY ms) AS ms"
            " FROM vivavoce_latencies JOIN vivavoce_calls USING (call)"
            " WHERE at >= $1 AND at < $2 AND ($4 = '' OR agent = $4) GROUP BY 1 ORDER BY 1",
            since.timestamp(),
            until.timestamp(),
            float(bucket),
            agent,
        )
        return [
            Bucket(
                datetime.fromtimestamp(row["number"] * bucket, UTC),
                row["calls"],
                row["turns"],
                dict(zip(("p50", "p95", "p99"), (round(ms, 1) for ms in row["ms"]), strict=True)),
            )
            for row in rows
        ]

    async def over(
        self, *, caller: str | None = None, call: str | None = None, before: float | None = None
    ) -> Sequence[str]:
        """Return calls that are over."""
        return await self._column(
            "SELECT call FROM vivavoce_calls WHERE NOT live AND ($1::text IS NULL OR caller = $1)"
            " AND ($2::text IS NULL OR call = $2) AND ($3::float8 IS NULL OR began < $3)",
            caller,
            call,
            before,
        )

    async def remove(self, calls: Collection[str]) -> None:
        """Delete rows."""
        await self._execute("DELETE FROM vivavoce_calls WHERE call = ANY ($1)", list(calls))

    async def close(self) -> None:
        """Disconnect; idempotent."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    # Inside.

    async def _upgrade(self, base: Any) -> None:
        await base.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await base.execute("CREATE TABLE IF NOT EXISTS vivavoce_version (version integer NOT NULL)")
        version = await base.fetchval("SELECT max(version) FROM vivavoce_version") or 0
        if version > len(UPGRADES):
            raise RecordsError(
                f"{self.where} was made by a newer vivavoce: use that one, or another database"
            )
        if version == len(UPGRADES):
            return
        for upgrade in UPGRADES[version:]:
            await base.execute(upgrade)
        await base.execute("DELETE FROM vivavoce_version")
        await base.execute("INSERT INTO vivavoce_version VALUES ($1)", len(UPGRADES))

    async def _fetch(self, statement: str, *values: Any) -> list[Any]:
        return list(await self._guard(lambda: self._ready().fetch(statement, *values)))

    async def _column(self, statement: str, *values: Any) -> list[str]:
        return [str(row[0]) for row in await self._fetch(statement, *values)]

    async def _execute(self, statement: str, *values: Any) -> None:
        await self._guard(lambda: self._ready().execute(statement, *values))

    async def _transaction(self, work: Callable[[Any], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with self._ready().acquire() as base, base.transaction():
                await work(base)

        await self._guard(whole)

    def _ready(self) -> Any:
        if self._pool is None:
            raise RecordsError("the records are not open: `async with` them, or await open()")
        return self._pool

    async def _guard(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await work()
        except TimeoutError:
            raise RecordsError(f"{self.where} did not answer in {PATIENCE:g} s") from None
        except (self._asyncpg.DataError, self._asyncpg.IntegrityConstraintViolationError) as error:
            raise RefusedError(f"{self.where} refuses it: {error}") from error
        except (self._asyncpg.PostgresError, self._asyncpg.InterfaceError, OSError) as error:
            raise RecordsError(f"cannot use {self.where}: {error}") from error


def _conditions(query: Query) -> tuple[str, list[Any]]:
    parts: list[str] = []
    values: list[Any] = []

    def add(condition: str, *given: Any) -> None:
        for value in given:
            values.append(value)
            condition = condition.replace("?", f"${len(values)}", 1)
        parts.append(condition)

    if query.text:
        # Words hold letters and digits alone: nothing in them ends the quotes.
        wanted = " & ".join(f"'{word}':*" for word in words(query.text))
        if wanted:
            add("words @@ ?::tsquery", wanted)
        else:
            add("false")
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
