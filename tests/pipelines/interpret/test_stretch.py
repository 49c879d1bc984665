from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.interpret.stretch import Stretch, stretched

RATE = 24_000


def tone(hertz: float = 150.0, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(RATE * seconds)) / RATE
    wave = 8_000 * np.sin(2 * np.pi * hertz * time) + 3_000 * np.sin(6 * np.pi * hertz * time)
    return wave.astype(np.int16)


def peak(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


@pytest.mark.parametrize("speed", [1.1, 1.3, 1.6, 0.8])
def test_length_changes_and_pitch_does_not(speed: float) -> None:
    samples = tone(seconds=2.0)
    out = stretched(samples, RATE, speed)
    assert len(out) == pytest.approx(len(samples) / speed, abs=1)
    assert peak(out) == pytest.approx(150.0, abs=2.0)
    loud = np.sqrt(np.mean(out.astype(float) ** 2)) / np.sqrt(np.mean(samples.astype(float) ** 2))
    assert loud == pytest.approx(1.0, abs=0.08)


def run(stretch: Stretch, samples: np.ndarray, speeds: list[float]) -> tuple[np.ndarray, int]:
    out, fed = [], 0
    for speed in speeds:
        missing = stretch.missing(speed)
        if fed + missing > len(samples):
            break
        stretch.feed(samples[fed : fed + missing])
        fed += missing
        out.append(stretch.step(speed))
    return np.concatenate(out), fed


def test_at_normal_speed_nothing_is_changed() -> None:
    samples = np.random.default_rng(1).integers(-9_000, 9_000, RATE).astype(np.int16)
    out, _ = run(Stretch(RATE), samples, [1.0] * 60)
    assert np.array_equal(out, samples[: len(out)])


def test_the_speed_may_change_without_a_click() -> None:
    samples = tone(seconds=3.0)
    speeds = [1.0 if (step // 7) % 2 else 1.25 for step in range(150)]
    out, _ = run(Stretch(RATE), samples, speeds)
    steepest = np.abs(np.diff(samples.astype(int))).max()
    assert np.abs(np.diff(out.astype(int))).max() <= 1.3 * steepest


@given(st.lists(st.floats(1.0, 1.6), min_size=5, max_size=40))
def test_it_takes_as_much_as_the_speeds_say(speeds: list[float]) -> None:
    stretch = Stretch(RATE)
    samples = tone(seconds=2.0)
    out, fed = run(stretch, samples, speeds)
    used = fed - stretch.waiting
    wanted = stretch.hop * sum(speeds[: len(out) // stretch.hop])
    # To a search's width and a window: it never runs away.
    assert abs(used - wanted) <= 0.06 * RATE


def test_silence_drains_it() -> None:
    stretch = Stretch(RATE)
    stretch.feed(tone(seconds=0.1))
    steps = 0
    while not stretch.drained:
        if missing := stretch.missing(1.2):
            stretch.feed(np.zeros(missing, np.int16), sounding=False)
        stretch.step(1.2)
        steps += 1
        assert steps < 20
    with pytest.raises(ValueError, match="feed"):
        Stretch(RATE).step(1.0)


def test_it_does_not_grow() -> None:
    stretch = Stretch(RATE)
    samples = tone(seconds=0.5)
    for _ in range(40):
        stretch.feed(samples)
        while not stretch.missing(1.3):
            stretch.step(1.3)
    assert stretch.waiting < RATE
    assert len(stretch._samples) < 3 * RATE
