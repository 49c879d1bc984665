"""A clip that follows closely is heard together with the one before it."""

import numpy as np
import pytest

from vivavoce.sandbox.context import CLOSE, GAP, LONGEST, Context

RATE = 16_000


def clip(seconds: float) -> np.ndarray:
    return np.ones(round(seconds * RATE), np.float32)


def after(text: str) -> Context:
    context = Context()
    context.add(0, RATE, clip(1), text)
    return context


@pytest.mark.parametrize(
    ("before", "together", "own"),
    [
        ("And so my fellow", "And so my fellow Americans, ask not.", "Americans, ask not."),
        ("And so my fellow American.", "And so my fellow Americans, ask not.", "ask not."),
        ("I would like a stable", "I would like a table for four.", "for four."),
        ("Book it for eight.", "Book it for eight", ""),
        ("One two", "one, two three four", "three four"),
        ("The weather", "Entirely different words here", "words here"),
    ],
)
def test_what_was_told_before_is_taken_off(before: str, together: str, own: str) -> None:
    assert after(before).own(RATE + 100, together) == own


def test_what_comes_later_stands_alone() -> None:
    context = after("And so")
    assert len(context.before(RATE + CLOSE)) > 0
    assert len(context.before(RATE + CLOSE + 1)) == 0
    assert context.own(RATE + CLOSE + 1, "And so my") == "And so my"


def test_nothing_was_said_before() -> None:
    assert len(Context().before(0)) == 0
    assert Context().own(0, "Hello there") == "Hello there"
    assert len(after("").before(RATE)) == 0


def test_the_silence_between_is_kept_but_short() -> None:
    context = after("And so")
    assert len(context.before(RATE + 800)) == RATE + 800
    assert len(context.before(RATE + CLOSE)) == RATE + GAP


def test_it_does_not_grow_for_ever() -> None:
    context, end = Context(), 0
    for number in range(50):
        context.add(end, end + RATE, clip(1), f"word{number}")
        end += RATE
        assert len(context.before(end)) <= LONGEST
    assert context.own(end, "word49 next") == "next"
    context.add(end, end + 9 * RATE, clip(9), "a very long one")
    assert len(context.before(end + 9 * RATE)) == 0
