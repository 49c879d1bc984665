"""The table of endpointing errors: every method on the same utterances."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.latency import roster
from benchmarks.latency.pauses import paused_clips
from benchmarks.latency.report import RARE
from benchmarks.measured import ROOT
from benchmarks.turns.endings import Ended, Heard, Ours, Remembered, TimeOut, Trial, judge
from benchmarks.turns.endings_pipecat import SmartTurnAlone
from benchmarks.turns.endings_v3 import StandIn, ended
from vivavoce.agent.ledger import percentile
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.sandbox.turns import stands

OURS = "ours"
ANSWERED = 600.0
"""Seconds within which LiveKit's process has to be through."""

Judge = Callable[[Heard], Awaitable[list[Ended]]]


@dataclass
class Row:
    """One method's errors.

    Attributes:
        name: The method.
        what: What it is.
        trials: What it made of each utterance.
        seconds: How long that took.
        gone: Why it did not run; empty where it did.
        more: What else is told of it.
    """

    name: str
    what: str
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0
    gone: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """Return its errors, JSON-able: shares, and ms behind the true end."""
        cut = [trial for trial in self.trials if trial.cut is not None]
        waits = [trial.waited for trial in self.trials if trial.waited is not None]
        return {
            "what": self.what,
            "gone": self.gone,
            "turns": len(self.trials),
            "cut": len(cut),
            "cut_share": len(cut) / len(self.trials) if self.trials else None,
            **{
                f"wait_p{share * 100:g}_ms": percentile(waits, share) if waits else None
                for share in (0.5, 0.9, 0.95)
            },
            "seconds": round(self.seconds, 1),
            **self.more,
        }


def _at_once(ends: Callable[[Heard], list[Ended]]) -> Judge:
    async def judged(heard: Heard) -> list[Ended]:
        return await asyncio.to_thread(ends, heard)

    return judged


