import pytest

from vivavoce.agent.events import SegmentChanged
from vivavoce.agent.segment import Segment
from vivavoce.agent.testing.draw import draw
from vivavoce.agent.transcript import Transcript


def make(**given):
    return Segment(1, "A", "fr", "en", "bonjour à tous", 1.0, 2.0, **given)


def test_the_lag_is_from_its_last_word_to_the_first_sample():
    segment = make()
    assert segment.lag is None
    segment.spoken_from = 3.25
    assert segment.lag == pytest.approx(1.25)


def test_a_caption_that_grows_is_no_correction():
    segment = make()
    segment.caption("hello")
    segment.caption("hello everyone")
    assert segment.revisions == []
    segment.caption("good morning everyone")
    assert segment.revisions == ["hello everyone"]
    assert segment.translation == "good morning everyone"


@pytest.mark.parametrize("state", ["spoken", "written", "failed"])
def test_settled(state):
    assert make(state=state).settled


@pytest.mark.parametrize("state", ["waiting", "translating", "queued", "speaking"])
def test_not_settled(state):
    assert not make(state=state).settled


def test_as_json():
    segment = make(translation="hello everyone", state="spoken", cut=2.1)
    segment.spoken_from, segment.spoken_to = 2.75, 3.5
    row = SegmentChanged(3.5, segment).to_dict()
    assert row["event"] == "segment_changed"
    assert row["segment"]["lag"] == 0.75
    assert row["segment"]["kind"] == "segment"
    assert row["segment"]["translated"] is None


def test_in_a_transcript():
    transcript = Transcript()
    segment = make(translation="hello everyone", state="queued")
    transcript.add(segment)
    assert transcript.segments == [segment]
    assert transcript.replies == []
    assert "hello everyone (queued)" in draw(transcript)
