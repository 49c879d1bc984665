"""The climb: more and more calls until it is too many, between two measurements of one call."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console

from benchmarks.capacity.cost import growth
from benchmarks.capacity.crowd import Crowd
from benchmarks.capacity.window import Window, heard
from vivavoce.pipelines.benching.knee import Knee, Verdict, judge
from vivavoce.pipelines.benching.process import ChildError

TURN = 8.0
"""Seconds of a turn and its answer, about: calls begin evenly over that, for people do not speak in
chorus."""
CHAR_MS = 25.0
"""A character of a reply: an answer of four seconds, so that much is spoken at once."""
BRIEF_MS = 5.0
"""The same where one call's answers are timed: what begins an answer is the same."""
SCRIPTED = 5_000
"""Utterances that the transcriber knows: more than are said."""
SLOWEST = 15.0
"""Seconds that a brief turn may take."""
TIRED = 20.0
"""Milliseconds from which callers' own lateness makes a row doubtful: the machine was busy."""
BUSY = 0.05
"""Share of the engine's core from which something else on it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long is measured.

    Attributes:
        before: Turns of one call before the climb,
        after: and behind it.
        seconds: Of a level,
        enough: or so many turns of it, from half of these seconds on.
        again: How often a level goes on for as long again while its verdict is not sure.
        misses: Levels that have to be missed before it is over.
    """

    before: int = 15
    after: int = 8
    seconds: float = 26.0
    enough: int = 48
    again: int = 2
    misses: int = 2


QUICK = Pace(before=5, after=3, seconds=10.0, enough=30, again=0, misses=1)


