"""What the operator of a server saw of one call: figures, lines in the log, health, traces."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import time
import weakref
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

ROW: contextvars.ContextVar[str] = contextvars.ContextVar("row", default="")
"""Which row of the table a task, and all that it starts, belongs to."""
TELLING = {
    "vivavoce_errors_total": "errors",
    "vivavoce_provider_switches_total": "switches",
    "vivavoce_calls_ended_total": "ended",
    "vivavoce_calls_refused_total": "refused",
    "vivavoce_tools_total": "tools",
    "vivavoce_records_lost_total": "records lost",
    "vivavoce_underruns_total": "underruns",
    "vivavoce_leg_lost_packets_total": "packets lost",
    "vivavoce_leg_concealed_seconds_total": "concealed s",
}
"""Counters that are told where they moved, by how they are called in the table."""
_QUIET = ('kind="', 'reason="caller"')


@dataclass(slots=True)
class Line:
    """A line of the log."""

    level: int
    text: str
    trace: bool


class Log(logging.Handler):
    """Keeps what is logged, by row. One for a process."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: dict[str, list[Line]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        text = f"{record.name}: {record.getMessage()}"
        if text.startswith("asyncio: Executing "):
            return  # of its debug mode, which tests have and no operator
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text += f" ({type(error).__name__}: {error})"
        line = Line(record.levelno, text, bool(record.exc_info and record.exc_info[0]))
        self.lines.setdefault(ROW.get(), []).append(line)

    def take(self, row: str) -> list[Line]:
        """Return what a row has logged, and forget it."""
        return self.lines.pop(row, [])


class Owners:
    """Knows which row started which tasks. Install it on the loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, weakref.WeakSet[asyncio.Task[Any]]] = {}

    def install(self) -> None:
        """Watch the running loop."""
        asyncio.get_running_loop().set_task_factory(self._make)

    def _make(self, loop: asyncio.AbstractEventLoop, work: Any, **given: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **given)
        context = given.get("context")
        row = context.get(ROW, "") if context is not None else ROW.get()
        if row:
            self._tasks.setdefault(row, weakref.WeakSet()).add(task)
        return task

    def left(self, row: str) -> list[str]:
        """Return the names of a row's tasks that still run, but for the caller's own."""
        me = asyncio.current_task()
        found = self._tasks.get(row, weakref.WeakSet())
        return sorted(t.get_name() for t in found if t is not me and not t.done())


Figures = dict[str, float]


def parse(text: str) -> Figures:
    """Read Prometheus' text: value by name with labels."""
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def moved(before: Figures, after: Figures) -> dict[str, float]:
    """Return which telling counters moved, by how much, in the table's words."""
    found: dict[str, float] = {}
    for name, value in after.items():
        family, _, labels = name.partition("{")
        by = value - before.get(name, 0.0)
        if family not in TELLING or by <= 0:
            continue
        values = re.findall(r'(\w+)="([^"]*)"', labels)
        values.sort(key=lambda each: each[0] != "stage")
        wanted = [v for k, v in values if k not in {"kind", "provider"}]
        word = " ".join([TELLING[family], "/".join(wanted)]).strip()
        found[word] = round(found.get(word, 0.0) + by, 2)
    return {word: by for word, by in found.items() if word != "ended caller"}


@dataclass(slots=True)
class Health:
    """What the two addresses of health answered once."""

    healthz: int = 0
    readyz: int = 0
    failing: list[str] = field(default_factory=list)
    took: float = 0.0

    def __str__(self) -> str:
        failing = f" ({', '.join(self.failing)})" if self.failing else ""
        return f"healthz {self.healthz}, readyz {self.readyz}{failing}"


class Operator:
    """Asks a server over HTTP what an operator's programs ask.

    Args:
        url: The server's.
        key: Lets a scraper in; "" where nobody asks.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def figures(self) -> Figures:
        """Return its metrics; nothing where it does not answer."""
        text = await self._get("/metrics")
        return parse(text[1]) if text[0] == 200 else {}

    async def health(self) -> Health:
        """Return how it is."""
        began = time.monotonic()
        alive, ready = await asyncio.gather(self._get("/healthz"), self._get("/readyz"))
        failing = re.search(r'"failing": \[([^\]]*)\]', ready[1])
        names = re.findall(r'"(\w+)"', failing[1]) if failing else []
        return Health(alive[0], ready[0], names, time.monotonic() - began)

    async def _get(self, path: str) -> tuple[int, str]:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(12)) as http,
                http.get(f"{self.url}{path}", headers=self._headers) as response,
            ):
                return response.status, await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, ""


_VARIES = (
    (re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?"), "http://…"),
    (re.compile(r"\b\d{8}T\d{6}-[0-9a-f]{8}\b"), "…"),
    (re.compile(r"(/[\w.-]+){2,}/([\w.-]+)"), r"…/\2"),
    (re.compile(r"127\.0\.0\.1(:\d+|', \d+)?"), "…"),
    (re.compile(r"\b\d+\.\d+ s\b"), "… s"),
    (re.compile(r"[A-Za-z0-9_-]{12}: (?=the caller)"), ""),
    (re.compile(r"0x[0-9a-f]+"), "…"),
)


def shortened(text: str) -> str:
    """Return a line without what differs in each run."""
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    return " ".join(text.split())


def told(lines: Iterable[Line], level: int = logging.WARNING) -> str:
    """Return the log's lines in a few words: each once, with how often."""
    counted = Counter(
        f"{logging.getLevelName(line.level).lower()} “{shortened(line.text)[:150]}”"
        for line in lines
        if line.level >= level
    )
    return "; ".join(f"{count} × {text}" for text, count in counted.items()) or "log silent"
