"""`vivavoce serve --workers N`: a front, and workers that carry calls, each in its own process.

A worker is told what it is by one line on its standard input, and ends when that is closed: by the
front that ends it, or because the front was killed. It heeds neither Ctrl-C nor SIGTERM, which a
terminal and a service manager send to all processes alike: the front decides when calls end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.markup import escape

from vivavoce.agent.settings import Settings, load
from vivavoce.cli.load import load_host
from vivavoce.cli.models import open_sandbox
from vivavoce.cli.phone_setup import PhoneSetup, read_phone
from vivavoce.cli.processes import Processes
from vivavoce.cli.serve import (
    Answering,
    ServeError,
    Serving,
    Setup,
    carrying,
    read_setup,
    taken,
    tell_drain,
)
from vivavoce.cli.stopping import hurried, signals
from vivavoce.phone.exposure import PhoneError, listener, place
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.control import Control
from vivavoce.web.cluster.fleet import Fleet, LaunchError, Member
from vivavoce.web.cluster.front import Front
from vivavoce.web.cluster.inside import Inside, Stop
from vivavoce.web.cluster.proof import KEY, Seal
from vivavoce.web.cluster.scaling import Scale

log = logging.getLogger("vivavoce")

_FOREVER = 10.0 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker is.

    Attributes:
        agents: Who answers, as `vivavoce serve` takes them.
        key: The cluster's.
        name: The worker's; given by the fleet.
        slot: Likewise (`vivavoce.web.cluster.fleet.Member`).
        host: The address to listen on: loopback, or the machine's in the cluster's network.
        node: The machine's name; "" for the front's own.
        setup: The server's file.
        flags: What the command line said of its `[web]`.
        records: Where records are kept, likewise.
        phone: The telephone's file.
        out: Where recordings and records are left.
        settings: Settings, as the command line said.
        environment: Variables that are set before anything is read: for workers on machines that
            have not got them.
        as_json: Print events as JSON.
        quiet: Show nothing of calls, which is personal.
    """

    agents: tuple[str, ...]
    key: str = field(repr=False)
    name: str = ""
    slot: int = 0
    host: str = "127.0.0.1"
    node: str = ""
    setup: str | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    records: str = ""
    phone: str | None = None
    out: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    as_json: bool = False
    quiet: bool = False

    def to_json(self) -> str:
        """Return it as a line of JSON; it holds secrets."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read it.

        Raises:
            ValueError: It is none.
        """
        given = json.loads(text)
        given["agents"] = tuple(given["agents"])
        return cls(**given)

    def read_settings(self) -> Settings:
        """Read the settings, with what the environment is to say besides.

        Raises:
            SettingsError: One is wrong.
        """
        os.environ.update(self.environment)
        return load(dict(self.settings))


async def run_worker(spec: WorkerSpec, ready: Callable[[Member], None], stop: Stop) -> None:
    """Carry calls until told to stop; then hang up what is left and write its records.

    It handles no signals, sets up no log and reads no standard input, so that it runs anywhere.
    Cancelled, it ends in the same way.

    Args:
        spec: What the worker is.
        ready: Told once it takes requests.
        stop: Set when it is to end.

    Raises:
        LoadError: There is no such agent.
        ServeError: The set-up is wrong, or the address cannot be had.
        PhoneError: The telephone is set up wrongly.
        RecordsError: Records cannot be kept.
        SettingsError: A setting is wrong.
    """
    settings = spec.read_settings()
    path = None if spec.setup is None else Path(spec.setup)
    flags = {key: tuple(v) if isinstance(v, list) else v for key, v in spec.flags.items()}
    setup = read_setup(path, flags, records=spec.records, inside=True)
    exchange = None if spec.phone is None else shifted(read_phone(Path(spec.phone), {}), spec.slot)
    agents = [load_host(where) for where in spec.agents]
    out = None if spec.out is None else Path(spec.out)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    quiet = spec.quiet or settings.log_format == "json"
    console = Console(quiet=quiet, width=100, highlight=False)
    inside = Inside(spec.name, spec.key, host=spec.host)
    tasks = Tasks()
    try:
        async with carrying(
            Answering(agents, exchange, out, spec.as_json),
            Serving(setup, settings, console),
            inside=inside,
        ) as carried:
            phone = carried.phone
            inside.home = lambda: carried.server.home
            if phone is not None:
                inside.draining = lambda: _unused(tasks.spawn(phone.drain(_FOREVER), "drain"))
            ready(Member(spec.name, carried.server.url, spec.node, spec.slot))
            await stop.wait()
            carried.desk.alone = stop.last
    finally:
        await tasks.close()


