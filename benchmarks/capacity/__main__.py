"""`python -m benchmarks.capacity`: how many calls a core carries, ours beside peers.

An engine's process, with all of its threads, has one core for itself; who calls, and the model
servers, have the others. Calls are added until the engine is over its knee: a packet in a hundred
comes 20 ms too late or later, or a turn in twenty is answered more than 10 % later than with one
call. What counts is what callers hear: when packets arrive, not what an engine says of itself.

Run it on a quiet machine of two cores or more. Engines take turns, none runs beside another one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from benchmarks.latency import machine, roster
from benchmarks.latency.backend import LATENCY, REPLY, Backend
from benchmarks.latency.engine import Engine, EngineError
from benchmarks.latency.roster import Entry, RosterError
from benchmarks.latency.speech import chosen
from vivavoce.pipelines.benching.callers import TurnCaller, order
from vivavoce.pipelines.benching.clip import Clip, ClipError
from vivavoce.pipelines.benching.listening import lateness
from vivavoce.pipelines.benching.take import Take, answer
from vivavoce.sandbox.launch import Sandbox, SandboxError

HERE = Path(__file__).parents[1]
CACHE, RESULTS = HERE / ".cache", HERE / "results"
STEPS = (1, 5, 10, 15, 20, 25, 30, 35, 40, 50, 60)
ENGINES = "ours,pipecat-mistral"
LATE = 0.020
"""Seconds that a packet in a hundred may be late."""
SLOWER = 1.10
"""How much later than with one call a turn in twenty may be answered."""
STAGGER = 0.35
"""Seconds between the beginnings of two calls: people do not speak in chorus."""
CHAR_MS = 25.0
"""A character of a reply: an answer of four seconds, so that much is spoken at once."""


def pin(pid: int, cores: Sequence[int]) -> None:
    """Let a process, its threads and its children run on these cores alone."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        for thread in process.threads():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread.id, cores)


@asynccontextmanager
async def engine(
    entry: Entry, sandbox: Sandbox, backend: Backend, calls: int, *, split: bool
) -> AsyncGenerator[list[tuple[Engine, int]]]:
    """Start an engine's calls; give for each the process that has it, and its number there.

    Args:
        entry: Which engine.
        sandbox: Its model servers.
        backend: Its key there.
        calls: How many.
        split: A process for each call instead of one for all.
    """
    pythons = await asyncio.to_thread(roster.prepare, [entry], CACHE)
    shares = [1] * calls if split else [calls]
    processes: list[Engine] = []
    try:
        for share in shares:
            one = roster.make(entry, pythons, sandbox.url, [backend.key] * share)
            await one.start()
            processes.append(one)
        seats = [
            (one, n) for one, share in zip(processes, shares, strict=True) for n in range(share)
        ]
        yield seats
    finally:
        for one in processes:
            await one.close()


async def measure(
    entry: Entry, clip: Clip, sandbox: Sandbox, calls: int, turns: int, *, split: bool
) -> dict[str, Any]:
    """Let so many calls talk; return what their callers heard and what it cost."""
    backend = Backend.make(sandbox)
    async with engine(entry, sandbox, backend, calls, split=split) as seats:
        script = [clip] * calls * (turns + 3)
        await asyncio.to_thread(backend.script, script, REPLY, CHAR_MS)
        processes = list({id(one): one for one, _ in seats}.values())
        for one in processes:
            assert one._process is not None  # noqa: SLF001 - the benchmark's own
            pin(one._process.pid, CORES)  # noqa: SLF001

        async def talk(number: int) -> list[tuple[Take, TurnCaller]]:
            one, call = seats[number]
            await asyncio.sleep(number * STAGGER)
            takes = []
            for turn in range(turns + 1):
                caller = TurnCaller(clip, number * 31 + turn)
                takes.append((await one.play(caller, call), caller))
            return takes

        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            talking = [group.create_task(talk(number)) for number in range(calls)]
            await asyncio.sleep(calls * STAGGER)
            cpu, began = sum(one.cpu() for one in processes), loop.time()
            await asyncio.wait(talking, return_when=asyncio.FIRST_COMPLETED)
            seconds = max(0.1, loop.time() - began)
            used = (sum(one.cpu() for one in processes) - cpu) / seconds
        # The first turn of each call warms it up.
        takes = [take for task in talking for take in task.result()[1:]]
        late = [each for take, _ in takes for each in lateness(take.packets)]
        answers = [answer(take, caller.voiced_end) for take, caller in takes]
        v2v = [each.v2v * 1000 for each in answers if each.v2v is not None]
        return {
            "calls": calls,
            "turns": len(takes),
            "cpu": round(used, 4),
            "cpu_per_call": round(used / calls, 4),
            "memory_mb": round(sum(one.memory() for one in processes), 1),
            "late_ms": {
                name: round(float(np.percentile(late, share)) * 1000, 1) if late else None
                for name, share in (("p50", 50), ("p99", 99), ("max", 100))
            },
            "v2v_ms": {
                name: round(float(np.percentile(v2v, share)), 1) if v2v else None
                for name, share in (("p50", 50), ("p95", 95))
            },
            "lost": sum(each.lost for each in answers),
            "premature": sum(each.premature for each in answers),
            "caller_late_ms": round(max(take.late for take, _ in takes) * 1000, 1),
            "versions": processes[0].ready.get("versions", {}),
        }


