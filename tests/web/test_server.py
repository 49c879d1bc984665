"""The call server as strangers meet it: what is refused, with what, and that calls go on."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import resource
import time
from pathlib import Path

import aiohttp
import pytest
import yarl

from tests.web.calls import Browser, get, host, request, serving
from vivavoce.pipelines.load import Bounds, Gate
from vivavoce.web import desk as desk_module
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits
from vivavoce.web.tokens import Signer
from vivavoce.web.turn import IceServers

SECRET = "0123456789abcdef0123456789abcdef"
SHOP = "https://shop.example"


def guarded(**more) -> Exposure:
    return Exposure(port=0, secret=SECRET, origins=(SHOP,), **more)


async def offer() -> str:
    """An offer of somebody who then is never there."""
    async with Browser("") as browser:
        await browser.pc.setLocalDescription(await browser.pc.createOffer())
        return str(browser.pc.localDescription.sdp)


async def test_what_there_is_to_know_before_a_call():
    ice = IceServers(("stun:stun.example", "turn:turn.example:3478"), secret="s")
    async with serving(host(), host_named("other"), servers=ice) as server:
        status, health = await get(f"{server.url}/api/health")
        assert (status, health["status"], health["calls"]) == (200, "ok", 0)
        status, agents = await get(f"{server.url}/api/agents")
        assert [each["name"] for each in agents["agents"]] == ["host", "other"]
        assert agents["default"] == "host"
        assert not agents["token"]
        assert agents["records"] is None
        status, servers = await get(f"{server.url}/api/ice")
        assert servers["iceServers"][0] == {"urls": ["stun:stun.example"]}
        assert servers["iceServers"][1]["username"].startswith(str(servers["expires"]))
        status, started = await request("POST", f"{server.url}/start", json={"body": {}})
        assert started["sessionId"] == "host"
        status, answer = await get(f"{server.url}/nothing/here")
        assert (status, answer["error"]["code"]) == (404, "not_found")


def host_named(name: str):
    from vivavoce.agent import Agent

    return Agent("You answer.", name=name)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "no_json"),
        ("[]", 400, "no_json"),
        ("{}", 400, "bad_offer"),
        ('{"sdp": "v=0", "type": "offer"}', 400, "bad_offer"),
        ('{"sdp": "nonsense", "type": "offer"}', 400, "bad_offer"),
        ('{"sdp": "v=0", "type": "offer", "pc_id": "x"}', 400, "bad_offer"),
        (json.dumps({"sdp": "v=0\r\n" * 20_000, "type": "offer"}), 400, "bad_offer"),
    ],
)
async def test_a_bad_offer_is_told_so(body, status, code):
    async with serving() as server:
        found, answer = await request(
            "POST",
            f"{server.url}/api/offer",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        assert (found, answer["error"]["code"]) == (status, code)
        assert not server.desk.calls


async def test_an_offer_must_be_of_use():
    good = await offer()
    cases = {
        "BUNDLE": good.replace("a=group:BUNDLE", "a=group:LS"),
        "Opus": good.replace("opus/48000", "speex/48000").replace("webrtc-datachannel", "x")
        .replace("m=application", "m=text"),
        "ICE": good.replace("a=ice-pwd:", "a=ice-xyz:"),
        "fingerprint": good.replace("a=fingerprint:", "a=fingerpaint:"),
        "rtcp-mux": good.replace("a=rtcp-mux", "a=rtcp-xyz"),
    }  # fmt: skip
    async with serving() as server:
        for what, sdp in cases.items():
            status, answer = await request(
                "POST", f"{server.url}/api/offer", json={"sdp": sdp, "type": "offer"}
            )
            assert (status, answer["error"]["code"]) == (400, "bad_offer"), what
            assert what in answer["error"]["message"]
        for given, status in (
            ({"sdp": good, "type": "offer", "pc_id": "nobody"}, 404),
            ({"sdp": good, "type": "offer", "request_data": {"agent": "nobody"}}, 404),
            ({"sdp": good, "type": "offer", "request_data": {"language": "fr"}}, 400),
            ({"sdp": good, "type": "offer", "request_data": {"voice": "x"}}, 403),
            ({"sdp": good, "type": "offer", "request_data": {"resume": "x"}}, 404),
        ):
            found, _ = await request("POST", f"{server.url}/api/offer", json=given)
            assert found == status, given.get("request_data")
        assert not server.desk.calls


async def test_bodies_are_bounded():
    async with serving() as server, aiohttp.ClientSession() as http:
        url = f"{server.url}/api/offer"
        async with http.post(url, data=b"x") as response:
            assert response.status == 415

        async def long():
            for _ in range(160):
                yield b"x" * 65_536

        for data in (io.BytesIO(b"x" * 10_000_000), long()):
            with contextlib.suppress(aiohttp.ClientError):  # it may hang up before all is sent
                headers = {"Content-Type": "application/json"}
                async with http.post(url, data=data, headers=headers) as response:
                    assert response.status == 413


async def test_a_foreign_name_or_page_does_not_lead_here():
    async with serving() as server:
        url = f"{server.url}/api/agents"
        for host_name in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.nip.io"):
            status, answer = await get(url, headers={"Host": host_name})
            assert (status, answer["error"]["code"]) == (403, "wrong_host")
        for host_name in (f"localhost:{server.port}", "[::1]", "127.0.0.1"):
            assert (await get(url, headers={"Host": host_name}))[0] == 200
        for origin in ("https://evil.example", "null", "http://localhost:1"):
            status, answer = await get(url, headers={"Origin": origin})
            assert (status, answer["error"]["code"]) == (403, "wrong_origin")
        assert (await get(url, headers={"Origin": server.url}))[0] == 200


async def test_a_page_of_an_allowed_origin_may_read_the_answer():
    async with serving(exposure=guarded()) as server, aiohttp.ClientSession() as http:
        url = f"{server.url}/api/health"
        async with http.options(url, headers={"Origin": SHOP}) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == SHOP
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        async with http.get(url, headers={"Origin": SHOP}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == SHOP


async def test_call_tokens_open_the_door_once():
    signer = Signer(SECRET)
    sdp = await offer()
    body = {"sdp": sdp, "type": "offer"}
    async with serving(exposure=guarded()) as server:
        url = f"{server.url}/api/offer"

        async def ask(token: str, origin: str | None = None, **more) -> tuple[int, str]:
            headers = {"Authorization": f"Bearer {token}"}
            headers |= {"Origin": origin} if origin else {}
            status, answer = await request("POST", url, json={**body, **more}, headers=headers)
            return status, answer.get("error", {}).get("code", "")

        now = time.time()
        assert (await request("POST", url, json=body))[0] == 401
        assert await ask("vv1.x.y") == (401, "bad_token")
        assert await ask(signer.issue(now - 60, lifetime=30)) == (401, "bad_token")
        assert await ask(Signer("x" * 32).issue(now)) == (401, "bad_token")
        bound = signer.issue(now, agent="host", origin=SHOP, caller="ada")
        assert await ask(bound) == (403, "wrong_origin")
        assert await ask(bound, SHOP, request_data={"agent": "other"}) == (404, "no_agent")
        assert await ask(bound, SHOP) == (200, "")
        assert await ask(bound, SHOP) == (409, "used_token")
        live = next(iter(server.desk.calls.values()))
        assert live.wish.caller == "ada"
        await live.hang_up()
        # An application's server makes them.
        made = {"agent": "host", "caller": "bob", "lifetime": 60}
        status, _ = await request("POST", f"{server.url}/api/tokens", json=made)
        assert status == 401
        key = {"Authorization": f"Bearer {signer.service_key}"}
        status, got = await request("POST", f"{server.url}/api/tokens", json=made, headers=key)
        assert status == 200
        assert signer.read(got["token"], now).caller == "bob"


async def test_a_process_without_room_refuses_a_call_before_the_others_suffer():
    body = {"sdp": await offer(), "type": "offer"}
    gate = Gate(Bounds(cost=0.5))
    async with serving(gate=gate) as server:
        url = f"{server.url}/api/offer"
        assert (await request("POST", url, json=body))[0] == 200
        status, got = await request("POST", url, json={**body, "sdp": await offer()})
        assert status == 503
        assert got["error"]["code"] == "busy"
        assert (await get(f"{server.url}/api/health"))[1]["status"] == "busy"
        await next(iter(server.desk.calls.values())).hang_up()
        for _ in range(200):
            if not server.desk.calls and not gate.full():
                break
            await asyncio.sleep(0.05)
        assert gate.full() == ""


@contextlib.contextmanager
def no_file_descriptors_left():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())), before[1])
    )
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for one in held:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_out_of_file_descriptors_no_call_begins_and_none_is_lost(caplog):
    bodies = [{"sdp": await offer(), "type": "offer"} for _ in range(3)]
    async with serving() as server, aiohttp.ClientSession() as http:

        async def call(body):
            async with http.post(f"{server.url}/api/offer", json=body) as response:
                return response.status, await response.json()

        assert (await call(bodies[0]))[0] == 200
        first = next(iter(server.desk.calls))
        with no_file_descriptors_left():
            status, told = await call(bodies[1])  # over the connection that there is
            assert (status, told["error"]["code"]) == (503, "busy")
        assert first in server.desk.calls
        status, _ = await call(bodies[2])
        assert status == 200
        assert "Traceback" not in caplog.text
        for live in list(server.desk.calls.values()):
            await live.hang_up()
        for _ in range(200):
            if not server.desk.calls:
                break
            await asyncio.sleep(0.05)


async def test_a_token_is_not_used_up_by_a_server_that_is_busy():
    signer = Signer(SECRET)
    body = {"sdp": await offer(), "type": "offer"}
    token = {"Authorization": f"Bearer {signer.issue(time.time())}"}
    async with serving(exposure=guarded(), limits=Limits(calls=1)) as server:
        url = f"{server.url}/api/offer"
        first = {"Authorization": f"Bearer {signer.issue(time.time())}"}
        assert (await request("POST", url, json=body, headers=first))[0] == 200
        assert (await get(f"{server.url}/api/health"))[1]["status"] == "busy"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json=body, headers=token) as response,
        ):
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
            assert (await response.json())["error"]["code"] == "busy"
        await next(iter(server.desk.calls.values())).hang_up()
        for _ in range(100):
            if not server.desk.calls:
                break
            await asyncio.sleep(0.05)
        assert (await request("POST", url, json=body, headers=token))[0] == 200
        await next(iter(server.desk.calls.values())).hang_up()


async def test_fifty_abusers_do_not_disturb_a_call(monkeypatch):
    monkeypatch.setattr(desk_module, "REACH", 1.0)
    words = "one two three four five six seven eight nine ten " * 5
    limits = Limits(
        calls=4, per_address=4, starts=200, requests=1_000, header_time=0.5, body_time=0.5,
        connections_per_address=100,
    )  # fmt: skip
    async with serving(host(greeting=words), limits=limits) as server:
        async with Browser(server.url) as browser:
            await browser.call()
            await browser.spoken()
            live = next(iter(server.desk.calls.values()))
            sdp = await offer()
            statuses: list[int] = []

            async def abuse(number: int) -> None:
                url = f"{server.url}/api/offer"
                match number % 5:
                    case 0:  # no ICE
                        body = {"sdp": sdp, "type": "offer"}
                        statuses.append((await request("POST", url, json=body))[0])
                    case 1:
                        body = {"sdp": "v=0\r\n" + "a=x\r\n" * number, "type": "offer"}
                        statuses.append((await request("POST", url, json=body))[0])
                    case 2:
                        with contextlib.suppress(aiohttp.ClientError):
                            headers = {"Content-Type": "application/json"}
                            data = io.BytesIO(b" " * 10_000_000)
                            statuses.append(
                                (await request("POST", url, data=data, headers=headers))[0]
                            )
                    case 3:  # slow loris: a head that never ends
                        await loris(server.port, b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n")
                    case _:  # a body that never ends
                        head = b"POST /api/offer HTTP/1.1\r\nHost: localhost\r\n"
                        head += b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
                        await loris(server.port, head)

            await asyncio.gather(*(abuse(number) for number in range(50)))
            assert set(statuses) <= {200, 400, 413, 503}
            assert {400, 503} <= set(statuses)
            await asyncio.wait_for(_calls(server, 1), 15)
            # The one call goes on: all that was said is heard, in one piece.
            said = await browser.event("agent_said")
            assert said["reply"]["heard"] == words.strip()
            assert live.line.there
            browser.send("disconnect-bot")
            await browser.event("call_ended")
        await asyncio.wait_for(_calls(server, 0), 15)


async def _calls(server, count: int) -> None:
    while server.desk.turnstile.admission.calls != count:  # noqa: ASYNC110 (it tells nobody)
        await asyncio.sleep(0.05)


async def loris(port: int, head: bytes) -> None:
    """Send a byte now and then, until the server has had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(20):
            writer.write(head)
            while True:
                try:
                    async with asyncio.timeout(0.2):
                        if not await reader.read(1_000):
                            return
                except TimeoutError:
                    writer.write(b"x")
    except ConnectionError:
        return
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_too_many_requests_and_connections():
    limits = Limits(requests=1, connections_per_address=3)
    async with serving(limits=limits) as server:
        statuses = [(await get(f"{server.url}/api/health"))[0] for _ in range(4)]
        assert statuses[:2] == [200, 200]
        assert 429 in statuses
        opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(5)]
        closed = 0
        for reader, _ in opened:
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(0.3):
                    closed += not await reader.read(1)
                    continue
            closed += reader.at_eof() or reader.exception() is not None
        assert closed >= 2
        for _, writer in opened:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        for _ in range(100):
            if not server.connections:
                break
            await asyncio.sleep(0.02)


