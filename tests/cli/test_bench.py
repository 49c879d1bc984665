"""`vivavoce bench`: a short run from end to end, Ctrl-C, and what is refused."""

from __future__ import annotations

import json
import signal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.commands import run, start
from tests.web.benched import result
from vivavoce.agent.settings import Settings
from vivavoce.cli.bench import estimate, finish
from vivavoce.cli.bench_runs import summed
from vivavoce.pipelines.benching.knee import Knee, Verdict
from vivavoce.pipelines.benching.plan import Plan
from vivavoce.web.bench_page import read_bench


def test_a_run_leaves_its_page_and_its_figures(tmp_path: Path):
    done = run(
        tmp_path, "bench", "--quick", "--turns", "1", "--calls", "0", "--json", "--out", "b.html"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    latency = told["latency"]
    assert latency["turns"] == 1
    assert 100 < latency["v2v"]["p50"] < 20_000
    for ledger in latency["ledgers"]:
        assert sum(ledger["stages_us"].values()) == ledger["total_us"]
    # The fixed backends are as slow as they were told to be.
    assert min(told["backends"]["alone_ms"]["think"]) >= 195
    assert min(told["backends"]["alone_ms"]["speak"]) >= 85
    assert told["command"] == "vivavoce bench --quick --turns 1 --calls 0 --json --out b.html"
    assert read_bench(tmp_path / "b.html") == told
    assert json.loads((tmp_path / "b.json").read_text()) == told


def test_ctrl_c_ends_it_at_once(tmp_path: Path):
    process = start(tmp_path, "bench", "--turns", "500", "--calls", "0")
    try:
        assert process.stdout is not None
        assert "This takes about" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.communicate()
    assert not list(tmp_path.glob("*.html"))


def test_a_page_is_made_again_and_compared(tmp_path: Path):
    console = Console(file=StringIO(), width=100)
    out = tmp_path / "n.html"
    assert finish(result(2, slower=40.0), console, out, earlier=result(1)) == 0
    told = console.file.getvalue()
    assert "worse  voice to voice, half of the turns" in told
    assert "35 calls on one core went well" in told
    assert "Against an earlier run" in out.read_text()


def test_a_mistake_ends_in_one_line(tmp_path: Path):
    done = run(tmp_path, "bench", "--live", "--models", "sandbox")
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "the settings name none: set MISTRAL_API_KEY" in told
    assert "Traceback" not in told


def test_what_real_providers_will_cost_is_told_from_their_prices():
    settings = Settings(models="mistral", mistral_api_key="x")
    few, many = (estimate(settings, Plan.make(live=True, turns=n)) for n in (12, 48))
    assert few is not None
    assert many is not None
    assert 0.005 < few < 0.2
    assert 3.5 * few < many < 8 * few


def test_steps_are_summed():
    rows = [{**row, "why": ""} for row in result()["capacity"]["rows"]]
    knee = Knee([1, 40])
    knee.add(40, Verdict(""))
    found = summed(rows, knee)
    assert found["carries"] == 40
    assert found["memory"]["each"] == pytest.approx(1.37, abs=0.01)
    assert found["cpu"]["each"] == pytest.approx(0.0191, abs=0.001)
    assert summed([], Knee([1]))["cpu"] is None
