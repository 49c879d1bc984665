"""The server of a soak: as `vivavoce serve` runs it, with records, metrics and its gate.

It speaks the protocol of `vivavoce.pipelines.benching.child`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from vivavoce.pipelines.benching.child import Questions

QUESTIONS = Questions()  # before anything can print

import asyncio  # noqa: E402
import gc  # noqa: E402
import logging  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from vivavoce.agent import Agent, Interpreter  # noqa: E402
from vivavoce.agent.prices import PRICES  # noqa: E402
from vivavoce.agent.settings import MISTRAL_MODELS  # noqa: E402
from vivavoce.pipelines.benching.machine import resident  # noqa: E402
from vivavoce.pipelines.lag import LoopLag  # noqa: E402
from vivavoce.pipelines.load import Bounds, Gate  # noqa: E402
from vivavoce.pipelines.models.connect import Models  # noqa: E402
from vivavoce.pipelines.models.http import Endpoint, Timeouts  # noqa: E402
from vivavoce.pipelines.observing.meter import Meter  # noqa: E402
from vivavoce.pipelines.observing.observer import Observer  # noqa: E402
from vivavoce.pipelines.warm import warm_up  # noqa: E402
from vivavoce.web.desk import Desk  # noqa: E402
from vivavoce.web.exposure import Exposure  # noqa: E402
from vivavoce.web.limits import Limits  # noqa: E402
from vivavoce.web.server import CallServer  # noqa: E402
from vivavoce.web.store_settings import StoreSettings  # noqa: E402

MANY = 100_000
"""Of what is not bounded here: all callers come from one address."""
TOP = 14
"""Places in the code of which memory is told, where it is traced."""
_NUMBERS = re.compile(r"[0-9a-f]{6,}|\d+")


def host() -> Agent[Any]:
    """Return who answers: with a tool, and a voice that greets."""
    agent: Agent[Any] = Agent(
        "You take reservations for a restaurant. Keep answers short.",
        name="host",
        voice="en_paul_neutral",
        greeting="Good evening, and welcome to the house.",
    )

    @agent.tool(timeout=3)
    async def opening_hours(day: str = "today") -> str:
        """Tell the opening hours.

        Args:
            day: Which day is asked for.
        """
        await asyncio.sleep(0.15)
        return f"{day}: from seven to eleven in the evening"

    @agent.tool(timeout=1)
    async def book_table(people: int = 2) -> str:
        """Book a table.

        Args:
            people: How many will come.
        """
        # The book is slow now and then: the tool's own time-out has to hold.
        await asyncio.sleep(5.0 if people > 6 else 0.05)
        return f"a table for {people} is booked"

    return agent


class Errors(logging.Handler):
    """Counts what is logged as a warning or worse, by its words without numbers."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counted: Counter[str] = Counter()
        self.traces: list[str] = []
        self.unhandled: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Count it."""
        text = _NUMBERS.sub("#", record.getMessage().splitlines()[0])[:120]
        self.counted[f"{record.levelname} {text}"] += 1
        if record.exc_info and len(self.traces) < 50:
            self.traces.append(logging.Formatter().format(record)[-3000:])

    def failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what a task has raised and nobody has asked for."""
        del loop
        error = context.get("exception")
        self.unhandled.append(f"{context.get('message')}: {error!r}"[:500])


def census() -> dict[str, Any]:
    """Count what a process holds."""
    tasks = Counter(_NUMBERS.sub("#", task.get_name()) for task in asyncio.all_tasks())
    sockets = files = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            sockets += str(each.readlink()).startswith("socket:")
        except OSError:
            continue
        files += 1
    return {
        "tasks": dict(tasks),
        "threads": sorted(_NUMBERS.sub("#", one.name) for one in threading.enumerate()),
        "fds": files,
        "sockets": sockets,
    }


