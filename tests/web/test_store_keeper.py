"""Calls that are kept while they go on."""

from __future__ import annotations

import asyncio
import io
import wave
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.web.calls import get, host, serving
from tests.web.test_socket import connected
from vivavoce.web.records import Entry, Query
from vivavoce.web.store import Store
from vivavoce.web.store_files import FileRecordings
from vivavoce.web.store_sqlite import SqliteDatabase


def making(folder: Path, *, recorded: bool = True) -> Store:
    base = SqliteDatabase(folder / "calls.sqlite3")
    if not recorded:
        return Store(base)
    return Store(base, FileRecordings(folder / "recordings"), folder / "spool")


async def until(store: Store, query: Query, good: Any = bool) -> Entry:
    """Wait for a call that is as it should be."""
    async with asyncio.timeout(30):
        while True:
            await store.flush()
            found = (await store.search(query)).entries
            if found and good(found[0]):
                return found[0]
            await asyncio.sleep(0.05)


async def test_a_call_is_kept_turn_by_turn(tmp_path):
    async with (
        making(tmp_path) as store,
        serving(host("Good evening."), records=store, wait=1.0) as server,
    ):
        about = (await get(f"{server.url}/api/agents"))[1]
        assert about["recording"]
        assert about["records"] == {"words": True, "sound": True, "days": None}
        async with connected(server, "/api/ws") as client:
            begun = await client.event("call")
            entry = await until(store, Query())
            assert (entry.call, entry.live, entry.kind) == (begun["call"], True, "websocket")
            assert entry.caller == "127.0.0.1"
            await client.socket.send_str(
                '{"label": "rtvi-ai", "type": "client-ready", "id": "1", "data": {}}'
            )
            await client.event("snapshot")
            await until(store, Query(), lambda each: each.last == "Good evening.")
            await client.socket.send_str(
                '{"label": "rtvi-ai", "type": "client-message", "id": "2",'
                ' "data": {"t": "key", "d": {"key": "7"}}}'
            )
            await client.socket.send_str(
                '{"label": "rtvi-ai", "type": "send-text", "id": "3",'
                ' "data": {"content": "my card is 4111 1111 1111 1111", "options": {}}}'
            )
            entry = await until(store, Query("card"), lambda each: "said" in each.last)
            assert entry.live
            assert entry.last == "you said my card is [card]"
        entry = await until(store, Query(live=False), lambda each: each.recorded)
        record = await store.get(entry.call)
        assert record is not None
        assert record["ended"] == entry.ended
        kinds = [each["event"] for each in record["events"]]
        assert "call_started" in kinds
        assert kinds[-1] == "call_ended"
        assert "4111" not in str(record)
        (key,) = (each for each in record["events"] if each["event"] == "key_pressed")
        assert key["key"] == "•"
        # Who was in it still gets it, from where it is kept now.
        url = f"{server.url}/api/calls/{entry.call}/recording"
        headers = {"Authorization": f"Bearer {begun['resume']}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            async with http.get(url) as response:
                sound = await response.read()
                assert response.status == 200
            async with http.get(url, headers={"Range": "bytes=4-11"}) as response:
                assert response.status == 206
                assert await response.read() == sound[4:12]
        with wave.open(io.BytesIO(sound)) as wav:
            assert wav.getnchannels() == 2
            assert wav.getnframes() > wav.getframerate() / 10
        assert await store.forget("127.0.0.1") == 1
        async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as response:
            assert response.status == 404


async def test_nothing_is_recorded_where_records_have_no_place_for_it(tmp_path):
    store = making(tmp_path, recorded=False)
    async with store, serving(host("Good evening."), records=store, wait=1.0) as server:
        assert not (await get(f"{server.url}/api/agents"))[1]["recording"]
        async with connected(server, "/api/ws") as client:
            await client.event("call")
        entry = await until(store, Query(live=False))
        assert not entry.recorded
        assert await store.recording(entry.call) is None
    assert {path.name for path in tmp_path.iterdir()} == {"calls.sqlite3"}


async def test_a_server_that_ends_leaves_no_call_that_goes_on(tmp_path):
    async with making(tmp_path) as store:
        serve = serving(host("Good evening."), records=store, wait=1.0)
        async with serve as server, connected(server, "/api/ws") as client:
            await client.event("call")
            await until(store, Query(live=True), lambda each: each.last == "Good evening.")
            await server.close()
        (entry,) = (await store.search(Query())).entries
        assert (entry.live, entry.ended) == (False, "the server is shutting down")
        assert entry.recorded


async def test_two_places_of_recordings_are_one_too_many(tmp_path):
    with pytest.raises(ValueError, match="one of both"):
        async with serving(records=making(tmp_path), recordings=tmp_path):
            pass
