"""The operator's view over real sockets: who may look, what is told, and a listener that stalls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from tests.web.calls import get, host, request, serving
from tests.web.conftest import latency
from tests.web.test_socket import Client, connected
from vivavoce.agent import Agent
from vivavoce.web.audience import PROTOCOL
from vivavoce.web.exposure import Exposure
from vivavoce.web.listener import BLOCK, RATE
from vivavoce.web.records import Recording
from vivavoce.web.store import Store
from vivavoce.web.store_files import FileRecordings
from vivavoce.web.store_sqlite import SqliteDatabase
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
GUARDED = Exposure(port=0, secret=SECRET, origins=("https://shop.example",))
SIGNER = Signer(SECRET)
ROOT = "/api/operator"
PATHS = ["", "/calls", "/calls/x", "/calls/x/recording", "/percentiles", "/live", "/calls/x/watch"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def type_in(caller: Client, text: str) -> None:
    data = {"content": text, "options": {"run_immediately": True}}
    message = {"label": "rtvi-ai", "type": "send-text", "id": "1", "data": data}
    await caller.socket.send_str(json.dumps(message))


async def calling(server, caller: Client) -> str:
    """Begin; return the call's name once its agent has spoken."""
    ready = {"label": "rtvi-ai", "type": "client-ready", "id": "0", "data": {"version": "1.2.0"}}
    await caller.socket.send_str(json.dumps(ready))
    ident = (await caller.event("call"))["call"]
    await caller.until(
        lambda: (
            server.desk.calls[ident].conversation
            and server.desk.calls[ident].conversation.call.transcript.entries
        )
    )
    return ident


@pytest.mark.parametrize("path", PATHS)
async def test_only_an_operators_token_opens_it(path):
    now = time.time()
    wrong = {
        "": 401,
        SIGNER.issue(now, lifetime=60): 401,  # a call's
        SIGNER.service_key: 401,
        SIGNER.issue_operator(now - 100, lifetime=60): 401,  # over
        Signer(SECRET + "!").issue_operator(now): 401,
    }
    async with serving(exposure=GUARDED) as server:
        for token, status in wrong.items():
            found, body = await get(f"{server.url}{ROOT}{path}", headers=bearer(token))
            assert (found, "operator" in body["error"]["message"]) == (status, True), token
            # Neither does a token in the address, where logs have it.
            found, _ = await get(f"{server.url}{ROOT}{path}", params={"token": token})
            assert found == 401
        good = bearer(SIGNER.issue_operator(now, name="ada"))
        found, _ = await get(f"{server.url}{ROOT}{path}", headers=good)
        assert found in {200, 404, 426}
        found, body = await get(
            f"{server.url}{ROOT}{path}", headers={**good, "Origin": "https://shop.example"}
        )
        assert (found, body["error"]["code"]) == (403, "wrong_origin")


async def test_an_operators_token_begins_no_call():
    async with serving(exposure=GUARDED) as server:
        token = SIGNER.issue_operator(time.time())
        status, _ = await get(f"{server.url}/api/agents", headers=bearer(token))
        assert status == 401
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await http.ws_connect(f"{server.url}/api/ws?token={token}")
        assert caught.value.status == 401
        assert not server.desk.calls


async def test_tokens_are_made_with_the_service_key():
    async with serving(exposure=GUARDED) as server:
        url = f"{server.url}{ROOT}/tokens"
        key = bearer(SIGNER.service_key)
        status, made = await request("POST", url, headers=key, json={"name": "ada"})
        assert status == 200
        status, about = await get(f"{server.url}{ROOT}", headers=bearer(made["token"]))
        assert (status, about["operator"], about["agents"]) == (200, "ada", ["host"])
        call = SIGNER.issue(time.time())
        for headers in (bearer(call), bearer(made["token"]), {}):
            assert (await request("POST", url, headers=headers, json={}))[0] == 401
        for body in ({"lifetime": 1e9}, {"lifetime": "long"}):
            assert (await request("POST", url, headers=key, json=body))[0] == 400


async def test_on_this_machine_its_own_pages_need_no_token():
    async with serving(exposure=Exposure(port=0, origins=("https://shop.example",))) as server:
        status, about = await get(f"{server.url}{ROOT}")
        assert (status, about["token"], about["kept"]) == (200, False, False)
        status, _ = await get(f"{server.url}{ROOT}", headers={"Origin": server.url})
        assert status == 200
        status, _ = await get(f"{server.url}{ROOT}", headers={"Origin": "https://shop.example"})
        assert status == 403
        status, _ = await get(f"{server.url}{ROOT}", headers={"Host": "evil.example"})
        assert status == 403


