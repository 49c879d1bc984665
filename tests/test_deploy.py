"""What is shipped for Prometheus and Grafana, judged by Prometheus itself."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.observe.prometheus import (
    DEPLOY,
    Prometheus,
    PrometheusMissingError,
    expression,
    panels,
    program,
)
from tests.web.calls import sandboxed, serving
from vivavoce.agent.ledger import Request, Span, Switch, account
from vivavoce.agent.ledger import Speculation as Guessed
from vivavoce.agent.transcript import Failure, ToolUse
from vivavoce.agent.usage import Usage
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.observing.meter import Meter
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.observing.tally import Gain, Turn
from vivavoce.web.exposure import Exposure
from vivavoce.web.store_settings import StoreSettings
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
TRACE = "0af7651916cd43dd8448eb211c80319c"
RULES = DEPLOY / "prometheus"


def promtool(*words: str, given: bytes = b"", folder: Path = RULES) -> tuple[int, str]:
    try:
        tool = program("promtool")
    except PrometheusMissingError as missing:
        pytest.skip(str(missing))
    done = subprocess.run(
        [tool, *words], input=given, capture_output=True, cwd=folder, timeout=60, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_promtool_takes_the_configuration_and_the_rules():
    status, told = promtool("check", "config", "prometheus.yml")
    assert status == 0, told
    assert "19 rules found" in promtool("check", "rules", "rules.yml")[1]


def test_each_alert_fires_when_it_should_and_not_else(tmp_path):
    status, told = promtool("test", "rules", "rules.test.yml")
    assert status == 0, told
    # Every alert is tested, and the tests can fail.
    rules, tests = (RULES / "rules.yml").read_text(), (RULES / "rules.test.yml").read_text()
    assert set(re.findall(r"alert: (\w+)", rules)) == set(re.findall(r"alertname: (\w+)", tests))
    (tmp_path / "rules.yml").write_text(rules.replace("2e9", "1e9").replace("p95 > 1.5", "p95 > 9"))
    (tmp_path / "rules.test.yml").write_text(tests)
    status, told = promtool("test", "rules", "rules.test.yml", folder=tmp_path)
    assert status == 1
    assert "VivavoceDiskFull" in told
    assert "VivavoceTurnsSlow" in told


def lost(given: Any, read: Any, place: str = "") -> Iterator[str]:
    """What of a structure is not in another one, or is something else there."""
    if isinstance(given, dict) and isinstance(read, dict):
        for key, value in given.items():
            if key in read:
                yield from lost(value, read[key], f"{place}.{key}")
            else:
                yield f"{place}.{key}"
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for index, pair in enumerate(zip(given, read, strict=True)):
            yield from lost(*pair, f"{place}[{index}]")
    elif given != read:
        yield place


def test_grafanas_own_library_reads_all_of_the_dashboard():
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import dashboard, prometheus

    plugins.register_default_plugins()
    given = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    read = dashboard.Dashboard.from_json(given)
    assert list(lost(given, json.loads(JSONEncoder().encode(read)))) == []
    queries = [target for panel in read.panels for target in getattr(panel, "targets", None) or ()]
    assert len(queries) == sum(len(panel["targets"]) for panel in panels())
    assert all(isinstance(query, prometheus.Dataquery) for query in queries)


def test_the_panels_of_the_dashboard_have_their_places():
    board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    shown = panels()
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["title"] and panel["targets"] for panel in shown)
    for panel in shown:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["datasource"]["uid"] == "${datasource}"
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters))
    # No two lie on each other.
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def happen(meter: Meter) -> None:
    """Have a bit of everything happen, as a tally gives it."""
    spans = [Span("transcription", 1.0, 1.1), Span("thinking", 1.05, 1.3), Span("speech", 1.3, 1.4)]
    served = {"hearing": "h at u", "thinking": "t at u", "speaking": "s at u"}
    whole = Request("thinking", "t at u", 1.0, 1.2, 2.0, "whole")
    failed = Request("speaking", "s at u", 1.0, None, 2.0, "timeout")
    tool = ToolUse("abcdefghi", "look", "{}", 0, 1.0, seconds=0.3, ok=True)
    gain = Gain(
        turns=[Turn(account(1.0, 1.5, spans), served)],
        reactions=[0.1],
        partials=[0.3],
        requests=[whole, failed],
        switches=[Switch("hearing", "h2 at u", "gone", 1.0, "timeout")],
        failures=[Failure("tools", "no", 1.0)],
        tools=[tool],
        underruns=1,
        speculation=Guessed(3, 2, 4, 50, 10),
        usage=Usage(3, 100, 20, 50, 2.0, 1.0),
        costs={"t": 0.001},
    )
    meter.gained("webrtc", gain, TRACE)
    meter.began("webrtc")
    meter.ended("webrtc", "the caller hung up", 30.0)
    meter.refused("web", "busy")
    figures = {"jitter_ms": 4.0, "round_trip_ms": 20.0, "concealed_ms": 20, "received": 50}
    meter.leg("webrtc", {}, figures)
    meter.leg_ended("webrtc", figures)


async def test_a_real_prometheus_reads_it_and_every_panel_has_data(tmp_path, profile):
    try:
        program("prometheus")
    except PrometheusMissingError as missing:
        pytest.skip(str(missing))
    observer, gate = Observer(Meter("1.2.3")), Gate()
    records = StoreSettings(where=str(tmp_path / "kept")).make(upkeep=False)
    guarded = Exposure(port=0, secret=SECRET, origins=("https://shop.example",))
    key = Signer(SECRET).scrape_key
    observer.open()
    gate.start()
    try:
        async with (
            records,
            serving(
                models=sandboxed(profile()),
                exposure=guarded,
                observer=observer,
                gate=gate,
                records=records,
            ) as server,
            Prometheus(f"127.0.0.1:{server.port}", tmp_path, key=key, interval="250ms") as peer,
        ):
            await server.metrics.health.ready()
            missing = [
                (panel["title"], expression(target))
                for panel in panels()
                for target in panel["targets"]
            ]
            async with asyncio.timeout(60):
                while missing:
                    for _ in range(3):
                        happen(observer.meter)
                        await asyncio.sleep(0.25)
                    missing = [each for each in missing if not await peer.now(each[1])]
            assert await peer.now('up{job="vivavoce"} == 1')
            rules = [
                rule for group in (await peer.ask("rules"))["groups"] for rule in group["rules"]
            ]
            assert len(rules) == 19
            assert all(rule["health"] != "err" for rule in rules), rules
            seen = await peer.ask(
                "query_exemplars", query="vivavoce_turn_latency_seconds_bucket",
                start=0, end=4e9,
            )  # fmt: skip
            assert seen[0]["exemplars"][0]["labels"]["trace_id"] == TRACE
            # The text that older readers get is clean as well.
            from prometheus_client import generate_latest

            status, told = promtool(
                "check", "metrics", given=generate_latest(observer.meter.registry)
            )
            assert (status, told) == (0, "")
    finally:
        gate.close()
        await observer.close()
