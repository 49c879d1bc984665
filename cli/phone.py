"""`vivavoce phone`: agents on the telephone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from vivavoce.agent.settings import Settings
from vivavoce.cli.logbook import Logbook
from vivavoce.cli.models import open_models
from vivavoce.cli.observing import make_observer, open_metrics
from vivavoce.cli.phone_setup import PhoneSetup
from vivavoce.phone import DialError, Phone
from vivavoce.phone.exposure import place
from vivavoce.pipelines import warm
from vivavoce.pipelines.hosting import Host
from vivavoce.pipelines.interpret.rooms import Rooms
from vivavoce.pipelines.load import Bounds, Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.observer import Observer

log = logging.getLogger("vivavoce")


def make_phone(
    agents: Sequence[Host],
    models: Models,
    setup: PhoneSetup,
    book: Logbook,
    gate: Gate | None = None,
    observer: Observer | None = None,
    rooms: Rooms | None = None,
) -> Phone:
    """Make the telephone of a set-up, whose calls stand in a logbook.

    Raises:
        PhoneError: It is set up wrongly.
    """
    return Phone(
        agents,
        models,
        trunks=setup.trunks,
        exposure=setup.exposure,
        policy=setup.policy,
        ring_time=setup.ring_time,
        recordings=book.recordings,
        disclosure=setup.disclosure,
        consent=setup.consent,
        record_joined=setup.record_joined,
        gate=gate,
        observer=observer,
        entrances=setup.entrances,
        began=book.began,
        ended=book.ended,
        rooms=rooms,
    )


def places(phone: Phone, setup: PhoneSetup) -> str:
    """Return where a telephone listens, for people."""
    found = [place(address) for address in phone.station.local]
    found += [f"{each.name}:{each.host}:{each.port}" for each in setup.entrances]
    return ", ".join(found)


async def run_phone(
    agents: Sequence[Host],
    settings: Settings,
    console: Console,
    setup: PhoneSetup,
    *,
    dial: str | None = None,
    folder: Path | None = None,
    as_json: bool = False,
    drain: float = 0.0,
) -> int:
    """Answer calls until Ctrl-C or SIGTERM, or make one; a second one ends the calls that go on.

    Args:
        agents: Who answers; the first one makes calls.
        settings: Where the models are.
        console: Where calls are shown.
        setup: The telephone.
        dial: A number to call instead of waiting; the end of that call is the end.
        folder: Where recordings and records go; None: nowhere.
        as_json: Print events as JSON.
        drain: Seconds that calls may go on after the first Ctrl-C.

    Returns:
        The exit code: 1 if the number dialled did not answer.

    Raises:
        PhoneError: The telephone is set up wrongly.
        RecordsError: Records cannot be kept as the set-up says.
        ExposureError: Others could read the metrics.
        TracesError: Traces are wanted, and their packages are missing.
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    stop, again = asyncio.Event(), asyncio.Event()

    def asked() -> None:
        (again if stop.is_set() else stop).set()

    on_signals(asked)
    records = setup.records.make()
    gate = Gate(Bounds(**settings.load.model_dump()))
    observer = make_observer(settings)
    async with records or contextlib.nullcontext(), open_models(settings) as models:
        book = Logbook(console, models.names, folder, as_json=as_json, records=records)
        phone = make_phone(agents, models, setup, book, gate, observer)
        observer.open()
        try:
            site = open_metrics(
                setup.metrics, phone, models, observer, gate, records, book.recordings
            )
            async with phone, site:
                warm.settle()
                gate.start()
                where = places(phone, setup)
                log.info("%s listens on %s", agents[0].name, where)
                if not as_json:
                    console.print(f"[bold]{agents[0].name}[/] listens on {where}")
                    if folder is None:
                        console.print(f"[dim]{escape(setup.records.told())}[/]", soft_wrap=True)
                if dial is None:
                    await stop.wait()
                    await _drained(phone, drain, again)
                    return 0
                return await _dial(phone, dial, setup, book, stop, console)
        finally:
            gate.close()
            await book.close()
            await observer.close()


async def _drained(phone: Phone, wait: float, hurry: asyncio.Event) -> None:
    """Let a telephone's calls end: no new ones, and those there are until there is a hurry.

    Cancelling it stops the wait.

    Args:
        phone: The telephone.
        wait: Seconds that calls may go on.
        hurry: Ends the wait.
    """
    waiting = [asyncio.create_task(phone.drain(wait)), asyncio.create_task(hurry.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def on_signals(told: Callable[[], object]) -> None:
    """Have a function told of Ctrl-C and of being ended, on this event loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, told)


async def _dial(
    phone: Phone,
    number: str,
    setup: PhoneSetup,
    book: Logbook,
    stop: asyncio.Event,
    console: Console,
) -> int:
    retries = setup.campaign.retries
    dialling = asyncio.create_task(phone.dial(number, retries=retries), name="dial")
    waiting = [asyncio.create_task(event.wait()) for event in (stop, book.over)]
    try:
        await asyncio.wait({dialling, waiting[0]}, return_when=asyncio.FIRST_COMPLETED)
        if not dialling.done():
            return 130
        try:
            await dialling
        except DialError as error:
            console.print(f"[red]{escape(str(error))}[/]")
            return 1
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return 0
    finally:
        for task in (dialling, *waiting):
            task.cancel()
        await asyncio.gather(dialling, *waiting, return_exceptions=True)
