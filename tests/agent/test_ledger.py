from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.agent.ledger import STAGES, Latency, Ledger, Span, account, percentile

moments = st.floats(0, 5000, allow_nan=False)
spans = st.builds(
    lambda stage, start, length: Span(stage, start, start + length),
    st.sampled_from(STAGES),
    moments,
    st.floats(-1, 30),
)


def shown(latency: Latency) -> dict[str, int]:
    return {stage: us for stage, us in latency.stages.items() if us}


def hidden(latency: Latency) -> dict[str, int]:
    return {stage: us for stage, us in latency.hidden.items() if us}


@given(moments, st.floats(-1, 60), st.lists(spans, max_size=12))
def test_the_stages_sum_to_the_total_to_the_microsecond(stopped, delay, work):
    latency = account(stopped, stopped + delay, work)
    assert sum(latency.stages.values()) == latency.total
    assert latency.total == max(0, round((stopped + delay) * 1e6) - round(stopped * 1e6))
    assert tuple(latency.stages) == STAGES
    assert min(latency.stages.values()) >= 0


@given(moments, st.floats(0, 60), st.lists(spans, max_size=12))
def test_what_was_hidden_is_never_negative_nor_more_than_was_worked(stopped, delay, work):
    latency = account(stopped, stopped + delay, work)
    for stage in STAGES:
        worked = sum(
            max(0, round(span.end * 1e6) - round(span.start * 1e6))
            for span in work
            if span.stage == stage
        )
        assert 0 <= latency.hidden[stage] <= worked
        if stage != "output":
            assert latency.stages[stage] <= worked


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_ten_thousand_turns_add_up_however_their_spans_overlap(seed):
    dice = random.Random(seed)
    for _ in range(10):
        stopped = dice.uniform(0, 100_000)
        delay = dice.choice([0.0, -1.0, 1e-6, dice.expovariate(1), dice.uniform(0, 120)])
        # Before, across, within and behind the delay; empty, backwards, repeated.
        work = [
            Span(
                dice.choice(STAGES),
                start := stopped + dice.uniform(-0.2, 1.2) * max(delay, 0.1),
                start + dice.choice([0.0, -0.1, dice.uniform(0, 1.5) * max(delay, 0.1), 1_000.0]),
            )
            for _ in range(dice.randrange(15))
        ]
        work += work[: dice.randrange(3)]
        latency = account(stopped, stopped + delay, work)
        assert latency.total == max(0, round((stopped + delay) * 1e6) - round(stopped * 1e6))
        assert sum(latency.stages.values()) == latency.total
        assert min(latency.stages.values()) >= 0
        assert min(latency.hidden.values()) >= 0
        assert all(type(part) is int for part in (*latency.stages.values(), latency.total))
        # What was shown and hidden of a stage is what it worked within the delay, and no more.
        low, high = round(stopped * 1e6), round(stopped * 1e6) + latency.total
        for stage in STAGES[:-1]:
            worked = sum(
                max(0, min(high, round(span.end * 1e6)) - max(low, round(span.start * 1e6)))
                for span in work
                if span.stage == stage
            )
            assert latency.stages[stage] + latency.hidden[stage] == worked


def test_one_stage_after_the_other():
    latency = account(
        10.0,
        11.0,
        [
            Span("endpointing", 10.0, 10.3),
            Span("thinking", 10.3, 10.6),
            Span("clause", 10.6, 10.65),
            Span("speech", 10.65, 10.9),
        ],
    )
    assert latency.total_ms == 1000
    assert shown(latency) == {
        "endpointing": 300_000,
        "thinking": 300_000,
        "clause": 50_000,
        "speech": 250_000,
        "output": 100_000,
    }
    assert not hidden(latency)


def test_transcription_behind_the_endpointing_is_hidden():
    latency = account(
        0.0,
        0.5,
        [Span("endpointing", 0.0, 0.4), Span("transcription", 0.2, 0.35)],
    )
    assert shown(latency) == {"endpointing": 400_000, "output": 100_000}
    assert hidden(latency) == {"transcription": 150_000}


def test_a_final_text_that_comes_late_is_charged_for_its_visible_part_alone():
    latency = account(
        0.0,
        1.0,
        [Span("endpointing", 0.0, 0.4), Span("transcription", 0.2, 0.9)],
    )
    assert shown(latency) == {"endpointing": 400_000, "transcription": 500_000, "output": 100_000}
    assert hidden(latency) == {"transcription": 200_000}


