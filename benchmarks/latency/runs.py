"""The runs: engines take turns with the same caller, and what came of it is written down.

Only one engine has a turn at any time, and each round begins with another one, so that whatever
the machine does meets all of them alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.latency import roster
from benchmarks.latency.backend import LONG_CHAR_MS, REPLY, SHORT_CHAR_MS, Backend
from benchmarks.latency.engine import Engine
from benchmarks.latency.report import LATE
from benchmarks.latency.roster import Entry
from benchmarks.latency.wire import RATE
from vivavoce.pipelines.benching.callers import CuttingCaller, TurnCaller, order
from vivavoce.pipelines.benching.clip import Clip, Samples
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.pipelines.benching.take import Take, answer, barge_in
from vivavoce.sandbox.launch import Sandbox

TRIES = 3
"""Takes of a turn at most, void ones included."""
STAGGER = 6.0
"""Seconds over which the calls of a load begin: about a turn's length."""

Say = Callable[[str], None]


@dataclass
class Seat:
    """An engine in a run.

    Attributes:
        entry: From the roster.
        engine: Its process.
        backends: Its keys: one for each call, or one for all.
        rows: What came of each turn, JSON-able.
        cpu: CPU time in its own turns (s).
        seconds: How long those were (s).
        gone: Why it left the run; empty while it takes part.
    """

    entry: Entry
    engine: Engine
    backends: list[Backend]
    rows: list[dict[str, Any]] = field(default_factory=list)
    cpu: float = 0.0
    seconds: float = 0.0
    gone: str = ""

    @property
    def backend(self) -> Backend:
        """The first call's key."""
        return self.backends[0]

    def report(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "what": self.entry.what,
            "versions": self.engine.ready.get("versions", {}),
            "cpu_of_a_core": self.cpu / self.seconds if self.seconds else None,
            "gone": self.gone,
            "turns": self.rows,
            "log": self.engine.log.splitlines(),
        }


@asynccontextmanager
async def seated(
    entries: Sequence[Entry],
    cache: Path,
    sandbox: Sandbox,
    say: Say,
    *,
    calls: int = 1,
    alike: bool = True,
) -> AsyncGenerator[list[Seat]]:
    """Start engines one after the other; end them all behind the block.

    Args:
        entries: Which.
        cache: Where their environments are.
        sandbox: Their model servers.
        say: Takes a line for each.
        calls: How many calls each of them holds.
        alike: All calls of an engine have one key, hence one script between them; else each has
            its own.

    Raises:
        ChildError: If one does not start.
        RosterError: If an environment cannot be made.
    """
    pythons = await asyncio.to_thread(roster.prepare, entries, cache)
    seats: list[Seat] = []
    try:
        for entry in entries:
            backends = [Backend.make(sandbox) for _ in range(1 if alike else calls)]
            keys = [backends[call % len(backends)].key for call in range(calls)]
            engine = roster.make(entry, pythons, sandbox.url, keys)
            say(f"starting {entry.name}")
            await engine.start()
            seats.append(Seat(entry, engine, backends))
        yield seats
    finally:
        for seat in seats:
            await seat.engine.close()


async def _turn(seat: Seat, clip: Clip, seed: int, call: int = 0) -> tuple[Take, TurnCaller]:
    """Play one turn, again where the caller itself was late."""
    backend = seat.backends[call]
    for attempt in range(1, TRIES + 1):
        await asyncio.to_thread(backend.script, [clip])
        seat.engine.turns[call].clear()
        caller = TurnCaller(clip, seed)
        loop = asyncio.get_running_loop()
        cpu, began = seat.engine.cpu(), loop.time()
        take = await seat.engine.play(caller, call)
        if take.late * 1000 <= LATE or attempt == TRIES:
            seat.cpu += seat.engine.cpu() - cpu
            seat.seconds += loop.time() - began
            return take, caller
        await asyncio.to_thread(backend.spent)
    raise AssertionError


async def judged(seat: Seat, clip: Clip, number: int, call: int = 0) -> dict[str, Any]:
    """Play one turn on one of an engine's calls; return what came of it, JSON-able.

    Raises:
        ChildError: If the engine ends on the way.
    """
    take, caller = await _turn(seat, clip, number, call)
    found = answer(take, caller.voiced_end)
    spent = await asyncio.to_thread(seat.backends[call].spent)
    ms = None if found.v2v is None else round(found.v2v * 1000, 1)
    return {
        "clip": clip.name,
        "v2v_ms": ms,
        "premature": found.premature,
        "lost": found.lost,
        "starts_ms": [round((at - caller.voiced_end) * 1000) for at in take.breaks()],
        "requests": spent,
        "late_ms": round(take.late * 1000, 1),
        "told": list(seat.engine.turns[call]),
        "said": "premature" if found.premature else "lost" if found.lost else f"{ms:.0f} ms",
    }


