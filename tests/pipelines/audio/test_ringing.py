from __future__ import annotations

import numpy as np
import pytest

from vivavoce.pipelines.audio.ringing import FREQUENCY, OFF, ON, ringing


@pytest.mark.parametrize("rate", [8_000, 24_000])
def test_a_second_of_tone_and_four_of_silence(rate):
    period = ringing(rate)
    assert len(period) == round(rate * (ON + OFF))
    tone, silence = period[: round(rate * ON)], period[round(rate * ON) :]
    assert not silence.any()
    peak = np.abs(np.fft.rfft(tone)).argmax() * rate / len(tone)
    assert peak == pytest.approx(FREQUENCY, abs=1)
    assert abs(int(tone[0])) + abs(int(tone[-1])) < 20  # no click
    assert 1_000 < np.abs(tone).max() < 2_000
