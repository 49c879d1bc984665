import numpy as np
import pytest

from vivavoce.pipelines.audio.level import levels


def test_a_full_scale_square_is_0_dbfs():
    square = np.tile(np.array([32767, -32768], np.int16), 64)
    assert levels(square, 128) == [pytest.approx(0, abs=0.01)]


def test_each_stretch_has_its_own_level_and_so_has_the_rest():
    tone = np.concatenate(
        [np.full(128, 3277, np.int16), np.zeros(128, np.int16), np.full(5, 328, np.int16)]
    )
    first, second, rest = levels(tone, 128)
    assert first == pytest.approx(-20, abs=0.05)
    assert second <= -90
    assert rest == pytest.approx(-40, abs=0.1)


def test_nothing_has_no_level():
    assert levels(np.zeros(0, np.int16), 128) == []