async def test_a_call_is_followed_and_heard_from_its_middle_to_its_end():
    async with serving() as server, connected(server, "/api/ws") as caller:
        ident = await calling(server, caller)
        await type_in(caller, "one")
        await caller.event("caller_said")
        sound = np.full(480, 3_000, np.int16).tobytes()
        async with connected(server, f"{ROOT}/calls/{ident}/watch") as operator:
            about = await operator.event("watch")
            assert (about["call"], about["rate"], about["channels"]) == (ident, RATE, 2)
            told = (await operator.event("snapshot"))["transcript"]
            assert "one" in [each.get("text") for each in told]
            assert not operator.events("caller_said")  # what was is in the snapshot
            assert "resume" not in json.dumps(operator.texts)
            assert not operator.sound
            await operator.socket.send_str('{"listen": true}')
            for _ in range(60):
                await caller.socket.send_bytes(sound)
            await operator.until(lambda: len(operator.sound) >= 10)
            heard = np.frombuffer(b"".join(operator.sound), "<i2").reshape(-1, 2)
            assert len(operator.sound[0]) == round(BLOCK * RATE) * 4
            assert 2_500 < np.max(heard[:, 0]) < 3_500
            await type_in(caller, "two")
            said = await operator.event("agent_started")
            assert said["reply"]["generated"].startswith("you said")

            def agent_heard() -> bool:
                return bool(np.frombuffer(operator.sound[-1], "<i2")[1::2].any())

            await operator.until(agent_heard)
            # It is only looked at: what an operator says changes nothing.
            for text in ('{"type":"disconnect-bot"}', "not JSON", "[1]", '{"listen": 7}'):
                await operator.socket.send_str(text)
            types = {each["type"] for each in operator.texts}
            assert types == {"server-message"}
            await server.desk.calls[ident].hang_up("over and out")
            ended = await operator.event("call_ended")
            assert ended["reason"] == "over and out"
            await operator.until(lambda: operator.socket.closed)
        status, record = await get(f"{server.url}{ROOT}/calls/{ident}")
        assert (status, record["ended"]) == (200, "over and out")


async def test_which_calls_there_are_is_told_and_searched():
    other = Agent(name="other", greeting="Something else entirely.")
    async with serving(host(), other) as server, connected(server, f"{ROOT}/live") as desk:
        assert (await desk.event("calls"))["live"] == []

        def last() -> list[str]:
            return [each["agent"] for each in desk.events("calls")[-1]["live"]]

        async with connected(server, "/api/ws") as one, connected(server, "/api/ws?agent=other"):
            ident = await calling(server, one)
            await desk.until(lambda: last() == ["other", "host"])
            await type_in(one, "my pineapple order")
            await desk.until(
                lambda: any(
                    "pineapple" in each["last"] for each in desk.events("calls")[-1]["live"]
                )
            )
            row = desk.events("calls")[-1]["live"][1]
            assert (row["call"], row["kind"], row["live"]) == (ident, "websocket", True)
            await desk.socket.send_str('{"text": "PINE ord"}')
            await desk.until(lambda: last() == ["host"])
            await desk.socket.send_str('{"agent": "other"}')
            await desk.until(lambda: last() == ["other"])
            status, found = await get(f"{server.url}{ROOT}/calls", params={"text": "pineapple"})
            assert (status, [each["call"] for each in found["live"]]) == (200, [ident])
            await desk.socket.send_str("{}")
        await desk.until(lambda: last() == [])
        status, found = await get(f"{server.url}{ROOT}/calls")
        assert [each["agent"] for each in found["past"]] == ["other", "host"] or [
            each["agent"] for each in found["past"]
        ] == ["host", "other"]
        for query, count in (
            ({"text": "pineapple"}, 1),
            ({"text": "apple"}, 0),  # words are found by their beginning
            ({"agent": "other"}, 1),
            ({"state": "live"}, 0),
            ({"until": "2020-01-01"}, 0),
            ({"limit": "1"}, 1),
        ):
            _, found = await get(f"{server.url}{ROOT}/calls", params=query)
            assert len(found.get("past", [])) == count, query
        for query in ({"limit": "0"}, {"since": "noon"}, {"state": "odd"}, {"cursor": "x"}):
            status, found = await get(f"{server.url}{ROOT}/calls", params=query)
            assert status == 400, query