async def _rounds(
    seats: Sequence[Seat],
    count: int,
    play: Callable[[Seat, int], Any],
    say: Say,
) -> None:
    """Let every engine play every round, each round beginning with another one."""
    for number in range(count):
        first = number % len(seats)
        for seat in [*seats[first:], *seats[:first]]:
            if seat.gone:
                continue
            try:
                row = await play(seat, number)
            except ChildError as error:
                # The others go on; the table says who left.
                seat.gone = str(error).splitlines()[0]
                say(seat.gone)
                continue
            row["round"] = number
            seat.rows.append(row)
            say(f"{number + 1}/{count} {seat.entry.name}: {row['said']}")


async def warm_up(seats: Sequence[Seat], clips: Sequence[Clip], say: Say) -> None:
    """Hold two turns with each engine that do not count: models load, guards run out."""

    async def play(seat: Seat, number: int) -> dict[str, Any]:
        await _turn(seat, clips[number], number)
        await asyncio.to_thread(seat.backend.spent)
        return {"said": "warm"}

    await _rounds(seats, 2, play, say)
    for seat in seats:
        seat.rows.clear()
        seat.cpu = seat.seconds = 0.0


async def latency(
    entries: Sequence[Entry], clips: Sequence[Clip], turns: int, cache: Path, say: Say
) -> dict[str, Any]:
    """Measure voice-to-voice latency; return each engine's report by name."""
    chosen = [clips[index] for index in order(turns + 2, len(clips), 1)]
    return await _measure_turns(entries, chosen, cache, say)


async def _measure_turns(
    entries: Sequence[Entry], clips: Sequence[Clip], cache: Path, say: Say
) -> dict[str, Any]:
    warm, counted = clips[:2], clips[2:]

    async def play(seat: Seat, number: int) -> dict[str, Any]:
        return await judged(seat, counted[number], number)

    with Sandbox() as sandbox:
        async with seated(entries, cache, sandbox, say) as seats:
            await warm_up(seats, warm, say)
            await _rounds(seats, len(counted), play, say)
            return {seat.entry.name: seat.report() for seat in seats}


async def bargein(
    entries: Sequence[Entry], clips: Sequence[Clip], turns: int, cache: Path, say: Say
) -> dict[str, Any]:
    """Measure how fast a reply stops when the caller cuts in; return the reports by name."""
    asked = [clip for clip in clips if clip.voiced_end < 3 * RATE] or list(clips)
    cuts = [clip for clip in clips if clip.use == "cut"] or list(clips)
    first = [asked[index] for index in order(turns + 2, len(asked), 3)]
    second = [cuts[index] for index in order(turns, len(cuts), 4)]

    async def play(seat: Seat, number: int) -> dict[str, Any]:
        clip, cut = first[number + 2], second[number]
        await asyncio.to_thread(seat.backend.script, [clip], REPLY, LONG_CHAR_MS)
        seat.engine.turns[0].clear()
        caller = CuttingCaller(clip, cut, 1.5 + (number * 37 % 100) / 100, number)
        cutting = asyncio.Event()
        rescript = asyncio.create_task(_at_the_cut(cutting, seat.backend, cut))
        try:
            take = await seat.engine.play(Noticed(caller, cutting))
        finally:
            rescript.cancel()
            await asyncio.gather(rescript, return_exceptions=True)
        await asyncio.to_thread(seat.backend.spent)
        row: dict[str, Any] = {"clip": clip.name, "cut": cut.name, "told": []}
        row["late_ms"] = round(take.late * 1000, 1)
        if caller.cut_at is None:
            return {**row, "reaction_ms": None, "lost": True, "said": "lost"}
        found = barge_in(take, caller.cut_at, caller.cut_end + 0.3)
        ms = None if found.reaction is None else round(found.reaction * 1000, 1)
        # The answer to the interruption is short; what sounds for longer is the old reply, held
        # and taken up again.
        went_on = take.spoken(caller.cut_end) > 1.6 * len(REPLY) * SHORT_CHAR_MS / 1000
        row |= {"reaction_ms": ms, "stopped": found.stopped, "went_on": went_on, "lost": False}
        said = "did not stop" if ms is None else f"{ms:.0f} ms"
        return {**row, "said": f"{said}, and went on" if went_on else said}

    with Sandbox() as sandbox:
        async with seated(entries, cache, sandbox, say) as seats:
            await warm_up(seats, first, say)
            await _rounds(seats, turns, play, say)
            return {seat.entry.name: seat.report() for seat in seats}


