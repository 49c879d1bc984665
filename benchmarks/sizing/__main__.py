"""How many machines for how many calls, and what saturates first: `python -m benchmarks.sizing`.

Each figure is a flag (`--mean-call 240 --node-cores 32`); `--calls-per-core 30` sets all three
kinds of calls. It prints tables; with no flag of a figure it also writes `results/sizing.json`,
the tables of `docs/sizing.md` and its picture. `python -m benchmarks.sizing.measure` measures what
stands beside the agents.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.sizing import erlang, page
from benchmarks.sizing.day import DAY, Day, Plan, Told
from benchmarks.sizing.figures import RESULTS, Figures, read
from benchmarks.sizing.parts import minute, parts, per_core, per_node

SIZES = (100, 1_000, 10_000, 100_000)
DOCS = Path(__file__).parents[2] / "docs"
DEPLOY = 10 * 3600
"""New code comes at ten in the morning, when most call."""
BURST = (int(10.2 * 3600), 600, 2.5)
"""And so do two and a half times as many calls, for ten minutes, after some news."""
RARE = 1e-4


def _arguments(given: list[str], figures: Figures) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.sizing", description=__doc__)
    parser.add_argument("--sizes", help="calls at a time in the busiest hour, parted by commas")
    parser.add_argument("--calls-per-core", type=float, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=24.0, help="of the day, from midnight on")
    parser.add_argument("--out", type=Path, help="write the JSON here, and no page")
    for figure in figures.all:
        flag = f"--{figure.name.replace('_', '-')}"
        parser.add_argument(
            flag, type=float, dest=figure.name, help=f"{figure.unit} ({figure.value:g})"
        )
    return parser.parse_args(given)


def simulate(size: float, figures: Figures, seed: int, seconds: int, **more: Any) -> Told:
    """A day of so many calls on machines of that kind."""
    plan = Plan(
        peak=size,
        per_node=per_node(figures),
        mean=figures["mean_call"],
        spread=figures["spread"],
        use=figures["use"],
        boot=int(figures["boot"]),
        lives=figures["lives"],
        drain=int(figures["drain"]),
        deploy=DEPLOY,
        seconds=seconds,
        **more,
    )
    return Day(plan, seed).run()


def row(size: float, told: Told, figures: Figures) -> dict[str, Any]:
    """What is told of a day, and what theory says of it."""
    room = per_node(figures)
    busiest = max(range(len(told.calls)), key=told.calls.__getitem__)
    up = told.up[busiest]
    return {
        "size": size,
        "calls": told.came,
        "most": told.most,
        "nodes": told.nodes,
        "up_at_the_peak": up,
        "node_hours": round(told.node_hours, 1),
        "minutes": round(told.minutes),
        "use": round(told.minutes / 60 / (told.node_hours * room), 3),
        "refused": told.refused,
        "worst_minute": round(told.worst, 5),
        "deaths": told.deaths,
        "moved": told.moved,
        "cut": told.cut,
        "lines_for_1_in_10000": erlang.lines(size, RARE),
        "cost": {
            name: round(value, 6)
            for name, value in minute(
                figures, node_hours=told.node_hours, minutes=told.minutes, peak=size
            ).items()
        },
    }


def main(given: list[str] | None = None) -> int:
    """Simulate, print, and write; return the exit code."""
    words = sys.argv[1:] if given is None else given
    options = _arguments(words, read())
    changed = {
        name: value for name, value in vars(options).items() if name in read() and value is not None
    }
    if options.calls_per_core:
        for kind in ("telephone", "webrtc", "socket"):
            changed.setdefault(f"{kind}_per_core", options.calls_per_core)
    try:
        figures = read(changed)
        sizes = tuple(int(each) for each in (options.sizes or "").split(",") if each) or SIZES
        per_node(figures)
        seconds = max(600, round(options.hours * 3600))
    except ValueError as error:
        print(f"benchmarks.sizing: {error}", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows, days = [], {}
    for size in sizes:
        began = time.monotonic()
        told = simulate(size, figures, options.seed, seconds)
        rows.append(row(size, told, figures))
        days[size] = told
        console.print(
            f"[dim]{size} calls: {told.came} in a day, {time.monotonic() - began:.0f} s[/]"
        )
    middle = sizes[-2] if len(sizes) > 1 else sizes[0]
    burst = simulate(middle, figures, options.seed, seconds, burst=BURST)
    shown = days[middle]
    report = {
        "figures": {
            each.name: {
                "value": each.value, "unit": each.unit, "kind": each.kind, "why": each.why,
            }
            for each in figures.all
        },
        "per_core": round(per_core(figures), 2),
        "per_node": per_node(figures),
        "rows": rows,
        "parts": [
            {
                "name": each.name, "full": round(each.full, 1), "more": each.more,
                "counts": {str(size): each.count(size) for size in sizes},
            }
            for each in parts(figures)
        ],
        "burst": {
            "size": middle, "times": BURST[2], "minutes": BURST[1] / 60, "came": burst.came,
            "refused": burst.refused, "worst_minute": round(burst.worst, 4), "most": burst.most,
        },
        "day": {
            "calls": shown.calls[::10],
            "room": [up * per_node(figures) for up in shown.up[::10]],
        },
    }  # fmt: skip
    for text in page.tables(report).values():
        print(text)
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    elif not changed and sizes == SIZES and seconds == DAY:
        (RESULTS / "sizing.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        page.write(report, DOCS)
        console.print("[dim]benchmarks/results/sizing.json, docs/sizing.md[/]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
