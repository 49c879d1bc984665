"""Who a call belongs to: signs of life, taking over, fences, and upgrades from older tables."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.web.storage import postgres
from tests.web.test_store import NOON, Clock, call, making
from vivavoce.web.records import NotHeldError, Query, RecordsError
from vivavoce.web.store import SILENT, Store
from vivavoce.web.store_beats import LEASE, Watch
from vivavoce.web.store_calendar import AHEAD, DAY, Calendar
from vivavoce.web.store_sqlite import UPGRADES, SqliteDatabase


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


async def empty(url: str) -> Any:
    from vivavoce.web.store_postgres import PostgresDatabase

    base = PostgresDatabase(url)
    await base.open()
    for name in ("latencies", "changes", "calls", "owners", "version"):
        await base._execute(f"DROP TABLE vivavoce_{name}")
    await base.close()
    return lambda: PostgresDatabase(url)


@pytest.fixture(params=["sqlite", "postgres"])
async def kept(request, tmp_path) -> Any:
    """Makes databases that are the same one, as two servers would have it."""
    if request.param == "sqlite":
        return lambda: SqliteDatabase(tmp_path / "records" / "calls.sqlite3")
    pytest.importorskip("asyncpg", reason="needs the extra `postgres`")
    return await empty(request.getfixturevalue("server"))


@pytest.fixture
async def two(kept, tmp_path) -> Any:
    """Two servers, and the time."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(making(kept, tmp_path / name, now=clock))
            for name in ("a", "b")
        ]
        yield (*stores, clock)


def live(ident: str, *said: str, digest: str = "d", **more: Any) -> dict[str, Any]:
    revival = {"digest": digest, "memory": {}, **more}
    return call(ident, *said, live=True, revival=revival)


async def put(store: Store, record: dict[str, Any]) -> None:
    store.put(record)
    await store.flush()


async def refused(store: Store, digest: str = "d", within: float = 20.0) -> str:
    with pytest.raises(NotHeldError) as error:
        await store.claim(digest, within)
    return error.value.code


async def test_a_call_is_taken_over_once_its_server_is_silent(two):
    mine, other, clock = two
    await put(other, live("c", "one", "two", state={"seats": 4}))
    await mine.beat()
    clock.now += 1.0
    await other.beat()
    await mine.beat()
    clock.now += LEASE + 0.1  # which the other one does not live to see
    claimed = await mine.claim("d", 20.0)
    assert claimed.away == pytest.approx(LEASE + 0.1)
    assert claimed.record["revival"]["state"] == {"seats": 4}
    assert [each.get("text", each.get("heard")) for each in claimed.record["transcript"]] == [
        "one",
        "two",
    ]
    assert "revival" not in (await mine.get("c") or {})
    assert await refused(mine) == "elsewhere"  # it is ours: whoever asks comes too late
    # What the other one still writes is refused; it is told once, and keeps nothing of it.
    taken: list[str] = []
    other.on_taken.append(taken.append)
    await put(mine, live("c", "one", "two", "three"))
    await put(other, live("c", "one", "two", "other"))
    await put(other, call("c", "one", "two", "other", "end"))
    await other.beat()
    assert taken == ["c"]
    await other.keep("c")
    found = await mine.get("c")
    assert found is not None
    assert found["transcript"][-1]["text"] == "three"
    assert found["live"]
    await put(mine, call("c", "one", "two", "three", "four"))
    assert await refused(other) == "over"
    assert await refused(other, "nobody's") == "no_call"


async def test_one_that_only_beats_finds_out_that_it_was_taken_for_lost(two):
    mine, other, clock = two
    await put(other, live("c"))
    await mine.beat()
    clock.now += LEASE
    await mine.claim("d", 20.0)
    taken: list[str] = []
    other.on_taken.append(taken.append)
    await other.beat()
    assert taken == ["c"]


