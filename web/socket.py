"""A call over a websocket, for places without WebRTC: `/api/ws`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import numpy as np
from aiohttp import WSCloseCode, web
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputTransportMessageFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.serializers.protobuf import ProtobufFrameSerializer

from vivavoce.phone.media.codec import CodecError, Opus
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.web import rtvi
from vivavoce.web.leg import BLOCK
from vivavoce.web.live import ASKED, DeskError, LiveCall
from vivavoce.web.stream import HEARTBEAT, StreamLeg

if TYPE_CHECKING:
    from vivavoce.web.server import CallServer

RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Sample rates of the sound (Hz)."""
CODECS = ("pcm16", "opus", "protobuf")


class PcmLeg(StreamLeg):
    """Binary messages are int16 samples, little-endian, mono; text messages are RTVI's."""

    async def took(self, message: str | bytes) -> None:
        """Take sound or a message."""
        if isinstance(message, bytes):
            self.feed(np.frombuffer(message[: len(message) // 2 * 2], "<i2").astype(np.int16))
        elif self.told is not None:
            self.told(message)

    async def encode(self, pcm: Int16) -> list[str | bytes]:
        """Return speech as it is."""
        return [pcm.astype("<i2").tobytes()]


class OpusLeg(StreamLeg):
    """Binary messages are Opus packets of 20 ms (RFC 6716); text messages are RTVI's."""

    def __init__(self, socket: web.WebSocketResponse, rate: int) -> None:
        super().__init__(socket, rate)
        self._codec = Opus(rate)
        self._rest = np.zeros(0, np.int16)

    async def took(self, message: str | bytes) -> None:
        """Take sound or a message."""
        if isinstance(message, bytes):
            try:
                self.feed(self._codec.decode(message))
            except CodecError:
                self.feed(np.zeros(self._size, np.int16))
        elif self.told is not None:
            self.told(message)

    async def encode(self, pcm: Int16) -> list[str | bytes]:
        """Return speech in packets of 20 ms; what is left of it waits."""
        self._rest = np.concatenate((self._rest, pcm))
        packets: list[str | bytes] = []
        while len(self._rest) >= self._size:
            packets.append(self._codec.encode(self._rest[: self._size]))
            self._rest = self._rest[self._size :]
        return packets


class ProtobufLeg(StreamLeg):
    """pipecat's frames in protobuf, as its websocket clients send and take them."""

    def __init__(self, socket: web.WebSocketResponse, rate: int) -> None:
        super().__init__(socket, rate)
        self._serializer = ProtobufFrameSerializer(
            ProtobufFrameSerializer.InputParams(ignore_rtvi_messages=False)
        )
        self._resampler: Resampler | None = None

    async def took(self, message: str | bytes) -> None:
        """Take sound or a message."""
        if not isinstance(message, bytes):
            return
        try:
            frame = await self._serializer.deserialize(message)
        except Exception:  # noqa: BLE001 (protobuf's own, for what is no frame)
            return
        if isinstance(frame, InputAudioRawFrame) and frame.num_channels == 1:
            pcm = np.frombuffer(frame.audio[: len(frame.audio) // 2 * 2], "<i2").astype(np.int16)
            if frame.sample_rate != self.rate:
                if self._resampler is None or self._resampler.source_rate != frame.sample_rate:
                    self._resampler = Resampler(frame.sample_rate, self.rate, aligned=False)
                pcm = self._resampler.feed(pcm)
            self.feed(pcm)
        elif isinstance(frame, InputTransportMessageFrame) and self.told is not None:
            # A JSON object already: the line reads texts.
            self.told(json.dumps(frame.message))

    async def encode(self, pcm: Int16) -> list[str | bytes]:
        """Return speech as a frame."""
        frame = OutputAudioRawFrame(pcm.tobytes(), self.rate, 1)
        data = await self._serializer.serialize(frame)
        return [data] if data else []

    def write(self, text: str) -> None:
        """Send a message as a frame."""
        self._tasks.spawn(self._put_message(text), "message")

    async def _put_message(self, text: str) -> None:
        frame = OutputTransportMessageUrgentFrame(message=json.loads(text))
        data = await self._serializer.serialize(frame)
        if data:
            self.put(data)


async def open_socket(
    server: CallServer, request: web.Request, *, protocols: tuple[str, ...] = ()
) -> web.WebSocketResponse:
    """Open a websocket whose messages are bounded.

    Args:
        server: Whose limits hold.
        request: The client's.
        protocols: Subprotocols that may be chosen.

    Raises:
        DeskError: The request is no websocket's.
    """
    socket = web.WebSocketResponse(
        max_msg_size=server.desk.limits.message,
        heartbeat=HEARTBEAT,
        timeout=2.0,
        protocols=protocols,
    )
    if not socket.can_prepare(request).ok:
        raise DeskError(426, "no_websocket", "this is a websocket: connect with wss://")
    await socket.prepare(request)
    return socket


def socket_routes(server: CallServer) -> list[web.RouteDef]:
    """Return what is at `/api/ws`."""

    async def take(request: web.Request) -> web.StreamResponse:
        codec = request.query.get("codec", "pcm16")
        rate = request.query.get("rate", "24000" if codec != "opus" else "48000")
        if codec not in CODECS or rate not in {str(each) for each in RATES}:
            text = f"codec is one of {', '.join(CODECS)}, rate one of {', '.join(map(str, RATES))}"
            raise DeskError(400, "bad_format", text)
        resume = request.query.get("resume", "")
        back = await server.desk.come_back(resume) if resume else None
        claims = None if back else server.claims(request)
        fields = {key: request.query.get(key) for key in ASKED}
        wish = server.wish(request, claims, **fields)
        if back is None:
            agent = server.desk.agent_for(wish)
            server.desk.turnstile.check(wish)  # while a client still sees a status
            server.door.spend(claims, agent.name if wish.room else wish.agent, wish.room)
        try:
            socket = await open_socket(server, request)
        except BaseException:
            if back is not None:
                server.desk.let_go(back)
            raise
        leg: StreamLeg
        match codec:
            case "opus":
                leg = OpusLeg(socket, int(rate))
            case "protobuf":
                leg = ProtobufLeg(socket, int(rate))
            case _:
                leg = PcmLeg(socket, int(rate))
        live: LiveCall
        try:
            if back is None:
                live = server.desk.begin(leg, wish)
            else:
                live = server.desk.go_on(back, leg, wish)
        except DeskError as error:
            await refuse(socket, error)
            return socket
        about = {"event": "call", "call": live.id, "agent": live.agent.name}
        about |= live.seat
        about |= {"resume": live.resume, "codec": codec, "rate": int(rate)}  # type: ignore[dict-item]
        leg.write(rtvi.event({**about, "frame_ms": round(BLOCK * 1000)}))
        leg.begin()
        await carry(leg)
        if socket.close_code == WSCloseCode.OK and live.line.leg is leg:
            await live.hang_up()  # else it may come back
        return socket

    return [web.get("/api/ws", take)]


async def carry(leg: StreamLeg) -> None:
    """Read a leg until its client is gone, and close it."""
    try:
        await leg.read()
    finally:
        await asyncio.shield(leg.close())


async def refuse(socket: web.WebSocketResponse, error: DeskError) -> None:
    """Close a websocket that is open already, and say why."""
    # 1013: try again later (https://www.iana.org/assignments/websocket).
    code = 1013 if error.status in {429, 503} else 1008
    await socket.close(code=code, message=str(error).encode()[:120])
