"""Voice to voice over SIP, beside the same agent called by a file: same models, same lines."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.latency.backend import LONG_CHAR_MS, Backend
from benchmarks.latency.speech import chosen
from benchmarks.phone.agent import CACHE
from benchmarks.phone.farend import RATE, FarEnd
from benchmarks.phone.talker import Talker
from vivavoce.pipelines.benching.callers import order
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.sandbox.launch import Sandbox


class Agent:
    """The agent's process, and what it told."""

    def __init__(
        self, process: subprocess.Popen[str], told: Callable[[dict[str, Any]], None]
    ) -> None:
        self.process, self._told = process, told
        self.rows: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.startswith("{"):
                continue
            row = json.loads(line)
            self._told(row)
            with self._changed:
                self.rows.append(row)
                self._changed.notify_all()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return what it told of one kind."""
        return [row for row in self.rows if row["kind"] == kind]

    def until(self, kind: str, within: float, times: int = 1) -> dict[str, Any]:
        """Wait until it has told something so many times; return the last one."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.of(kind)) >= times, within):
                raise TimeoutError(f"the agent never told {kind!r}: {self.rows[-5:]}")
        return self.of(kind)[times - 1]


@contextmanager
def agent(
    given: dict[str, Any], told: Callable[[dict[str, Any]], None] = lambda _row: None
) -> Iterator[Agent]:
    """Start an agent's process; it is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.phone.agent", json.dumps(given)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Agent(process, told)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def by_file(sandbox: Sandbox, clips: list[Clip]) -> tuple[list[float | None], list[dict[str, Any]]]:
    """Have a file call; return the latencies, and the agent's account of each turn."""
    backend = Backend.make(sandbox)

    def told(row: dict[str, Any]) -> None:
        if row["kind"] == "turn":
            backend.script([clips[row["number"]]])

    given = {"url": sandbox.url, "key": backend.key, "kind": "file"}
    with agent({**given, "clips": [clip.name for clip in clips]}, told) as worker:
        over = worker.until("over", 30 * len(clips) + 30)
        return over["v2v"], worker.of("latency")


def by_sip(
    sandbox: Sandbox, clips: list[Clip]
) -> tuple[list[float | None], list[dict[str, Any]], dict[str, Any]]:
    """Have a telephone call; likewise, with the figures of its media."""
    backend = Backend.make(sandbox)

    def turn(number: int) -> None:
        threading.Thread(target=backend.script, args=([clips[number]],)).start()

    with agent({"url": sandbox.url, "key": backend.key, "kind": "sip"}) as worker:
        port = worker.until("ready", 60)["port"]
        talker = Talker(clips, RATE, turn)
        with FarEnd(port) as far:
            far.talk(talker)
        figures = worker.until("over", 20)
        return talker.latencies(), worker.of("latency"), {**figures, "caller_late_s": far.late}


def run(turns: int = 12, rounds: int = 2) -> dict[str, object]:
    """Take turns between both; return medians and what lies between them."""
    everything = [clip for clip in chosen(CACHE) if clip.use in {"turn", "cut"}]
    files: list[float | None] = []
    phones: list[float | None] = []
    ledgers: dict[str, list[dict[str, Any]]] = {"file": [], "sip": []}
    media: list[dict[str, Any]] = []
    with Sandbox() as sandbox:
        for each in range(rounds):
            clips = [everything[at] for at in order(turns, len(everything), each)]
            v2v, rows = by_file(sandbox, clips)
            files += v2v
            ledgers["file"] += rows
            v2v, rows, figures = by_sip(sandbox, clips)
            phones += v2v
            ledgers["sip"] += rows
            media.append(figures)
    both = [(a, b) for a, b in zip(files, phones, strict=True) if a is not None and b is not None]
    if not both:
        raise RuntimeError("no turn went through on both sides in time: the machine is too busy")
    between = sorted(b - a for a, b in both)
    return {
        "turns": len(files),
        "of_both": len(both),
        "file_ms": _ms([a for a, _ in both]),
        "sip_ms": _ms([b for _, b in both]),
        "difference_of_medians_ms": round(
            (statistics.median(b for _, b in both) - statistics.median(a for a, _ in both)) * 1000
        ),
        "median_of_differences_ms": round(statistics.median(between) * 1000),
        "differences_ms": [round(value * 1000) for value in between],
        "ledger_file_ms": _stages(ledgers["file"]),
        "ledger_sip_ms": _stages(ledgers["sip"]),
        "media": media,
    }


def _ms(values: list[float]) -> dict[str, int]:
    ranked = sorted(values)
    return {
        "median": round(statistics.median(ranked) * 1000),
        "p95": round(ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))] * 1000),
    }


def _stages(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Return the median of each stage of the agent's own account."""
    found: dict[str, list[float]] = {}
    for row in rows:
        account = row["latency"]
        for name, value in {**account["stages_us"], "total": account["total_us"]}.items():
            found.setdefault(name, []).append(value)
    return {name: round(statistics.median(values) / 1000) for name, values in found.items()}


def barge_in(turns: int = 10) -> dict[str, object]:
    """Cut into replies; how long the far end still hears one after the agent has stopped it.

    That is from the moment at which the agent decides to the end of the last audible packet that
    arrives; and from the caller's first sound, which holds the decision.
    """
    everything = chosen(CACHE)
    clips = [everything[at] for at in order(turns, len(everything), 7)]
    cutters = [clip for clip in everything if clip.use == "cut"]
    cuts = [cutters[at] for at in order(turns, len(cutters), 8)]
    with Sandbox() as sandbox:
        backend = Backend.make(sandbox)

        def turn(number: int) -> None:
            threading.Thread(
                target=backend.script,
                args=([clips[number], cuts[number]],),
                kwargs={"char_ms": LONG_CHAR_MS},
            ).start()

        with agent({"url": sandbox.url, "key": backend.key, "kind": "sip"}) as worker:
            port = worker.until("ready", 60)["port"]
            talker = Talker(clips, RATE, turn, cuts)
            with FarEnd(port) as far:
                far.talk(talker)
            figures = worker.until("over", 20)
            stopped = [row["now"] - far.began for row in worker.of("stopped")]
    silences, reactions = [], []
    for reaction in talker.reactions():
        if reaction is None:
            continue
        began, last = reaction
        mine = [at for at in stopped if began <= at <= last + 1.0]
        if not mine:
            continue
        reactions.append(last - began)
        silences.append(last + 0.02 - mine[0])  # a packet sounds for 20 ms
    return {
        "interruptions": turns,
        "measured": len(silences),
        "silent_after_the_interruption_ms": _ms([max(0.0, value) for value in silences]),
        "longest_ms": round(max(silences) * 1000),
        "from_the_callers_first_sound_ms": _ms(reactions),
        "media": figures,
    }