async def test_a_call_whose_server_lives_is_left_to_it(two, monkeypatch):
    mine, other, clock = two
    await put(other, live("c"))
    sleep = asyncio.sleep

    async def meanwhile(seconds: float) -> None:
        clock.now += seconds
        await other.beat()
        await sleep(0)

    monkeypatch.setattr("vivavoce.web.store.asyncio.sleep", meanwhile)
    assert await refused(mine) == "elsewhere"
    assert (await other.database.held("d")).owner == other.owner


async def test_of_two_who_claim_one_has_it(two, kept, tmp_path, monkeypatch):
    mine, other, clock = two
    await put(other, live("c"))
    async with making(kept, tmp_path / "third", now=clock) as third:
        sleep = asyncio.sleep

        async def meanwhile(seconds: float) -> None:
            for each in (mine, third):
                await each.beat()
            await sleep(0)

        monkeypatch.setattr("vivavoce.web.store.asyncio.sleep", meanwhile)
        for each in (mine, third):
            await each.beat()
        clock.now += LEASE
        found = await asyncio.gather(
            *(each.claim("d", 20.0) for each in (mine, third)), return_exceptions=True
        )
    assert sorted(type(each).__name__ for each in found) == ["Claimed", "NotHeldError"]


async def test_after_the_wait_a_call_is_over(two):
    mine, other, clock = two
    await put(other, live("c"))
    await mine.beat()
    clock.now += 20.0 + LEASE + 0.5
    assert await refused(mine) == "over"
    clock.now += SILENT
    await mine.look_after()
    assert await refused(mine) == "over"
    record = await mine.get("c")
    assert record is not None
    assert (record["live"], record["ended"]) == (False, "the server was lost")


async def test_what_was_claimed_and_let_go_can_be_claimed_at_once(two):
    mine, other, clock = two
    await put(other, live("c", "one"))
    await mine.beat()
    clock.now += LEASE
    await mine.claim("d", 20.0)
    await mine.release("c")
    assert (await other.claim("d", 20.0)).record["transcript"][0]["text"] == "one"


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_clock_that_jumps_ends_no_call_and_takes_none(tmp_path, jump):
    passing, wall = Clock(), Clock()

    def kept() -> SqliteDatabase:
        return SqliteDatabase(tmp_path / "calls.sqlite3")

    async with AsyncExitStack() as stack:
        mine, other = [
            await stack.enter_async_context(
                making(kept, tmp_path / name, now=wall, clock=passing, days=1 / 48)
            )
            for name in ("a", "b")
        ]
        await put(other, live("c", "one"))
        await put(mine, call("young", "hello", minutes=-1))
        for second in range(0, 150, 2):
            wall.now += 2.0 + (jump if second == 50 else 0.0)
            passing.now += 2.0
            await other.beat()
            if second % 30 == 0:
                await mine.look_after()
            else:
                await mine.beat()
        assert {each.call: each.live for each in (await mine.search(Query())).entries} == {
            "c": True,
            "young": False,
        }
        await put(other, live("c", "one", "two"))
        passing.now += LEASE + 1
        wall.now += jump  # while nobody is there, too
        claimed = await mine.claim("d", 20.0)
        assert claimed.away < 20
        assert len(claimed.record["transcript"]) == 2


async def test_a_database_that_was_away_makes_nobody_silent(two):
    mine, other, clock = two
    await put(other, live("c"))
    await mine.beat()
    beats = mine.database.beats

    async def away() -> Any:
        raise RecordsError("away")

    mine.database.beats = away
    with pytest.raises(RecordsError):
        await mine.beat()
    mine.database.beats = beats
    clock.now += SILENT + 1
    await mine.look_after()
    assert (await mine.search(Query())).entries[0].live


