"""Calls over the web in tests: a server, and clients that are not ours."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any, Self

import aiohttp
import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceGatherer,
    RTCIceTransport,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtcicetransport import RTCIceParameters
from aiortc.sdp import SessionDescription

from vivavoce.agent import Agent
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.text import Deaf
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Exposure
from vivavoce.web.server import CallServer

RATE = 48_000
BLOCK = 960
MODELS = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "mistral-small-latest",
    "speak": "voxtral-mini-tts-2603",
}


class Humming:
    """Speech that is a tone, a fifth of a second a word. Implements `Speaking`."""

    rate = 24_000

    async def stream(self, text: str, *, voice: str | None, language: str):
        del voice, language
        count = round(len(text.split()) * 0.2 * self.rate)
        yield (np.sin(2 * np.pi * 440 * np.arange(count) / self.rate) * 8_000).astype(np.int16)


def humming() -> Models:
    """Models that cost nothing: deaf, and humming."""
    return Models(hearing=lambda _wishes: Deaf(), thinking=None, speaking=Humming())  # type: ignore[arg-type]


def sandboxed(key: Any) -> Models:
    """The sandbox's models."""
    where = {stage: Endpoint(key.url, key.key, model) for stage, model in MODELS.items()}
    return Models.connect(**where, timeouts=Timeouts(connect=5.0, final=5.0, first=5.0, stall=3.0))


def host(greeting: str | None = "Good evening and welcome to the house.", **given: Any) -> Agent:
    """An agent that answers what is typed, without a model."""
    agent = Agent("You answer.", name="host", greeting=greeting, **given)

    @agent.reply
    async def answer(call, heard):
        return f"you said {heard}"

    return agent


@contextlib.asynccontextmanager
async def serving(
    *agents: Agent,
    models: Models | None = None,
    exposure: Exposure | None = None,
    routes: Any = (),
    **desk: Any,
) -> AsyncGenerator[CallServer]:
    """A call server on a free port; at its end no task and no connection may be left."""
    before = asyncio.all_tasks()
    async with models or humming() as given:
        desk.setdefault("version", "test")
        made = Desk(agents or [host()], given, **desk)
        server = CallServer(made, exposure or Exposure(port=0), routes=routes)
        async with server:
            yield server
        assert not made.calls
        assert made.turnstile.admission.calls == 0
        assert server.connections == 0
    await settled(before)


async def settled(before: set[asyncio.Task[Any]]) -> None:
    """Wait until no tasks are left but those before."""
    for _ in range(100):
        left = {task for task in asyncio.all_tasks() - before if not task.done()}
        if left <= {asyncio.current_task()}:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"tasks that nobody ended: {left}")