def over(row: dict[str, Any], alone: dict[str, Any]) -> str:
    """Return why an engine is over its knee; "" while it is not."""
    if row["lost"]:
        return f"{row['lost']} turns without an answer"
    if row["late_ms"]["p99"] is None or row["late_ms"]["p99"] >= LATE * 1000:
        return f"a packet in a hundred is {row['late_ms']['p99']} ms late"
    if row["v2v_ms"]["p95"] > alone["v2v_ms"]["p95"] * SLOWER:
        return f"a turn in twenty takes {row['v2v_ms']['p95']:.0f} ms"
    return ""


async def curve(
    entry: Entry,
    clip: Clip,
    steps: Sequence[int],
    turns: int,
    say: Console,
    *,
    split: bool = False,
) -> dict[str, Any]:
    """Add calls until the engine is over its knee, and once more."""
    rows: list[dict[str, Any]] = []
    carries, beyond = 0, 0
    for calls in steps:
        with Sandbox() as sandbox:
            try:
                row = await measure(entry, clip, sandbox, calls, turns, split=split)
            except EngineError as error:
                say.print(f"[dim]{entry.name}, {calls} calls: {str(error).splitlines()[0]}[/]")
                break
        rows.append(row)
        row["over"] = over(row, rows[0])
        say.print(
            f"[dim]{entry.name}{' (a process each)' if split else ''}, {calls} calls:"
            f" {row['cpu']:.0%} of a core, p99 {row['late_ms']['p99']} ms late,"
            f" p95 {row['v2v_ms']['p95']} ms, {row['memory_mb']:.0f} MB {row['over']}[/]",
            highlight=False,
        )
        if not row["over"]:
            carries = calls
        else:
            beyond += 1
            if beyond >= 2:
                break
    last = next((row for row in reversed(rows) if not row["over"]), rows[0]) if rows else None
    growth = None
    if last is not None and last["calls"] > 1:
        growth = (last["memory_mb"] - rows[0]["memory_mb"]) / (last["calls"] - 1)
    return {
        "what": entry.what,
        "split": split,
        "carries": carries,
        "mb_per_added_call": None if growth is None else round(growth, 2),
        "rows": rows,
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print what came out."""
    table = Table(title="Calls on one core")
    for name in ("engine", "calls", "CPU", "per call", "late p99", "v2v p95", "memory", ""):
        table.add_column(name, justify="left" if name in {"engine", ""} else "right")
    for name, one in found.items():
        for row in one["rows"]:
            table.add_row(
                name,
                str(row["calls"]),
                f"{row['cpu']:.0%}",
                f"{row['cpu_per_call']:.2%}",
                f"{row['late_ms']['p99']} ms",
                f"{row['v2v_ms']['p95']} ms",
                f"{row['memory_mb']:.0f} MB",
                row["over"],
            )
        table.add_section()
    console.print(table)
    for name, one in found.items():
        grows = one["mb_per_added_call"]
        memory = "" if grows is None else f", {grows:.1f} MB for each added one"
        console.print(f"{name}: {one['carries']} calls{memory}", highlight=False)


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--only", default=ENGINES, help=f"of {', '.join(roster.NAMES)}")
    parser.add_argument("--split", action="store_true", help="peers: also a process for each call")
    parser.add_argument("--calls", default=",".join(map(str, STEPS)), help="how many, one by one")
    parser.add_argument("--turns", type=int, default=4, help="of each call, beside the first")
    options = parser.parse_args()
    steps = [int(each) for each in options.calls.split(",")]
    say = Console(stderr=True)
    try:
        entries = roster.choose(options.only)
        clips = chosen(CACHE, None)
        clip = clips[order(1, len(clips), 5)[0]]
        os.sched_setaffinity(0, OTHERS)  # ours, and what we start: the sandbox
        about = machine.describe()
        found = {}
        for entry in entries:
            found[entry.name] = asyncio.run(curve(entry, clip, steps, options.turns, say))
            if options.split and entry.peer:
                found[f"{entry.name}, a process each"] = asyncio.run(
                    curve(entry, clip, steps, options.turns, say, split=True)
                )
    except (EngineError, RosterError, ClipError, SandboxError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    show(found, Console(width=None if sys.stdout.isatty() else 140))
    result = {
        "machine": about,
        "load_average_after": machine.describe()["load_average"],
        "backends": LATENCY,
        "engines": found,
    }
    (RESULTS / "capacity.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


_USABLE = sorted(os.sched_getaffinity(0))
CORES = _USABLE[-1:]
"""Where engines run."""
OTHERS = _USABLE[:-1] or _USABLE
"""Where callers and model servers do."""

if __name__ == "__main__":
    sys.exit(main())
