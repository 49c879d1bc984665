from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.interpret.aligning import BAND, bare, boundary, kept, split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  Bonjour  tout le monde ! ", ["Bonjour", "tout", "le", "monde !"]),
        ("« Oui » — dit-il", ["« Oui »  —".replace("  ", " "), "dit-il"]),
        ("¿ Qué ?", ["¿ Qué ?"]),
        ("$ 5 — 10 %", ["$ 5 —", "10 %"]),
        ("— ...", []),
        ("मैं घर गया था ।", ["मैं", "घर", "गया", "था ।"]),
    ],
)
def test_a_mark_that_stands_alone_belongs_to_a_word(text, words):
    assert split(text) == words


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("House,", "house", True),
        ("l’homme", "L'homme", True),
        ("café", "cafe\u0301", True),
        ("well-known", "wellknown", True),
        ("की", "का", False),
        ("3.5", "3,5", True),
    ],
)
def test_case_and_marks_make_no_other_word(one, other, same):
    assert (bare(one) == bare(other)) is same


@pytest.mark.parametrize(
    ("taken", "told", "place", "differences"),
    [
        ("", "a b", 0, 0),
        ("a b c", "a b c d", 3, 0),
        ("a b c", "a b", 2, 1),
        ("a b c", "", 0, 3),
        ("a b c", "a x c d", 3, 1),
        ("a b c", "a new b c d", 4, 1),
        ("a b c", "a c d", 2, 1),
        ("the the", "the the the", 2, 0),
        ("about the translat", "about the translation of", 3, 1),
        ("a well known man", "a wellknown man came", 3, 0),
        ("a wellknown man", "a well known man came", 4, 0),
        ("a b c", "x y z d e", 3, 3),
    ],
)
def test_where_the_words_begin_that_are_new(taken, told, place, differences):
    assert boundary(taken.split(), told.split()) == (place, differences)


@given(
    st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=9)
)
def test_what_only_goes_on_is_found_exactly(taken, more):
    assert boundary(taken, taken + more) == (len(taken), 0)


def test_far_fewer_words_than_were_cut_off_are_all_old():
    taken = [f"word{i}" for i in range(3 * BAND)]
    assert boundary(taken, ["other", "things"]) == (2, len(taken))


def test_a_long_text_with_an_early_difference_is_aligned():
    taken = [f"word{i}" for i in range(600)]
    told = ["first", *taken[1:], "and", "more"]
    assert boundary(taken, told) == (600, 1)


def test_words_keep_their_places_when_others_change():
    places = kept("a b c d".split(), "a x c new d e".split())
    assert places == [(0, True), (1, False), (2, True), (None, False), (3, True), (None, False)]


def test_more_words_in_the_place_of_fewer_are_new():
    assert kept(["a", "say"], ["a", "saw", "it"]) == [(0, True), (1, False), (None, False)]
