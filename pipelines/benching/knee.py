"""The knee: how many calls fit until they hear it. Pure.

A step is judged by two figures of what its callers heard, each with the interval in which it lies
with 95 % certainty. Where that holds the bound, the judgement is not sure: a few turns more or less
would turn it, and who measures should measure for longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.pipelines.benching.spread import Interval, ratio, share

LATE = 20.0
"""How late (ms) a packet in a hundred may be."""
RARE = 0.01
"""That hundredth."""
SLOWER = 1.10
"""How much later than with one call a turn in twenty may be answered."""
TWENTIETH = 95.0
OURS = 40.0
"""How late (ms) the callers themselves may be: beyond, it is they who limit."""
CHANCE = 1
"""Turns without an answer that may be an accident, if they do not come again."""
FINE = 4
"""Calls between the last step that went well and the first that did not, beyond which the middle
is tried, too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a step went.

    Attributes:
        why: Why the calls suffered, by the figures as they are; "" if they did not.
        sure: Whether that is certain.
        callers: Whether it is the callers' side that could not keep up.
        slower: A turn in twenty: how many times as late as with one call; None where that is not
            known.
        late: Share of packets that came 20 ms too late or later; likewise.
    """

    why: str
    sure: bool = True
    callers: bool = False
    slower: Interval | None = None
    late: Interval | None = None

    @property
    def missed(self) -> bool:
        """Whether it went badly for certain."""
        return bool(self.why) and self.sure

    @property
    def doubt(self) -> str:
        """What is not sure; "" where all is."""
        found = []
        if self.slower is not None and self.slower.side(SLOWER) == 0:
            low, high = self.slower.low, self.slower.high
            found.append(f"a turn in twenty {low - 1:+.0%} to {high - 1:+.0%}")
        if self.late is not None and self.late.side(RARE) == 0:
            found.append(f"{self.late.low:.1%} to {self.late.high:.1%} of packets late")
        if not found and not self.sure:
            found.append("too little was heard" if not self.why else self.why)
        return "" if self.sure else ", ".join(found)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "why": self.why,
            "sure": self.sure,
            "callers": self.callers,
            "doubt": self.doubt,
            "slower": None if self.slower is None else self.slower.to_list(),
            "late": None if self.late is None else self.late.to_list(),
        }


def judge(row: Mapping[str, Any], alone: Sequence[float]) -> Verdict:
    """Judge a step.

    Args:
        row: `calls`, `turns`, `lost` (turns without an answer), `gone` (why calls ended, where any
            did), `v2v` (ms, each turn's answer), `late_turns` (each turn's packets with sound, and
            how many of these were 20 ms late or later) and `caller_late_ms`.
        alone: Voice to voice with one call (ms, each turn).
    """
    if row["caller_late_ms"] > OURS:
        text = f"the callers themselves were {row['caller_late_ms']:.0f} ms late"
        why = "has no room for more of them" if row["calls"] > 1 else "is busy with something else"
        return Verdict(f"{text}: the machine {why}", sure=False, callers=True)
    if gone := row.get("gone"):
        return Verdict(f"{len(gone)} calls ended: {gone[0]}")
    late = share(row["late_turns"])
    slower = ratio(row["v2v"], alone, TWENTIETH)
    if row["lost"]:
        why = f"{row['lost']} of {row['turns']} turns had no answer"
        return Verdict(why, sure=row["lost"] > CHANCE, slower=slower, late=late)
    if late is None or slower is None:
        why = "nothing was heard" if late is None else "no turn was answered"
        return Verdict(why, sure=bool(row["turns"]))
    reasons = [
        (late.side(RARE), f"{late.value:.1%} of packets came {LATE:.0f} ms late or later"),
        (slower.side(SLOWER), f"a turn in twenty was answered {slower.value - 1:.0%} later"),
    ]
    beyond = (late.value >= RARE, slower.value > SLOWER)
    # What is certain comes first.
    for side, why in reasons:
        if side > 0:
            return Verdict(why, slower=slower, late=late)
    why = next((why for (_, why), is_ in zip(reasons, beyond, strict=True) if is_), "")
    sure = all(side < 0 for side, _ in reasons)
    return Verdict(why, sure=sure, slower=slower, late=late)


class Knee:
    """Says how many calls to try next, from how the last ones went.

    Steps are climbed until enough of them went badly for certain; the middle below the first of
    these is tried while it is far.

    Args:
        steps: How many calls to try, ascending.
        misses: How many steps have to go badly before it is over.
        fine: Calls between the last good step and the first bad one beyond which the middle is
            tried; None: it never is.

    Attributes:
        tried: How each step went, by its calls.
    """

    def __init__(self, steps: Sequence[int], misses: int = 1, fine: int | None = FINE) -> None:
        if not steps or any(each < 1 for each in steps) or list(steps) != sorted(set(steps)):
            raise ValueError(f"steps are numbers of calls, ascending, not {list(steps)}")
        self._steps = list(steps)
        self._misses, self._fine = misses, fine
        self.tried: dict[int, Verdict] = {}

    @property
    def next(self) -> int | None:
        """How many calls to try; None where nothing more is to be found out."""
        bad = self._bad
        if len(bad) < self._misses:
            most = max(self.tried, default=0)
            above = next((each for each in self._steps if each > most), None)
            if above is not None or not bad:
                return above
        if self._fine is not None and self.carries and bad[0] - self.carries > self._fine:
            return (bad[0] + self.carries) // 2
        return None

    def add(self, calls: int, verdict: Verdict) -> None:
        """Take how so many calls went; what was known of so many is forgotten."""
        self.tried[calls] = verdict

    @property
    def carries(self) -> int:
        """The most calls that went well, by the figures as they are, below any that did not."""
        return self._below(self._bad)

    @property
    def at_least(self) -> int:
        """The most calls that went well for certain, below any that may not have."""
        return self._below([*self._bad, *(calls for calls in self._open if calls > self._well)])

    @property
    def at_most(self) -> int:
        """The most calls that may have gone well, below any that certainly did not."""
        return self._below([calls for calls in self._bad if self.tried[calls].missed])

    @property
    def why(self) -> str:
        """Why more do not go well; "" while that is not known."""
        return self.tried[self._bad[0]].why if self._bad else ""

    @property
    def callers(self) -> bool:
        """Whether it is the callers' side that has no room for more."""
        return bool(self._bad) and self.tried[self._bad[0]].callers

    @property
    def _well(self) -> int:
        """The most calls that went well for certain, whatever fewer did."""
        good = (calls for calls, verdict in self.tried.items() if not verdict.why and verdict.sure)
        return max(good, default=0)

    @property
    def _bad(self) -> list[int]:
        """Calls that went badly; not those of which it may be chance, where more went well."""
        return sorted(
            calls
            for calls, verdict in self.tried.items()
            if verdict.missed or (verdict.why and calls > self._well)
        )

    @property
    def _open(self) -> list[int]:
        """Calls of which it is not sure that they went well."""
        return [calls for calls, verdict in self.tried.items() if not verdict.sure]

    def _below(self, limits: Sequence[int]) -> int:
        """Return the most calls that were tried and are fewer than all of these."""
        least = min(limits, default=None)
        return max((n for n in self.tried if least is None or n < least), default=0)
