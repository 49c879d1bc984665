"""A tunnel: a websocket between a client and its worker, whose bytes are handed on as they come.

The handshake is made through the front, and then nothing is parsed any more: frames, their masks,
pings, close codes and fragments are the client's and the worker's own. That costs a read and a
write for each packet of sound, and adds nothing to wait for. Each side is read only as fast as the
other takes: what does not fit waits in the sockets.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from aiohttp import web

CONNECT = 2.0
"""Seconds in which a connection to a worker must stand."""
ANSWER = 15.0
"""Seconds in which a worker must answer a handshake: it may connect to models before."""
LARGEST = 16_384
"""Bytes of the answer's head."""
WAITING = 65_536
"""Bytes that may wait to be written to one side before the other is read no more: a second of the
widest sound."""
REFUSED = 65_536
"""Bytes of an answer that is no handshake."""
FLUSH = 2.0
"""Seconds in which what was sent before an end must be taken."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")


class TunnelError(Exception):
    """No tunnel stands.

    Attributes:
        begun: Whether the worker has the request: then no other one may get it.
    """

    def __init__(self, text: str, *, begun: bool) -> None:
        super().__init__(text)
        self.begun = begun


class Answer:
    """A worker's answer to a handshake.

    Attributes:
        status: HTTP's; 101 where the websocket stands.
        head: What it said, to be handed on as it is.
        headers: Likewise, by name in lower case; the last of each.
        rest: What came behind the head.
    """

    def __init__(self, raw: bytes) -> None:
        end = raw.index(b"\r\n\r\n") + 4
        found = _STATUS.match(raw)
        if found is None:
            raise ValueError("this is no answer")
        self.head, self.rest = raw[:end], raw[end:]
        self.status = int(found[1])
        self.headers: dict[str, str] = {}
        for line in self.head.split(b"\r\n")[1:-2]:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                self.headers[name.strip().lower()] = value.strip()


class Spliced(web.StreamResponse):
    """Stands for what went through a tunnel, of which aiohttp has nothing to send any more."""

    def __init__(self, status: int) -> None:
        super().__init__(status=status)
        self.force_close()

    @property
    def prepared(self) -> bool:
        """It was sent."""
        return True

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Send nothing."""
        del request

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""
        del data


class _Side(asyncio.Protocol):
    """One end: what comes goes to the other one."""

    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None
        self.before: asyncio.BaseProtocol | None = None  # who had the connection
        self.lost = asyncio.get_running_loop().create_future()

    def take(self, transport: asyncio.Transport) -> None:
        """Take a connection over."""
        self.before = transport.get_protocol()
        self.transport = transport
        transport.set_write_buffer_limits(high=WAITING)
        transport.set_protocol(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WAITING)

    def data_received(self, data: bytes) -> None:
        other = self.other
        if other is not None and other.transport is not None:
            self._told(len(data))
            other.transport.write(data)

    def pause_writing(self) -> None:
        self._reading(on=False)

    def resume_writing(self) -> None:
        self._reading(on=True)

    def _reading(self, *, on: bool) -> None:
        other = None if self.other is None else self.other.transport
        if other is not None and not other.is_closing():
            (other.resume_reading if on else other.pause_reading)()

    def eof_received(self) -> bool | None:
        return None  # a websocket has no half: the connection is closed

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        if self.before is not None:
            self.before.connection_lost(exc)
        other = None if self.other is None else self.other.transport
        if other is not None and not other.is_closing():
            other.resume_reading()  # to see it end
            other.close()  # what was sent before is sent still


class _Handshake(asyncio.Protocol):
    """Reads a worker's answer to a handshake."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.raw = bytearray()
        self._news = asyncio.Event()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.raw += data
        if len(self.raw) > LARGEST + REFUSED and self.transport is not None:
            self.transport.pause_reading()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.ended = True
        self._news.set()

    async def head(self) -> Answer:
        while b"\r\n\r\n" not in self.raw:
            if self.ended or len(self.raw) > LARGEST:
                raise TunnelError("the worker ended while it was asked", begun=True)
            await self._wait()
        try:
            return Answer(bytes(self.raw))
        except ValueError as error:
            raise TunnelError(str(error), begun=True) from None

    async def body(self, answer: Answer) -> bytes:
        """Read what an answer that is no handshake says."""
        length = answer.headers.get("content-length", "0")
        wanted = min(int(length) if length.isdigit() else 0, REFUSED)
        while len(self.raw) - len(answer.head) < wanted and not self.ended:
            await self._wait()
        return bytes(self.raw[len(answer.head) : len(answer.head) + wanted])

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()


class Tunnel:
    """A websocket on its way to a worker.

    Args:
        host: Where the worker listens.
        port: Likewise.
        told: Told of the bytes that went through.

    Attributes:
        answer: What the worker answered; None before `ask`.
    """

    def __init__(self, host: str, port: int, told: Callable[[int], None] = lambda _: None) -> None:
        self._host, self._port, self._told = host, port, told
        self._handshake: _Handshake | None = None
        self._sides: tuple[_Side, ...] = ()
        self.answer: Answer | None = None

    async def ask(self, target: str, headers: Mapping[str, str] | list[tuple[str, str]]) -> Answer:
        """Connect to the worker, and send the handshake. Cancelled, it closes the connection.

        Args:
            target: The path with its query, as the client sent it.
            headers: What is sent with it.

        Raises:
            TunnelError: The worker is not there, or did not answer.
        """
        loop = asyncio.get_running_loop()
        handshake = self._handshake = _Handshake()
        try:
            async with asyncio.timeout(CONNECT):
                await loop.create_connection(lambda: handshake, self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise TunnelError(f"the worker is not there: {error!r}", begun=False) from None
        assert handshake.transport is not None
        pairs = headers if isinstance(headers, list) else list(headers.items())
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs), "", ""]
        handshake.transport.write("\r\n".join(lines).encode("utf-8", "surrogateescape"))
        try:
            async with asyncio.timeout(ANSWER):
                self.answer = await handshake.head()
        except TimeoutError:
            self.abort()
            raise TunnelError("the worker did not answer in time", begun=True) from None
        except BaseException:
            self.abort()
            raise
        return self.answer

    async def refusal(self) -> bytes:
        """Read the body of an answer that is no handshake, and close the connection."""
        assert self._handshake is not None
        assert self.answer is not None
        try:
            async with asyncio.timeout(ANSWER):
                return await self._handshake.body(self.answer)
        except TimeoutError:
            return b""
        finally:
            self.abort()

    async def carry(self, client: asyncio.Transport) -> None:
        """Hand on what comes from either side until one of them ends. Cancelled, it ends both.

        Args:
            client: The client's connection, on which nothing was answered yet.
        """
        assert self._handshake is not None
        assert self.answer is not None
        worker = self._handshake.transport
        assert worker is not None
        if client.is_closing():
            self.abort()
            return
        near, far = _Side(self._told), _Side(self._told)
        near.other, far.other = far, near
        self._sides = (near, far)
        ended = self._handshake.ended
        near.take(client)
        far.take(worker)
        client.write(bytes(self._handshake.raw))
        if ended:
            client.close()
        try:
            await asyncio.wait({near.lost, far.lost}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({near.lost, far.lost}, timeout=FLUSH)
        finally:
            self.abort()

    def abort(self) -> None:
        """End both sides at once; idempotent."""
        for side in self._sides:
            if side.transport is not None:
                side.transport.abort()
        if self._handshake is not None and self._handshake.transport is not None:
            self._handshake.transport.abort()
