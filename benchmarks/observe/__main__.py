"""Holds real calls, has a real Prometheus scrape them, and asks it what the dashboard asks.

python -m benchmarks.observe [SECONDS]     figures to benchmarks/results/observe.json, and the
                                           picture to docs/pictures/dashboard.png

Calls are spoken over WebRTC to a server on the embedded models; the first chat model refuses a few
requests, so that another takes over. It fails if a panel has no data, or if what Prometheus has
counted is not what the calls' records say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.latency.machine import describe
from benchmarks.observe.picture import Line, chart, named, page, shoot
from benchmarks.observe.prometheus import DEPLOY, Prometheus, expression, panels
from tests.speech import speak
from tests.web.calls import MODELS, Browser
from vivavoce.agent import Agent
from vivavoce.agent.prices import PRICES
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.load import Bounds, Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.observing.meter import Meter
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.observing.traces import Tracer
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits
from vivavoce.web.server import CallServer
from vivavoce.web.store_settings import StoreSettings

ROOT = Path(__file__).parents[2]
CALLERS = 2
LATENCY = {"hear_final_ms": 60, "think_first_token_ms": 200, "think_tokens_per_s": 60,
           "speak_first_audio_ms": 90}  # fmt: skip
QUESTIONS = ("What are your opening hours?", "When do you open tomorrow?", "Thank you, good bye.")
WINDOW = "20s"
STEP = 2.0


def host() -> Agent:
    """Who answers."""
    agent = Agent("You help.", name="host", greeting="Good evening, and welcome to the house.")

    @agent.tool
    async def opening_hours() -> str:
        """Tell the opening hours."""
        await asyncio.sleep(0.15)
        return "from seven to eleven in the evening, and on Sundays from noon to ten"

    return agent


async def call(url: str, dice: random.Random) -> None:
    """Hold one call: questions, and one of the answers is cut."""
    async with Browser(url) as browser:
        await browser.call()
        if browser.status != 200:
            return
        await browser.event("agent_started", within=20)
        for number, question in enumerate(QUESTIONS):
            said = len(browser.events("agent_started"))
            browser.mic.say(speak(question, 48_000))
            with contextlib.suppress(TimeoutError):
                await browser.event("agent_started", said + 1, within=12)
            if number == 1:
                await asyncio.sleep(0.4)
                browser.mic.say(speak("Sorry, wait a moment please.", 48_000))
            await asyncio.sleep(dice.uniform(2.0, 4.0))
        browser.send("disconnect-bot")
        with contextlib.suppress(TimeoutError):
            await browser.event("call_ended", within=10)


async def caller(url: str, until: float, seed: int) -> None:
    """Call again and again."""
    dice = random.Random(seed)
    while time.monotonic() < until:
        with contextlib.suppress(TimeoutError):
            await call(url, dice)
        await asyncio.sleep(dice.uniform(0.5, 3.0))


async def compare(peer: Prometheus, ended: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return what Prometheus has counted beside what the records say."""

    async def counted(metric: str, labels: str = "") -> float:
        found = await peer.now(f"sum(vivavoce_{metric}{{{labels}}})")
        return float(found[0]["value"][1]) if found else 0.0

    turns = [
        entry["latency"]
        for record in ended
        for entry in record["transcript"]
        if entry["kind"] == "agent" and entry["latency"]
    ]
    stages: Counter[str] = Counter()
    for turn in turns:
        stages.update(turn["stages_us"])
    used: Counter[str] = Counter()
    for record in ended:
        used.update(record["usage"])
    beside = {
        "calls": (await counted("calls_ended_total"), len(ended)),
        "turns": (await counted("turn_latency_seconds_count"), len(turns)),
        "latency_s": (
            await counted("turn_latency_seconds_sum"),
            sum(turn["total_us"] for turn in turns) / 1e6,
        ),
        "tokens_in": (await counted("tokens_total", 'type="input"'), used["prompt_tokens"]),
        "characters": (await counted("characters_total"), used["characters"]),
        "switches": (
            await counted("provider_switches_total"),
            sum(len(record["switches"]) for record in ended),
        ),
    }
    for stage, us in stages.items():
        metric = await counted("stage_latency_seconds_sum", f'stage="{stage}"')
        beside[f"{stage}_s"] = (metric, us / 1e6)
    return {name: [round(each, 6) for each in pair] for name, pair in beside.items()}


