"""What servers and telephones have in common: metrics and traces of their calls."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Mapping
from importlib.metadata import version
from pathlib import Path

from vivavoce.agent.prices import Price
from vivavoce.agent.settings import Settings
from vivavoce.phone import Phone, PhoneError
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.meter import Meter
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.observing.traces import Tracer
from vivavoce.web.store import Store


def make_observer(settings: Settings, prices: Mapping[str, Price] | None = None) -> Observer:
    """Make what follows a process's calls, for metrics and traces.

    Args:
        settings: Where traces go.
        prices: By model; None: the price list.

    Raises:
        TracesError: Traces are wanted, and their packages are missing.
    """
    ours = version("vivavoce")
    traces, tracer = settings.traces, None
    if traces.url is not None:
        tracer = Tracer(traces.url, share=traces.share, version=ours)
    return Observer(Meter(ours), tracer, texts=traces.texts, prices=prices)


@contextlib.asynccontextmanager
async def open_metrics(
    listen: str,
    phone: Phone,
    models: Models,
    observer: Observer,
    gate: Gate,
    records: Store | None,
    folder: Path | None,
) -> AsyncGenerator[None]:
    """Let a telephone's metrics be read within the block.

    Args:
        listen: Where (`ADDRESS:PORT`); "" for nowhere.
        phone: The telephone.
        models: What its calls are served by.
        observer: Follows them.
        gate: Measures whether one more fits.
        records: Where they are kept.
        folder: Where they are recorded.

    Raises:
        ExposureError: Others than this machine could read them, and there is no secret.
        PhoneError: The port cannot be had.
    """
    if not listen:
        yield
        return
    from vivavoce.web.metrics_site import MetricsSite, look_after_phone
    from vivavoce.web.tokens import Signer

    secret = os.environ.get("VIVAVOCE_WEB_SECRET", "")
    metrics = look_after_phone(
        phone,
        models,
        observer,
        gate=gate,
        records=records,
        places=[folder] if folder is not None else [],
        signer=Signer(secret) if secret else None,
    )
    site = MetricsSite(metrics, listen)
    try:
        await site.open()
    except OSError as error:
        raise PhoneError(f"cannot listen on {listen}: {error.strerror or error}") from error
    try:
        yield
    finally:
        await site.close()
