"""What is left of a soak, judged: records, ledgers, what the process still holds, memory. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vivavoce.agent.ledger import STAGES

WARM = 0.25
"""Share of the run that does not count for memory: caches fill, the last 200 calls are kept."""
WARMEST = 1200.0
"""Seconds of it, at most."""
LEAK = 6.0
"""Megabytes an hour by which memory may grow for certain."""
SPARE = 8
"""Sockets and files more than at the beginning: connections to providers that are kept warm."""
CERTAIN = 1.96
"""Standard deviations of what is certain (95 %)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to hold.

    Attributes:
        name: What.
        ok: Whether it does.
        told: By what figures.
    """

    name: str
    ok: bool
    told: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Slope:
    """How something grows: the median of the slopes between all pairs (Theil and Sen).

    Attributes:
        each: By a unit of x.
        low: At least, and
        high: at most, with 95 % certainty.
    """

    each: float
    low: float
    high: float


def slope(xs: Sequence[float], ys: Sequence[float]) -> Slope | None:
    """Return how fast `ys` grows over `xs`; a few wild values change nothing. None below 10."""
    count = len(xs)
    if count < 10:
        return None
    x, y = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
    first, second = np.triu_indices(count, 1)
    run = x[second] - x[first]
    slopes = np.sort((y[second] - y[first])[run > 0] / run[run > 0])
    # Kendall's variance says how far from the middle the bounds stand.
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    half = CERTAIN * deviation / 2
    low = max(0, math.floor(len(slopes) / 2 - half))
    high = min(len(slopes) - 1, math.ceil(len(slopes) / 2 + half))
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


def grown(samples: Sequence[Mapping[str, Any]], what: str = "rss_mb") -> tuple[Slope | None, float]:
    """Return by how much memory grows in an hour, and how much of it one live call takes.

    What live calls take is told apart by least squares: there are not always as many.

    Args:
        samples: What the server said, with `at` (s) and `calls`.
        what: Which of its figures: megabytes, or `blocks` of Python's allocator.
    """
    if not samples:
        return None, 0.0
    last = samples[-1]["at"]
    warm = min(WARMEST, WARM * last)
    kept = [each for each in samples if each["at"] >= warm]
    if len(kept) < 10:
        return None, 0.0
    hours = np.asarray([each["at"] for each in kept]) / 3600
    calls = np.asarray([each["calls"] for each in kept], np.float64)
    held = np.asarray([each[what] for each in kept], np.float64)
    design = np.column_stack([np.ones(len(kept)), calls, hours])
    solved, *_ = np.linalg.lstsq(design, held, rcond=None)
    each = float(max(solved[1], 0.0))
    return slope(hours.tolist(), (held - each * calls).tolist()), each


def faults(record: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a record; [] if nothing is."""
    found = []
    if record.get("live"):
        found.append("it is not finished")
    asked: Mapping[str, Any] | None = None
    for entry in record.get("transcript", ()):
        if entry["kind"] == "caller":
            asked = entry
        elif entry["kind"] == "failure":
            asked = None  # what is said next is an apology, and answers nothing
        if entry["kind"] != "agent":
            continue
        latency = entry.get("latency")
        if latency is not None:
            stages = latency["stages_us"]
            if sorted(stages) != sorted(STAGES):
                found.append(f"a ledger has the stages {sorted(stages)}")
            if sum(stages.values()) != latency["total_us"]:
                found.append(f"a ledger's stages sum to {sum(stages.values())}, not to its total")
            if min(stages.values()) < 0:
                found.append("a ledger has a stage below 0")
        elif asked is not None and entry.get("heard"):
            found.append(
                f"the answer {entry['heard'][:40]!r} to {asked['text'][:40]!r} has no ledger"
            )
        if entry.get("heard"):
            asked = None
    return found


def left(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Check]:
    """Compare what the process held at its beginning, at rest, with what it holds at its end."""
    more = Counter(after["tasks"])
    more.subtract(before["tasks"])
    tasks = {name: count for name, count in more.items() if count > 0}
    threads = Counter(after["threads"])
    threads.subtract(before["threads"])
    extra = sum(count for count in threads.values() if count > 0)
    traces, unhandled = after["traces"], after["unhandled"]
    held = f"{sum(after['tasks'].values())} tasks, as at the beginning"

    def beside(name: str, what: str) -> Check:
        text = f"{after[what]}, {before[what]} at the beginning"
        return Check(name, after[what] <= before[what] + SPARE, text)

    return [
        Check(
            "no call is left",
            not after["calls"] and not after["admitted"],
            f"{after['calls']} on the desk, {after['admitted']} counted in",
        ),
        Check("no task is left", not tasks, str(tasks) if tasks else held),
        # Python's pool of threads grows to its size, and stays.
        Check(
            "no thread is left",
            extra <= SPARE,
            f"{len(after['threads'])}, {len(before['threads'])} at the beginning",
        ),
        beside("no socket is left", "sockets"),
        beside("no file is left open", "fds"),
        Check("no error was lost", not unhandled, "; ".join(unhandled[:3]) or "none"),
        Check(
            "no error was unforeseen",
            not traces,
            traces[0].splitlines()[-1] if traces else "no stack trace in the log",
        ),
    ]


def kept(
    calls: Iterable[str], records: Mapping[str, Mapping[str, Any]], end: Mapping[str, Any]
) -> list[Check]:
    """Judge what is kept of the calls."""
    begun = sorted({call for call in calls if call})
    missing = [call for call in begun if call not in records]
    wrong: Counter[str] = Counter()
    turns = 0
    for record in records.values():
        wrong.update(faults(record))
        turns += sum(
            1
            for each in record.get("transcript", ())
            if each["kind"] == "agent" and each["latency"]
        )
    return [
        Check("every call has its record", not missing and bool(begun),
              f"{len(begun) - len(missing)} of {len(begun)}"
              + (f"; missing: {', '.join(missing[:5])}" if missing else "")),
        Check("no record was lost", not end["records_lost"],
              f"{end['records_lost']} lost, {end['records_waiting']} waited"),
        Check("every ledger is complete and sums", not wrong and turns > 0,
              f"{turns} turns; " + ("; ".join(f"{n} times {w}" for w, n in wrong.most_common(4))
                                    or "none wrong")),
    ]  # fmt: skip


def memory(samples: Sequence[Mapping[str, float]], calls: int) -> Check:
    """Judge by how much memory grows."""
    name = "memory does not grow"
    found, each = grown(samples)
    if found is None:
        return Check(name, False, "too short to be judged: give more --minutes")
    hours = (samples[-1]["at"] - samples[0]["at"]) / 3600
    by_call = found.each * hours / max(1, calls) * 1000
    told = (
        f"{found.each:+.2f} MB an hour ({found.low:+.2f} to {found.high:+.2f}) after the warm-up,"
        f" {by_call:+.2f} kB a call that was; a live call takes {each:.1f} MB"
    )
    blocks, _ = grown(samples, "blocks")
    if blocks is not None:
        told += f"; Python's own objects: {blocks.each:+,.0f} blocks an hour"
    return Check(name, found.low <= LEAK, told)
