"""What a soak judges: growth among noise, what is left, ledgers; and that it runs."""

from __future__ import annotations

import copy
import random
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.soak.__main__ import SoakError, knee
from benchmarks.soak.judge import faults, grown, kept, left, memory, slope
from benchmarks.soak.picture import draw
from benchmarks.soak.weather import FAULTS, spells
from vivavoce.agent.ledger import STAGES
from vivavoce.sandbox.profile import Profile


def samples(hours: float, leak: float, seed: int = 1) -> list[dict[str, Any]]:
    """What a server said every ten seconds: it warms up, calls come and go, memory jumps about."""
    dice = np.random.default_rng(seed)
    found = []
    for at in np.arange(10, hours * 3600, 10):
        calls = 20 + round(float(dice.normal(0, 3)))
        warm = 30 * (1 - np.exp(-at / 400))
        noise = float(dice.normal(0, 1)) + (40 if dice.random() < 0.01 else 0)
        rss = 200 + warm + 1.4 * calls + leak * at / 3600 + noise
        found.append({"at": float(at), "calls": calls, "rss_mb": rss, "tasks": 9 * calls, "blocks": 900_000 + 5_000 * calls,
                      "lag_ms": {"p99": 2.0}})  # fmt: skip
    return found


@pytest.mark.parametrize("leak", [0.0, 3.0, 25.0])
def test_growth_is_told_from_warming_up_and_from_live_calls(leak: float):
    found, each = grown(samples(1.5, leak))
    assert found is not None
    assert found.each == pytest.approx(leak, abs=1.0)
    assert found.low <= found.each <= found.high
    assert each == pytest.approx(1.4, abs=0.3)


def test_a_leak_fails_and_warmth_does_not():
    assert memory(samples(1.5, 0.0), 2000).ok
    assert not memory(samples(1.5, 25.0), 2000).ok
    assert not memory(samples(0.02, 0.0), 10).ok  # too short to say


def test_a_slope_is_not_moved_by_a_few_wild_values():
    xs = [float(n) for n in range(50)]
    ys = [2.0 * x for x in xs]
    for n in random.Random(1).sample(range(50), 8):
        ys[n] += 500
    found = slope(xs, ys)
    assert found is not None
    assert found.each == pytest.approx(2.0, abs=0.2)
    assert slope(xs[:5], ys[:5]) is None


def record(**latency: int) -> dict[str, Any]:
    stages = {**dict.fromkeys(STAGES, 0), "thinking": 400, "speech": 100, **latency}
    return {
        "live": False,
        "transcript": [
            {"kind": "agent", "heard": "Good evening.", "latency": None},
            {"kind": "caller", "text": "Are you open?"},
            {"kind": "agent", "heard": "", "latency": None},  # cut before it began
            {"kind": "agent", "heard": "Yes.", "latency": {"total_us": 500, "stages_us": stages}},
        ],
    }


def test_a_record_is_whole_or_it_is_said_why_not():
    assert faults(record()) == []
    assert "sum to 507" in faults(record(tools=7))[0]
    without = record()
    del without["transcript"][3]["latency"]["stages_us"]["tools"]
    assert "has the stages" in faults(without)[0]
    unaccounted = record()
    unaccounted["transcript"][3]["latency"] = None
    assert faults(unaccounted) == ["the answer 'Yes.' to 'Are you open?' has no ledger"]
    unaccounted["transcript"].insert(2, {"kind": "failure"})
    assert faults(unaccounted) == []
    assert faults({**record(), "live": True}) == ["it is not finished"]


def test_a_call_without_a_record_is_found():
    end = {"records_lost": 0, "records_waiting": 0}
    assert all(check.ok for check in kept(["a", "b", ""], {"a": record(), "b": record()}, end))
    lost, *_ = kept(["a", "b"], {"a": record()}, end)
    assert not lost.ok
    assert "missing: b" in lost.told
    assert not kept(["a"], {"a": record()}, {**end, "records_lost": 1})[1].ok
    assert not kept(["a"], {"a": record(tools=1)}, end)[2].ok


HELD: dict[str, Any] = {
    "tasks": {"main": 1, "write records": 1},
    "threads": ["MainThread", "asyncio_#"],
    "sockets": 4,
    "fds": 14,
    "calls": 0,
    "admitted": 0,
    "unhandled": [],
    "traces": [],
}


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"tasks": {"main": 1, "write records": 1, "call #": 2}}, "no task is left"),
        ({"threads": ["MainThread", *["asyncio_#"] * 20]}, "no thread is left"),
        ({"sockets": 40}, "no socket is left"),
        ({"fds": 60}, "no file is left open"),
        ({"admitted": 1}, "no call is left"),
        ({"unhandled": ["Task exception was never retrieved"]}, "no error was lost"),
        ({"traces": ["Traceback\nValueError: no"]}, "no error was unforeseen"),
    ],
)
def test_what_is_left_is_found(more: dict[str, Any], name: str):
    assert all(check.ok for check in left(HELD, copy.deepcopy(HELD)))
    assert [check.name for check in left(HELD, {**HELD, **more}) if not check.ok] == [name]


def test_every_fault_comes_and_the_sandbox_knows_it():
    every = {(stage, str(fault)) for stage, some in FAULTS.items() for fault in some}
    seen = {(spell.stage, str(spell.fault)) for spell in islice(spells(1), len(every))}
    assert seen == every
    assert len({spell.name for spell in islice(spells(2), 60)}) > 20
    for spell in islice(spells(1), len(every)):
        given = {"faults": {spell.stage: [spell.fault]}}
        parsed = Profile.parse("key", given)
        assert parsed.faults[spell.stage]  # type: ignore[index]


def test_calls_are_a_share_of_what_a_core_carries(tmp_path: Path):
    path = tmp_path / "capacity.json"
    with pytest.raises(SoakError, match="give --calls"):
        knee(0.7, path)
    path.write_text('{"engines": {"ours": {"carries": 30}}}')
    assert knee(0.7, path) == 21
    path.write_text('{"engines": {}, "websocket": {"ours": {"carries": 20}}}')
    assert knee(0.7, path) == 14
    path.write_text('{"engines": {"ours": {"carries": 0}}}')
    with pytest.raises(SoakError, match="no knee"):
        knee(0.7, path)


def test_a_picture_is_drawn(tmp_path: Path):
    result = {"samples": samples(0.5, 0), "calls": 90, "minutes": 30, "callers": 20,
              "faults": {"hear reset": 3}}  # fmt: skip
    svg = draw(result)
    assert svg.count("<polyline") == 4
    assert "90 calls in 30 minutes" in svg
    with pytest.raises(ValueError, match="too few"):
        draw({**result, "samples": []})
