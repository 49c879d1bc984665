"""Callers over the network that cost little: many of them have to fit on one core.

What they say is encoded once before (`Words`), one timer a call sends it, and what comes back is
only decoded as far as it has sound. Real parts do the rest: aiortc's ICE, DTLS and SRTP, aiohttp's
websockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import aiohttp
import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcrtpreceiver import RTCRtpReceiver

from benchmarks.capacity.window import Turn
from vivavoce.phone.media.codec import Opus
from vivavoce.pipelines.benching.callers import TurnCaller
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.listening import Listening, goes_on
from vivavoce.pipelines.benching.take import BLOCK, RATE, Packet

PATIENCE = 20.0
"""Seconds that each step of connecting may take."""
SMALL = 16
"""Bytes up to which a packet's sound is remembered: silence is always the same."""
OPUS_CLOCK = 48_000
STEP = 960
"""Opus' clock's units in 20 ms."""
SECONDS = BLOCK / RATE


class RefusedError(Exception):
    """The server takes no call now.

    Attributes:
        status: HTTP's.
        again: Its `Retry-After`; "" where it has none.
    """

    def __init__(self, status: int, text: str, again: str) -> None:
        super().__init__(f"{status}: {text[:200]}")
        self.status, self.again = status, again


@dataclass(frozen=True, slots=True)
class Words:
    """What a caller says, as it goes over the line.

    Attributes:
        seed: Of its caller.
        said: One payload for each 20 ms of the turn.
        room: Payloads of a quiet room, which follow it over and over.
    """

    clip: Clip
    seed: int
    said: tuple[bytes, ...]
    room: tuple[bytes, ...]

    @classmethod
    def make(cls, clip: Clip, seed: int, codec: str) -> Words:
        """Encode a turn: `opus` or `pcm16` (at 16 kHz)."""
        caller = TurnCaller(clip, seed)
        encode = Opus(RATE).encode if codec == "opus" else _plain
        count = int((caller.voiced_end + 0.2) * RATE) // BLOCK + 1
        silent = Listening()
        blocks = [caller.block(number, silent) for number in range(count + 75)]
        payloads = [encode(block) for block in blocks if block is not None]
        return cls(clip, seed, tuple(payloads[:count]), tuple(payloads[count:]))

    def payload(self, number: int) -> bytes:
        """Return what is said in block `number` of a turn."""
        if number < len(self.said):
            return self.said[number]
        return self.room[(number - len(self.said)) % len(self.room)]


def _plain(block: Any) -> bytes:
    return bytes(block.astype("<i2").tobytes())


class Wire(Protocol):
    """A connection to a server."""

    def send(self, payload: bytes) -> None:
        """Send 20 ms."""

    async def close(self) -> None:
        """Hang up; idempotent."""


