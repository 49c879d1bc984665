"""Mid-sentence pauses: replies that begin in them, in many calls side by side.

Only one engine runs at a time, but many of its calls do: a pause takes as long as it takes, and
200 of them one after the other would take half an hour. Every call has a key and a caller of its
own, and says something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency import roster
from benchmarks.latency.roster import Entry
from benchmarks.latency.runs import Say, Seat, judged, seated
from benchmarks.latency.wire import RATE
from vivavoce.pipelines.benching.callers import order, room
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.sandbox.launch import Sandbox

PAUSES = (0.3, 0.5, 0.7, 0.9, 1.2)
"""Mid-sentence pauses (s), in turn."""
SEED = 2
STAGGER = 0.7
"""Seconds between the beginnings of two calls."""


def paused_clips(clips: Sequence[Clip], count: int) -> list[Clip]:
    """Put a pause where people pause into `count` clips; the same ones every time.

    Places are the ``|`` of the transcripts: between a phrase and the next, in the dip of the
    energy. Each is used once before any is used again, and then with another pause.

    Raises:
        RosterError: If no clip has a place for a pause.
    """
    places = [(clip, pause) for clip in clips for pause in clip.pauses]
    if not places:
        raise roster.RosterError(
            "no clip has a place for a pause: write | between the words in transcripts.tsv"
        )
    found = []
    for number, index in enumerate(order(count, len(places), SEED)):
        clip, pause = places[index]
        seconds = PAUSES[(index + number // len(places)) % len(PAUSES)]
        found.append(clip.paused(pause, seconds, room(seconds + 0.1, number)))
    return found


async def measure(
    entries: Sequence[Entry],
    clips: Sequence[Clip],
    turns: int,
    cache: Path,
    say: Say,
    *,
    calls: int = 8,
) -> dict[str, Any]:
    """Measure replies that begin in a pause; return each engine's report by name.

    Args:
        entries: The engines, one after the other.
        clips: What is said.
        turns: Of each engine, all its calls together.
        cache: Where environments are.
        say: Takes a line per turn.
        calls: How many calls each engine holds at the same time.

    Raises:
        ChildError: If one does not start.
        RosterError: If an environment cannot be made, or no clip has a place for a pause.
    """
    calls = min(calls, turns)
    chosen = paused_clips(clips, turns + calls)
    found = {}
    for entry in entries:
        # A sandbox each, so that what one engine leaves behind costs the next one nothing.
        with Sandbox() as sandbox:
            async with seated([entry], cache, sandbox, say, calls=calls, alike=False) as (seat,):
                await _talk(seat, chosen[turns:], lambda _line: None)  # warms up
                seat.rows.clear()
                loop = asyncio.get_running_loop()
                cpu, began = seat.engine.cpu(), loop.time()
                await _talk(seat, chosen[:turns], say)
                if not seat.gone:
                    seat.cpu = (seat.engine.cpu() - cpu) / calls
                    seat.seconds = loop.time() - began
                seat.rows.sort(key=lambda row: int(row["round"]))
                found[entry.name] = {**seat.report(), "calls": calls}
    return found


async def _talk(seat: Seat, clips: Sequence[Clip], say: Say) -> None:
    """Have all calls of an engine take turns from one list until it is empty."""
    left = iter(enumerate(clips))

    async def call(number: int) -> None:
        await asyncio.sleep(number * STAGGER)
        for turn, clip in left:
            if seat.gone:
                return
            try:
                row = await judged(seat, clip, turn, number)
            except ChildError as error:
                seat.gone = str(error).splitlines()[0]
                say(seat.gone)
                return
            assert clip.gap is not None
            row |= {
                "round": turn,
                "call": number,
                "text": clip.text,
                "before": clip.before(clip.gap[0] + 1),
                "pause_s": (clip.gap[1] - clip.gap[0]) / RATE,
                "pause_at_ms": round((clip.gap[0] - clip.voiced_end - 1) / RATE * 1000),
            }
            seat.rows.append(row)
            say(f"{len(seat.rows)}/{len(clips)} {seat.entry.name}: {row['said']}")

    async with asyncio.TaskGroup() as group:
        for number in range(len(seat.backends)):
            group.create_task(call(number), name=f"call {number}")
