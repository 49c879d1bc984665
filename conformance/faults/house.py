"""A call server with everything that a real one has, in this process, for one row of the table."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from rich.console import Console

from conformance.faults.script import GREETING, profile
from conformance.faults.wire import Wire
from conformance.frame import BASES, MODELS
from vivavoce.agent import Agent, Call
from vivavoce.cli.logbook import Logbook
from vivavoce.phone import Phone
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.observing.meter import Meter
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.observing.traces import Tracer
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Exposure
from vivavoce.web.live import LiveCall
from vivavoce.web.records import Query
from vivavoce.web.server import CallServer
from vivavoce.web.store import Store
from vivavoce.web.store_files import FileRecordings
from vivavoce.web.store_sqlite import SqliteDatabase
from vivavoce.web.tokens import Signer
from vivavoce.web.turn import IceServers

Faults = dict[str, list[dict[str, Any]]]
STAGES = ("hear", "think", "speak")


def make_agent(**more: Any) -> Agent[Any]:
    """Return the agent that every row calls."""
    return Agent("You answer callers of a restaurant.", name="host", greeting=GREETING, **more)


@dataclass(slots=True)
class Plan:
    """How a row's server is made.

    Attributes:
        dialects: By stage, where it is not Mistral's.
        then: How many providers stand behind the first, for each stage.
        wired: Each stage is reached over a `Wire`.
        tls: Makes what that presents; it is plain without. Its authority has to be trusted.
        urls: By stage, another URL than the sandbox's.
        agent: Makes the agent.
        answers: What is answered, by word, beside the usual.
        timeouts: As a server has them by default.
        store: Makes the records of a folder; SQLite and files unless given.
        exporter: Takes the spans instead of memory.
        servers: STUN and TURN.
        desk: More of the desk's.
        exposure: How it is reached.
        phone: Makes what its telephone is given, if it has one: its trunks and exposure.
    """

    dialects: dict[str, str] = field(default_factory=dict)
    then: int = 0
    wired: bool = False
    tls: Callable[[], ssl.SSLContext] | None = None
    urls: dict[str, str] = field(default_factory=dict)
    agent: Callable[[], Agent[Any]] = make_agent
    answers: dict[str, Any] = field(default_factory=dict)
    timeouts: Timeouts = field(default_factory=Timeouts)
    store: Callable[[Path], Store] | None = None
    exporter: Any = None
    servers: IceServers | None = None
    desk: dict[str, Any] = field(default_factory=dict)
    exposure: Exposure = field(default_factory=lambda: Exposure(port=0))
    phone: Callable[[], dict[str, Any]] | None = None


def store_in(folder: Path) -> Store:
    """Return records as `--records FOLDER` keeps them."""
    return Store(
        SqliteDatabase(folder / "calls.sqlite3"),
        FileRecordings(folder / "recordings"),
        folder / "spool",
    )


class House:
    """A server that runs.

    Attributes:
        server: The server.
        models: What its calls are served by.
        store: Where they are kept.
        folder: Where that is.
        ended: Calls that are over.
        wires: By stage, where the plan has them.
        telephone: Where the plan has one.
    """

    def __init__(self, sandbox: Sandbox, folder: Path, plan: Plan) -> None:
        self.sandbox, self.folder, self.plan = sandbox, folder, plan
        self.keys: list[str] = []
        self.wires: dict[str, Wire] = {}
        self.ended: list[LiveCall] = []
        self.spans = plan.exporter or InMemorySpanExporter()
        self.server: CallServer
        self.models: Models
        self.store: Store
        self.observer: Observer
        self.telephone: Phone

    @property
    def url(self) -> str:
        """Where it is reached."""
        return self.server.url

    @property
    def scrape_key(self) -> str:
        """What lets a scraper in; "" where nobody asks."""
        secret = self.plan.exposure.secret
        return Signer(secret).scrape_key if secret else ""

    @property
    def calls(self) -> list[Call[Any]]:
        """Calls that go on."""
        live = self.server.desk.calls.values()
        return [each.conversation.call for each in live if each.conversation is not None]

    async def strike(self, faults: Faults, *, which: int = 0) -> None:
        """Have a provider fail from now on; {} makes it well again."""
        made = profile(faults, self.plan.answers)
        await asyncio.to_thread(self.sandbox.change_key, self.keys[which], **made)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[House]:
        """Run it."""
        plan = self.plan
        for _ in range(plan.then + 1):
            made = profile(answers=plan.answers)
            self.keys.append(
                await asyncio.to_thread(lambda made=made: self.sandbox.make_key(**made))
            )
        try:
            async with contextlib.AsyncExitStack() as stack:
                where = {stage: await self._endpoints(stage, stack) for stage in STAGES}
                connected = Models.connect(**where, timeouts=plan.timeouts)  # type: ignore[arg-type]
                self.models = await stack.enter_async_context(connected)
                self.store = await stack.enter_async_context((plan.store or store_in)(self.folder))
                self.observer = Observer(Meter("faults"), Tracer("", exporter=self.spans))
                self.observer.open()
                stack.push_async_callback(self.observer.close)
                desk = Desk(
                    [plan.agent()], self.models, records=self.store, observer=self.observer,
                    servers=plan.servers, version="faults", ended=self.ended.append, **plan.desk,
                )  # fmt: skip
                self.server = CallServer(desk, plan.exposure)
                await stack.enter_async_context(self.server)
                if plan.phone is not None:
                    await self._pick_up(plan.phone(), stack)
                yield self
        finally:
            for key in self.keys:
                await asyncio.to_thread(self.sandbox.drop_key, key)

    async def idle(self, within: float = 30.0) -> bool:
        """Wait until no call goes on; return whether none does."""
        desk = self.server.desk
        for _ in range(round(within / 0.05)):
            lines = self.telephone.station.lines if self.plan.phone is not None else ()
            if not desk.calls and not desk.turnstile.admission.calls and not lines:
                return True
            await asyncio.sleep(0.05)
        return False

    async def records(self) -> list[dict[str, Any]]:
        """Return the records that are kept, in the order in which their calls began."""
        with contextlib.suppress(Exception):
            await self.store.flush()
        found = await self.store.search(Query(limit=50))
        entries = sorted(found.entries, key=lambda each: each.call)
        return [record for each in entries if (record := await self.store.get(each.call))]

    def recording(self, call: str) -> Path:
        """Return where a call's recording is, in the end or still."""
        done = self.folder / "recordings" / f"{call}.wav"
        return done if done.exists() else self.folder / "spool" / f"{call}.wav"

    def trace(self, call: str) -> str:
        """Return what the trace of a call says: how many spans, and which errors."""
        if not hasattr(self.spans, "get_finished_spans"):
            return "no collector"
        self.observer._tracer._provider.force_flush(2_000)  # type: ignore[union-attr]  # noqa: SLF001
        spans = self.spans.get_finished_spans()
        roots = [s for s in spans if s.attributes.get("gen_ai.conversation.id") == call]
        if not roots:
            return "no trace"
        own = [s for s in spans if s.context.trace_id == roots[0].context.trace_id]
        failed = [s for s in own if s.status.status_code is StatusCode.ERROR]
        wrong = sorted({str(s.attributes.get("error.type")) for s in failed})
        events = sum(event.name == "exception" for event in roots[0].events)
        errors = f"errors {', '.join(wrong)}" if wrong else "no error"
        return f"trace: {errors}" + (f", {events} exceptions" if events else "")

    async def _pick_up(self, given: dict[str, Any], stack: contextlib.AsyncExitStack) -> None:
        """Have a telephone, as `vivavoce phone` has it, whose calls go where the others go."""
        book = Logbook(Console(quiet=True), {}, None, as_json=False, records=self.store)
        stack.push_async_callback(book.close)
        self.telephone = Phone(
            [self.plan.agent()], self.models, observer=self.observer, recordings=book.recordings,
            began=book.began, ended=book.ended, **given,
        )  # fmt: skip
        await stack.enter_async_context(self.telephone)

    async def _endpoints(self, stage: str, stack: contextlib.AsyncExitStack) -> Sequence[Endpoint]:
        plan, found = self.plan, []
        for number, key in enumerate(self.keys):
            dialect = plan.dialects.get(stage, "mistral") if not number else "mistral"
            url = self.sandbox.url
            if not number:
                url = plan.urls.get(stage, url)
                if plan.wired:
                    wire = Wire(url, tls=None if plan.tls is None else plan.tls())
                    self.wires[stage] = await stack.enter_async_context(wire)
                    url = wire.url
            model = MODELS.get((stage, dialect)) or MODELS[stage, "mistral"]
            found.append(Endpoint(url + BASES.get(dialect, ""), key, model, dialect))
        return found


__all__ = ["Faults", "House", "Plan", "make_agent", "store_in"]
