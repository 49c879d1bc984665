"""`vivavoce phone`: agents on the telephone."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import signal
import ssl
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from vivavoce.agent.record import record
from vivavoce.agent.settings import Settings
from vivavoce.cli.models import open_models
from vivavoce.cli.observing import make_observer, open_metrics
from vivavoce.cli.run import write_record
from vivavoce.cli.show import CallShow
from vivavoce.phone import (
    AudioSocket,
    ChanWebSocket,
    Credentials,
    DialError,
    Exposure,
    Phone,
    PhoneError,
    Policy,
    Retries,
    Screen,
    Srtp,
    TelephoneLine,
    Trunk,
)
from vivavoce.phone.campaign import Options
from vivavoce.phone.entrance import Entrance
from vivavoce.phone.exposure import place
from vivavoce.phone.opening import Sentence
from vivavoce.pipelines.hosting import Host
from vivavoce.pipelines.interpret.rooms import Rooms
from vivavoce.pipelines.load import Bounds, Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.records import RecordsError
from vivavoce.web.store import Store
from vivavoce.web.store_keeper import Keeper
from vivavoce.web.store_settings import StoreSettings

log = logging.getLogger("vivavoce")

_SECTIONS = {
    "phone", "trunk", "policy", "phones", "retries", "campaign", "audiosocket", "chan_websocket",
    "records", "metrics",
}  # fmt: skip
_MANNERS = ("disclosure", "consent")
_PATHS = ("tls_certificate", "tls_authorities")
_EXPOSURE = {
    "listen", "public", "realm", "max_calls", "codecs", "srtp", "silence_limit", "session_timer",
    "media_thread",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setup:
    """What a telephone is made from.

    Attributes:
        exposure: How it is reached.
        trunks: Where calls come from and go to.
        policy: Whom it may call.
        ring_time: Seconds that it rings before it is answered.
        disclosure: Said before anything else.
        consent: Asked before a call is recorded.
        entrances: Other ways in.
        campaign: How the people of a campaign are called.
        records: What is kept of calls.
        metrics: Where metrics are read (`ADDRESS:PORT`); "" for nowhere.
    """

    exposure: Exposure | None
    trunks: tuple[Trunk, ...] = ()
    policy: Policy = field(default_factory=Policy)
    ring_time: float = 0.0
    disclosure: Sentence = False
    consent: Sentence = False
    entrances: tuple[Entrance, ...] = ()
    campaign: Options = field(default_factory=Options)
    records: StoreSettings = field(default_factory=StoreSettings)
    metrics: str = ""


def read_setup(
    path: Path | None,
    flags: dict[str, Any],
    allow: Sequence[str] = (),
    *,
    records: str = "",
    metrics: str = "",
) -> Setup:
    """Read a telephone's TOML file; flags win over it.

    Args:
        path: The file (docs/phone.md shows one); None for none.
        flags: What the command line said, by the key in `[phone]`; None and () are left out.
        allow: Networks (CIDR) that may call in, beside the file's trunks.
        records: Where records are kept, as the command line said; "" for what the file says.
        metrics: Where metrics are read, likewise.

    Raises:
        RecordsError: Something in its `[records]` is wrong.
        PhoneError: Something in it is wrong; the message says where and what.
    """
    given: dict[str, Any] = {}
    if path is not None:
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise PhoneError(f"cannot read {path}: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise PhoneError(f"{path} is not valid TOML: {error}") from None
    _known(given, _SECTIONS, "the file")
    where = {"where": records} if records else {}
    kept = StoreSettings.read({**given.get("records", {}), **where})
    phone = {**given.get("phone", {}), **{k: v for k, v in flags.items() if v not in (None, ())}}
    _known(phone, {*_EXPOSURE, *_PATHS, *_MANNERS, "rtp", "ring_time"}, "[phone]")
    _known(given.get("metrics", {}), {"listen"}, "[metrics]")
    trunks = [_trunk(entry) for entry in given.get("trunk", [])]
    if allow:
        trunks.append(_peers(allow))
    phones = {
        user: _secret(entry, f"[phones] {user}") for user, entry in given.get("phones", {}).items()
    }
    try:
        exposure = _exposure(phone, phones)
        policy = _policy(given.get("policy", {}))
        entrances = _entrances(given)
        campaign = _campaign(given.get("campaign", {}), given.get("retries", {}))
    except (TypeError, ValueError) as error:
        raise PhoneError(str(error)) from None
    by_sip = phone or trunks or phones or not entrances
    return Setup(
        exposure if by_sip else None,
        tuple(trunks),
        policy,
        float(phone.get("ring_time", 0.0)),
        phone.get("disclosure", False),
        phone.get("consent", False),
        entrances,
        campaign,
        kept,
        metrics or str(given.get("metrics", {}).get("listen", "")),
    )


def _entrances(given: dict[str, Any]) -> tuple[Entrance, ...]:
    made: list[Entrance] = []
    for name, kind in (("audiosocket", AudioSocket), ("chan_websocket", ChanWebSocket)):
        if name in given:
            options = dict(given[name])
            _known(options, {"listen", "allow", "agent", "max_calls"}, f"[{name}]")
            made.append(kind(**options))
    return tuple(made)


def _campaign(given: dict[str, Any], retries: dict[str, Any]) -> Options:
    _known(retries, {each.name for each in fields(Retries)}, "[retries]")
    known = {each.name for each in fields(Options)} - {"screen", "retries"}
    _known(given, {*known, "message", "beep"}, "[campaign]")
    options = {key: value for key, value in given.items() if key in known}
    screen = {key: value for key, value in given.items() if key not in known}
    return Options(**options, screen=Screen(**screen), retries=Retries(**retries))


def _exposure(phone: dict[str, Any], phones: dict[str, str]) -> Exposure:
    options = {key: value for key, value in phone.items() if key in _EXPOSURE}
    if "codecs" in options:
        options["codecs"] = tuple(options["codecs"])
    if "srtp" in options:
        options["srtp"] = _srtp(options["srtp"], "[phone]")
    if "rtp" in phone:
        first, last = phone["rtp"]
        options["rtp"] = range(int(first), int(last) + 1)
    server = client = None
    if phone.get("tls_certificate"):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _load(server.load_cert_chain, phone["tls_certificate"])
    if phone.get("tls_authorities"):
        client = ssl.create_default_context()
        _load(client.load_verify_locations, phone["tls_authorities"])
    return Exposure(**options, phones=phones, server_tls=server, client_tls=client)


def _load(load: Any, path: str) -> None:
    try:
        load(path)
    except (OSError, ssl.SSLError) as error:
        raise PhoneError(f"cannot use the certificate in {path}: {error}") from None


def _trunk(entry: dict[str, Any]) -> Trunk:
    name = str(entry.get("name", ""))
    if not name or not entry.get("host"):
        raise PhoneError("each [[trunk]] needs a name and a host")
    where = f"trunk {name!r}"
    known = {each.name for each in fields(Trunk)} - {"credentials"}
    _known(entry, {*known, "auth_user", "password", "password_env"}, where)
    options = {key: value for key, value in entry.items() if key in known}
    for key in ("allow", "codecs", "refer"):
        if key in options:
            options[key] = tuple(options[key])
    if "srtp" in options:
        options["srtp"] = _srtp(options["srtp"], where)
    if "password" in entry or "password_env" in entry:
        user = str(entry.get("auth_user") or entry.get("user", ""))
        options["credentials"] = Credentials(user, _secret(entry, where))
    try:
        return Trunk(**options)
    except (TypeError, ValueError) as error:
        raise PhoneError(str(error)) from None


def _peers(allow: Sequence[str]) -> Trunk:
    """Return a trunk of whoever calls from some networks; nobody is called over it."""
    try:
        first = ipaddress.ip_network(allow[0], strict=False)
    except ValueError:
        raise PhoneError(
            f"--allow {allow[0]}: give an address or a CIDR, such as 203.0.113.0/24"
        ) from None
    return Trunk("peers", str(first.network_address), transport=None, allow=tuple(allow))


def _secret(entry: dict[str, Any], where: str) -> str:
    if "password_env" in entry:
        value = os.environ.get(str(entry["password_env"]), "")
        if not value:
            raise PhoneError(f"{where}: the environment has no {entry['password_env']}")
        return value
    value = str(entry.get("password", ""))
    if not value:
        raise PhoneError(f"{where}: give password_env (an environment variable) or password")
    return value


def _srtp(text: str, where: str) -> Srtp:
    try:
        return Srtp(text)
    except ValueError:
        raise PhoneError(f"{where}: srtp is off, optional or required, not {text!r}") from None


def _policy(given: dict[str, Any]) -> Policy:
    _known(given, {"numbers", "per_minute", "hours", "days", "zone"}, "[policy]")
    options = dict(given)
    if "hours" in options:
        begin, end = (time.fromisoformat(str(text)) for text in options["hours"])
        options["hours"] = (begin, end)
    return Policy(**options)


def _known(given: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise PhoneError(f"{where}: there is no {unknown[0]!r}; known: {', '.join(sorted(known))}")


class Desk:
    """Shows and records the calls of a telephone.

    Args:
        console: Where they are shown.
        models: Which model serves each stage.
        folder: Where records go; None: nowhere.
        as_json: An event a line, the record last, instead of text.
        records: Where calls are kept; None: nowhere.

    Raises:
        RecordsError: There are both a folder and records.
    """

    def __init__(
        self,
        console: Console,
        models: dict[str, str],
        folder: Path | None,
        *,
        as_json: bool,
        records: Store | None = None,
    ) -> None:
        if records is not None and folder is not None:
            raise RecordsError("--out and [records] are two places: give one of both")
        self._console, self._models = console, models
        self._keeper = None if records is None else Keeper(records)
        self.recordings = folder if records is None else records.folder
        self._folder, self._as_json = folder, as_json
        self._tasks = Tasks()
        self._starts: dict[str, datetime] = {}
        self.over = asyncio.Event()

    def began(self, conversation: Talk, line: TelephoneLine) -> None:
        """Follow a call."""
        self._starts[conversation.call.id] = datetime.now(UTC)
        if self._keeper is not None:
            self._keeper.began(
                conversation.call, partial(self._record, conversation, line, growing=True)
            )
        self._tasks.spawn(self._follow(conversation, line), "show")

    def ended(self, conversation: Talk, line: TelephoneLine) -> None:
        """Leave a call's record."""
        call, entry = conversation.call, self._record(conversation, line)
        self._starts.pop(call.id, None)
        if self._keeper is not None:
            self._keeper.ended(call, entry)
        if self._folder is not None:
            write_record(self._folder / f"{call.id}.json", entry)
        if self._as_json:
            print(json.dumps({"event": "record", **entry}, ensure_ascii=False), flush=True)
        self.over.set()

    def _record(
        self, conversation: Talk, line: TelephoneLine, *, growing: bool = False
    ) -> dict[str, Any]:
        entry = record(
            conversation.call,
            agent=conversation.agent.name,
            began=self._starts.get(conversation.call.id, datetime.now(UTC)),
            seconds=conversation.now(),
            models=self._models,
            growing=growing,
        )
        # Whoever is at the other end is the one whose data these are.
        people = (
            (line.number, line.caller)
            if line.direction.value == "out"
            else (
                line.caller,
                line.number,
            )
        )
        entry |= {"caller": people[0], "called": people[1]}
        entry["kind"] = f"phone {line.direction.value}"
        entry["phone"] = {
            "direction": line.direction.value,
            "trunk": line.trunk,
            "caller": line.caller,
            "number": line.number,
        }
        return entry

    async def close(self) -> None:
        """Stop following, and keep what is over; idempotent."""
        if self._keeper is not None:
            await self._keeper.close()
        await self._tasks.close()

    async def _follow(self, conversation: Talk, line: TelephoneLine) -> None:
        call = conversation.call
        if self._as_json:
            async for event in call:
                row = {"call": call.id, **event.to_dict()}
                print(json.dumps(row, ensure_ascii=False), flush=True)
            return
        arrow = "→" if line.direction.value == "out" else "←"
        who = line.number if line.direction.value == "out" else line.caller
        show = CallShow(self._console, who or "unknown")
        self._console.print(f"[bold]{arrow} {escape(who)}[/] [dim]{escape(line.number)}[/]")
        async for event in call:
            show.event(event)
        self._console.print(f"[dim]{escape(who)}: {escape(call.reason)}[/]")