async def test_a_long_call_is_written_by_what_changes(kept, tmp_path):
    """The sum of what is written stays in proportion to the record."""
    written = 0
    async with making(kept, tmp_path) as store:
        step = store._journal.step

        def counting(record: Any) -> Any:
            nonlocal written
            found = step(record)
            written += len(found.change or found.row.record)
            return found

        store._journal.step = counting
        rows: list[dict[str, Any]] = []
        events: list[dict[str, Any]] = []
        for number in range(60):
            kind = "caller" if number % 2 == 0 else "agent"
            rows.append(
                {"kind": kind, "text": f"turn {number} " + "word " * 120, "started": number}
            )
            if kind == "agent":
                rows[-1] |= {"heard": "", "latency": {"total_us": 1000 * number}}
                await put(store, {**live("c"), "transcript": list(rows), "events": list(events)})
                rows[-1] = {**rows[-1], "heard": rows[-1]["text"]}
            events.append({"event": "said", "at": float(number), "text": "x" * 50})
            await put(store, {**live("c"), "transcript": list(rows), "events": list(events)})
            if number % 20 == 19:
                found = await store.get("c")
                assert found is not None
                assert found["transcript"] == rows
                assert found["events"] == events
        (entry,) = (await store.search(Query())).entries
        assert (entry.turns, entry.p95) == (30, 57.0)
        assert entry.last.startswith("turn 59")
        whole = len(json.dumps(await store.get("c")))
        # Written whole each time it would be a hundred times as much, and twice that of a call that is
        # twice as long.
        assert written < 16 * whole
        hours = await store.percentiles(NOON, NOON + timedelta(hours=1), 3600)
        assert [each.turns for each in hours] == [30]
        await put(store, {**call("c"), "transcript": rows, "events": events})
        found = await store.get("c")
        assert found is not None
        assert (len(found["transcript"]), len(found["events"])) == (60, 60)
        assert [each.call for each in (await store.search(Query("59"))).entries] == ["c"]


async def test_what_a_call_goes_on_with_is_redacted(two):
    mine, other, clock = two
    state = {"caller": "4111 1111 1111 1111", "number": 4111111111111111, "seats": 4}
    record = live("c", state=state, memory={"card": "4111 1111 1111 1111"}, digest="0" * 16)
    await put(other, record)
    await mine.beat()
    clock.now += LEASE
    revival = (await mine.claim("0" * 16, 20.0)).record["revival"]
    assert revival["state"] == {"caller": "[card]", "number": "[card]", "seats": 4}
    assert revival["memory"] == {"card": "[card]"}


def test_a_calendar_believes_no_clock_that_is_far_ahead():
    calendar = Calendar(1000.0, 0.0)
    assert calendar.today(1010.0, 10.0) == 1010.0
    assert calendar.today(1020.0 + AHEAD, 20.0) == 1020.0 + AHEAD  # it is adjusted
    assert calendar.today(9_000.0, 30.0) == 1030.0 + AHEAD
    assert calendar.today(9_000.0 + DAY, 30.0 + DAY) == 9_000.0 + DAY  # it was ours that was wrong
    assert calendar.today(100.0, 40.0 + DAY) == 100.0  # back: what is old is deleted later


def test_a_watch_goes_by_change_alone():
    watch = Watch()
    watch.look([("a", 5.0, 1.0), ("b", 5.0, 1.0)], 100.0)
    assert not watch.lived("a")
    watch.look([("a", 4.0, 1.0), ("b", 5.0, 1.0)], 101.0)  # its clock was set back
    assert watch.lived("a")
    assert watch.quiet("a", 4.0, 103.0) == 2.0
    assert watch.quiet("a", 9.0, 103.0) == 0.0
    assert watch.quiet("stranger", 0.0, 103.0) == 0.0
    assert watch.silent(2.5, 103.0) == ["b"]
    watch.clear()
    assert not watch.silent(0.0, 200.0)


# Older tables, as they were: their own text, which nothing of ours may change.