@dataclass
class Talker:
    """Talks, turn after turn, until it is stopped.

    Attributes:
        words: What it says in each turn.
        turns: The turns that are over.
        gone: Why the connection ended; "" while it stands.
    """

    words: Words
    turns: list[Turn] = field(default_factory=list)
    gone: str = ""

    def __post_init__(self) -> None:
        self._wire: Wire | None = None
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._begin(0.0)

    def _begin(self, now: float) -> None:
        self._began = now
        self._number = 0
        self._take = Listening()
        self._caller = TurnCaller(self.words.clip, self.words.seed)

    def start(self, wire: Wire) -> None:
        """Begin to talk."""
        self._wire = wire
        self._begin(self._loop.time())
        self._handle = self._loop.call_at(self._began + SECONDS, self._tick)

    def hear(self, peak: int, seconds: float, *, on: bool) -> None:
        """Take a packet of the agent's."""
        self._take.add(Packet(self._loop.time() - self._began, seconds, peak, on))

    def stop(self) -> None:
        """Talk no more; idempotent."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    async def close(self) -> None:
        """Hang up; idempotent."""
        self.stop()
        if self._wire is not None:
            await self._wire.close()

    def _tick(self) -> None:
        now = self._loop.time()
        take, due = self._take, self._began + (self._number + 1) * SECONDS
        take.late = max(take.late, now - due)
        wire = self._wire
        assert wire is not None
        if self._caller.block(self._number, take) is None:
            self.turns.append(Turn(take, self._caller, now))
            # On the same clock, so that no block is sent too soon or too late.
            self._begin(self._began + self._number * SECONDS)
        wire.send(self.words.payload(self._number))
        self._number += 1
        self._handle = self._loop.call_at(self._began + (self._number + 1) * SECONDS, self._tick)


class Socket:
    """A call over our websocket, with plain samples at 16 kHz."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, talker: Talker) -> None:
        self._socket = socket
        self._talker = talker
        self._reading = asyncio.create_task(self._read(), name="caller's socket")

    @classmethod
    async def call(cls, http: aiohttp.ClientSession, url: str, talker: Talker) -> None:
        """Call a server and begin to talk.

        Raises:
            RefusedError: It takes no call.
        """
        address = f"{url.replace('http', 'ws', 1)}/api/ws?codec=pcm16&rate={RATE}"
        try:
            async with asyncio.timeout(PATIENCE):
                socket = await http.ws_connect(address, compress=0)
        except aiohttp.WSServerHandshakeError as error:
            again = error.headers.get("Retry-After", "") if error.headers else ""
            raise RefusedError(error.status, error.message, again) from error
        talker.start(cls(socket, talker))

    def send(self, payload: bytes) -> None:
        """See `Wire`."""
        # Without a task for each block, which would cost more than the block: it is written at once
        # or, where the server does not read, dropped.
        with contextlib.suppress(StopIteration, ConnectionError):
            self._socket.send_bytes(payload).send(None)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                pcm = np.frombuffer(message.data, "<i2").astype(np.int16)
                # A server may send a few blocks at once: each is judged by itself.
                for start in range(0, len(pcm), BLOCK):
                    block = pcm[start : start + BLOCK]
                    peak = int(np.abs(block.astype(np.int32)).max(initial=0))
                    self._talker.hear(peak, len(block) / RATE, on=goes_on(block, RATE))
        self._talker.gone = self._talker.gone or f"closed with {self._socket.close_code}"

    async def close(self) -> None:
        """See `Wire`."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(PATIENCE):
                await self._socket.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


class Ear:
    """Tells of a packet of Opus how loud it is, and whether its sound goes on."""

    def __init__(self) -> None:
        self._decoder: Any = av.CodecContext.create("libopus", "r")
        self._known: dict[bytes, tuple[int, bool]] = {}

    def judge(self, payload: bytes) -> tuple[int, bool]:
        """Return the peak, and whether sound is cut at the end."""
        if (known := self._known.get(payload)) is not None:
            return known
        with contextlib.suppress(av.FFmpegError):
            frames = self._decoder.decode(av.Packet(payload))
            sounds = [frame.to_ndarray() for frame in frames]
            if sounds:
                pcm = sounds[0].reshape(-1, frames[0].layout.nb_channels)[:, 0]
                pcm = (pcm * 32_767).astype(np.int16) if pcm.dtype.kind == "f" else pcm
                found = int(np.abs(pcm.astype(np.int32)).max(initial=0)), goes_on(pcm, OPUS_CLOCK)
                if len(payload) <= SMALL:
                    self._known[payload] = found
                return found
        return 0, False


class Browser:
    """A call over WebRTC, as a page holds it: sound both ways, and a data channel."""

    def __init__(self, peer: RTCPeerConnection, talker: Talker) -> None:
        self._peer = peer
        self._talker = talker
        self._ear = Ear()
        self._dtls: Any = peer.getSenders()[0].transport
        self._ssrc = 0
        self._number = 0
        self._kind = 0
        self._newest: int | None = None
        # aiortc's receiver would decode everything in a thread, and hold it back.
        vars(self._dtls)["_handle_rtp_data"] = self._took

    @classmethod
    async def call(cls, http: aiohttp.ClientSession, url: str, talker: Talker) -> None:
        """Call a server and begin to talk.

        Raises:
            RefusedError: It takes no call.
        """
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            peer.addTransceiver("audio", direction="sendrecv")
            channel = peer.createDataChannel("chat")
            ready = {"label": "rtvi-ai", "type": "client-ready", "id": "1", "data": {}}
            channel.on("open", partial(channel.send, json.dumps(ready)))
            self = cls(peer, talker)
            await peer.setLocalDescription(await peer.createOffer())
            sdp = await _offer(http, url, peer.localDescription.sdp)
            await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
            await self._connected()
        except BaseException:
            await peer.close()
            raise
        talker.start(self)

    async def _connected(self) -> None:
        peer = self._peer
        async with asyncio.timeout(PATIENCE):
            while peer.connectionState != "connected":
                if peer.connectionState in {"failed", "closed"}:
                    raise ConnectionError("WebRTC did not connect")
                await asyncio.sleep(0.02)
        sender = peer.getSenders()[0]
        self._ssrc = sender._ssrc  # noqa: SLF001
        codecs = peer.getTransceivers()[0]._codecs  # noqa: SLF001
        self._kind = next(int(codec.payloadType or 0) for codec in codecs if codec.name == "opus")
        receiver = peer.getReceivers()[0]
        assert isinstance(receiver, RTCRtpReceiver)
        pair = self._dtls.transport._connection._nominated[1]  # noqa: SLF001
        self._transport = pair.protocol.transport
        self._address = pair.remote_addr

        def changed() -> None:
            if peer.connectionState in {"failed", "closed"}:
                self._talker.gone = self._talker.gone or peer.connectionState

        peer.on("connectionstatechange", changed)

    def send(self, payload: bytes) -> None:
        """See `Wire`."""
        self._number += 1
        head = struct.pack(
            "!BBHII",
            0x80,
            self._kind,
            self._number & 0xFFFF,
            self._number * STEP & 0xFFFFFFFF,
            self._ssrc,
        )
        if self._transport.is_closing():
            self._talker.gone = self._talker.gone or "the connection was closed"
            return
        # Past aiortc's sender and its tasks; a socket on loopback is never full.
        self._transport.sendto(self._dtls._tx_srtp.protect(head + payload), self._address)  # noqa: SLF001

    async def _took(self, data: bytes, arrival_time_ms: int) -> None:
        del arrival_time_ms
        first, kind, number = struct.unpack_from("!BBH", data)
        if kind & 0x7F != self._kind:
            return
        if self._newest is not None and (number - self._newest) & 0xFFFF > 0x8000:
            return  # older than what was heard already
        self._newest = number
        start = 12 + 4 * (first & 15)
        if first & 16:
            start += 4 + 4 * struct.unpack_from("!H", data, start + 2)[0]
        peak, on = self._ear.judge(data[start:])
        self._talker.hear(peak, STEP / OPUS_CLOCK, on=on)

    async def close(self) -> None:
        """See `Wire`."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(PATIENCE):
                await self._peer.close()


async def _offer(http: aiohttp.ClientSession, url: str, sdp: str) -> str:
    """Send an offer; return the answer."""
    async with (
        asyncio.timeout(PATIENCE),
        http.post(f"{url}/api/offer", json={"sdp": sdp, "type": "offer"}) as response,
    ):
        if response.status != 200:
            again = response.headers.get("Retry-After", "")
            raise RefusedError(response.status, await response.text(), again)
        return str((await response.json())["sdp"])


Calling = Callable[[aiohttp.ClientSession, str, Talker], Awaitable[None]]

LINES: dict[str, tuple[Calling, str]] = {
    "webrtc": (Browser.call, "opus"),
    "websocket": (Socket.call, "pcm16"),
}
"""How a caller calls by a line's name, and what is on it."""
