"""The front over real sockets: who is let in, which worker is asked, and what goes through."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import time

import aiohttp
import pytest
from aiohttp import web

from tests.web.calls import Browser, get, request
from tests.web.cluster.clusters import KEY, clustered
from tests.web.test_rooms import asks, booth, opened
from tests.web.test_socket import Client, connected
from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.front import Front
from vivavoce.web.cluster.names import worker_of_id, worker_of_token
from vivavoce.web.cluster.proof import Asked, Seal
from vivavoce.web.cluster.spending import Own
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
SHOP = "https://shop.example"
GUARDED = Exposure(port=0, secret=SECRET, origins=(SHOP,))
SIGNER = Signer(SECRET)


async def begun(client: Client) -> dict[str, str]:
    """A call's first message: its id and its resume token."""
    return await client.event("call")


# -- calls and what comes after them


async def test_calls_are_spread_and_what_comes_later_reaches_their_worker():
    async with clustered() as cluster, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(cluster, "/api/ws")) for _ in range(4)]
        about = [await begun(client) for client in clients]
        assert cluster.calls() == {"aaa": 2, "bbb": 2}
        for each in about:
            name = worker_of_id(each["call"])
            assert worker_of_token(each["resume"]) == name
            assert each["call"] in cluster.workers[name].desk.calls
            where = f"{cluster.url}/api/calls/{each['call']}"
            status, report = await get(f"{where}?token={each['resume']}")
            assert (status, report["call"]) == (200, each["call"])
            status, _ = await get(where, headers={"Authorization": f"Bearer {each['resume']}"})
            assert status == 200
            assert (await get(f"{where}?token=aaa.wrong"))[0] == 404
        # It comes back to its call: the same one, at the same worker.
        first = cluster.of(about[0]["call"]).desk.calls[about[0]["call"]]
        async with connected(cluster, f"/api/ws?resume={about[0]['resume']}") as back:
            assert (await begun(back))["call"] == about[0]["call"]
            assert sum(cluster.calls().values()) == 4
            status, _ = await request(
                "POST",
                f"{cluster.url}/api/calls/{about[0]['call']}/end",
                data=json.dumps({"token": about[0]["resume"]}),
            )
            assert status == 200
            await cluster.until(lambda: first.over)
        status, health = await get(f"{cluster.url}/api/health")
        assert (status, health["max_calls"], health["workers"]) == (200, 40, 2)


async def test_a_browser_calls_and_its_media_do_not_go_through_the_front():
    async with clustered() as cluster, Browser(cluster.url) as browser:
        await browser.call()
        name = worker_of_token(browser.answer["pc_id"])
        assert name == worker_of_token(browser.answer["resume"])
        assert name == worker_of_id(browser.answer["call"])
        await browser.event("agent_said")
        assert cluster.front._relay.tunnels == 0
        # Candidates and a restart of ICE are for the connection's own worker.
        body = {"pc_id": browser.answer["pc_id"], "candidates": [{"candidate": ""}]}
        status, answer = await request("PATCH", f"{cluster.url}/api/offer", json=body)
        assert (status, answer) == (200, {"status": "success"})
        await browser.restart_ice()
        for path in ("/start", "/api/ice", "/api/agents"):
            method = "POST" if path == "/start" else "GET"
            assert (await request(method, cluster.url + path))[0] == 200


async def test_a_worker_that_refuses_or_is_not_there_is_passed_over():
    limits = Limits(calls=1, per_address=50, starts=1_000, requests=1_000.0)
    async with clustered(limits=limits) as cluster, contextlib.AsyncExitStack() as stack:
        # Which the front has not heard of yet.
        cluster.workers["aaa"].desk.turnstile.draining = True
        first = await stack.enter_async_context(connected(cluster, "/api/ws"))
        assert worker_of_id((await begun(first))["call"]) == "bbb"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stack.enter_async_context(connected(cluster, "/api/ws"))
        assert refused.value.status == 503
        assert int(refused.value.headers["Retry-After"]) > 0
    async with clustered() as cluster, contextlib.AsyncExitStack() as stack:
        await cluster.workers["bbb"].close()  # nobody listens there, and nobody has told the front
        for _ in range(3):
            client = await stack.enter_async_context(connected(cluster, "/api/ws"))
            assert worker_of_id((await begun(client))["call"]) == "aaa"
        assert (await get(f"{cluster.url}/api/agents"))[0] == 200
        await cluster.workers["aaa"].close()
        status, answer = await request("POST", f"{cluster.url}/start", json={})
        assert (status, answer["error"]["code"]) == (503, "no_worker")