class Watch:
    """Answers what is asked of the process."""

    def __init__(self, errors: Errors, desk: Desk, observer: Observer, *, trace: bool) -> None:
        self._errors, self._desk, self._observer = errors, desk, observer
        self._lag = LoopLag()
        self._lag.start()
        self._trace = trace
        self._before: Any = None

    async def figures(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the process uses; `anew` begins to measure the loop's lag anew."""
        held = census()
        found = {
            "at": time.monotonic(),
            "cpu": time.process_time(),
            "rss_mb": round(resident(), 2),
            # Of Python's own allocator: what grows in memory and not here is no object of ours.
            "blocks": sys.getallocatedblocks(),
            "calls": len(self._desk.calls),
            "tasks": sum(held["tasks"].values()),
            "threads": len(held["threads"]),
            "fds": held["fds"],
            "sockets": held["sockets"],
            "lag_ms": self._lag.to_dict(),
            "errors": sum(self._errors.counted.values()),
            "unhandled": len(self._errors.unhandled),
        }
        if given.get("anew"):
            self._lag.close()
            self._lag = LoopLag()
            self._lag.start()
        return found

    async def census(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all that it holds, and what was logged; rubbish is collected before."""
        gc.collect()
        await asyncio.sleep(0)
        found = census()
        found |= {
            "calls": len(self._desk.calls),
            "admitted": self._desk.turnstile.admission.calls,
            "records_waiting": self._desk.records.waiting if self._desk.records else 0,
            "records_lost": self._desk.records.lost if self._desk.records else 0,
            "rss_mb": round(resident(), 2),
            "blocks": sys.getallocatedblocks(),
            "objects": dict(
                Counter(type(each).__name__ for each in gc.get_objects()).most_common(80)
            ),
            "logged": dict(self._errors.counted.most_common()),
            "traces": self._errors.traces,
            "unhandled": self._errors.unhandled,
        }
        return found

    async def stacks(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        """Return where the tasks wait that a census names."""
        told: dict[str, str] = {}
        for task in asyncio.all_tasks():
            frames = task.get_stack(limit=4)
            where = " < ".join(
                f"{f.f_code.co_filename.rsplit('/', 2)[-1]}:{f.f_lineno}" for f in frames
            )
            told.setdefault(_NUMBERS.sub("#", task.get_name()), where)
        return {"stacks": told}

    async def memory(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        """Return where memory has grown since the last time, and which objects are most."""
        if not self._trace:
            return {"grown": [], "objects": {}}
        import tracemalloc

        gc.collect()
        now = tracemalloc.take_snapshot().filter_traces(
            [tracemalloc.Filter(False, tracemalloc.__file__)]
        )
        before, self._before = self._before, now
        grown = []
        if before is not None:
            for each in now.compare_to(before, "traceback")[:TOP]:
                frames = " < ".join(
                    f"{frame.filename.rsplit('/', 3)[-1]}:{frame.lineno}"
                    for frame in reversed(each.traceback)
                )
                grown.append(f"{each.size_diff / 1e3:+.1f} kB, {each.count_diff:+d}: {frames}")
        objects = Counter(type(each).__name__ for each in gc.get_objects())
        return {"grown": grown, "objects": dict(objects.most_common(40))}

    def close(self) -> None:
        """End measuring."""
        self._lag.close()


async def run(options: Mapping[str, Any], errors: Errors) -> None:
    """Serve calls until nobody asks any more."""
    asyncio.get_running_loop().set_exception_handler(errors.failed)
    if options["trace"]:
        import tracemalloc

        tracemalloc.start(4)
    url, keys = options["url"], options["keys"]
    places = {
        stage: [Endpoint(url + "/" * n, key, model) for n, key in enumerate(keys)]
        for stage, model in MISTRAL_MODELS.items()
        if stage in {"hear", "think", "speak"}
    }
    # The rules of the sandbox route to tools; the interpreter has no other model.
    limits = Limits(
        calls=options["calls"],
        per_address=MANY,
        per_caller=MANY,
        starts=MANY,
        requests=float(MANY),
        connections=MANY,
        connections_per_address=MANY,
    )
    records = StoreSettings(where=options["folder"], recordings="").make()
    assert records is not None
    observer = Observer(Meter("soak"), None, prices=PRICES)
    gate = Gate(Bounds(lag=options["lag"]))
    observer.open()
    gate.start()
    try:
        async with (
            records,
            Models.connect(
                hear=places["hear"],
                think=places["think"],
                speak=places["speak"],
                timeouts=Timeouts(connect=3.0, final=3.0, first=3.0, stall=3.0),
                smart_turn=warm_up(),
            ) as models,
        ):
            desk = Desk(
                [host(), Interpreter("en", "fr", name="booth")],
                models,
                limits=limits,
                records=records,
                gate=gate,
                observer=observer,
                wait=options["wait"],
            )
            watch = Watch(errors, desk, observer, trace=bool(options["trace"]))
            async with CallServer(desk, Exposure(port=0)) as server:
                await QUESTIONS.serve(
                    {"url": server.url},
                    {
                        "figures": watch.figures,
                        "census": watch.census,
                        "memory": watch.memory,
                        "stacks": watch.stacks,
                    },
                )
                watch.close()
            await records.flush()
    finally:
        gate.close()
        await observer.close()


def main() -> None:
    """Run it."""
    options = QUESTIONS.options()
    errors = Errors()
    logging.basicConfig(level=logging.WARNING, handlers=[errors])
    from loguru import logger

    logger.remove()
    logger.add(
        lambda message: logging.getLogger("pipecat").log(
            message.record["level"].no, message.record["message"]
        ),
        level="ERROR",
    )
    try:
        asyncio.run(run(options, errors))
    except Exception as error:  # noqa: BLE001 (who measures tells it)
        QUESTIONS.tell({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
