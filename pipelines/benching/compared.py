"""Two runs of a bench side by side: what has changed, and what of it may be chance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vivavoce.pipelines.benching.spread import Change, change, mean, percent


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what can be compared of two results, as docs/bench.md has them."""
    found: list[Change | None] = []
    one, two = before.get("latency") or {}, after.get("latency") or {}
    told = one.get("v2v_ms") or [], two.get("v2v_ms") or []
    found += [
        change("voice to voice, half of the turns", "ms", *told, percent(50)),
        change("voice to voice, 95 of 100", "ms", *told, percent(95)),
    ]
    ledgers = one.get("ledgers") or [], two.get("ledgers") or []
    for stage in ("endpointing", "transcription", "thinking", "clause", "speech", "output"):
        spent = [[each["stages_us"][stage] / 1000 for each in run] for run in ledgers]
        if any(any(values) for values in spent):
            found.append(change(f"{stage}, on average", "ms", spent[0], spent[1], mean))
    rows = [
        {row["calls"]: row for row in (run.get("capacity") or {}).get("rows", [])}
        for run in (before, after)
    ]
    # The most calls that went well in both runs: there, what a call costs tells most.
    shared = [n for n in rows[0] if n in rows[1] and not rows[0][n]["why"] + rows[1][n]["why"]]
    if shared:
        most = max(shared)
        was, now = rows[0][most], rows[1][most]
        calls = "call" if most == 1 else "calls"
        found.append(
            change(f"95 of 100 with {most} {calls}", "ms", was["v2v"], now["v2v"], percent(95))
        )
        spent = [[100 * each / most for each in row["cpu_samples"]] for row in (was, now)]
        found.append(change(f"CPU of each of {most} {calls}", "%", spent[0], spent[1], mean))
    found.append(_carried(before, after))
    return [each for each in found if each is not None]


def _carried(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change | None:
    """Compare how many calls went well: each run knows that as finely as its steps are."""
    runs = [run.get("capacity") or {} for run in (before, after)]
    if not all(run.get("carries") for run in runs):
        return None
    was, now = (int(run["carries"]) for run in runs)
    slack = []
    for run in runs:
        beyond = [row["calls"] for row in run["rows"] if row["calls"] > run["carries"]]
        slack.append(min(beyond) - 1 - run["carries"] if beyond else None)
    if slack[0] is None or slack[1] is None:
        return Change("calls on one core", "calls", was, now, less=False)
    return Change(
        "calls on one core",
        "calls",
        was,
        now,
        now - was - slack[0],
        now - was + slack[1],
        less=False,
    )
