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
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.capacity import page
from benchmarks.capacity.climb import QUICK, Pace, Ramp, Spare, climb
from benchmarks.capacity.endure import endure
from benchmarks.capacity.machine import OTHERS
from benchmarks.capacity.network import Network
from benchmarks.capacity.overrun import LISTEN, Trial, overrun
from benchmarks.capacity.pipe import Pipe
from benchmarks.latency import machine, roster
from benchmarks.latency.backend import LATENCY
from benchmarks.latency.roster import RosterError
from benchmarks.latency.speech import chosen
from vivavoce.pipelines.benching.clip import Clip, ClipError
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.sandbox.launch import SandboxError

CACHE = Path(__file__).parents[1] / ".cache"
STEPS = {
    "ours": (1, 10, 20, 30, 40, 50, 60, 70),
    "peer": (1, 3, 5, 7, 10, 12, 15, 20),
    "split": (1, 2, 3, 5, 7, 10),
    "ours webrtc": (1, 5, 10, 15, 20, 25),
    "peer webrtc": (1, 2, 3, 5, 7, 10),
}
"""Calls, one after the other, until it is too many."""
PARTS = ("pipe", "webrtc", "websocket", "gate", "stalls")
USUAL = ("pipe", "webrtc", "gate")
ENGINES = "ours,pipecat-mistral"
SAID = "check-number-dial-again"
"""What callers say: "Please check the number and dial again.", 2.1 s."""
SHARE = 0.7
"""Of what it carries, for the stalls."""
GUESS = 20
"""Calls, where the knee was not measured yet."""
SPARE = 3.0
"""Minutes that a run may take longer to make sure of what is not."""


def measure(options: argparse.Namespace, clip: Clip, say: Console, keep: Keep) -> None:
    """Measure what was asked for, and have it kept part by part.

    Raises:
        ChildError: An engine did not start.
        SandboxError: The model servers did not.
    """
    parts = options.part or USUAL
    given = [int(each) for each in options.calls.split(",")] if options.calls else None
    pace, spare = QUICK if options.quick else Pace(), Spare(options.spare * 60)
    if given:
        pace = replace(pace, misses=len(given) + 1)  # all of them

    def climbed(part: str, name: str, ramp: Ramp, steps: Sequence[int]) -> None:
        found = asyncio.run(climb(ramp, given or steps, pace, spare, say))
        keep({part: {name: found}})

    if "pipe" in parts:
        for entry in roster.choose(options.only):
            steps = STEPS["peer" if entry.peer else "ours"]
            climbed("engines", entry.name, Pipe(entry, CACHE, clip), steps)
            if options.split and entry.peer:
                split = Pipe(entry, CACHE, clip, split=True)
                climbed("engines", split.name, split, STEPS["split"])
    for wire in ("webrtc", "websocket"):
        for name in options.only.split(",") if wire in parts else ():
            engine = name.strip()
            if engine != "ours" and (wire == "websocket" or not engine.startswith("pipecat")):
                continue  # LiveKit's WebRTC needs its own media server, which is not Python's
            steps = STEPS[f"{'ours' if engine == 'ours' else 'peer'} webrtc"]
            ramp = Network(engine, wire, CACHE, clip, uvloop=options.uvloop)
            climbed(wire, engine, ramp, steps)
    known = keep.found.get(options.wire) or page.read().get(options.wire) or {}
    carries = int(known.get("ours", {}).get("carries", 0))
    if "gate" in parts:
        seconds = 15.0 if options.quick else LISTEN
        trial = Trial.of(carries, given[-1] if given else None, seconds)
        keep({"gate": {options.wire: asyncio.run(overrun(options.wire, CACHE, clip, trial, say))}})
    if "stalls" in parts:
        calls = given[-1] if given else max(1, round(SHARE * (carries or GUESS)))
        done = asyncio.run(endure(options.wire, CACHE, clip, calls, options.minutes, say))
        keep({"stalls": {options.wire: done}})


