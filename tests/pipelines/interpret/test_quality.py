"""Figures of a stretch of speech, and what is said of one that is no good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vivavoce.pipelines.interpret import quality
from vivavoce.pipelines.interpret.demands import Demands, Figures
from vivavoce.pipelines.interpret.quality import HOP, RATE, Analyser, clipped, measure

GOOD = Figures(
    seconds=9.0,
    speech=8.0,
    level=-22.0,
    noise=-70.0,
    between=-60.0,
    bandwidth=6_900.0,
    fall=30.0,
    apart=-4.0,
)


def buzz(hertz: float, seconds: float = 1.0, level: float = 0.1) -> np.ndarray:
    """Return something like a voice: a pitch with thirty harmonics."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * hertz * n * time + n * n) / n for n in range(1, 30))
    return (sound / np.abs(sound).max() * level * 32_767).astype(np.int16)


def test_frames_do_not_depend_on_the_blocks() -> None:
    pcm = buzz(120, 2)
    whole, sound = Analyser().feed(pcm)
    analyser = Analyser()
    parts = [analyser.feed(pcm[at : at + 777]) for at in range(0, len(pcm), 777)]
    np.testing.assert_allclose(np.concatenate([table for table, _ in parts]), whole, atol=1e-4)
    # What frames stand for is the sound itself, without gaps.
    joined = np.concatenate([part for _, part in parts]).reshape(-1)
    np.testing.assert_array_equal(joined, sound.reshape(-1))
    np.testing.assert_array_equal(joined, pcm[quality.BEFORE :][: len(joined)])
    assert len(whole) == (len(pcm) - quality.WINDOW) // HOP + 1


@pytest.mark.parametrize("hertz", [75.0, 110.0, 180.0, 260.0, 390.0])
def test_the_pitch_of_a_voice(hertz: float) -> None:
    table, _ = Analyser().feed(buzz(hertz))
    assert table[:, quality.VOICING].min() > 0.7
    found = 2 ** (np.median(table[:, quality.PITCH]) / 12)
    assert found == pytest.approx(hertz, rel=0.01)


def test_levels() -> None:
    table, _ = Analyser().feed(buzz(120, level=0.5))
    quieter, _ = Analyser().feed(buzz(120, level=0.05))
    gap = np.median(table[:, quality.POWER]) - np.median(quieter[:, quality.POWER])
    assert gap == pytest.approx(20, abs=0.2)


def test_what_is_behind_a_voice_is_measured_in_the_pauses() -> None:
    random = np.random.default_rng(1)
    pcm = np.concatenate([buzz(120, 2), np.zeros(RATE, np.int16), buzz(120, 2)])
    pcm = (pcm + random.normal(size=len(pcm)) * 100).astype(np.int16)
    table, _ = Analyser().feed(pcm)
    table[:, quality.SPEECH] = table[:, quality.POWER] > -35
    figures = measure(table, table[:0])
    assert figures.noise == pytest.approx(20 * np.log10(100 / 32_768), abs=1.5)
    assert figures.speech == pytest.approx(4, abs=0.1)
    assert figures.json()["snr"] == pytest.approx(figures.level - figures.noise, abs=0.01)


def test_a_ceiling_is_found_also_where_it_was_turned_down() -> None:
    natural = np.random.default_rng(1).normal(size=4 * RATE) * 3_000
    for scale in (1.0, 0.3):
        for share, least, most in ((1.0, 0.0, 0.0), (0.5, 0.01, 1.0)):
            pcm = (np.clip(natural, -12_000 * share, 12_000 * share) * scale).astype(np.int16)
            table, sound = Analyser().feed(pcm)
            assert least <= clipped(table, sound) <= most


@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [
        ({"seconds": 2.0, "speech": 1.8}, "short", "1.8 s of speech so far"),
        ({"seconds": 0.5, "speech": 0.1, "noise": -30.0}, "noise", "where it is quieter"),
        ({"clipped": 0.01}, "clipped", "turn the microphone down"),
        ({"level": -50.0, "noise": -90.0}, "quiet", "come nearer"),
        ({"noise": -30.0}, "noise", "8 dB below it, 16 are needed"),
        ({"noise": -30.0, "tonal": 0.9}, "noise", "music or voices"),
        ({"noise": -30.0, "fall": 5.0, "restless": 30.0}, "echo", "headset"),
        ({"between": -25.0}, "noise", "all the time"),
        ({"bandwidth": 1_900.0}, "muffled", "nothing of it above 1.9 kHz"),
        ({"fall": 5.0}, "echo", "headset"),
        ({"steady": 0.9}, "music", "like music"),
        ({"overlap": 0.2}, "overlap", "at once"),
        ({"together": 0.5}, "overlap", "at once"),
        ({"apart": 2.0}, "turns", "more than one person"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, float], cause: str, words: str) -> None:
    demands = Demands()
    assert demands.refusal(GOOD) is None
    refusal = demands.refusal(replace(GOOD, **change))
    assert refusal is not None
    assert refusal.cause == cause
    assert words in refusal.why
    assert "\n" not in refusal.why


def test_a_telephone_passes_with_a_lower_mark_unless_more_is_asked() -> None:
    narrow = replace(GOOD, bandwidth=3_400.0)
    demands = Demands()
    assert demands.refusal(narrow) is None
    assert demands.score(narrow) < demands.score(GOOD)
    refusal = Demands(bandwidth=5_000).refusal(narrow)
    assert refusal is not None
    assert refusal.cause == "muffled"


def test_the_longer_the_better_up_to_what_is_best() -> None:
    demands = Demands()
    marks = [demands.score(replace(GOOD, seconds=seconds)) for seconds in (3.3, 5, 8, 12, 14)]
    assert marks[0] < marks[1] < marks[2] == marks[3] > marks[4] > marks[1]
    assert demands.score(replace(GOOD, noise=-40.0)) < marks[2]


@pytest.mark.parametrize("wrong", [{"shortest": 2.0}, {"longest": 30.0}, {"best": (12.0, 8.0)}])
def test_lengths_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="3 <= shortest <= best"):
        Demands(**wrong)  # type: ignore[arg-type]
