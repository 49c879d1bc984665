"""Translations do not depend on where speech was cut more than documented."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from tests.pipelines.interpret.dictionary import translate
from tests.pipelines.interpret.phrases import sentence, talk
from tests.pipelines.interpret.segmentation import PAIRS, blind, measure, reveal
from vivavoce.pipelines.interpret.aligning import bare, split

KEPT = 0.98
"""The share of the whole text's translation that the pieces' translations have."""
WAIT = 1.6
"""Seconds that a word waits to be cut off, on average over the pairs."""


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_dictionary_is_right_about_whole_texts(source, target, marked):
    rng = random.Random(1)
    for said in talk(rng, 60, long=True):
        text, truth = sentence(said, source), sentence(said, target, figures=True)
        text = text if marked else re.sub(r"[.,]", "", text).lower()
        found = translate(text, source, target)
        assert [bare(word) for word in split(found)] == [bare(word) for word in split(truth)]


def test_the_dictionary_is_wrong_where_speech_is_cut_wrongly():
    assert translate("they see the red house", "en", "fr") == "ils voient la maison rouge"
    pieces = ["they see the red", "house"]
    assert " ".join(translate(each, "en", "fr") for each in pieces) == "ils voient le rouge maison"
    assert translate("er hat das Haus nicht gesehen", "de", "en") == "he did not see the house"
    pieces = ["er hat das Haus", "nicht gesehen"]
    assert "he did not" not in " ".join(translate(each, "de", "en") for each in pieces)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_pieces_of_the_same_length_that_end_anywhere_lose_far_more(source, target):
    """That the words are kept is the cutter's doing."""
    assert blind(source, target, marked=True, talks=9, length=5.0) < 0.96


def test_what_is_cut_as_it_is_said_means_what_it_means_as_a_whole():
    found = {
        (source, target, marked, fickle): measure(
            source, target, marked=marked, talks=12 if fickle else 6, fickle=fickle
        )
        for source, target in PAIRS
        for marked in (True, False)
        for fickle in (True, False)
    }
    for case, figures in found.items():
        assert figures.words > 400
        assert figures.kept >= KEPT, (case, figures)
        assert figures.length < 8, (case, figures)
        assert figures.wait < 2.0, (case, figures)
    waits = [figures.wait for figures in found.values()]
    assert sum(waits) / len(waits) <= WAIT


def test_a_transcriber_changes_its_mind_and_is_right_in_the_end():
    words = "The teacher sees the red house today.".split() * 8
    told = list(reveal(words, random.Random(1)))
    assert any(later[: len(one)] != one for (_, one), (_, later) in itertools.pairwise(told))
    assert told[-3][1].split()[:-2] == words[: len(told[-3][1].split()) - 2]
