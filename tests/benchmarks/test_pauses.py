"""Pauses: where they are put, and calls side by side."""

from __future__ import annotations

import re

import pytest

from benchmarks.latency import pauses
from benchmarks.latency.roster import ROSTER, RosterError
from benchmarks.latency.wire import RATE
from tests.speech import speak
from vivavoce.pipelines.benching.clip import make_clip

LINES = ("Please tell me | what time you open.", "I would like to | book a table for four.")


@pytest.fixture(scope="module")
def clips():
    return [
        make_clip(f"line {number}", "turn", speak(re.sub(r" \|", "", text)), text)
        for number, text in enumerate(LINES)
    ]


def test_pauses_are_the_same_every_time_and_differ_from_turn_to_turn(clips):
    found = pauses.paused_clips(clips, 10)
    lengths = [(clip.gap[1] - clip.gap[0]) / RATE for clip in found]
    assert lengths == [
        (clip.gap[1] - clip.gap[0]) / RATE for clip in pauses.paused_clips(clips, 10)
    ]
    assert set(lengths) == set(pauses.PAUSES)
    # A place that is used again has another pause.
    assert len({(clip.name, length) for clip, length in zip(found, lengths, strict=True)}) == 10
    assert {clip.before(clip.gap[0] + 1) for clip in found} == {
        "Please tell me",
        "I would like to",
    }


def test_speech_without_a_place_for_a_pause_is_refused():
    with pytest.raises(RosterError, match=r"write \| between the words"):
        pauses.paused_clips([make_clip("x", "turn", speak("Hello."), "Hello.")], 3)


async def test_calls_side_by_side_are_told_apart(clips, tmp_path):
    told: list[str] = []
    found = await pauses.measure(ROSTER[:1], clips, 2, tmp_path, told.append, calls=2)
    report = found["ours"]
    assert report["calls"] == 2
    assert not report["gone"]
    rows = report["turns"]
    assert [row["round"] for row in rows] == [0, 1]
    assert {row["call"] for row in rows} == {0, 1}
    for row in rows:
        assert not row["lost"]
        said = " ".join(each["text"] for each in row["told"] if "text" in each)
        # What one call says does not turn up in the other one.
        assert said == row["text"]
        assert all(each["why_ended"] for each in row["told"] if "text" in each)
        assert row["requests"]["chat/completions"] >= 1
        assert row["pause_s"] in pauses.PAUSES
        assert row["pause_at_ms"] < 0
    assert report["cpu_of_a_core"] > 0
    assert sum("ours:" in line for line in told) == 2
