"""The knee: how many calls fit until they hear it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LATE = 20.0
"""How late (ms) a packet in a hundred may be."""
SLOWER = 1.10
"""How much later than with one call a turn in twenty may be answered."""
SLACK = 25.0
"""And how much later (ms) in any case: of a few turns the slowest differ by so much anyway."""
OURS = 40.0
"""How late (ms) the callers themselves may be: beyond, it is they who limit."""
FINE = 4
"""Calls between the last step that went well and the first that did not, beyond which the middle
is tried, too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a step went.

    Attributes:
        why: Why the calls suffered; "" if they did not.
        callers: Whether it is the callers' side that could not keep up.
    """

    why: str
    callers: bool = False


def judge(row: dict[str, Any], alone: float) -> Verdict:
    """Judge a step.

    Args:
        row: `calls`, `lost`, `late_ms` and `v2v_ms` (by percentile, absent where nothing was
            heard) and `caller_late_ms`.
        alone: The 95th percentile of voice to voice with one call (ms).
    """
    if row["caller_late_ms"] > OURS:
        text = f"the callers themselves were {row['caller_late_ms']:.0f} ms late"
        why = "has no room for more of them" if row["calls"] > 1 else "is busy with something else"
        return Verdict(f"{text}: the machine {why}", callers=True)
    if row["lost"]:
        return Verdict(f"{row['lost']} of {row['turns']} turns had no answer")
    late, slow = row["late_ms"].get("p99"), row["v2v_ms"].get("p95")
    if late is None or slow is None:
        return Verdict("nothing was heard")
    if late >= LATE:
        return Verdict(f"a packet in a hundred came {late:.0f} ms late")
    if slow > max(alone * SLOWER, alone + SLACK):
        return Verdict(f"a turn in twenty took {slow:.0f} ms, {slow / alone - 1:.0%} more")
    return Verdict("")


class Knee:
    """Says how many calls to try next, from how the last ones went.

    Steps are climbed until one goes badly; the middle below it is tried while it is far.

    Args:
        steps: How many calls to try, ascending.

    Attributes:
        carries: The most calls that went well; 0 before any did.
        why: Why more do not go well; "" while that is not known.
        callers: Whether it is the callers' side that has no room for more.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        if not steps or any(each < 1 for each in steps) or list(steps) != sorted(set(steps)):
            raise ValueError(f"steps are numbers of calls, ascending, not {list(steps)}")
        self._steps = list(steps)
        self._over: int | None = None
        self.carries = 0
        self.why = ""
        self.callers = False

    @property
    def next(self) -> int | None:
        """How many calls to try; None where nothing more is to be found out."""
        if self._over is None:
            return next((each for each in self._steps if each > self.carries), None)
        if self._over - self.carries > FINE and self.carries:
            return (self._over + self.carries) // 2
        return None

    def add(self, calls: int, verdict: Verdict) -> None:
        """Take how so many calls went."""
        if not verdict.why:
            self.carries = max(self.carries, calls)
        elif self._over is None or calls < self._over:
            self._over, self.why, self.callers = calls, verdict.why, verdict.callers
