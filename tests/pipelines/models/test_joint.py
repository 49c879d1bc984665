from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.models.joint import Joint


def joined(said: str, pieces: list[str]) -> str:
    seam = Joint(said)
    return said + "".join(map(seam.feed, pieces)) + seam.finish()


@pytest.mark.parametrize(
    ("said", "more", "whole"),
    [
        ("Two are", " free tonight.", "Two are free tonight."),
        ("Two are", "free tonight.", "Two are free tonight."),
        ("Two are", "Two are free tonight.", "Two are free tonight."),
        ("Two are ", "are free tonight.", "Two are free tonight."),
        ("Two are free", ".", "Two are free."),
        ("Two are free.", "", "Two are free."),
        ("Two are free.", "Two are free.", "Two are free."),
        ("Yes, two tab", "Yes, two tables are free.", "Yes, two tables are free."),
        ("It is a", "an error", "It is a an error"),
        ("", "Hello.", "Hello."),
        ("One.", "Two.", "One. Two."),
        ("the cat and the", "the cat and the dog", "the cat and the dog"),
    ],
)
def test_what_was_said_is_not_said_again(said, more, whole):
    assert joined(said, [more]) == whole
    assert joined(said, list(more)) == whole


words = st.lists(st.text("abcé", min_size=1, max_size=4), min_size=1, max_size=12, unique=True)


@given(words, st.data())
def test_no_word_is_lost_or_doubled_wherever_it_broke_off(text, data):
    whole = " ".join(text)
    cut = data.draw(st.integers(0, len(text)))
    again = data.draw(st.integers(0, cut))
    said, more = " ".join(text[:cut]), " ".join(text[again:])
    size = data.draw(st.integers(1, max(1, len(more))))
    pieces = [more[at : at + size] for at in range(0, len(more), size)]
    assert joined(said, pieces).split() == whole.split()
