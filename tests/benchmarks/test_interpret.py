"""The interpreter's benchmarks: their instruments, and a minute of what they show for an hour."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.interpret.hour import alone
from benchmarks.interpret.lag import Speaker, table
from benchmarks.interpret.lag_picture import draw
from benchmarks.interpret.scripted import (
    collapsed,
    listen,
    pitch,
    pseudo,
    speech,
    tone,
    translated,
)
from benchmarks.interpret.sounding import Sound, segments_of
from benchmarks.interpret.talk import RATE, Talk, read
from benchmarks.interpret.talk import line as said
from vivavoce.pipelines.benching.take import Packet, Take
from vivavoce.pipelines.interpret.stretch import stretched
from vivavoce.pipelines.interpret.tracing import Sounded


async def test_it_is_less_than_half_as_far_behind_as_who_waits_for_the_turn():
    speaker = speech(45, seed=1, free=False, once=False)
    options = {"faults": False, "seed": 1, "latency": 2_000}
    (near,) = (await alone(speaker, "simultaneous", **options)).values()
    (far,) = (await alone(speaker, "consecutive", **options)).values()
    assert near["lag"]["mean"] <= 0.45 * far["lag"]["mean"]
    assert near["scores"]["laal"] <= 0.45 * far["scores"]["laal"]
    assert near["lag"]["mean"] < 3.3
    assert near["lag"]["most"] < 5.0
    for report in (near, far):
        assert (report["lost"], report["doubled"], report["disordered"]) == ([], [], [])
        # Read off the samples that the listener was given, word by word.
        assert report["tones"] > 100
        assert (report["tones_missing"], report["tones_more"]) == (0, 0)


def test_a_talk_has_breaths_and_stretches_without_any():
    lines = read("# no line\nOne, two.\n\n~ three four\n~ five.\nSix.\n")
    assert [line for line, _, _ in lines] == ["One, two.", "three four five.", "Six."]
    assert [flowing for _, flowing, _ in lines] == [False, True, False]
    assert lines[0][2] > lines[1][2]


def test_a_line_is_said_with_the_end_of_every_word():
    text = "We measured this, very carefully, over eighteen months."
    samples, words = said(text, flowing=False)
    loud = np.abs(samples.astype(int)) > 300
    assert [word.text for word in words] == text.split()
    for word in words:
        # It is heard until where it ends, and where a pause follows no longer.
        assert loud[round((word.ended - 0.03) * RATE) :][:480].any()
    gaps = [later.started - word.ended for word, later in itertools.pairwise(words)]
    assert max(gaps) > 0.1
    _, flowing = said(text, flowing=True)
    assert max(later.started - word.ended for word, later in itertools.pairwise(flowing)) < 0.1
    spoken = Talk(samples, words, ())
    assert (spoken.text, spoken.script()[-1][0]) == (text, "months.")


def test_a_speaker_gives_the_talk_and_waits_for_its_translation():
    words = (Sounded("one", 0.1, 0.9),)
    speaker = Speaker(Talk(np.full(2 * RATE, 900, np.int16), words, ()), 1.0)
    take = Take()
    number = 0
    while speaker.block(number, take) is not None:
        number += 1
        if number == 100:
            take.packets.append(Packet(2.0, 0.5, 9_000))
    assert 14 < number / 50 < 16


def test_what_is_heard_can_be_told_from_the_samples_at_any_speed():
    text = translated("The workshop, which we repaired, was seven years old and cold.")
    samples = np.concatenate([tone(word) for word in text.split()])
    want = collapsed(pitch(word) for word in text.split())
    assert [one.number for one in listen(samples)] == want
    faster = stretched(samples, 24_000, 1.3)
    assert collapsed(one.number for one in listen(faster)) == want
    # A word that is missing shows.
    assert [one.number for one in listen(samples[len(tone("le")) :])] == want[1:]
    assert len({pseudo(number) for number in range(20_000)}) == 20_000


def test_briefly_it_is_shorter():
    text = "and so the roof was very cold"
    assert len(translated(text, brief=True)) < len(translated(text))
    assert translated("the", brief=True) == "oui"  # nothing is no translation


def test_where_a_piece_sounded_is_found_behind_padding_and_pauses():
    packets = [Packet(1 + 0.04 * n, 0.04, 5_000) for n in range(26)]
    packets += [Packet(4 + 0.04 * n, 0.04, 5_000) for n in range(26)]
    sound = Sound(packets)
    assert sound.stretches == [pytest.approx((1.0, 2.04)), pytest.approx((4.0, 5.04))]
    told = [
        {"heard": 1, "text": "one"},
        {"written": 1, "text": "un"},
        {"heard": 2, "text": "two"},
        {"heard": 3, "text": "three"},
        {"spoken": 1, "seconds": 1.03},
        {"spoken": 2, "seconds": 0.5},
        {"spoken": 3, "seconds": 0.5},
    ]
    first, second, third = segments_of(told, sound, "en", "fr")
    assert (first.translation, first.spoken_from) == ("un", 1.0)
    assert first.spoken_to == pytest.approx(2.04, abs=0.03)
    assert second.spoken_from == pytest.approx(4.0, abs=0.03)
    assert third.spoken_from == pytest.approx(second.spoken_to)
    assert third.spoken_to == pytest.approx(5.04, abs=0.03)


def test_the_picture_and_the_table_have_every_engine():
    figures = dict.fromkeys(("mean", "p50", "p95", "most", "al", "laal", "atd"), 2.0)
    report = {
        "lag": figures,
        "scores": figures,
        "lost": [],
        "doubled": [],
        "cpu_percent": 3.0,
        "words": [[1.0, 2.0], [70.0, 3.0]],
    }
    reports = {"simultaneous": report, "consecutive": report, "pipecat": report}
    picture = draw(reports)
    assert picture.count("<polyline") == 3
    assert "mean 2.5 s" in picture
    assert all(f"| {name} |" in table(reports) for name in reports)