async def test_a_call_that_may_have_begun_is_never_sent_twice():
    """The worker takes the request, and is gone before it answers."""
    asked = []

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/cluster/state" in head:
            state = {"name": "aaa", "calls": 0, "room": 999, "strain": 0.0, "draining": False}
            body = json.dumps(state).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        else:
            asked.append(head.split(b" ")[1])
        writer.close()

    server = await asyncio.start_server(die, "127.0.0.1", 0)
    async with server, clustered("bbb") as cluster:
        port = server.sockets[0].getsockname()[1]
        bbb = cluster.members
        cluster.front.meet([Member("aaa", f"http://127.0.0.1:{port}")])
        await cluster.until(cluster.front.placement.states)
        cluster.front.meet([Member("aaa", f"http://127.0.0.1:{port}"), *bbb])
        body = {"sdp": "v=0", "type": "offer"}
        status, answer = await request("POST", f"{cluster.url}/api/offer", json=body)
        assert (status, answer["error"]["code"]) == (502, "worker_lost")
        with pytest.raises(aiohttp.WSServerHandshakeError) as lost:
            async with connected(cluster, "/api/ws"):
                pass
        assert lost.value.status == 502
        assert asked == [b"/api/offer", b"/api/ws"]
        assert cluster.calls() == {"bbb": 0}


async def test_those_who_join_a_room_come_to_where_it_is():
    async with clustered(agents=[booth()]) as cluster, contextlib.AsyncExitStack() as stack:
        rooms = [await opened(cluster) for _ in range(2)]
        assert {worker_of_id(room["room"]) for room in rooms} == {"aaa", "bbb"}
        assert "interpret" in cluster.workers["aaa"].home
        async with aiohttp.ClientSession() as http, http.get(f"{cluster.url}/") as home:
            assert "interpret" in await home.text()  # there is nobody to talk to
        for room in rooms:
            for speaks in ("en", "fr"):
                browser = await stack.enter_async_context(Browser(cluster.url))
                await browser.call(**asks(room, speaks=speaks, name=speaks))
                assert browser.answer["room"] == room["room"]
                assert worker_of_id(browser.answer["call"]) == worker_of_id(room["room"])
            where = f"{cluster.url}/api/rooms/{room['room']}"
            assert len((await get(where))[1]["participants"]) == 2
            key = {"key": room["key"]}
            assert (await request("POST", f"{where}/end", json=key))[0] == 200
        nowhere = {"request_data": {"room": "x-ccc", "speaks": "en"}, "sdp": "v=0", "type": "offer"}
        assert (await request("POST", f"{cluster.url}/api/offer", json=nowhere))[0] in {400, 404}


async def test_two_fronts_share_workers_bounds_and_used_tokens():
    limits = Limits(per_address=3, starts=1_000, requests=1_000.0)
    spending = Own()
    async with (
        clustered(exposure=GUARDED, limits=limits, spending=spending) as one,
        Front(GUARDED, limits, KEY, spending=spending) as other,
        contextlib.AsyncExitStack() as stack,
    ):
        other.meet(one.members)
        await one.until(lambda: len(other.placement.states()) == 2)
        token = SIGNER.issue(time.time())
        async with connected(one, f"/api/ws?token={token}") as client:
            about = await begun(client)
            assert (await request("GET", f"{other.url}/api/ws?token={token}"))[0] == 409
            # Whichever front is asked, it is this call that answers.
            path = f"{other.url}/api/calls/{about['call']}?token={about['resume']}"
            assert (await get(path))[1]["call"] == about["call"]
            async with connected(other, f"/api/ws?resume={about['resume']}") as back:
                assert (await begun(back))["call"] == about["call"]
                for _ in range(2):
                    path = f"/api/ws?token={SIGNER.issue(time.time())}"
                    await begun(await stack.enter_async_context(connected(other, path)))
                told = lambda: sum(  # noqa: E731
                    sum(state.addresses.values()) for state in one.front.placement.states()
                )
                await one.until(lambda: told() == 3)
                path = f"{one.url}/api/ws?token={SIGNER.issue(time.time())}"
                assert (await request("GET", path))[0] == 429
        await stack.aclose()


