from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.agent.numerals import numbers, ordinal


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("one two three four", "en", "1 2 3 4"),
        ("It's 12-34.", "en", "12 34"),
        ("twenty one forty-five", "en", "21 45"),
        ("double five oh 7", "en", "5 5 0 7"),
        ("triple 9", "en", "9 9 9"),
        ("one hundred and twenty three", "en", "123"),
        ("two thousand and five", "en", "2005"),
        ("six zero", "en-GB", "6 0"),
        ("zéro six douze trente-quatre", "fr", "0 6 12 34"),
        ("soixante-dix-sept, quatre-vingt-douze, quatre-vingt-dix-neuf", "fr", "77 92 99"),
        ("vingt et un, soixante et onze, deux cent trois", "fr", "21 71 203"),
        ("quatre-vingts", "fr", "80"),
        ("treinta y cinco, veintiuno", "es", "35 21"),
        ("cuatro mil doscientos treinta", "es", "4230"),
        ("einundzwanzig zwo fünf", "de", "21 2 5"),
        ("zweihundertfünfunddreißig", "de", "235"),
        ("null eins sieben", "de", "0 1 7"),
        ("uno due 3", "it", "3"),
        ("nothing", "en", ""),
    ],
)
def test_numbers(text, language, expected):
    assert " ".join(numbers(text, language)) == expected


ONES = "zero one two three four five six seven eight nine".split()


@given(st.lists(st.integers(0, 9), max_size=12))
def test_digits_said_one_by_one_come_back(digits):
    said = " ".join(ONES[digit] for digit in digits)
    assert "".join(numbers(said, "en")) == "".join(map(str, digits))


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("the twenty first of May", "en", 21),
        ("May 3rd", "en", 3),
        ("the second one", "en", 2),
        ("le premier", "fr", 1),
        ("am dritten", "de", 3),
        ("einundzwanzigster", "de", 21),
        ("el segundo", "es", 2),
        ("acht", "de", None),
        ("nothing", "en", None),
    ],
)
def test_ordinals(text, language, expected):
    assert ordinal(text, language) == expected
