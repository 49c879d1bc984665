"""Rows: what befalls the server's process; it runs apart, as `vivavoce serve` starts it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from conformance.faults.caller import SocketCaller
from conformance.faults.kept import judge
from conformance.faults.row import (
    WHEN,
    Act,
    Finding,
    Lab,
    Row,
    hearing,
    judged,
    measured,
    misspoken,
    seeing,
)
from conformance.faults.script import GREETING, profile
from conformance.faults.watch import Figures, Health, Line, Operator, told
from tests.phone.peers import free_port
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.store import Store
from vivavoce.web.store_files import FileRecordings
from vivavoce.web.store_sqlite import SqliteDatabase

GROUP = "the server's process"
AGENT = f"""
import signal
import time

from vivavoce.agent import Agent

agent = Agent("You answer callers of a restaurant.", name="host", greeting="{GREETING}")
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(0.5))
"""
FAKETIME = "libfaketime.so.1"
STARTING = 60.0
"""Seconds that a server may take to start, on a machine that is busy."""
COMMAND = (sys.executable, "-W", "ignore", "-m", "vivavoce.cli.main")
SPARE = 8 << 20
"""Bytes of address space that a server is left where memory is short."""
LEVELS = {"error": 40, "warning": 30, "info": 20, "critical": 50}


def faketime() -> str:
    """Return where the library is that fakes the wall clock; "" where it is not."""
    found = sorted(Path("/usr/lib").glob(f"*/faketime/{FAKETIME}"))
    return str(found[0]) if found else ""


@dataclass(slots=True)
class Child:
    """A server in a process of its own.

    Attributes:
        folder: Where it runs and keeps its records.
        port: Where it listens; the same when it is started again.
        key: Its key at the sandbox.
        more: More of its environment.
        lines: What it logged.
        process: It; None while there is none.
    """

    sandbox: Sandbox
    folder: Path
    port: int
    key: str
    more: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    reading: list[asyncio.Task[None]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process's id."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("VIVAVOCE", "MISTRAL"))}
        environment = {
            **kept, "COLUMNS": "200", "NO_COLOR": "1", "VIVAVOCE_LOAD__LAG": "0",
            "VIVAVOCE_LOAD__LOOP": "0", "VIVAVOCE_LOAD__PROCESS": "0",
            "VIVAVOCE_SANDBOX_URL": self.sandbox.url, "VIVAVOCE_SANDBOX_KEY": self.key,
            "VIVAVOCE_THINK__MODEL": "mistral-small-latest", **self.more,
        }  # fmt: skip
        words = ("serve", "host.py", "--port", str(self.port), "--records", "calls")
        self.process = await asyncio.create_subprocess_exec(
            *COMMAND, *words, "--log-format", "json", cwd=self.folder, env=environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            self.reading.append(asyncio.create_task(self._read(stream), name="child's output"))
        async with asyncio.timeout(STARTING):
            while (await Operator(self.url)._get("/healthz"))[0] != 200:  # noqa: SLF001
                if self.process.returncode is not None:
                    raise RuntimeError("the server did not start:\n" + "\n".join(self.raw[-8:]))
                await asyncio.sleep(0.1)

    async def end(self, within: float = 45.0, *, told: bool = False) -> int | None:
        """End it in good order, by force where that takes too long; return its exit code.

        Args:
            within: Seconds that it may take.
            told: It was told to end already.
        """
        process = self.process
        if process is None:
            return None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                if not told:
                    process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), within)
            except TimeoutError:
                process.kill()
                await process.wait()
        await asyncio.gather(*self.reading, return_exceptions=True)
        self.reading.clear()
        return process.returncode

    def say(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            text = line.decode(errors="replace").rstrip()
            self.raw.append(text)
            with contextlib.suppress(ValueError):
                row = json.loads(text)
                if isinstance(row, dict) and "message" in row:
                    level = LEVELS.get(str(row.get("level", "")).lower(), 20)
                    said = f"{row.get('logger', '')}: {row['message']}"
                    self.lines.append(Line(level, said, "stack" in row))
                continue
            if text.startswith("Traceback"):
                self.lines.append(Line(40, text, trace=True))


@dataclass(slots=True)
class Stage:
    """What an act on a process is given."""

    child: Child
    caller: SocketCaller
    task: asyncio.Task[None] | None = None
    health: dict[str, Health] = field(default_factory=dict)


Do = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to a process, and when; as `Act` has it.

    Attributes:
        ends: The operator has ended the call by it.
        exits: The process ends by it; nobody can call then.
        resume: The caller comes back when the line is lost, as the page does.
        fakes: The wall clock is faked; it needs libfaketime.
    """

    strike: Do
    at: str = "before 2"
    lift: Do | None = None
    until: str = "after 2"
    ends: bool = False
    exits: bool = False
    resume: bool = False
    fakes: bool = False
    silent: bool = False
    unanswered: tuple[int, ...] = ()


