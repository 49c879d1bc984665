"""The store, in SQLite and in PostgreSQL: what is put is found, and what is deleted is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.disk import a_disk_that_takes
from tests.web.storage import postgres
from vivavoce.pipelines.audio.wav import WavWriter
from vivavoce.web.records import Query, RecordsError
from vivavoce.web.store import SILENT, Store
from vivavoce.web.store_files import FileRecordings
from vivavoce.web.store_redaction import Redaction
from vivavoce.web.store_sqlite import UPGRADES, SqliteDatabase

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Clock:
    """A time of day that is set."""

    def __init__(self) -> None:
        self.now = NOON.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
async def kept(request, tmp_path) -> Any:
    """Makes databases that are the same one, as two servers would have it."""
    if request.param == "sqlite":
        return lambda: SqliteDatabase(tmp_path / "records" / "calls.sqlite3")
    pytest.importorskip("asyncpg", reason="needs the extra `postgres`")
    from vivavoce.web.store_postgres import PostgresDatabase

    url = request.getfixturevalue("server")
    base = PostgresDatabase(url)
    await base.open()
    for name in ("latencies", "changes", "calls", "owners", "version"):
        await base._execute(f"DROP TABLE vivavoce_{name}")
    await base.close()
    return lambda: PostgresDatabase(url)


@pytest.fixture
async def store(kept, tmp_path) -> AsyncIterator[Store]:
    async with making(kept, tmp_path) as made:
        yield made


def making(kept, folder: Path, **more: Any) -> Store:
    more.setdefault("now", Clock())
    more.setdefault("clock", more["now"])
    return Store(kept(), FileRecordings(folder / "kept"), folder / "spool", upkeep=False, **more)


def call(
    ident: str, *said: str, minutes: float = 0.0, live: bool = False, **more: Any
) -> dict[str, Any]:
    """A record: the caller says every other thing, and is answered after 500 ms, 600 ms, …"""
    transcript: list[dict[str, Any]] = []
    for number, text in enumerate(said):
        if number % 2 == 0:
            transcript.append({"kind": "caller", "text": text, "started": number, "ended": number})
            continue
        latency = {"total_us": 500_000 + 50_000 * (number - 1)}
        transcript.append(
            {"kind": "agent", "heard": text, "generated": text, "started": number,
             "latency": latency}
        )  # fmt: skip
    began = (NOON + timedelta(minutes=minutes)).isoformat(timespec="seconds")
    given = {"caller": "ada", "called": "", "kind": "webrtc", "ended": "the caller hung up"}
    return {
        "call": ident, "agent": "host", "began": began, "seconds": 12.0, "live": live,
        "cost_usd": 0.01, "transcript": transcript, **given, **more,
    }  # fmt: skip


def record(store: Store, ident: str, seconds: float = 0.5) -> bytes:
    """Leave a recording in the spool."""
    path = store.spool(ident)
    assert path is not None
    with WavWriter(path, 16_000, 2) as wav:
        wav.write(np.full((round(16_000 * seconds), 2), 1000, np.int16))
    return path.read_bytes()


async def test_a_call_grows_and_ends(store):
    for record_ in (
        call("a", live=True),
        call("a", "A table for four", live=True),
        call("a", "A table for four", "Gladly.", live=True, ended=""),
    ):
        store.put(record_)
        await store.flush()
    (entry,) = (await store.search(Query())).entries
    assert (entry.live, entry.ended, entry.turns, entry.last) == (True, "", 1, "Gladly.")
    assert (entry.p50, entry.p95, entry.cost, entry.recorded) == (500.0, 500.0, 0.01, False)
    store.put(call("a", "A table for four", "Gladly.", "Thanks"))
    store.put(call("a", live=True))  # late: what is over stays over
    await store.flush()
    store.put(call("a", live=True))
    await store.flush()
    (entry,) = (await store.search(Query(live=False))).entries
    assert (entry.ended, entry.last) == ("the caller hung up", "Thanks")
    assert entry.began == NOON
    found = await store.get("a")
    assert found is not None
    assert [each["kind"] for each in found["transcript"]] == ["caller", "agent", "caller"]
    assert await store.get("b") is None
    assert json.dumps(entry.to_dict())


async def test_words_are_found_whatever_their_case_and_accents(store):
    store.put(call("fr", "Une réservation à l'Hôtel Zürich", "Très bien", caller="+33612345678"))
    store.put(call("ar", "اسمي ليلى", minutes=1, agent="other"))
    store.put(call("hi", "मुझे किताब चाहिए", minutes=2))
    store.put(
        call(
            "odd",
            "it's 100% \"quoted\" & (strange) ' NEAR OR * : \x00 nul \ud83d \\u0000",
            minutes=3,
        )
    )
    await store.flush()

    async def find(text: str, **more: Any) -> list[str]:
        return [each.call for each in (await store.search(Query(text, **more))).entries]

    assert await find("reservation hotel") == ["fr"]
    assert await find("HÔTEL rés") == ["fr"]
    assert await find("zurich nowhere") == []
    assert await find("ervation") == []  # beginnings of words, not their middles
    assert await find("33612345678") == ["fr"]
    assert await find("ليلى") == ["ar"]
    assert await find("किताब") == ["hi"]
    for text in ('"quoted', "strange)", "NEAR OR *", "100%", "nul", "it's", "a:b' | c | !d"):
        await find(text)
    assert await find('"quoted" & near') == ["odd"]
    assert await find("%&!") == []
    assert await find("", agent="other") == ["ar"]
    assert await find("", caller="+33612345678") == ["fr"]
    assert await find("", since=NOON + timedelta(minutes=1), until=NOON + timedelta(minutes=3)) == [
        "hi",
        "ar",
    ]


async def test_pages_leave_nothing_out(store):
    for number in range(25):
        store.put(call(f"c{number:02}", minutes=number // 4))  # four begin at one time
    await store.flush()
    seen, cursor, rounds = [], "", 0
    while True:
        found = await store.search(Query(limit=4, cursor=cursor))
        seen += [each.call for each in found.entries]
        cursor, rounds = found.cursor, rounds + 1
        if rounds == 2:
            store.put(call("new", minutes=60))  # what comes meanwhile moves nothing
            await store.flush()
        if not cursor:
            break
    assert seen == [f"c{number:02}" for number in reversed(range(25))]
    for bad in ("x", "!!", "AAAA", "bm9wZQ"):
        with pytest.raises(RecordsError, match="cursor"):
            await store.search(Query(cursor=bad))
    assert len((await store.search(Query(limit=-5))).entries) == 1


async def test_percentiles_over_time(store):
    for number in range(10):
        store.put(call(f"a{number}", *["x"] * 20, minutes=number))
    store.put(call("b", "x", "y", minutes=60, agent="other"))
    await store.flush()
    since, until = NOON - timedelta(hours=1), NOON + timedelta(hours=2)
    hours = await store.percentiles(since, until, 3600)
    assert [each.since.hour for each in hours] == [12, 13]
    assert (hours[0].calls, hours[0].turns) == (10, 100)
    assert dict(hours[0].percentiles) == {"p50": 900.0, "p95": 1400.0, "p99": 1400.0}
    assert [each.calls for each in await store.percentiles(since, until, 3600, "other")] == [1]
    minutes = await store.percentiles(NOON, NOON + timedelta(minutes=5), 60)
    assert [each.turns for each in minutes] == [10] * 5
    assert json.dumps(minutes[0].to_dict())
    for wrong in ((until, since, 60.0), (since, until, 0.5), (since, until, 1.0)):
        with pytest.raises(RecordsError):
            await store.percentiles(*wrong)


async def test_recordings_lie_beside(store):
    for ident in ("a", "b"):
        store.put(call(ident))
    data = record(store, "a", 3.0)
    await store.keep("a")
    await store.keep("b")  # there is none
    await store.keep("a")  # it is taken
    found = await store.recording("a")
    assert found is not None
    assert found.size == len(data)
    assert b"".join([part async for part in store.stream("a")]) == data
    assert b"".join([part async for part in store.stream("a", 40, 50)]) == data[40:50]
    flags = {each.call: each.recorded for each in (await store.search(Query())).entries}
    assert flags == {"a": True, "b": False}
    store.put(call("a", "once more"))  # the flag stays
    await store.flush()
    assert (await store.search(Query("more"))).entries[0].recorded
    assert await store.recording("b") is None
    assert await store.recording("../a") is None
    with pytest.raises(RecordsError):
        [part async for part in store.stream("../kept/a")]
    with pytest.raises(RecordsError):
        [part async for part in store.stream("b")]


async def test_one_callers_data_are_deleted(store, tmp_path):
    for ident, caller in (("a", "ada"), ("b", "ada"), ("c", "bob"), ("d", "adam")):
        store.put(call(ident, f"xylophone {caller}", caller=caller))
        record(store, ident)
        await store.keep(ident)
    store.put(call("e", "still talking", caller="ada", live=True))
    record(store, "b")  # left in the spool, too
    assert await store.forget("ada") == 2
    assert await store.forget("nobody") == 0
    left = [each.call for each in (await store.search(Query())).entries]
    assert sorted(left) == ["c", "d", "e"]
    assert {path.stem for path in (tmp_path / "kept").iterdir()} == {"c", "d"}
    assert not list((tmp_path / "spool").iterdir())
    assert [each.call for each in (await store.search(Query("xylophone ada"))).entries] == ["d"]
    hours = await store.percentiles(NOON, NOON + timedelta(hours=1), 60)
    assert not hours
    record(store, "a")
    await store.keep("a")  # an upload that ends too late brings nothing back
    assert await store.recording("a") is None
    assert await store.delete("c")
    assert not await store.delete("c")
    assert not await store.delete("e")


async def test_what_is_old_is_purged(kept, tmp_path):
    clock = Clock()
    async with making(kept, tmp_path, days=30, now=clock) as store:
        for number in range(3):
            store.put(call(f"c{number}", "hello", minutes=-60 * 24 * 20 * number))
            record(store, f"c{number}")
            await store.keep(f"c{number}")
        store.put(call("going", minutes=-60 * 24 * 90, live=True))
        await store.flush()
        await store.look_after()
        left = [each.call for each in (await store.search(Query())).entries]
        assert left == ["c0", "c1", "going"]
        clock.now += 15 * 86_400
        await store.look_after(purge=False)
        assert len((await store.search(Query())).entries) == 3
        await store.look_after()
        left = [each.call for each in (await store.search(Query())).entries]
        assert left == ["c0", "going"]
        # Files are as old as the machine's clock says; these were just made.
        assert {path.stem for path in (tmp_path / "kept").iterdir()} == {"c0"}
        # A recording of which there is no record goes as well.
        await store.purge(datetime.fromtimestamp(time.time() + 60, UTC))
        assert not list((tmp_path / "kept").iterdir())


async def test_a_call_whose_server_is_killed_is_over(kept, tmp_path):
    clock = Clock()
    async with contextlib.AsyncExitStack() as stack:
        mine = await stack.enter_async_context(making(kept, tmp_path, now=clock))
        other = Store(
            kept(), FileRecordings(tmp_path / "kept"), tmp_path / "else",
            upkeep=False, now=clock, clock=clock,
        )  # fmt: skip
        await stack.enter_async_context(other)
        mine.put(call("a", "one", "two", live=True))
        other.put(call("b", "one", "two", "three", live=True))
        await mine.flush()
        await other.flush()
        await mine.look_after()
        clock.now += SILENT + 1
        await mine.look_after()  # "a" goes on: it says so first
        entries = {each.call: each for each in (await mine.search(Query())).entries}
        assert entries["a"].live
        assert (entries["b"].live, entries["b"].ended) == (False, "the server was lost")
        assert entries["b"].last == "three"
        found = await mine.get("b")
        assert found is not None
        assert found["ended"] == "the server was lost"
        other.put(call("b", "one", "two", "three", "four"))  # it was only asleep
        await other.flush()
        assert (await mine.search(Query("four"))).entries[0].ended == "the caller hung up"


async def test_what_lies_in_the_spool_is_taken_up(kept, tmp_path):
    async with making(kept, tmp_path, now=lambda: time.time() + SILENT * 2) as store:
        store.put(call("a", "hello"))
        store.put(call("going", live=True))
        for ident in ("a", "going", "stranger"):
            record(store, ident)
        await store.flush()
        await store.look_after()
        assert await store.recording("a") is not None
        assert await store.recording("going") is None
        assert await store.recording("stranger") is None  # no record: nobody may keep it
        assert (await store.search(Query("hello"))).entries[0].recorded


async def test_what_is_secret_is_not_written(kept, tmp_path):
    redaction = Redaction(patterns=[r"KD-\d+"])
    async with making(kept, tmp_path, redaction=redaction) as store:
        events = [{"event": "key_pressed", "at": 1.0, "key": "7"}]
        store.put(call("a", "it is 4111 1111 1111 1111 for KD-77", events=events))
        await store.flush()
        found = await store.get("a")
        assert found is not None
        assert found["transcript"][0]["text"] == "it is [card] for [redacted]"
        assert found["events"][0]["key"] == "•"
        for text in ("4111", "77", "1111"):
            assert not (await store.search(Query(text))).entries


async def test_two_servers_open_one_database_at_a_time(kept, tmp_path):
    stores = [making(kept, tmp_path / str(number)) for number in range(3)]
    await asyncio.gather(*(each.open() for each in stores))
    for number, store in enumerate(stores):
        store.put(call(f"c{number}", "hello"))
    await asyncio.gather(*(each.flush() for each in stores))
    assert len((await stores[0].search(Query("hello"))).entries) == 3
    for store in stores:
        await store.close()
        await store.close()
    with pytest.raises(RecordsError, match="not open"):
        await stores[0].search(Query())


async def test_a_bad_record_stops_no_other(store, caplog):
    store.put({"call": "x"})
    store.put(call("y", cost_usd="much"))
    store.put(call("z", seconds=float("nan"), cost_usd=float("nan")))
    store.put(call("a", "hello"))
    await store.flush()
    assert "a" in [each.call for each in (await store.search(Query())).entries]
    assert "x cannot be kept" in caplog.text


async def test_what_there_is_too_little_memory_for_is_written_once_there_is_enough(
    store, caplog, monkeypatch
):
    step, scarcities = store._journal.step, [MemoryError(), RuntimeError("can't start new thread")]

    def fails(entry):
        if scarcities:
            raise scarcities.pop()
        return step(entry)

    monkeypatch.setattr(store._journal, "step", fails)
    store.put(call("a", "hello"))
    await store.flush()
    assert [each.call for each in (await store.search(Query())).entries] == ["a"]
    assert store.lost == 0
    assert "records wait: no thread can be started" in caplog.text
    assert "cannot be kept" not in caplog.text

    async def no_room(_call, _path):
        raise MemoryError

    record(store, "a")
    monkeypatch.setattr(store.recordings, "keep", no_room)
    await store.keep("a")
    assert "the recording of call a waits: there is not enough memory" in caplog.text
    assert store.spool("a").is_file()

    async def defect(_call, _path):
        raise RuntimeError("a defect")

    monkeypatch.setattr(store.recordings, "keep", defect)
    with pytest.raises(RuntimeError, match="a defect"):
        await store.keep("a")


async def test_a_newer_versions_records_are_left_alone(kept, tmp_path):
    base = kept()
    await base.open()
    if isinstance(base, SqliteDatabase):
        await base._do(lambda each: each.execute("PRAGMA user_version = 99"))
    else:
        await base._execute("UPDATE vivavoce_version SET version = 99")
    await base.close()
    with pytest.raises(RecordsError, match="newer vivavoce"):
        await making(kept, tmp_path).open()
    if not isinstance(base, SqliteDatabase):  # the next test's is this one
        base._pool = await base._asyncpg.create_pool(base._url)
        await base._execute(f"UPDATE vivavoce_version SET version = {len(UPGRADES)}")
        await base.close()


async def test_a_database_that_breaks_off_gets_it_later(kept, tmp_path, caplog):
    async with making(kept, tmp_path) as store:
        base = store.database
        if isinstance(base, SqliteDatabase):
            # Another program holds it, for longer than is waited for.
            await base._do(lambda each: each.execute("PRAGMA busy_timeout = 100"))
            other = sqlite3.connect(base.path, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
        else:
            other = None
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'viva'"
            with contextlib.suppress(RecordsError):
                await base._execute(end)  # type: ignore[attr-defined]
        store.put(call("a", "hello"))
        if other is not None:
            for _ in range(400):
                if "records wait" in caplog.text:
                    break
                await asyncio.sleep(0.05)
            store.put(call("a", "hello again"))
            other.execute("ROLLBACK")
            other.close()
        await store.flush()
        (entry,) = (await store.search(Query("hello"))).entries
        assert entry.last == ("hello" if other is None else "hello again")


async def test_a_full_disk_keeps_records_waiting_and_stops_nobody(tmp_path, caplog):
    async with making(lambda: SqliteDatabase(tmp_path / "calls.sqlite3"), tmp_path) as store:
        store.put(call("a", "hello"))
        await store.flush()
        long = " ".join(f"word{number}" for number in range(50_000))
        with a_disk_that_takes(100_000):
            store.put(call("b", f"{long} good evening"))
            store.put(call("a", "hello again"))
            for _ in range(400):
                if "records wait" in caplog.text:
                    break
                await asyncio.sleep(0.05)
            assert "records wait" in caplog.text
            assert (await store.search(Query("hello"))).entries  # what is there can be read
        await store.flush()
        assert [each.call for each in (await store.search(Query("evening"))).entries] == ["b"]
        assert (await store.search(Query("hello"))).entries[0].last == "hello again"
        assert store.lost == 0
