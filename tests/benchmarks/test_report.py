"""Figures, tables and the picture of a run."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from benchmarks.latency.picture import draw
from benchmarks.latency.report import (
    agreement,
    disagreement,
    show_cuts,
    show_load,
    show_pauses,
    show_turns,
    stages,
    summarise,
    summary,
)
from vivavoce.agent.ledger import Span, account


def turn(ms, *, number=0, premature=False, told=(), calls=1):
    return {
        "clip": "a & b",
        "round": number,
        "v2v_ms": ms,
        "premature": premature,
        "lost": ms is None and not premature,
        "requests": {"chat/completions": calls},
        "late_ms": 1.0,
        "told": list(told),
    }


def report(*turns, gone=""):
    return {"what": "it", "versions": {}, "cpu_of_a_core": 0.05, "gone": gone, "turns": list(turns)}


def printed(show, *arguments):
    out = io.StringIO()
    show(*arguments[:1], Console(file=out, width=160), *arguments[1:])
    return out.getvalue()


def test_percentiles_leave_out_what_has_no_latency_and_counts_do_not():
    turns = [turn(float(ms), calls=2) for ms in range(100, 1100, 100)]
    found = summarise(report(*turns, turn(None), turn(None, premature=True)))
    assert (found["p50"], found["p90"], found["p95"]) == (500, 900, 1000)
    assert (found["turns"], found["lost"], found["premature"]) == (12, 1, 1)
    assert found["llm_per_turn"] == pytest.approx(22 / 12)


def test_a_run_in_which_nothing_was_answered_has_no_figures():
    assert summarise(report(turn(None)))["p50"] is None
    assert summarise(report())["llm_per_turn"] is None
    assert "–" in printed(show_turns, {"ours": report(turn(None))}, "t")


def test_the_stages_of_our_ledger_add_up_to_its_total():
    latency = account(1.0, 1.5, [Span("thinking", 1.1, 1.3), Span("speech", 1.3, 1.4)]).to_dict()
    told = [{"text": "said"}, {"latency": latency}]
    ours = report(turn(504.0, told=told), turn(None, told=told))
    found = stages(ours)
    total = found.pop("total")["mean"]
    assert total == 500
    assert sum(row["mean"] for row in found.values()) == pytest.approx(500)
    assert disagreement(ours) == pytest.approx([4.0])


def test_a_ledger_that_is_off_by_more_than_20_ms_once_does_not_agree():
    told = [{"latency": account(1.0, 1.5, ()).to_dict()}]
    close = report(turn(504.0, told=told), turn(481.0, told=told), turn(None, told=told))
    found = agreement(close)
    assert (found["turns"], found["max"], found["agrees"]) == (2, pytest.approx(19.0), True)
    assert "agree within 20 ms" in printed(show_turns, {"ours": close}, "t")
    # A caller who was late itself knows no better.
    late = report(turn(504.0, told=told), turn(579.0, told=told) | {"late_ms": 80.0})
    assert agreement(late)["turns"] == 1
    far = report(turn(504.0, told=told), turn(479.0, told=told))
    assert not agreement(far)["agrees"]
    assert "DO NOT AGREE within 20 ms" in printed(show_turns, {"ours": far}, "t")
    assert summary("latency", {"ours": far})["ours"]["ledger_off_ms"]["max"] == pytest.approx(21.0)
    assert summary("load", {}) == {}


def test_turns_that_a_busy_machine_spoilt_are_told():
    spoilt = turn(400.0) | {"late_ms": 90.0}
    text = printed(show_turns, {"ours": report(spoilt, turn(400.0))}, "t")
    assert "1 of 2 turns count although the caller was more than 30 ms late" in text
    assert "although" not in printed(show_turns, {"ours": report(turn(400.0))}, "t")


def test_replies_in_a_pause_are_listed_with_their_reason():
    early = turn(None, premature=True, told=[{"text": "Four", "why_ended": "semantic: silence"}])
    early |= {"pause_s": 0.7, "before": "Four", "starts_ms": [-900, 300], "lost": False}
    fine = turn(450.0) | {"pause_s": 0.3, "before": "One", "starts_ms": [450]}
    text = printed(
        show_pauses, {"ours": report(early, fine) | {"calls": 2}}, "title", ["pipecat", "livekit"]
    )
    row = next(line for line in text.splitlines() if line.startswith("│ ours"))
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[:7] == ["ours", "2", "2", "1", "50.0%", "0/1", "1/1"]
    assert cells[8] == "450"
    assert "ran: ours; did not run: pipecat, livekit" in text
    assert "0.7 s behind “Four”; reply 900 ms before the end: “Four”, semantic: silence" in text


def test_tables_give_ours_over_theirs():
    text = printed(
        show_turns,
        {"ours": report(turn(400.0)), "peer": report(turn(800.0), gone="peer: it ended")},
        "title",
    )
    assert "0.50" in text
    assert "peer: it ended" in text
    cuts = {"ours": report()}
    cuts["ours"]["turns"] = [
        {"reaction_ms": 110.0, "stopped": True, "went_on": False, "lost": False, "late_ms": 0.0},
        {"reaction_ms": None, "stopped": False, "went_on": True, "lost": False, "late_ms": 0.0},
    ]
    cuts["ours"]["turns"].append({"reaction_ms": None, "lost": True, "late_ms": 0.0})
    row = printed(show_cuts, cuts).splitlines()[-4]
    assert "110" in row
    assert [cell.strip() for cell in row.split("│")[-4:-1]] == ["1", "0", "1"]
    row = {
        "cpu_of_a_core_per_call": 0.025,
        "memory_mb": 200.0,
        "loop_lag_ms": {"p99": 3.0, "max": 12.0},
        "v2v_ms": [400.0, None],
        "premature": 0,
        "lost": 1,
    }
    assert "2.5%" in printed(show_load, {"ours": {"calls": {"10": row}}})


def test_the_picture_is_valid_and_has_a_dot_for_each_turn():
    text = draw({"ours": report(turn(400.0), turn(900.0, number=1), turn(None))}, "a < b")
    root = ET.fromstring(text)
    assert len(root.findall(".//{http://www.w3.org/2000/svg}circle")) == 2
    xs = [float(dot.get("cx")) for dot in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert xs[0] < xs[1]
    ET.fromstring(draw({"ours": report()}, "nothing"))