class Spare:
    """Time of a run that is there to make sure of what is not; what has to be measured always is.

    Args:
        seconds: How much.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    def take(self, seconds: float) -> bool:
        """Take some, if there is so much left; return whether there was."""
        if seconds > self._left:
            return False
        self._left -= seconds
        return True


class Ramp(Protocol):
    """One engine on one kind of line.

    Attributes:
        name: What it is called.
        about: What is told of it beside its figures.
    """

    name: str
    about: dict[str, Any]

    def alone(self) -> AbstractAsyncContextManager[Crowd]:
        """One caller who gets short answers, on a process that has just begun."""

    def session(self) -> AbstractAsyncContextManager[None]:
        """What is there for all numbers of calls."""

    def people(self, calls: int) -> AbstractAsyncContextManager[Crowd]:
        """So many people who talk, more than there were before.

        Raises:
            ChildError: There is no room for them.
        """


async def climb(
    ramp: Ramp, steps: Sequence[int], pace: Pace, spare: Spare, say: Console
) -> dict[str, Any]:
    """Measure one call, more and more of them, and one again; return figures and judgements.

    Args:
        ramp: The engine.
        steps: How many calls, ascending.
        pace: How long.
        spare: For what is not sure.
        say: For who waits.
    """
    before = await _alone(ramp, pace.before, say)
    measured = await _levels(ramp, before.v2v, steps, pace, spare, say)
    try:
        after = await _alone(ramp, pace.after, say)
    except ChildError as error:
        say.print(f"[dim]{ramp.name}: {_first(error)}[/]")
        after = Window(0)
    alone = [*before.v2v, *(measured[1].v2v if 1 in measured else ()), *after.v2v]
    rows, knee = judged(measured, alone, steps)
    carried = [row for row in rows if row["calls"] <= knee.carries]
    return {
        **ramp.about,
        "carries": knee.carries,
        "at_least": knee.at_least,
        "at_most": knee.at_most,
        "why": knee.why,
        "alone": {
            "before": _told(before),
            "after": _told(after),
            "turns": len(alone),
        },
        **growth(carried),
        "rows": rows,
    }


def judged(
    measured: dict[int, Window], alone: Sequence[float], steps: Sequence[int]
) -> tuple[list[dict[str, Any]], Knee]:
    """Hold every level against all that is known of one call.

    Args:
        measured: Each level's window, by its calls.
        alone: Voice to voice with one call (ms).
        steps: That were to be measured.

    Returns:
        A row for each level, and where the knee is.
    """
    rows, knee = [], Knee(steps)
    for calls, window in sorted(measured.items()):
        row = window.row()
        verdict = judge(against(row, alone), alone)
        rows.append(row | {"over": verdict.why, "verdict": verdict.to_dict()})
        knee.add(calls, verdict)
    return rows, knee


def against(row: dict[str, Any], alone: Sequence[float]) -> dict[str, Any]:
    """Return a row as it is judged: one call is not slower than one call."""
    return {**row, "v2v": list(alone)} if row["calls"] == 1 else row


async def _levels(
    ramp: Ramp, before: Sequence[float], steps: Sequence[int], pace: Pace, spare: Spare,
    say: Console,
) -> dict[int, Window]:  # fmt: skip
    knee, alone = Knee(steps, misses=pace.misses, fine=None), list(before)
    measured: dict[int, Window] = {}
    async with ramp.session():
        while (calls := knee.next) is not None:
            gc.collect()
            try:
                async with ramp.people(calls) as crowd:
                    window = await _level(crowd, pace, spare, alone)
            except ChildError as error:
                say.print(f"[dim]{ramp.name}, {calls} calls: {_first(error)}[/]")
                break
            measured[calls] = window
            if calls == 1:
                alone += window.v2v
            row, verdict = await _judge(window, alone)
            knee.add(calls, verdict)
            say.print(line(ramp.name, row, verdict), highlight=False)
    return measured


async def _level(crowd: Crowd, pace: Pace, spare: Spare, alone: Sequence[float]) -> Window:
    window = await crowd.window(pace.seconds, enough=pace.enough)
    for _ in range(pace.again):
        known = [*alone, *window.v2v] if window.calls == 1 else alone
        _, verdict = await _judge(window, known)
        if verdict.sure or not spare.take(pace.seconds):
            break
        window += await crowd.window(pace.seconds, enough=pace.enough)
    return window


async def _judge(window: Window, alone: Sequence[float]) -> tuple[dict[str, Any], Verdict]:
    """Judge a level in a thread: people go on talking, and must not wait for it."""

    def found() -> tuple[dict[str, Any], Verdict]:
        row = window.row()
        return row, judge(against(row, alone), alone)

    return await asyncio.to_thread(found)


async def _alone(ramp: Ramp, turns: int, say: Console) -> Window:
    gc.collect()
    async with ramp.alone() as crowd:
        window = await crowd.window(0.0, least=turns, most=turns * SLOWEST)
    found = heard(window.turns)["v2v_ms"]
    say.print(
        f"[dim]{ramp.name}, one call, {len(window.turns)} turns: p50 {found['p50']} ms,"
        f" p95 {found['p95']} ms[/]",
        highlight=False,
    )
    return window


def _told(window: Window) -> dict[str, Any]:
    row = heard(window.turns)
    return {name: row[name] for name in ("turns", "v2v_ms", "v2v_p95", "lost", "v2v")}


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]


def line(name: str, row: dict[str, Any], verdict: Verdict) -> str:
    """Return a row as a line for who waits."""
    told = verdict.why or "goes well"
    told += f" (not sure: {verdict.doubt})" if verdict.doubt else ""
    told += "".join(f"; doubtful: {each}" for each in doubts(row))
    return (
        f"[dim]{name}, {row['calls']} calls, {row['turns']} turns: {row['cpu']:.0%} of a core,"
        f" p99 {row['late_ms']['p99']} ms late, p95 {row['v2v_ms']['p95']} ms,"
        f" {row['memory_mb']:.0f} MB; {told}[/]"
    )


def doubts(row: dict[str, Any]) -> list[str]:
    """Return what speaks against a row: the machine did something else meanwhile."""
    found = []
    if row["caller_late_ms"] > TIRED:
        found.append(f"the callers themselves were {row['caller_late_ms']:g} ms late")
    if row.get("others", 0.0) > BUSY:
        found.append(f"something else had {row['others']:.0%} of the core")
    if row.get("stolen", 0.0) > BUSY:
        found.append(f"the host took {row['stolen']:.0%} of it")
    return found
