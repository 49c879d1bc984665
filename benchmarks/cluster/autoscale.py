"""`python -m benchmarks.cluster.autoscale`: machines come with the load and go with it.

A Ray cluster of one node with one core, and Ray's own autoscaler (`machines.py`), which may add two
more. A worker has room for four calls. Calls begin until there is little room; the keeper asks for
a core more, the autoscaler starts a node, the node's worker takes calls; twice. Then most calls
end: a worker has its calls run out and ends, and its node goes away; twice. One call is on the
worker that is drained, and says more sentences before it ends by itself.

It shows that the parts fit and that no call is lost; the seconds are those of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cluster.__main__ import (
    AGENT,
    RESULTS,
    STAGGER,
    Served,
    environment,
    profile,
    script_of,
    session,
)
from benchmarks.cluster.caller import Caller
from benchmarks.cluster.machines import Machines
from vivavoce.pipelines.benching import machine
from vivavoce.sandbox.launch import Sandbox

ROOM, MOST = 4, 3
"""Calls that a worker has room for, and workers at most."""
QUIET, IDLE = 20.0, 10.0
"""Seconds of little use until a worker ends, and without one until its machine goes."""
LATENCY = {"think_first_token_ms": 2_500, "speak_first_audio_ms": 90, "speak_char_ms": 10}
TURNS = 200
SETUP = f"""
[limits]
calls = {ROOM}
per_address = 1000
starts = 10000
requests = 10000
"""
STEP = 240.0
"""Seconds in which each step has happened."""


class Watch:
    """Sees what machines and workers there are, once a second.

    Args:
        address: Ray's.
        say: Takes what happens.
    """

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        self._address, self._say = address, say
        self._began = time.monotonic()
        self.line: list[dict[str, Any]] = []
        self.now: dict[str, Any] = {}
        self.workers: list[dict[str, Any]] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.workers, seen = await asyncio.to_thread(self._look)
            if seen != self.now:
                self.now = seen
                self.line.append({"at_s": self.at, **seen})
                self._say(", ".join(f"{count} {name}" for name, count in seen.items()))
            await asyncio.sleep(1.0)

    @property
    def at(self) -> float:
        """Seconds since it began."""
        return round(time.monotonic() - self._began, 1)

    def first(self, name: str, count: int) -> float:
        """Return when there were first so many of something (s)."""
        return float(next(each["at_s"] for each in self.line if each[name] >= count))

    async def until(self, judge: Callable[[], Any]) -> float:
        """Wait until something is so; return how long it took (s)."""
        began = time.monotonic()
        async with asyncio.timeout(STEP):
            while not judge():  # noqa: ASYNC110 (Ray tells nobody)
                await asyncio.sleep(0.2)
        return round(time.monotonic() - began, 1)

    def _look(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        import ray

        from vivavoce.cli.ray_link import cores, there

        status = ray.get(there().status.remote(), timeout=60)
        workers = list(status["workers"])
        return workers, {
            "nodes": len(cores()),
            "wanted": status["wanted"],
            "workers": sum(not each["draining"] for each in workers),
            "draining": sum(each["draining"] for each in workers),
        }


class Bench:
    """What is done, and what comes of it.

    Args:
        server: The front.
        watch: Sees what there is.
        say: Takes what happens.
    """

    def __init__(self, server: Served, watch: Watch, say: Callable[[str], None]) -> None:
        self._watch, self._say = watch, say
        self.callers = [Caller(server.url, n, script_of(n, TURNS)) for n in range(ROOM * MOST - 3)]

    async def run(self) -> dict[str, Any]:
        """Let calls begin and end; return how long everything took."""
        watch = self._watch
        found: dict[str, Any] = {"up": [], "down": []}
        async with session() as http, asyncio.TaskGroup() as group:
            watching = group.create_task(watch.run())
            await watch.until(lambda: watch.now)

            async def begin(callers: list[Caller]) -> None:
                for each in callers:
                    group.create_task(each.run(http))
                    await asyncio.sleep(STAGGER)
                await watch.until(lambda: all(each.at or each.ended for each in callers))

            # Three calls to each worker that there is: three quarters of the room.
            for count in range(1, MOST):
                await begin(self.callers[3 * (count - 1) : 3 * count])
                self._say(f"{3 * count} calls at {count} workers")
                await watch.until(lambda count=count: watch.now["workers"] > count)
                asked = watch.first("wanted", count + 1)
                node, taken = (watch.first(each, count + 1) for each in ("nodes", "workers"))
                found["up"].append(
                    {"node_s": round(node - asked, 1), "takes_calls_s": round(taken - asked, 1)}
                )
            await begin(self.callers[3 * (MOST - 1) :])
            spread = Counter(each.workers[-1] for each in self.callers)
            found["spread"] = dict(spread)
            self._say(f"{len(self.callers)} calls: {dict(spread)}")

            # All but two go: one at the youngest worker, which will be drained, and one elsewhere.
            youngest = self.callers[-1].workers[-1]
            first = self.callers[0]
            stays = next(each for each in self.callers if each.workers[-1] == youngest)
            for each in self.callers:
                if each not in (first, stays):
                    del each.script[each.at + 1 :]
            await watch.until(
                lambda: all(each.ended for each in self.callers if each not in (first, stays))
            )
            self._say(f"two calls are left, at {first.workers[-1]} and {youngest}")
            began = time.monotonic()
            await watch.until(
                lambda: any(e["name"] == youngest and e["draining"] for e in watch.workers)
            )
            drained = round(time.monotonic() - began, 1)
            said = stays.at
            await watch.until(lambda: stays.at >= said + 5)
            del stays.script[stays.at + 1 :]
            await watch.until(lambda: stays.ended)
            self._say(f"{youngest} was drained with a call, which said {stays.at - said} more")
            ended = time.monotonic()
            await watch.until(lambda: watch.now["nodes"] == MOST - 1)
            gone = round(time.monotonic() - ended, 1)
            found["down"].append(
                {"drained_s": drained, "said_meanwhile": stays.at - said, "node_gone_s": gone}
            )
            began = time.monotonic()
            await watch.until(lambda: watch.now["nodes"] == MOST - 2)
            found["down"].append({"node_gone_s": round(time.monotonic() - began, 1)})
            del first.script[first.at + 1 :]
            await watch.until(lambda: first.ended)
            watching.cancel()
        found["calls"] = len(self.callers)
        found["ended"] = dict(Counter(each.ended for each in self.callers))
        found["disturbed"] = sum(bool(each.returns) for each in self.callers)
        found["timeline"] = watch.line
        return found


def run(console: Console) -> dict[str, Any]:
    """Have the cluster, and do it all; return what came out."""
    about, began = machine.describe(), time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s  {text}[/]", highlight=False)

    with (
        tempfile.TemporaryDirectory() as place,
        Sandbox() as sandbox,
        Machines(MOST - 1, IDLE) as machines,
    ):
        folder = Path(place)
        (folder / "host.py").write_text(AGENT)
        (folder / "web.toml").write_text(SETUP)
        key = sandbox.make_key(**{**profile(ROOM * MOST, TURNS), "latency": LATENCY})
        given = environment(sandbox, key, machines.environment)
        words = ["--ray", machines.address, "--workers", f"1-{MOST}", "--drain", "300"]
        with Served(folder, [*words, "--records", "calls"], given) as server:
            say("a cluster of one node takes calls")
            server.command(
                *("cluster", "scale", f"1-{MOST}", "--quiet", f"{QUIET:g}"),
                *("--ray", machines.address),
            )
            os.environ.update(machines.environment)  # before Ray is imported
            from vivavoce.cli.ray_link import connect, disconnect

            connect(machines.address, show_logs=False)
            try:
                found = asyncio.run(Bench(server, Watch(machines.address, say), say).run())
            finally:
                disconnect()
            log = list(server.lines)
    return {
        "machine": about,
        "load_average_after": machine.describe()["load_average"],
        "room_of_a_worker": ROOM,
        "quiet_s": QUIET,
        "idle_s": IDLE,
        **found,
        "log": log[-40:],
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print what came out."""
    table = Table(title=f"{found['calls']} calls; one node, and up to {MOST - 1} by need")
    table.add_column("what")
    table.add_column("came out", justify="right")
    for number, each in enumerate(found["up"], 2):
        table.add_row(f"one more is wanted: node {number} is there after", f"{each['node_s']} s")
        table.add_row("… and its worker takes calls", f"{each['takes_calls_s']} s")
    first, second = found["down"]
    table.add_row("little use: a worker is drained after", f"{first['drained_s']} s")
    table.add_row("… with a call, which says more sentences", str(first["said_meanwhile"]))
    table.add_row("… and once it is over the node goes after", f"{first['node_gone_s']} s")
    table.add_row("the next worker and its node", f"{second['node_gone_s']} s")
    table.add_row("calls that went to their end", str(found["ended"].get("done", 0)))
    table.add_row("… that were disturbed", str(found["disturbed"]))
    console.print(table)


def main() -> int:
    """Measure; return 1 if a call was lost."""
    parser = argparse.ArgumentParser("python -m benchmarks.cluster.autoscale", description=__doc__)
    path = RESULTS / "cluster-autoscale.json"
    parser.add_argument("--out", type=Path, default=path, metavar="FILE")
    options = parser.parse_args()
    found = run(Console(stderr=True))
    show(found, Console(width=None if sys.stdout.isatty() else 100))
    options.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if found["ended"] == {"done": found["calls"]} and not found["disturbed"] else 1


if __name__ == "__main__":
    sys.exit(main())
