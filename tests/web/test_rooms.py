"""Rooms over HTTP: who may open and join one, and what those in it are told."""

from __future__ import annotations

import time

import pytest

from tests.web.calls import Browser, get, host, request, serving
from vivavoce.agent import Interpreter
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits
from vivavoce.web.store_settings import StoreSettings
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"


def booth(*targets: str, **given) -> Interpreter:
    return Interpreter("en", list(targets or ("fr", "es")), name="booth", **given)


async def opened(server, *, token: str = "", **asked) -> dict:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    status, answer = await request("POST", f"{server.url}/api/rooms", json=asked, headers=headers)
    assert status == 200, answer
    return answer


def asks(room: dict, **more) -> dict:
    return {"request_data": {room["kind"]: room["room"], **more}}


async def test_a_room_is_opened_joined_and_ended():
    async with serving(host(), booth()) as server:
        status, agents = await get(f"{server.url}/api/agents")
        assert [each["name"] for each in agents["agents"]] == ["host"]
        assert [each["name"] for each in agents["interpreters"]] == ["booth"]
        room = await opened(server, interpreter="booth", title="  The  desk ")
        assert room["links"]["speak"] == f"interpret#room={room['room']}"
        assert (room["title"], room["tokens"]) == ("The desk", {})
        async with Browser(server.url) as ann, Browser(server.url) as luc:
            await ann.call(**asks(room, speaks="en-GB", name="Ann"))
            assert (ann.answer["room"], ann.answer["name"]) == (room["room"], "Ann")
            await luc.call(**asks(room, speaks="fr", name="Luc"))
            told = await ann.until(
                lambda: [e for e in ann.events("room") if len(e["participants"]) == 2]
            )
            assert told[-1]["you"] == "Ann"
            assert [(e["name"], e["speaks"]) for e in told[-1]["participants"]] == [
                ("Ann", "en"),
                ("Luc", "fr"),
            ]
            status, about = await get(f"{server.url}/api/rooms/{room['room']}")
            assert (status, about["open"], about["role"]) == (200, True, "speak")
            assert len(about["participants"]) == 2
            # Who comes back within 20 s has their seat.
            await luc.pc.close()
            async with Browser(server.url) as again:
                await again.call(request_data={"resume": luc.answer["resume"]})
                assert again.answer["person"] == luc.answer["person"]
                snapshot = await again.event("snapshot")
                assert snapshot["call"] == luc.answer["call"]
                await again.until(lambda: again.events("room"))
                again.send("disconnect-bot")
                await ann.until(lambda: len(ann.events("room")[-1]["participants"]) == 1)
            wrong = {"key": "wrong"}
            status, _ = await request(
                "POST", f"{server.url}/api/rooms/{room['room']}/end", json=wrong
            )
            assert status == 404
            status, _ = await request(
                "POST", f"{server.url}/api/rooms/{room['room']}/end", json={"key": room["key"]}
            )
            assert status == 200
            ended = await ann.event("call_ended")
            assert (ended["reason"], ended["code"]) == ("the session was ended", "ended")
        await ended_room(server, room)
        status, record = await get(
            f"{server.url}/api/rooms/{room['room']}/record?key={room['key']}"
        )
        assert (status, record["ended"]) == (200, "the session was ended")
        assert [e["name"] for e in record["room"]["participants"]] == ["Ann", "Luc"]
        status, answer = await get(f"{server.url}/api/rooms/{room['room']}")
        assert (status, answer["error"]["code"]) == (410, "over")


async def ended_room(server, room):
    found = server.desk.interpreting.rooms.find(room["room"])
    assert await found.room.wait(20.0)


async def test_what_cannot_be_is_refused():
    async with serving(booth(), limits=Limits(calls=2)) as server:
        room, lecture = await opened(server), await opened(server, kind="lecture")
        cases = [
            ({"room": "nowhere", "speaks": "en"}, 404, "no_room"),
            ({"room": room["room"], "speaks": "de"}, 400, "bad_language"),
            ({"room": room["room"]}, 400, "bad_language"),
            ({"room": room["room"], "speaks": "en", "interpreter": "other"}, 404, "no_agent"),
        ]
        for asked, status, code in cases:
            async with Browser(server.url) as browser:
                await browser.call(request_data=asked)
                assert (browser.status, browser.answer["error"]["code"]) == (status, code), asked
        async with Browser(server.url) as one, Browser(server.url) as two:
            await one.call(**asks(lecture, speaks="en"))
            await two.call(**asks(lecture, speaks="en"))
            assert (two.status, two.answer["error"]["code"]) == (409, "taken")
            assert server.desk.turnstile.admission.calls == 1  # who was refused is not counted
        url = f"{server.url}/api/rooms"
        for asked, status, code in (
            ({"kind": "party"}, 400, "bad_kind"),
            ({"interpreter": "other"}, 404, "no_interpreter"),
            ({}, 409, "no_room"),  # two are open already
        ):
            found, answer = await request("POST", url, json=asked)
            assert (found, answer["error"]["code"]) == (status, code), asked
        found, answer = await request(
            "POST", f"{url}/{room['room']}/dial", json={"key": room["key"], "number": "1"}
        )
        assert (found, answer["error"]["code"]) == (501, "no_telephone")


