from __future__ import annotations

import numpy as np
import pytest
import soxr

from tests.speech import speak
from vivavoce.sandbox.diarize import Speakers, pitch
from vivavoce.sandbox.pcm import tone

LINES = ("Where is the station?", "Thank you very much.", "My brother has a new house.")


def voice(text, higher=1.0):
    samples = speak(text, 16_000) / np.float32(32768)
    return samples if higher == 1.0 else soxr.resample(samples, 16_000 * higher, 16_000)


@pytest.mark.parametrize("hertz", [80, 110, 150, 220, 350])
def test_the_pitch_of_a_hum_is_its_own(hertz):
    hum = sum(tone(1.0, 16_000, hertz * n) / n for n in range(1, 8)).astype(np.float32)
    assert pitch(hum) == pytest.approx(hertz, rel=0.03)


def test_what_has_no_pitch():
    assert pitch(np.zeros(16_000, np.float32)) is None
    assert pitch(np.zeros(10, np.float32)) is None


def test_voices_of_different_height_are_told_apart():
    speakers = Speakers()
    found = [speakers.label(voice(LINES[n % 3], 1.0 if n % 2 else 1.3)) for n in range(6)]
    assert found == ["speaker_1", "speaker_2"] * 3


def test_labels_follow_the_order_in_which_voices_come():
    high, low = voice(LINES[0], 1.3), voice(LINES[1])
    assert Speakers().label(high) == Speakers().label(low) == "speaker_1"


def test_who_sounds_like_a_sample_has_its_name():
    speakers = Speakers({"Ann": voice(LINES[0], 1.3)})
    assert speakers.label(voice(LINES[1], 1.3)) == "Ann"
    assert speakers.label(voice(LINES[2])) == "speaker_1"
    assert speakers.label(np.zeros(16_000, np.float32)) == "speaker_1"
