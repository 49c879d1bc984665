"""Whole calls: what was counted of them is what their ledgers say, and so is their trace."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.pipelines.observing.collector import Collector, attributes
from vivavoce.agent import Agent, Call
from vivavoce.agent.ledger import STAGES
from vivavoce.agent.prices import Price
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.observing import traces
from vivavoce.pipelines.observing.meter import Meter
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.observing.traces import Tracer, TracesError

PRICES = {
    "voxtral-mini-transcribe-realtime-2602": Price(minute=0.006),
    "mistral-small-latest": Price(prompt=0.15, completion=0.6),
    "voxtral-mini-tts-2603": Price(characters=16),
}
SAID = ["Is a table free?", "And on Sunday?"]
SCRIPT = {"hear": SAID, "think": ["Yes, two tables are free.", "Sunday, too."], "speak": "tone"}


def total(meter: Meter, name: str, **labels: str) -> float:
    """The sum of a metric's samples over the labels that are not given."""
    return sum(
        sample.value
        for family in meter.registry.collect()
        for sample in family.samples
        if sample.name == f"vivavoce_{name}" and labels.items() <= sample.labels.items()
    )


async def test_what_is_counted_is_what_the_ledger_says(observe):
    meter = Meter()
    refused = {"kind": "status", "status": 503}
    call = await observe(
        Observer(meter, prices=PRICES),
        Agent(),
        SAID,
        script=SCRIPT,
        faults={"think": [refused]},
        behind={"think": {"script": SCRIPT}},
    )
    ledger, usage = call.ledger, call.usage
    assert len(ledger.latencies) == 2
    assert total(meter, "turn_latency_seconds_count") == 2
    whole = sum(latency.total for latency in ledger.latencies) / 1e6
    assert total(meter, "turn_latency_seconds_sum") == pytest.approx(whole, abs=1e-9)
    for stage in STAGES:
        for name, figures in (
            ("stage_latency_seconds_sum", [each.stages[stage] for each in ledger.latencies]),
            ("stage_hidden_seconds_total", [each.hidden[stage] for each in ledger.latencies]),
        ):
            assert total(meter, name, stage=stage) == pytest.approx(sum(figures) / 1e6, abs=1e-9)
    served = Counter(turn["thinking"] for turn in ledger.served)
    for provider, turns in served.items():
        name = "stage_latency_seconds_count"
        assert total(meter, name, stage="thinking", provider=provider) == turns
    outcomes = Counter((each.stage, each.outcome) for each in ledger.requests)
    assert outcomes["thinking", "broken"] >= 1
    for (stage, outcome), count in outcomes.items():
        assert total(meter, "provider_requests_total", stage=stage, outcome=outcome) == count
    assert total(meter, "provider_switches_total") == len(ledger.switches)
    assert total(meter, "errors_total") == outcomes["thinking", "broken"]
    assert total(meter, "tokens_total", type="input") == usage.prompt_tokens > 0
    assert total(meter, "tokens_total", type="output") == usage.completion_tokens
    assert total(meter, "chat_requests_total") == usage.requests
    assert total(meter, "characters_total") == usage.characters > 0
    assert total(meter, "audio_heard_seconds_total") == pytest.approx(usage.heard)
    assert total(meter, "audio_said_seconds_total") == pytest.approx(usage.said)
    assert total(meter, "cost_usd_total") == pytest.approx(call.cost(PRICES))
    guessed = ledger.speculation
    assert total(meter, "speculation_guesses_total") == guessed.guesses
    assert total(meter, "speculation_hits_total") == guessed.hits
    assert total(meter, "first_words_seconds_count") == len(ledger.health.partials)
    assert total(meter, "calls_active") == 0
    assert total(meter, "calls_ended_total", kind="file", reason="caller") == 1
    assert total(meter, "event_loop_lag_seconds_count") > 0


