"""Scaling: up at once, down slowly; and how long to wait before the dead are replaced."""

from __future__ import annotations

import pytest

from vivavoce.web.cluster.scaling import Backoff, Scale, Scaler
from vivavoce.web.cluster.state import WorkerState


def states(count: int, calls: int, total: int = 10) -> list[WorkerState]:
    return [WorkerState(f"w{n}", calls=calls, room=total - calls) for n in range(count)]


def test_one_more_where_there_is_little_room_and_time_to_start_it():
    scaler = Scaler(Scale(1, 4))
    assert scaler.decide(states(1, 7), 0.0) == 1
    assert scaler.decide(states(1, 8), 1.0) == 2
    assert scaler.decide(states(1, 10), 2.0) == 2  # it is being started
    assert scaler.decide(states(2, 9), 5.0) == 2  # it has just come
    assert scaler.decide(states(2, 9), 12.0) == 3
    assert scaler.decide(states(3, 9), 23.0) == 4
    assert scaler.decide(states(4, 10), 99.0) == 4


def test_one_less_after_a_quiet_while_in_which_it_was_quiet_all_the_time():
    scaler = Scaler(Scale(1, 4, quiet=60.0))
    scaler.wanted = 3
    assert scaler.decide(states(3, 1), 0.0) == 3
    assert scaler.decide(states(3, 4), 50.0) == 3  # on two it would be 60 %
    assert scaler.decide(states(3, 1), 61.0) == 3
    assert scaler.decide(states(3, 1), 120.0) == 3
    assert scaler.decide(states(3, 1), 121.0) == 2
    assert scaler.decide(states(2, 1), 122.0) == 2
    assert scaler.decide(states(2, 1), 182.0) == 1
    assert scaler.decide(states(1, 0), 999.0) == 1


def test_draining_workers_are_left_out():
    scaler = Scaler(Scale(1, 4))
    draining = WorkerState("old", calls=0, room=0, draining=True)
    assert scaler.decide([*states(1, 9), draining], 0.0) == 2


@pytest.mark.parametrize("wrong", [{"least": 0}, {"least": 3, "most": 2}, {"up": 0.4}, {"up": 1.5}])
def test_bounds_that_are_none(wrong):
    with pytest.raises(ValueError, match="workers"):
        Scale(**{"least": 1, "most": 4, **wrong})


def test_a_worker_that_had_lived_is_replaced_at_once_others_later_and_later():
    backoff = Backoff()
    assert backoff.died(3_600.0) == 0.0
    assert [backoff.died(0.0) for _ in range(9)] == [0.0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.died(61.0) == 0.0
    assert backoff.died(1.0) == 0.0
    assert backoff.died(1.0) == 0.5
