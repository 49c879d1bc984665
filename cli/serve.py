"""`vivavoce serve`: agents that take calls from browsers and over sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from vivavoce.agent.prices import PRICES, Price, read_prices
from vivavoce.agent.settings import Settings
from vivavoce.cli.exchange import telephone
from vivavoce.cli.models import open_models
from vivavoce.cli.observing import make_observer
from vivavoce.cli.phone_setup import PhoneSetup
from vivavoce.cli.reload import Reloaded, Reloader
from vivavoce.cli.run import write_record
from vivavoce.cli.setup_file import check_known, read_toml
from vivavoce.cli.show import CallShow
from vivavoce.cli.stopping import hurried, signals
from vivavoce.phone import Phone
from vivavoce.pipelines import warm
from vivavoce.pipelines.hosting import Host
from vivavoce.pipelines.load import Bounds, Gate
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.inside import Inside
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Exposure, ExposureError
from vivavoce.web.health import HealthLimits
from vivavoce.web.limits import Limits
from vivavoce.web.live import LiveCall
from vivavoce.web.records import RecordsError
from vivavoce.web.server import CallServer
from vivavoce.web.store_settings import StoreSettings
from vivavoce.web.turn import IceServers

SECRET = "VIVAVOCE_WEB_SECRET"  # noqa: S105 (where the secret is, not the secret)
"""The environment's variable with the secret that call tokens are signed with."""
DRAIN = 30.0
"""Seconds that calls may go on after the first Ctrl-C or SIGTERM of `serve`."""
_TUPLES = ("names", "origins", "proxies")