async def test_a_token_for_one_agent_shows_its_calls_alone():
    other = Agent(name="other", greeting="Something else.")
    async with serving(host(), other, exposure=GUARDED) as server:
        now = time.time()
        path = f"/api/ws?agent=other&token={SIGNER.issue(now)}"
        async with connected(server, path) as caller:
            ident = await calling(server, caller)
            mine = bearer(SIGNER.issue_operator(now, agent="host"))
            theirs = bearer(SIGNER.issue_operator(now, agent="other"))
            url = f"{server.url}{ROOT}"
            for headers, count in ((mine, 0), (theirs, 1)):
                _, found = await get(f"{url}/calls", headers=headers)
                assert len(found["live"]) == count
            assert (await get(f"{url}/calls/{ident}/watch", headers=mine))[0] == 404
            assert (await get(f"{url}/calls/{ident}/watch", headers=theirs))[0] == 426
            assert (await get(f"{url}/calls/{ident}", headers=mine))[0] in {403, 404}
            found = await get(f"{url}/percentiles", params={"agent": "other"}, headers=mine)
            assert found[0] == 403
        await asyncio.sleep(0)
        _, found = await get(f"{url}/calls", headers=mine)
        assert found["past"] == []
        assert (await get(f"{url}/calls/{ident}", headers=mine))[0] == 404


async def test_a_socket_ends_with_its_token():
    async with serving(exposure=GUARDED) as server, aiohttp.ClientSession() as http:
        token = SIGNER.issue_operator(time.time(), lifetime=2)
        # As a browser does, which cannot set headers.
        offered = (PROTOCOL, f"vivavoce.token.{token}")
        socket_ = await http.ws_connect(f"{server.url}{ROOT}/live", protocols=offered)
        assert socket_.protocol == PROTOCOL
        async with asyncio.timeout(20):
            while (await socket_.receive()).type is not aiohttp.WSMsgType.CLOSE:
                pass
        assert socket_.close_code == 1008


