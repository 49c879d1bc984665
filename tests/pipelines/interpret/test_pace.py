from __future__ import annotations

import pytest

from vivavoce.pipelines.interpret.pace import FASTEST, HASTE, SLEW, Pace


def settle(pace: Pace, queue: float, *, begin: float = 0.0) -> int:
    """Have a queue for 20 s; return how brief the wording is at the end."""
    level = 0
    for step in range(200):
        pace.update(queue, begin + step * 0.1)
        if step % 20 == 0:
            level = pace.wording(queue)
    return level


def test_it_hurries_only_for_what_waits() -> None:
    pace = Pace(2.0)
    for _ in range(50):
        pace.ready(2.0, 3.0)  # slow models: nothing that a faster voice would help against
    assert settle(pace, 1.0) == 0
    assert pace.speed == 1.0


def test_the_longer_the_queue_the_faster_and_the_briefer() -> None:
    speeds, levels = [], []
    for queue in (0.0, 1.0, 2.0, 3.0, 8.0):
        pace = Pace(2.0)
        for _ in range(50):
            pace.ready(1.4, 0.6)
        levels.append(settle(pace, queue))
        speeds.append(pace.speed)
    assert speeds == sorted(speeds)
    assert speeds[0] == 1.0
    assert 1.0 < speeds[1] < FASTEST
    assert speeds[-1] == pytest.approx(HASTE)
    assert levels == sorted(levels)
    assert levels[0] == 0
    assert levels[-1] == 2


def test_it_eases_off_again() -> None:
    pace = Pace(1.0)
    settle(pace, 6.0)
    assert settle(pace, 0.0, begin=20.0) == 0
    assert pace.speed == 1.0
    assert pace.behind == 0.0


def test_the_speed_changes_slowly() -> None:
    pace = Pace(1.0)
    pace.update(9.0, 0.0)
    assert pace.speed == 1.0
    pace.update(9.0, 0.5)
    assert pace.speed == pytest.approx(1.0 + SLEW * 0.5)


def test_wording_does_not_flutter() -> None:
    pace = Pace(2.0)
    for _ in range(50):
        pace.ready(1.4, 0.6)
    assert settle(pace, 2.2) == 1
    # Under the level that began it, and not yet over.
    assert settle(pace, 1.8, begin=20.0) == 1


def test_a_short_segment_behind_a_long_one_is_worded_as_it_is() -> None:
    pace = Pace(2.0)
    for _ in range(50):
        pace.ready(1.4, 0.6)
    assert [pace.wording(queue) for queue in (3.0, 0.5, 3.0, 3.0, 0.5)] == [0, 0, 0, 0, 0]
    assert [pace.wording(queue) for queue in (3.0, 3.0, 3.0)] == [0, 0, 1]


def test_what_is_made_meanwhile_is_no_queue() -> None:
    pace = Pace(2.0)
    pace.cut, pace.made = 1.0, 1.0
    assert pace.lag(0.5) == 2.0
    assert pace.lag(3.0) == 4.0