def test_speculation_may_hide_everything_behind_the_endpointing():
    latency = account(
        5.0,
        5.5,
        [
            Span("endpointing", 5.0, 5.5),
            Span("transcription", 5.1, 5.2),
            Span("thinking", 5.2, 5.35),
            Span("clause", 5.35, 5.36),
            Span("speech", 5.36, 5.46),
        ],
    )
    assert shown(latency) == {"endpointing": 500_000}
    assert hidden(latency) == {
        "transcription": 100_000,
        "thinking": 150_000,
        "clause": 10_000,
        "speech": 100_000,
    }


def test_gaps_that_no_stage_worked_in_are_the_outputs():
    latency = account(0.0, 1.0, [Span("endpointing", 0.0, 0.3), Span("thinking", 0.5, 0.6)])
    assert shown(latency) == {"endpointing": 300_000, "thinking": 100_000, "output": 600_000}


def test_work_outside_the_two_moments_is_nobodys():
    latency = account(10.0, 11.0, [Span("thinking", 8.0, 9.0), Span("speech", 12.0, 13.0)])
    assert shown(latency) == {"output": 1_000_000}
    assert not hidden(latency)


def test_a_reply_that_was_audible_before_the_caller_stopped_has_no_delay():
    latency = account(10.0, 9.0, [Span("thinking", 9.0, 9.5)])
    assert latency.total == 0
    assert not shown(latency)


def test_json_is_in_microseconds_and_leaves_out_what_was_not_hidden():
    row = account(0.0, 0.5, [Span("endpointing", 0.0, 0.4), Span("speech", 0.3, 0.4)]).to_dict()
    assert row["total_us"] == 500_000
    assert set(row["stages_us"]) == set(STAGES)
    assert row["hidden_us"] == {"speech": 100_000}


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_a_value_that_the_share_does_not_exceed(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_percentiles_by_nearest_rank():
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([3, 1, 2], 1) == 3
    assert percentile([3, 1, 2], 0) == 1


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1], -0.1), ([1], 1.1)])
def test_a_percentile_of_nothing_or_beyond_the_whole(values, share):
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, share)


def test_a_ledger_names_its_percentiles():
    ledger = Ledger()
    assert ledger.percentiles() == {}
    for ms in range(1, 101):
        ledger.add(account(0.0, ms / 1000, ()))
    assert ledger.percentiles() == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert ledger.percentiles((0.999,)) == {"p99.9": 100.0}


def test_what_guessing_cost_is_counted_and_told():
    ledger = Ledger()
    ledger.speculation.guesses += 2
    ledger.speculation.hits += 1
    assert ledger.speculation.to_dict() == {
        "guesses": 2,
        "hits": 1,
        "requests": 0,
        "tokens": 0,
        "wasted_tokens": 0,
    }
    # Each call counts for itself.
    assert Ledger().speculation.guesses == 0


def test_how_well_a_call_ran_is_told_by_percentiles():
    health = Ledger().health
    assert health.to_dict() == {
        "reaction_ms": {},
        "partial_ms": {},
        "underruns": 0,
        "loop_lag_ms": {},
    }
    health.reactions += [80.04, 120.0]
    health.lag = {"p50": 0.3, "max": 12.0}
    told = health.to_dict()
    assert told["reaction_ms"] == {"p50": 80.0, "p95": 120.0, "p99": 120.0, "max": 120.0}
    assert told["loop_lag_ms"] == {"p50": 0.3, "max": 12.0}


def test_the_share_of_wasted_tokens_needs_some_tokens():
    spent = Ledger().speculation
    spent.tokens, spent.wasted_tokens = 100, 90
    assert spent.waste == 0
    spent.tokens = 300
    assert spent.waste == pytest.approx(0.3)


@given(moments, st.floats(-1, 60), st.lists(spans, max_size=12))
def test_the_parts_say_when_and_their_charges_sum_to_the_stages(stopped, delay, work):
    latency = account(stopped, stopped + delay, work)
    charged = dict.fromkeys(STAGES, 0)
    for part in latency.parts:
        charged[part.stage] += part.charged
        assert latency.stopped <= part.start <= latency.stopped + latency.total
        assert part.start <= latency.stopped + latency.total >= part.end
    assert charged == dict(latency.stages)
    assert len(latency.parts) == len(work) + 1
    assert latency.parts[-1].end == latency.stopped + latency.total
