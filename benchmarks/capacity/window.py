"""A window: what callers heard and an engine used for a while. Pure; a level's windows add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vivavoce.pipelines.benching.callers import TurnCaller
from vivavoce.pipelines.benching.knee import LATE, TWENTIETH
from vivavoce.pipelines.benching.listening import lateness
from vivavoce.pipelines.benching.spread import within
from vivavoce.pipelines.benching.take import Take, answer


@dataclass(slots=True)
class Turn:
    """A turn that is over.

    Attributes:
        take: What was heard.
        caller: Who spoke.
        ended: When (s, the loop's clock).
    """

    take: Take
    caller: TurnCaller
    ended: float


@dataclass(slots=True)
class Window:
    """What was measured.

    Attributes:
        calls: How many there were at the end.
        turns: Those that ended in it.
        seconds: How long it was.
        cpu: CPU time of the engine's (s).
        memory: What its process or processes held at the end (MB).
        callers: CPU time of the callers' process (s).
        idle: Time in which the machine's cores had nothing to do (s, of all cores).
        others: Time that something else had the engine's core (s).
        stolen: Time that the machine's host took from it (s).
        gone: Why calls ended, of those that did.
    """

    calls: int
    turns: Sequence[Turn] = ()
    seconds: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    callers: float = 0.0
    idle: float = 0.0
    others: float = 0.0
    stolen: float = 0.0
    gone: Sequence[str] = field(default_factory=list)

    def __add__(self, later: Window) -> Window:
        """Return both as one."""
        return Window(
            later.calls,
            [*self.turns, *later.turns],
            self.seconds + later.seconds,
            self.cpu + later.cpu,
            later.memory,
            self.callers + later.callers,
            self.idle + later.idle,
            self.others + later.others,
            self.stolen + later.stolen,
            later.gone,
        )

    @property
    def v2v(self) -> list[float]:
        """Voice to voice of each turn that was answered behind its end (ms)."""
        answers = [answer(turn.take, turn.caller.voiced_end) for turn in self.turns]
        return [round(each.v2v * 1000, 1) for each in answers if each.v2v is not None]

    def row(self) -> dict[str, Any]:
        """Return it as JSON, as `vivavoce.pipelines.benching.knee.judge` takes it."""
        seconds = max(self.seconds, 1e-3)
        used = self.cpu / seconds
        # What callers themselves missed is told by turns: one late block makes no row doubtful.
        mine = [turn.take.late * 1000 for turn in self.turns] or [0.0]
        return {
            "calls": self.calls,
            "seconds": round(self.seconds, 1),
            **heard(self.turns),
            "cpu": round(used, 4),
            "cpu_per_call": round(used / max(1, self.calls), 5),
            "memory_mb": round(self.memory, 1),
            "caller_late_ms": round(float(np.percentile(mine, 95)), 1),
            "caller_late_most_ms": round(max(mine), 1),
            "caller_cpu": round(self.callers / seconds, 3),
            "machine_idle": round(self.idle / seconds, 3),
            "others": round(self.others / seconds, 3),
            "stolen": round(self.stolen / seconds, 3),
            "gone": list(self.gone),
        }


def heard(turns: Sequence[Turn]) -> dict[str, Any]:
    """Return what turns tell, JSON-able (ms)."""
    lates = [[each * 1000 for each in lateness(turn.take.packets)] for turn in turns]
    late = [each for turn in lates for each in turn]
    answers = [answer(turn.take, turn.caller.voiced_end) for turn in turns]
    v2v = [round(each.v2v * 1000, 1) for each in answers if each.v2v is not None]
    tail = within(v2v, TWENTIETH)
    return {
        "turns": len(turns),
        "late_ms": {
            name: round(float(np.percentile(late, share)), 1) if late else None
            for name, share in (("p50", 50), ("p99", 99), ("max", 100))
        },
        "v2v_ms": {
            name: round(float(np.percentile(v2v, share)), 1) if v2v else None
            for name, share in (("p50", 50), ("p95", TWENTIETH))
        },
        "v2v_p95": None if tail is None else tail.to_list(),
        "packets": len(late),
        "lost": sum(each.lost for each in answers),
        "premature": sum(each.premature for each in answers),
        "v2v": v2v,
        "late_turns": [[len(turn), sum(each >= LATE for each in turn)] for turn in lates],
    }
