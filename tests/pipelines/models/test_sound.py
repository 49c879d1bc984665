from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.pipelines.models.sound import Sound

WAVE = (np.sin(np.arange(4_000) / 7) * 9_000).astype("<i2")
FLOATS = (WAVE / 32768).astype("<f4").tobytes()
SHORTS = WAVE.tobytes()


def header(tag: int = 1, channels: int = 1, rate: int = 24_000, bits: int = 16, lists: bytes = b""):
    size = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate, rate * size, size, bits)
    return b"RIFF\xff\xff\xff\xffWAVE" + form + lists + struct.pack("<4sI", b"data", 0xFFFFFFFF)


def fed(sound: Sound, data: bytes, sizes: list[int]) -> np.ndarray:
    found, place = [], 0
    for size in [*sizes, len(data)]:
        found.append(sound.feed(data[place : place + size]))
        place += size
    return np.concatenate([*found, sound.finish()])


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(1, 900), max_size=30), case=st.integers(0, 5))
def test_any_chunking_gives_the_same_samples(sizes: list[int], case: int) -> None:
    encoding, data = [
        ("f32", FLOATS),
        ("s16", SHORTS),
        ("unknown", FLOATS),
        ("unknown", SHORTS),
        ("f32", header() + SHORTS),
        ("s16", header(3, bits=32, lists=struct.pack("<4sI", b"LIST", 6) + b"abcdef") + FLOATS),
    ][case]
    assert np.array_equal(fed(Sound(encoding), data, sizes), WAVE)


@pytest.mark.parametrize("silence", [0, 4, 1_000, 40_000])
def test_silence_in_front_does_not_hide_what_it_is(silence: int) -> None:
    for data, width in ((FLOATS, 4), (SHORTS, 2)):
        found = fed(Sound("unknown"), bytes(silence) + data, [500] * 80)
        assert len(found) == silence // width + len(WAVE)
        assert np.array_equal(found[silence // width :], WAVE)


def test_quiet_and_noisy_speech_are_told_apart_too() -> None:
    dice = np.random.default_rng(1)
    for level in (3, 100, 20_000):
        noise = dice.integers(-level, level + 1, 5_000).astype("<i2")
        for data in (noise.tobytes(), (noise / 32768).astype("<f4").tobytes()):
            assert np.array_equal(fed(Sound("unknown"), data, [777] * 5), noise)


def test_what_is_too_short_to_tell_is_given_at_the_end() -> None:
    assert np.array_equal(fed(Sound("unknown"), FLOATS[:80], []), WAVE[:20])
    assert not len(Sound("unknown").finish())


@pytest.mark.parametrize(
    "data",
    [header(channels=2), header(tag=6, bits=8), b"RIFF" + bytes(70_000)],
    ids=["stereo", "a-law", "endless"],
)
def test_a_header_that_cannot_be_played_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="WAV"):
        fed(Sound("f32"), data + SHORTS, [])


def test_the_rate_of_a_header_is_told() -> None:
    sound = Sound("f32")
    sound.feed(header(rate=16_000) + SHORTS)
    assert sound.rate == 16_000
