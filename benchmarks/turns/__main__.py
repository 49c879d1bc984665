"""`python -m benchmarks.turns`: turn-taking, measured on whole calls and their recordings.

python -m benchmarks.turns heard --count 300     what was heard, against the recording
python -m benchmarks.turns floor --count 100     who keeps the floor, and how fast it is lost
python -m benchmarks.turns degrade --count 4     late, uneven and slow servers
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from loguru import logger
from rich.console import Console
from rich.table import Table

from benchmarks.latency import machine
from benchmarks.turns import degrade, floor, heard
from benchmarks.turns.calls import hall
from vivavoce.sandbox.launch import SandboxError

MEASURES = {"heard": (heard, 300), "floor": (floor, 100), "degrade": (degrade, 4)}
RESULTS = Path(__file__).parent.parent / "results"


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.turns", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", choices=list(MEASURES))
    parser.add_argument("--count", type=int, help="calls; floor: of each sort; degrade: replies")
    parser.add_argument("--seed", type=int, default=1, help="of sounds and moments")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument("--quiet", action="store_true", help="no line per call")
    found = parser.parse_args(given)
    if found.count is None:
        found.count = MEASURES[found.command][1]
    if not 1 <= found.count <= 10_000:
        parser.error(f"--count {found.count}: give 1 to 10000")
    return found


async def _run(options: argparse.Namespace, log: Console) -> tuple[Table, dict[str, object]]:
    measure: Any = MEASURES[options.command][0]

    def say(line: str) -> None:
        if not options.quiet:
            log.print(f"[dim]{line}[/]", highlight=False)

    async with hall() as opened:
        trials = await measure.run(opened, options.count, options.seed, say)
    shown: tuple[Table, dict[str, object]] = measure.show(trials)
    return shown


def main(given: list[str] | None = None) -> int:
    """Run one measurement; return 0 if it met its goals."""
    options = _arguments(sys.argv[1:] if given is None else given)
    logger.remove()
    console = Console(width=None if sys.stdout.isatty() else 140)
    before = machine.describe()
    try:
        table, figures = asyncio.run(_run(options, Console(stderr=True, width=140)))
    except SandboxError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    console.print(table)
    console.print(figures)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"turns-{options.command}.json"
    result = {
        "command": options.command,
        "count": options.count,
        "seed": options.seed,
        "machine": before,
        "load_average_after": machine.describe()["load_average"],
        "figures": figures,
    }
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"[dim]{path}[/]")
    return 0 if figures["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
