"""Runs the fault table: whole calls, each with one fault.

`make faults`, or `python -m conformance.faults [--only TEXT]`. What the rows gave is kept in
`conformance/results/faults.json` with `--update-docs`, and docs/faults.md is made of it.
"""

from __future__ import annotations

from conformance.faults.certificates import Authority

Authority.trust()  # before anything that connects is imported

import argparse  # noqa: E402
import asyncio  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from pathlib import Path  # noqa: E402

from loguru import logger  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.markup import escape  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: E402

from conformance.faults.page import page  # noqa: E402
from conformance.faults.row import Finding, Lab, Row  # noqa: E402
from conformance.faults.table import AT_ONCE, chosen, keep, load, missing, run_all  # noqa: E402
from conformance.faults.watch import Log, Owners  # noqa: E402
from vivavoce.sandbox.launch import Sandbox  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


async def table(rows: list[Row], console: Console, at_once: int, *, keeping: bool) -> list[Finding]:
    """Run rows, show what came of each, and keep it."""
    log, owners = Log(), Owners()
    owners.install()
    logging.getLogger().addHandler(log)
    logging.getLogger("vivavoce").setLevel(logging.INFO)
    logging.getLogger("vivavoce").propagate = True
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    async with Sandbox.launch(ready_s=180) as sandbox:  # the machine may be busy
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("", total=len(rows), now="")

            def told(row: Row, finding: Finding) -> None:
                mark = "[red]✗[/]" if finding.wrong else "[green]✓[/]"
                progress.console.print(f"{mark} {escape(row.name)} [dim]{finding.seconds:.0f} s[/]")
                for name, text in (
                    ("heard", finding.heard),
                    ("seen", finding.seen),
                    ("kept", finding.kept),
                ):
                    progress.console.print(f"    [dim]{name}[/] {escape(text)}", highlight=False)
                for wrong in finding.wrong:
                    progress.console.print(f"    [red]wrong[/] {escape(wrong)}", highlight=False)
                if keeping:
                    keep([row], [finding])
                progress.update(bar, advance=1, now=escape(row.name))

            return await run_all(rows, Lab(sandbox, log, owners), told, at_once)


def main() -> int:
    """Run it; 0 if nothing is lost in any row."""
    parser = argparse.ArgumentParser(prog="python -m conformance.faults", description=__doc__)
    parser.add_argument(
        "--only", default="", help="rows whose name has this text, or fits a pattern"
    )
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="rows at the same time")
    parser.add_argument(
        "--update-docs", action="store_true", help="keep the results, write the page"
    )
    parser.add_argument("--list", action="store_true", help="name the rows")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logger.remove()
    console = Console(width=None if sys.stdout.isatty() else 200)
    rows = chosen(given.only)
    if given.list:
        for row in rows:
            console.print(f"{row.name} ({row.when})", markup=False, highlight=False)
        return 0
    if not rows:
        parser.error(f"no row has {given.only!r} in its name; --list names them")
    for row in rows:
        if lacks := missing(row):
            console.print(f"[yellow]–[/] {escape(row.name)}: this machine has no {lacks}")
    rows = [row for row in rows if not missing(row)]
    began = time.monotonic()
    work = table(rows, console, given.at_once, keeping=given.update_docs)
    findings = asyncio.run(work)
    seconds = time.monotonic() - began
    bad = sum(bool(each.wrong) for each in findings)
    console.print(f"{len(rows) - bad} of {len(rows)} faults lost nothing; {seconds:.0f} s")
    if given.update_docs:
        keep(rows, findings, seconds)
        PAGE.write_text(page(load()))
        console.print("conformance/results/faults.json and docs/faults.md are written")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
