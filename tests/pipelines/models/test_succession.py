"""The providers of a stage, in the order in which they are preferred."""

from __future__ import annotations

import pytest

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.succession import Failover, Provider, Succession


class Clock:
    """A clock that stands still unless it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Nobodys(Failover[str]):
    stage = "speaking"


def error(retry_after: float | None = None) -> ModelError:
    return ModelError("thinking", "busy", "it is full", retry_after=retry_after)


def two(clock: Clock) -> Succession[str]:
    return Succession("thinking", [Provider("a", "A"), Provider("b", "B")], clock)


async def test_the_preferred_one_is_asked_until_it_fails_and_again_when_it_has_rested() -> None:
    clock = Clock()
    line = two(clock)
    tried: set[int] = set()
    assert await line.next(tried, None) == 0
    assert line.another(tried)
    line.failed(0, error())
    assert line.states() == {"a": "open", "b": "closed"}
    assert await line.next(tried, error()) == 1
    assert not line.another(tried)
    line.succeeded(1)
    assert await line.next(set(), None) == 1
    clock.now = 5.0
    assert line.states()["a"] == "half-open"
    assert await line.next(set(), None) == 0


async def test_where_all_asked_to_wait_nobody_is_asked_and_the_error_says_how_long() -> None:
    line = two(Clock())
    for index in (0, 1):
        line.failed(index, error(retry_after=20.0 + index))
    assert await line.next(set(), None) is None
    left = line.exhausted()
    assert (left.kind, left.retry_after) == ("busy", 20.0)
    assert "a and b asked to wait 20 s more" in str(left)


def test_an_error_says_who_did_what() -> None:
    made = two(Clock()).error(1, "timeout", "gave no answer in 4 s")
    assert (made.stage, made.kind) == ("thinking", "timeout")
    assert "b gave no answer in 4 s" in str(made)


def test_nobody_is_no_succession() -> None:
    with pytest.raises(ValueError, match="speaking: give at least one provider"):
        Nobodys([])