async def draw(peer: Prometheus, seconds: float) -> tuple[str, dict[str, int], list[str]]:
    """Return the dashboard as a page, how many series each panel has, and which have none."""
    until = time.time()
    drawn: dict[int, str] = {}
    series: dict[str, int] = {}
    empty: list[str] = []
    for panel in panels():
        lines: list[Line] = []
        for target in panel["targets"]:
            found = await peer.over(expression(target, WINDOW), seconds, STEP)
            if not found:
                empty.append(f"{panel['title']}: {target['expr']}")
            for each in found:
                points = [(float(at), float(value)) for at, value in each["values"]]
                points = [point for point in points if math.isfinite(point[1])]  # of none
                lines.append(Line(named(target["legendFormat"], each["metric"]), points))
        series[panel["title"]] = len(lines)
        drawn[panel["id"]] = chart(panel, lines, until - seconds, until)
    board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    return page(board, drawn), series, empty


async def run(seconds: float, folder: Path) -> int:
    """Hold calls for so long; return the exit code."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("needs a Chromium: apt install chromium")
        return 2
    spans = InMemorySpanExporter()
    observer = Observer(Meter("0.1.0"), Tracer("", exporter=spans), prices=PRICES)
    gate, ended = Gate(Bounds(lag=0, loop=0, process=0)), []
    observer.open()
    gate.start()
    records = StoreSettings(where=str(folder / "kept")).make(upkeep=False)
    with Sandbox() as sandbox:
        refused = {"kind": "status", "status": 503}
        keys = [
            sandbox.make_key(latency=LATENCY, faults={"think": [refused] * 3}),
            sandbox.make_key(latency=LATENCY),
        ]
        places = {
            stage: [Endpoint(sandbox.url + "/" * index, key, model)
                    for index, key in enumerate(keys)]
            for stage, model in MODELS.items()
        }  # fmt: skip
        where = {stage: each if stage == "think" else each[0] for stage, each in places.items()}
        async with records, Models.connect(**where, smart_turn=SmartTurn()) as models:  # type: ignore[union-attr, arg-type]
            desk = Desk(
                [host()],
                models,
                limits=Limits(calls=CALLERS, per_address=99, starts=999),
                records=records,
                gate=gate,
                observer=observer,
                ended=lambda live: ended.append(live.record),
            )
            async with (
                CallServer(desk, Exposure(port=0)) as server,
                Prometheus(f"127.0.0.1:{server.port}", folder) as peer,
            ):
                until = time.monotonic() + seconds
                looking = asyncio.create_task(_look(server, until))
                await asyncio.gather(
                    *(caller(server.url, until, seed) for seed in range(CALLERS)), looking
                )
                markup, series, empty = await draw(peer, seconds)
                for live in list(desk.calls.values()):
                    await live.hang_up()
                while desk.calls:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
                await asyncio.sleep(2.5)  # the last scrape
                beside = await compare(peer, ended)
    gate.close()
    await observer.close()
    await shoot(markup, ROOT / "docs" / "pictures" / "dashboard.png", chromium)
    wrong = [name for name, (ours, theirs) in beside.items() if abs(ours - theirs) > 1e-4]
    result = {
        "machine": describe(),
        "seconds": seconds,
        "panels": series,
        "without_data": empty,
        "prometheus_beside_records": beside,
        "spans": len(spans.get_finished_spans()),
    }
    path = ROOT / "benchmarks" / "results" / "observe.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 1 if empty or wrong else 0


async def _look(server: CallServer, until: float) -> None:
    """Ask for readiness as an orchestrator does, and for one line too many now and then."""
    assert server.metrics is not None
    while time.monotonic() < until:
        await server.metrics.health.ready()
        if len(server.desk.calls) >= CALLERS:
            async with Browser(server.url) as late:
                await late.call()
        await asyncio.sleep(4)


def main() -> int:
    """Run it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 150.0
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(seconds, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