async def test_a_listener_that_stalls_is_cut_off_and_the_call_does_not_notice(monkeypatch):
    monkeypatch.setattr("vivavoce.web.audience.STALLED", 0.5)
    async with serving() as server, connected(server, "/api/ws") as caller:
        ident = await calling(server, caller)
        # A client that shakes hands, asks for sound and never reads again.
        with contextlib.closing(socket.socket()) as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(raw, ("127.0.0.1", server.port))
            head = (
                f"GET {ROOT}/calls/{ident}/watch?listen=1 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}"
                "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            await loop.sock_sendall(raw, head.encode())
            line = server.desk.calls[ident].line
            await caller.until(lambda: line.taps)
            (listener,) = line.taps
            # The kernel's buffers hold a while of live sound: this is more of it, as it comes.
            block = np.random.default_rng(1).integers(-9_000, 9_000, 1_600).astype(np.int16)
            waiting = 0
            async with asyncio.timeout(30):
                while line.taps:
                    for _ in range(20):
                        listener.caller(block, RATE)
                        listener.agent(block, RATE)
                    waiting = max(waiting, len(listener._sounds))
                    await asyncio.sleep(0.005)
            assert listener.dropped > 0
            assert waiting <= 20
            await type_in(caller, "are you there")
            await caller.until(
                lambda: any("are you" in str(each) for each in caller.events("reply"))
            )
        assert server.connections == 1


async def test_several_operators_share_one_watch_and_leave_nothing():
    async with serving() as server, connected(server, "/api/ws") as caller:
        ident = await calling(server, caller)
        path = f"{ROOT}/calls/{ident}/watch?listen=1"
        async with connected(server, path) as one:
            async with connected(server, path) as two:
                await one.event("snapshot")
                await two.event("snapshot")
                assert len(server.desk.calls[ident].line.taps) == 2
                await type_in(caller, "hello")
                for each in (one, two):
                    await each.event("caller_said")
                names = [
                    [each["utterance"]["id"] for each in client.events("caller_said")]
                    for client in (one, two)
                ]
                assert names[0] == names[1]
            await caller.until(lambda: len(server.desk.calls[ident].line.taps) == 1)
        await caller.until(lambda: not server.desk.calls[ident].line.taps)


async def test_the_server_ends_while_operators_look():
    async with contextlib.AsyncExitStack() as clients:
        async with serving() as server:
            caller = await clients.enter_async_context(connected(server, "/api/ws"))
            ident = await calling(server, caller)
            live = await clients.enter_async_context(connected(server, f"{ROOT}/live"))
            path = f"{ROOT}/calls/{ident}/watch?listen=1"
            watch = await clients.enter_async_context(connected(server, path))
            await live.event("calls")
            await watch.event("snapshot")
            line = server.desk.calls[ident].line
        # No task and no connection is left, which `serving` has looked at.
        assert not line.taps
        await watch.event("call_ended")
        await live.until(lambda: live.socket.closed and watch.socket.closed)
        assert live.socket.close_code == 1001


async def test_what_is_secret_is_not_shown():
    async with serving() as server, connected(server, "/api/ws") as caller:
        ident = await calling(server, caller)
        async with connected(server, f"{ROOT}/calls/{ident}/watch") as operator:
            await operator.event("snapshot")
            await type_in(caller, "my card is 4111 1111 1111 1111 thanks")
            key = {"label": "rtvi-ai", "type": "client-message", "id": "2"}
            key |= {"data": {"t": "key", "d": {"key": "7"}}}
            await caller.socket.send_str(json.dumps(key))
            said = await operator.event("caller_said")
            assert said["utterance"]["text"] == "my card is [card] thanks"
            assert (await operator.event("key_pressed"))["key"] != "7"
            for path in ("/calls", f"/calls/{ident}"):
                _, found = await get(f"{server.url}{ROOT}{path}")
                assert "4111" not in json.dumps(found)
                assert "[card]" in json.dumps(found) or path == "/calls"
        assert "4111" not in json.dumps(operator.texts)


async def test_recordings_are_heard_once_the_call_is_over(tmp_path: Path):
    async with serving(recordings=tmp_path) as server:
        async with connected(server, "/api/ws") as caller:
            ident = await calling(server, caller)
            url = f"{server.url}{ROOT}/calls/{ident}/recording"
            assert (await get(url))[0] == 409
            await caller.until(lambda: len(caller.sound) > 5)
            await server.desk.calls[ident].hang_up()
            await caller.until(lambda: ident not in server.desk.calls)
        part = {"Range": "bytes=0-3"}
        async with aiohttp.ClientSession() as http, http.get(url, headers=part) as response:
            assert (response.status, await response.read()) == (206, b"RIFF")
        assert (await get(f"{server.url}{ROOT}/calls/none/recording"))[0] == 404


async def test_percentiles_over_time():
    async with serving() as server:
        url = f"{server.url}{ROOT}/percentiles"
        status, found = await get(url)
        assert (status, found["buckets"]) == (200, [])
        now = datetime.now(UTC)
        for query in (
            {"bucket": "0"},
            {"bucket": "x"},
            {"bucket": "1", "since": (now - timedelta(days=9)).isoformat()},
            {"since": str(now.timestamp()), "until": str(now.timestamp() - 9)},
        ):
            assert (await get(url, params=query))[0] == 400, query


class Elsewhere(FileRecordings):
    """Recordings that are no files here, as those in a bucket."""

    async def find(self, call: str) -> Recording | None:
        found = await super().find(call)
        return None if found is None else Recording(found.size)


async def test_what_is_kept_is_searched_read_and_heard(tmp_path: Path):
    database = SqliteDatabase(tmp_path / "calls.sqlite3")
    records = Store(database, Elsewhere(tmp_path / "kept"), tmp_path / "spool", upkeep=False)
    old = {
        "call": "old",
        "agent": "host",
        "caller": "eve",
        "called": "",
        "kind": "phone in",
        "began": "2026-11-01T08:00:00+00:00",
        "seconds": 9.0,
        "ended": "gone",
        "live": False,
        "transcript": [
            {"kind": "caller", "text": "pineapples", "started": 1.0, "ended": 2.0},
            {"kind": "agent", "generated": "none", "heard": "none", "started": 2.5, "ended": 3.0}
            | {"latency": latency(300, 0, 200)},
        ],
    }
    async with records:
        records.put(old)
        async with serving(records=records) as server:
            url = f"{server.url}{ROOT}"
            async with connected(server, "/api/ws") as caller:
                ident = await calling(server, caller)
                await type_in(caller, "pine nuts, card 4111 1111 1111 1111")
                await caller.until(lambda: len(caller.sound) > 5)
                await server.desk.calls[ident].hang_up()
                await caller.until(lambda: ident not in server.desk.calls)
            # At once from what the desk holds, and soon from what is kept.
            for _ in range(2):
                status, record = await get(f"{url}/calls/{ident}")
                assert (status, "[card]" in json.dumps(record)) == (200, True)
                assert "4111" not in json.dumps(record)
                server.desk.past.clear()
                await records.flush()
            _, about = await get(url)
            assert about["kept"]
            _, found = await get(f"{url}/calls", params={"text": "pine"})
            assert [each["call"] for each in found["past"]] == [ident, "old"]
            asked = {"since": "2026-11-01", "until": "2026-11-02T00:00:00Z", "bucket": "3600"}
            _, found = await get(f"{url}/percentiles", params=asked)
            (bucket,) = found["buckets"]
            assert (bucket["turns"], bucket["p50"]) == (1, 500.0)
            assert bucket["since"].startswith("2026-11-01T08:00")
            part = {"Range": "bytes=8-11"}
            found = 404, b""
            async with asyncio.timeout(20), aiohttp.ClientSession() as http:
                while found[0] == 404:  # it is taken from the spool once the call is over
                    await asyncio.sleep(0.05)
                    sound = f"{url}/calls/{ident}/recording"
                    response = await http.get(sound, headers=part)
                    found = response.status, await response.read()
            assert found == (206, b"WAVE")
            assert (await get(f"{url}/calls/old/recording"))[0] == 404
