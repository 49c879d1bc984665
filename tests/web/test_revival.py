"""Calls that go on after their server was lost: on another one, with their history."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from tests.web.calls import Browser, get, host, serving
from tests.web.test_socket import Client, connected
from vivavoce.agent import Agent, Interpreter
from vivavoce.web.records import Query
from vivavoce.web.revival import digest
from vivavoce.web.store import Store
from vivavoce.web.store_files import FileRecordings
from vivavoce.web.store_sqlite import SqliteDatabase

READY = json.dumps({"label": "rtvi-ai", "type": "client-ready", "id": "1", "data": {}})


def making(folder: Path, *, upkeep: bool = True, recorded: bool = False) -> Store:
    base = SqliteDatabase(folder / "calls.sqlite3")
    if not recorded:
        return Store(base, upkeep=upkeep)
    return Store(base, FileRecordings(folder / "kept"), folder / "spool", upkeep=upkeep)


async def types(client: Client, text: str) -> None:
    """Say something."""
    data = {"content": text, "options": {}}
    await client.socket.send_str(
        json.dumps({"label": "rtvi-ai", "type": "send-text", "id": text, "data": data})
    )


async def answered(client: Client, text: str) -> dict[str, Any]:
    """Wait for a reply that was said to its end."""
    return dict(
        await client.until(
            lambda: next(
                (
                    each["reply"]
                    for each in client.events("agent_said")
                    if text in each["reply"]["heard"]
                ),
                None,
            )
        )
    )


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that no event tells."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.03)
    raise AssertionError("it does not come")


@contextlib.asynccontextmanager
async def there(server: Any, token: str = "") -> AsyncIterator[Client]:
    """A caller over a websocket, who is told what happens."""
    async with connected(server, f"/api/ws?rate=16000&resume={token}") as client:
        await client.event("call")
        await client.socket.send_str(READY)
        await client.event("snapshot")
        yield client


@dataclasses.dataclass
class Order:
    dishes: list[str] = dataclasses.field(default_factory=list)


def waiter(seen: list[Any]) -> Agent[Any, Order]:
    agent: Agent[Any, Order] = Agent(
        "You take orders.", name="waiter", greeting="Good evening.", state=Order
    )

    @agent.lifespan
    async def live(call):
        seen.append(call.resumed)
        yield

    @agent.reply
    async def answer(call, heard):
        call.state.dishes.append(heard)
        call.remember("last dish", heard)
        said = [each.text for each in call.transcript.caller]
        count, last = len(call.state.dishes), call.memory["last dish"]
        return f"first you said {said[0]}, that makes {count} for table {last}"

    return agent


async def test_a_call_goes_on_where_its_server_was_lost(tmp_path, monkeypatch):
    """Its server is one that gives no sign of life, and wakes up later."""
    monkeypatch.setattr("vivavoce.web.store.LEASE", 0.5)
    seen: list[Any] = []
    async with (
        making(tmp_path, upkeep=False, recorded=True) as asleep,
        making(tmp_path, recorded=True) as awake,
        serving(waiter(seen), records=asleep, wait=30.0) as first,
        serving(waiter(seen), records=awake, name="w2") as second,
    ):
        async with there(first) as client:
            begun = await client.event("call")
            await answered(client, "Good evening.")
            await types(client, "soup")
            await answered(client, "that makes 1")
            await asyncio.sleep(0.1)
            await asleep.flush()
            (old,) = first.desk.calls.values()
            client.socket._writer.transport.abort()  # nobody says goodbye
        async with there(second, begun["resume"]) as client:
            back = await client.event("call")
            assert back["call"] == begun["call"]
            assert back["resume"] == f"w2.{begun['resume']}"
            (resumed,) = client.events("snapshot")
            texts = [each.get("heard") or each["text"] for each in resumed["transcript"]]
            assert texts[:2] == ["Good evening.", "soup"]
            assert len(texts) == 3
            assert resumed["at"] > resumed["transcript"][-1]["ended"]
            await types(client, "cheese")
            reply = await answered(client, "that makes 2")
            assert reply["heard"] == "first you said soup, that makes 2 for table cheese"
            assert reply["started"] > resumed["transcript"][-1]["ended"]
            told = [each["reply"]["heard"] for each in client.events("reply")]
            assert "Good evening." not in told  # once more
            # The one that was thought lost wakes up: it writes nothing, and lets go.
            old.conversation.call.remember("nothing", "of this")
            asleep.put({**first.desk.report(old), "live": True, "events": [], "cost_usd": 99.0})
            await asleep.flush()
            await until(lambda: not first.desk.calls)
            assert old.conversation.call.reason == "another server has taken the call over"
            await asleep.flush()
            assert (await awake.get(begun["call"]))["cost_usd"] != 99.0
            # The token that it had before is good here, too.
            async with there(second, begun["resume"]) as again:
                assert (await again.event("call"))["call"] == begun["call"]
                await again.socket.send_str(
                    json.dumps({"label": "rtvi-ai", "type": "disconnect-bot", "id": "9"})
                )
                await again.event("call_ended")
        await until(lambda: not second.desk.calls)
        await second.desk.close()
        await awake.flush()
        record = await awake.get(begun["call"])
        assert record is not None
        assert record["ended"] == "the caller hung up"
        kinds = [each["event"] for each in record["events"]]
        assert kinds[0] == "call_started"
        assert kinds.count("call_started") == kinds.count("resumed") == 1
        assert len(record["resumed"]) == 1
        assert "revival" not in record
        # Both have recorded it, one after the other, on one clock.
        sound = await awake.recording(begun["call"])
        assert sound is not None
        with wave.open(str(sound.path)) as wav:
            assert wav.getnframes() / wav.getframerate() > record["resumed"][0]["at"] + 0.5
        assert seen[0] is None
        assert seen[1].away > 0
        status, answer = await get(
            f"{second.url}/api/ws?resume={begun['resume']}", headers={"Connection": "Upgrade"}
        )
        assert (status, answer["error"]["code"]) == (410, "over")


async def test_a_page_comes_back_to_whom_it_spoke_with_and_is_answered(tmp_path, monkeypatch):
    """Over WebRTC: the agent that took the call over says that it is back, and answers."""
    monkeypatch.setattr("vivavoce.web.store.LEASE", 0.3)
    desk: Agent[Any] = Agent("b", name="desk", on_resume="I am back, {memory.name}.")
    host: Agent[Any] = Agent("a", name="host")

    @host.reply
    async def hand_over(call, heard):
        await call.hand_off(desk)
        return "The desk will help."

    @desk.reply
    async def answer(call, heard):
        if call.resumed is None:
            await asyncio.sleep(600)
        return f"to {heard}: yes"

    async with (
        making(tmp_path, upkeep=False) as asleep,
        making(tmp_path) as awake,
        serving(host, records=asleep, wait=1.0) as first,
        serving(host, records=awake) as second,
    ):
        async with there(first) as client:
            begun = await client.event("call")
            await types(client, "the desk please")
            await answered(client, "The desk will help.")
            (old,) = first.desk.calls.values()
            old.conversation.call.remember("name", "Ada")
            await types(client, "are you open")
            await until(lambda: len(old.conversation.call.transcript.caller) == 2)
            await asyncio.sleep(1.2)  # what changes is put within a second
            await asleep.flush()
            client.socket._writer.transport.abort()
        async with Browser(second.url) as browser:
            await browser.call(request_data={"resume": begun["resume"]})
            assert browser.status == 200, browser.answer
            assert browser.answer["call"] == begun["call"]
            assert browser.answer["resume"] == begun["resume"]
            snapshot = await browser.event("snapshot")
            assert snapshot["agent"] == "desk"

            def said() -> bool:
                heard = " ".join(
                    each.get("heard") or "" for each in [*snapshot["transcript"], *replies()]
                )
                return "I am back, Ada." in heard and "to are you open: yes" in heard

            def replies() -> list[dict[str, Any]]:
                return [each["reply"] for each in browser.events("reply")]

            await browser.until(said)
            await browser.until(lambda: len(browser.heard) > 10)
            (live,) = second.desk.calls.values()
            assert live.conversation.call.agent is desk
            assert [each.agent for each in live.conversation.call.transcript.handoffs] == ["desk"]
            browser.send("disconnect-bot")
            await browser.event("call_ended")


async def test_what_cannot_go_on_is_refused_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("vivavoce.web.store.LEASE", 0.3)
    async with (
        making(tmp_path, upkeep=False) as lost,
        making(tmp_path) as store,
        serving(host(), records=store, wait=1.0) as server,
    ):
        common = {"began": "2026-11-21T12:00:00+00:00", "live": True, "kind": "webrtc"}
        for token, agent, more in (
            ("interpreted", "interpreter", {"refused": "an interpreted session ends"}),
            ("stranger", "stranger", {}),
        ):
            revival = {"digest": digest(token), **more}
            lost.put({**common, "call": token, "agent": agent, "revival": revival})
        await lost.flush()
        for token, status, code in (
            ("interpreted", 410, "not_resumable"),
            ("stranger", 410, "no_agent"),
            ("nobody", 404, "no_call"),
        ):
            async with Browser(server.url) as browser:
                await browser.call(request_data={"resume": token})
                assert (browser.status, browser.answer["error"]["code"]) == (status, code)
        await until(lambda: not server.desk.calls)
        # What was refused is nobody's again.
        for _ in range(100):
            held = await store.database.held(digest("stranger"))
            if held is not None and not held.owner:
                break
            await asyncio.sleep(0.05)
        assert held is not None
        assert held.owner == ""


async def test_a_session_that_ends_with_its_server_says_so_in_its_record(tmp_path):
    interpreter = Interpreter("fr", "en")
    async with (
        making(tmp_path) as store,
        serving(interpreter, records=store, wait=1.0) as server,
        connected(server, "/api/ws") as client,
    ):
        begun = await client.event("call")
        held = None
        for _ in range(200):
            held = await store.database.held(digest(begun["resume"]))
            if held is not None:
                break
            await asyncio.sleep(0.05)
        assert held is not None
        parts = await store.database.get(held.call)
        assert "refused" in json.loads(parts[0])["revival"]


def test_a_digest_is_of_the_secret_alone():
    assert digest("w1.secret") == digest("w2.secret") == digest("secret") != digest("secre")
    assert "secret" not in digest("w1.secret")


async def test_a_worker_that_is_stopped_leaves_its_calls_to_another(tmp_path):
    async with (
        making(tmp_path, recorded=True) as one,
        making(tmp_path, recorded=True) as two,
        serving(waiter([]), records=one, name="w1") as first,
        serving(waiter([]), records=two, name="w2") as second,
    ):
        async with there(first) as client:
            begun = await client.event("call")
            assert begun["resume"].startswith("w1.")
            await answered(client, "Good evening.")
            await types(client, "soup")
            await answered(client, "that makes 1")
            await first.desk.close()
            await client.until(lambda: client.socket.closed)
            assert client.socket.close_code == 1012
            assert not client.events("call_ended")  # it is not over
        assert not first.desk.calls
        async with there(second, begun["resume"]) as client:
            assert (await client.event("call"))["call"] == begun["call"]
            await types(client, "cheese")
            await answered(client, "first you said soup, that makes 2")
        (entry,) = (await two.search(Query())).entries
        assert entry.live
