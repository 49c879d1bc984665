"""Calls that are over are held so long, and so many."""

from __future__ import annotations

import pytest

from vivavoce.web.live import PastCall, Wish
from vivavoce.web.shelf import KEPT, MOST_KEPT, Shelf


def past(ident: str, at: float) -> PastCall:
    return PastCall(ident, f"{ident}-token", Wish(), "agent", {"call": ident}, None, None, True, at)


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    for number in range(3):
        at = number * 100.0
        shelf.put(past(f"c{number}", at), at)
    return shelf


def test_the_oldest_is_first(shelf: Shelf):
    assert [call.id for call in shelf] == ["c0", "c1", "c2"]
    assert len(shelf) == 3
    found = shelf.get("c1")
    assert found is not None
    assert found.record == {"call": "c1"}
    assert shelf.get("c9") is None


def test_what_is_held_long_enough_is_let_go(shelf: Shelf):
    shelf.forget(KEPT)
    assert len(shelf) == 3
    shelf.forget(KEPT + 100.5)
    assert [call.id for call in shelf] == ["c2"]
    shelf.forget(10 * KEPT)
    assert not len(shelf)
    shelf.forget(20 * KEPT)


def test_too_many_push_the_oldest_out(shelf: Shelf):
    for number in range(MOST_KEPT):
        shelf.put(past(f"d{number}", 200.0), 200.0)
    assert len(shelf) == MOST_KEPT
    assert next(iter(shelf)).id == "d0"


def test_all_can_be_let_go(shelf: Shelf):
    shelf.clear()
    assert list(shelf) == []
