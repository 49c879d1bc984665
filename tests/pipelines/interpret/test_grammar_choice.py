from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.interpret.grammar_choice import LATE, SOON, best, choose
from vivavoce.pipelines.interpret.grammar_tokens import Seam

SEAMS = {
    "n": Seam.NUMBER,
    "t": Seam.TIGHT,
    "h": Seam.HELD,
    "l": Seam.LOOSE,
    "p": Seam.PHRASE,
    "c": Seam.CLAUSE,
} | {
    ",": Seam.COMMA,
    ".": Seam.SENTENCE,
}


def places(text: str) -> list[Seam]:
    return [SEAMS[letter] for letter in text]


@pytest.mark.parametrize(
    ("ready", "more", "age", "wanted"),
    [
        ("", "", 9, 0),
        ("tt.", "", 0, 3),
        ("t.", "", 0, 0),
        ("tt,t.", "", 0, 3),
        ("ttc", "", 0.1, 0),
        ("ttc", "", 0.2, 3),
        ("tttp", "", 0.3, 0),
        ("tttp", "", 0.4, 4),
        ("tttl", "", 0.7, 0),
        ("tttl", "", 0.8, 4),
        # A better place is waited for where it is near.
        ("tttl", "tc", 0.8, 0),
        ("tttl", "tt", 0.8, 4),
        # The better one, and of two alike the later.
        ("tttpl", "", 1, 4),
        ("tttlp", "", 1, 5),
        ("tttptp", "", 1, 6),
        ("ttttth", "", 2.4, 0),
        ("ttttth", "", 2.5, 6),
        ("tttttttt", "", 2.9, 0),
        ("tttttttt", "", 3, 8),
        ("ttttttttnn", "", 9, 8),
        ("nnnnnnnnnn", "", 9, 0),
    ],
)
def test_the_longer_it_waits_the_worse_a_place_will_do(ready, more, age, wanted):
    assert choose(places(ready), places(ready + more), age, LATE) == wanted


@given(
    st.lists(st.sampled_from(list(Seam)), max_size=30),
    st.floats(0, 5),
    st.integers(0, 3),
    st.sampled_from([SOON, LATE]),
)
def test_a_choice_keeps_its_terms(seams, age, more, terms):
    ready = seams[: len(seams) - more] if more else seams
    length = choose(ready, seams, age, terms)
    assert 0 <= length <= len(ready)
    if length:
        least, share = terms[ready[length - 1]]
        assert length >= least
        assert age >= share
    assert (
        choose(ready, seams, 10.0, terms)
        or Seam.TIGHT not in ready[7:]
        or Seam.CLAUSE in seams
        or more
    )


def test_where_it_has_to_be_cut_the_best_place_is_late():
    assert best(places("tt.tttlt")) == 7
    assert best(places("tttttt")) == 6
    assert best(places("t")) == 1