async def test_links_of_a_guarded_server_open_one_room_and_listeners_do_not_speak():
    signer = Signer(SECRET)
    exposure = Exposure(port=0, secret=SECRET, origins=("https://shop.example",))
    async with serving(host(), booth(), exposure=exposure) as server:
        status, _ = await request("POST", f"{server.url}/api/rooms", json={})
        assert status == 401
        elsewhere = signer.issue(time.time(), agent="host")
        status, _ = await request(
            "POST",
            f"{server.url}/api/rooms",
            json={"interpreter": "booth"},
            headers={"Authorization": f"Bearer {elsewhere}"},
        )
        assert status == 403
        room = await opened(server, kind="lecture", token=signer.service_key)
        assert f"lecture={room['room']}" in room["links"]["listen"]
        assert f"token={room['tokens']['listen']}" in room["links"]["listen"]
        listens = {"Authorization": f"Bearer {room['tokens']['listen']}"}
        status, about = await get(f"{server.url}/api/rooms/{room['room']}", headers=listens)
        assert (status, about["role"]) == (200, "listen")
        async with Browser(server.url, headers=listens) as browser:
            await browser.call(**asks(room, speaks="en"))
            assert (browser.status, browser.answer["error"]["code"]) == (403, "listens")
        async with Browser(server.url, headers=listens) as browser:
            await browser.call(request_data={"agent": "booth"})
            assert (browser.status, browser.answer["error"]["code"]) == (403, "wrong_room")
        for _ in range(2):  # many come by one link
            async with Browser(server.url, headers=listens) as browser:
                await browser.call(**asks(room, hears="fr"))
                assert browser.status == 200
        # A call token opens a room, and is spent by it.
        token = signer.issue(time.time(), agent="booth")
        await opened(server, token=token)
        status, answer = await request(
            "POST", f"{server.url}/api/rooms", json={}, headers={"Authorization": f"Bearer {token}"}
        )
        assert (status, answer["error"]["code"]) == (409, "used_token")


async def test_a_listener_changes_what_is_heard_in_mid_session():
    async with serving(booth()) as server:
        lecture = await opened(server, kind="lecture")
        async with Browser(server.url) as speaker, Browser(server.url) as listener:
            await speaker.call(**asks(lecture, speaks="en", name="Ann"))
            await listener.call(**asks(lecture, hears="fr"))
            await listener.until(lambda: listener.events("room"))
            room = server.desk.interpreting.rooms.find(lecture["room"]).room
            listener.ask("language", language="es")
            await listener.until(lambda: room.state()["listeners"] == {"es": 1})
            listener.ask("captions", on=True)
            await listener.until(lambda: [p.hears for p in room.seating][1] == "captions")
            listener.ask("language", language="de")
            await listener.until(
                lambda: [m for m in listener.messages if m["type"] == "error-response"]
            )
            speaker.ask("language", language="fr")
            await speaker.until(
                lambda: [m for m in speaker.messages if m["type"] == "error-response"]
            )
            live = next(each for each in server.desk.calls.values() if not each.kept)
            assert live.recording is None


async def test_the_store_keeps_a_room_beside_its_speakers_calls(tmp_path):
    records = StoreSettings.read({"where": str(tmp_path)}).make()
    assert records is not None
    async with records as store:
        async with serving(booth("fr"), records=store) as server:
            room = await opened(server, title="The desk")
            async with Browser(server.url) as ann, Browser(server.url) as ear:
                await ann.call(**asks(room, speaks="en", name="Ann"))
                await ear.call(**asks(room, hears="fr", name="Eve"))
                await ann.until(lambda: ann.events("room"))
            await request(
                "POST", f"{server.url}/api/rooms/{room['room']}/end", json={"key": room["key"]}
            )
            await ended_room(server, room)
        record = await store.get(room["room"])
        assert record is not None
        assert (record["kind"], record["called"], record["live"]) == ("room", "The desk", False)
        names = {each["name"]: each["id"] for each in record["room"]["participants"]}
        assert names.keys() == {"Ann", "Eve"}
        (call,) = record["room"]["calls"].values()
        spoke = await store.get(call)
        assert spoke["seat"]["room"] == room["room"]


@pytest.mark.parametrize("codec", ["pcm16"])
async def test_a_room_is_joined_over_a_websocket(codec):
    import aiohttp

    async with serving(booth()) as server, aiohttp.ClientSession() as http:
        room = await opened(server)
        query = f"codec={codec}&room={room['room']}&speaks=fr&name=Luc"
        async with http.ws_connect(f"{server.url}/api/ws?{query}") as socket:
            first = (await socket.receive_json())["data"]
            assert (first["event"], first["name"], first["room"]) == ("call", "Luc", room["room"])
            await socket.send_json({"label": "rtvi-ai", "type": "client-ready", "id": "1"})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT and '"room"' in message.data:
                    break


async def test_a_voice_is_copied_only_where_its_owner_agrees_and_for_as_long():
    async with serving(booth("fr", both_ways=True, voice="speaker")) as server:
        room = await opened(server)
        async with Browser(server.url) as ann, Browser(server.url) as luc:
            await ann.call(**asks(room, speaks="en", name="Ann", copy=True))
            await luc.call(**asks(room, speaks="fr", name="Luc"))
            await luc.until(lambda: luc.events("room"))
            await ann.until(lambda: ann.events("room"))
            lives = {each.person.name: each for each in server.desk.calls.values()}
            voices = {name: live.conversation.speakers.records for name, live in lives.items()}
            assert [each["who"] for each in voices["Ann"]] == ["Ann"]
            assert voices["Luc"] == []
            ann.ask("copy", on=False)
            await ann.until(lambda: voices["Ann"][0]["withdrawn"])
            luc.ask("copy", on=True)
            await luc.until(lambda: voices["Luc"])
        record = server.desk.report(lives["Ann"])
        assert record["voices"][0]["withdrawn"]