@contextlib.asynccontextmanager
async def child(lab: Lab, folder: Path, *, fakes: bool) -> AsyncIterator[Child]:
    """Run a server, and end it."""
    (folder / "host.py").write_text(AGENT)
    key = await asyncio.to_thread(lambda: lab.sandbox.make_key(**profile()))
    more = {}
    if fakes:
        (folder / "clock").write_text("+0\n")
        more = {
            "LD_PRELOAD": faketime(), "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip
    made = Child(lab.sandbox, folder, free_port(1), key, more)
    try:
        await made.start()
        yield made
    finally:
        await made.end()
        await asyncio.to_thread(lab.sandbox.drop_key, key)


async def hold(lab: Lab, fault: str, deed: Deed) -> Finding:
    """Hold a call on a server of its own, do what the deed says, and find out what came of it."""
    del fault
    with tempfile.TemporaryDirectory(prefix="vv-fault-") as name:
        folder = Path(name)
        async with child(lab, folder, fakes=deed.fakes) as server:
            operator = Operator(server.url)
            before = await operator.figures()
            async with SocketCaller(server.url, resume=deed.resume) as caller:
                stage = Stage(server, caller)
                if deed.ends or deed.exits:
                    caller.patience = 12.0

                async def hook(moment: str) -> None:
                    if moment == deed.at:
                        caller.story.marks["strike"] = time.monotonic()
                        await deed.strike(stage)
                    if moment == deed.until:
                        stage.health["during"] = await operator.health()
                        if deed.lift is not None:
                            await deed.lift(stage)
                            caller.story.marks["lift"] = time.monotonic()

                try:
                    story = await caller.converse(hook)
                    await caller.hang_up()
                finally:
                    if stage.task is not None:
                        stage.task.cancel()
                        await asyncio.gather(stage.task, return_exceptions=True)
            await asyncio.sleep(1.0)
            after: Figures = await operator.figures()
            stage.health["after"] = await operator.health()
            wrong = []
            if not deed.exits and (why := await _next(server.url)):
                wrong.append(f"the next call is not clean: {why}")
            code = await server.end(told=deed.exits)
            if code not in {0, None}:
                wrong.append(f"the server's exit code is {code}")
        record = await _record(folder, caller.about.get("call", ""))
        recording = folder / "calls" / "recordings" / f"{record['call'] if record else ''}.wav"
        began = story.marks.get("call", 0.0)
        kept = judge(record, story.said, began, recording)
        act = Act(_nothing, own=deed.ends, unanswered=deed.unanswered, silent=deed.silent)
        wrong += judged(story, kept, act)
        wrong += misspoken(server.lines, [server.key, lab.sandbox.key], ())
        seen = f"{seeing(before, after, stage.health, 'no collector')}; {told(server.lines)}"
        return Finding(hearing(story), seen, str(kept), wrong, measured(story, kept))


async def _nothing(_scene: Any) -> None: ...


async def _next(url: str) -> str:
    async def nothing(_moment: str) -> None: ...

    try:
        async with SocketCaller(url) as caller:
            caller.questions, caller.tries, caller.patience = caller.questions[:1], 2, 15.0
            story = await caller.converse(nothing)
            await caller.hang_up()
    except Exception as error:  # noqa: BLE001 (that it fails is what is asked)
        return f"{type(error).__name__}: {error}"
    return "" if story.answered(1) else "its question was not answered"


async def _record(folder: Path, call: str) -> dict[str, Any] | None:
    """Return the record of a call."""
    place = folder / "calls"
    base = next(iter(sorted(place.glob("*.sqlite3"))), None)
    if base is None:
        return None
    recordings = FileRecordings(place / "recordings")
    async with Store(SqliteDatabase(base), recordings, place / "spool", upkeep=False) as store:
        return await store.get(call)


def rows() -> Iterator[Row]:
    """Return all of them."""

    def row(fault: str, deed: Deed, **more: Any) -> Row:
        return Row(GROUP, fault, WHEN[deed.at], partial(hold, fault=fault, deed=deed), **more)

    async def term(stage: Stage) -> None:
        stage.child.say(signal.SIGTERM)

    yield row("SIGTERM: it drains", Deed(term, at="reply 2", exits=True))

    async def twice(stage: Stage) -> None:
        stage.child.say(signal.SIGINT)
        await asyncio.sleep(0.5)
        stage.child.say(signal.SIGINT)

    yield row("SIGINT twice", Deed(twice, at="reply 2", ends=True, exits=True, unanswered=(3,)))

    async def kill(stage: Stage) -> None:
        stage.child.say(signal.SIGKILL)
        assert stage.child.process is not None
        await stage.child.process.wait()
        await stage.child.start()

    yield row("kill -9, started again at once", Deed(kill, at="after 2", resume=True))

    async def stop(stage: Stage) -> None:
        async def hold_still() -> None:
            stage.child.say(signal.SIGSTOP)
            try:
                await asyncio.sleep(3)
            finally:
                stage.child.say(signal.SIGCONT)
                stage.caller.story.marks["lift"] = time.monotonic()

        stage.task = asyncio.create_task(hold_still(), name="stopped")

    yield row("the machine stands still for 3 s", Deed(stop, at="after 2"))

    async def block(stage: Stage) -> None:
        stage.child.say(signal.SIGUSR1)

    yield row("the event loop is blocked for 0.5 s", Deed(block, at="reply 2"))
    yield from _short(row)
    yield from _clocks(row)


def _short(row: Callable[..., Row]) -> Iterator[Row]:
    """Rows in which something runs short."""
    files, size = resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE

    async def no_files(stage: Stage) -> None:
        opened = sum(1 for _ in Path(f"/proc/{stage.child.pid}/fd").iterdir())  # noqa: ASYNC240
        hard = resource.prlimit(stage.child.pid, files)[1]
        resource.prlimit(stage.child.pid, files, (opened, hard))

    async def files_again(stage: Stage) -> None:
        hard = resource.prlimit(stage.child.pid, files)[1]
        resource.prlimit(stage.child.pid, files, (hard, hard))

    yield row("out of file descriptors", Deed(no_files, lift=files_again))

    async def full(stage: Stage) -> None:
        spool = stage.child.folder / "calls"
        grown = max((each.stat().st_size for each in spool.rglob("*.wav")), default=0)
        resource.prlimit(stage.child.pid, size, (grown, resource.RLIM_INFINITY))

    async def room(stage: Stage) -> None:
        endless = resource.RLIM_INFINITY
        resource.prlimit(stage.child.pid, size, (endless, endless))

    yield row("no file can grow: the disk is full", Deed(full, lift=room))

    memory = resource.RLIMIT_AS

    async def no_memory(stage: Stage) -> None:
        status = Path(f"/proc/{stage.child.pid}/status").read_text()  # noqa: ASYNC240
        taken = next(int(line.split()[1]) for line in status.splitlines() if "VmSize" in line)
        hard = resource.prlimit(stage.child.pid, memory)[1]
        resource.prlimit(stage.child.pid, memory, (taken * 1024 + SPARE, hard))
        stage.task = asyncio.create_task(_crowd(stage.child.url), name="crowd")

    async def memory_again(stage: Stage) -> None:
        hard = resource.prlimit(stage.child.pid, memory)[1]
        resource.prlimit(stage.child.pid, memory, (hard, hard))

    fault = f"it may take {SPARE >> 20} MiB more, and eight others call"
    yield row(fault, Deed(no_memory, lift=memory_again))

    async def hog(stage: Stage) -> None:
        async def busy() -> None:
            words = (sys.executable, "-c", "while True: pass")
            hogs = [await asyncio.create_subprocess_exec(*words) for _ in range(3)]
            try:
                await asyncio.sleep(8)
            finally:
                for each in hogs:
                    with contextlib.suppress(ProcessLookupError):
                        each.kill()
                    await each.wait()

        stage.task = asyncio.create_task(busy(), name="hogs")

    yield row("three processes beside it take all CPU for 8 s", Deed(hog), alone=True)


async def _crowd(url: str) -> None:
    """Call eight times at once, and hang up after some seconds; what becomes of them is theirs."""

    async def one() -> None:
        with contextlib.suppress(Exception):
            async with SocketCaller(url):
                await asyncio.sleep(6)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(one())


def _clocks(row: Callable[..., Row]) -> Iterator[Row]:
    for hours in (1, -1):

        async def jump(stage: Stage, hours: int = hours) -> None:
            (stage.child.folder / "clock").write_text(f"{hours * 3600:+d}\n")

        way = "forward" if hours > 0 else "back"
        yield row(f"the wall clock jumps {way} by an hour", Deed(jump, fakes=True), needs=FAKETIME)