class ServeError(ValueError):
    """The server is set up wrongly; the message says where and what."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a call server is made from.

    Attributes:
        exposure: How it is reached.
        limits: How much it takes.
        servers: STUN and TURN servers.
        records: What is kept of calls.
        health: From when on it is not well.
        prices: What models cost, where not by the price list; None: by that.
    """

    exposure: Exposure = field(default_factory=Exposure)
    limits: Limits = field(default_factory=Limits)
    servers: IceServers = field(default_factory=IceServers)
    records: StoreSettings = field(default_factory=StoreSettings)
    health: HealthLimits = field(default_factory=HealthLimits)
    prices: Mapping[str, Price] | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """How calls are served, by one process or by many.

    Attributes:
        setup: The server.
        settings: Where the models are.
        console: Where is told what happens.
        drain: Seconds that calls may go on once a process, or all of it, is to end.
        opened: Told the server's URL once calls are taken.
    """

    setup: Setup
    settings: Settings
    console: Console
    drain: float = DRAIN
    opened: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers in one process, and what is left of their calls.

    Attributes:
        agents: Those who answer.
        exchange: A telephone at which they answer, too; None: there is none.
        folder: Where recordings and records go; None: nowhere.
        as_json: Print events as JSON.
    """

    agents: Sequence[Host]
    exchange: PhoneSetup | None = None
    folder: Path | None = None
    as_json: bool = False


def read_setup(
    path: Path | None, flags: dict[str, Any], *, records: str = "", inside: bool = False
) -> Setup:
    """Read a server's TOML file; flags win over it.

    Args:
        path: The file (docs/web.md shows one); None for none.
        flags: What the command line said, by the key in `[web]`; None and () are left out.
        records: Where records are kept, as the command line said; "" for what the file says.
        inside: For a worker of a cluster, whose front does TLS.

    Raises:
        ServeError: Something in it is wrong.
        RecordsError: Something in its `[records]` is.
        ExposureError: The server would let anybody in.
    """
    given = read_toml(path, ServeError)
    check_known(
        given, {"web", "limits", "ice", "records", "health", "prices"}, "the file", ServeError
    )
    where = {"where": records} if records else {}
    kept = StoreSettings.read({**given.get("records", {}), **where})
    web = {**given.get("web", {}), **{k: v for k, v in flags.items() if v not in (None, ())}}
    places = {"host", "port", *_TUPLES}
    check_known(web, {*places, "certificate", "key", "secret_env"}, "[web]", ServeError)
    limits, ice = dict(given.get("limits", {})), dict(given.get("ice", {}))
    check_known(limits, {each.name for each in fields(Limits)}, "[limits]", ServeError)
    check_known(ice, {"urls", "secret_env", "lifetime"}, "[ice]", ServeError)
    health = dict(given.get("health", {}))
    check_known(health, {each.name for each in fields(HealthLimits)}, "[health]", ServeError)
    options = {key: web[key] for key in places if key in web}
    options |= {key: tuple(options[key]) for key in _TUPLES if key in options}
    options["secret"] = _secret(str(web["secret_env"])) if "secret_env" in web else os.environ.get(
        SECRET, ""
    )  # fmt: skip
    if "certificate" in web and not inside:
        options["tls"] = _tls(str(web["certificate"]), web.get("key"))
    if "secret_env" in ice:
        ice["secret"] = _secret(str(ice.pop("secret_env")))
    if "urls" in ice:
        ice["urls"] = tuple(ice["urls"])
    try:
        own = read_prices(given["prices"], "[prices]") if "prices" in given else None
        return Setup(
            Exposure(**options),
            Limits(**limits),
            IceServers(**ice),
            kept,
            HealthLimits(**health),
            None if own is None else {**PRICES, **own},
        )
    except ExposureError:
        raise
    except (TypeError, ValueError) as error:
        raise ServeError(str(error)) from None


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ServeError(f"the environment has no {name}")
    return value


def _tls(certificate: str, key: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, None if key is None else str(key))
    except (OSError, ssl.SSLError) as error:
        raise ServeError(f"cannot use the certificate in {certificate}: {error}") from None
    return context


class Board:
    """Shows and records a server's calls.

    Args:
        console: Where they are shown.
        folder: Where records go; None: nowhere.
        as_json: An event a line, the record last, instead of text.
    """

    def __init__(self, console: Console, folder: Path | None, *, as_json: bool) -> None:
        self._console, self._folder, self._as_json = console, folder, as_json
        self._tasks = Tasks()
        self._number = 0

    def began(self, live: LiveCall) -> None:
        """Follow a call."""
        self._number += 1
        self._tasks.spawn(self._follow(live, self._number), "show")

    def ended(self, live: LiveCall) -> None:
        """Leave a call's record."""
        if self._folder is not None and live.record is not None:
            write_record(self._folder / f"{live.id}.json", live.record)
        if self._as_json and live.record is not None:
            row = {"event": "record", **live.record}
            print(json.dumps(row, ensure_ascii=False, default=str), flush=True)

    async def close(self) -> None:
        """Stop following; idempotent."""
        await self._tasks.close()

    async def _follow(self, live: LiveCall, number: int) -> None:
        if live.conversation is None:
            return
        call = live.conversation.call
        if self._as_json:
            async for event in call:
                row = {"call": call.id, **event.to_dict()}
                print(json.dumps(row, ensure_ascii=False, default=str), flush=True)
            return
        who = f"#{number} {live.wish.caller or live.wish.address}"
        self._console.print(f"[bold]← {escape(who)}[/]", highlight=False)
        show = CallShow(self._console, f"#{number}")
        async for event in call:
            show.event(event)
        self._console.print(f"[dim]#{number}: {escape(call.reason)}[/]", highlight=False)