class Noticed:
    """A cutting caller whose interruption sets an event."""

    def __init__(self, caller: CuttingCaller, cutting: asyncio.Event) -> None:
        self._caller = caller
        self._cutting = cutting

    def block(self, number: int, take: Take) -> Samples | None:
        """See `Caller`."""
        samples = self._caller.block(number, take)
        if self._caller.cut_at is not None:
            self._cutting.set()
        return samples


async def _at_the_cut(cutting: asyncio.Event, backend: Backend, cut: Clip) -> None:
    """Script the interruption once it begins; its own answer may be short."""
    async with asyncio.timeout(120):
        await cutting.wait()
    await asyncio.to_thread(backend.script, [cut], REPLY, SHORT_CHAR_MS)


async def load(
    entries: Sequence[Entry],
    clips: Sequence[Clip],
    turns: int,
    cache: Path,
    say: Say,
    *,
    calls: Sequence[int] = (1, 10),
) -> dict[str, Any]:
    """Measure the CPU of one call and of many at once; return the reports by name.

    Every call is a conversation of its own: its caller speaks, listens, and speaks again. All say
    the same, at other times. CPU counts while all of them talk.
    """
    clip = clips[order(1, len(clips), 5)[0]]
    found: dict[str, Any] = {}
    with Sandbox() as sandbox:
        for count in calls:
            for entry in entries:
                async with seated([entry], cache, sandbox, say, calls=count) as (seat,):
                    idle = seat.engine.memory()
                    await asyncio.to_thread(seat.backend.script, [clip] * count * (turns + 2))
                    await _conversations(seat, clip, count, 1)  # warms up
                    used, takes = await _conversations(seat, clip, count, turns + 1)
                    answers = [answer(take, caller.voiced_end) for take, caller in takes]
                    report = found.setdefault(entry.name, {"what": entry.what, "calls": {}})
                    report["versions"] = seat.engine.ready.get("versions", {})
                    report["calls"][str(count)] = {
                        "cpu_of_a_core_per_call": used / count,
                        "memory_mb": seat.engine.memory(),
                        "memory_idle_mb": idle,
                        "v2v_ms": [
                            None if one.v2v is None else round(one.v2v * 1000, 1) for one in answers
                        ],
                        "premature": sum(one.premature for one in answers),
                        "lost": sum(one.lost for one in answers),
                        "late_ms": round(max(take.late for take, _ in takes) * 1000, 1),
                        "loop_lag_ms": _lag(seat),
                    }
                    say(f"{entry.name}: {count} calls, {used / count:.1%} of a core each")
    return found


def _lag(seat: Seat) -> dict[str, float]:
    """Return how late an engine's event loop was, as it last told (ms); empty if it does not."""
    told = [
        turn["loop_lag_ms"]
        for turns in seat.engine.turns.values()
        for turn in turns
        if "loop_lag_ms" in turn
    ]
    return max(told, key=lambda lag: lag.get("max", 0.0), default={})


async def _conversations(
    seat: Seat, clip: Clip, calls: int, turns: int
) -> tuple[float, list[tuple[Take, TurnCaller]]]:
    """Let all calls of an engine talk; return the CPU of a core while all did, and their takes."""

    async def talk(call: int) -> list[tuple[Take, TurnCaller]]:
        await asyncio.sleep(call * STAGGER / calls)
        takes = []
        for number in range(turns):
            caller = TurnCaller(clip, call + number)
            takes.append((await seat.engine.play(caller, call), caller))
        return takes

    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        talking = [group.create_task(talk(call)) for call in range(calls)]
        await asyncio.sleep(STAGGER if calls > 1 else 0)
        cpu, began = seat.engine.cpu(), loop.time()
        await asyncio.wait(talking, return_when=asyncio.FIRST_COMPLETED)
        used = (seat.engine.cpu() - cpu) / max(0.1, loop.time() - began)
    return used, [take for task in talking for take in task.result()]