# -- who is let in


async def test_a_worker_takes_nothing_without_a_proof():
    async with clustered("aaa", exposure=GUARDED) as cluster:
        worker = cluster.workers["aaa"]
        for path in ("/api/health", "/", "/cluster/state", "/api/agents"):
            status, answer = await get(worker.url + path)
            assert (status, answer["error"]["code"]) == (403, "no_proof"), path
        seal = Seal(KEY)
        good = seal.headers(Asked("aaa", "GET", "/cluster/state"), time.time())
        status, state = await get(f"{worker.url}/cluster/state", headers=good)
        assert (status, state["name"]) == (200, "aaa")
        for headers in (
            seal.headers(Asked("bbb", "GET", "/cluster/state"), time.time()),  # another worker's
            seal.headers(Asked("aaa", "POST", "/cluster/drain"), time.time()),  # for something else
            seal.headers(Asked("aaa", "GET", "/cluster/state"), time.time() - 60),  # an old one
            good | {"X-Vivavoce-Address": "1.2.3.4"},  # from somebody else
            Seal("x" * 32).headers(Asked("aaa", "GET", "/cluster/state"), time.time()),
        ):
            assert (await get(f"{worker.url}/cluster/state", headers=headers))[0] == 403
        rebound = {"Host": "evil.example"}
        assert (await get(f"{worker.url}/metrics", headers=rebound))[0] == 403


async def test_the_front_checks_what_a_call_server_checks():
    limits = Limits(body=2_000)
    async with clustered("aaa", exposure=GUARDED, limits=limits) as cluster:
        where = cluster.url
        foreign = {"Origin": "https://evil.example"}
        assert (await get(f"{where}/api/agents", headers=foreign))[0] == 403
        assert (await get(f"{where}/api/agents", headers={"Host": "evil.example"}))[0] == 403
        status, answer = await get(f"{where}/cluster/state")
        assert status == 404
        assert (await request("POST", f"{where}/api/offer", json={"sdp": "x" * 3_000}))[0] == 413
        status, answer = await get(f"{where}/api/agents")
        assert (status, answer["error"]["code"]) == (401, "no_token")
        token = SIGNER.issue(time.time(), origin=SHOP)
        shop = {"Origin": SHOP, "Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{where}/api/agents", headers=shop) as answered:
                assert answered.status == 200
                assert answered.headers["Access-Control-Allow-Origin"] == SHOP
            async with http.get(f"{where}/") as page:
                assert page.status == 200
                assert "frame-ancestors 'self' https://shop.example" in str(page.headers)
            assert (await http.get(f"{where}/metrics")).status == 401
            key = {"Authorization": f"Bearer {SIGNER.scrape_key}"}
            async with http.get(f"{where}/cluster/targets", headers=key) as targets:
                assert (await targets.json())[0]["labels"]["worker"] == "aaa"
            async with http.get(f"{where}/metrics", headers=key) as metrics:
                text = await metrics.text()
                assert 'vivavoce_front_worker_room{node="",worker="aaa"} 20.0' in text
            assert (await http.get(f"{where}/readyz")).status == 200
    slow = Limits(requests=0.5)
    async with clustered("aaa", limits=slow) as cluster:
        statuses = [(await get(f"{cluster.url}/api/agents"))[0] for _ in range(20)]
        assert 429 in statuses