async def run_server(
    answering: Answering, serving: Serving, *, reloader: Reloader | None = None
) -> int:
    """Take calls until Ctrl-C or SIGTERM; a second one ends the calls that go on.

    Args:
        answering: Who answers.
        serving: The server; calls are shown on its console.
        reloader: Loads the agent again when its files change; callers may choose its voice then.

    Returns:
        The exit code.

    Raises:
        ServeError: The port cannot be had.
        RecordsError: Records cannot be kept as the set-up says.
        PhoneError: The telephone is set up wrongly.
        TracesError: Traces are wanted, and their packages are missing.
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    stop, again = asyncio.Event(), asyncio.Event()
    tasks = Tasks()
    with signals(stop, again):
        try:
            async with carrying(answering, serving, choose_voice=reloader is not None) as carried:
                desk = carried.desk
                if reloader is not None:
                    tasks.spawn(_reload(reloader, desk, serving.console), "reload")
                if serving.opened is not None:
                    serving.opened(carried.server.url)
                await stop.wait()
                if not answering.as_json:
                    tell_drain(serving, len(desk.calls))
                ending = _end(desk, carried.phone, serving.drain)
                await hurried(tasks.spawn(ending, "drain"), again)
            return 0
        finally:
            await tasks.close()


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """What carries calls in a process.

    Attributes:
        server: Takes them over HTTP.
        desk: Carries them.
        phone: Takes them by telephone; None: there is none.
    """

    server: CallServer
    desk: Desk
    phone: Phone | None


@contextlib.asynccontextmanager
async def carrying(
    answering: Answering,
    serving: Serving,
    *,
    choose_voice: bool = False,
    inside: Inside | None = None,
) -> AsyncGenerator[Carried]:
    """Carry calls within the block; they end with it.

    Args:
        answering: Who answers.
        serving: The server; its `drain` and `opened` are for whoever ends the block.
        choose_voice: Whether callers may choose the agent's voice.
        inside: It is a worker of a cluster.

    Raises:
        ServeError: The port cannot be had.
        RecordsError: Records cannot be kept as the set-up says.
        PhoneError: The telephone is set up wrongly.
        TracesError: Traces are wanted, and their packages are missing.
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    setup, settings, folder = serving.setup, serving.settings, answering.folder
    board = Board(serving.console, folder, as_json=answering.as_json)
    records = setup.records.make()
    if records is not None and folder is not None:
        raise RecordsError("--out and [records] are two places: give one of both")
    gate = Gate(Bounds(**settings.load.model_dump()))
    observer = make_observer(settings, setup.prices)
    try:
        async with records or contextlib.nullcontext(), open_models(settings) as models:
            observer.open()
            desk = Desk(
                answering.agents,
                models,
                limits=setup.limits,
                gate=gate,
                observer=observer,
                servers=setup.servers,
                recordings=folder,
                records=records,
                choose_voice=choose_voice,
                version=version("vivavoce"),
                began=board.began,
                ended=board.ended,
                name="" if inside is None else inside.name,
            )
            server = CallServer(desk, setup.exposure, health=setup.health, inside=inside)
            try:
                await server.open()
            except OSError as error:
                raise taken(setup.exposure, error) from error
            try:
                async with telephone(
                    desk,
                    answering.agents,
                    answering.exchange,
                    serving.console,
                    folder=folder,
                    as_json=answering.as_json,
                ) as phone:
                    warm.settle()
                    gate.start()
                    yield Carried(server, desk, phone)
            finally:
                await server.close()
    finally:
        gate.close()
        await board.close()
        await observer.close()


def tell_drain(serving: Serving, calls: int) -> None:
    """Tell of the calls that go on when all is to end."""
    if calls and serving.drain:
        told = f"{calls} calls go on for up to {serving.drain:g} s"
        serving.console.print(f"[dim]{told}[/]", highlight=False)


def taken(exposure: Exposure, error: OSError) -> ServeError:
    """Return what is told where an address cannot be listened on."""
    return ServeError(
        f"cannot listen on {exposure.host}:{exposure.port}: {error.strerror or error};"
        " another --port?"
    )


async def _end(desk: Desk, phone: Phone | None, wait: float) -> None:
    """Let the calls of both end; the desk's rooms are there for as long as somebody telephones."""
    until = time.monotonic() + wait
    desk.turnstile.draining = True
    if phone is not None:
        await phone.drain(wait)
    await desk.close(wait=max(0.0, until - time.monotonic()))


async def _reload(reloader: Reloader, desk: Desk, console: Console) -> None:
    async for change in reloader.changes():
        _changed(change, reloader, desk, console)


def _changed(change: Reloaded, reloader: Reloader, desk: Desk, console: Console) -> None:
    if change.error:
        console.print(f"[red]{escape(change.error)}[/]", highlight=False)
        return
    desk.use(change.agent, reloader.successor)
    files = ", ".join(change.files)
    console.print(f"[dim]{escape(files)}: the next reply is the new agent's[/]", highlight=False)