async def test_the_trace_of_a_turn_has_the_ledgers_exact_figures(observe):
    with Collector() as collector:
        call = await observe(
            Observer(Meter(), Tracer(collector.url, version="1")), Agent(), SAID, script=SCRIPT
        )
    spans = collector.spans
    by_id = {span.span_id: span for span in spans}
    (root,) = [span for span in spans if not span.parent_span_id]
    assert len({span.trace_id for span in spans}) == 1
    about = attributes(root)
    assert about["gen_ai.conversation.id"] == call.id
    assert about["vivavoce.turns"] == 2
    turns = [span for span in spans if span.name == "turn"]
    assert len(turns) == len(call.ledger.latencies) == 2
    first = turns[0].start_time_unix_nano - call.ledger.latencies[0].stopped * 1000
    for span, latency, served in zip(turns, call.ledger.latencies, call.ledger.served, strict=True):
        assert span.parent_span_id == root.span_id
        assert root.start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
        assert span.end_time_unix_nano - span.start_time_unix_nano == latency.total * 1000
        # All turns stand on one clock.
        assert span.start_time_unix_nano == first + latency.stopped * 1000
        inside = [each for each in spans if each.parent_span_id == span.span_id]
        stages = [each for each in inside if "vivavoce.stage" in attributes(each)]
        assert [
            (each.name, each.start_time_unix_nano - first, each.end_time_unix_nano - first)
            for each in stages
        ] == sorted(
            [(part.stage, part.start * 1000, part.end * 1000) for part in latency.parts],
            key=lambda part: part[1],
        )
        charged = dict.fromkeys(STAGES, 0)
        for each in stages:
            charged[each.name] += attributes(each)["vivavoce.charged_us"]
        assert charged == dict(latency.stages)
        thought = [
            each
            for each in spans
            if each.name == "chat mistral-small-latest" and by_id[each.parent_span_id] in stages
        ]
        (request,) = thought
        asked = attributes(request)
        assert by_id[request.parent_span_id].name == "thinking"
        assert asked["gen_ai.operation.name"] == "chat"
        assert asked["gen_ai.usage.input_tokens"] > 0
        assert asked["gen_ai.conversation.id"] == call.id
        assert asked["server.address"] == "127.0.0.1"
        assert served["thinking"].startswith(asked["gen_ai.request.model"])
        heard = [
            each
            for each in spans
            if each.name.startswith("transcribe ") and by_id[each.parent_span_id] in stages
        ]
        assert heard
    entered = {
        (attributes(span)["gen_ai.operation.name"], span.end_time_unix_nano - first)
        for span in spans
        if span.kind == 3 and not span.name.startswith("transcribe")
    }
    operations = {"thinking": "chat", "speaking": "generate_content"}
    assert entered == {
        (operations[each.stage], round(each.ended * 1e6) * 1000) for each in call.ledger.requests
    }
    # What was said, and who called, is nobody's business.
    everything = b"".join(collector.bodies)
    for secret in (b"table", b"Sunday", b"33123456789"):
        assert secret not in everything


async def test_texts_stand_in_a_trace_that_is_to_have_them(observe):
    with Collector() as collector:
        observer = Observer(Meter(), Tracer(collector.url), texts=True)
        await observe(observer, Agent(), SAID[:1], script=SCRIPT)
    (turn,) = [span for span in collector.spans if span.name == "turn"]
    assert attributes(turn)["vivavoce.caller.text"] == SAID[0]
    assert attributes(turn)["vivavoce.agent.text"] == "Yes, two tables are free."


async def test_a_share_of_none_makes_no_trace(observe):
    with Collector() as collector:
        tracer = Tracer(collector.url, share=0.0)
        trace = tracer.call("x", 0, {})
        assert trace.id == ""
        await tracer.close()
        await tracer.close()
    assert collector.requests == []
    with pytest.raises(TracesError, match="within 0 and 1"):
        Tracer("http://127.0.0.1:1", share=2)


async def test_a_collector_that_is_not_there_ends_nothing(monkeypatch, caplog):
    monkeypatch.setattr(traces, "SENDING", 0.3)
    tracer = Tracer("http://127.0.0.1:9/v1/traces")
    tracer.call("x", 1, {}).end(2, {})
    async with asyncio.timeout(30):
        await tracer.close()
    assert "export" in caplog.text


async def test_a_defect_in_counting_does_not_end_the_call_that_is_counted(caplog):
    observer = Observer()
    call = Call(Agent(), "broken")
    call.ledger.served = [{}]  # one that answers no turn

    class Broken:
        clock = Clock()

        def __init__(self):
            self.call = call

        def now(self):
            return 1.0

    broken = Broken()
    observer.began(broken, "file")
    observer.collect()
    observer.ended(broken)
    assert observer.calls == 0
    assert caplog.text.count("call broken is not counted rightly") == 2
