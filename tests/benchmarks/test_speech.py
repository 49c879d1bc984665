"""Clips: their ends by energy, their words, their pauses."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.latency.speech import CLIPS, load
from benchmarks.latency.wire import RATE
from vivavoce.pipelines.audio.wav import WavWriter
from vivavoce.pipelines.benching.callers import room
from vivavoce.pipelines.benching.clip import ClipError, make_clip


def bursts(*seconds, gap=0.2, level=6_000):
    """Bursts of a tone with silence around and between."""
    parts = [np.zeros(RATE // 4, np.int16)]
    for length in seconds:
        time = np.arange(round(length * RATE)) / RATE
        parts.append((np.sin(2 * np.pi * 440 * time) * level).astype(np.int16))
        parts.append(np.zeros(round(gap * RATE), np.int16))
    return np.concatenate(parts)


def test_ends_are_labelled_by_energy_whatever_the_level():
    for level in (600, 6_000, 20_000):
        clip = make_clip("x", "turn", bursts(1.0, level=level), "one two")
        assert clip.voiced_end / RATE == pytest.approx(1.0, abs=0.02)
        assert len(clip.samples) > clip.voiced_end
        assert clip.words[-1][1] == pytest.approx(1.0, abs=0.02)


def test_loudness_is_the_same_for_all():
    quiet, loud = (make_clip("x", "turn", bursts(1.0, level=level), "a") for level in (600, 20_000))
    assert np.abs(quiet.samples).max() == pytest.approx(np.abs(loud.samples).max(), rel=0.05)


def test_a_pause_is_as_long_as_it_says_and_words_keep_their_side():
    clip = make_clip("x", "turn", bursts(0.8, 0.8, gap=0.1), "good morning | to you all")
    ((start, stop),) = clip.pauses
    assert (start / RATE, stop / RATE) == pytest.approx((0.8, 0.9), abs=0.02)
    ends = [end for _word, end in clip.words]
    assert ends == sorted(ends)
    # A word has been heard when its voice falls, not in the middle of the silence behind it.
    assert ends[1] <= start / RATE
    assert ends[2] > stop / RATE
    assert clip.before(start + 1) == "good morning"
    for seconds in (0.7, 0.05):
        other = clip.paused((start, stop), seconds, room(1.0, 1))
        more = seconds - (stop - start) / RATE
        assert len(other.samples) == len(clip.samples) + round(more * RATE)
        assert other.voiced_end == clip.voiced_end + round(more * RATE)
        assert other.gap == (start, start + round(seconds * RATE))
        moved = [after - before for (_w, after), before in zip(other.words, ends, strict=True)]
        assert moved == pytest.approx([0, 0, more, more, more])
        assert np.abs(other.samples[slice(*other.gap)][100:-100]).max() < 300
        # What was said before and behind it is as it was.
        assert np.array_equal(other.samples[: start - 80], clip.samples[: start - 80])
        behind = len(clip.samples) - stop - 80
        assert np.array_equal(other.samples[-behind:], clip.samples[-behind:])


def test_words_that_run_into_each_other_are_parted_in_the_dip():
    clip = make_clip("x", "turn", bursts(1.6), "good morning | to you all")
    ((start, stop),) = clip.pauses
    assert start == stop
    other = clip.paused((start, stop), 0.5, room(1.0, 1))
    assert other.gap == (start, start + RATE // 2)
    assert len(other.samples) == len(clip.samples) + RATE // 2


def test_scripts_are_what_the_sandbox_takes():
    clip = make_clip("x", "turn", bursts(1.0), "good | morning")
    assert [word for word, _end in clip.script] == ["good", "morning"]
    assert clip.text == "good morning"


@pytest.mark.parametrize(("samples", "text"), [(np.zeros(RATE, np.int16), "a"), (bursts(1), "|")])
def test_what_holds_no_speech_is_refused(samples, text):
    with pytest.raises(ClipError, match="no speech, or no words"):
        make_clip("x", "turn", samples, text)


def test_a_folder_of_recordings_is_taken(tmp_path):
    writer = WavWriter(tmp_path / "hello.wav", RATE, 1)
    writer.write(bursts(1.2).reshape(-1, 1))
    writer.close()
    (tmp_path / "transcripts.tsv").write_text("hello\tgood morning | all\n", encoding="utf-8")
    (clip,) = load(tmp_path, tmp_path)
    assert (clip.name, clip.text) == ("hello", "good morning all")
    assert len(clip.pauses) == 1


def test_a_folder_without_transcripts_says_what_to_write(tmp_path):
    with pytest.raises(ClipError, match=r"transcripts\.tsv is missing: write"):
        load(tmp_path, tmp_path)
    (tmp_path / "transcripts.tsv").write_text("nobody\thello\n", encoding="utf-8")
    with pytest.raises(ClipError, match="cannot be read"):
        load(tmp_path, tmp_path)


def test_the_list_of_clips_is_whole():
    rows = [
        row.split("\t")
        for row in CLIPS.read_text(encoding="utf-8").splitlines()
        if not row.startswith("#")
    ]
    assert all(len(row) == 3 and row[1] in {"turn", "cut"} and row[2] for row in rows)
    assert len({row[0] for row in rows}) == len(rows) >= 60
    assert sum("|" in row[2] for row in rows) >= 40
    assert sum(row[1] == "cut" for row in rows) >= 10