async def test_what_a_client_says_of_itself_is_not_believed():
    async with clustered("aaa") as cluster:
        forged = {"X-Vivavoce-Address": "9.9.9.9", "X-Forwarded-For": "9.9.9.9"}
        async with connected(cluster, "/api/ws", headers=forged) as client:
            call = (await begun(client))["call"]
            assert cluster.of(call).desk.calls[call].wish.address == "127.0.0.1"


async def test_a_token_begins_one_call_in_the_whole_cluster():
    async with clustered(exposure=GUARDED) as cluster:
        token = SIGNER.issue(time.time())
        # What begins nothing leaves it good.
        with pytest.raises(aiohttp.WSServerHandshakeError) as wrong:
            async with connected(cluster, f"/api/ws?token={token}&codec=mp3"):
                pass
        assert wrong.value.status == 400
        async with connected(cluster, f"/api/ws?token={token}") as client:
            await begun(client)
            statuses = []
            for _ in range(3):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with connected(cluster, f"/api/ws?token={token}"):
                        pass
                statuses.append(refused.value.status)
            assert statuses == [409, 409, 409]
            assert sum(cluster.calls().values()) == 1
            realtime = f"{cluster.url}/v1/realtime?model=host"
            headers = {"Authorization": f"Bearer {token}"}
            assert (await request("GET", realtime, headers=headers))[0] == 409


async def test_bounds_of_an_address_and_of_a_caller_hold_over_all_workers():
    limits = Limits(per_address=3, per_caller=1, starts=1_000, requests=1_000.0)
    async with clustered(limits=limits) as cluster, contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await begun(await stack.enter_async_context(connected(cluster, "/api/ws")))
        assert max(cluster.calls().values()) < 3  # no worker by itself would refuse
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stack.enter_async_context(connected(cluster, "/api/ws"))
        assert refused.value.status == 429
    async with clustered(exposure=GUARDED, limits=limits) as cluster:
        tokens = [SIGNER.issue(time.time(), caller="ada") for _ in range(2)]
        async with connected(cluster, f"/api/ws?token={tokens[0]}") as client:
            await begun(client)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with connected(cluster, f"/api/ws?token={tokens[1]}"):
                    pass
            assert refused.value.status == 429


# -- what goes through


CLOSED: list[int | None] = []


async def echo(request: web.Request) -> web.StreamResponse:
    """A websocket that says what it hears, and closes as it is told to."""
    made = web.WebSocketResponse(max_msg_size=0)
    await made.prepare(request)
    async for message in made:
        if message.type is aiohttp.WSMsgType.BINARY:
            await made.send_bytes(message.data)
        elif message.data.startswith("close "):
            await made.close(code=int(message.data[6:]), message=b"as you wish")
        else:
            await made.send_str(message.data)
    CLOSED.append(made.close_code)
    return made


async def big(request: web.Request) -> web.StreamResponse:
    """A long answer, of which ranges can be had."""
    first = int(request.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")[0])
    body = bytes(range(256)) * 2_000
    made = web.StreamResponse(status=206 if first else 200, headers={"X-Kind": "sound"})
    made.content_length = len(body) - first
    await made.prepare(request)
    await made.write(body[first:])
    return made


async def test_sockets_go_through_byte_for_byte_and_close_as_they_were_closed():
    routes = [web.get("/echo", echo)]
    async with clustered("aaa", routes=routes) as cluster, aiohttp.ClientSession() as http:
        where = f"{cluster.url}/echo?x=%2F%20"
        sizes = [0, 1, 125, 126, 640, 65_535, 65_536, 200_001]
        async with http.ws_connect(where, max_msg_size=0, compress=15) as ws:
            for size in sizes:
                data = os.urandom(size)
                await ws.send_bytes(data)
                assert (await ws.receive_bytes(timeout=20)) == data
            await ws.send_str("é" * 1_000)
            assert (await ws.receive_str(timeout=20)) == "é" * 1_000
            await ws.ping(b"alive?")
            await ws.send_str("close 4007")
            message = await ws.receive(timeout=20)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4007)
            assert message.extra == "as you wish"
        ws = await http.ws_connect(where)
        await ws.close(code=4001)
        await cluster.until(lambda: CLOSED[-1:] == [4001])
        await cluster.until(lambda: cluster.front._relay.tunnels == 0)


