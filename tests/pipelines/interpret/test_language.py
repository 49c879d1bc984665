"""Which language something is in: of two, as in a session, and where it changes."""

from __future__ import annotations

import pytest

from tests.pipelines.interpret.sentences import SENTENCES
from vivavoce.agent.languages import SPOKEN
from vivavoce.pipelines.interpret.language import pieces, prepare, tell


@pytest.fixture(scope="module", autouse=True)
def model():
    prepare()


def test_there_are_enough_sentences_of_each_language():
    assert set(SENTENCES) == set(SPOKEN)
    assert all(len(set(sentences)) >= 40 for sentences in SENTENCES.values())


@pytest.mark.parametrize(
    ("words", "least"), [(None, 0.98), (5, 0.90), (4, 0.90)], ids=["whole", "five", "four"]
)
def test_of_any_two_languages_the_right_one_is_told(words, least):
    wrong, told, sure, misled = 0, 0, 0, []
    for language, sentences in SENTENCES.items():
        for sentence in sentences:
            text = " ".join(sentence.split()[:words])
            for other in SENTENCES:
                if other == language:
                    continue
                # As after somebody spoke the other one: the harder case.
                found, certainty = tell(text, (other, language), other)
                told += 1
                wrong += found != language
                sure += found == language and certainty >= 0.8
                if found != language and certainty >= 0.9:
                    misled.append((text, found, certainty))
    assert 1 - wrong / told >= least
    assert sure / told >= least - 0.1
    assert len(misled) / told <= 0.002


@pytest.mark.parametrize(
    ("text", "languages", "current", "expected"),
    [
        ("oui", ("en", "fr"), "en", "fr"),
        ("yes, please", ("fr", "en"), "fr", "en"),
        ("Hotel", ("en", "fr"), "fr", "fr"),
        ("Hotel", ("en", "fr"), "en", "en"),
        ("", ("en", "fr"), "fr", "fr"),
        ("17", ("en", "es"), "es", "es"),
        ("नमस्ते", ("en", "hi"), "en", "hi"),
        ("شكرا", ("fr", "ar"), "fr", "ar"),
        ("Je voudrais réserver une table.", ("en-GB", "fr-CA"), "en-GB", "fr-CA"),
    ],
)
def test_short_answers_and_what_says_nothing(text, languages, current, expected):
    assert tell(text, languages, current)[0] == expected


def test_certainty_is_a_chance():
    assert tell("", ("en", "fr"))[1] == pytest.approx(0.5)
    assert tell("", ("en", "fr", "de", "es"))[1] == pytest.approx(0.25)
    assert tell("Je ne sais pas du tout ce qu'il faut faire.", ("en", "fr"))[1] > 0.99
    with pytest.raises(ValueError, match="give the codes"):
        tell("hello", ())


SWITCHED = [
    ("I was at the market this morning, et puis j'ai rencontré ta mère.", "en fr", "et puis"),
    ("Je lui ai dit que non, but he would not listen to me.", "fr en", "but he"),
    ("We can meet on Monday. Mais mardi je ne suis pas là.", "en fr", "Mais"),
    ("No sé qué decirte, I really have no idea what happened.", "es en", "I really"),
    ("Das habe ich ihm gesagt, and then he just walked away.", "de en", "and then"),
    ("Non lo so ancora, I will tell you as soon as I know.", "it en", "I will"),
    ("Ik kom morgen langs, if you have the time for it.", "nl en", "if you"),
    ("Eu acho que sim, pero no estoy seguro de nada todavía.", "pt es", "pero"),
]


@pytest.mark.parametrize(("text", "languages", "second"), SWITCHED)
def test_a_clause_in_the_other_language_is_a_piece_of_its_own(text, languages, second):
    first, other = languages.split()
    found = pieces(text, (first, other), first)
    assert [piece.language for piece in found] == [first, other]
    assert abs(found[1].start - text.index(second)) <= len(second)
    assert all(text[piece.start : piece.end] == piece.text for piece in found)
    assert " ".join(piece.text for piece in found).split() == text.split()


@pytest.mark.parametrize(
    ("text", "language", "other"),
    [
        ("We had dinner at Chez Marie and then a crème brûlée.", "en", "fr"),
        ("C'est un best-seller, un vrai must have pour le week-end.", "fr", "en"),
        ("Das Meeting ist im Office von Smith and Partners.", "de", "en"),
        ("I met José García Fernández in Santiago de Compostela.", "en", "es"),
    ],
)
def test_a_borrowed_word_changes_no_language(text, language, other):
    assert [piece.language for piece in pieces(text, (language, other), language)] == [language]


def test_whole_sentences_stay_whole():
    cut = 0
    for language, sentences in SENTENCES.items():
        for sentence in sentences:
            for other in ("en", "fr"):
                if other != language:
                    found = pieces(sentence, (language, other), language)
                    cut += [piece.language for piece in found] != [language]
    assert cut <= 4


def test_nothing_has_no_pieces():
    assert pieces("  ", ("en", "fr")) == []
