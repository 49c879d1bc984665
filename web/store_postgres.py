"""PostgreSQL: records of many servers in one database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from vivavoce.web.records import PATIENCE, Bucket, Entry, Query, RecordsError, RefusedError
from vivavoce.web.store_database import Held, Outcome
from vivavoce.web.store_journal import Step
from vivavoce.web.store_rows import FIELDS, entry, limit, place, words

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
    """
    ALTER TABLE vivavoce_calls ADD COLUMN owner text NOT NULL DEFAULT '';
    ALTER TABLE vivavoce_calls ADD COLUMN digest text NOT NULL DEFAULT '';
    CREATE INDEX vivavoce_calls_digest ON vivavoce_calls (digest) WHERE digest <> '';
    CREATE INDEX vivavoce_calls_owner ON vivavoce_calls (owner) WHERE live;
    CREATE TABLE vivavoce_owners (owner text PRIMARY KEY, beat double precision NOT NULL);
    CREATE TABLE vivavoce_changes (
        call text NOT NULL REFERENCES vivavoce_calls ON DELETE CASCADE, number integer NOT NULL,
        change text NOT NULL, PRIMARY KEY (call, number)
    );
    """,
)
"""Each leads from one version of the tables to the next; none of them is ever changed."""
_COLUMNS = (
    "call", "agent", "caller", "called", "kind", "began", "seconds", "live", "ended", "turns",
    "p50", "p95", "cost", "last", "record",
)  # fmt: skip
_WRITE = (
    f"INSERT INTO vivavoce_calls ({', '.join(_COLUMNS)}, touched, words, owner, digest) VALUES ("  # noqa: S608
    + ", ".join(f"${number + 1}" for number in range(len(_COLUMNS)))
    + f", ${len(_COLUMNS) + 1}, array_to_tsvector(${len(_COLUMNS) + 2}::text[])"
    + f", ${len(_COLUMNS) + 3}, ${len(_COLUMNS) + 4}) ON CONFLICT (call) DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}" for name in (*_COLUMNS[1:], "touched", "words", "owner")
    )
    # Who comes back to a call that is over is to be told so: its digest stays.
    + ", digest = CASE excluded.digest WHEN '' THEN vivavoce_calls.digest ELSE excluded.digest END"
    " WHERE (vivavoce_calls.live OR NOT excluded.live)"
    " AND vivavoce_calls.owner IN ('', excluded.owner) RETURNING call"
)
_GROWING = ("agent", "kind", "seconds", "turns", "p50", "p95", "cost", "last")
_GROW = (
    "UPDATE vivavoce_calls SET "  # noqa: S608 (names of ours)
    + ", ".join(f"{name} = ${number + 1}" for number, name in enumerate((*_GROWING, "touched")))
    + f" WHERE call = ${len(_GROWING) + 2} AND live AND owner = ${len(_GROWING) + 3} RETURNING call"
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
        # What a lost connection means is told by us, once, and without its stack.
        logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)
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

    async def write(self, step: Step, owner: str, now: float) -> Outcome:
        """Keep a row, or a change."""
        row = step.row

        async def work(base: Any) -> Outcome:
            if step.number:
                values = [*(getattr(row, name) for name in _GROWING), now, row.call, owner]
                found = await base.fetchval(_GROW, *values)
            else:
                values = [getattr(row, name) for name in _COLUMNS]
                seen = row.words.split()[:_SEARCHED]
                found = await base.fetchval(_WRITE, *values, now, seen, owner, row.digest)
            if found is None:
                whose = await base.fetchval(
                    "SELECT owner FROM vivavoce_calls WHERE call = $1", row.call
                )
                return "over" if whose in {None, "", owner} else "taken"
            if step.number:
                await base.execute(
                    "INSERT INTO vivavoce_changes VALUES ($1, $2, $3)",
                    row.call,
                    step.number,
                    step.change,
                )
            else:
                await base.execute("DELETE FROM vivavoce_latencies WHERE call = $1", row.call)
                await base.execute("DELETE FROM vivavoce_changes WHERE call = $1", row.call)
            await base.executemany(
                "INSERT INTO vivavoce_latencies (call, at, ms) VALUES ($1, $2, $3)",
                [(row.call, at, ms) for at, ms in step.latencies],
            )
            return "kept"

        return await self._transaction(work)

    async def beat(self, owner: str, now: float) -> None:
        """Note that a server lives."""
        await self._execute(
            "INSERT INTO vivavoce_owners VALUES ($1, $2)"
            " ON CONFLICT (owner) DO UPDATE SET beat = excluded.beat",
            owner,
            now,
        )

    async def beats(self) -> Sequence[tuple[str, float, float]]:
        """Return owners, and when they were heard of."""
        rows = await self._fetch(
            "SELECT owner, max(coalesce(beat, 0)) AS beat, max(touched) AS touched FROM"
            " vivavoce_calls LEFT JOIN vivavoce_owners USING (owner) WHERE live GROUP BY owner"
        )
        return [(str(row["owner"]), row["beat"], row["touched"]) for row in rows]

    async def forget_owners(self, owners: Collection[str]) -> None:
        """Forget servers."""
        await self._execute(
            "DELETE FROM vivavoce_owners WHERE owner = ANY ($1) AND NOT EXISTS (SELECT 1 FROM"
            " vivavoce_calls WHERE live AND vivavoce_calls.owner = vivavoce_owners.owner)",
            list(owners),
        )

    async def of(self, owner: str) -> Sequence[str]:
        """Return an owner's calls."""
        return await self._column(
            "SELECT call FROM vivavoce_calls WHERE live AND owner = $1", owner
        )

    async def going(self, calls: Collection[str]) -> Sequence[str]:
        """Return which go on."""
        return await self._column(
            "SELECT call FROM vivavoce_calls WHERE live AND call = ANY ($1)", list(calls)
        )

    async def taken(self, calls: Collection[str], owner: str) -> Sequence[str]:
        """Return calls that another one has."""
        return await self._column(
            "SELECT call FROM vivavoce_calls WHERE call = ANY ($1) AND owner <> $2",
            list(calls),
            owner,
        )

    async def held(self, digest: str) -> Held | None:
        """Return who has a call."""
        rows = await self._fetch(
            "SELECT call, owner, live, coalesce(beat, 0) AS beat, touched FROM vivavoce_calls"
            " LEFT JOIN vivavoce_owners USING (owner) WHERE digest = $1 AND digest <> ''",
            digest,
        )
        return Held(**rows[0]) if rows else None

    async def claim(self, held: Held, owner: str, now: float) -> bool:
        """Make a call another owner's."""
        found = await self._column(
            "UPDATE vivavoce_calls SET owner = $1, touched = $2 WHERE call = $3 AND live"
            " AND owner = $4 AND touched = $5"
            " AND coalesce((SELECT beat FROM vivavoce_owners o WHERE o.owner = $4), 0) = $6"
            " RETURNING call",
            owner,
            now,
            held.call,
            held.owner,
            held.touched,
            held.beat,
        )
        return bool(found)

    async def release(self, call: str, owner: str) -> None:
        """Let go of a call."""
        await self._execute(
            "UPDATE vivavoce_calls SET owner = '' WHERE call = $1 AND owner = $2 AND live",
            call,
            owner,
        )

    async def mark(self, call: str) -> bool:
        """Note that there is a recording."""
        return bool(
            await self._column(
                "UPDATE vivavoce_calls SET recorded = true WHERE call = $1 RETURNING call", call
            )
        )

    async def get(self, call: str) -> Sequence[str]:
        """Return a record and its changes, of one moment."""
        rows = await self._fetch(
            "SELECT 0 AS number, record::text AS part FROM vivavoce_calls WHERE call = $1"
            " UNION ALL SELECT number, change FROM vivavoce_changes WHERE call = $1 ORDER BY 1",
            call,
        )
        return [str(row["part"]) for row in rows]

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

    async def _transaction(self, work: Callable[[Any], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with self._ready().acquire() as base, base.transaction():
                return await work(base)

        return await self._guard(whole)

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
