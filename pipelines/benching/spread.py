"""Spreads: percentiles of what was measured, and whether two runs differ. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 2000
"""Samples of a bootstrap."""
SURE = 95.0
"""Per cent of them that an interval holds."""
SEED = 7
SHARES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
FEWEST = 5
"""Values of each run without which nothing is said of a difference."""


def summary(values: Sequence[float], digits: int = 1) -> dict[str, float]:
    """Return percentiles by name, the mean and the number; only `n` where there are no values."""
    if not values:
        return {"n": 0}
    found = {name: round(float(np.percentile(values, at)), digits) for name, at in SHARES.items()}
    return {**found, "mean": round(float(np.mean(values)), digits), "n": len(values)}


def percent(share: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return what takes a percentile (0-100) of each row."""
    return lambda rows: np.asarray(np.percentile(rows, share, axis=-1))


def mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the mean of each row."""
    return np.asarray(rows.mean(axis=-1))


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in two runs.

    Attributes:
        name: What it is.
        unit: Of what it is counted in.
        before: In the earlier run.
        after: In the later one.
        low: The least by which it may have changed, and
        high: the most, with 95 % certainty; None both where too little was measured.
        less: Whether less is better.
    """

    name: str
    unit: str
    before: float
    after: float
    low: float | None = None
    high: float | None = None
    less: bool = True

    @property
    def noise(self) -> bool:
        """Whether chance alone may have done it."""
        if self.low is None or self.high is None:
            return True
        return self.low <= 0 <= self.high

    @property
    def better(self) -> bool | None:
        """Whether it became better; None where that may be chance."""
        if self.noise:
            return None
        return (self.after < self.before) is self.less

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "before": self.before,
            "after": self.after,
            "low": self.low,
            "high": self.high,
            "noise": self.noise,
            "better": self.better,
        }


def change(
    name: str,
    unit: str,
    before: Sequence[float],
    after: Sequence[float],
    of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    less: bool = True,
) -> Change | None:
    """Compare a figure of two runs by bootstrap: how it scatters if turns are drawn again.

    Args:
        name: What it is.
        unit: Of what it is counted in.
        before: What was measured earlier, each turn a value.
        after: And later.
        of: Takes the figure of each row.
        less: Whether less is better.

    Returns:
        The change; None where either run has no values.
    """
    if not before or not after:
        return None
    one, two = np.asarray(before, np.float64), np.asarray(after, np.float64)
    was, now = (round(float(of(each[np.newaxis])[0]), 2) for each in (one, two))
    if min(len(one), len(two)) < FEWEST:
        return Change(name, unit, was, now, less=less)
    dice = np.random.default_rng(SEED)
    drawn = of(two[dice.integers(0, len(two), (ROUNDS, len(two)))]) - of(
        one[dice.integers(0, len(one), (ROUNDS, len(one)))]
    )
    low, high = np.percentile(drawn, [(100 - SURE) / 2, (100 + SURE) / 2])
    return Change(name, unit, was, now, round(float(low), 2), round(float(high), 2), less)


@dataclass(frozen=True, slots=True)
class Fit:
    """What a process costs by itself and what each of its calls does, in one unit.

    Attributes:
        alone: Without calls.
        each: Each call.
        worst: By how much the measured figure that is farthest off differs from this.
    """

    alone: float
    each: float
    worst: float


def fit(calls: Sequence[int], used: Sequence[float]) -> Fit | None:
    """Fit `alone + each * calls` by least squares; None with fewer than two numbers of calls."""
    if len(set(calls)) < 2:
        return None
    x, y = np.asarray(calls, np.float64), np.asarray(used, np.float64)
    each, alone = np.polyfit(x, y, 1)
    worst = float(np.abs(y - alone - each * x).max())
    return Fit(round(float(alone), 5), round(float(each), 5), round(worst, 5))
