"""Parts put together: times, names, and what stands in front of them."""

import numpy as np
import pytest

from vivavoce.pipelines.models.transcription.seams import (
    GAP,
    RATE,
    STEP,
    Cast,
    Front,
    SeamError,
    join,
)
from vivavoce.pipelines.models.transcription.text import Segment, Transcript, Word


def said(*segments):
    return Transcript(" ".join(one.text for one in segments), segments)


def one(text, start, end, speaker):
    return Segment(text, start, end, speaker, (Word(text, start, end, speaker),))


def cut(start, end):
    return np.full(round((end - start) * RATE), 7, np.int16)


@pytest.fixture
def cast():
    """Two voices from a first part: the second speaks longer."""
    known = Cast()
    first = known.settle(
        said(one("hello", 0, 2, "speaker_7"), one("good day", 3, 7, "speaker_1")), Front()
    )
    assert first.speakers == ("Speaker 1", "Speaker 2")
    known.remember(first.segments, cut)
    return known


def test_the_front_has_a_sample_of_each_voice_with_silence_around(cast):
    front = cast.front()
    assert front.voices == (("Speaker 1", 0.0, 2.0), ("Speaker 2", 2.0 + GAP, 6.0 + GAP))
    assert front.seconds == pytest.approx(6.0 + GAP + STEP)
    assert not front.samples[-round(STEP * RATE) :].any()
    assert (front.samples == 7).sum() == 6 * RATE


def test_labels_of_a_later_part_are_told_by_the_front(cast):
    front = cast.front()
    begins = front.seconds
    later = said(
        one("hello", 0.1, 1.9, "speaker_1"),
        one("good day", 2.9, 6.7, "speaker_2"),
        one("and now", begins + 0.5, begins + 2, "speaker_2"),
        one("me too", begins + 3, begins + 4, "speaker_3"),
        one("yes", begins + 5, begins + 6, "speaker_1"),
    )
    found = cast.settle(later, front)
    assert found.text == "and now me too yes"
    assert [s.speaker for s in found.segments] == ["Speaker 2", "Speaker 3", "Speaker 1"]
    assert [s.start for s in found.segments] == pytest.approx([0.5, 3, 5])
    assert found.segments[0].words[0].start == pytest.approx(0.5)
    assert found.segments[0].words[0].speaker == "Speaker 2"


def test_two_samples_under_one_label_are_one_voice_at_most(cast):
    front = cast.front()
    begins = front.seconds
    later = said(
        one("hello good day", 0.1, 6.7, "speaker_1"),
        one("yes", begins + 1, begins + 2, "speaker_1"),
    )
    assert cast.settle(later, front).speakers == ("Speaker 2",)


def test_a_segment_over_the_seam_is_not_guessed_at(cast):
    front = cast.front()
    begins = front.seconds
    with pytest.raises(SeamError):
        cast.settle(said(one("day and now", 5.0, begins + 3, "speaker_1")), front)


def test_samples_get_longer_and_not_too_long(cast):
    cast.remember((one("long", 0, 60, "Speaker 1"), one("short", 0, 1, "Speaker 2")), cut)
    (_, start, end), (_, second, last) = cast.front().voices
    assert end - start == 8.0
    assert last - second == 4.0


def test_who_says_little_has_no_sample():
    cast = Cast()
    part = cast.settle(said(one("hm", 0, 0.5, "a")), Front())
    cast.remember(part.segments, cut)
    assert not cast.front().voices
    assert cast.front().seconds == 0


def test_given_names_stay_and_need_no_samples():
    cast = Cast(["Ann"])
    part = cast.settle(said(one("hello", 0, 3, "Ann"), one("hi", 4, 8, "speaker_1")), Front())
    assert part.speakers == ("Ann", "Speaker 1")
    cast.remember(part.segments, cut)
    assert [name for name, _, _ in cast.front().voices] == ["Speaker 1"]


def test_what_an_earlier_run_named_goes_on_from_there():
    cast = Cast()
    had = said(one("hello", 0, 3, "Speaker 1"), one("hi", 4, 8, "Speaker 2"))
    cast.meet(had)
    cast.remember(had.segments, cut)
    front = cast.front()
    begins = front.seconds
    later = said(
        one("hello", 0.1, 2.9, "x"), one("hi", 4, 7.5, "y"), one("who", begins + 1, begins + 2, "z")
    )
    assert cast.settle(later, front).speakers == ("Speaker 3",)


def test_joined_parts_have_the_recordings_times():
    whole = join(
        [
            (0.0, Transcript("one", (Segment("one", 1, 2),), "en", "m", 10, 0.1, ("g1",))),
            (10.0, Transcript("")),
            (20.0, Transcript("deux", (Segment("deux", 1, 2),), "fr", "m", 10, None, ("g2",))),
            (30.0, Transcript("three", (Segment("three", 1, 2),), "en", "m", 10, 0.2)),
        ]
    )
    assert whole.text == "one deux three"
    assert [s.start for s in whole.segments] == [1, 21, 31]
    assert (whole.language, whole.seconds, whole.ids) == ("en", 30, ("g1", "g2"))
    assert whole.cost == pytest.approx(0.3)
    assert join([]).text == ""
