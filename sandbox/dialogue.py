"""One hearing socket's conversation: what both dialects of it share.

What comes in is stored up to a bound while it is being heard; what goes out is struck by the
key's faults where they say so.
"""

from __future__ import annotations

import asyncio
import struct
import uuid
from abc import ABC, abstractmethod
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from vivavoce.sandbox.fault import Fault
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.wire import HUGE, dumps, reset

MESSAGES = (WSMsgType.TEXT, WSMsgType.BINARY)
IDLE_S = 600.0
"""The API's general streaming idle time-out."""
TIMED_OUT = 3804
_MOST_STORED = 80 << 20  # bytes of base64: half an hour of 16-bit 16 kHz
_SEND_S = 30.0  # a client that does not read this long is gone
_CONNECTION_KINDS = (
    *("slow", "stall", "rut", "reset", "close", "error", "full"),
    *("garbage", "cut", "huge"),
)


class Over(Exception):  # noqa: N818
    """This connection has been ended on purpose."""


class Dialogue(ABC):
    """One socket's conversation; a dialect says what its messages mean."""

    def __init__(
        self, request: web.Request, socket: web.WebSocketResponse, profile: Profile
    ) -> None:
        self._request, self._socket, self._profile = request, socket, profile
        self._number = profile.counters.connections
        self.id = uuid.uuid4().hex
        self._heard_s = 0.0  # seconds of audio that came over this connection
        self._struck: list[Fault] = []
        self._rut = False  # hears, and writes nothing
        self._mute = False  # a stall: listens on, answers nothing
        self._stored: asyncio.Queue[WSMessage | None] = asyncio.Queue()
        self._stored_bytes = 0
        self._room = asyncio.Event()

    @abstractmethod
    async def _begin(self) -> None:
        """Say what is said first."""

    @abstractmethod
    async def _receive(self) -> bool:
        """Take one message; False ends the conversation."""

    @abstractmethod
    async def _close(self) -> None:
        """Let go of what runs; idempotent."""

    @abstractmethod
    async def _error(self, code: int | str, message: str) -> None:
        """Send an error event."""

    async def run(self) -> None:
        """Converse until one side ends; cancelling it closes what runs."""
        reading = asyncio.create_task(self._read(), name="realtime reader")
        try:
            await self._strike("open", self._number)
            await self._begin()
            while await self._receive():
                pass
        except Over:
            pass
        finally:
            reading.cancel()
            await asyncio.wait([reading])
            await self._close()

    async def _read(self) -> None:
        """Store what comes in, up to a bound, and answer pings all the while.

        A client that sends faster than it can be heard would else find its ping behind minutes
        of its own audio, and give the connection up.
        """
        try:
            while (message := await self._socket.receive()).type in MESSAGES:
                self._stored_bytes += len(message.data)
                self._stored.put_nowait(message)
                while self._stored_bytes > _MOST_STORED:
                    self._room.clear()
                    await self._room.wait()
        finally:
            # Nobody waits for what was not heard yet.
            while not self._stored.empty():
                self._stored.get_nowait()
            self._stored.put_nowait(None)

    async def _message(self) -> WSMessage | None:
        message = await self._stored.get()
        if message is not None:
            self._stored_bytes -= len(message.data)
            self._room.set()
        return message

    async def _send(self, event: dict[str, Any]) -> None:
        if self._mute or self._socket.closed:
            return
        text = dumps(event)
        try:
            async with asyncio.timeout(_SEND_S):
                if self._profile.fault("hear", self._number, "split_bytes"):
                    await self._send_split(text.encode())
                else:
                    await self._socket.send_str(text)
        except (ConnectionError, TimeoutError) as error:
            raise Over from error

    async def _send_split(self, data: bytes) -> None:
        """Send a message as two fragments, cut inside a multibyte character where it has one."""
        transport = self._request.transport
        if transport is None:
            return
        at = next((i + 1 for i, byte in enumerate(data) if byte >= 0xC0), max(1, len(data) // 2))
        transport.write(_frame(0x01, data[:at]))
        await asyncio.sleep(0.005)  # else the kernel may join the two packets
        transport.write(_frame(0x80, data[at:]))

    async def _heard(self, seconds: float) -> None:
        """Count audio, and strike where it has come far enough."""
        self._heard_s += seconds
        self._profile.counters.heard_s += seconds
        for fault in self._profile.faults.get("hear", ()):
            if (
                fault.at == "audio"
                and self._heard_s >= fault.after
                and fault.strikes(self._number)
                and fault not in self._struck
            ):
                self._struck.append(fault)
                await self._hit(fault)

    async def _strike(self, point: str, number: int) -> None:
        fault = self._profile.fault("hear", number, *_CONNECTION_KINDS, at=point)
        if fault is not None:
            await self._hit(fault)

    async def _hit(self, fault: Fault) -> None:
        if fault.kind == "slow":
            await asyncio.sleep(fault.ms / 1000)
        elif fault.kind == "stall":
            self._mute = True
        elif fault.kind == "rut":
            self._rut = True
        elif fault.kind == "full":
            await self._full()
        elif fault.kind == "garbage":
            await self._socket.send_str('{"type": "transcription.text.delta", nothing')
        elif fault.kind == "huge":
            await self._socket.send_str("x" * HUGE)
        elif fault.kind == "cut" and self._request.transport is not None:
            self._request.transport.write(_frame(0x81, b'{"type": "transcription.done"}')[:-9])
            self._request.transport.close()
            raise Over
        elif fault.kind == "reset":
            reset(self._request)
            raise Over
        elif fault.kind in {"error", "close"}:
            if fault.kind == "error":
                await self._error(fault.code or TIMED_OUT, fault.message)
            await self._socket.close(
                code=(fault.code or 1011) if fault.kind == "close" else WSCloseCode.OK,
                message=fault.message.encode()[:120],
            )
            raise Over

    async def _full(self) -> None:  # noqa: B027 - Mistral's sessions have no known end
        """The model's context is full."""


def _frame(head: int, payload: bytes) -> bytes:
    """Make a server's WebSocket frame (RFC 6455): FIN and opcode in `head`, unmasked."""
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 1 << 16:
        return bytes((head, 126)) + struct.pack("!H", size) + payload
    return bytes((head, 127)) + struct.pack("!Q", size) + payload