def _unused(_: object) -> None:
    """Nothing."""


def shifted(exchange: PhoneSetup, slot: int) -> PhoneSetup:
    """Return a worker's telephone: it listens on the ports of the file, each plus its slot.

    Raises:
        PhoneError: It is a telephone that cannot be several.
    """
    if exchange.entrances:
        text = "[audiosocket] and [chan_websocket] lead to one process: serve without --workers"
        raise PhoneError(text)
    if any(trunk.register for trunk in exchange.trunks):
        text = (
            "a trunk that is registered with would ring all workers at once: register a proxy"
            " (Kamailio) in front of them, or serve without --workers"
        )
        raise PhoneError(text)
    exposure = exchange.exposure
    if exposure is None:
        return exchange
    moved = []
    for text in exposure.listen:
        address = listener(text)
        port = address.port + slot if address.port else 0
        moved.append(place(replace(address, port=port)))
    return replace(exchange, exposure=replace(exposure, listen=tuple(moved)))


def read_workers(text: str) -> Scale:
    """Read `--workers`: `N`, or `LEAST-MOST` where their number follows their use.

    Raises:
        ServeError: It is neither.
    """
    least, _, most = text.partition("-")
    try:
        return Scale(int(least), int(most or least))
    except ValueError:
        text = f"--workers {text}: give a number, as 4, or a range that follows use, as 2-8"
        raise ServeError(text) from None


async def run_workers(spec: WorkerSpec, serving: Serving, scale: Scale) -> int:
    """Take calls by a front and workers, until Ctrl-C or SIGTERM; a second one does not wait.

    SIGHUP puts a new worker, with the newest agent, in the place of each, one after the other.

    Args:
        spec: What the workers are; the key is given here where there is none.
        serving: The front; a sandbox is started once for all workers.
        scale: How many workers.

    Returns:
        The exit code.

    Raises:
        ServeError: The port cannot be had.
        LaunchError: The workers do not start.
    """
    stop, again, renew = asyncio.Event(), asyncio.Event(), asyncio.Event()
    with signals(stop, again, renew):
        key = spec.key or os.environ.get(KEY, "") or secrets.token_hex(32)
        try:
            setup = serving.setup
            front = Front(setup.exposure, setup.limits, key, version=version("vivavoce"))
            control = Control(Seal(key))
        except ValueError as error:
            raise ServeError(str(error)) from None
        tasks = Tasks()
        try:
            async with (
                control,
                opened_front(front, setup),
                open_sandbox(serving.settings) as (url, sandbox_key),
            ):
                own = {"sandbox_url": url, "sandbox_key": sandbox_key} if url else {}
                spec = replace(spec, key=key, settings={**spec.settings, **own})
                fleet = Fleet(
                    Processes(spec), control, scale, changed=front.meet, drain=serving.drain
                )
                try:
                    if not await _opened(fleet, stop):
                        return 0
                    if serving.opened is not None:
                        serving.opened(front.url)
                    tasks.spawn(_renew(fleet, renew, serving.console), "renewal")
                    await stop.wait()
                    front.draining = True
                    tell_drain(serving, sum(each.calls for each in front.placement.states()))
                    await hurried(tasks.spawn(fleet.finish(serving.drain), "drain"), again)
                finally:
                    await fleet.close()
        finally:
            await tasks.close()
    return 0


async def _opened(fleet: Fleet, stop: asyncio.Event) -> bool:
    """Start the workers, unless all is to end before they have; return whether they are there."""
    opening = asyncio.ensure_future(fleet.open())
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({opening, asked}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            await opening
        return opening.done()
    finally:
        for task in (opening, asked):
            task.cancel()
        await asyncio.gather(opening, asked, return_exceptions=True)


@contextlib.asynccontextmanager
async def opened_front(front: Front, setup: Setup) -> AsyncGenerator[None]:
    """Have a front listen.

    Raises:
        ServeError: The port cannot be had.
    """
    try:
        await front.open()
    except OSError as error:
        raise taken(setup.exposure, error) from error
    try:
        yield
    finally:
        await front.close()


async def _renew(fleet: Fleet, asked: asyncio.Event, console: Console) -> None:
    while True:
        await asked.wait()
        asked.clear()
        try:
            await fleet.renew()
        except LaunchError as error:
            text = f"the workers are not renewed: {error}"
            console.print(f"[red]{escape(text)}[/]", highlight=False)
            log.error("%s", text)  # noqa: TRY400 (one line says it)
        else:
            console.print("[dim]all workers are new; old calls go on[/]", highlight=False)
