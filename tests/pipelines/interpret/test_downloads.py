"""Subtitles of an interpreted session, in each of its languages."""

from __future__ import annotations

import pytest

from vivavoce.agent.segment import Segment
from vivavoce.pipelines.interpret.downloads import DownloadError, languages, pieces, subtitles


def segment(number, speaker, source, target, text, translation, said, heard=None):
    made = Segment(number, speaker, source, target, text, *said, translation=translation)
    if heard:
        made.spoken_from, made.spoken_to, made.state = *heard, "spoken"
        made.translated = heard[0] - 0.3
    return made.to_dict()


TALK = [
    {"kind": "failure", "stage": "thinking", "message": "…", "at": 1.0},
    segment(1, "A", "fr", "en", "Bonjour à tous.", "Hello everybody.", (0.5, 1.5), (2.1, 3.3)),
    segment(2, "A", "fr", "en", "Le pain est prêt.", "The bread is done.", (1.6, 2.9), (3.4, 4.6)),
]


def test_each_language_has_its_words_and_its_times():
    assert languages(TALK) == ["fr", "en"]
    french = subtitles(TALK, "fr")
    assert french.startswith("1\n00:00:00,500 --> 00:00:01,500\nBonjour à tous.\n")
    assert "Hello" not in french
    assert "00:00:01.600 --> 00:00:02.900\nThe bread is done." in subtitles(TALK, "en", "vtt")
    heard = subtitles(TALK, "en-GB", "vtt", at="heard")
    assert heard.startswith("WEBVTT\n")
    assert "00:00:02.100 --> 00:00:03.300\nHello everybody." in heard


def test_two_speakers_are_told_apart_and_stand_in_the_order_of_time():
    rows = [
        segment(1, "Ada", "fr", "en", "Ça va ?", "How are you?", (1.0, 1.6), (2.0, 2.5)),
        segment(1, "Ben", "en", "fr", "Fine.", "Bien.", (0.2, 0.6), (1.1, 1.5)),
    ]
    english = subtitles(rows, "en")
    assert english.index("[Ben] Fine.") < english.index("[Ada] How are you?")
    assert "[Ben] Bien." in subtitles(rows, "fr", at="heard")


def test_what_was_said_stands_once_however_many_languages_it_went_into():
    rows = [
        segment(1, "A", "en", "fr", "Good day to you all.", "Bonjour à tous.", (0.0, 1.5)),
        segment(1, "A", "en", "es", "Good day", "Buenos días", (0.0, 0.7)),
        segment(2, "A", "en", "es", "to you all.", "a todos.", (0.7, 1.5)),
    ]
    assert [each.text for each in pieces(rows, "en")] == ["Good day to you all."]
    assert [each.text for each in pieces(rows, "es")] == ["Buenos días", "a todos."]


def test_a_caption_that_nobody_spoke_stands_as_long_as_it_takes_to_read():
    row = segment(1, "A", "fr", "en", "Bonjour.", "x" * 30, (0.0, 0.5))
    row["translated"] = 2.0
    (line,) = pieces([row], "en", at="heard")
    assert (line.start, line.end) == (2.0, pytest.approx(4.0))


def test_a_language_that_there_was_not_is_refused_with_those_there_were():
    failed = segment(3, "A", "fr", "de", "Oui.", "", (3.0, 3.2))
    with pytest.raises(DownloadError, match="nothing in 'de'; the languages are fr, en"):
        subtitles([*TALK, failed], "de")
    with pytest.raises(DownloadError, match="none: nothing was translated"):
        subtitles([], "en")