class Keep:
    """Keeps what was measured, as soon as it is: what ends a run late leaves the rest.

    Args:
        about: The machine before.
        save: Whether the results are written.

    Attributes:
        found: All of it, by part, then by engine or line.
    """

    def __init__(self, about: dict[str, Any], *, save: bool) -> None:
        self.found: dict[str, Any] = {}
        self._about, self._save = about, save

    def __call__(self, found: dict[str, Any]) -> None:
        """Take a part."""
        for part, what in found.items():
            self.found.setdefault(part, {}).update(what)
        if self._save:
            after = machine.describe()["load_average"]
            page.keep(found, {**self._about, "load_average_after": after}, LATENCY)
        self._about = machine.describe()


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
    options = parsed(sys.argv[1:])
    if options.update_docs and not options.part and options.only == ENGINES:
        page.update()
        return 0
    say = Console(stderr=True, soft_wrap=True)
    began = time.monotonic()
    keep = Keep(machine.describe(), save=options.save)
    try:
        clip = next(clip for clip in chosen(CACHE, None) if clip.name == SAID)
        os.sched_setaffinity(0, OTHERS)  # ours, and what we start: the sandbox
        gc.disable()  # a caller that stands still for it would hear everything late
        sys.setswitchinterval(0.001)  # nor is one to wait for the thread that judges
        measure(options, clip, say, keep)
    except (ChildError, RosterError, ClipError, SandboxError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    show(keep.found, Console(width=None if sys.stdout.isatty() else 140))
    say.print(f"[dim]{(time.monotonic() - began) / 60:.1f} minutes[/]", highlight=False)
    if not options.save:
        print(json.dumps(keep.found))
    elif options.update_docs:
        page.update()
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what is asked for; a mistake ends the process with what to give."""
    parser = argparse.ArgumentParser("python -m benchmarks.capacity", description=__doc__)
    parser.add_argument(
        "part",
        nargs="*",
        metavar="PART",
        help=f"of {', '.join(PARTS)}; {', '.join(USUAL)} if none is given",
    )
    parser.add_argument("--only", "--engines", default=ENGINES, metavar="ENGINES",
                        help=f"of {', '.join(roster.NAMES)}")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="little of everything: a rehearsal")
    parser.add_argument("--split", action="store_true", help="peers: also a process for each call")
    parser.add_argument("--calls", help="how many, one by one; for gate and stalls the last counts")
    parser.add_argument("--minutes", type=float, default=10.0, help="of stalls")
    parser.add_argument("--spare", type=float, default=SPARE, metavar="MINUTES",
                        help="to go on with levels that are not sure")  # fmt: skip
    parser.add_argument("--wire", default="webrtc", choices=["webrtc", "websocket"],
                        help="of gate and stalls")  # fmt: skip
    parser.add_argument("--uvloop", action="store_true", help="ours on uvloop (webrtc, websocket)")
    parser.add_argument("--no-save", dest="save", action="store_false",
                        help="leave results/capacity.json alone")  # fmt: skip
    parser.add_argument("--update-docs", action="store_true",
                        help="fill docs/capacity.md; alone it measures nothing")  # fmt: skip
    options = parser.parse_args(arguments)
    if unknown := set(options.part) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    try:
        roster.choose(options.only)
    except RosterError as error:
        parser.error(str(error))
    if options.calls:
        try:
            calls = [int(each) for each in options.calls.split(",")]
        except ValueError:
            calls = []
        if not calls or calls != sorted(set(calls)) or not 1 <= calls[0] <= calls[-1] <= 250:
            parser.error(f"--calls {options.calls}: give numbers up to 250, rising, as in 1,5,10")
    if options.minutes <= 0 or options.spare < 0:
        parser.error("--minutes and --spare are lengths of time")
    return options


if __name__ == "__main__":
    sys.exit(main())
