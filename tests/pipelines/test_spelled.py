from __future__ import annotations

import pytest

from vivavoce.pipelines import spelled
from vivavoce.pipelines.lexicon import LEXICONS, UNITS


@pytest.mark.parametrize("language", LEXICONS)
def test_every_language_spells_everything(language: str) -> None:
    spelled.prepare(language)
    assert len(spelled.months(language)) == 12
    for text in (
        spelled.cardinal(language, 21),
        spelled.ordinal(language, 3),
        spelled.year(language, 1984),
        spelled.digits(language, "007"),
        spelled.money(language, 5, 50, "EUR"),
        spelled.money(language, 0, 50, "USD"),
        spelled.money(language, 500, 0, "JPY"),
    ):
        assert text
        assert not any(char.isdigit() for char in text), text


@pytest.mark.parametrize("language", LEXICONS)
def test_units_are_spelled_or_left(language: str) -> None:
    found = [spelled.unit(language, figures, name) for name in UNITS for figures in ("1", "2.5")]
    spoken = [text for text in found if text is not None]
    assert len(spoken) > len(found) / 2
    assert not any(char.isdigit() for text in spoken for char in text)


@pytest.mark.parametrize(
    ("language", "gender", "text"),
    [
        ("fr", "f", "une"),
        ("fr", "m", "un"),
        ("es", "", "uno"),
        ("es", "m", "un"),
        ("de", "m", "ein"),
    ],
)
def test_genders(language: str, gender: str, text: str) -> None:
    assert spelled.cardinal(language, 1, gender) == text


def test_pence_are_no_cents() -> None:
    assert spelled.money("en", 3, 50, "GBP") == "three pounds and fifty pence"
    assert spelled.money("en", 0, 1, "GBP") == "one penny"
