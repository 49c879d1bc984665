from __future__ import annotations

import pytest

from vivavoce.pipelines.interpret.pace import FASTEST, HASTE, SLEW, Pace


def settle(pace: Pace, queue: float, *, begin: float = 0.0) -> None:
    for step in range(200):
        pace.update(queue, begin + step * 0.1)


def test_it_hurries_only_for_what_waits() -> None:
    pace = Pace(2.0)
    for _ in range(50):
        pace.ready(2.0, 3.0)  # slow models: nothing that a faster voice would help against
    settle(pace, 1.0)
    assert pace.speed == 1.0
    assert pace.condense == 0


def test_the_longer_the_queue_the_faster_and_the_briefer() -> None:
    speeds, levels = [], []
    for queue in (0.0, 1.0, 2.0, 3.0, 8.0):
        pace = Pace(2.0)
        for _ in range(50):
            pace.ready(1.4, 0.6)
        settle(pace, queue)
        speeds.append(pace.speed)
        levels.append(pace.condense)
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
    settle(pace, 0.0, begin=20.0)
    assert pace.speed == 1.0
    assert pace.condense == 0
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
    settle(pace, 2.2)
    assert pace.condense == 1
    settle(pace, 1.8, begin=20.0)  # under the level that began it, and not yet over
    assert pace.condense == 1


def test_what_is_made_meanwhile_is_no_queue() -> None:
    pace = Pace(2.0)
    pace.cut, pace.made = 1.0, 1.0
    assert pace.lag(0.5) == 2.0
    assert pace.lag(3.0) == 4.0