SQLITE_1 = """
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
PRAGMA user_version = 1;
"""
POSTGRES_1 = """
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
CREATE TABLE vivavoce_version (version integer NOT NULL);
INSERT INTO vivavoce_version VALUES (1);
"""
OLD = [
    ("old", False, "the caller hung up", "bonjour xylophone"),
    ("left", True, "", "hello xylophone"),
]
"""Calls in the old tables: one that is over, and one that went on when its server was stopped."""


async def upgraded(store: Store, clock: Clock) -> None:
    """Check that what old tables held is there, and that all works that is new."""
    entries = {each.call: each for each in (await store.search(Query("xylophone"))).entries}
    assert {name: each.live for name, each in entries.items()} == {"old": False, "left": True}
    assert entries["old"].recorded
    found = await store.get("old")
    assert found is not None
    assert found["transcript"][0]["text"] == "bonjour xylophone"
    assert [each.turns for each in await store.percentiles(NOON, NOON + timedelta(hours=1), 3600)]
    await put(store, live("new", "one"))
    assert (await store.database.held("d")).owner == store.owner
    await store.look_after()
    clock.now += SILENT + 1
    await store.look_after()
    left = await store.get("left")
    assert left is not None
    assert left["ended"] == "the server was lost"
    assert await store.forget("ada") == 2


def old_row(name: str, going: bool, ended: str, text: str) -> dict[str, Any]:
    record = call(name, text, "yes", live=going, ended=ended)
    return {
        "call": name, "agent": "host", "caller": "ada", "called": "", "kind": "webrtc",
        "began": NOON.timestamp(), "seconds": 12.0, "live": going, "ended": ended, "turns": 1,
        "p50": 500.0, "p95": 500.0, "cost": 0.01, "last": text, "recorded": not going,
        "touched": NOON.timestamp(), "words": text, "record": json.dumps(record),
    }  # fmt: skip


async def test_sqlite_of_the_first_version_is_upgraded(tmp_path: Path):
    path = tmp_path / "calls.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.executescript(SQLITE_1)
        for each in OLD:
            row = old_row(*each)
            marks = ", ".join("?" * len(row))
            base.execute(
                f"INSERT INTO calls ({', '.join(row)}) VALUES ({marks})",
                list(row.values()),
            )
        base.execute("INSERT INTO latencies VALUES (1, ?, 500)", [NOON.timestamp() + 1])
    clock = Clock()
    for _ in range(2):  # the second time there is nothing to do
        async with Store(SqliteDatabase(path), upkeep=False, now=clock, clock=clock):
            pass
    async with Store(SqliteDatabase(path), upkeep=False, now=clock, clock=clock) as store:
        await upgraded(store, clock)
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (len(UPGRADES),)
        made = base.execute("SELECT name FROM sqlite_master WHERE name = 'calls_digest'")
        assert made.fetchone()


async def test_postgresql_of_the_first_version_is_upgraded(server):
    pytest.importorskip("asyncpg", reason="needs the extra `postgres`")
    import asyncpg

    make = await empty(server)
    base = await asyncpg.connect(server)
    await base.execute(POSTGRES_1)
    for each in OLD:
        row = old_row(*each)
        values = list(row.values())
        marks = ", ".join(
            f"to_tsvector('simple', ${number})" if name == "words" else f"${number}"
            for number, name in enumerate(row, 1)
        )
        await base.execute(
            f"INSERT INTO vivavoce_calls ({', '.join(row)}) VALUES ({marks})",
            *values,
        )
    await base.execute(
        "INSERT INTO vivavoce_latencies VALUES ('old', $1, 500)", NOON.timestamp() + 1
    )
    await base.close()
    clock = Clock()
    async with Store(make(), upkeep=False, now=clock, clock=clock) as store:
        await upgraded(store, clock)


def test_every_version_of_the_tables_is_upgraded_from():
    """A new version needs a test that begins at the one before."""
    assert len(UPGRADES) == 2
