"""`python -m benchmarks.turns`: turn-taking, measured on whole calls and their recordings.

python -m benchmarks.turns heard --count 300     what was heard, against the recording
python -m benchmarks.turns floor --count 100     who keeps the floor, and how fast it is lost
python -m benchmarks.turns degrade --count 4     late, uneven and slow servers
python -m benchmarks.turns endings --count 200   what ends a turn: ours, peers', time-outs; offline
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loguru import logger
from rich.console import Console
from rich.table import Table

from benchmarks.latency import machine
from benchmarks.latency.roster import RosterError
from benchmarks.latency.speech import chosen
from benchmarks.turns import degrade, errors, floor, heard
from benchmarks.turns.calls import hall
from benchmarks.turns.picture import draw
from vivavoce.pipelines.benching.clip import ClipError
from vivavoce.sandbox.launch import SandboxError

MEASURES = {"heard": heard, "floor": floor, "degrade": degrade}
COUNTS = {"heard": 300, "floor": 100, "degrade": 4, "endings": 200}
CALLS = {"heard": 4, "floor": 1, "degrade": 2, "endings": 1}
"""Side by side. How soon a reply goes on behind a cough depends on how soon the recogniser
answers, and there is one for all calls: more of them at the same time make it slower."""
HERE = Path(__file__).parent.parent
RESULTS, CACHE = HERE / "results", HERE / ".cache"


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.turns", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", choices=list(COUNTS))
    parser.add_argument(
        "--count",
        type=int,
        help="calls; floor: of each sort; degrade: replies; endings: utterances",
    )
    parser.add_argument("--calls", type=int, help="side by side; endings: none")
    parser.add_argument("--speech", type=Path, help="endings: a folder as for the benchmarks")
    parser.add_argument(
        "--no-livekit", action="store_true", help="endings: leave LiveKit's detector out"
    )
    parser.add_argument("--seed", type=int, default=1, help="of sounds and moments")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument("--quiet", action="store_true", help="no line per call")
    found = parser.parse_args(given)
    if found.count is None:
        found.count = COUNTS[found.command]
    if found.calls is None:
        found.calls = CALLS[found.command]
    if not 1 <= found.count <= 10_000:
        parser.error(f"--count {found.count}: give 1 to 10000")
    if not 1 <= found.calls <= 100:
        parser.error(f"--calls {found.calls}: give 1 to 100")
    return found


@dataclass
class Found:
    """What a measurement gives.

    Attributes:
        table: To be shown.
        figures: To be kept; "met" is whether the goals were.
        lines: To be shown below.
        more: To be kept as well.
        picture: Of it, as SVG; empty for none.
    """

    table: Table
    figures: dict[str, object]
    lines: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    picture: str = ""


async def _run(options: argparse.Namespace, log: Console) -> Found:

    def say(line: str) -> None:
        if not options.quiet:
            log.print(f"[dim]{line}[/]", highlight=False)

    if options.command == "endings":
        return await _endings(options, say)
    measure: Any = MEASURES[options.command]
    async with hall() as opened:
        trials = await measure.run(opened, options.count, options.seed, say, options.calls)
    return Found(*measure.show(trials))


async def _endings(options: argparse.Namespace, say: Callable[[str], None]) -> Found:
    clips = await asyncio.to_thread(chosen, CACHE, options.speech)
    rows = await errors.run(clips, options.count, CACHE, say, livekit=not options.no_livekit)
    table, figures = errors.show(rows)
    title = f"ends of turns, {options.count} utterances with a pause"
    return Found(
        table, figures, errors.cut_lines(rows), {"trials": errors.told(rows)}, draw(rows, title)
    )


def main(given: list[str] | None = None) -> int:
    """Run one measurement; return 0 if it met its goals."""
    options = _arguments(sys.argv[1:] if given is None else given)
    logger.remove()
    console = Console(width=None if sys.stdout.isatty() else 140)
    before = machine.describe()
    try:
        found = asyncio.run(_run(options, Console(stderr=True, width=140)))
    except (SandboxError, ClipError, RosterError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    console.print(found.table)
    for line in found.lines:
        console.print(line, highlight=False, markup=False)
    if options.command != "endings":  # whose table has them all
        console.print(found.figures)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"turns-{options.command}.json"
    result = {
        "command": options.command,
        "count": options.count,
        "seed": options.seed,
        "machine": before,
        "load_average_after": machine.describe()["load_average"],
        "figures": found.figures,
        **found.more,
    }
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if found.picture:
        path.with_suffix(".svg").write_text(found.picture, encoding="utf-8")
    console.print(f"[dim]{path}[/]")
    return 0 if found.figures["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
