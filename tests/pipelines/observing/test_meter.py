from __future__ import annotations

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from vivavoce.agent.ledger import STAGES, Request, Span, Switch, account
from vivavoce.agent.transcript import Failure, ToolUse
from vivavoce.agent.usage import Usage
from vivavoce.pipelines.observing.meter import MOST, STALLS, Bound, Meter, end_of
from vivavoce.pipelines.observing.tally import Gain, Turn

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def meter():
    return Meter("1.2.3")


def value(meter, name, **labels):
    return meter.registry.get_sample_value(f"vivavoce_{name}", labels)


def turn(seconds=0.4, **served):
    spans = [Span("transcription", 1.0, 1.1), Span("thinking", 1.05, 1.3)]
    return Turn(account(1.0, 1.0 + seconds, spans), served)


def test_a_turn_is_counted_by_its_stages_and_who_served_them(meter):
    one = turn(hearing="h", thinking="t")
    meter.gained("webrtc", Gain(turns=[one]), TRACE)
    assert value(meter, "turn_latency_seconds_sum", kind="webrtc") == pytest.approx(0.4)
    stages = {
        stage: meter.registry.get_sample_value(
            "vivavoce_stage_latency_seconds_sum", {"stage": stage, "provider": provider}
        )
        for stage, provider in zip(STAGES, ("", "h", "t", "", "", "", ""), strict=True)
    }
    assert sum(stages.values()) == pytest.approx(0.4)
    assert stages["transcription"] == pytest.approx(0.1)
    assert value(meter, "stage_hidden_seconds_total", stage="thinking") == pytest.approx(0.05)


def test_exemplars_lead_to_the_trace(meter):
    meter.gained("webrtc", Gain(turns=[turn()], reactions=[0.11]), TRACE)
    families = list(
        text_string_to_metric_families(exposition.generate_latest(meter.registry).decode())
    )
    exemplars = {
        family.name: sample.exemplar.labels
        for family in families
        for sample in family.samples
        if sample.exemplar
    }
    assert exemplars["vivavoce_turn_latency_seconds"] == {"trace_id": TRACE}
    assert exemplars["vivavoce_barge_in_reaction_seconds"] == {"trace_id": TRACE}


def test_a_failure_counts_once_whoever_helped(meter):
    failed = Request("thinking", "a", 1.0, ended=2.0, outcome="timeout")
    helped = Request("thinking", "b", 2.0, first=2.2, ended=3.0, outcome="whole")
    gain = Gain(
        requests=[failed, helped, Request("speaking", "s", 1.0, ended=1.5, outcome="cut")],
        switches=[
            Switch("thinking", "b", "late", 2.0, "timeout"),
            Switch("hearing", "h2", "gone", 2.0, "unreachable"),
        ],
        failures=[
            Failure("thinking", "late", 2.0, "timeout"),
            Failure("tools", "no", 3.0),
            Failure("hearing", "lost", 3.0, "broken"),
        ],
    )
    meter.gained("webrtc", gain)
    errors = {
        (stage, kind): value(meter, "errors_total", **{"stage": stage, "class": kind})
        for stage, kind in (
            ("thinking", "timeout"),
            ("hearing", "unreachable"),
            ("hearing", "broken"),
            ("tools", "other"),
        )
    }
    assert set(errors.values()) == {1.0}
    assert value(meter, "errors_total", **{"stage": "speaking", "class": "cut"}) is None
    assert value(meter, "provider_switches_total", stage="thinking", provider="b") == 1
    asked = {"stage": "thinking", "provider": "b"}
    assert value(meter, "provider_first_seconds_sum", **asked) == pytest.approx(0.2)
    assert value(meter, "provider_requests_total", **asked, outcome="whole") == 1


def test_calls_usage_tools_and_connections(meter):
    meter.began("sip in")
    assert value(meter, "calls_active", kind="sip in") == 1
    used = ToolUse("abcdefghi", "look", "{}", 0, 1.0, seconds=0.3, ok=True)
    gain = Gain(usage=Usage(2, 30, 4, 50, 6.5, 7.25), tools=[used], costs={"m": 0.002}, underruns=1)
    meter.gained("sip in", gain)
    before = {"lost": 1, "received": 100, "concealed_ms": 20}
    meter.leg("sip in", before, {"lost": 3, "received": 150, "concealed_ms": 60})
    meter.leg_ended("sip in", {"jitter_ms": 4.0, "round_trip_ms": None})
    meter.ended("sip in", "the caller hung up", 61.0)
    assert value(meter, "calls_active", kind="sip in") == 0
    assert value(meter, "calls_ended_total", kind="sip in", reason="caller") == 1
    assert value(meter, "tokens_total", type="input") == 30
    assert value(meter, "audio_said_seconds_total") == 7.25
    assert value(meter, "characters_total") == 50
    assert value(meter, "cost_usd_total", model="m") == 0.002
    assert value(meter, "tools_total", outcome="ok") == 1
    assert value(meter, "leg_concealed_seconds_total", kind="sip in") == pytest.approx(0.04)
    assert value(meter, "leg_lost_packets_total", kind="sip in") == 2
    assert value(meter, "leg_jitter_seconds_count", kind="sip in") == 1
    assert value(meter, "leg_round_trip_seconds_count", kind="sip in") is None


def test_the_reasons_of_ends_are_few():
    assert end_of("transferred to +33123456789") == "transferred"
    assert end_of("the table of Mrs Dupont is booked") == "other"


def test_no_label_grows_without_end(meter):
    bound = Bound(2)
    assert [bound(each) for each in ("a", "b", "c", "a")] == ["a", "b", "other", "a"]
    for number in range(3 * MOST):
        meter.began(f"kind {number}")
        meter.refused("web", f"why {number}")
    text = generate_latest(meter.registry).decode()
    assert text.count("vivavoce_calls_active{") <= MOST + 1
    assert text.count("vivavoce_calls_refused_total{") <= MOST + 1
    assert value(meter, "calls_refused_total", kind="web", reason="other") == 2 * MOST


def test_the_lag_of_the_loop_is_a_histogram(meter):
    for late in (0.0, 0.003, 0.05, 9.0):
        meter.lag.add(late)
    assert value(meter, "event_loop_lag_seconds_count") == 4
    assert value(meter, "event_loop_lag_seconds_sum") == pytest.approx(9.053)
    counts = [value(meter, "event_loop_lag_seconds_bucket", le=f"{bound:g}") for bound in STALLS]
    assert counts == sorted(counts)
    assert counts[-1] == 3
    assert meter.lag.worst == 9.0


def test_what_stands_elsewhere_is_read_when_somebody_asks(meter):
    found = {("a",): 1.0}
    meter.show("breaker", "A breaker.", lambda: found, "provider")
    meter.show("written_total", "Written.", lambda: {(): 5.0})
    meter.look()
    assert value(meter, "breaker", provider="a") == 1
    found[("a",)] = 2.0
    meter.look()
    assert value(meter, "breaker", provider="a") == 2
    assert value(meter, "written_total") == 5
