from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.models.breaker import LASTING, LONGEST, PATIENCE, RESTS, Breaker, Order, Try
from vivavoce.pipelines.models.errors import ModelError


def error(kind="broken", retry_after=None):
    return ModelError("thinking", kind, "x", retry_after=retry_after)


def test_a_failure_opens_it_and_its_rest_half_opens_it():
    breaker = Breaker()
    assert breaker.state(0) == "closed"
    breaker.begin()
    breaker.failed(error(), 10)
    assert breaker.state(10) == breaker.state(10 + RESTS[0] - 0.01) == "open"
    assert breaker.state(10 + RESTS[0]) == "half-open"


def test_half_open_lets_one_try_and_that_one_decides():
    breaker = Breaker()
    breaker.failed(error(), 0)
    now = RESTS[0]
    assert breaker.ready(now)
    breaker.begin()
    assert not breaker.ready(now)
    breaker.succeeded()
    assert breaker.state(now) == "closed"
    breaker.failed(error(), now)
    breaker.begin()
    breaker.abandoned()
    assert breaker.ready(now + RESTS[0])


def test_each_failure_in_a_row_rests_longer_up_to_a_bound():
    breaker, now, rests = Breaker(), 0.0, []
    for _ in range(len(RESTS) + 2):
        breaker.failed(error(), now)
        rests.append(breaker.reopens - now)
        now = breaker.reopens
    assert rests == [*RESTS, RESTS[-1], RESTS[-1]]


@pytest.mark.parametrize(
    ("failed", "rest"),
    [
        (error("auth"), LASTING),
        (error("busy", 7), 7),
        (error("busy", 0), 0),
        (error("busy"), 5),
        (error("broken", 40), 40),
        (error("busy", 1e9), LONGEST),
        (error("busy", -5), 0),
    ],
    ids=str,
)
def test_how_long_it_rests(failed, rest):
    breaker = Breaker()
    breaker.failed(failed, 100)
    assert breaker.reopens == 100 + rest


def test_the_first_that_may_be_asked_is_asked():
    order = Order(3)
    assert order.next(set(), 0) == Try(0)
    order.breakers[0].failed(error(), 0)
    assert order.next({0}, 0) == Try(1)
    assert order.next(set(), 1) == Try(1)
    assert order.next(set(), RESTS[0]) == Try(0)


def test_one_that_rests_is_better_than_nobody():
    order = Order(2)
    order.breakers[0].failed(error("auth"), 0)
    order.breakers[1].failed(error(), 0)
    assert order.next(set(), 0.5) == Try(1)
    assert order.next({1}, 0.5) == Try(0)
    assert order.next({0, 1}, 0.5) is None


def test_one_that_said_when_to_come_back_is_waited_for_if_it_is_soon_and_never_asked_before():
    order = Order(1)
    order.breakers[0].failed(error("busy", 10), 0)
    assert order.next(set(), 1) is None
    step = order.next(set(), 10 - PATIENCE / 2)
    assert step is not None
    assert step.wait == PATIENCE / 2
    assert order.next(set(), 10) == Try(0)


steps = st.lists(
    st.tuples(
        st.floats(0, 30),
        st.sampled_from(["ok", "broken", "auth", "busy", "timeout", "gone"]),
        st.one_of(st.none(), st.floats(0, 20)),
    ),
    max_size=25,
)


@given(st.integers(1, 4), steps)
def test_nobody_is_asked_before_the_time_it_gave_and_whoever_is_closed_comes_first(count, steps):
    order, now, forbidden = Order(count), 0.0, [0.0] * count
    for passed, outcome, retry_after in steps:
        now += passed
        step = order.next(set(), now)
        if step is None:
            assert all(until > now for until in forbidden)
            continue
        assert forbidden[step.index] <= now + step.wait + 1e-6
        closed = [i for i in range(count) if order.breakers[i].ready(now)]
        assert step.index == closed[0] if closed else True
        now += step.wait
        breaker = order.breakers[step.index]
        breaker.begin()
        if outcome == "ok":
            breaker.succeeded()
            forbidden[step.index] = 0.0
        elif outcome == "gone":
            breaker.abandoned()
        else:
            breaker.failed(error(outcome, retry_after), now)
            if retry_after is not None:
                forbidden[step.index] = now + retry_after