async def _livekit(heard: Sequence[Heard], cache: Path) -> AsyncIterator[list[Ended]]:
    """Have LiveKit's detectors judge the utterances, in their own environment and process.

    Raises:
        RosterError: If it cannot be installed, or does not get through.
    """
    python = await asyncio.to_thread(roster.python_of, "livekit", cache)
    with tempfile.TemporaryDirectory() as folder:
        clips = Path(folder, "clips.npz")
        audio = {f"{number:05}": one.audio for number, one in enumerate(heard)}
        np.savez(clips, **audio)  # type: ignore[arg-type]
        process = await asyncio.create_subprocess_exec(
            *(str(python), "-m", "benchmarks.turns.endings_livekit", str(clips)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(ANSWERED):
                out, log = await process.communicate()
        except TimeoutError as error:
            raise roster.RosterError(
                f"LiveKit's detector took longer than {ANSWERED:g} s"
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    lines = out.decode().splitlines()
    if process.returncode or len(lines) != len(heard):
        last = log.decode(errors="replace").strip().splitlines()[-1:]
        raise roster.RosterError(f"LiveKit's detector failed: {' '.join(last)[:300]}")
    for line in lines:
        yield [Ended(at, why) for at, why in json.loads(line)]


async def run(
    clips: Sequence[Clip],
    count: int,
    cache: Path,
    say: Callable[[str], None],
    *,
    livekit: bool = True,
) -> list[Row]:
    """Have every method judge the same utterances.

    Args:
        clips: What is said; those with places for a pause are used.
        count: How many utterances.
        cache: Where LiveKit's environment is.
        say: Takes a line per method.
        livekit: Whether LiveKit's detector takes part.

    Raises:
        RosterError: If no clip has a place for a pause.
    """
    heard = [Heard.make(clip, n) for n, clip in enumerate(paused_clips(clips, count))]
    model = Remembered(await asyncio.to_thread(SmartTurn))
    ours = {
        OURS: ("ours: silence, words and smart-turn", Ours(model)),
        "ours-first": ("the same, each utterance the first of a call", Ours(model, first=True)),
        "ours-bare": ("the same, words without punctuation", Ours(model, "bare")),
        "ours-full": ("the same, a full stop behind every flush", Ours(model, "full")),
        "ours-words": ("the same, without smart-turn", Ours(None)),
        "ours-v3": (
            "ours, with the sandbox's turn events",
            Ours(model, events=lambda one: StandIn(one, stands)),
        ),
        "ours-v3-full": (
            "the same, its events heeding its own full stops",
            Ours(model, events=lambda one: StandIn(one, ended)),
        ),
    }
    methods: list[tuple[str, str, Judge]] = [
        *((name, what, _at_once(method.ends)) for name, (what, method) in ours.items()),
        ("smart-turn", "smart-turn alone, as pipecat uses it", SmartTurnAlone(model).ends),
        *(
            (f"{seconds:g} s", f"silence of {seconds:g} s alone", _at_once(TimeOut(seconds).ends))
            for seconds in (0.5, 0.8, 1.2)
        ),
    ]
    rows = []
    for name, what, ends in methods:
        row, began = Row(name, what), time.monotonic()
        row.trials = [judge(one, await ends(one)) for one in heard]
        row.seconds = time.monotonic() - began
        if name in ours:
            row.more = asdict(ours[name][1].cost)
        rows.append(row)
        say(f"{name}: {len(heard)} utterances in {row.seconds:.0f} s")
    last = Row("livekit", "LiveKit's local model (v1-mini), as LiveKit Agents uses it")
    rows.append(last)
    if not livekit:
        last.gone = "left out by --only"
        return rows
    began = time.monotonic()
    try:
        judged = [ends async for ends in _livekit(heard, cache)]
    except roster.RosterError as error:
        last.gone = str(error).splitlines()[0]
    else:
        last.trials = [judge(one, ends) for one, ends in zip(heard, judged, strict=True)]
    last.seconds = time.monotonic() - began
    say(f"{last.name}: {last.gone or f'{len(heard)} utterances in {last.seconds:.0f} s'}")
    return rows


def show(rows: Sequence[Row]) -> tuple[Table, dict[str, object]]:
    """Return the table of errors, and the figures."""
    lengths = sorted({trial.pause for row in rows for trial in row.trials})
    table = Table(
        title="ends of turns (offline)",
        caption="cut off: taken for over before the true end, in all and by the pause's length;"
        " kept waiting: ms behind it, of the others",
    )
    for head in ("method", "what it goes by"):
        table.add_column(head)
    heads = ("turns", "cut off", *(f"{each:g} s" for each in lengths))
    for head in (*heads, "kept waiting p50", "p90", "p95"):
        table.add_column(head, justify="right")
    figures: dict[str, object] = {}
    for row in rows:
        found = row.figures()
        figures[row.name] = found
        if row.gone:
            table.add_row(row.name, row.what, "–", f"did not run: {row.gone}")
            continue
        by_length = [
            f"{sum(t.cut is not None and t.pause == each for t in row.trials)}"
            f"/{sum(t.pause == each for t in row.trials)}"
            for each in lengths
        ]
        waits = [found[f"wait_p{share}_ms"] for share in (50, 90, 95)]
        table.add_row(
            f"[bold]{row.name}[/]" if row.name == OURS else row.name,
            row.what,
            str(found["turns"]),
            f"{found['cut_share']:.1%}",
            *by_length,
            *("–" if wait is None else f"{wait:.0f}" for wait in waits),
        )
    ours = next(row for row in rows if row.name == OURS).figures()
    figures["goal"] = {"cut_share": RARE}
    figures["met"] = ours["cut_share"] is not None and ours["cut_share"] <= RARE
    return table, figures


def cut_lines(rows: Sequence[Row], name: str = OURS) -> list[str]:
    """Say where a method cut the caller off, and why."""
    return [
        f"{row.name}, {trial.clip}: {trial.pause:g} s behind “{trial.before}”: {trial.why}"
        for row in rows
        for trial in row.trials
        if row.name == name and trial.cut is not None
    ]


def told(rows: Sequence[Row]) -> dict[str, list[dict[str, Any]]]:
    """Return every trial of every method, JSON-able."""
    return {row.name: [asdict(trial) for trial in row.trials] for row in rows}