async def test_a_side_that_dies_ends_the_other():
    routes = [web.get("/echo", echo)]
    async with clustered("aaa", routes=routes) as cluster, aiohttp.ClientSession() as http:
        CLOSED.clear()
        ws = await http.ws_connect(f"{cluster.url}/echo")
        await ws.send_bytes(b"there")
        await ws.receive_bytes(timeout=20)
        transport = ws._response.connection.transport
        linger = struct.pack("ii", 1, 0)  # a reset, as of a machine that is gone
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
        ws._response.close()
        await cluster.until(lambda: CLOSED)
        assert CLOSED[-1] in {1006, None}  # nobody said goodbye
        ws = await http.ws_connect(f"{cluster.url}/echo")
        cluster.front._relay.let_go("aaa")
        message = await ws.receive(timeout=20)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        assert ws.close_code == 1006


async def test_who_does_not_read_is_not_read_for():
    """Back-pressure: what a client does not take stays at the worker, and not in the front."""
    sent = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        made = web.WebSocketResponse()
        await made.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await made.send_bytes(bytes(50_000))
                sent += 50_000
        return made

    async with clustered("aaa", routes=[web.get("/pour", pour)]) as cluster:
        reader, writer = await asyncio.open_connection("127.0.0.1", cluster.front.port, limit=1_024)
        head = (
            "GET /pour HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        )
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        writer.write(head.encode())
        assert b"101" in await reader.readline()
        before = -1
        while before != sent:  # until it stands still
            before = sent
            await asyncio.sleep(0.3)
        assert sent < 30_000_000  # sockets' own buffers
        tunnel = next(iter(cluster.front._relay._tunnels))
        assert all(s.transport.get_write_buffer_size() < 1_000_000 for s in tunnel._sides)
        writer.transport.abort()


async def test_long_answers_and_parts_of_them_go_through():
    routes = [web.get("/big", big)]
    async with clustered("aaa", routes=routes) as cluster, aiohttp.ClientSession() as http:
        async with http.get(f"{cluster.url}/big") as answer:
            assert await answer.read() == bytes(range(256)) * 2_000
            assert answer.headers["X-Kind"] == "sound"
        async with http.get(f"{cluster.url}/big", headers={"Range": "bytes=500000-"}) as part:
            assert (part.status, len(await part.read())) == (206, 12_000)
        async with http.get(f"{cluster.url}/none") as nothing:
            assert nothing.status == 404


async def test_an_operator_sees_the_calls_of_all_workers():
    async with clustered() as cluster, contextlib.AsyncExitStack() as stack:
        root = f"{cluster.url}/api/operator"
        clients = [await stack.enter_async_context(connected(cluster, "/api/ws")) for _ in range(2)]
        calls = {(await begun(client))["call"] for client in clients}
        assert {worker_of_id(each) for each in calls} == {"aaa", "bbb"}
        status, found = await get(f"{root}/calls")
        assert (status, {row["call"] for row in found["live"]}) == (200, calls)
        async with connected(
            cluster, "/api/operator/live", protocols=("vivavoce.operator",)
        ) as watching:
            await watching.until(
                lambda: (
                    {
                        row["call"]
                        for row in (watching.events("calls") or [{"live": []}])[-1]["live"]
                    }
                    == calls
                )
            )
            assert watching.events("calls")[-1]["count"] == 2
        for call in calls:
            assert (await get(f"{root}/calls/{call}"))[1]["call"] == call
            await cluster.until(
                lambda call=call: cluster.of(call).desk.calls[call].conversation is not None
            )
            async with connected(
                cluster, f"/api/operator/calls/{call}/watch", protocols=("vivavoce.operator",)
            ) as watching:
                assert (await watching.event("watch"))["call"] == call
    async with clustered(exposure=GUARDED) as cluster:
        assert (await get(f"{cluster.url}/api/operator/calls"))[0] == 401
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(cluster, "/api/operator/live"):
                pass
        assert refused.value.status == 401


async def test_a_front_that_drains_takes_no_calls_and_serves_those_there_are():
    async with clustered("aaa") as cluster, connected(cluster, "/api/ws") as client:
        about = await begun(client)
        cluster.front.draining = True
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(cluster, "/api/ws"):
                pass
        assert refused.value.status == 503
        assert (await get(f"{cluster.url}/readyz"))[0] == 503
        status, _ = await get(f"{cluster.url}/api/calls/{about['call']}?token={about['resume']}")
        assert status == 200
        assert not client.socket.closed


@pytest.mark.parametrize("how", ["closed by the carrier", "hung up"])
async def test_a_token_that_comes_inside_a_carriers_socket_begins_one_call_in_the_whole_cluster(
    how,
):
    def start(token: str) -> str:
        return json.dumps({
            "event": "start",
            "start": {"streamSid": "MZ1", "customParameters": {"from": "+331", "token": token}},
        })  # fmt: skip

    async with clustered(exposure=GUARDED) as cluster, aiohttp.ClientSession() as http:
        where, token = f"{cluster.url}/carriers/twilio", SIGNER.issue(time.time(), agent="host")
        async with http.ws_connect(where) as carrier:
            await carrier.send_str(json.dumps({"event": "connected", "protocol": "Call"}))
            await carrier.send_str(start(token))
            media = await carrier.receive_json(timeout=20)
            assert (media["event"], media["streamSid"]) == ("media", "MZ1")
            (live,) = [x for w in cluster.workers.values() for x in w.desk.calls.values()]
            assert (live.wish.caller, live.wish.address) == ("+331", "127.0.0.1")
            async with http.ws_connect(where) as again:
                await again.send_str(start(token))
                message = await again.receive(timeout=20)
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)
            if how == "hung up":
                await live.hang_up()
                while (message := await carrier.receive(timeout=20)).type is aiohttp.WSMsgType.TEXT:
                    pass
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1000)
        await cluster.until(lambda: sum(cluster.calls().values()) == 0)
        async with http.ws_connect(where) as bare:
            await bare.send_str(start(""))
            message = await bare.receive(timeout=20)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)


