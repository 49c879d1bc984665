from __future__ import annotations

import json
from datetime import UTC, datetime

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.events import CallEnded
from vivavoce.agent.ledger import Span, account
from vivavoce.agent.record import record
from vivavoce.agent.transcript import Failure, Reply, ToolUse, Utterance


def test_a_record_survives_json_and_says_everything():
    call = Call(Agent(), "c1")
    latency = account(1.0, 1.6543, [Span("endpointing", 1.0, 1.4)])
    call.ledger.add(latency)
    call.transcript.add(Utterance("Öffnen Sie heute?", 0.2, 1.0, "semantic"))
    call.transcript.add(ToolUse("a1b2c3d4e", "hours", "{}", 1, 1.1, 0.01, "18–23", ok=True))
    call.transcript.add(
        Reply("Ja, um acht.", "Ja,", 1.6543, 2.0, interrupted=True, closed=True, latency=latency)
    )
    call.transcript.add(Failure("speaking", "broke off", 3.0))
    call.emit(CallEnded(4.0, "the caller hung up"))
    made = record(
        call,
        agent="host",
        began=datetime(2026, 5, 4, 18, 30, 1, 999, tzinfo=UTC),
        seconds=4.00049,
        models={"hearing": "m at http://127.0.0.1:1"},
    )
    again = json.loads(json.dumps(made))
    assert again == made
    assert again["call"] == "c1"
    assert again["agent"] == "host"
    assert again["began"] == "2026-05-04T18:30:01+00:00"
    assert again["seconds"] == 4.0
    assert again["ended"] == "the caller hung up"
    assert again["latency_ms"] == {"p50": 654.3, "p95": 654.3, "p99": 654.3}
    kinds = [entry["kind"] for entry in again["transcript"]]
    assert kinds == ["caller", "tool", "agent", "failure"]
    stages = again["transcript"][2]["latency"]["stages_us"]
    assert sum(stages.values()) == again["transcript"][2]["latency"]["total_us"] == 654_300


def test_a_record_of_a_call_in_which_nothing_happened():
    made = record(
        Call(Agent(), "c1"), agent="a", began=datetime(2026, 1, 1, tzinfo=UTC), seconds=0, models={}
    )
    assert made["transcript"] == []
    assert made["latency_ms"] == {}
