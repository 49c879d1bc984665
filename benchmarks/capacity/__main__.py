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
import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.capacity import page, pipe, ramp
from benchmarks.capacity.machine import OTHERS
from benchmarks.latency import machine, roster
from benchmarks.latency.backend import LATENCY
from benchmarks.latency.engine import EngineError
from benchmarks.latency.roster import RosterError
from benchmarks.latency.speech import chosen
from vivavoce.pipelines.benching.callers import order
from vivavoce.pipelines.benching.clip import Clip, ClipError
from vivavoce.sandbox.launch import SandboxError

CACHE = Path(__file__).parents[1] / ".cache"
STEPS = {
    "ours": (1, 10, 20, 30, 35, 40),
    "peer": (1, 5, 10, 12, 15, 20),
    "ours webrtc": (1, 5, 10, 15, 20, 25),
    "peer webrtc": (1, 3, 5, 7, 10),
}
"""Calls, one after the other, until it is too many."""
PARTS = ("pipe", "webrtc", "websocket", "gate", "stalls")
ENGINES = "ours,pipecat-mistral"
MORE = 1.5
"""Of what it carries, that is offered to a server with a gate."""
SHARE = 0.7
"""Of what it carries, for the stalls."""
GUESS = 20
"""Calls, where the knee was not measured yet."""


def measure(options: argparse.Namespace, clip: Clip, say: Console) -> dict[str, Any]:
    """Measure what was asked for; return it by part."""
    before = page.read()
    found: dict[str, Any] = {}
    names = [name.strip() for name in options.only.split(",")]
    parts = options.part or ["pipe", "webrtc", "gate"]
    given = [int(each) for each in options.calls.split(",")] if options.calls else None
    if "pipe" in parts:
        found["engines"] = {}
        for entry in roster.choose(options.only):
            steps = given or STEPS["peer" if entry.peer else "ours"]
            found["engines"][entry.name] = asyncio.run(
                pipe.curve(entry, CACHE, clip, steps, options.turns, say)
            )
            if options.split and entry.peer:
                found["engines"][f"{entry.name}, a process each"] = asyncio.run(
                    pipe.curve(entry, CACHE, clip, steps, options.turns, say, split=True)
                )
    for wire in ("webrtc", "websocket"):
        if wire not in parts:
            continue
        found[wire] = {}
        for name in names:
            if name != "ours" and (wire == "websocket" or not name.startswith("pipecat")):
                continue  # LiveKit's WebRTC needs its own media server, which is not Python's
            steps = given or STEPS[f"{'ours' if name == 'ours' else 'peer'} webrtc"]
            found[wire][name] = asyncio.run(
                ramp.curve(name, wire, CACHE, clip, steps, say, uvloop=options.uvloop)
            )
    known = found.get(options.wire, before.get(options.wire, {})).get("ours", {})
    carries = known.get("carries") or GUESS
    if "gate" in parts:
        calls = given[-1] if given else round(MORE * carries)
        found["gate"] = {
            options.wire: asyncio.run(ramp.overrun(options.wire, CACHE, clip, calls, say))
        }
    if "stalls" in parts:
        calls = given[-1] if given else max(1, round(SHARE * carries))
        found["stalls"] = {
            options.wire: asyncio.run(
                ramp.endure(options.wire, CACHE, clip, calls, options.minutes, say)
            )
        }
    return found


def show(found: dict[str, Any], console: Console) -> None:
    """Print what came out."""
    for part in ("engines", "webrtc", "websocket"):
        if not found.get(part):
            continue
        table = Table(title=f"Calls on one core, {'pipe' if part == 'engines' else part}")
        for name in ("engine", "calls", "CPU", "per call", "late p99", "v2v p95", "memory", ""):
            table.add_column(name, justify="left" if name in {"engine", ""} else "right")
        for name, one in found[part].items():
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
    for text in page.verdicts(found):
        console.print(text, highlight=False)


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks.capacity", description=__doc__)
    parser.add_argument(
        "part",
        nargs="*",
        metavar="PART",
        help=f"of {', '.join(PARTS)}; pipe, webrtc and gate if none is given",
    )
    parser.add_argument("--only", default=ENGINES, help=f"of {', '.join(roster.NAMES)}")
    parser.add_argument("--split", action="store_true", help="peers: also a process for each call")
    parser.add_argument("--calls", help="how many, one by one; for gate and stalls the last counts")
    parser.add_argument(
        "--turns", type=int, default=2, help="of each call, beside the first (pipe)"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="of stalls")
    parser.add_argument("--wire", default="webrtc", choices=["webrtc", "websocket"],
                        help="of gate and stalls")  # fmt: skip
    parser.add_argument("--uvloop", action="store_true", help="ours on uvloop (webrtc, websocket)")
    parser.add_argument("--no-save", action="store_true", help="leave results/capacity.json alone")
    parser.add_argument("--update-docs", action="store_true",
                        help="fill docs/capacity.md; alone it measures nothing")  # fmt: skip
    options = parser.parse_args()
    if unknown := set(options.part) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    if options.update_docs and not options.part and options.only == ENGINES:
        page.update()
        return 0
    say = Console(stderr=True, soft_wrap=True)
    try:
        roster.choose(options.only)
        clips = chosen(CACHE, None)
        clip = clips[order(1, len(clips), 5)[0]]
        os.sched_setaffinity(0, OTHERS)  # ours, and what we start: the sandbox
        gc.disable()  # a caller that stands still for it would hear everything late
        about = machine.describe()
        found = measure(options, clip, say)
    except (EngineError, RosterError, ClipError, SandboxError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    show(found, Console(width=None if sys.stdout.isatty() else 140))
    about["load_average_after"] = machine.describe()["load_average"]
    if not options.no_save:
        page.keep(found, about, LATENCY)
        if options.update_docs:
            page.update()
    else:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
