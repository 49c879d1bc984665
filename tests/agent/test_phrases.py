from __future__ import annotations

import pytest

from vivavoce.agent.phrases import (
    APOLOGY,
    CONNECTING,
    DISCLOSURE,
    FAREWELL,
    MAY_RECORD,
    TAKE_IT,
    phrase,
)

SPOKEN = {"en", "fr", "es", "de", "it", "pt", "nl", "hi", "ar"}


@pytest.mark.parametrize(
    "phrases", [APOLOGY, CONNECTING, DISCLOSURE, FAREWELL, MAY_RECORD, TAKE_IT]
)
def test_there_is_a_sentence_in_every_language_that_voxtral_speaks(phrases):
    assert set(phrases) == SPOKEN
    assert len(set(phrases.values())) == len(SPOKEN)
    assert all(text.strip() == text and text[-1] in ".?؟।" for text in phrases.values())


@pytest.mark.parametrize(
    ("language", "expected"), [("fr", "fr"), ("fr-CA", "fr"), ("FR", "fr"), ("sw", "en")]
)
def test_the_language_decides_and_english_fills_in(language, expected):
    assert phrase(APOLOGY, language) == APOLOGY[expected]
