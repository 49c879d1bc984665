"""Comfort noise: level, colour and joints (RFC 3389)."""

import numpy as np
import pytest

from vivavoce.phone.media.noise import ComfortNoise


def level(pcm):
    return 20 * np.log10(np.sqrt(np.mean(pcm.astype(float) ** 2)) / 32768)


@pytest.mark.parametrize("dbov", [30, 40, 60])
def test_the_level_is_the_descriptors(dbov):
    noise = ComfortNoise(8000)
    noise.update(bytes([dbov]))
    assert level(noise.take(4000)) == pytest.approx(-dbov, abs=1)


def test_nobody_shouts():
    noise = ComfortNoise(8000)
    noise.update(b"\x00")
    assert level(noise.take(4000)) < -29


def test_before_a_descriptor_and_after_a_reset_it_is_silent():
    noise = ComfortNoise(8000)
    assert not noise.take(160).any()
    noise.update(b"\x28")
    assert noise.take(160).any()
    noise.reset()
    assert not noise.take(160).any()
    assert not noise.known


def test_reflections_colour_it():
    # One coefficient of -0.9: 1 / (1 - 0.9/z), low frequencies; of +0.9: high ones.
    def bass(quantised):
        noise = ComfortNoise(8000)
        noise.update(bytes([40, quantised]))
        power = np.abs(np.fft.rfft(noise.take(4096))) ** 2
        return 10 * np.log10(power[:512].sum() / power[-512:].sum())

    assert bass(round(127 - 0.9 * 127)) > 15
    assert bass(round(127 + 0.9 * 127)) < -15
    assert abs(bass(127)) < 2


def test_any_length_and_any_descriptor():
    noise = ComfortNoise(8000)
    chance = np.random.default_rng(1)
    for size in range(40):
        noise.update(chance.bytes(size))
        for count in (1, 77, 160, 5000):
            assert noise.take(count).shape == (count,)
            assert noise.take(count).dtype == np.int16
