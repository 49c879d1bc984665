"""What a call costs, from what many do. Pure: rows of figures in, a line out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

FLAT = 0.15
"""How far a call's cost may be from the line."""


def growth(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what an added call takes: `mb_per_added_call`, and `cost` as `fit` tells it.

    Args:
        rows: `calls`, `cpu` (share of a core) and `memory_mb` with calls rising, up to the knee.
            Memory is told from two rows on, cost from three; None before.
    """
    found: dict[str, Any] = {"mb_per_added_call": None, "cost": None}
    if len(rows) >= 2:
        first, last = rows[0], rows[-1]
        grown = (last["memory_mb"] - first["memory_mb"]) / (last["calls"] - first["calls"])
        found["mb_per_added_call"] = round(grown, 2)
    if len(rows) >= 3:
        found["cost"] = fit([row["calls"] for row in rows], [row["cpu"] for row in rows])
    return found


def fit(calls: Sequence[int], cpu: Sequence[float]) -> dict[str, Any]:
    """Tell the cost of a process from the cost of each of its calls.

    A process costs something by itself, so the cost of N calls is fitted as `fixed + N * per_call`,
    by least squares of the relative error; `off` is how far each row is from that, as a share.
    `flat_from` is the number of calls from which on every row's cost per call is within 15 % of the
    mean of those rows; None: not even the last two are.

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
