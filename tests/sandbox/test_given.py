"""One object of a profile: what is let pass, and how the rest is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from vivavoce.sandbox.given import Given, ProfileError, finite


@dataclass
class Part:
    wait: float = 0
    rest: float | None = None
    on: tuple[int, ...] = ()


def given(**fields: Any) -> Given:
    return Given("part", Part, fields)


def test_what_is_no_object_or_has_strange_fields_is_refused():
    with pytest.raises(ProfileError, match="part must be an object, not list"):
        Given("part", Part, [])
    with pytest.raises(ProfileError, match="part: unknown a, b; known: on, rest, wait"):
        given(wait=1, b=1, a=2)


def test_what_was_given_is_not_changed():
    source = {"wait": 1}
    Given("part", Part, source).fields["wait"] = 2
    assert source == {"wait": 1}


@pytest.mark.parametrize("value", [-1, "1", True, None, float("nan"), float("inf"), [1]])
def test_a_duration_is_a_number_of_at_least_0(value: Any):
    with pytest.raises(ProfileError, match=r"part\.wait must be a number of at least 0"):
        given(wait=value).durations("wait", open_="rest")


def test_a_duration_may_be_left_out_and_one_may_be_none():
    given(rest=None).durations("wait", "rest", open_="rest")
    given(wait=0, rest=2.5).durations("wait", "rest")


@pytest.mark.parametrize("value", [1, 10, 5.5])
def test_a_number_within_its_bounds(value: float):
    given(wait=value).within("wait", 1, 10)
    given().within("wait", 1, 10)


@pytest.mark.parametrize("value", [0.9, 11, "5", True, None, float("nan")])
def test_a_number_beyond_them(value: Any):
    with pytest.raises(ProfileError, match=r"part\.wait must be 1-10"):
        given(wait=value).within("wait", 1, 10)


def test_places():
    assert given().places("on") == ()
    assert given(on=3).places("on") == (3,)
    assert given(on=[1, 2]).places("on") == (1, 2)


@pytest.mark.parametrize("value", [0, -1, [0], [1.0], "12", True, None, [True]])
def test_what_is_no_place(value: Any):
    with pytest.raises(ProfileError, match=r"part\.on must be numbers from 1"):
        given(on=value).places("on")


@pytest.mark.parametrize(
    ("value", "is_one"), [(1, True), (1.5, True), (True, False), ("1", False), (1e999, False)]
)
def test_what_one_can_count_with(value: Any, is_one: bool):
    assert finite(value) is is_one
