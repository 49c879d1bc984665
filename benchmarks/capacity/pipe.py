"""Calls over the benchmark's pipe: no network, the same for every engine."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.capacity.crowd import judged
from benchmarks.capacity.knee import TIRED, over, summary
from benchmarks.capacity.machine import CORES, pin
from benchmarks.latency import roster
from benchmarks.latency.backend import REPLY, Backend
from benchmarks.latency.engine import Engine, EngineError
from benchmarks.latency.roster import Entry
from vivavoce.pipelines.benching.callers import TurnCaller
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.listening import lateness
from vivavoce.pipelines.benching.take import Take, answer
from vivavoce.sandbox.launch import Sandbox

TURN = 9.0
"""Seconds of a turn and its answer, about: calls begin evenly over that, for people do not speak in
chorus."""
CHAR_MS = 25.0
"""A character of a reply: an answer of four seconds, so that much is spoken at once."""
FEWEST = 4
"""Turns that are judged at least: with one call there are more of it."""
AT_ONCE = 3
"""Processes that start at the same time."""


@asynccontextmanager
async def engine(
    entry: Entry, cache: Path, sandbox: Sandbox, backend: Backend, calls: int, *, split: bool
) -> AsyncGenerator[list[tuple[Engine, int]]]:
    """Start an engine's calls; give for each the process that has it, and its number there.

    Args:
        entry: Which engine.
        cache: Where peers' environments are.
        sandbox: Its model servers.
        backend: Its key there.
        calls: How many.
        split: A process for each call instead of one for all.
    """
    pythons = await asyncio.to_thread(roster.prepare, [entry], cache)
    shares = [1] * calls if split else [calls]
    processes = [
        roster.make(entry, pythons, sandbox.url, [backend.key] * share) for share in shares
    ]
    room = asyncio.Semaphore(AT_ONCE)

    async def start(one: Engine) -> None:
        async with room:
            await one.start()

    try:
        async with asyncio.TaskGroup() as group:
            for one in processes:
                group.create_task(start(one))
        yield [(one, n) for one, share in zip(processes, shares, strict=True) for n in range(share)]
    except* EngineError as failed:
        raise failed.exceptions[0] from None
    finally:
        for one in processes:
            await one.close()


async def measure(
    entry: Entry, cache: Path, clip: Clip, calls: int, turns: int, *, split: bool
) -> dict[str, Any]:
    """Let so many calls talk; return what their callers heard and what it cost."""
    turns = max(turns, -(-FEWEST // calls))
    with Sandbox() as sandbox:
        backend = Backend.make(sandbox)
        async with engine(entry, cache, sandbox, backend, calls, split=split) as seats:
            script = [clip] * calls * (turns + 3)
            await asyncio.to_thread(backend.script, script, REPLY, CHAR_MS)
            processes = list({id(one): one for one, _ in seats}.values())
            for one in processes:
                pin(one.pid, CORES)

            async def talk(number: int) -> list[tuple[Take, TurnCaller]]:
                one, call = seats[number]
                await asyncio.sleep(number * TURN / calls)
                takes = []
                for turn in range(turns + 1):
                    caller = TurnCaller(clip, number * 31 + turn)
                    takes.append((await one.play(caller, call), caller))
                return takes

            loop = asyncio.get_running_loop()
            async with asyncio.TaskGroup() as group:
                talking = [group.create_task(talk(number)) for number in range(calls)]
                await asyncio.sleep(TURN)
                cpu, began = sum(one.cpu() for one in processes), loop.time()
                await asyncio.wait(talking, return_when=asyncio.FIRST_COMPLETED)
                seconds = max(0.1, loop.time() - began)
                used = (sum(one.cpu() for one in processes) - cpu) / seconds
            # The first turn of each call warms it up.
            takes = [take for task in talking for take in task.result()[1:]]
            late = [each for take, _ in takes for each in lateness(take.packets)]
            return {
                "calls": calls,
                "turns": len(takes),
                **judged(late, [answer(take, caller.voiced_end) for take, caller in takes]),
                "cpu": round(used, 4),
                "cpu_per_call": round(used / calls, 5),
                "memory_mb": round(sum(one.memory() for one in processes), 1),
                "caller_late_ms": round(max(take.late for take, _ in takes) * 1000, 1),
                "versions": processes[0].ready.get("versions", {}),
            }


async def curve(
    entry: Entry,
    cache: Path,
    clip: Clip,
    steps: Sequence[int],
    turns: int,
    say: Console,
    *,
    split: bool = False,
) -> dict[str, Any]:
    """Have more and more calls until it is too many."""
    rows: list[dict[str, Any]] = []
    name = f"{entry.name}{', a process each' if split else ''}"
    for calls in steps:
        gc.collect()
        try:
            row = await measure(entry, cache, clip, calls, turns, split=split)
        except EngineError as error:
            say.print(f"[dim]{name}, {calls} calls: {str(error).splitlines()[0]}[/]")
            break
        rows.append(row)
        row["over"] = over(row, rows[0])
        say.print(line(name, row), highlight=False)
        if row["over"] and len(rows) > 1:
            break
    return {"what": entry.what, "split": split, **summary(rows), "rows": rows}


def line(name: str, row: dict[str, Any]) -> str:
    """Return a row as a line for who waits."""
    late = row["caller_late_ms"]
    doubt = f" (doubtful: the callers themselves were {late} ms late)" if late > TIRED else ""
    return (
        f"[dim]{name}, {row['calls']} calls: {row['cpu']:.0%} of a core, p99"
        f" {row['late_ms']['p99']} ms late, p95 {row['v2v_ms']['p95']} ms,"
        f" {row['memory_mb']:.0f} MB {row['over']}{doubt}[/]"
    )