class Microphone(MediaStreamTrack):
    """A track that says what it is given, and else is silent, at its own pace."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._waiting = np.zeros(0, np.int16)
        self._count = 0
        self._began: float | None = None

    @property
    def said(self) -> bool:
        """Whether all of it was handed to the sender."""
        return not len(self._waiting)

    def say(self, pcm: np.ndarray) -> None:
        self._waiting = np.concatenate([self._waiting, pcm.astype(np.int16)])

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
        await asyncio.sleep(max(0.0, self._began + self._count * 0.02 - loop.time()))
        block = np.zeros(BLOCK, np.int16)
        said, self._waiting = self._waiting[:BLOCK], self._waiting[BLOCK:]
        block[: len(said)] = said
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, self._count * BLOCK
        frame.time_base = fractions.Fraction(1, RATE)
        self._count += 1
        return frame


class Browser:
    """A WebRTC client made of aiortc, which signals and talks as a page does."""

    def __init__(self, url: str, *, headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.headers = headers or {}
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.mic = Microphone()
        self.messages: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.heard: list[np.ndarray] = []
        self.answer: dict[str, Any] = {}
        self.status = 0
        self._changed = asyncio.Event()
        self._listening: list[asyncio.Task[None]] = []
        self.pc.addTrack(self.mic)
        self.channel = self.pc.createDataChannel("chat")
        self.channel.on("open", self._ready)
        self.channel.on("message", self._told)
        self.pc.on("track", self._track)
        self.greets = True
        self._moved: list[RTCIceTransport] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def call(self, **more: Any) -> Self:
        """Send an offer, and take the answer."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        body = {"sdp": self.pc.localDescription.sdp, "type": "offer", **more}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/api/offer", json=body, headers=self.headers) as response,
        ):
            self.status, self.answer = response.status, await response.json()
        if self.status == 200:
            await self.pc.setRemoteDescription(
                RTCSessionDescription(self.answer["sdp"], self.answer["type"])
            )
        return self

    def send(self, kind: str, data: Any = None, ident: str = "1") -> None:
        self.channel.send(
            json.dumps({"label": "rtvi-ai", "type": kind, "id": ident, "data": data or {}})
        )

    def ask(self, what: str, **data: Any) -> None:
        self.send("client-message", {"t": what, "d": data}, ident=f"m-{what}")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Our own events of a name, so far."""
        return [
            each["data"]
            for each in self.messages
            if each["type"] == "server-message" and each["data"]["event"] == name
        ]

    async def until(self, condition: Callable[[], Any], within: float = 30.0) -> Any:
        """Wait for something to be so; looked at with each message and sound."""
        async with asyncio.timeout(within):
            while not (found := condition()):
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await self._changed.wait()
        return found

    async def event(self, name: str, count: int = 1, within: float = 30.0) -> dict[str, Any]:
        """Wait for the count-th event of a name."""
        found = await self.until(
            lambda: len(self.events(name)) >= count and self.events(name)[count - 1], within
        )
        return dict(found)

    async def spoken(self) -> None:
        """Wait until the agent has begun to speak, as events tell or a snapshot."""

        def begun() -> bool:
            snapshots = self.events("snapshot")
            return bool(snapshots and (snapshots[0]["transcript"] or self.events("agent_started")))

        await self.until(begun)

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.int16), *self.heard])

    async def restart_ice(self, url: str = "") -> dict[str, Any]:
        """Move to other sockets and credentials, and renegotiate; return the answer.

        aiortc restarts no ICE by itself: another transport is put under its DTLS.
        """
        dtls = self.pc.getTransceivers()[0].receiver.transport
        old = dtls.transport
        gatherer = RTCIceGatherer(iceServers=[])
        await gatherer.gather()
        local = gatherer.getLocalParameters()
        offer = SessionDescription.parse(self.pc.localDescription.sdp)
        for media in offer.media:
            media.ice.usernameFragment, media.ice.password = local.usernameFragment, local.password
            media.ice_candidates = gatherer.getLocalCandidates()
        status, answer = await request(
            "POST",
            f"{url or self.url}/api/offer",
            json={"sdp": str(offer), "type": "offer", "pc_id": self.answer["pc_id"]},
        )
        assert status == 200, answer
        remote = SessionDescription.parse(answer["sdp"]).media[0]
        transport = RTCIceTransport(gatherer)
        transport._connection.ice_controlling = True
        for candidate in remote.ice_candidates:
            await transport.addRemoteCandidate(candidate)
        await transport.addRemoteCandidate(None)
        async with asyncio.timeout(10):
            await transport.start(
                RTCIceParameters(remote.ice.usernameFragment, remote.ice.password)
            )
        dtls._transport = transport
        old._connection._queue.put_nowait((b"\0", 1))  # wakes aiortc's reader up
        self._moved += [old, transport]
        return answer

    async def close(self) -> None:
        # aiortc leaves a task behind when it is closed while it connects.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                while self.pc.iceConnectionState == "checking":  # noqa: ASYNC110 - no event tells it
                    await asyncio.sleep(0.02)
        await self.pc.close()
        for transport in self._moved:
            await transport.stop()
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)

    def _ready(self) -> None:
        if self.greets:
            self.send("client-ready", {"version": "1.2.0"})

    def _told(self, text: str) -> None:
        self.texts.append(text)
        if text.startswith("{"):
            self.messages.append(json.loads(text))
        self._changed.set()

    def _track(self, track: Any) -> None:
        async def listen() -> None:
            with contextlib.suppress(Exception):
                while True:
                    frame = await track.recv()
                    self.heard.append(frame.to_ndarray()[0, :: len(frame.layout.channels)].copy())
                    self._changed.set()

        self._listening.append(asyncio.ensure_future(listen()))


async def get(url: str, **given: Any) -> tuple[int, Any]:
    """GET; return status and JSON."""
    return await request("GET", url, **given)


async def request(method: str, url: str, **given: Any) -> tuple[int, Any]:
    """Ask; return status and JSON."""
    async with aiohttp.ClientSession() as http, http.request(method, url, **given) as response:
        return response.status, await response.json()
