"""The audience: operators who follow calls over websockets.

Each has an outbox of its own, which is bounded, and a task that empties it: a page that stalls
loses what it does not take, and is cut off; the calls do not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, WSMsgType, web

from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.listener import BLOCK, RATE, Listener
from vivavoce.web.live import DeskError, LiveCall
from vivavoce.web.rtvi import event
from vivavoce.web.socket import open_socket
from vivavoce.web.tokens import Operator
from vivavoce.web.watch import Redact, Watch

if TYPE_CHECKING:
    from vivavoce.web.server import CallServer

log = logging.getLogger("vivavoce")

PROTOCOL = "vivavoce.operator"
"""The websockets' subprotocol."""
LOOK = 1.0
"""Seconds between two looks at which calls there are."""
PACE = 0.1
"""Seconds between two searches at least."""
STALLED = 10.0
"""Seconds that a message may take to be sent; then its connection is cut off."""
_VERBS = {True: "listens to", False: "no longer listens to"}

Live = Callable[[Operator, str, str], list[dict[str, Any]]]
"""Gives the lines of the calls that an operator may see, by words and agent."""


class Audience:
    """Holds operators' websockets. Close it when the server ends.

    Args:
        server: Whose calls they follow.
        redact: Takes out of what is told of a call what may not be seen.
    """

    def __init__(self, server: CallServer, redact: Redact) -> None:
        self._server, self._desk = server, server.desk
        self._redact = redact
        self._watches: dict[str, Watch] = {}
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def watched(self) -> int:
        """How many calls are followed."""
        return len(self._watches)

    async def close(self) -> None:
        """Let all operators go; idempotent."""
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def follow(self, request: web.Request, who: Operator, live: Live) -> web.StreamResponse:
        """Tell which calls there are, whenever that changes."""
        wanted, asked = {"text": "", "agent": ""}, asyncio.Event()

        def told(message: dict[str, Any]) -> None:
            for key in wanted:
                wanted[key] = str(message.get(key, ""))[:200]
            asked.set()

        async def tell(socket: web.WebSocketResponse) -> None:
            before = None
            while True:
                rows = live(who, wanted["text"], wanted["agent"])
                if rows != before:
                    now = datetime.now(UTC).isoformat(timespec="milliseconds")
                    about = {"event": "calls", "at": 0, "now": now, "count": len(self._desk.calls)}
                    await _put(request, socket, event({**about, "live": rows}))
                    before = rows
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await asked.wait()
                if asked.is_set():
                    await asyncio.sleep(PACE)  # what is typed meanwhile is one search
                    asked.clear()
                    before = None

        return await self._carry(request, who, tell, told)

    async def watch(
        self, request: web.Request, who: Operator, live: LiveCall
    ) -> web.StreamResponse:
        """Tell what happens in one call, and let it be heard."""
        conversation = live.conversation
        if conversation is None:
            raise DeskError(409, "connecting", "the caller is not reached yet: try again soon", 1.0)
        news = asyncio.Event()
        listener = Listener(news.set)

        def told(message: dict[str, Any]) -> None:
            if "listen" in message:
                on = message["listen"] is True
                if on != listener.listening:
                    log.info("operator %r %s call %s", who.name, _VERBS[on], live.id)
                listener.listen(on)

        told({"listen": request.query.get("listen") == "1"})

        async def tell(socket: web.WebSocketResponse) -> None:
            about = {"event": "watch", "at": 0, "call": live.id, "rate": RATE, "channels": 2}
            await _put(request, socket, event({**about, "block_ms": round(BLOCK * 1000)}))
            with self._joined(live, conversation, listener) as watch:
                while True:
                    news.clear()
                    while (message := listener.take(watch.snapshot)) is not None:
                        await _put(request, socket, message)
                    if listener.over:
                        return
                    await news.wait()  # whoever is gone is found by the socket's heartbeat

        try:
            return await self._carry(request, who, tell, told)
        finally:
            await self._sweep()

    @contextlib.contextmanager
    def _joined(self, live: LiveCall, conversation: Talk, listener: Listener) -> Iterator[Watch]:
        watch = self._watches.get(live.id)
        if watch is None:
            watch = self._watches[live.id] = Watch(live, conversation, self._redact)
        watch.join(listener)
        try:
            yield watch
        finally:
            watch.leave(listener)

    async def _sweep(self) -> None:
        """Close the watches that nobody needs any more."""
        for ident, watch in list(self._watches.items()):
            if not watch.listeners:
                del self._watches[ident]
                await asyncio.shield(watch.close())

    async def _carry(
        self,
        request: web.Request,
        who: Operator,
        tell: Callable[[web.WebSocketResponse], Awaitable[None]],
        told: Callable[[dict[str, Any]], None],
    ) -> web.WebSocketResponse:
        """Hold a websocket until its client goes, its token is over or there is no more to tell."""
        socket = await open_socket(self._server, request, protocols=(PROTOCOL,))
        self._sockets.add(socket)
        tasks = Tasks()

        async def speak() -> None:
            with contextlib.suppress(ConnectionError):
                await tell(socket)
            await socket.close()

        tasks.spawn(speak(), f"operator {request.path}")
        try:
            left = None if who.expires == float("inf") else max(0.0, who.expires - time.time())
            async with asyncio.timeout(left):
                await _listen(socket, told)
        except TimeoutError:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the token has expired")
        finally:
            self._sockets.discard(socket)
            await asyncio.shield(tasks.close())
        return socket


async def _listen(socket: web.WebSocketResponse, told: Callable[[dict[str, Any]], None]) -> None:
    """Read what an operator asks for, until the connection ends; what is no object is ignored."""
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        with contextlib.suppress(ValueError, RecursionError):
            given = json.loads(message.data)
            if isinstance(given, dict):
                told(given)


async def _put(request: web.Request, socket: web.WebSocketResponse, message: str | bytes) -> None:
    """Send a message; a client that does not take it is cut off."""
    try:
        async with asyncio.timeout(STALLED):
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                await socket.send_str(message)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("an operator's page does not take what it is told") from None
