"""Calls over websockets: plain samples, Opus, pipecat's protobuf, and carriers' media sockets."""

from __future__ import annotations

import asyncio
import audioop
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import aiohttp
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pipecat.frames.frames import InputAudioRawFrame, OutputAudioRawFrame
from pipecat.serializers.protobuf import ProtobufFrameSerializer

from tests.web.calls import host, serving
from vivavoce.agent import Agent
from vivavoce.agent.events import KeyPressed
from vivavoce.phone.media.codec import Opus
from vivavoce.web import carriers
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
GUARDED = Exposure(port=0, secret=SECRET, origins=("https://shop.example",))


class Client:
    """A websocket whose messages are kept."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.texts: list[dict[str, Any]] = []
        self.sound: list[bytes] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.sound.append(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                self.texts.append(json.loads(message.data))
            self._news.set()

    async def until(self, condition: Callable[[], Any], within: float = 20.0) -> Any:
        async with asyncio.timeout(within):
            while not (found := condition()):
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await self._news.wait()
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        return [each["data"] for each in self.texts if each.get("data", {}).get("event") == name]

    async def event(self, name: str) -> dict[str, Any]:
        return dict((await self.until(lambda: self.events(name)))[0])

    async def close(self) -> None:
        await self.socket.close()
        await asyncio.wait_for(self._task, 5)


@contextlib.asynccontextmanager
async def connected(server, path: str, **given: Any):
    async with aiohttp.ClientSession() as http:
        socket = await http.ws_connect(f"{server.url}{path}", **given)
        client = Client(socket)
        try:
            yield client
        finally:
            await client.close()


def loud(pcm: np.ndarray) -> bool:
    return bool(len(pcm) and np.abs(pcm.astype(int)).max() > 4_000)


async def test_plain_samples_and_messages():
    async with serving() as server:
        async with connected(server, "/api/ws?rate=16000") as client:
            about = await client.event("call")
            assert (about["codec"], about["rate"]) == ("pcm16", 16_000)
            await client.socket.send_str(json.dumps({"type": "client-ready", "id": "1"}))
            snapshot = await client.event("snapshot")
            assert snapshot["call"] == about["call"]
            await client.until(lambda: loud(np.frombuffer(b"".join(client.sound), "<i2")))
            await client.socket.send_str(
                json.dumps({"type": "send-text", "id": "2", "data": {"content": "hello"}})
            )
            said = await client.until(
                lambda: [e for e in client.events("agent_said") if e["reply"]["heard"]
                         == "you said hello"]
            )  # fmt: skip
            assert said
            # What was said came as fast as it plays: nothing is far ahead of the ear.
            reply = said[0]["reply"]
            assert reply["ended"] - reply["started"] > 0.5
        for _ in range(100):
            if not server.desk.calls:
                break
            await asyncio.sleep(0.05)
        assert not server.desk.calls  # it closed with 1000: that is hanging up


async def test_what_is_typed_before_the_agent_is_ready_is_answered_when_it_is():
    agent = Agent("You answer.", name="host")

    @agent.lifespan
    async def opening(call):
        await asyncio.sleep(0.3)
        call.deps = "the book"
        yield

    @agent.reply
    async def answer(call, heard):
        return f"{call.deps} says {heard}"

    async with serving(agent) as server, connected(server, "/api/ws?rate=16000") as client:
        # Nothing can be cut yet: that it is asked for must not be the end of listening.
        for what in (
            {"type": "client-message", "data": {"t": "interrupt"}},
            {"type": "send-text", "data": {"content": "hello"}},
            {"type": "client-ready"},
        ):
            await client.socket.send_str(json.dumps(what))
        await client.until(
            lambda: [e for e in client.events("agent_said")
                     if e["reply"]["heard"] == "the book says hello"]
        )  # fmt: skip


async def test_a_socket_that_broke_comes_back():
    words = "one two three four five six seven eight nine ten " * 2
    async with serving(host(greeting=words)) as server:
        async with aiohttp.ClientSession() as http:
            socket = await http.ws_connect(f"{server.url}/api/ws")
            about = json.loads((await socket.receive()).data)["data"]
            for _ in range(20):
                await socket.receive()
            live = next(iter(server.desk.calls.values()))
            live.line.leg._socket._req.transport.abort()  # the network between is gone
            while not socket.closed:
                await socket.receive()
        async with connected(server, f"/api/ws?resume={about['resume']}") as client:
            assert (await client.event("call"))["call"] == about["call"]
            await client.socket.send_str(json.dumps({"type": "client-ready", "id": "1"}))
            snapshot = await client.event("snapshot")
            assert snapshot["transcript"][0]["generated"].strip() == words.strip()
            said = await client.event("agent_said")
            assert said["reply"]["heard"] == words.strip()


async def test_opus_packets():
    decoder = Opus(48_000)
    async with serving() as server, connected(server, "/api/ws?codec=opus") as client:
        encoder = Opus(48_000)
        for _ in range(10):
            await client.socket.send_bytes(encoder.encode(np.zeros(960, np.int16)))
        await client.socket.send_bytes(b"\xff" * 50)  # no packet: a gap, and the call goes on
        await client.until(lambda: len(client.sound) > 30)
        pcm = np.concatenate([decoder.decode(packet) for packet in client.sound])
        assert loud(pcm)


async def test_pipecats_frames():
    serializer = ProtobufFrameSerializer()
    async with (
        serving() as server,
        connected(server, "/api/ws?codec=protobuf&rate=16000") as client,
    ):
        frame = InputAudioRawFrame(b"\0" * 640, 16_000, 1)
        data = await serializer.serialize(OutputAudioRawFrame(frame.audio, 16_000, 1))
        for _ in range(5):
            await client.socket.send_bytes(data)
        await client.socket.send_bytes(b"nonsense")

        async def sound() -> np.ndarray:
            frames = [await serializer.deserialize(each) for each in client.sound]
            parts = [f.audio for f in frames if hasattr(f, "audio")]
            return np.frombuffer(b"".join(parts), "<i2")

        for _ in range(100):
            if loud(await sound()):
                break
            await asyncio.sleep(0.05)
        assert loud(await sound())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/ws?codec=mp3", 400),
        ("/api/ws?rate=44100", 400),
        ("/api/ws?agent=nobody", 404),
        ("/api/ws?resume=nothing", 404),
        ("/carriers/nobody", 404),
    ],
)
async def test_what_there_is_not_is_refused_before_the_socket_opens(path, status):
    async with serving() as server, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect(f"{server.url}{path}")
        assert caught.value.status == status
        async with http.get(f"{server.url}{path.replace('mp3', 'pcm16')}") as response:
            assert response.status in {400, 404, 426}


async def test_sockets_are_bounded_too():
    limits = Limits(calls=1, message=10_000)
    async with serving(limits=limits) as server:
        async with connected(server, "/api/ws") as client:
            await client.event("call")
            async with aiohttp.ClientSession() as http:
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await http.ws_connect(f"{server.url}/api/ws")
                assert caught.value.status == 503
            await client.socket.send_bytes(b"\0" * 20_000)
            await client.until(lambda: client.socket.closed)
            assert client.socket.close_code == 1009
        async with serving(exposure=GUARDED) as guarded, aiohttp.ClientSession() as http:
            for path in ("/api/ws", "/api/ws?token=x", "/v1/realtime?model=x"):
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await http.ws_connect(f"{guarded.url}{path}")
                assert caught.value.status == 401


# -- carriers

TWILIO = [
    {"event": "connected", "protocol": "Call", "version": "1.0.0"},
    {
        "event": "start",
        "streamSid": "MZ1",
        "start": {
            "streamSid": "MZ1",
            "callSid": "CA1",
            "customParameters": {"from": "+33123456789", "to": "+33987654321"},
        },
    },
]
STARTS: dict[str, list[dict[str, Any]]] = {
    "twilio": TWILIO,
    "telnyx": [
        {"event": "connected"},
        {
            "event": "start",
            "stream_id": "s1",
            "start": {
                "from": "+33123456789",
                "to": "+33987654321",
                "media_format": {"encoding": "PCMA"},
            },
        },
    ],
    "plivo": [{"event": "start", "start": {"streamId": "p1", "from": "+33123456789"}}],
    "exotel": [{"event": "start", "start": {"stream_sid": "e1", "from": "+33123456789"}}],
    "vonage": [
        {
            "event": "websocket:connected",
            "content-type": "audio/l16;rate=16000",
            "from": "+33123456789",
        }
    ],
}


def heard_by(name: str, client: Client) -> np.ndarray:
    """What a carrier hears (int16)."""
    if name == "vonage":
        return np.frombuffer(b"".join(client.sound), "<i2")
    payloads = [
        base64.b64decode(each["media"]["payload"])
        for each in client.texts
        if each.get("event") in {"media", "playAudio"}
    ]
    data = b"".join(payloads)
    match name:
        case "telnyx":
            data = audioop.alaw2lin(data, 2)
        case "twilio" | "plivo":
            data = audioop.ulaw2lin(data, 2)
    return np.frombuffer(data, "<i2")


@pytest.mark.parametrize("name", carriers.NAMES)
async def test_a_carriers_call(name):
    async with serving() as server, connected(server, f"/carriers/{name}") as client:
        for message in STARTS[name]:
            await client.socket.send_str(json.dumps(message))
        await client.until(lambda: loud(heard_by(name, client)))
        live = next(iter(server.desk.calls.values()))
        assert live.conversation.call.caller == "+33123456789"
        assert live.line.leg.kind == name
        key = {
            "twilio": {"event": "dtmf", "dtmf": {"digit": "5"}},
            "telnyx": {"event": "dtmf", "dtmf": {"digit": "5"}},
            "plivo": {"event": "dtmf", "dtmf": {"digit": "5"}},
            "exotel": {"event": "dtmf", "dtmf": {"digit": "5"}},
            "vonage": {"event": "websocket:dtmf", "digit": "5"},
        }[name]
        pressed = []

        async def follow():
            pressed.extend(
                [
                    event.key
                    async for event in live.conversation.call
                    if isinstance(event, KeyPressed)
                ]
            )

        following = asyncio.create_task(follow())
        await client.socket.send_str(json.dumps(key))
        await client.socket.send_str("nonsense")
        await asyncio.sleep(0.3)
        await client.close()
        await asyncio.wait_for(following, 10)  # the carrier is gone, so the call is over
        assert pressed == ["5"]


async def test_a_carrier_that_does_not_say_which_call_it_is(monkeypatch):
    monkeypatch.setattr(carriers, "GREETING", 0.3)
    async with serving() as server:
        for messages in ([], [{"event": "media"}] * 6, [{"event": "start", "start": {}}]):
            async with connected(server, "/carriers/twilio") as client:
                for message in messages:
                    await client.socket.send_str(json.dumps(message))
                await client.until(lambda: client.socket.closed)
                assert client.socket.close_code == 1008
        assert not server.desk.calls


async def test_twilios_signature_opens_the_door(monkeypatch):
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "their token")
    async with serving(exposure=GUARDED) as server:
        path = "/carriers/twilio"
        url = f"wss://127.0.0.1:{server.port}{path}"
        digest = hmac.new(b"their token", url.encode(), hashlib.sha1).digest()
        headers = {"X-Forwarded-Proto": "https"}
        good = {**headers, "X-Twilio-Signature": base64.b64encode(digest).decode()}
        async with aiohttp.ClientSession() as http:
            for bad in (headers, {**headers, "X-Twilio-Signature": "AAAA"}):
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await http.ws_connect(f"{server.url}{path}", headers=bad)
                assert caught.value.status == 403
        async with connected(server, path, headers=good) as client:
            for message in TWILIO:
                await client.socket.send_str(json.dumps(message))
            await client.until(lambda: heard_by("twilio", client).size > 0)


async def test_a_carrier_that_signs_nothing_brings_a_token():
    token = Signer(SECRET).issue(time.time(), agent="host")
    async with serving(exposure=GUARDED) as server:
        async with connected(server, f"/carriers/plivo?token={token}") as client:
            await client.socket.send_str(json.dumps(STARTS["plivo"][0]))
            await client.until(lambda: heard_by("plivo", client).size > 0)
        async with connected(server, "/carriers/plivo") as client:
            await client.socket.send_str(json.dumps(STARTS["plivo"][0]))
            await client.until(lambda: client.socket.closed)
            assert client.socket.close_code == 1008


async def test_telnyx_signs_the_request_before_the_socket(monkeypatch):
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    body = b"CallSid=v3%3A1&From=%2B33123456789&To=%2B33987654321"

    def signed(wall: float, data: bytes = body) -> dict[str, str]:
        stamp = str(int(wall))
        signature = base64.b64encode(key.sign(f"{stamp}|".encode() + data)).decode()
        return {"telnyx-timestamp": stamp, "telnyx-signature-ed25519": signature}

    now = time.time()
    async with serving(exposure=GUARDED) as server, aiohttp.ClientSession() as http:
        asked = f"{server.url}/carriers/telnyx?agent=host"
        async with http.post(asked, data=body, headers=signed(now)) as answer:
            assert answer.status == 404  # no key: nothing could be checked
        monkeypatch.setenv("TELNYX_PUBLIC_KEY", base64.b64encode(public).decode())
        for bad in ({}, signed(now - 400), signed(now, b"From=%2B331"), {**signed(now),
                    "telnyx-timestamp": "soon"}):  # fmt: skip
            async with http.post(asked, data=body, headers=bad) as answer:
                assert answer.status == 403
        async with http.post(asked, data=body, headers=signed(now)) as answer:
            assert answer.status == 200
            stream = ET.fromstring(await answer.text()).find("Connect/Stream")
        address = urlsplit(stream.attrib["url"])
        assert (address.scheme, address.path) == ("ws", "/carriers/telnyx")
        async with connected(server, f"{address.path}?{address.query}") as client:
            for message in STARTS["telnyx"]:
                await client.socket.send_str(json.dumps(message))
            await client.until(lambda: heard_by("telnyx", client).size > 0)
        async with connected(server, f"{address.path}?{address.query}") as client:
            for message in STARTS["telnyx"]:
                await client.socket.send_str(json.dumps(message))
            await client.until(lambda: client.socket.closed)
            assert client.socket.close_code == 1008  # the token was for one call


async def test_who_comes_back_gets_its_ice_servers():
    token = Signer(SECRET).issue(time.time(), agent="host", caller="ada")
    async with serving(exposure=GUARDED) as server, aiohttp.ClientSession() as http:
        url = f"{server.url}/api/ice"
        async with connected(server, f"/api/ws?token={token}") as client:
            resume = (await client.event("call"))["resume"]
            for bearer, status in ((resume, 200), ("", 401), ("x" * len(resume), 401)):
                head = {"Authorization": f"Bearer {bearer}"}
                async with http.get(url, headers=head) as answer:
                    assert answer.status == status
        await client.until(lambda: not server.desk.calls)
        async with http.get(url, headers={"Authorization": f"Bearer {resume}"}) as answer:
            assert answer.status == 410  # and says that there is nothing to come back to


def test_plivos_and_vonages_signatures():
    url, nonce = "wss://x.example/carriers/plivo", "12345"
    digest = hmac.new(b"secret", f"{url}.{nonce}".encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    assert carriers.signed_by_plivo(url, nonce, f"AAAA, {signature}", "secret")
    assert not carriers.signed_by_plivo(url, nonce, signature, "other")

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    def jwt(head: dict[str, str], claims: dict[str, float], secret: bytes = b"secret") -> str:
        body = f"{part(json.dumps(head).encode())}.{part(json.dumps(claims).encode())}"
        return f"Bearer {body}.{part(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"

    good = jwt({"alg": "HS256"}, {"iat": 1_000})
    assert carriers.signed_by_vonage(good, "secret", 1_100)
    assert not carriers.signed_by_vonage(good, "secret", 1_400)
    assert not carriers.signed_by_vonage(good, "other", 1_100)
    assert not carriers.signed_by_vonage(jwt({"alg": "none"}, {"iat": 1_000}), "secret", 1_100)
    assert not carriers.signed_by_vonage("Bearer a.b.c", "secret", 1_100)
    assert not carriers.signed_by_vonage("", "secret", 1_100)
