"""Concealment: what it makes up, and by how much that beats silence on speech."""

import numpy as np
import pytest

from tests.speech import speak
from vivavoce.phone.media.conceal import FADE_END, Concealer


def tone(rate, seconds, frequency=150.0, amplitude=8000):
    return (
        amplitude * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)
    ).astype(np.int16)


def level(pcm):
    return float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
@pytest.mark.parametrize("frequency", [80.0, 123.0, 190.0])
def test_a_voice_goes_on(rate, frequency):
    whole = tone(rate, 0.2, frequency)
    concealer = Concealer(rate)
    begin = int(0.1 * rate)
    concealer.good(whole[:begin])
    made = concealer.lost(rate // 100)
    truth = whole[begin : begin + rate // 100]
    assert level(made.astype(int) - truth) < 0.25 * level(truth)


def test_it_fades_and_is_silent_after_sixty_milliseconds():
    concealer = Concealer(8000)
    concealer.good(tone(8000, 0.2))
    made = np.concatenate([concealer.lost(80) for _ in range(20)])
    levels = [level(made[at : at + 160]) for at in range(0, 640, 160)]
    assert levels[0] > levels[1] > levels[2] > levels[3]
    assert not made[int(FADE_END * 8000) :].any()
    assert (concealer.concealed, concealer.gaps) == (1600, 1)


def test_nothing_clicks_at_either_joint():
    whole = tone(8000, 0.4)
    concealer = Concealer(8000)
    steepest = np.abs(np.diff(whole.astype(int))).max()
    for hole in (80, 160, 320):
        parts = [concealer.good(whole[:1600]), concealer.lost(hole)]
        parts.append(concealer.good(whole[1600 + hole : 2400 + hole]))
        joined = np.concatenate(parts).astype(int)
        assert np.abs(np.diff(joined[1500:])).max() < 2.5 * steepest


def test_silence_stays_silent():
    concealer = Concealer(8000)
    assert not concealer.lost(160).any()
    concealer.good(np.zeros(800, np.int16))
    assert not concealer.lost(160).any()


def test_good_sound_passes_untouched():
    concealer = Concealer(8000)
    pcm = tone(8000, 0.1)
    assert np.array_equal(concealer.good(pcm), pcm)
    concealer.lost(80)
    assert np.array_equal(concealer.good(pcm)[80:], pcm[80:])
    assert np.array_equal(concealer.good(pcm), pcm)
    assert not len(concealer.good(pcm[:0]))


def test_full_scale_never_wraps():
    square = np.where(np.arange(4000) % 80 < 40, 32767, -32768).astype(np.int16)
    concealer = Concealer(8000)
    concealer.good(square)
    made = np.concatenate((concealer.lost(160), concealer.good(square[:160])))
    assert np.abs(np.diff(made.astype(int))).max() <= 65535
    assert level(made) > 10_000


def test_a_reset_forgets_the_voice():
    concealer = Concealer(8000)
    concealer.good(tone(8000, 0.1))
    concealer.reset()
    assert not concealer.lost(160).any()


def spectra(pcm, size=160):
    blocks = pcm[: len(pcm) // size * size].reshape(-1, size).astype(np.float64)
    power = np.abs(np.fft.rfft(blocks * np.hanning(size), axis=1)) ** 2
    return 10 * np.log10(power + 1e4)


def test_speech_with_losses_is_nearer_to_the_truth_than_silence(capsys):
    """Log-spectral distance and signal-to-noise ratio over the blocks that were lost."""
    speech = speak("The booking is for four people on Saturday evening at eight.", rate=8000)
    speech = speech[: len(speech) // 160 * 160]
    blocks = speech.reshape(-1, 160)
    chance = np.random.default_rng(4)
    lines = []
    for share in (0.05, 0.10, 0.20):
        lost = chance.random(len(blocks)) < share
        concealer = Concealer(8000)
        made = np.concatenate(
            [
                concealer.lost(160) if gone else concealer.good(block)
                for block, gone in zip(blocks, lost, strict=True)
            ]
        )
        silent = np.where(lost[:, None], 0, blocks).reshape(-1)
        voiced = lost & (np.sqrt((blocks.astype(float) ** 2).mean(axis=1)) > 300)
        truth = spectra(speech)
        ours = np.sqrt(((spectra(made) - truth)[voiced] ** 2).mean())
        theirs = np.sqrt(((spectra(silent) - truth)[voiced] ** 2).mean())
        lines.append(f"loss {share:.0%}: distance {ours:.1f} dB, silence {theirs:.1f} dB")
        assert ours < 0.6 * theirs
    with capsys.disabled():
        print("\nconcealment, " + "; ".join(lines))
