from __future__ import annotations

from datetime import date as Date  # noqa: N812
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.agent.answers import (
    PART,
    AnswerError,
    choice,
    date,
    digits,
    free_text,
    spelling,
    yes_no,
)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("one two three four", "en", "1234"),
        ("my pin is 12 34", "en", "1234"),
        ("null eins zwei drei", "de", "0123"),
        ("one two", "en", PART),
        ("one two three four five", "en", None),
        ("I forgot it", "en", None),
    ],
)
def test_digits(text, language, expected):
    assert digits(4).read(text, language) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [("12", PART), ("1234", PART), ("1234#", "1234"), ("123456", "123456"), ("1#", None)],
)
def test_typed_digits_end_with_a_hash_or_the_last_one(keys, expected):
    assert digits((4, 6)).read_keys(keys) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Yes please.", "en", True),
        ("No thanks.", "en", False),
        ("That's not right.", "en", False),
        ("Why not?", "en", True),
        ("No problem.", "en", True),
        ("Hmm.", "en", None),
        ("Oui, tout à fait.", "fr", True),
        ("Non merci", "fr", False),
        ("Pourquoi pas", "fr", True),
        ("Sí, claro", "es", True),
        ("No, gracias", "es", False),
        ("Ja, genau", "de", True),
        ("Nein", "de", False),
        ("Kein Problem", "de", True),
    ],
)
def test_yes_and_no(text, language, expected):
    assert yes_no().read(text, language) is expected


def test_yes_and_no_by_key():
    assert yes_no().read_keys("1") is True
    assert yes_no().read_keys("2") is False
    assert yes_no().read_keys("5") is None


def test_a_date_by_words_and_by_keys():
    kind = date(today=lambda: Date(2026, 5, 4))
    assert kind.read("tomorrow", "en") == Date(2026, 5, 5)
    assert kind.read_keys("0506") is PART
    assert kind.read_keys("05062026") == Date(2026, 6, 5)
    assert kind.read_keys("05#") is None


WINES = choice(["red wine", "white wine", "sea", "sea bass"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The red wine, please.", "red wine"),
        ("sea bass", "sea bass"),
        ("the second one", "white wine"),
        ("number 2", "white wine"),
        ("red wine or white wine", None),
        ("wine", None),
        ("number nine", None),
    ],
)
def test_a_choice(text, expected):
    assert WINES.read(text, "en") == expected


def test_a_choice_has_values_of_any_kind_and_words_in_any_language():
    class Size(Enum):
        SMALL = 1
        LARGE = 2

    kind = choice({Size.SMALL: ["small", "petit"], Size.LARGE: "large"})
    assert kind.read("un petit", "fr") is Size.SMALL
    assert kind.read_keys("2") is Size.LARGE
    assert kind.read_keys("3") is None
    assert kind.hint("en") == "Sorry, please choose: small or large?"


def test_a_choice_of_more_than_nine_takes_two_keys():
    kind = choice([f"word{number}" for number in "abcdefghijkl"])
    assert kind.read_keys("1") is PART
    assert kind.read_keys("1#") == "worda"
    assert kind.read_keys("12") == "wordl"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("B E N", "en", "ben"),
        ("It's M-A-R-I-E", "en", "marie"),
        ("bee as in bravo, ee, double en", "en", "benn"),
        ("Bravo Echo November", "en", "ben"),
        ("bé o enne", "fr", "bon"),
        ("Berta Emil Nordpol", "de", "ben"),
        ("A B 12 dash C", "en", "ab12-c"),
        ("I do not know how to do this", "en", None),
    ],
)
def test_spelling(text, language, expected):
    assert spelling().read(text, language) == expected


@pytest.mark.parametrize(
    "text", ["Why would you like to know?", "You see, I am a bit busy.", "I do not know", "Miller"]
)
def test_a_sentence_is_no_spelling(text):
    assert spelling().read(text, "en") is None


def test_spelling_has_bounds():
    assert spelling(5).read("B E N", "en") is PART
    assert spelling(1, 2).read("B E N", "en") is None


def test_free_text():
    assert free_text().read(" anything ", "en") == "anything"
    assert free_text().read("  ", "en") is None
    assert free_text().read_keys("12") is PART
    assert free_text().read_keys("12#") == "12"


@pytest.mark.parametrize(
    "make",
    [
        lambda: digits(0),
        lambda: digits((6, 4)),
        lambda: choice([]),
        lambda: choice("red"),
        lambda: choice(["..."]),
        lambda: choice({1: []}),
        lambda: spelling(0),
        lambda: spelling(4, 2),
    ],
)
def test_what_no_caller_could_answer_is_refused(make):
    with pytest.raises(AnswerError):
        make()


KINDS = [digits(4), yes_no(), date(), choice(["red", "white"]), spelling(), free_text()]


@given(
    st.sampled_from(KINDS),
    st.text(max_size=60),
    st.sampled_from(["en", "fr", "es", "de", "it", "hi"]),
)
def test_nothing_that_is_said_or_typed_raises(kind, text, language):
    kind.read(text, language)
    kind.read_keys("".join(char for char in text if char in "0123456789*#ABCD"))
    assert kind.hint(language)
