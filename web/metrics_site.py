"""Metrics of a telephone: a small server of its own, where there is no call server.

It answers `/metrics`, `/healthz` and `/readyz` as `vivavoce.web.metrics` says.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Self

from aiohttp import web

from vivavoce.phone.phone import Phone
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.observing.probe import Probe
from vivavoce.web.exposure import ExposureError
from vivavoce.web.health import Health
from vivavoce.web.live import DeskError
from vivavoce.web.metrics import Metrics, show_health, show_load, show_models, show_records
from vivavoce.web.store import Store
from vivavoce.web.tokens import Signer


def look_after_phone(
    phone: Phone,
    models: Models,
    observer: Observer,
    *,
    gate: Gate | None = None,
    records: Store | None = None,
    places: Sequence[Path] = (),
    signer: Signer | None = None,
) -> Metrics:
    """Make what tells how a telephone and its process are.

    Args:
        phone: Whose calls the observer follows.
        models: What they are served by.
        observer: The observer.
        gate: Measures whether one more call fits.
        records: Where calls are kept.
        places: Folders that are written to.
        signer: Knows the scrape key.
    """
    meter = observer.meter

    def busy() -> bool:
        return gate is not None and bool(gate.full())

    health = Health(Probe(models), meter.lag, records=records, places=places, busy=busy)
    show_models(observer, models)
    show_health(observer, health)
    if records is not None:
        show_records(observer, records)
    if gate is not None:
        show_load(observer, gate)
    show_phone(observer, phone)
    return Metrics(observer, health, signer)


def show_phone(observer: Observer, phone: Phone) -> None:
    """Show how a telephone stands: its trunks, and whom it refused."""
    station, meter = phone.station, observer.meter
    meter.show(
        "trunk_registered",
        "Whether a trunk that registers is registered.",
        lambda: {(name,): float(stands) for name, stands in station.registered.items()},
        "trunk",
    )
    seen: Counter[str] = Counter()

    def refused() -> None:
        for reason, count in station.refused.items():
            meter.refused("phone in", reason, count - seen[reason])
            seen[reason] = count

    observer.also(refused)


class MetricsSite:
    """A server of metrics and health alone, for processes that have no call server.

    Use it as an async context manager.

    Args:
        metrics: What is answered.
        listen: Where: `ADDRESS:PORT`; port 0 takes a free one.

    Raises:
        ExposureError: Others than this machine could read it, and no key is asked for.
    """

    def __init__(self, metrics: Metrics, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        self._host = host.strip("[]")
        try:
            near = ipaddress.ip_address(self._host).is_loopback
            self._port = int(port)
        except ValueError:
            raise ExposureError(f"{listen!r}: give ADDRESS:PORT, as in 127.0.0.1:9464") from None
        if not near and not metrics.guarded:
            raise ExposureError(
                f"metrics on {listen} can be read from elsewhere: set VIVAVOCE_WEB_SECRET, so that"
                " they need a key (`vivavoce token --metrics`), or listen on 127.0.0.1"
            )
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

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
        app = web.Application(client_max_size=1024, middlewares=[_refusals])
        app.add_routes(self._metrics.routes())
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._runner.addresses[0][1]) if self._runner is not None else self._port

    async def close(self) -> None:
        """Stop; idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


@web.middleware
async def _refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except DeskError as error:
        body = {"error": {"code": error.code, "message": str(error)}}
        return web.json_response(body, status=error.status)
