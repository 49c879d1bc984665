"""Conversions between sample formats, and levels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.audio.convert import (
    SILENCE_DBFS,
    FloatStream,
    Int16Stream,
    decode_alaw,
    decode_mulaw,
    encode_alaw,
    encode_mulaw,
    peak_dbfs,
    rms_dbfs,
    to_float32,
    to_int16,
)

EVERY = np.arange(-32768, 32768).astype(np.int16)
CODES = bytes(range(256))


def sine(level_dbfs, rate=16_000, seconds=1.0, frequency=440.0):
    time = np.arange(int(rate * seconds)) / rate
    return (10 ** (level_dbfs / 20) * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def test_int16_survives_the_way_through_float():
    back = to_int16(to_float32(EVERY))
    assert back.dtype == np.int16
    assert np.array_equal(back, EVERY)


def test_int16_as_float_has_full_scale_at_one():
    audio = to_float32(np.array([-32768, 0, 16384], np.int16))
    assert audio.dtype == np.float32
    assert audio.tolist() == [-1.0, 0.0, 0.5]


def test_loud_floats_are_clipped_and_never_wrap():
    audio = np.array([1.0, 1.5, 3e38, np.inf, -1.0, -1.5, -3e38, -np.inf], np.float32)
    assert to_int16(audio).tolist() == [32767] * 4 + [-32768] * 4


def test_floats_are_rounded_to_the_nearest_step():
    steps = np.array([0.4, 0.6, -0.4, -0.6, 1.4, -1.6], np.float32) / 32768
    assert to_int16(steps).tolist() == [0, 1, 0, -1, 1, -2]


def test_what_is_no_number_becomes_silence_and_nothing_else_does():
    audio = np.array([0.25, np.nan, -0.25], np.float32)
    assert to_int16(audio).tolist() == [8192, 0, -8192]
    assert np.isnan(audio[1])  # the caller's array is left alone


def test_shape_is_kept_and_nothing_is_fine():
    assert to_int16(np.zeros((3, 2), np.float32)).shape == (3, 2)
    assert to_int16(np.zeros(0, np.float32)).size == 0


@pytest.mark.parametrize("level", [0.0, -6.0, -40.0])
def test_rms_of_a_sine_is_three_db_below_its_peak(level):
    tone = sine(level)
    assert rms_dbfs(tone) == pytest.approx(level - 3.01, abs=0.02)
    assert peak_dbfs(tone) == pytest.approx(level, abs=0.02)
    assert rms_dbfs(to_int16(tone)) == pytest.approx(level - 3.01, abs=0.05)


def test_levels_of_silence_and_of_nothing():
    for nothing in (np.zeros(160, np.int16), np.zeros(0, np.float32), np.zeros(0, np.int16)):
        assert rms_dbfs(nothing) == SILENCE_DBFS
        assert peak_dbfs(nothing) == SILENCE_DBFS


def test_the_lowest_int16_is_full_scale():
    assert peak_dbfs(np.array([-32768], np.int16)) == 0.0
    assert rms_dbfs(np.full(10, -32768, np.int16)) == 0.0


# ITU-T G.711, tables 1a to 2b: codes on the line and their values scaled to 16 bits.
@pytest.mark.parametrize(
    ("decode", "code", "value"),
    [
        (decode_mulaw, 0xFF, 0),
        (decode_mulaw, 0x7F, 0),
        (decode_mulaw, 0x80, 32124),
        (decode_mulaw, 0x00, -32124),
        (decode_mulaw, 0xFE, 8),
        (decode_mulaw, 0x8F, 16764),
        (decode_alaw, 0xD5, 8),
        (decode_alaw, 0x55, -8),
        (decode_alaw, 0xAA, 32256),
        (decode_alaw, 0x2A, -32256),
        (decode_alaw, 0xC5, 264),
    ],
)
def test_telephone_codes_have_the_values_of_the_standard(decode, code, value):
    assert decode(bytes([code])).tolist() == [value]


def test_every_telephone_code_survives_a_round_trip():
    # μ-law has two zeros; negative zero becomes the positive one.
    assert encode_mulaw(decode_mulaw(CODES)) == CODES.replace(b"\x7f", b"\xff")
    assert encode_alaw(decode_alaw(CODES)) == CODES


@pytest.mark.parametrize(
    ("encode", "decode", "top"),
    [(encode_mulaw, decode_mulaw, 32635), (encode_alaw, decode_alaw, 32767)],
)
def test_telephone_error_is_half_a_step_everywhere(encode, decode, top):
    exact = EVERY.astype(int)
    error = np.abs(decode(encode(EVERY)).astype(int) - exact)
    # A step is 1/16 of its segment: at most 1/32 of the value, or the finest half-step.
    allowed = np.maximum((np.abs(exact) + 132) / 32 + 1, 8)
    assert (error[np.abs(exact) <= top] <= allowed[np.abs(exact) <= top]).all()
    assert np.abs(decode(encode(np.array([32767, -32768], np.int16)))).min() > 32000


def test_telephone_encoders_take_strided_views():
    stereo = np.stack([EVERY, -EVERY], axis=1)
    assert encode_mulaw(stereo[:, 0]) == encode_mulaw(EVERY)


@given(st.lists(st.integers(0, 13), max_size=40))
def test_streams_do_not_mind_where_chunks_are_cut(cuts):
    floats = np.linspace(-1, 0.99, 60, dtype=np.float32)
    shorts = to_int16(floats)
    for stream, data, whole in (
        (FloatStream(), floats.tobytes(), floats),
        (Int16Stream(), shorts.tobytes(), shorts),
    ):
        parts, at = [], 0
        for size in [*cuts, len(data)]:
            parts.append(stream.feed(data[at : at + size]))
            at += size
        joined = np.concatenate(parts)
        assert joined.dtype == whole.dtype
        assert np.array_equal(joined, whole)
        assert stream.pending == 0


def test_streams_hold_an_incomplete_sample_until_it_is_complete_or_forgotten():
    stream = FloatStream()
    data = np.array([0.5, -0.5], np.float32).tobytes()
    assert stream.feed_int16(data[:5]).tolist() == [16384]
    assert stream.pending == 1
    assert stream.feed_int16(memoryview(data)[5:]).tolist() == [-16384]
    stream.feed(b"\x01\x02")
    stream.reset()
    assert stream.feed(data).tolist() == [0.5, -0.5]


def test_short_stream_as_floats():
    stream = Int16Stream()
    assert stream.feed_float32(b"\x00").size == 0
    assert stream.feed_float32(bytearray(b"\x40")).tolist() == [0.5]


def test_garbage_floats_are_made_into_samples_without_a_warning():
    garbage = np.random.default_rng(3).integers(0, 256, 4096, np.uint8).tobytes()
    samples = FloatStream().feed_int16(garbage)
    assert samples.size == 1024
    assert math.isfinite(rms_dbfs(samples))
