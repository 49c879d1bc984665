"""A carrier's greeting: a media socket whose call token comes inside it, among the parameters.

A token has to be used up before any worker is asked, so the front reads what such a carrier says
first, as a worker would, and hands it on with all that follows. These sockets are parsed here, and
written again; those whose address bears the token, or whose carrier signs, go through as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from vivavoce.web.carriers import FIRST, GREETING, NAMES, SIGNED, read_start
from vivavoce.web.live import DeskError

HEARTBEAT = 10.0
"""Seconds between two pings."""


def speaks_first(name: str, query_token: str) -> bool:
    """Whether a carrier's socket tells its call token by itself.

    Args:
        name: The carrier's; "" for none.
        query_token: What the socket's address bears.
    """
    signs = name in SIGNED and bool(os.environ.get(SIGNED[name][0]))
    return name in NAMES and not signs and not query_token


class Greeting:
    """A carrier's socket, as far as it was read.

    Args:
        socket: It, open.
        name: The carrier's.

    Attributes:
        token: The call token that it told; "" before `read`.
    """

    def __init__(self, socket: web.WebSocketResponse, name: str) -> None:
        self.socket, self._name = socket, name
        self.token = ""
        self._said: list[str] = []

    @classmethod
    async def open(cls, request: web.Request, name: str, largest: int) -> Greeting:
        """Open a carrier's socket.

        Args:
            request: The carrier's.
            name: Its name.
            largest: Bytes of a message.

        Raises:
            DeskError: The request is no websocket's.
        """
        socket = web.WebSocketResponse(max_msg_size=largest, heartbeat=HEARTBEAT, timeout=2.0)
        if not socket.can_prepare(request).ok:
            raise DeskError(426, "no_websocket", "this is a websocket: connect with wss://")
        await socket.prepare(request)
        return cls(socket, name)

    async def read(self) -> None:
        """Read until it is told which call the socket carries.

        Raises:
            DeskError: It is not.
        """
        with contextlib.suppress(TimeoutError, ValueError):
            async with asyncio.timeout(GREETING):
                while len(self._said) < FIRST:
                    message = await self.socket.receive()
                    if message.type is not WSMsgType.TEXT:
                        break
                    self._said.append(message.data)
                    given = json.loads(message.data)
                    begun = read_start(self._name, given) if isinstance(given, dict) else None
                    if begun is not None:
                        self.token = begun.token
                        return
        raise DeskError(400, "no_start", f"{self._name} did not say which call this is")

    async def hand_on(self, worker: aiohttp.ClientWebSocketResponse) -> None:
        """Give a worker what was said, and all that follows both ways, until one side closes."""
        for text in self._said:
            await worker.send_str(text)
        there = asyncio.ensure_future(_pump(self.socket, worker))
        back = asyncio.ensure_future(_pump(worker, self.socket))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            await _close(worker, self.socket.close_code)
            await _close(self.socket, worker.close_code)

    async def refuse(self, error: DeskError) -> None:
        """Close the socket, and say why."""
        # 1013: try again later (https://www.iana.org/assignments/websocket).
        code = 1013 if error.status in {429, 503} else WSCloseCode.POLICY_VIOLATION
        await self.socket.close(code=code, message=str(error).encode()[:120])


_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: _Socket, target: _Socket) -> None:
    with contextlib.suppress(ConnectionError, RuntimeError):
        async for message in source:
            if message.type is WSMsgType.BINARY:
                await target.send_bytes(message.data)
            elif message.type is WSMsgType.TEXT:
                await target.send_str(message.data)


async def _close(socket: _Socket, code: int | None) -> None:
    """Close one side as the other was closed."""
    if not socket.closed:
        sendable = code is not None and (code in {1000, 1001, 1008, 1011, 1013} or code >= 3_000)
        with contextlib.suppress(ConnectionError, TimeoutError):
            await socket.close(code=code if sendable and code else WSCloseCode.GOING_AWAY)
