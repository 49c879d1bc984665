"""`python -m benchmarks.soak`: whole calls on one server for hours, while things go wrong.

Callers come and go at random on websockets; they cut in, lose their lines, come back or do not,
read too slowly, and some are interpreted. The providers fail in every way that the sandbox knows,
one after the other. At the end it is judged whether a call lost its record, a turn its ledger, and
whether the process holds anything that it should not.

    python -m benchmarks.soak [--minutes 120] [--calls N | --share 0.7] [--seed 1] [--trace]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from benchmarks.latency.machine import describe
from benchmarks.soak.judge import Check, grown, kept, left, memory
from benchmarks.soak.people import Caller, Visit
from benchmarks.soak.picture import draw
from benchmarks.soak.weather import profile, spells
from vivavoce.pipelines.benching.child import Child
from vivavoce.pipelines.benching.line import LineError
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.pipelines.benching.speech import sentences
from vivavoce.sandbox.launch import Sandbox, SandboxError
from vivavoce.web.store_settings import StoreSettings

RESULTS = Path(__file__).parents[1] / "results"
EVERY = 10.0
"""Seconds between two looks at the server."""
WAIT = 8.0
"""Seconds that the server waits for a caller who is gone."""
REST = 20.0
"""Seconds of quiet before what a process holds is counted."""
DRAIN = 120.0
"""Seconds in which the last calls must be over."""


class SoakError(RuntimeError):
    """It could not be run; the message says what to do."""


def knee(share: float, path: Path = RESULTS / "capacity.json") -> int:
    """Return a share of the calls that one core carries, as `benchmarks.capacity` found.

    Over websockets, or, where only that was measured, over a pipe.

    Raises:
        SoakError: It has not been measured.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        part = found.get("websocket") or found["engines"]
        carries = int(part["ours"]["carries"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        carries = 0
    if carries < 1:
        text = f"{path.name} has no knee: run `python -m benchmarks.capacity`, or give --calls"
        raise SoakError(text)
    return max(1, round(share * carries))


class Soak:
    """One run.

    Args:
        seconds: How long.
        calls: How many callers there are.
        seed: Of what happens when.
        lag: The gate's bound of the event loop's lag (ms); 0: none.
        trace: Whether the server's memory is traced.
        say: Where it is told how things are.
    """

    def __init__(
        self, seconds: float, calls: int, seed: int, lag: float, say: Console, *, trace: bool
    ) -> None:
        self.seconds, self.calls, self.seed = seconds, calls, seed
        self.lag, self.trace, self.say = lag, trace, say
        self.visits: list[Visit] = []
        self.samples: list[dict[str, Any]] = []
        self.spells: Counter[str] = Counter()
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self._stop = False

    def stop(self) -> None:
        """End it before its time; what was seen is judged."""
        self._stop = True

    async def run(self, folder: Path, core: list[int]) -> list[Check]:
        """Run it; return the verdict.

        Raises:
            ChildError: The server did not start, or ended.
            SandboxError: The providers did.
        """
        async with Sandbox.launch() as sandbox:
            keys = [
                await asyncio.to_thread(sandbox.make_key, **profile(self.seed + n))
                for n in range(2)
            ]
            options = {
                "url": sandbox.url,
                "keys": keys,
                "folder": str(folder),
                "calls": self.calls * 2,
                "wait": WAIT,
                "lag": self.lag,
                "trace": self.trace,
            }
            child = Child("benchmarks.soak.server", options, name="the server", cores=core)
            try:
                await child.start()
                async with aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=0, force_close=True),
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as http:
                    await self._hours(child, sandbox, keys, http)
            finally:
                await asyncio.shield(child.close())
        return await self._judge(folder)

    async def _hours(
        self, child: Child, sandbox: Sandbox, keys: list[str], http: aiohttp.ClientSession
    ) -> None:
        loop = asyncio.get_running_loop()
        url, clips = child.ready["url"], sentences()

        def caller(number: int) -> Caller:
            return Caller(http, url, clips, self.seed * 1000 + number, self.visits)

        # Everything is used once before it is counted what a server at rest holds.
        self.say.print("[dim]warming up[/]")
        await caller(-1).rehearse()
        await asyncio.sleep(REST)
        self.before = await child.ask("census")
        began = loop.time()
        until = began + self.seconds

        def over() -> bool:
            return self._stop or loop.time() >= until

        storm = asyncio.create_task(self._storm(sandbox, keys), name="weather")
        callers = [
            asyncio.create_task(caller(n).live(over), name=f"caller {n}") for n in range(self.calls)
        ]
        try:
            while not over():
                await asyncio.sleep(max(0.1, min(EVERY, until - loop.time())))
                await self._look(child, loop.time() - began)
                for task in callers:
                    if task.done() and task.exception() is not None:
                        raise SoakError(f"a caller failed: {task.exception()!r}")
            self.seconds = min(self.seconds, loop.time() - began)
            storm.cancel()
            await asyncio.gather(storm, return_exceptions=True)
            for key, number in zip(keys, range(2), strict=True):
                await asyncio.to_thread(sandbox.change_key, key, **profile(self.seed + number))
            await asyncio.wait(callers, timeout=DRAIN)
            for _ in range(round(DRAIN)):
                if not (await child.ask("figures"))["calls"]:
                    break
                await asyncio.sleep(1)
            await asyncio.sleep(REST)
            self.after = await child.ask("census")
            self.after["stacks"] = (await child.ask("stacks"))["stacks"]
        finally:
            for task in (storm, *callers):
                task.cancel()
            await asyncio.gather(storm, *callers, return_exceptions=True)

    async def _storm(self, sandbox: Sandbox, keys: list[str]) -> None:
        """Let one thing after the other go wrong."""
        for number, spell in enumerate(spells(self.seed)):
            await asyncio.sleep(spell.after)
            struck = keys if spell.both else keys[:1]
            for key in struck:
                foul = profile(self.seed + number, spell)
                await asyncio.to_thread(sandbox.change_key, key, **foul)
            self.spells[spell.name] += 1
            await asyncio.sleep(spell.lasts)
            for key in struck:
                await asyncio.to_thread(sandbox.change_key, key, **profile(self.seed + number))

    async def _look(self, child: Child, at: float) -> None:
        minute = int(at / 60) > int((self.samples[-1]["at"] if self.samples else 0.0) / 60)
        sample = {**await child.ask("figures", anew=minute), "at": round(at, 1)}
        self.samples.append(sample)
        if not minute:
            return
        before = self.samples[-7] if len(self.samples) > 6 else None
        cpu = ""
        if before is not None and at > before["at"]:
            cpu = f", CPU {(sample['cpu'] - before['cpu']) / (at - before['at']):.0%}"
        lag = sample["lag_ms"]
        self.say.print(
            f"[dim]{at / 60:4.0f} min[/]  {sample['calls']} calls ({len(self.visits)} so far),"
            f" {sample['rss_mb']:.0f} MB{cpu}, {sample['tasks']} tasks,"
            f" {sample['threads']} threads, {sample['fds']} fds, {sample['sockets']} sockets,"
            f" loop p99 {lag.get('p99', 0)} ms, most {lag.get('max', 0)} ms,"
            f" {sample['errors']} warnings",
            highlight=False,
        )
        if self.trace:
            told = await child.ask("memory", within=120)
            for line in told["grown"]:
                self.say.print(f"    {line}", highlight=False, markup=False)

    async def _judge(self, folder: Path) -> list[Check]:
        """Read what was kept, and judge all of it."""
        store = StoreSettings(where=str(folder), recordings="").make(upkeep=False)
        assert store is not None
        records: dict[str, dict[str, Any]] = {}
        async with store:
            for visit in self.visits:
                if visit.call and (found := await store.get(visit.call)) is not None:
                    records[visit.call] = found
        begun = [visit.call for visit in self.visits]
        trouble = [text for visit in self.visits for text in visit.trouble]
        return [
            *kept(begun, records, self.after),
            *left(self.before, self.after),
            memory(self.samples, len(self.visits)),
            Check(
                "no line broke that was not meant to",
                not trouble,
                "; ".join(f"{n} times {w}" for w, n in Counter(trouble).most_common(3)) or "none",
            ),
        ]

    def result(self, checks: list[Check]) -> dict[str, Any]:
        """Return all of it as JSON."""
        found, each = grown(self.samples)
        habits: dict[str, Counter[str]] = {}
        for visit in self.visits:
            one = habits.setdefault(visit.habit, Counter())
            one.update(calls=1, turns=visit.turns, answered=visit.answered)
            one.update(resumed=visit.resumed, refused=bool(visit.refused))
        return {
            "machine": describe(),
            "minutes": round(self.seconds / 60, 1),
            "callers": self.calls,
            "seed": self.seed,
            "calls": len(self.visits),
            "habits": {name: dict(one) for name, one in sorted(habits.items())},
            "faults": dict(self.spells),
            "memory": {
                "mb_per_hour": None if found is None else round(found.each, 3),
                "low": None if found is None else round(found.low, 3),
                "high": None if found is None else round(found.high, 3),
                "mb_per_live_call": round(each, 2),
            },
            "checks": [check.to_dict() for check in checks],
            "before": self.before,
            "after": self.after,
            "samples": self.samples,
        }


async def _held(soak: Soak, folder: Path, core: list[int]) -> list[Check]:
    """Run it; the first Ctrl-C ends it early, and it is judged."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)  # a second one ends all
        soak.stop()

    loop.add_signal_handler(signal.SIGINT, stop)
    return await soak.run(folder, core)


def main() -> int:
    """Run it; 1 if something does not hold."""
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--calls", type=int, help="callers; else a share of the knee")
    parser.add_argument("--share", type=float, default=0.7, help="of the knee")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--lag", type=float, default=50.0, help="the gate's bound (ms); 0 on a busy machine"
    )
    parser.add_argument("--trace", action="store_true", help="tell where memory grows; slow")
    parser.add_argument("--out", type=Path, default=RESULTS / "soak.json")
    options = parser.parse_args()
    say = Console(width=None if sys.stdout.isatty() else 170)
    usable = sorted(os.sched_getaffinity(0))
    core = usable[-1:] if len(usable) > 1 else []
    if core:
        os.sched_setaffinity(0, usable[:-1])
    try:
        calls = options.calls or knee(options.share)
        soak = Soak(
            options.minutes * 60, calls, options.seed, options.lag, say, trace=options.trace
        )
        say.print(f"{calls} callers for {options.minutes:g} minutes, seed {options.seed}")
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            checks = asyncio.run(_held(soak, Path(folder), core))
    except (SoakError, ChildError, SandboxError, LineError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for check in checks:
        mark = "[green]holds[/]" if check.ok else "[red]FAILS[/]"
        say.print(f"{mark}  {check.name}: {check.told}", highlight=False)
    result = soak.result(checks)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    with contextlib.suppress(ValueError):
        options.out.with_suffix(".svg").write_text(draw(result))
    say.print(f"[dim]{options.out}[/]")
    return 0 if all(check.ok for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
