"""The overview: answers that are made of what all workers say.

Which calls go on is asked of every worker; past calls of any of them where they are kept (the
records are the same for all), else of every one, which holds those that ended lately.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web
from yarl import URL

from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.placement import Placement
from vivavoce.web.cluster.proof import Asked, Seal
from vivavoce.web.cluster.relay import Errand
from vivavoce.web.limits import Limits
from vivavoce.web.live import DeskError
from vivavoce.web.rtvi import event

WITHIN = 5.0
"""Seconds in which each worker answers; one that does not is left out."""
LOOK = 1.0
"""Seconds between two looks at which workers there are."""
PACE = 0.1
"""Seconds between two messages to an operator, at least."""
STALLED = 10.0
"""Seconds that a message to an operator may take; then they are cut off."""
HEARTBEAT = 10.0
"""Seconds between two pings."""
LARGEST = 16 << 20
"""Bytes of what a worker tells at once."""
PROTOCOL = "vivavoce.operator"
_PASSED = ("Authorization", "Origin", "Sec-WebSocket-Protocol", "Host")


class Overview:
    """Answers for all workers. Close it.

    Args:
        session: What they are asked by; closed by whoever made it.
        seal: Proves that the cluster asks.
        placement: Knows them.
        limits: How long a message of an operator's may be.
    """

    def __init__(
        self, session: aiohttp.ClientSession, seal: Seal, placement: Placement, limits: Limits
    ) -> None:
        self._session, self._seal = session, seal
        self._placement, self._limits = placement, limits
        self._sockets: set[web.WebSocketResponse] = set()

    async def close(self) -> None:
        """Let all operators go; idempotent."""
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def answer(self, errand: Errand, version: str, *, draining: bool) -> web.StreamResponse:
        """Answer what only all of them know."""
        match errand.request.path:
            case "/api/health":
                return self._health(version, draining=draining)
            case "/api/operator/live":
                return await self._follow(errand)
            case _:
                return await self._search(errand)

    def _health(self, version: str, *, draining: bool) -> web.Response:
        states = [each for each in self._placement.states() if self._is_there(each.name)]
        taking = [each for each in states if not each.draining]
        about = (taking or states)[0].about if states else {}
        busy = draining or not any(each.room for each in taking)
        return web.json_response(
            {
                "status": "busy" if busy else "ok",
                "calls": sum(each.calls for each in states),
                "max_calls": sum(int(each.about.get("max_calls", 0)) for each in taking),
                "models": about.get("models", {}),
                "recording": bool(about.get("recording")),
                "version": version,
                "workers": len(taking),
            }
        )

    # Calls that go on and past ones.

    async def _search(self, errand: Errand) -> web.Response:
        asked = dict(errand.request.query)
        state = asked.get("state", "all")
        members = self._there()
        kept = any(each.about.get("kept") for each in self._placement.states())
        found: dict[str, Any] = {"now": datetime.now(UTC).isoformat(timespec="milliseconds")}
        if state != "past":
            rows = await self._ask_all(errand, members, {**asked, "state": "live"}, "live")
            found["live"] = newest(rows)
        if state != "live":
            query = {**asked, "state": "past"}
            if kept or len(members) == 1:
                answer = await self._ask_one(errand, members, query)
                found |= {"past": answer.get("past", []), "cursor": answer.get("cursor", "")}
            else:
                limit = int(asked["limit"]) if asked.get("limit", "").isdigit() else 50
                rows = await self._ask_all(errand, members, query, "past")
                found |= {"past": newest(rows)[:limit], "cursor": ""}
        return web.json_response(found)

    async def _ask_all(
        self, errand: Errand, members: Iterable[Member], query: Mapping[str, str], key: str
    ) -> list[dict[str, Any]]:
        answers = await asyncio.gather(*(self._ask(errand, each, query) for each in members))
        return [row for answer in answers if answer is not None for row in answer.get(key, [])]

    async def _ask_one(
        self, errand: Errand, members: Iterable[Member], query: Mapping[str, str], path: str = ""
    ) -> dict[str, Any]:
        for member in members:
            if (answer := await self._ask(errand, member, query, path)) is not None:
                return answer
        raise DeskError(503, "no_worker", "nobody is here to answer: try again soon", 2.0)

    async def _ask(
        self, errand: Errand, member: Member, query: Mapping[str, str], path: str = ""
    ) -> dict[str, Any] | None:
        """Ask one worker; None if it does not answer.

        Raises:
            DeskError: It refuses: whoever asks may not, or asked wrongly.
        """
        target = path or f"{errand.request.path}?{urlencode(query)}"
        try:
            async with (
                asyncio.timeout(WITHIN),
                self._session.get(
                    URL(member.url + target, encoded=True),
                    headers=self._headers(errand, member, target),
                ) as answer,
            ):
                given = json.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        if answer.status in {401, 403, 400}:
            error = given.get("error", {})
            raise DeskError(answer.status, str(error.get("code")), str(error.get("message")))
        return given if answer.status == 200 and isinstance(given, dict) else None

    def _headers(self, errand: Errand, member: Member, target: str) -> dict[str, str]:
        headers = {k: v for k in _PASSED if (v := errand.request.headers.get(k))}
        asked = Asked(member.name, "GET", target, errand.address)
        return headers | self._seal.headers(asked, time.time())

    def _is_there(self, name: str) -> bool:
        return not self._placement.is_lost(name, time.monotonic())

    def _there(self) -> list[Member]:
        found = [each for each in self._placement.members if self._is_there(each.name)]
        if not found:
            raise DeskError(503, "no_worker", "nobody is here to answer: try again soon", 2.0)
        return found

    # Operators who follow.

    async def _follow(self, errand: Errand) -> web.StreamResponse:
        """Tell an operator which calls there are, whenever that changes on any worker."""
        request = errand.request
        # A worker says first whether they may: as JSON, which a websocket that is refused is not.
        await self._ask_one(errand, self._there(), {}, "/api/operator")
        socket = web.WebSocketResponse(
            max_msg_size=self._limits.message,
            heartbeat=HEARTBEAT,
            timeout=2.0,
            protocols=(PROTOCOL,),
        )
        if not socket.can_prepare(request).ok:
            raise DeskError(426, "no_websocket", "this is a websocket: connect with wss://")
        await socket.prepare(request)
        self._sockets.add(socket)
        following = _Following(socket, self, errand)
        try:
            await following.run()
        finally:
            self._sockets.discard(socket)
            await asyncio.shield(following.close())
        return socket

    async def connect(self, errand: Errand, member: Member) -> aiohttp.ClientWebSocketResponse:
        """Follow one worker's calls, for an operator.

        Raises:
            aiohttp.ClientError: It does not let us.
        """
        target = errand.request.raw_path
        headers = self._headers(errand, member, target)
        headers.pop("Sec-WebSocket-Protocol", None)
        offered = errand.request.headers.get("Sec-WebSocket-Protocol", "")
        protocols = [each.strip() for each in offered.split(",") if each.strip()] or [PROTOCOL]
        async with asyncio.timeout(WITHIN):
            return await self._session.ws_connect(
                URL(member.url + target, encoded=True),
                headers=headers,
                protocols=protocols,
                heartbeat=HEARTBEAT,
                max_msg_size=LARGEST,
            )

    @property
    def present(self) -> list[Member]:
        """The workers that are there; none is no error here."""
        return [each for each in self._placement.members if self._is_there(each.name)]


class _Following:
    """One operator's list of calls, put together from all workers'."""

    def __init__(self, socket: web.WebSocketResponse, overview: Overview, errand: Errand) -> None:
        self._socket, self._overview, self._errand = socket, overview, errand
        self._tasks = Tasks()
        self._following: dict[str, asyncio.Task[None]] = {}
        self._upstream: dict[str, aiohttp.ClientWebSocketResponse] = {}
        self._live: dict[str, list[dict[str, Any]]] = {}
        self._counts: dict[str, int] = {}
        self._wanted = ""
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Go on until the operator leaves."""
        self._tasks.spawn(self._gather(), "operator's workers")
        self._tasks.spawn(self._tell(), "operator's list")
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:  # what is searched for: each worker searches
                self._wanted = message.data
                for upstream in list(self._upstream.values()):
                    with contextlib.suppress(ConnectionError):
                        await upstream.send_str(message.data)

    async def close(self) -> None:
        """Follow no more; idempotent."""
        await self._tasks.close()

    async def _gather(self) -> None:
        """Follow whoever is there, also those that come later."""
        while True:
            for member in self._overview.present:
                if member.name not in self._following:
                    task = self._tasks.spawn(self._follow(member), f"operator at {member.name}")
                    self._following[member.name] = task
            await asyncio.sleep(LOOK)

    async def _follow(self, member: Member) -> None:
        name = member.name
        try:
            upstream = self._upstream[name] = await self._overview.connect(self._errand, member)
            try:
                if self._wanted:
                    await upstream.send_str(self._wanted)
                async for message in upstream:
                    if message.type is WSMsgType.TEXT:
                        self._took(name, message.data)
                if upstream.close_code == WSCloseCode.POLICY_VIOLATION:  # the token is over
                    await self._socket.close(
                        code=WSCloseCode.POLICY_VIOLATION, message=b"the token has expired"
                    )
            finally:
                await upstream.close()
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            pass  # it is asked again while it is there
        finally:
            self._upstream.pop(name, None)
            self._live.pop(name, None)
            self._counts.pop(name, None)
            self._following.pop(name, None)
            self._news.set()

    def _took(self, name: str, text: str) -> None:
        try:
            data = json.loads(text)["data"]
            if data.get("event") == "calls":
                self._live[name], self._counts[name] = list(data["live"]), int(data["count"])
                self._news.set()
        except (ValueError, KeyError, TypeError, AttributeError):
            return

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            about = {"event": "calls", "at": 0, "now": now, "count": sum(self._counts.values())}
            rows = newest(row for rows in self._live.values() for row in rows)
            try:
                async with asyncio.timeout(STALLED):
                    await self._socket.send_str(event({**about, "live": rows}))
            except (TimeoutError, ConnectionError):
                if self._errand.request.transport is not None:
                    self._errand.request.transport.abort()
                return
            await asyncio.sleep(PACE)


def newest(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return calls' lines, the newest first."""
    return sorted(rows, key=lambda row: str(row.get("began", "")), reverse=True)
