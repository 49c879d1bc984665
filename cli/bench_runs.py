"""What `vivavoce bench` measures: the machine at rest, one call's delays, many calls at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import numpy as np

from vivavoce.agent.ledger import STAGES
from vivavoce.pipelines.benching import machine
from vivavoce.pipelines.benching.callers import PatientCaller, TurnCaller, order
from vivavoce.pipelines.benching.child import Child
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.knee import LATE, Knee, judge
from vivavoce.pipelines.benching.line import Line, LineError
from vivavoce.pipelines.benching.listening import lateness
from vivavoce.pipelines.benching.plan import FIXED, LONG, REPLY, SHORT, SPARE, STAGGER, Plan
from vivavoce.pipelines.benching.spread import fit, summary
from vivavoce.pipelines.benching.take import Take, answer
from vivavoce.pipelines.lag import LoopLag
from vivavoce.pipelines.load import usable_cores
from vivavoce.sandbox.launch import Sandbox

ENGINE = "vivavoce.cli.bench_engine"
REST = 3.0
"""Seconds for which the machine is watched before anything runs."""
ROUNDS = 5
"""Requests to each backend alone."""
QUICK_ROUNDS = 2
TARDY = 0.030
"""How late (s) a block of the caller's may be: a turn of which one was later is played again."""
PAUSE = 1.0
"""Seconds between two looks at what the process uses."""
GREETING = 3.0
"""Seconds in which an agent's greeting has begun."""
SETTLE = 10.0
"""Seconds in which calls must be over once they are hung up."""

Tell = Callable[[str], None]


