"""The table of conformance as a page of the documentation."""

from __future__ import annotations

from conformance.frame import Result

HEAD = """# Conformance

What works with which provider, and what a caller experiences when a named fault strikes. `make
conformance` makes this page: every cell is run over real sockets against the [sandbox](sandbox.md),
which speaks each provider's protocol and has each fault on request, through the clients that calls
use. Providers are chosen in [models](models.md).
"""


def page(results: list[Result]) -> str:
    """Return the page.

    Args:
        results: Of all cells, none of which failed.
    """
    parts = [HEAD]
    for capability in dict.fromkeys(result.capability for result in results):
        mine = [result for result in results if result.capability == capability]
        parts.append(f"## {capability.capitalize()}\n\n{_matrix(mine)}\n{_details(mine)}")
    return "\n".join(parts)


def _matrix(results: list[Result]) -> str:
    providers = list(dict.fromkeys(result.cell.provider for result in results))
    faults = list(dict.fromkeys(result.cell.fault for result in results))
    have = {(result.cell.provider, result.cell.fault) for result in results}
    lines = [f"| | {' | '.join(providers)} |", f"|---|{'---|' * len(providers)}"]
    for fault in faults:
        marks = ["✓" if (provider, fault) in have else "–" for provider in providers]
        lines.append(f"| {_cell(fault)} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _details(results: list[Result]) -> str:
    lines = ["| provider | | what the caller experiences | proof |", "|---|---|---|---|"]
    for result in results:
        outcome = result.outcome
        assert outcome is not None
        row = (result.cell.provider, result.cell.fault, outcome.experience, outcome.proof)
        lines.append(f"| {' | '.join(map(_cell, row))} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