async def test_no_request_line_is_a_defect():
    """Whatever is asked for, it is answered; nothing is asked for elsewhere."""
    asked = [
        b"GET http://evil.example/api/agents HTTP/1.1",
        b"GET /\xff\xfe/\xc3\xa9 HTTP/1.1",
        b"GET /api/calls/%zz/%00?x=%ff&&= HTTP/1.1",
        b"GET //evil.example/api/agents HTTP/1.1",
        b"GET /api/calls/a%2Fb?token=%C3%A9 HTTP/1.1",
        b"GET /api/../cluster/state HTTP/1.1",
        b"GET /%63luster/state HTTP/1.1",
        b"GET /nothing#there?x HTTP/1.1",
        b"CONNECT evil.example:443 HTTP/1.1",
        b"DELETE /api/calls/x HTTP/1.1",
        b"HEAD /api/agents HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"PROPFIND /api/health HTTP/1.1",
    ]
    async with clustered("aaa") as cluster:
        for upgrade in (b"", b"Upgrade: websocket\r\nConnection: upgrade\r\n"):
            for line in asked:
                reader, writer = await asyncio.open_connection("127.0.0.1", cluster.front.port)
                head = b"\r\nHost: localhost\r\nX-Vivavoce-Proof: 1.x\r\nX-Vivavoce-Begins: x\r\n"
                writer.write(line + head + upgrade + b"Connection: close\r\n\r\n")
                async with asyncio.timeout(20):
                    answer = await reader.read(64)
                writer.transport.abort()
                status = int(answer.split(b" ")[1])
                assert status not in {101, 500, 502}, (line, answer)
                assert status != 200 or b"HEAD" in line, (line, answer)
