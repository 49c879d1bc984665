"""`python -m benchmarks.cluster`: calls on two Ray nodes, while parts of it are added and killed.

1. All calls by one process, `vivavoce serve`: what each of them said and heard.
2. The same calls by `vivavoce serve --cluster`. One node has a worker, half of the calls begin;
   a second node comes under load, and with it a second worker, where the others go. Then the first
   worker is killed (SIGKILL): its callers come back with their tokens and go on, at another
   worker, with what was said. Then the second worker is drained while its calls go on.

Callers send sound all the time (`caller.py`); what they say they type, so that each call says the
same in both runs, and each answer can be told from any other. Models are one sandbox with fixed
latencies; what the model was told of a call that was resumed is read there (`told.py`). Records are
in PostgreSQL where Debian's is installed, else in SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import aiohttp
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from benchmarks.cluster.caller import Caller
from benchmarks.cluster.nodes import Nodes
from benchmarks.cluster.told import Told, watch
from vivavoce.pipelines.benching import machine
from vivavoce.sandbox.launch import Sandbox

RESULTS = Path(__file__).parent.parent / "results"
AGENT = """
from vivavoce.agent import Agent

agent = Agent("You take down items.", name="host", greeting="Go ahead.")
"""
SETUP = """
[limits]
calls = 100
per_address = 1000
starts = 10000
requests = 10000
"""
LATENCY = {"think_first_token_ms": 200, "speak_first_audio_ms": 90, "speak_char_ms": 40}
STAGGER = 0.15
"""Seconds between the beginnings of two calls."""
STARTED = 300.0
"""Seconds in which a server takes calls."""
LONGEST = 1_200.0
"""Seconds in which all calls are over."""


class Served:
    """`vivavoce serve` as a process. Use it as a context manager; it is ended by its pid.

    Args:
        folder: Where it runs.
        words: Its arguments beside the agent's.
        environment: Its environment.
    """

    def __init__(self, folder: Path, words: list[str], environment: dict[str, str]) -> None:
        self._command = [sys.executable, "-m", "vivavoce.cli.main"]
        self._folder, self._environment = folder, environment
        self._words = ["serve", "host.py", "--port", "0", "--setup", "web.toml", *words]
        self.lines: list[str] = []
        self.url = ""
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [*self._command, *self._words],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(STARTED) or not self.url:
            self.__exit__()
            raise RuntimeError("it takes no calls:\n" + "\n".join(self.lines[-20:]))
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(10)

    def command(self, *words: str) -> str:
        """Run another command in its folder; return what it printed."""
        done = subprocess.run(
            [*self._command, *words],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if "http://" in line and not self.url:
                self.url = next(word.rstrip(",") for word in line.split() if "http://" in word)
                self._ready.set()
        self._ready.set()


def script_of(number: int, turns: int) -> list[str]:
    """Return what a caller says; no two sentences of all callers are alike."""
    return [f"Item {turn:02d} of caller {number:02d}." for turn in range(turns)]


def profile(calls: int, turns: int) -> dict[str, Any]:
    """Return the sandbox's: to each sentence its own answer."""
    answers = {
        text[:-1].lower(): f"Caller {number:02d}, your item {turn:02d} is noted."
        for number in range(calls)
        for turn, text in enumerate(script_of(number, turns))
    }
    return {"latency": LATENCY, "script": {"answers": answers, "speak": "tone"}}


