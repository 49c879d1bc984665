"""Drift and jitter as measured, and audio played faster or slower."""

import numpy as np
import pytest

from vivavoce.phone.media.drift import LIMIT, Arrivals, Stretcher


def arrivals(drift, jitter, seconds, seed=1):
    chance = np.random.default_rng(seed)
    measured = Arrivals()
    for index in range(int(seconds * 50)):
        measured.add(500 + index * 0.02, index * 0.02 / (1 + drift) + chance.uniform(0, jitter))
    return measured


@pytest.mark.parametrize("drift", [-0.01, -0.002, 0.0, 0.005, 0.01])
def test_drift_is_found_under_jitter(drift):
    measured = arrivals(drift, 0.06, 30)
    assert measured.drift == pytest.approx(drift, abs=0.0006)
    assert measured.spread == pytest.approx(0.058, abs=0.006)


def test_the_base_is_the_earliest_packets_as_of_now():
    measured = arrivals(0.01, 0.06, 60)
    now = 60 / 1.01
    assert measured.base(now) == pytest.approx(now - 560, abs=0.006)


def test_a_jump_begins_anew():
    measured = arrivals(0.01, 0.06, 30)
    measured.add(9_000.0, 31.0)
    assert measured.base(31.0) == pytest.approx(31.0 - 9_000.0)
    assert (measured.drift, measured.spread) == (pytest.approx(0.0), 0.0)


def run(stretcher, pcm, count):
    out, at = [], 0
    while True:
        missing = stretcher.missing(count)
        if at + missing > len(pcm):
            return np.concatenate(out), at
        stretcher.feed(pcm[at : at + missing])
        at += missing
        out.append(stretcher.take(count))


def sine(frequency, seconds, rate=8000):
    return (9000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(
        np.int16
    )


def test_at_speed_one_samples_pass_untouched():
    pcm = sine(440, 1)
    out, _ = run(Stretcher(), pcm, 160)
    assert np.array_equal(out, pcm[: len(out)])


@pytest.mark.parametrize("speed", [0.99, 1.003, 1.01])
@pytest.mark.parametrize("frequency", [300, 1000, 3400])
def test_the_speed_is_exact_and_the_sound_clean(speed, frequency):
    stretcher = Stretcher()
    stretcher.set_speed(speed)
    pcm = sine(frequency, 4)
    out, used = run(stretcher, pcm, 160)
    assert (used - stretcher.waiting) / len(out) == pytest.approx(speed, abs=1e-4)
    window = np.hanning(8192)
    spectrum = np.abs(np.fft.rfft(out[1000 : 1000 + 8192] * window)) ** 2
    peak = int(spectrum.argmax())
    assert peak * 8000 / 8192 == pytest.approx(frequency * speed, abs=1)
    inside = spectrum[peak - 8 : peak + 9].sum()
    assert 10 * np.log10((spectrum.sum() - inside) / inside) < -45


def test_speed_is_bounded():
    stretcher = Stretcher()
    stretcher.set_speed(2.0)
    assert stretcher.speed == 1 + LIMIT


def test_a_change_of_speed_does_not_click():
    stretcher, pcm, out, at = Stretcher(), sine(200, 3), [], 0
    for block in range(100):
        if block % 10 == 5:
            stretcher.set_speed(1.0 + 0.001 * (block % 20 - 10))
        if block == 80:
            stretcher.settle()
        missing = stretcher.missing(160)
        stretcher.feed(pcm[at : at + missing])
        at += missing
        out.append(stretcher.take(160))
    steepest = np.abs(np.diff(pcm.astype(int))).max()
    assert np.abs(np.diff(np.concatenate(out).astype(int))).max() <= 1.6 * steepest
    assert not stretcher.stretching or stretcher.speed != 1.0
