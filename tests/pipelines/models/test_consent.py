from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from vivavoce.pipelines.models.consent import Consent, ConsentError, amend, consent_path, record

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("text", "speaker", "given", "how"),
    [
        ("Marie Dupont, in writing", "Marie Dupont", TODAY, "in writing"),
        ("Me, it is my own voice, 2026-11-01", "Me", date(2026, 11, 1), "it is my own voice"),
        ("A. B., on tape, page 3, 2025-01-31", "A. B.", date(2025, 1, 31), "on tape, page 3"),
    ],
)
def test_it_is_read_from_a_line(text: str, speaker: str, given: date, how: str) -> None:
    found = Consent.parse(text, TODAY)
    assert (found.speaker, found.given, found.how) == (speaker, given, how)
    assert found.text == f"{speaker} agreed on {given} ({how})"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Marie", "say who agreed and how"),
        (", in writing", "say whose voice it is"),
        ("Marie, ", "say how they agreed"),
        ("Marie, in writing, yesterday", "'yesterday' is no date"),
        ("Marie, in writing, 2126-01-01", "cannot have been given on 2126-01-01"),
    ],
)
def test_what_is_none(text: str, says: str) -> None:
    with pytest.raises(ConsentError, match=says):
        Consent.parse(text, TODAY)


def test_it_is_on_record_beside_the_sample_and_the_record_grows(tmp_path: Path) -> None:
    sample = tmp_path / "marie.wav"
    sample.write_bytes(b"RIFF")
    consent = Consent("Marie", TODAY, "in writing")
    for name in ("one", "two"):
        path = record(sample, consent, {"id": None, "name": name, "provider": "https://x"})
        amend(path, f"id-{name}")
    assert path == consent_path(sample) == tmp_path / "marie.wav.consent.json"
    first, second = json.loads(path.read_text())
    assert (first["voice"]["id"], second["voice"]["id"]) == ("id-one", "id-two")
    assert (first["speaker"], first["given"], first["how"]) == ("Marie", "2026-11-21", "in writing")
    assert len(first["sha256"]) == 64
    assert list(tmp_path.iterdir()) == [sample, path] or len(list(tmp_path.iterdir())) == 2


def test_a_record_that_is_none_is_left_alone(tmp_path: Path) -> None:
    sample = tmp_path / "a.wav"
    sample.touch()
    consent = Consent("Marie", TODAY, "in writing")
    for text, says in (("{", "cannot read"), ("{}", "is no record of consent")):
        consent_path(sample).write_text(text)
        with pytest.raises(ConsentError, match=says):
            record(sample, consent, {})
        assert consent_path(sample).read_text() == text
