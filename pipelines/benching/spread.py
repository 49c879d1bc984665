"""Spreads: percentiles of what was measured, and whether two runs differ. Pure."""

from __future__ import annotations

import math
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
TAIL = 20
"""Values without which nothing certain is said of a 95th percentile: fewer have no twentieth."""


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
class Interval:
    """A figure, and where it lies with 95 % certainty.

    Attributes:
        low: The least that it may be.
        value: As it was measured.
        high: The most; infinite where too little was measured.
    """

    low: float
    value: float
    high: float

    def side(self, bound: float) -> int:
        """Return -1 where it is below a bound for certain, 1 where it is not, 0 where it may be."""
        if self.high < bound:
            return -1
        return 1 if self.low >= bound else 0

    def to_list(self) -> list[float | None]:
        """Return it as JSON: low, value, high; None for what has no end."""
        found = (self.low, self.value, self.high)
        return [round(each, 4) if np.isfinite(each) else None for each in found]


def within(values: Sequence[float], percent: float) -> Interval | None:
    """Return a percentile of values (of the tail), by bootstrap; None where there are none."""
    if not values:
        return None
    found = np.asarray(values, np.float64)
    value = float(np.percentile(found, percent))
    if len(found) < TAIL:
        return Interval(0.0, value, math.inf)
    return _interval(value, _drawn(found, percent, np.random.default_rng(SEED)))


def ratio(one: Sequence[float], two: Sequence[float], percent: float) -> Interval | None:
    """Return how many times a percentile of one run is that of another; None where either is empty.

    By bootstrap: how it scatters where values are drawn again from both.
    """
    if not one or not two:
        return None
    above, below = np.asarray(one, np.float64), np.asarray(two, np.float64)
    value = float(np.percentile(above, percent) / np.percentile(below, percent))
    if min(len(above), len(below)) < TAIL:
        return Interval(0.0, value, math.inf)
    dice = np.random.default_rng(SEED)
    return _interval(value, _drawn(above, percent, dice) / _drawn(below, percent, dice))


def share(parts: Sequence[Sequence[float]]) -> Interval | None:
    """Return which share some things are of all; None where there are none.

    By bootstrap over the parts, not over the things: what is in one part comes together (packets of
    one turn are late together).

    Args:
        parts: Of each, how many things it has, and how many of these count.
    """
    counts = np.asarray([part for part in parts if part[0]], np.float64).reshape(-1, 2)
    if not len(counts):
        return None
    whole, some = counts.sum(axis=0)
    if len(counts) < FEWEST:
        return Interval(0.0, float(some / whole), math.inf)
    dice = np.random.default_rng(SEED)
    sums = counts[dice.integers(0, len(counts), (ROUNDS, len(counts)))].sum(axis=1)
    return _interval(float(some / whole), sums[:, 1] / sums[:, 0])


def _drawn(
    values: NDArray[np.float64], percent: float, dice: np.random.Generator
) -> NDArray[np.float64]:
    picked = values[dice.integers(0, len(values), (ROUNDS, len(values)))]
    return np.asarray(np.percentile(picked, percent, axis=-1))


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(drawn, [(100 - SURE) / 2, (100 + SURE) / 2])
    return Interval(float(low), value, float(high))


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
