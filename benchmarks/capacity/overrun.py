"""Past the knee: far more calls than it carries are offered to a server that measures its room."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.capacity.climb import TURN
from benchmarks.capacity.crowd import Callers
from benchmarks.capacity.network import SETTLE, ask, forget, serving
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.knee import LATE, RARE
from vivavoce.pipelines.benching.spread import share

TIMES = 3
"""Of what it carries, that is offered."""
FEWEST = 20
"""Calls that are offered at least."""
EVERY = 0.4
"""Seconds between two people who call, at first;"""
STILL = 2.0
"""and while those who were let in are listened to."""
PLENTY = 10
"""Refused calls that are enough to judge by."""
WAIT = 60.0
"""Seconds for which calls go on being offered until so many are refused."""
LISTEN = 60.0
"""Seconds that are judged."""
ROOM = 0.9
"""Share of the calls that it carries, which it has to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is offered.

    Attributes:
        carries: Calls that one core carries; 0: not known.
        calls: How many call at first.
        seconds: For how long those who were let in are listened to.
    """

    carries: int
    calls: int
    seconds: float = LISTEN

    @classmethod
    def of(cls, carries: int, calls: int | None = None, seconds: float = LISTEN) -> Trial:
        """Make one: three times what it carries."""
        most = max(FEWEST, TIMES * carries) if calls is None else calls
        return cls(carries=carries, calls=most, seconds=seconds)


async def overrun(wire: str, cache: Path, clip: Clip, trial: Trial, say: Console) -> dict[str, Any]:
    """Offer a server with its gate more calls than it carries; return how those fared that it took.

    Args:
        wire: `webrtc` or `websocket`.
        cache: Where peers' environments are.
        clip: What callers say.
        trial: How many call.
        say: For who waits.
    """
    async with (
        serving("ours", cache, clip, gate=True, watch=True) as server,
        Callers(server, wire, clip) as crowd,
    ):
        await crowd.offer(trial.calls, EVERY)
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT
        while sum(crowd.refused.values()) < PLENTY and loop.time() < until:
            await crowd.offer(1, EVERY)
        await crowd.connected()
        first = len(crowd.talkers)
        await asyncio.sleep(SETTLE + TURN)  # the last ones' first turns
        await forget(server)
        offering = asyncio.create_task(_go_on(crowd), name="more callers")
        try:
            window = await crowd.window(trial.seconds)
        finally:
            offering.cancel()
            await asyncio.gather(offering, return_exceptions=True)
        await crowd.connected()
        row = window.row()
        stalled = await ask(server)
        told = crowd.told()
    stalled.pop("stalls", None)  # what made them is for ten minutes of one load
    found = {
        **told,
        "at_first": first,
        "carries": trial.carries,
        "seconds": trial.seconds,
        "row": row,
        "stalls": stalled,
        **judge(told, row, trial.carries),
    }
    say.print(
        f"[dim]{found['offered']} calls offered over {wire}: {found['taken']} taken, refused"
        f" {found['refused']}, p99 {row['late_ms']['p99']} ms late, p95 {row['v2v_ms']['p95']} ms,"
        f" {row['cpu']:.0%} of a core; the gate: {stalled.get('gate')}[/]",
        highlight=False,
    )
    return found


async def _go_on(crowd: Callers) -> None:
    while True:
        await crowd.offer(1, STILL)


def judge(told: dict[str, Any], row: dict[str, Any], carries: int) -> dict[str, Any]:
    """Say how a full server did; pure.

    Args:
        told: How many calls were `offered`, `taken`, `refused` (by status), of these not told when
            to try again (`rude`), and which `failed` otherwise.
        row: What those heard that it took.
        carries: How many it carries; 0: not known.

    Returns:
        `kept`: whether those who talked heard nothing of the others; `polite`: whether each of the
        others got 503 and a time to try again at; `roomy`: whether it took nine tenths of what it
        carries, None where that is not known; `late`: the share of packets that came 20 ms late or
        later, with its interval.
    """
    late = share(row["late_turns"])
    p99 = row["late_ms"]["p99"]
    refused = sum(told["refused"].values())
    return {
        "kept": p99 is not None and p99 < LATE and not (row["gone"] or row["lost"]),
        "sure": late is not None and late.side(RARE) != 0,
        "late": None if late is None else late.to_list(),
        "polite": (
            refused > 0
            and set(told["refused"]) == {"503"}
            and not told["rude"]
            and told["taken"] + refused == told["offered"]
        ),
        "roomy": told["taken"] >= ROOM * carries if carries else None,
    }
