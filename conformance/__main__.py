"""Runs the table of conformance: capability by provider by fault, over real sockets.

`make conformance`, or `python -m conformance [capability ...]`; see `conformance/frame.py`. What a
capability's cells gave is kept in `conformance/results`, and the page is made of all that is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.frame import Cell, Lab, Result
from conformance.page import page
from vivavoce.sandbox.launch import Sandbox

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "conformance.md"
ONE_BY_ONE = {"transcribing files"}
"""Capabilities whose cells share the one recogniser for so long that time-outs would strike."""
NOT_ROWS = {"__main__", "frame", "page"}
RESULTS = HERE / "results"
LONGEST = 60.0
"""Seconds that a cell may take."""
AT_ONCE = 4
"""Cells that run at the same time: they wait more than they work."""


def capabilities() -> dict[str, list[Cell]]:
    """Return the cells of every module in this folder, by capability."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if path.stem not in NOT_ROWS:
            module = importlib.import_module(f"conformance.{path.stem}")
            found[module.CAPABILITY] = list(module.cells())
    return found


async def run(cell: Cell, capability: str, lab: Lab) -> Result:
    """Run a cell; what it raises is its result."""
    began = time.monotonic()
    outcome, why = None, ""
    try:
        async with asyncio.timeout(LONGEST):
            outcome = await cell.run(lab)
    except TimeoutError:
        why = f"it took more than {LONGEST:g} s"
    except Exception as error:  # noqa: BLE001 (a cell that fails is what this is about)
        why = f"{type(error).__name__}: {error}"
    return Result(capability, cell, outcome, why, time.monotonic() - began)


async def run_all(wanted: list[str], console: Console, at_once: int = AT_ONCE) -> list[Result]:
    """Run the capabilities that are wanted, or all; keep those of which no cell failed."""
    chosen = {name: cells for name, cells in capabilities().items() if name in wanted or not wanted}
    results = []
    turn = asyncio.Semaphore(at_once)
    alone = asyncio.Semaphore(1)

    async def in_turn(cell: Cell, capability: str, lab: Lab) -> Result:
        async with alone if capability in ONE_BY_ONE else turn:
            return await run(cell, capability, lab)

    async with Sandbox.launch() as sandbox:
        lab = Lab(sandbox)
        for capability, cells in chosen.items():
            table = Table(title=f"{capability}: {len(cells)} cells", title_justify="left")
            for name in ("", "provider", "fault", "the caller", "proof", "s"):
                table.add_column(name, overflow="fold")
            made = await asyncio.gather(*(in_turn(cell, capability, lab) for cell in cells))
            results += made
            for cell, result in zip(cells, made, strict=True):
                good = result.outcome
                table.add_row(
                    "[green]✓[/]" if good else "[red]✗[/]",
                    cell.provider,
                    cell.fault,
                    escape(good.experience if good else result.why),
                    escape(good.proof if good else ""),
                    f"{result.seconds:.1f}",
                )
            console.print(table)
            keep(capability, made)
    return results


def keep(capability: str, results: list[Result]) -> None:
    """Keep what the cells of a capability gave, unless one of them failed."""
    rows = [
        [result.cell.provider, result.cell.fault, result.outcome.experience, result.outcome.proof]
        for result in results
        if result.outcome is not None
    ]
    if len(rows) == len(results):
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{capability.replace(' ', '_')}.json"
        path.write_text(
            json.dumps({"capability": capability, "cells": rows}, ensure_ascii=False, indent=1)
            + "\n"
        )


def main() -> int:
    """Run it; 0 if every cell is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("capability", nargs="*", help="only these")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="cells at the same time")
    given = parser.parse_args()
    wanted: list[str] = given.capability
    if unknown := set(wanted) - set(capabilities()):
        parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(capabilities())}")
    logging.getLogger("vivavoce").setLevel(logging.CRITICAL)  # failing is what they are made for
    console = Console(width=None if sys.stdout.isatty() else 160)
    results = asyncio.run(run_all(wanted, console, given.at_once))
    failed = [result for result in results if result.outcome is None]
    console.print(f"{len(results) - len(failed)} of {len(results)} cells are as they should be")
    if not failed:
        PAGE.write_text(page(HERE / "results"))
        console.print(f"{PAGE.relative_to(HERE.parent)} is written")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
