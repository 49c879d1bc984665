"""The front: where people come, of a cluster whose workers carry their calls.

It checks what a call server checks of strangers (host, origin, pace, bodies, connections, tokens),
chooses a worker for what begins, and sends what comes later to the worker whose name is in it. It
carries no call and holds no state that matters: fronts may be several, and may end and begin again.
Media by WebRTC goes between clients and workers; websockets go through (`tunnel`).
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Collection
from typing import Self

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from vivavoce.web.answers import Handler, answered, page
from vivavoce.web.assets import assets
from vivavoce.web.cluster.control import Control, open_session
from vivavoce.web.cluster.dispatch import Dispatch
from vivavoce.web.cluster.figures import Figures
from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.heartbeat import Heartbeat
from vivavoce.web.cluster.overview import Overview
from vivavoce.web.cluster.placement import Placement
from vivavoce.web.cluster.proof import Seal
from vivavoce.web.cluster.quota import Quota
from vivavoce.web.cluster.relay import Errand, Relay, read_body
from vivavoce.web.cluster.routing import read_object, route, token_of
from vivavoce.web.cluster.spending import Own, Spending
from vivavoce.web.exposure import Door, Exposure
from vivavoce.web.health import Check, told
from vivavoce.web.limits import Limits
from vivavoce.web.live import DeskError
from vivavoce.web.site import Site, url_of

TRIES = 4
"""Workers that are asked for one call, at most."""
_OPEN = frozenset({"/healthz", "/readyz"})


class Front:
    """Spreads callers over workers. Use it as an async context manager.

    Args:
        exposure: How it is reached; the workers are made with the same.
        limits: How much it takes: what is said there of addresses, callers, requests, bodies and
            connections holds over all workers, and `calls` of each.
        key: The cluster's.
        name: Names it; made up if "".
        spending: Knows which call tokens were used; its own memory if None, which is right where
            it is the only front.
        version: Ours, for clients.

    Raises:
        vivavoce.web.exposure.ExposureError: It would let anybody in.
        ValueError: The key is too short.
    """

    def __init__(
        self,
        exposure: Exposure,
        limits: Limits,
        key: str,
        *,
        name: str = "",
        spending: Spending | None = None,
        version: str = "",
    ) -> None:
        self.exposure, self.limits, self.version = exposure, limits, version
        self.door = Door(exposure)
        self.draining = False
        self._seal = Seal(key)
        self._spending = Own() if spending is None else spending
        self.placement = Placement(name or secrets.token_hex(4))
        self._quota = Quota(limits)
        self._began = time.monotonic()
        self._site = Site()
        self._closing = contextlib.AsyncExitStack()
        self.figures = Figures(self.placement.states, lambda: self.sockets)
        self._relay: Relay | None = None
        self._heartbeat: Heartbeat | None = None
        self._overview: Overview | None = None
        self._dispatch: Dispatch | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen, and begin to ask workers how they stand.

        Raises:
            OSError: The address or port cannot be had.
        """
        session = open_session()
        self._closing.push_async_callback(session.close)
        control = Control(self._seal)
        self._closing.push_async_callback(control.close)
        relay = self._relay = Relay(session, self._seal, self.placement, self.figures.passed)
        self._heartbeat = Heartbeat(
            self.placement, control, gone=relay.let_go, took=self.figures.hop
        )
        self._closing.push_async_callback(self._heartbeat.close)
        self._dispatch = Dispatch(
            self.door, limits=self.limits, placement=self.placement, quota=self._quota,
            spending=self._spending, relay=relay, figures=self.figures,
        )  # fmt: skip
        self._overview = Overview(session, self._seal, self.placement, self.limits)
        self._closing.push_async_callback(self._overview.close)
        app = web.Application(
            client_max_size=self.limits.body, middlewares=[self._site.watch, self._errors]
        )
        app.router.add_route("*", "/{path:.*}", self._take)
        exposure = self.exposure
        try:
            await self._site.open(app, self.limits, exposure.host, exposure.port, exposure.tls)
        except BaseException:
            await self.close()
            raise
        self._heartbeat.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._site.port or self.exposure.port

    @property
    def url(self) -> str:
        """Where it is, for this machine."""
        return url_of(self.exposure.host, self.port, tls=self.exposure.tls is not None)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._site.connections

    @property
    def sockets(self) -> int:
        """How many websockets go through it."""
        return 0 if self._relay is None else self._relay.tunnels

    def meet(self, members: Collection[Member]) -> None:
        """Take which workers there are; those that are no longer get nothing more."""
        for name in self.placement.meet(members, time.monotonic()):
            if self._relay is not None:
                self._relay.let_go(name)
        if self._heartbeat is not None:
            self._heartbeat.wake()

    async def close(self) -> None:
        """End what goes through, and stop; idempotent. The workers go on."""
        self.draining = True
        self._site.shut()
        if self._relay is not None:
            self._relay.let_go()
        if self._overview is not None:
            await self._overview.close()
        await self._site.close()
        await self._closing.aclose()

    # Who is let in.

    @web.middleware
    async def _errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await answered(request, handler, self._check)

    def _check(self, request: web.Request) -> str:
        if request.path not in _OPEN:
            self.door.check_host(request.host)
        origin = ""
        if not request.path.startswith("/carriers/"):
            origin = self.door.check_origin(request.headers.get("Origin"), request.host)
        # A page is many files, which lie in memory: two reloads are no flood.
        if request.path[1:] not in assets():
            wait = self._quota.request(self._address(request), time.monotonic())
            if wait:
                raise DeskError(429, "too_many_requests", "too many requests: slow down", wait)
        return origin

    def _address(self, request: web.Request) -> str:
        return self.door.address(request.remote or "", request.headers)

    # What is asked.

    async def _take(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        match path:
            case "/healthz":
                up = round(time.monotonic() - self._began, 1)
                return web.json_response({"status": "ok", "uptime_s": up})
            case "/readyz":
                return self._ready(request)
            case "/metrics":
                return self._metrics(request)
            case "/cluster/targets":
                return self._targets(request)
        if not request.raw_path.startswith("/"):  # this is no proxy for anything else
            raise DeskError(400, "bad_request", "ask for a path, as /api/health")
        if path.startswith("/cluster/"):
            raise DeskError(404, "not_found", f"there is nothing at {path[:80]}")
        if request.method in {"GET", "HEAD"} and (found := self._page(request)) is not None:
            return found
        raw = await read_body(request, self.limits.body_time)
        token = token_of(request.headers, request.query)
        body = None if raw is None else read_object(raw)
        where = route(request.method, path, request.query, token, body)
        self.figures.request(where.what)
        errand = Errand(request, self._address(request), raw, where.what == "begin")
        assert self._dispatch is not None
        assert self._overview is not None
        match where.what:
            case "begin" | "join":
                return await self._dispatch.begin(errand, where, token, draining=self.draining)
            case "resume":
                return await self._dispatch.resume(errand, where)
            case "own":
                return await self._overview.answer(errand, self.version, draining=self.draining)
            case _:
                adopter = self.placement.adopter(where.call) if where.call else ""
                return await self._dispatch.any(errand, first=adopter or where.worker)

    def _page(self, request: web.Request) -> web.Response | None:
        name = request.path[1:]
        if not name:
            name = next((state.home for state in self.placement.states()), "")
        return page(request, name, self.exposure.origins)

    # For who looks after it.

    def _may_read(self, request: web.Request) -> bool:
        if request.headers.get("Origin") is not None:
            return False
        signer = self.door.signer
        return signer is None or signer.may_scrape(token_of(request.headers, {}))

    def _metrics(self, request: web.Request) -> web.Response:
        self._scraped(request)
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.figures.registry), headers={"Content-Type": kind})

    def _targets(self, request: web.Request) -> web.Response:
        """Tell Prometheus where the workers' metrics are (HTTP service discovery)."""
        self._scraped(request)
        return web.json_response(
            [
                {
                    "targets": [member.url.partition("://")[2]],
                    "labels": {"worker": member.name, "node": member.node},
                }
                for member in self.placement.members
            ]
        )

    def _scraped(self, request: web.Request) -> None:
        if not self._may_read(request):
            text = "the metrics need the scrape key: `vivavoce token --metrics` prints it"
            raise DeskError(401, "no_key", text)

    def _ready(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        states = [each for each in self.placement.states() if not self._is_lost(each.name, now)]
        taking = [each for each in states if not each.draining]
        room = sum(each.room for each in taking)
        figures = {"workers": float(len(states)), "room": float(room)}
        checks = {
            "draining": Check(not self.draining, "it takes no more calls" * self.draining),
            "workers": Check(bool(taking), "" if taking else "no worker is there", figures),
            "busy": Check(room > 0 or not taking, "" if room else "no further call fits"),
        }
        detailed = self._may_read(request) and self.door.signer is not None
        status, answer = told(checks, detailed=detailed or not self.exposure.public)
        return web.json_response(answer, status=status)

    def _is_lost(self, name: str, now: float) -> bool:
        return self.placement.is_lost(name, now)
