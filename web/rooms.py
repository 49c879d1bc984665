"""`/api/rooms`: sessions of several people over HTTP, opened, joined by links and ended."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Any, cast, get_args
from urllib.parse import urlencode

from aiohttp import web

from vivavoce.agent.reason import SESSION_ENDED
from vivavoce.pipelines.interpret.room import Kind
from vivavoce.pipelines.interpret.rooms import Open, RoomsError
from vivavoce.web.interpreting import UnreachedError
from vivavoce.web.live import DeskError
from vivavoce.web.tokens import LONGEST_ROOM, Claims

if TYPE_CHECKING:
    from vivavoce.web.server import CallServer

PAGE = "interpret"
"""Where the page of interpreted sessions is."""
LONGEST_NUMBER = 64


class RoomsApi:
    """Opens rooms, tells of them, and ends them.

    Args:
        server: Whose they are.
    """

    def __init__(self, server: CallServer) -> None:
        self._server = server
        self._interpreting = server.desk.interpreting

    def routes(self) -> list[web.RouteDef]:
        """Return what is where."""
        return [
            web.post("/api/rooms", self._open),
            web.get("/api/rooms/{room}", self._tell),
            web.get("/api/rooms/{room}/record", self._record),
            web.post("/api/rooms/{room}/end", self._end),
            web.post("/api/rooms/{room}/dial", self._dial),
        ]

    async def _open(self, request: web.Request) -> web.Response:
        """Open a room, for whoever may call its interpreter, or for an application's server."""
        desk, door = self._server.desk, self._server.door
        token = _bearer(request)
        service = door.signer is not None and door.signer.is_service(token)
        claims = None if service else self._server.claims(request)
        given = await self._server.body(request)
        name = str(given.get("interpreter") or (claims.agent if claims else ""))[:64]
        known = self._interpreting.interpreters
        interpreter = known.get(name) if name else next(iter(known.values()), None)
        if interpreter is None:
            text = f"there is no interpreter {name!r}; known: {', '.join(known) or 'none'}"
            raise DeskError(404, "no_interpreter", text)
        kind = given.get("kind", "room")
        if kind not in get_args(Kind):
            raise DeskError(400, "bad_kind", 'a room\'s kind is "room" or "lecture"')
        if desk.turnstile.draining:
            raise DeskError(503, "closing", "this server is shutting down: ask another", 10.0)
        door.spend(claims, interpreter.name)
        try:
            opened = self._interpreting.rooms.open(
                interpreter,
                kind=cast("Kind", kind),
                title=str(given.get("title") or ""),
                number=str(given.get("number") or "")[:LONGEST_NUMBER],
                language=str(given.get("number_language") or interpreter.source),
            )
        except RoomsError as error:
            if claims is not None:
                door.used.give_back(claims)
            raise DeskError(409, "no_room", str(error)) from None
        return web.json_response(self._opened(opened))

    def _opened(self, opened: Open) -> dict[str, Any]:
        room, signer = opened.room, self._server.door.signer
        tokens = {}
        if signer is not None:
            lifetime = min(LONGEST_ROOM, room.interpreter.limits.call + 60.0)
            for role in ("speak", "listen"):
                tokens[role] = signer.issue_room(
                    time.time(),
                    room.id,
                    agent=room.interpreter.name,
                    listens=role == "listen",
                    lifetime=lifetime,
                )
        links = {}
        for role in ("speak", "listen"):
            # In the fragment, which no browser sends: tokens do not get into logs.
            where = {"room" if room.kind == "room" else "lecture": room.id}
            if role == "speak" and room.kind == "lecture":
                where["speak"] = "1"
            if role == "listen" and room.kind == "room":
                where["listen"] = "1"
            if tokens:
                where["token"] = tokens[role]
            links[role] = f"{PAGE}#{urlencode(where)}"
        return {
            "room": room.id,
            "kind": room.kind,
            "title": room.title,
            "interpreter": room.interpreter.name,
            "languages": list(room.interpreter.languages),
            "source": room.interpreter.source,
            "number": opened.number,
            "ends": room.ends_at.isoformat(timespec="seconds"),
            "key": opened.key,
            "tokens": tokens,
            "links": links,
        }

    async def _tell(self, request: web.Request) -> web.Response:
        """Tell those who have a link, or the key, what they join."""
        ident = request.match_info["room"]
        claims = None
        if not self._has_key(ident, request.query.get("key", "")):
            claims = self._server.claims(request)
            self._check(claims, ident)
        opened = self._interpreting.room(ident)
        room, desk = opened.room, self._server.desk
        interpreter = room.interpreter
        return web.json_response(
            {
                "id": room.id,
                "interpreter": interpreter.name,
                "languages": list(interpreter.languages),
                "source": interpreter.source,
                "targets": list(interpreter.targets),
                "policy": interpreter.policy,
                "original": interpreter.original,
                "copies": interpreter.copies,
                "recording": desk.recordings is not None,
                "role": "listen" if claims is not None and claims.listens else "speak",
                "open": not room.over,
                **room.state(),
            }
        )

    def _check(self, claims: Claims | None, ident: str) -> None:
        """Check that a token leads into a room.

        Raises:
            DeskError: It does not.
        """
        if claims is not None and claims.room not in {"", ident}:
            raise DeskError(403, "wrong_room", "the call token is for another room")

    async def _record(self, request: web.Request) -> web.Response:
        opened = self._owned(request, request.query.get("key", "") or _bearer(request))
        return web.json_response(opened.room.record())

    async def _end(self, request: web.Request) -> web.Response:
        given = await self._server.body(request, plain=True)
        opened = self._owned(request, str(given.get("key", "")))
        await opened.room.hang_up(SESSION_ENDED)
        return web.json_response({"status": "success"})

    async def _dial(self, request: web.Request) -> web.Response:
        """Have the room telephone somebody; answer once they are there."""
        given = await self._server.body(request)
        opened = self._owned(request, str(given.get("key", "")))
        telephone = self._interpreting.telephone
        number = str(given.get("number", ""))[:LONGEST_NUMBER]
        if telephone is None:
            text = "this server has no telephone: `vivavoce serve … --phone FILE`"
            raise DeskError(501, "no_telephone", text)
        if not number:
            raise DeskError(400, "no_number", "give the number to call")
        if opened.room.over:
            raise DeskError(410, "over", f"the session is over: {opened.room.over}")
        language = str(given.get("language") or opened.room.interpreter.source)
        try:
            person = await telephone.invite(
                opened.room, number, language=language, name=str(given.get("name") or "")
            )
        except UnreachedError as error:
            raise DeskError(502, "not_reached", str(error)) from None
        return web.json_response({"person": person.id, "name": person.name})

    # Inside.

    def _has_key(self, ident: str, key: str) -> bool:
        opened = self._interpreting.rooms.find(ident)
        return opened is not None and hmac.compare_digest(opened.key.encode(), key.encode())

    def _owned(self, request: web.Request, key: str) -> Open:
        """Return the room that a key is for.

        Raises:
            DeskError: There is none, or it is not its key.
        """
        ident = request.match_info["room"]
        opened = self._interpreting.rooms.find(ident)
        if opened is None or not self._has_key(ident, key):
            raise DeskError(404, "no_room", "there is no such room, or this is not its key")
        return opened


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def room_routes(server: CallServer) -> list[web.RouteDef]:
    """Return what is at `/api/rooms`."""
    return RoomsApi(server).routes()
