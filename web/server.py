"""The call server: signalling, tokens and records over HTTP, and the page."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from vivavoce.web.answers import Handler, answered, bearer, page
from vivavoce.web.assets import INTERPRET, assets
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Door, Exposure
from vivavoce.web.health import HealthLimits
from vivavoce.web.live import DeskError, LiveCall, PastCall, Wish
from vivavoce.web.metrics import OPEN, look_after
from vivavoce.web.records import RecordsError
from vivavoce.web.site import Site, url_of
from vivavoce.web.store_sending import send
from vivavoce.web.tokens import LIFETIME, Claims

if TYPE_CHECKING:
    from vivavoce.web.cluster.inside import Inside

MANY = 100_000
"""Connections of a worker, whose fronts count them."""
_OPEN = ("/api/health", "/carriers/")  # paths that need no call token by themselves


class CallServer:
    """Takes calls from browsers. Use it as an async context manager.

    Args:
        desk: Carries the calls; closed with the server.
        exposure: How the server is reached.
        routes: More of them, behind the same checks: `aiohttp.web.get("/path", handler)`.
        drain: Seconds that calls may go on when the server ends.
        health: From when on the server is not well, where the desk has an observer: then there
            are `/metrics`, `/healthz` and `/readyz`.
        inside: It is a worker of a cluster: it listens where that says, and takes requests of the
            cluster's fronts alone; `exposure` is then how the fronts are reached.

    Raises:
        vivavoce.web.exposure.ExposureError: It would let anybody in.
    """

    def __init__(
        self,
        desk: Desk,
        exposure: Exposure | None = None,
        *,
        routes: Sequence[web.AbstractRouteDef] = (),
        drain: float = 0.0,
        health: HealthLimits | None = None,
        inside: Inside | None = None,
    ) -> None:
        self.desk, self.inside = desk, inside
        self.exposure = exposure or Exposure()
        self.door = Door(self.exposure)
        self._drain = drain
        self.metrics = None
        if desk.observer is not None:
            signer = self.door.signer if inside is None else inside.scraper(self.door.signer)
            self.metrics = look_after(desk, desk.observer, health, signer)
            self.metrics.show_connections(self)
        self._began = time.monotonic()
        self._site = Site()
        self.app = self._make_app(routes)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: The address or port cannot be had.
        """
        limits, inside, exposure = self.desk.limits, self.inside, self.exposure
        if inside is None:
            await self._site.open(self.app, limits, exposure.host, exposure.port, exposure.tls)
        else:
            # The fronts count connections, and all of theirs are from one address.
            limits = replace(limits, connections=MANY, connections_per_address=MANY)
            await self._site.open(self.app, limits, inside.host, inside.port, None)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._site.port or self.exposure.port

    @property
    def url(self) -> str:
        """Where it is, for this machine."""
        if self.inside is not None:
            return url_of(self.inside.host, self.port, tls=False)
        return url_of(self.exposure.host, self.port, tls=self.exposure.tls is not None)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._site.connections

    @property
    def refused(self) -> int:
        """How many connections were too many."""
        return self._site.refused

    async def close(self) -> None:
        """Take no more calls, end those there are, and stop; idempotent."""
        self._site.shut()
        await self.desk.close(wait=self._drain)
        await self._site.close()

    # What is where.

    def _make_app(self, routes: Sequence[web.AbstractRouteDef]) -> web.Application:
        from vivavoce.web.carriers import carrier_routes
        from vivavoce.web.downloads import download_routes
        from vivavoce.web.operator import Operators
        from vivavoce.web.realtime_api import realtime_routes
        from vivavoce.web.rooms import room_routes
        from vivavoce.web.signalling import signalling_routes
        from vivavoce.web.socket import socket_routes

        app = web.Application(
            client_max_size=self.desk.limits.body, middlewares=[self._site.watch, self._errors]
        )
        operators = Operators(self)  # who look into the desk's records
        app.on_shutdown.append(operators.close)
        if self.metrics is not None:
            app.add_routes(self.metrics.routes())
        app.add_routes(
            [
                web.get("/api/health", self._health),
                web.get("/api/agents", self._agents),
                web.get("/api/ice", self._ice),
                web.post("/api/tokens", self._token),
                web.get("/api/calls/{id}", self._call),
                web.get("/api/calls/{id}/recording", self._recording),
                web.post("/api/calls/{id}/end", self._end),
                *signalling_routes(self),
                *room_routes(self),
                *socket_routes(self),
                *carrier_routes(self),
                *download_routes(self),
                *realtime_routes(self),
                *operators.routes(),
                *(() if self.inside is None else self.inside.routes(self.desk)),
                *routes,
                web.get("/{path:.*}", self._file),
            ]
        )
        return app

    @web.middleware
    async def _errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await answered(request, handler, self._check)

    def _check(self, request: web.Request) -> str:
        """Check where a request comes from; return its origin where that is another page's.

        Raises:
            DeskError: It is not let in.
        """
        unnamed = self.metrics is not None and request.path in OPEN
        if self.inside is not None and self.inside.enter(request, self.desk):
            return ""
        if not unnamed:
            self.door.check_host(request.host)
        origin = ""
        if not request.path.startswith("/carriers/"):
            origin = self.door.check_origin(request.headers.get("Origin"), request.host)
        # A page is many files, which lie in memory: two reloads are no flood.
        if self.inside is None and request.path[1:] not in assets():
            self._pace(request)
        return origin

    def _pace(self, request: web.Request) -> None:
        wait = self.desk.turnstile.admission.request(self.address(request), time.monotonic())
        if wait:
            raise DeskError(429, "too_many_requests", "too many requests: slow down", wait)

    # What requests have in common.

    def address(self, request: web.Request) -> str:
        """Return the client's address."""
        if self.inside is not None:
            return self.inside.address(request)
        return self.door.address(request.remote or "", request.headers)

    def claims(self, request: web.Request) -> Claims | None:
        """Read a request's call token; None where none is needed.

        Raises:
            DeskError: There is none, or a bad one.
        """
        return self.door.claims(bearer(request), request.headers.get("Origin"))

    def wish(self, request: web.Request, claims: Claims | None, **given: Any) -> Wish:
        """Return what a client asks for, within what its token allows.

        Raises:
            DeskError: It wants to speak where it may only listen, or hear what there is not.
        """
        agent = str(given.get("agent") or given.get("interpreter") or "")
        agent = agent or (claims.agent if claims else "")
        room = str(given.get("room") or given.get("lecture") or "")[:64]
        language = given.get("language") or given.get("hears")
        speaks = bool(given.get("speaks"))
        if room:
            language = given.get("speaks") or given.get("hears")
            if speaks and claims is not None and claims.listens:
                raise DeskError(403, "listens", "with this link one may listen, and not speak")
        return Wish(
            agent=agent[:64],
            language=str(language or "")[:16],
            room=room,
            name=str(given.get("name") or "")[:200],
            speaks=speaks or not room,
            hears="captions" if given.get("captions") in (True, "1", "true") else "translation",
            copies=given.get("copy") in (True, "1", "true"),
            voice=str(given.get("voice") or "")[:128],
            address=self.address(request),
            caller=claims.caller if claims else "",
            called=str(request.headers.get("Origin", ""))[:200],
        )

    async def body(self, request: web.Request, *, plain: bool = False) -> dict[str, Any]:
        """Read a request's JSON object.

        Args:
            request: The request.
            plain: Take it under any content type (`navigator.sendBeacon` sends text).

        Raises:
            DeskError: It is none, too long, or too slow.
        """
        limit = self.desk.limits.body
        if (request.content_length or 0) > limit:
            text = f"the body has more than {limit} bytes"
            raise DeskError(413, "too_long", text)
        if not plain and request.content_type != "application/json":
            raise DeskError(415, "no_json", "send JSON (Content-Type: application/json)")
        async with asyncio.timeout(self.desk.limits.body_time):
            raw = await request.read()
        try:
            given = json.loads(raw)
        except (ValueError, RecursionError):
            raise DeskError(400, "no_json", "the body is no JSON") from None
        if not isinstance(given, dict):
            raise DeskError(400, "no_json", "the body is a JSON object")
        return given

    # What is asked.

    async def _health(self, _request: web.Request) -> web.Response:
        desk = self.desk
        return web.json_response(
            {
                "status": "busy" if desk.turnstile.busy else "ok",
                "calls": len(desk.calls),
                "max_calls": desk.limits.calls,
                "models": dict(desk.models.names),
                "recording": desk.recordings is not None,
                "version": desk.version,
            }
        )

    async def _agents(self, request: web.Request) -> web.Response:
        claims = self.claims(request)
        interpreters = self.desk.interpreting.interpreters
        agents = [
            {
                "name": agent.name,
                "languages": list(agent.languages),
                "voices": {each: agent.voice_for(each) for each in agent.languages},
                "greets": agent.greets,
            }
            for agent in self.desk.agents.values()
            if agent.name not in interpreters and _names(claims, agent.name)
        ]
        return web.json_response(
            {
                "agents": agents,
                "interpreters": [
                    {
                        "name": each.name,
                        "source": each.source,
                        "targets": list(each.targets),
                        "both_ways": each.both_ways,
                        "policy": each.policy,
                        "latency": each.latency,
                        "original": each.original,
                        "copies": each.copies,
                    }
                    for each in interpreters.values()
                    if _names(claims, each.name)
                ],
                "default": agents[0]["name"] if agents else "",
                "recording": self.desk.recordings is not None,
                "records": self._kept(),
                "token": self.door.signer is not None,
            }
        )

    def _kept(self) -> dict[str, Any] | None:
        """Say what is kept of a call, for people who are about to begin one."""
        records = self.desk.records
        if records is None:
            return None
        return {"words": True, "sound": records.folder is not None, "days": records.days}

    async def _ice(self, request: web.Request) -> web.Response:
        try:
            # Who comes back to a call may have outlived the token that began it.
            who = self.desk.by_token(bearer(request)).wish.caller or "call"
        except DeskError as error:
            if error.status == 410:
                raise
            claims = self.claims(request)
            who = claims.caller if claims and claims.caller else "call"
        return web.json_response(self.desk.servers.for_client(time.time(), who))

    async def _token(self, request: web.Request) -> web.Response:
        """Make a call token, for an application's own server."""
        signer = self.door.signer
        if signer is None:
            raise DeskError(404, "no_tokens", "this server needs no call tokens")
        if not signer.is_service(bearer(request)):
            raise DeskError(401, "bad_key", "this is not the service key (`vivavoce token --key`)")
        given = await self.body(request)
        lifetime = given.get("lifetime", LIFETIME)
        try:
            token = signer.issue(
                time.time(),
                agent=str(given.get("agent", "")),
                origin=str(given.get("origin", "")),
                caller=str(given.get("caller", "")),
                lifetime=float(lifetime),
            )
        except (TypeError, ValueError) as error:
            raise DeskError(400, "bad_token", str(error)) from None
        return web.json_response({"token": token, "expires": int(time.time() + float(lifetime))})

    def _find(self, request: web.Request, token: str) -> LiveCall | PastCall:
        return self.desk.find(request.match_info["id"], token)

    async def _call(self, request: web.Request) -> web.Response:
        live = self._find(request, bearer(request))
        text = json.dumps(self.desk.report(live), ensure_ascii=False, default=str)
        return web.Response(text=text, content_type="application/json")

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        live = self._find(request, bearer(request))
        path, records = live.recording, self.desk.records
        if path is not None and path.is_file():
            return web.FileResponse(path, headers={"Content-Type": "audio/wav"})
        # Where calls are kept, it goes there when the call is over.
        try:
            found = None if records is None else await records.recording(live.id)
            if records is not None and found is not None:
                return await send(request, records, live.id, found)
        except RecordsError as error:
            raise DeskError(502, "no_records", str(error)) from None
        raise DeskError(404, "no_recording", "this call is not recorded")

    async def _end(self, request: web.Request) -> web.Response:
        given = await self.body(request, plain=True)
        live = self._find(request, str(given.get("token", "")))
        await live.hang_up()
        return web.json_response({"status": "success"})

    # The page.

    @property
    def home(self) -> str:
        """Which page stands at `/`: "" for the usual one."""
        interpreters = self.desk.interpreting.interpreters
        # Where there are interpreters alone, there is nobody to talk to.
        only = bool(interpreters) and set(self.desk.agents) <= set(interpreters)
        return INTERPRET if only else ""

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["path"]
        found = page(request, name or self.home, self.exposure.origins)
        if found is None:
            raise DeskError(404, "not_found", f"there is nothing at /{name[:80]}")
        return found


def _names(claims: Claims | None, name: str) -> bool:
    """Whether a token is good for whoever bears a name."""
    return claims is None or claims.agent in {"", name}
