"""The dubbed recording: the translation whole, the original low beneath it."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from vivavoce.pipelines.interpret.dub import Dub, header
from vivavoce.pipelines.interpret.outlet import BENEATH, DUCKED

RATE = 24_000


def tone(hertz: float, seconds: float, level: float) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def part(sound: np.ndarray, hertz: float) -> float:
    """The level of one frequency in a sound."""
    turn = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / RATE)
    return float(2 * np.abs(np.mean(sound * turn)))


def made(block: int) -> np.ndarray:
    """Four seconds of a speaker; the translation sounds in the second half."""
    pairs = np.zeros((4 * RATE, 2))
    pairs[:, 0] = tone(300, 4, 8_000)
    pairs[2 * RATE :, 1] = tone(1_000, 2, 10_000)
    pairs = pairs.astype(np.int16)
    dub = Dub(RATE)
    parts = [dub.feed(pairs[at : at + block]) for at in range(0, len(pairs), block)]
    return np.concatenate([*parts, dub.flush()])


def test_the_original_is_low_beneath_the_translation():
    out = made(RATE)
    assert len(out) == 4 * RATE
    before, during = out[RATE // 2 : RATE], out[3 * RATE : 3 * RATE + RATE // 2]
    assert part(before, 300) == pytest.approx(8_000 * BENEATH, rel=0.02)
    assert part(during, 300) == pytest.approx(8_000 * DUCKED, rel=0.02)
    assert part(during, 1_000) == pytest.approx(10_000, rel=0.02)
    # It goes down in steps that nobody hears.
    assert np.abs(np.diff(out.astype(int))).max() < 3_500


@pytest.mark.parametrize("block", [1, 777, 48_000])
def test_how_it_is_cut_up_changes_nothing(block):
    if block == 1:
        pairs = np.arange(2_000, dtype=np.int16).reshape(-1, 2)
        dub, whole = Dub(RATE), Dub(RATE)
        parts = [dub.feed(pairs[at : at + 1]) for at in range(len(pairs))]
        one = np.concatenate([*parts, dub.flush()])
        assert np.array_equal(one, np.concatenate([whole.feed(pairs), whole.flush()]))
        return
    assert np.array_equal(made(block), made(RATE))


def test_too_loud_is_clipped_and_nothing_is_nothing():
    loud = np.full((RATE, 2), 32_767, np.int16)
    assert Dub(RATE).feed(loud).max() == 32_767
    dub = Dub(RATE)
    assert not len(dub.feed(loud[:0]))
    assert not len(dub.flush())


def test_the_header_is_a_wav_files():
    with wave.open(io.BytesIO(header(RATE, 3) + b"\0" * 6)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, RATE, 3)
