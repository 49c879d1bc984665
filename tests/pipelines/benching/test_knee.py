"""The search for the knee, how a step is judged, and how much is planned."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.pipelines.benching.knee import FINE, Knee, Verdict, judge
from vivavoce.pipelines.benching.plan import Plan, PlanError


def row(**given: Any) -> dict[str, Any]:
    return {
        "calls": 10,
        "turns": 30,
        "lost": 0,
        "late_ms": {"p99": 4.0},
        "v2v_ms": {"p95": 500.0},
        "caller_late_ms": 3.0,
        **given,
    }


@pytest.mark.parametrize(
    ("given_row", "why"),
    [
        (row(), ""),
        (row(late_ms={"p99": 24.9}), "a packet in a hundred came 25 ms late"),
        (row(v2v_ms={"p95": 600.0}), "a turn in twenty took 600 ms, 20% more"),
        (row(lost=2), "2 of 30 turns had no answer"),
        (row(late_ms={"n": 0}), "nothing was heard"),
        (row(caller_late_ms=90.0, lost=3), "the callers themselves were 90 ms late"),
    ],
)
def test_a_step_is_judged_by_what_its_callers_heard(given_row: dict[str, Any], why: str):
    verdict = judge(given_row, 500.0)
    assert verdict.why.startswith(why)
    assert bool(verdict.why) == bool(why)
    assert verdict.callers == ("callers" in why)


@settings(max_examples=40)
@given(st.integers(1, 120), st.sets(st.integers(1, 120), min_size=1, max_size=12))
def test_the_search_ends_near_the_knee(knee: int, steps: set[int]):
    search, tried = Knee(sorted(steps)), []
    while (calls := search.next) is not None:
        assert calls not in tried
        tried.append(calls)
        search.add(calls, Verdict("" if calls <= knee else "too many"))
    assert search.carries == max((each for each in tried if each <= knee), default=0)
    over = [each for each in tried if each > knee]
    assert bool(search.why) == bool(over)
    if over and search.carries:
        assert min(over) - search.carries <= FINE


def test_steps_must_ascend():
    with pytest.raises(ValueError, match="ascending"):
        Knee([5, 1])


def test_a_plan_says_what_it_takes():
    usual, quick = Plan.make(), Plan.make(quick=True)
    assert usual.seconds > quick.seconds > 60
    assert Plan.make(calls="20,5").steps == (1, 5, 20)
    assert Plan.make(calls="0").steps == ()
    assert Plan.make(live=True).steps == ()
    assert Plan.make(live=True, turns=30).turns == 30


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"turns": 0}, "give 1 to 1000"),
        ({"calls": "many"}, "give numbers of calls"),
        ({"calls": "1,9999"}, "give 1 to 500 calls"),
        ({"calls": "5", "live": True}, "leave --live or --calls out"),
    ],
)
def test_a_wrong_plan_is_refused(wrong: dict[str, Any], match: str):
    with pytest.raises(PlanError, match=match):
        Plan.make(**wrong)
