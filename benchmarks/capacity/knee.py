"""Where the knee is, and what a call costs before it. Pure: rows of figures in, judgements out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LATE = 20.0
"""Milliseconds that a packet in a hundred may be late."""
SLOWER = 1.10
"""How much later than with one call a turn in twenty may be answered."""
TIRED = 20.0
"""Milliseconds from which a caller's own lateness makes a row doubtful: the machine was busy."""
FLAT = 0.15
"""How far a call's cost may be from the line."""

Row = dict[str, Any]


def over(row: Row, alone: Row) -> str:
    """Return why an engine is over its knee; "" while it is not.

    Args:
        row: What was measured with so many calls.
        alone: The same with one.
    """
    if row.get("gone"):
        return f"{len(row['gone'])} calls ended: {row['gone'][0]}"
    if row["lost"]:
        return f"{row['lost']} turns without an answer"
    if row["late_ms"]["p99"] is None:
        return "no sound came"
    if row["late_ms"]["p99"] >= LATE:
        return f"a packet in a hundred is {row['late_ms']['p99']} ms late"
    if row["v2v_ms"]["p95"] is None:
        return "no turn was answered behind its end"
    if row["v2v_ms"]["p95"] > alone["v2v_ms"]["p95"] * SLOWER:
        return f"a turn in twenty takes {row['v2v_ms']['p95']:.0f} ms"
    return ""


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many calls an engine carries, what one costs, and how it grows.

    `carries` is the last number of calls before the first that was too many. A process costs
    something by itself, so the cost of N calls is fitted as `fixed + N * per_call`, by least
    squares of the relative error, over the rows up to the knee; `off` is how far each row is from
    that, as a share. `flat_from` is the number of calls from which on every row's cost per call is
    within 15 % of the mean of those rows; None: not even the last two are.
    """
    well: list[Row] = []
    for row in rows:
        if row["over"]:
            break
        well.append(row)
    found: dict[str, Any] = {
        "carries": well[-1]["calls"] if well else 0,
        "why": next((row["over"] for row in rows if row["over"]), ""),
        "mb_per_added_call": None,
        "cost": None,
    }
    if len(well) >= 2:
        first, last = well[0], well[-1]
        grown = (last["memory_mb"] - first["memory_mb"]) / (last["calls"] - first["calls"])
        found["mb_per_added_call"] = round(grown, 2)
    if len(well) >= 3:
        found["cost"] = fit([row["calls"] for row in well], [row["cpu"] for row in well])
    return found


def fit(calls: Sequence[int], cpu: Sequence[float]) -> dict[str, Any]:
    """Tell the cost of a process from the cost of each of its calls.

    Args:
        calls: How many, rising; three at least.
        cpu: What they cost together (share of a core).
    """
    number, cost = np.asarray(calls, float), np.asarray(cpu, float)
    lines = np.stack([1 / cost, number / cost], axis=1)
    (fixed, each), *_ = np.linalg.lstsq(lines, np.ones(len(cost)), rcond=None)
    line = fixed + each * number
    per_call = cost / number
    flat_from = None
    for begin in range(len(number) - 1):
        rest = per_call[begin:]
        if np.all(np.abs(rest / rest.mean() - 1) <= FLAT):
            flat_from = int(number[begin])
            break
    return {
        "fixed": round(float(fixed), 4),
        "per_call": round(float(each), 5),
        "off": {
            str(n): round(float(off), 3) for n, off in zip(calls, cost / line - 1, strict=True)
        },
        "flat_from": flat_from,
    }
