"""Transcripts as files: what players and readers take, with no word left out."""

import itertools
import json
import re

import pytest

from vivavoce.pipelines.models.transcription.text import Segment, Transcript, Word
from vivavoce.pipelines.subtitles import LINE, LONGEST, cues, write

TALK = Transcript(
    "Good morning. How are you? Fine, <thanks> & you.",
    (
        Segment("Good morning.", 0.5, 1.25, "Ann"),
        Segment("How are you?", 1.5, 2.5, "Ann"),
        Segment("Fine, <thanks> & you.", 3661.2, 3662.9996, "Bob"),
    ),
    "en",
)
LONG = " ".join(f"word{n}" for n in range(90))


def test_srt():
    assert write(TALK, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,250\n[Ann] Good morning.\n\n"
        "2\n00:00:01,500 --> 00:00:02,500\n[Ann] How are you?\n\n"
        "3\n01:01:01,200 --> 01:01:03,000\n[Bob] Fine, <thanks> & you.\n"
    )


def test_webvtt():
    assert write(TALK, "vtt") == (
        "WEBVTT\n\n"
        "00:00:00.500 --> 00:00:01.250\n<v Ann>Good morning.\n\n"
        "00:00:01.500 --> 00:00:02.500\n<v Ann>How are you?\n\n"
        "01:01:01.200 --> 01:01:03.000\n<v Bob>Fine, &lt;thanks&gt; &amp; you.\n"
    )


def test_markdown_by_speaker():
    assert write(TALK, "md", "team_call") == (
        "# team\\_call\n\n"
        "**Ann** `00:00:00`\n\nGood morning. How are you?\n\n"
        "**Bob** `01:01:01`\n\nFine, \\<thanks\\> & you.\n"
    )


def test_markdown_without_speakers_or_times():
    plain = Transcript("1. One *two*.", (Segment("1. One *two*.", 0, 1), Segment("# Three", 9, 10)))
    assert write(plain, "md") == "`00:00:00` 1\\. One \\*two\\*.\n\n`00:00:09` \\# Three\n"
    assert write(Transcript("Only text."), "md", "a") == "# a\n\nOnly text.\n"


def test_text_and_json():
    assert write(TALK, "text") == (
        "Ann: Good morning. How are you?\n\nBob: Fine, <thanks> & you.\n"
    )
    assert write(Transcript("Grüße."), "text") == "Grüße.\n"
    assert Transcript.parse(json.loads(write(TALK, "json"))) == Transcript.parse(TALK.json())


@pytest.mark.parametrize(
    ("form", "empty"), [("text", ""), ("srt", ""), ("vtt", "WEBVTT\n"), ("md", "")]
)
def test_nothing_said(form, empty):
    assert write(Transcript(""), form) == empty


def test_words_without_times_are_no_subtitles():
    with pytest.raises(ValueError, match="srt needs times"):
        write(Transcript("words"), "srt")


@pytest.mark.parametrize("timed", [True, False])
def test_long_speech_is_cut_for_reading(timed):
    words = tuple(Word(word, n * 0.3, n * 0.3 + 0.3) for n, word in enumerate(LONG.split()))
    found = cues([Segment(LONG, 0.0, 27.0, None, words if timed else ())])
    assert " ".join(cue.text.replace("\n", " ") for cue in found) == LONG
    for cue in found:
        lines = cue.text.split("\n")
        assert len(lines) <= 2
        assert all(len(line) <= LINE for line in lines)
        assert 0 < cue.end - cue.start <= LONGEST + 0.01
    for one, following in itertools.pairwise(found):
        assert one.end <= following.start + 1e-9
    assert found[0].start == 0.0
    assert found[-1].end == pytest.approx(27.0)


def test_writing_without_spaces_is_cut_by_its_width():
    text = "今日はとても良い天気ですね。" * 12
    found = cues([Segment(text, 0.0, 30.0)])
    assert "".join(cue.text.replace("\n", "") for cue in found) == text
    assert all(len(line) <= LINE // 2 for cue in found for line in cue.text.split("\n"))


def test_a_short_word_stands_long_enough_but_not_into_the_next():
    found = cues([Segment("Yes.", 1.0, 1.1), Segment("No.", 1.4, 1.5), Segment("So.", 9.0, 9.0)])
    assert [(cue.start, round(cue.end, 2)) for cue in found] == [(1.0, 1.4), (1.4, 2.1), (9.0, 9.7)]


def test_times_that_overlap_do_not_go_back():
    found = cues([Segment("One.", 1.0, 5.0, "A"), Segment("Two.", 3.0, 4.0, "B")])
    assert found[0].end <= found[1].start


def test_every_time_in_a_file_has_the_form_that_players_want():
    times = re.findall(r"\d+:\d\d:\d\d,\d{3}", write(TALK, "srt"))
    assert len(times) == 6