class Bench:
    """Measures, and keeps what it has: `result` is right after every step.

    Args:
        plan: How much.
        clips: What is said.
        agent: Who answers, as the command line has it; "" for the bench's own.
        flags: Of the settings, for `live`.
        tell: Told what is being done.
        done: Told how many seconds of the plan's estimate are behind.

    Attributes:
        result: As the page takes it (docs/bench.md).
    """

    def __init__(
        self,
        plan: Plan,
        clips: Sequence[Clip],
        *,
        agent: str = "",
        flags: dict[str, Any] | None = None,
        tell: Tell = lambda _text: None,
        done: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self.plan, self.clips = plan, clips
        self._agent, self._flags = agent, flags or {}
        self._tell, self._done = tell, done
        self.result: dict[str, Any] = {
            "kind": "vivavoce bench",
            "version": 1,
            "live": plan.live,
            "quick": plan.quick,
            "agent": agent,
            "backends": {"fixed": None if plan.live else FIXED},
        }

    async def run(self) -> None:
        """Measure all of it. Cancelling it keeps what is measured.

        Raises:
            ChildError: The measured process did not start, or ended.
            SandboxError: The fixed backends did.
            LineError: A call could not be begun.
            ModelError: A backend failed when it was asked by itself.
        """
        began = time.monotonic()
        try:
            await self._rest()
            with _apart() as core:
                async with aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=0),
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as http:
                    await self._latency(http, core)
                    if self.plan.steps:
                        await self._capacity(http, core)
        finally:
            self.result["seconds"] = round(time.monotonic() - began, 1)

    async def _rest(self) -> None:
        """Look at the machine while nothing of ours runs."""
        self._tell("the machine at rest")
        self.result["machine"] = machine.describe()
        lag, before = LoopLag(), machine.read_clocks()
        lag.start()
        try:
            await asyncio.sleep(REST / 3 if self.plan.quick else REST)
        finally:
            lag.close()
        used, stolen = machine.shares(before, machine.read_clocks())
        signs = machine.Signs(
            cores=usable_cores(),
            used=used,
            stolen=stolen,
            lag=lag.p99,
            governor=machine.governor(),
            debug=sys.flags.dev_mode,
            pinned=hasattr(os, "sched_setaffinity"),
        )
        self.result["rest"] = {
            "used": round(used, 3),
            "stolen": round(stolen, 3),
            "lag_ms": lag.to_dict(),
            "governor": signs.governor,
        }
        self.result["warnings"] = machine.warnings(signs)

    @asynccontextmanager
    async def _engine(
        self, core: Sequence[int], script: Sequence[Clip], char_ms: float, *, live: bool = False
    ) -> AsyncGenerator[Child]:
        """Start the measured process, on a sandbox of its own or on the user's providers."""
        options: dict[str, Any] = {"agent": self._agent, "folder": os.getcwd()}  # noqa: PTH109
        name = "the measured process"
        if live:
            child = Child(ENGINE, {**options, "live": True, "flags": self._flags}, name=name)
            try:
                await child.start()
                yield child
            finally:
                await asyncio.shield(child.close())
            return
        async with Sandbox.launch() as sandbox:
            key = await asyncio.to_thread(
                sandbox.make_key,
                latency={**FIXED, "speak_char_ms": char_ms},
                script={
                    "hear": [clip.script for clip in script],
                    "think": [REPLY] * (SPARE * len(script)),
                    "speak": "tone",
                },
            )
            given = {**options, "url": sandbox.url, "key": key}
            child = Child(ENGINE, given, name=name, cores=core)
            try:
                await child.start()
                yield child
            finally:
                await asyncio.shield(child.close())

    async def _latency(self, http: aiohttp.ClientSession, core: Sequence[int]) -> None:
        """Let one call talk, turn after turn."""
        plan = self.plan
        again = plan.turns // 2
        said = [self.clips[n] for n in order(plan.turns + again + 1, len(self.clips), 5)]
        first, rounds = self.clips[0], QUICK_ROUNDS if plan.quick else ROUNDS
        script = [*[first] * (rounds + 1), *said, *[first] * 3]
        takes: list[tuple[Take, TurnCaller]] = []
        records: list[dict[str, Any]] = []
        self._tell("the backends alone")
        async with self._engine(core, script, SHORT, live=plan.live) as child:
            alone = await child.ask("backends", within=300, rounds=rounds)
            self.result["backends"]["alone_ms"] = alone
            self.result["backends"]["models"] = child.ready["models"]
            self._done(14.0)
            began = time.monotonic()
            share = (plan.latency_seconds - 14.0) / (plan.turns + 1)
            try:
                async with Line(http, child.ready["url"]) as line:
                    if child.ready["greets"]:
                        await line.play(PatientCaller(first=GREETING))
                    await child.ask("mark")
                    for number, clip in enumerate(said):
                        if len(takes) == plan.turns:
                            break
                        self._tell(f"one call: turn {len(takes) + 1} of {plan.turns}")
                        caller = TurnCaller(clip, number)
                        take = await line.play(caller)
                        lag = (await child.ask("figures"))["lag_ms"]
                        if not number:  # the first turn warms the call up
                            continue
                        if take.late > TARDY and again:
                            again -= 1  # another one instead: this one's caller was late
                            continue
                        takes.append((take, caller))
                        self._done(share)
            finally:
                if takes:
                    records = await asyncio.shield(ended(child, 1))
                    found = delays_of(takes, records)
                    found["lag_ms"] = lag
                    found["again"] = plan.turns // 2 - again
                    found["seconds"] = round(time.monotonic() - began, 1)
                    self.result["latency"] = found

    async def _capacity(self, http: aiohttp.ClientSession, core: Sequence[int]) -> None:
        """Add calls until they hear it."""
        rows: list[dict[str, Any]] = []
        knee = Knee(self.plan.steps)
        found: dict[str, Any] = {"core": list(core), "rows": rows, "carries": 0, "why": ""}
        self.result["capacity"] = found
        alone: list[float] = self.result.get("latency", {}).get("v2v_ms", [])
        tried: set[int] = set()
        while (calls := knee.next) is not None:
            self._tell(f"{calls} calls at once" if calls > 1 else "one call, as the others will be")
            row = await self._step(http, core, calls)
            alone = row["v2v"] if calls == 1 else alone
            verdict = judge(row, alone)
            chance = bool(verdict.why) and not verdict.sure and not self.plan.quick
            if (chance or verdict.callers) and calls not in tried:
                tried.add(calls)  # once more: it may have been chance, or what else ran just then
                continue
            row |= verdict.to_dict()
            knee.add(calls, verdict)
            rows.append(row)
            rows.sort(key=lambda each: int(each["calls"]))
            found |= summed(rows, knee)
            self._done(self.plan.step_seconds(calls))
        found["complete"] = bool(knee.why)

    async def _step(
        self, http: aiohttp.ClientSession, core: Sequence[int], calls: int
    ) -> dict[str, Any]:
        """Let so many calls talk at once; return what their callers heard and what it cost."""
        turns, clip = self.plan.turns_of(calls), self.clips[1]
        async with self._engine(core, [clip] * calls * (turns + 3), LONG) as child:

            async def talk(number: int) -> list[tuple[Take, TurnCaller]]:
                await asyncio.sleep(number * STAGGER)
                takes: list[tuple[Take, TurnCaller]] = []
                # A call that breaks down is one without its answers: that is a result.
                with contextlib.suppress(LineError):
                    async with Line(http, child.ready["url"]) as line:
                        if child.ready["greets"]:
                            await line.play(PatientCaller(number, GREETING))
                        for turn in range(turns + 1):
                            caller = TurnCaller(clip, number * 31 + turn)
                            takes.append((await line.play(caller), caller))
                return takes

            async with asyncio.TaskGroup() as group:
                talking = [group.create_task(talk(number)) for number in range(calls)]
                await asyncio.sleep(calls * STAGGER)
                await child.ask("mark")
                used, memory, before = [], 0.0, await child.ask("figures")
                began, cpu = before["at"], before["cpu"]
                while not any(task.done() for task in talking):
                    await asyncio.wait(talking, timeout=PAUSE, return_when=asyncio.FIRST_COMPLETED)
                    after = await child.ask("figures")
                    if (passed := after["at"] - before["at"]) > PAUSE / 2:
                        used.append(round((after["cpu"] - before["cpu"]) / passed, 4))
                        before = after
                    memory = max(memory, after["memory_mb"])
                    lag = after["lag_ms"]
                whole = max(0.1, before["at"] - began)
                share = (before["cpu"] - cpu) / whole
            took = [take for task in talking for take in task.result()[1:]]
        lates = [[each * 1000 for each in lateness(take.packets)] for take, _ in took]
        answers = [answer(take, caller.voiced_end) for take, caller in took]
        v2v = [round(each.v2v * 1000, 1) for each in answers if each.v2v is not None]
        return {
            "calls": calls,
            "turns": calls * turns,
            "cpu": round(share, 4),
            "cpu_per_call": round(share / calls, 4),
            "cpu_samples": used,
            "memory_mb": memory,
            "late_ms": summary([each for turn in lates for each in turn], 1),
            "late_turns": [[len(turn), sum(late >= LATE for late in turn)] for turn in lates],
            "v2v_ms": summary(v2v),
            "v2v": v2v,
            "lag_ms": lag,
            "lost": calls * turns - len(took) + sum(each.lost for each in answers),
            "premature": sum(each.premature for each in answers),
            # Of the callers' blocks, one in twenty turns: a single late one is no limit.
            "caller_late_ms": round(
                float(np.percentile([take.late for take, _ in took] or [0.0], 95)) * 1000, 1
            ),
        }