async def test_messages_that_come_too_fast_are_dropped():
    async with serving() as server, Browser(server.url) as browser:
        await browser.call()
        await browser.event("snapshot")
        for number in range(400):
            browser.channel.send(f"ping {number}")
        with pytest.raises(ValueError, match="65536"):  # we have said how long one may be
            browser.channel.send("x" * 70_000)
        live = next(iter(server.desk.calls.values()))
        await browser.until(lambda: live.line.dropped > 100)
        await asyncio.sleep(1.2)
        browser.channel.send("ping after")
        await browser.until(lambda: "pong after" in browser.texts)
        browser.send("disconnect-bot")
        await browser.event("call_ended")


async def test_the_page_is_served_and_nothing_beside_it():
    async with serving() as server, aiohttp.ClientSession() as http:
        async with http.get(f"{server.url}/") as response:
            assert response.status == 200
            assert "<html" in await response.text()
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            tag = response.headers["ETag"]
        async with http.get(f"{server.url}/", headers={"If-None-Match": tag}) as response:
            assert response.status == 304
        headers = {"Accept-Encoding": "identity"}
        async with http.get(f"{server.url}/page/main.js", headers=headers) as response:
            assert "Content-Encoding" not in response.headers
            assert response.headers["Cache-Control"] == "no-cache"
        for path in ("/server.py", "/page/../server.py", "/%2e%2e/server.py", "/..%2fserver.py"):
            url = yarl.URL(f"{server.url}{path}", encoded=True)
            async with http.get(url) as response:
                assert response.status == 404
