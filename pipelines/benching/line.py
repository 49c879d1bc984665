"""A caller's line: a call over a websocket, spoken and heard in real time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET
from typing import Any, Self

import aiohttp
import numpy as np

from vivavoce.pipelines.benching.callers import Caller
from vivavoce.pipelines.benching.listening import Listening, goes_on
from vivavoce.pipelines.benching.take import AUDIBLE, BLOCK, RATE, Packet, Take

CONNECT = 15.0
"""Seconds that connecting may take."""
CLOSE = 5.0
"""Seconds that closing may."""
SEND = 5.0
"""Seconds that a block may take to be sent."""
WAIT = 15.0
"""Seconds in which the call must have begun."""


class LineError(RuntimeError):
    """The call did not begin, or was lost; the message says why.

    Attributes:
        status: The server's HTTP status, where it refused the call; else 0.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Line:
    """A call to a server's `/api/ws`, as plain samples at `RATE` both ways.

    Use it as an async context manager: it hangs up at the end.

    Args:
        http: Who connects.
        url: The server's.
        query: What is asked for beside: `agent`, `resume`, …

    Attributes:
        call: The call's id, once it has begun.
        resume: What its caller comes back with.
        ended: Why there is no connection any more; "" while there is one.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, **query: str) -> None:
        self._http, self._url = http, url
        self._query = {"codec": "pcm16", "rate": str(RATE), **query}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._taking: tuple[float, Listening] | None = None
        self._begun = asyncio.Event()
        self._paused: asyncio.Event | None = None
        self.call = self.resume = self.ended = ""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, and wait until the server says which call it is.

        Raises:
            LineError: It refuses, or does not answer in time; nothing is left open.
        """
        try:
            async with asyncio.timeout(CONNECT):
                self._socket = await self._http.ws_connect(
                    f"{self._url}/api/ws", params=self._query, compress=0, max_msg_size=0
                )
        except aiohttp.WSServerHandshakeError as error:
            raise LineError(f"the call is refused: {error.status}", error.status) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise LineError(f"{self._url} cannot be reached: {error!r}") from error
        self._reading = asyncio.create_task(self._read(self._socket), name="line")
        try:
            async with asyncio.timeout(WAIT):
                await self._begun.wait()
        except BaseException as error:
            await self.close()
            if isinstance(error, TimeoutError):
                raise LineError(f"the call did not begin within {WAIT:g} s") from None
            raise
        if not self.call:
            await self.close()
            raise LineError(f"the call did not begin: {self.ended}")

    async def play(self, caller: Caller) -> Take:
        """Let a caller talk, in real time; return what was heard.

        Times are seconds since it began to talk. Cancelling it leaves the call as it is.

        Raises:
            LineError: The connection is lost.
        """
        if self._socket is None:
            raise RuntimeError("the line is not open")
        loop = asyncio.get_running_loop()
        began, take, number = loop.time(), Listening(), 0
        self._taking = (began, take)
        try:
            while (samples := caller.block(number, take)) is not None:
                number += 1
                due = began + number * BLOCK / RATE
                if (ahead := due - loop.time()) > 0:
                    await asyncio.sleep(ahead)
                if self.ended:
                    raise LineError(self.ended)
                async with asyncio.timeout(SEND):
                    await self._socket.send_bytes(samples.astype("<i2", copy=False).tobytes())
                take.late = max(take.late, loop.time() - due)
        except (ConnectionError, TimeoutError) as error:
            raise LineError(self.ended or f"the line takes no sound: {error!r}") from error
        finally:
            self._taking = None
        return take

    def pause(self) -> None:
        """Read nothing any more, as a caller does whose network is stuck."""
        if self._paused is None:
            self._paused = asyncio.Event()

    def go_on(self) -> None:
        """Read again."""
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.set()

    def drop(self) -> None:
        """Lose the connection: it is reset, nothing is said to the server. `close` it then."""
        self.go_on()
        socket = self._socket
        if socket is None:
            return
        if (raw := socket.get_extra_info("socket")) is not None:
            # No farewell: closing it resets the connection.
            raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                raw.shutdown(SHUT_RDWR)
        self.ended = self.ended or "the caller dropped it"

    async def close(self) -> None:
        """Hang up; idempotent."""
        self.go_on()
        socket, self._socket = self._socket, None
        reading, self._reading = self._reading, None
        try:
            if socket is not None:
                with contextlib.suppress(TimeoutError, ConnectionError, aiohttp.ClientError):
                    async with asyncio.timeout(CLOSE):
                        await socket.close()
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for message in socket:
                if self._paused is not None:
                    await self._paused.wait()
                if message.type is aiohttp.WSMsgType.BINARY:
                    if self._taking is None:
                        continue
                    began, take = self._taking
                    now = loop.time() - began
                    pcm = np.frombuffer(message.data, "<i2")
                    # The server sends what its clock has missed at once: each block counts.
                    for start in range(0, len(pcm), BLOCK):
                        block = pcm[start : start + BLOCK]
                        peak = max(int(block.max()), -int(block.min()))
                        on = peak >= AUDIBLE and goes_on(block, RATE)
                        take.add(Packet(now, len(block) / RATE, peak, on))
                elif message.type is aiohttp.WSMsgType.TEXT and not self.call:
                    self._begin(json.loads(message.data))
        finally:
            self.ended = self.ended or f"the server closed the connection ({socket.close_code})"
            self._begun.set()

    def _begin(self, told: dict[str, Any]) -> None:
        about = told.get("data", told)
        if about.get("event") == "call":
            self.call, self.resume = str(about["call"]), str(about["resume"])
            self._begun.set()