@contextlib.contextmanager
def records() -> Iterator[str]:
    """Give a place for records: PostgreSQL where Debian's is there, else a folder."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        yield "calls"
        return
    from tests.web.storage import postgres

    with postgres() as where:
        yield where


class Bench:
    """Both runs.

    Args:
        calls: How many.
        turns: Sentences of each.
        say: Takes what happens.
        sandbox: The models.
        key: The sandbox's, whose requests tell what models were told.
    """

    def __init__(self, calls: int, turns: int, say: Console, sandbox: Sandbox, key: str) -> None:
        self.calls, self.turns = calls, turns
        self._console = say
        self._sandbox, self._key = sandbox, key
        self._began = time.monotonic()
        self.events: list[tuple[float, str]] = []

    def say(self, text: str) -> None:
        """Tell what happens, and when."""
        at = time.monotonic() - self._began
        self.events.append((round(at, 1), text))
        self._console.print(f"[dim]{at:6.1f} s  {text}[/]", highlight=False)

    def callers(self, url: str) -> list[Caller]:
        """Return all callers."""
        return [Caller(url, n, script_of(n, self.turns)) for n in range(self.calls)]

    async def _begin(
        self, group: asyncio.TaskGroup, http: aiohttp.ClientSession, callers: list[Caller]
    ) -> None:
        for each in callers:
            group.create_task(each.run(http))
            await asyncio.sleep(STAGGER)

    async def alone(self, server: Served) -> list[Caller]:
        """Let all call one process."""
        callers = self.callers(server.url)
        async with asyncio.timeout(LONGEST), session() as http, asyncio.TaskGroup() as group:
            await self._begin(group, http, callers)
        return callers

    async def cluster(self, server: Served, nodes: Nodes) -> tuple[list[Caller], dict[str, Any]]:
        """Let all call a cluster, and harm it meanwhile."""
        callers = self.callers(server.url)
        half = self.calls // 2
        found: dict[str, Any] = {}

        async def command(*words: str) -> str:
            return await asyncio.to_thread(server.command, *words)

        async def workers() -> list[dict[str, Any]]:
            text = await command("cluster", "status", "--ray", nodes.address, "--json")
            return list(json.loads(text)["workers"])

        async with asyncio.timeout(LONGEST), session() as http, asyncio.TaskGroup() as group:
            (first,) = await workers()
            await self._begin(group, http, callers[:half])
            await _all(callers[:half], lambda each: each.at >= 1)
            self.say(f"{half} calls at one worker, {first['name']} on {first['node']}")

            before = time.monotonic()
            await asyncio.to_thread(nodes.add)
            self.say("a second node is there")
            second = await self._another(workers, {first["name"]})
            found["node_to_worker_s"] = round(time.monotonic() - before, 1)
            self.say(f"its worker {second['name']} takes calls")
            await self._begin(group, http, callers[half:])
            await _all(callers, lambda each: each.at >= 1)
            spread = Counter(each.workers[-1] for each in callers if not each.ended)
            found["spread"] = dict(spread)
            self.say(f"{spread.total()} calls: {dict(spread)}")

            running = [each for each in callers if not each.ended]
            victim = [each for each in running if each.workers[-1] == first["name"]]
            others = [each for each in running if each not in victim]
            os.kill(_pid_of(first["url"]), signal.SIGKILL)
            killed = time.monotonic()
            told = Told(
                {each.number: each.script for each in victim},
                {each.number: each.at for each in victim},
            )
            watching = group.create_task(watch(told, self._sandbox, self._key))
            self.say(f"killed {first['name']}, which had {len(victim)} calls")
            await _all(victim, lambda each: bool(each.returns) or bool(each.ended))
            found["killed"] = {
                "calls": len(victim),
                "all_back_s": round(time.monotonic() - killed, 1),
                "resumed": sum(bool(each.returns) for each in victim),
                "others_running": len(others),
                "others_disturbed": sum(bool(each.returns) for each in others),
            }
            self.say(f"{found['killed']['resumed']} of its callers are back")
            third = await self._another(workers, {first["name"], second["name"]})
            self.say(f"{third['name']} is in its place")

            there = [each for each in callers if each.workers[-1] == second["name"]]
            there = [each for each in there if not each.ended]
            self.say(f"{second['name']} is drained, with {len(there)} calls")
            returns = {each.number: len(each.returns) for each in there}
            drained = time.monotonic()
            draining = group.create_task(
                command("cluster", "drain", second["name"], "--ray", nodes.address, "--wait", "300")
            )
            await draining
            found["drain"] = {
                "calls": len(there),
                "seconds": round(time.monotonic() - drained, 1),
                "lost": sum(
                    each.ended != "done" or len(each.returns) > returns[each.number]
                    for each in there
                ),
            }
            self.say(f"{second['name']} has ended; {found['drain']['lost']} calls were lost")
            left = await self._another(workers, {first["name"], second["name"], third["name"]})
            self.say(f"{left['name']} is in its place")
            await _all(callers, lambda each: bool(each.ended))
            watching.cancel()
            found["model_was_told"] = told.to_dict()
        return callers, found

    async def _another(self, workers: Any, known: set[str]) -> dict[str, Any]:
        async with asyncio.timeout(STARTED):
            while True:
                for each in await workers():
                    if each["name"] not in known and each["answers"]:
                        return dict(each)
                await asyncio.sleep(0.5)


def session() -> aiohttp.ClientSession:
    """Return what any number of callers call with."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def _all(callers: list[Caller], judge: Any) -> None:
    while not all(judge(each) or each.ended for each in callers):  # noqa: ASYNC110 (of many)
        await asyncio.sleep(0.1)


