"""The table: all rows, how they are run, and what is kept of them."""

from __future__ import annotations

import asyncio
import fcntl
import fnmatch
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conformance.faults import around, lines, phones, process, providers, tokens
from conformance.faults.row import ROW, Finding, Lab, Row

RESULTS = Path(__file__).parent.parent / "results" / "faults.json"
LONGEST = 300.0
"""Seconds that a row may take."""
AT_ONCE = 8
"""Rows that run at the same time: they wait more than they work."""
Told = Callable[[Row, Finding], None]


def all_rows() -> list[Row]:
    """Return the rows, in the order of the page."""
    groups = (providers, around, tokens, lines, phones, process)
    return [row for each in groups for row in each.rows()]


def chosen(pattern: str = "") -> list[Row]:
    """Return those whose name has a text in it, or fits a pattern with `*`."""
    wanted = pattern.lower()
    return [
        row
        for row in all_rows()
        if wanted in row.name.lower() or fnmatch.fnmatch(row.name.lower(), wanted)
    ]


def missing(row: Row) -> str:
    """Return what this machine lacks for a row; "" for nothing."""
    for need in row.needs.split():
        if need == "root":
            if os.geteuid() != 0:
                return "root"
        elif need == process.FAKETIME:
            if not process.faketime():
                return need
        elif not shutil.which(need) and not shutil.which(need, path="/usr/sbin:/sbin"):
            return need
    return ""


async def run(row: Row, lab: Lab) -> Finding:
    """Run a row; what it raises is what is wrong with it."""
    began = time.monotonic()

    async def work() -> Finding:
        ROW.set(row.name)
        async with asyncio.timeout(LONGEST):
            return await row.run(lab)

    try:
        finding = await asyncio.create_task(work(), name=row.name)
    except TimeoutError:
        finding = Finding("", "", "", [f"it took more than {LONGEST:g} s"])
    except Exception as error:  # noqa: BLE001 (a row that fails is what this is about)
        finding = Finding("", "", "", [f"the row broke: {type(error).__name__}: {error}"])
    finding.seconds = time.monotonic() - began
    return finding


async def run_all(
    rows: Sequence[Row], lab: Lab, told: Told, at_once: int = AT_ONCE
) -> list[Finding]:
    """Run rows: those that may, side by side; the others by themselves behind them.

    A row that came out wrong, and whose caller this machine was too slow for, is run once more, by
    itself.
    """
    turn, door = asyncio.Semaphore(at_once), asyncio.Lock()
    found: dict[str, Finding] = {}
    again: set[str] = set()

    async def in_turn(row: Row) -> None:
        weight = min(row.weight, at_once)
        async with door:
            for _ in range(weight):
                await turn.acquire()
        try:
            found[row.name] = await run(row, lab)
        finally:
            for _ in range(weight):
                turn.release()
        if found[row.name].wrong and found[row.name].figures.get("slow"):
            again.add(row.name)
        else:
            told(row, found[row.name])

    async with asyncio.TaskGroup() as group:
        for row in rows:
            if not row.alone:
                group.create_task(in_turn(row))
    for row in rows:
        if row.alone or row.name in again:
            found[row.name] = await run(row, lab)
            told(row, found[row.name])
    return [found[row.name] for row in rows]


def keep(
    rows: Sequence[Row], findings: Sequence[Finding], seconds: float = 0.0, path: Path = RESULTS
) -> None:
    """Keep what rows gave, in place of what was kept of them before.

    A row that broke, ran out of time, went wrong before anything was broken, or came out wrong with
    a caller whom this machine was too slow for, keeps what it had: it says nothing of the fault.

    Args:
        rows: The rows.
        findings: What came of each.
        seconds: How long it took; kept where it was the whole table.
        path: Where to.
    """
    path.touch()
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another run of other rows may keep its own
        before = json.loads(file.read() or '{"rows": []}')
        kept = {(each["group"], each["fault"]): each for each in before["rows"]}
        for row, finding in zip(rows, findings, strict=True):
            slow = finding.wrong and finding.figures.get("slow")
            spoilt = finding.figures.get("spoilt") or slow
            if finding.heard and not spoilt:
                kept[row.group, row.fault] = entry(row, finding)
        order = {(row.group, row.fault): number for number, row in enumerate(all_rows())}
        listed = sorted((key for key in kept if key in order), key=order.__getitem__)
        data: dict[str, Any] = {"rows": [kept[key] for key in listed]}
        if len(rows) == len(order):
            data["seconds"] = round(seconds)
        file.seek(0)
        file.truncate()
        file.write(json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def entry(row: Row, finding: Finding) -> dict[str, Any]:
    """Return a row as it is kept."""
    return {
        "group": row.group,
        "fault": row.fault,
        "when": row.when,
        "heard": finding.heard,
        "seen": finding.seen,
        "kept": finding.kept,
        "wrong": finding.wrong,
        "seconds": round(finding.seconds, 1),
        "figures": finding.figures,
    }


def load(path: Path = RESULTS) -> dict[str, Any]:
    """Return what is kept."""
    return dict(json.loads(path.read_text()))
