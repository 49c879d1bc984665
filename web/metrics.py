"""Metrics over HTTP: what Prometheus reads, and the health that orchestrators ask for.

`/metrics` is for who may see what an operator sees: on loopback this machine, elsewhere whoever
has the scrape key. `/healthz` and `/readyz` are for anybody who reaches the server, by any name
(orchestrators ask addresses): they tell whether, and only the others why.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.meter import BREAKER
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.observing.probe import Probe
from vivavoce.web.desk import Desk
from vivavoce.web.health import Health, HealthLimits, told
from vivavoce.web.live import DeskError
from vivavoce.web.store import Store
from vivavoce.web.tokens import Signer

OPEN = frozenset({"/healthz", "/readyz"})
"""Paths that are answered whatever the server is called by."""


class Connections(Protocol):
    """A server, as far as it is counted here."""

    @property
    def connections(self) -> int:
        """How many connections are open."""

    @property
    def refused(self) -> int:
        """How many were too many."""


class Metrics:
    """Answers who looks after the server.

    Args:
        observer: Follows the calls.
        health: Looks after the process.
        signer: Knows the scrape key; None: everybody who reaches the server may read.
    """

    def __init__(self, observer: Observer, health: Health, signer: Signer | None = None) -> None:
        self.observer, self.health, self._signer = observer, health, signer

    @property
    def guarded(self) -> bool:
        """Whether the metrics need a key."""
        return self._signer is not None

    def routes(self) -> list[web.RouteDef]:
        """Return what is where."""
        return [
            web.get("/metrics", self._metrics),
            web.get("/healthz", self._alive),
            web.get("/readyz", self._ready),
        ]

    def show_connections(self, server: Connections) -> None:
        """Show how many connections a server has."""
        meter = self.observer.meter
        meter.show("connections", "Open connections.", _one(lambda: server.connections))
        meter.show(
            "connections_refused_total",
            "Connections that were too many.",
            _one(lambda: server.refused),
        )

    def may_read(self, request: web.Request) -> bool:
        """Whether a request is let in: a page's never is, another one's with the key."""
        if request.headers.get("Origin") is not None:
            return False
        if self._signer is None:
            return True
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._signer.may_scrape(key.strip())

    async def _metrics(self, request: web.Request) -> web.Response:
        if not self.may_read(request):
            text = "the metrics need the scrape key: `vivavoce token --metrics` prints it"
            raise DeskError(401, "no_key", text)
        self.observer.collect()
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        # Some 10 ms of text: no call waits for it.
        body = await asyncio.to_thread(encode, self.observer.meter.registry)
        return web.Response(body=body, headers={"Content-Type": kind})

    async def _alive(self, _request: web.Request) -> web.Response:
        status, answer = self.health.alive()
        return web.json_response(answer, status=status)

    async def _ready(self, request: web.Request) -> web.Response:
        near = _is_near(request.remote or "") and "X-Forwarded-For" not in request.headers
        detailed = self.may_read(request) and (self._signer is not None or near)
        status, answer = told(await self.health.ready(), detailed=detailed)
        return web.json_response(answer, status=status)


def look_after(
    desk: Desk, observer: Observer, limits: HealthLimits | None, signer: Signer | None
) -> Metrics:
    """Make what tells how a desk and its process are.

    Args:
        desk: Whose calls the observer follows. An observer looks after one desk.
        observer: The observer.
        limits: From when on the process is not well.
        signer: Knows the scrape key.
    """
    limits = limits or HealthLimits()
    records = desk.records
    base = getattr(records.database, "path", None) if records is not None else None
    places = {desk.recordings, base.parent if isinstance(base, Path) else None} - {None}
    health = Health(
        Probe(desk.models, within=limits.within),
        observer.meter.lag,
        limits,
        records=records,
        places=sorted(each for each in places if each is not None),
        draining=lambda: desk.turnstile.draining,
        busy=lambda: desk.turnstile.busy and not desk.turnstile.draining,
    )
    show_models(observer, desk.models)
    show_health(observer, health)
    if records is not None:
        show_records(observer, records)
    meter = observer.meter
    meter.show("calls_limit", "Calls at once at most.", _one(lambda: desk.limits.calls))
    meter.show(
        "draining", "Whether no more calls are taken.", _one(lambda: desk.turnstile.draining)
    )
    if desk.turnstile.gate is not None:
        show_load(observer, desk.turnstile.gate)
    return Metrics(observer, health, signer)


def show_load(observer: Observer, gate: Gate) -> None:
    """Show how loaded the process is."""

    def shares() -> dict[tuple[str, ...], float]:
        figures = gate.strain.figures
        return {("loop",): figures.loop, ("process",): figures.process}

    observer.meter.show(
        "load_ratio",
        "Share of a core that the event loop used lately, and of all cores that the process did.",
        shares,
        "what",
    )


def show_models(observer: Observer, models: Models) -> None:
    """Show how the models' breakers stand."""

    def breakers() -> dict[tuple[str, ...], float]:
        return {
            (stage, provider): BREAKER[state]
            for stage, states in models.breakers().items()
            for provider, state in states.items()
        }

    observer.meter.show(
        "provider_breaker",
        "A provider's circuit breaker: 0 closed, 1 half open, 2 open.",
        breakers,
        "stage",
        "provider",
    )


def show_records(observer: Observer, records: Store) -> None:
    """Show what becomes of records."""
    meter = observer.meter
    meter.show("records_written_total", "Writes of records.", _one(lambda: records.written))
    meter.show("records_lost_total", "Records that cannot be kept.", _one(lambda: records.lost))
    meter.show("records_waiting", "Calls whose records wait.", _one(lambda: records.waiting))


def show_health(observer: Observer, health: Health) -> None:
    """Show what readiness last found, and the disks."""
    meter = observer.meter
    meter.show(
        "ready",
        "Whether a check of readiness was well when it was last asked for (1) or not (0).",
        lambda: {(name,): float(check.ok) for name, check in health.last.items()},
        "check",
    )
    meter.show("disk_free_bytes", "Free space of what is written to.", health.free, "place")
    meter.show(
        "event_loop_lag_recent_seconds",
        "The longest lag of the last 10 s.",
        _one(lambda: meter.lag.worst),
    )


def _one(read: Callable[[], float]) -> Callable[[], dict[tuple[str, ...], float]]:
    return lambda: {(): float(read())}


def _is_near(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
