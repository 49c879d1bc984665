"""What two runs differ in, and what of it is chance."""

from __future__ import annotations

import numpy as np
import pytest

from tests.web.benched import result
from vivavoce.pipelines.benching.compared import compare
from vivavoce.pipelines.benching.spread import (
    change,
    fit,
    mean,
    percent,
    ratio,
    share,
    summary,
    within,
)


def drawn(seed: int, middle: float, count: int = 60) -> list[float]:
    return np.random.default_rng(seed).normal(middle, 20, count).tolist()


def test_a_summary_says_how_many_and_how_large():
    assert summary([]) == {"n": 0}
    found = summary([float(n) for n in range(1, 101)])
    assert (found["p50"], found["p95"], found["max"], found["n"]) == (50.5, 95.0, 100.0, 100)


def test_chance_is_told_from_a_change():
    same = change("v2v", "ms", drawn(1, 500), drawn(2, 500), percent(50))
    assert same is not None
    assert same.noise
    assert same.better is None
    faster = change("v2v", "ms", drawn(1, 500), drawn(2, 450), percent(50))
    assert faster is not None
    assert not faster.noise
    assert faster.better is True
    assert faster.low is not None
    assert faster.high is not None
    assert faster.low < -50 < faster.high < 0
    slower = change("v2v", "ms", drawn(1, 450), drawn(2, 500), mean)
    assert slower is not None
    assert slower.better is False
    more = change("calls", "", drawn(1, 450), drawn(2, 500), mean, less=False)
    assert more is not None
    assert more.better is True


def test_an_interval_holds_what_it_promises():
    # 95 of 100 intervals of two samples of one kind hold zero; with 100 pairs, no fewer than 85.
    held = 0
    for seed in range(100):
        found = change("", "", drawn(2 * seed, 500, 40), drawn(2 * seed + 1, 500, 40), mean)
        assert found is not None
        held += found.noise
    assert 85 <= held <= 100


def test_too_few_values_say_nothing():
    assert change("", "ms", [], [1.0], mean) is None
    few = change("", "ms", [1.0, 2.0], [9.0, 9.5], mean)
    assert few is not None
    assert few.noise
    assert few.low is None


def test_a_fixed_cost_is_told_from_that_of_each_call():
    calls = [1, 5, 10, 20, 40]
    found = fit(calls, [0.04 + 0.02 * n for n in calls])
    assert found is not None
    assert (found.alone, found.each, found.worst) == (
        pytest.approx(0.04, abs=1e-4), pytest.approx(0.02, abs=1e-4), pytest.approx(0, abs=1e-4)
    )  # fmt: skip
    assert fit([5, 5], [1.0, 1.1]) is None


def test_two_runs_are_compared():
    changes = {each.name: each for each in compare(result(1), result(2, slower=40.0))}
    assert changes["voice to voice, half of the turns"].better is False
    assert changes["speech, on average"].better is False
    assert changes["thinking, on average"].noise
    assert changes["CPU of each of 35 calls"].noise
    assert changes["calls on one core"].noise
    assert compare(result(1), {"kind": "vivavoce bench"}) == []


def test_an_interval_holds_what_is_true_nearly_always():
    """Of 60 samples of one distribution, its 95th percentile lies in the interval of most."""
    dice = np.random.default_rng(3)
    true = float(np.percentile(dice.gamma(4, 10, 200_000), 95))
    held = 0
    for _ in range(60):
        found = within(list(dice.gamma(4, 10, 120)), 95)
        assert found is not None
        assert found.low <= found.value <= found.high
        held += found.low <= true <= found.high
    assert held >= 51  # 57, were it exact; a bootstrap of a tail is a bit too narrow


def test_the_ratio_of_two_runs():
    one = [500.0 + n for n in range(60)]
    found = ratio(one, [each / 1.3 for each in one], 95)
    assert found is not None
    assert found.value == pytest.approx(1.3)
    assert found.side(1.2) == 1
    assert found.side(1.4) == -1
    assert found.side(1.3) == 0
    assert ratio(one, [400.0] * 3, 95).to_list()[::2] == [0.0, None]
    assert ratio([], one, 95) is None
    assert within([], 95) is None


def test_a_share_is_as_sure_as_it_is_spread():
    spread, stall = share([[100, 2]] * 40), share([[100, 0]] * 39 + [[100, 80]])
    assert spread.value == stall.value == 0.02
    assert spread.side(0.01) == 1
    assert stall.side(0.01) == 0
    assert share([[0, 0]]) is None
    assert share([[100, 0]] * 4).side(0.01) == 0
