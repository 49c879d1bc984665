from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.agent.dates import find_date

MONDAY = date(2026, 5, 4)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("today please", "en", "2026-05-04"),
        ("tomorrow", "en", "2026-05-05"),
        ("the day after tomorrow", "en", "2026-05-06"),
        ("on Friday", "en", "2026-05-08"),
        ("next Friday", "en", "2026-05-15"),
        ("on Monday", "en", "2026-05-11"),
        ("the fifth of May", "en", "2026-05-05"),
        ("May 3rd", "en", "2027-05-03"),
        ("May 5th 2027", "en", "2027-05-05"),
        ("June twenty second", "en", "2026-06-22"),
        ("the 12th", "en", "2026-05-12"),
        ("I may come on the 12th", "en", "2026-05-12"),
        ("2026-12-01", "en", "2026-12-01"),
        ("25/4/2027", "en", "2027-04-25"),
        ("4/25/27", "en", "2027-04-25"),
        ("February thirtieth", "en", None),
        ("après-demain", "fr", "2026-05-06"),
        ("vendredi", "fr", "2026-05-08"),
        ("le premier juin", "fr", "2026-06-01"),
        ("le cinq août", "fr", "2026-08-05"),
        ("pasado mañana", "es", "2026-05-06"),
        ("el 3 de junio", "es", "2026-06-03"),
        ("übermorgen", "de", "2026-05-06"),
        ("am dritten Juni", "de", "2026-06-03"),
        ("am 12. Juni 2027", "de", "2027-06-12"),
        ("I do not know", "en", None),
        ("", "en", None),
    ],
)
def test_dates(text, language, expected):
    found = find_date(text, language, MONDAY)
    assert (found and found.isoformat()) == expected


@given(st.dates(date(2026, 1, 1), date(2035, 12, 31)))
def test_a_day_in_words_comes_back(day):
    assert find_date(f"{day:%B} {day.day}, {day.year}", "en", MONDAY) == day


@given(st.text(max_size=60), st.sampled_from(["en", "fr", "es", "de", "it"]))
def test_nothing_that_is_said_raises(text, language):
    found = find_date(text, language, MONDAY)
    assert found is None or isinstance(found, date)
