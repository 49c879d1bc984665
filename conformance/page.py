"""The table of conformance as a page of the documentation."""

from __future__ import annotations

import json
from pathlib import Path

HEAD = """# Conformance

What works with which provider, and what a caller experiences when a named fault strikes. `make
conformance` makes this page: every cell is run over real sockets against the [sandbox](sandbox.md),
which speaks each provider's protocol and has each fault on request, through the clients that calls
use. Providers are chosen in [models](models.md).
"""
Row = tuple[str, str, str, str]


def page(results: Path) -> str:
    """Return the page.

    Args:
        results: The folder in which each capability's results are kept.
    """
    parts = [HEAD]
    for path in sorted(results.glob("*.json")):
        kept = json.loads(path.read_text())
        if "cells" not in kept:
            continue  # the fault table's, which has a page of its own
        rows: list[Row] = [tuple(row) for row in kept["cells"]]
        heading = kept["capability"].capitalize()
        parts.append(f"## {heading}\n\n{len(rows)} cells.\n\n{_matrix(rows)}\n{_details(rows)}")
    return "\n".join(parts)


def _matrix(rows: list[Row]) -> str:
    providers = list(dict.fromkeys(row[0] for row in rows))
    faults = list(dict.fromkeys(row[1] for row in rows))
    have = {(row[0], row[1]) for row in rows}
    lines = [f"| | {' | '.join(providers)} |", f"|---|{'---|' * len(providers)}"]
    for fault in faults:
        marks = ["✓" if (provider, fault) in have else "–" for provider in providers]
        lines.append(f"| {_cell(fault)} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _details(rows: list[Row]) -> str:
    lines = ["| provider | | what the caller experiences | proof |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