def make_phone(
    agents: Sequence[Host],
    models: Models,
    setup: Setup,
    desk: Desk,
    gate: Gate | None = None,
    observer: Observer | None = None,
    rooms: Rooms | None = None,
) -> Phone:
    """Make the telephone of a set-up, whose calls a desk shows.

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
        recordings=desk.recordings,
        disclosure=setup.disclosure,
        consent=setup.consent,
        gate=gate,
        observer=observer,
        entrances=setup.entrances,
        began=desk.began,
        ended=desk.ended,
        rooms=rooms,
    )


def places(phone: Phone, setup: Setup) -> str:
    """Return where a telephone listens, for people."""
    found = [place(address) for address in phone.station.local]
    found += [f"{each.name}:{each.host}:{each.port}" for each in setup.entrances]
    return ", ".join(found)


async def run_phone(
    agents: Sequence[Host],
    settings: Settings,
    console: Console,
    setup: Setup,
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
        desk = Desk(console, models.names, folder, as_json=as_json, records=records)
        phone = make_phone(agents, models, setup, desk, gate, observer)
        gate.start()
        observer.open()
        try:
            site = open_metrics(
                setup.metrics, phone, models, observer, gate, records, desk.recordings
            )
            async with phone, site:
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
                return await _dial(phone, dial, setup, desk, stop, console)
        finally:
            gate.close()
            await desk.close()
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
    phone: Phone, number: str, setup: Setup, desk: Desk, stop: asyncio.Event, console: Console
) -> int:
    retries = setup.campaign.retries
    dialling = asyncio.create_task(phone.dial(number, retries=retries), name="dial")
    waiting = [asyncio.create_task(event.wait()) for event in (stop, desk.over)]
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
