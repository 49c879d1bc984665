"""The search for the knee, how a step is judged, and how much is planned."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.pipelines.benching.knee import FINE, Knee, Verdict, judge
from vivavoce.pipelines.benching.plan import Plan, PlanError

ALONE = [450.0 + n for n in range(30)]


def row(**given: Any) -> dict[str, Any]:
    return {
        "calls": 10,
        "turns": 40,
        "lost": 0,
        "late_turns": [[160, 0]] * 40,
        "v2v": [455.0 + n / 2 for n in range(40)],
        "caller_late_ms": 3.0,
        **given,
    }


@pytest.mark.parametrize(
    ("given_row", "why"),
    [
        (row(), ""),
        (row(late_turns=[[160, 4]] * 40), "2.5% of packets came 20 ms late or later"),
        (row(v2v=[600.0] * 40), "a turn in twenty was answered 26% later"),
        (row(v2v=[600.0] * 40, late_turns=[[160, 2]] * 30), "1.2% of packets"),
        (row(lost=2), "2 of 40 turns had no answer"),
        (row(late_turns=[]), "nothing was heard"),
        (row(v2v=[]), "no turn was answered"),
        (row(gone=["closed", "failed"]), "2 calls ended: closed"),
    ],
)
def test_a_step_is_judged_by_what_its_callers_heard(given_row: dict[str, Any], why: str):
    verdict = judge(given_row, ALONE)
    assert verdict.why.startswith(why)
    assert bool(verdict.why) == bool(why)
    assert verdict.sure
    assert verdict.missed == bool(why)
    assert not verdict.doubt
    assert not verdict.callers


@pytest.mark.parametrize(
    ("given_row", "why", "doubt"),
    [
        # One stall met a few turns: it may have been chance.
        (row(late_turns=[[160, 0]] * 37 + [[160, 30]] * 3), "1.4% of packets", "of packets late"),
        (row(late_turns=[[160, 0]] * 38 + [[160, 30]] * 2), "", "of packets late"),
        (row(v2v=[460.0] * 37 + [545.0] * 3), "a turn in twenty", "a turn in twenty"),
        (row(v2v=[460.0] * 4, turns=4, late_turns=[[160, 0]] * 4), "", "a turn in twenty"),
        (row(turns=0, late_turns=[], v2v=[]), "nothing was heard", "nothing was heard"),
        (row(lost=1), "1 of 40 turns", "1 of 40 turns"),
        (row(caller_late_ms=90.0, lost=3), "the callers themselves were 90 ms late", "callers"),
    ],
)
def test_what_chance_may_have_done_is_not_sure(given_row: dict[str, Any], why: str, doubt: str):
    verdict = judge(given_row, ALONE)
    assert verdict.why.startswith(why)
    assert bool(verdict.why) == bool(why)
    assert not verdict.sure
    assert not verdict.missed
    assert doubt in verdict.doubt
    assert verdict.callers == ("callers" in why)
    assert verdict.to_dict()["doubt"] == verdict.doubt


def test_more_turns_make_sure_of_what_few_leave_open():
    few, many = ([460.0] * 9 * times + [500.0] * times for times in (1, 40))
    assert not judge(row(v2v=few), ALONE).sure
    verdict = judge(row(v2v=many), ALONE)
    assert (verdict.why, verdict.sure) == ("", True)


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


WELL, BAD = Verdict(""), Verdict("late")
PERHAPS, PERHAPS_NOT = Verdict("", sure=False), Verdict("late", sure=False)


def test_what_is_not_sure_makes_bounds():
    search = Knee((1, 10, 20, 30, 40, 50), misses=2, fine=None)
    for verdict in (WELL, WELL, PERHAPS, PERHAPS_NOT, BAD):
        calls = search.next
        assert calls is not None
        search.add(calls, verdict)
    assert search.next is None
    assert (search.at_least, search.carries, search.at_most) == (10, 20, 30)
    search.add(30, WELL)  # measured again
    assert (search.carries, search.why, search.next) == (30, "late", 50)


def test_what_may_be_chance_counts_for_nothing_where_more_calls_went_well():
    search = Knee((1, 10, 20, 30), misses=2, fine=None)
    for calls, verdict in ((1, WELL), (10, PERHAPS_NOT), (20, WELL), (30, BAD)):
        assert search.next == calls
        search.add(calls, verdict)
    assert (search.at_least, search.carries, search.at_most, search.why) == (20, 20, 20, "late")
    search.add(10, BAD)  # but what is certain does
    assert (search.at_least, search.carries) == (1, 1)


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