def _pid_of(url: str) -> int:
    """Return the process that listens at a worker's address."""
    port = int(url.rpartition(":")[2])
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
            return int(each.pid)
    raise RuntimeError(f"nobody listens at {url}")


def compare(alone: list[Caller], cluster: list[Caller]) -> dict[str, Any]:
    """Hold the transcripts of both runs against each other."""
    same, cut, other = 0, 0, []
    for one, two in zip(alone, cluster, strict=True):
        if one.lines() == two.lines():
            same += 1
        elif two.returns and fits(one.lines(), two.lines()):
            cut += 1
        else:
            other.append(one.number)
    return {"same": same, "same_but_for_the_cut_reply": cut, "other": other}


def fits(whole: list[str], broken: list[str]) -> bool:
    """Whether a call whose worker died went as one that nobody disturbed.

    What is missing from it is a reply of which it has the beginning, cut.
    """
    cut = [line.removesuffix(" [cut]") for line in broken if line.endswith("[cut]")]
    rest = iter(line for line in broken if not line.endswith("[cut]"))
    line = next(rest, None)
    for expected in whole:
        if line == expected:
            line = next(rest, None)
        elif not any(expected.startswith(each) for each in cut):
            return False
    return line is None


def environment(sandbox: Sandbox, key: str, more: dict[str, str]) -> dict[str, str]:
    """Return what servers run with."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VIVAVOCE", "MISTRAL"))}
    return {
        **kept,
        "VIVAVOCE_MODELS": "sandbox",
        "VIVAVOCE_SANDBOX_URL": sandbox.url,
        "VIVAVOCE_SANDBOX_KEY": key,
        # The machine has two cores for all of this and more: a late loop must not refuse calls.
        "VIVAVOCE_LOAD__LAG": "0",
        "VIVAVOCE_LOAD__LOOP": "0",
        "VIVAVOCE_LOAD__PROCESS": "0",
        "NO_COLOR": "1",
        "COLUMNS": "200",
        **more,
    }


def run(calls: int, turns: int, say: Console) -> dict[str, Any]:
    """Do both runs; return what came out."""
    about = machine.describe()
    with tempfile.TemporaryDirectory() as place, Sandbox() as sandbox, records() as kept:
        folder = Path(place)
        (folder / "host.py").write_text(AGENT)
        (folder / "web.toml").write_text(SETUP)
        key = sandbox.make_key(**profile(calls, turns))
        bench = Bench(calls, turns, say, sandbox, key)
        words = ["--records", kept]
        with Served(folder, ["--records", "alone"], environment(sandbox, key, {})) as server:
            bench.say("one process takes calls")
            alone = asyncio.run(bench.alone(server))
        ended = Counter(each.ended for each in alone)
        bench.say(f"one process: {dict(ended)}")
        with Nodes() as nodes:
            given = environment(sandbox, key, nodes.environment)
            began = time.monotonic()
            with Served(
                folder, ["--cluster", "--ray", nodes.address, "--drain", "20", *words], given
            ) as server:
                started = round(time.monotonic() - began, 1)
                bench.say(f"a cluster of one node takes calls, after {started} s")
                cluster, found = asyncio.run(bench.cluster(server, nodes))
                log = list(server.lines)
        back = [each for caller in cluster for each in caller.returns]
        return {
            "machine": about,
            "load_average_after": machine.describe()["load_average"],
            "records": kept.partition(":")[0] if "://" in kept else "sqlite",
            "calls": calls,
            "turns": turns,
            "start_s": started,
            "one_process": dict(ended),
            "cluster": dict(Counter(each.ended for each in cluster)),
            **found,
            "back": {
                "calls": len(back),
                "seconds_p50": round(statistics.median(each.seconds for each in back), 2)
                if back
                else None,
                "seconds_max": round(max((each.seconds for each in back), default=0.0), 2),
                "sentences_lost": sum(each.lost for each in back),
            },
            "transcripts": compare(alone, cluster),
            "events": bench.events,
            "log": [line for line in log if "worker" in line][-40:],
            "one_process_in_detail": [each.lines() for each in alone],
            "calls_in_detail": [
                {
                    "number": each.number,
                    "workers": each.workers,
                    "returns": [asdict(back) for back in each.returns],
                    "ended": each.ended,
                    "sound_s": round(each.sound / 2 / 8_000, 1),
                    "lines": each.lines(),
                }
                for each in cluster
            ],
        }


def show(found: dict[str, Any], console: Console) -> None:
    """Print what came out."""
    killed, drain, back = found["killed"], found["drain"], found["back"]
    table = Table(title=f"{found['calls']} calls on two Ray nodes, records in {found['records']}")
    table.add_column("what")
    table.add_column("came out", justify="right")
    for what, came in (
        ("calls over both workers", ", ".join(str(n) for n in found["spread"].values())),
        (
            "second node: from its start to its worker's first call",
            f"{found['node_to_worker_s']} s",
        ),
        ("kill -9 of a worker: its calls", killed["calls"]),
        ("… that their callers resumed", killed["resumed"]),
        ("… calls of others that were disturbed", killed["others_disturbed"]),
        ("… back after, median and longest", f"{back['seconds_p50']} s, {back['seconds_max']} s"),
        ("… sentences that the transcript had lost", back["sentences_lost"]),
        (
            "… whose model knew all that was said",
            "{with_all_sentences} of {resumed}".format(**found["model_was_told"]),
        ),
        ("drained worker: its calls, lost of them", f"{drain['calls']}, {drain['lost']}"),
        ("calls that went to their end", found["cluster"].get("done", 0)),
        ("transcripts as with one process", found["transcripts"]["same"]),
        ("… but for the reply that death cut", found["transcripts"]["same_but_for_the_cut_reply"]),
        ("… other", len(found["transcripts"]["other"])),
    ):
        table.add_row(what, str(came))
    console.print(table)


def main() -> int:
    """Measure; return 1 if calls were lost."""
    parser = argparse.ArgumentParser("python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--turns", type=int, default=24, help="sentences of each call")
    parser.add_argument("--out", type=Path, default=RESULTS / "cluster.json", metavar="FILE")
    options = parser.parse_args()
    found = run(options.calls, options.turns, Console(stderr=True))
    show(found, Console(width=None if sys.stdout.isatty() else 120))
    options.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    good = (
        found["cluster"] == {"done": options.calls}
        and found["killed"]["resumed"] == found["killed"]["calls"]
        and not found["killed"]["others_disturbed"]
        and not found["drain"]["lost"]
        and not found["transcripts"]["other"]
        and found["model_was_told"]["with_all_sentences"] == found["killed"]["calls"]
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