async def ended(child: Child, calls: int) -> list[dict[str, Any]]:
    """Return the records of calls that were hung up, once they are there."""
    records: list[dict[str, Any]] = []
    until = time.monotonic() + SETTLE
    while len(records) < calls and time.monotonic() < until:
        records += (await child.ask("records"))["records"]
        await asyncio.sleep(0.1)
    return records


def delays_of(
    takes: Sequence[tuple[Take, TurnCaller]], records: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return what came of one call's turns: by the caller's ear, and by the ledger."""
    answers = [answer(take, caller.voiced_end) for take, caller in takes]
    v2v = [round(each.v2v * 1000, 1) for each in answers if each.v2v is not None]
    ledgers = [
        entry["latency"]
        for record in records
        for entry in record["transcript"]
        if entry["kind"] == "agent" and entry.get("latency")
    ]
    ledgers = ledgers[-len(takes) :]
    stages = {
        stage: {
            "mean": round(
                sum(each["stages_us"][stage] for each in ledgers) / len(ledgers) / 1e3, 1
            ),
            "hidden": round(
                sum(each["hidden_us"].get(stage, 0) for each in ledgers) / len(ledgers) / 1e3, 1
            ),
        }
        for stage in STAGES
        if ledgers
    }
    return {
        "turns": len(takes),
        "v2v_ms": v2v,
        "v2v": summary(v2v),
        "lost": sum(each.lost for each in answers),
        "premature": sum(each.premature for each in answers),
        "caller_late_ms": round(max((take.late for take, _ in takes), default=0.0) * 1000, 1),
        "ledger_ms": summary([each["total_us"] / 1000 for each in ledgers]),
        "stages_ms": stages,
        "ledgers": ledgers,
        "speculation": records[0]["speculation"] if records else {},
        "usage": records[0].get("usage", {}) if records else {},
        "cost_usd": records[0].get("cost_usd") if records else None,
    }


def summed(rows: Sequence[dict[str, Any]], knee: Knee) -> dict[str, Any]:
    """Return what the steps come to so far."""
    good = [row for row in rows if not row["why"]]
    found: dict[str, Any] = {
        "carries": knee.carries,
        "why": knee.why,
        "callers": knee.callers,
        "cpu": None,
        "memory": None,
    }
    calls = [row["calls"] for row in good]
    if cpu := fit(calls, [row["cpu"] for row in good]):
        found["cpu"] = {"alone": cpu.alone, "each": cpu.each, "worst": cpu.worst}
    if memory := fit(calls, [row["memory_mb"] for row in good]):
        found["memory"] = {"alone": memory.alone, "each": memory.each, "worst": memory.worst}
    return found


@contextmanager
def _apart() -> Iterator[list[int]]:
    """Leave one core to the measured process; give it. Empty where that cannot be."""
    try:
        usable = sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        usable = []
    if len(usable) < 2:
        yield []
        return
    os.sched_setaffinity(0, usable[:-1])
    try:
        yield usable[-1:]
    finally:
        os.sched_setaffinity(0, usable)
