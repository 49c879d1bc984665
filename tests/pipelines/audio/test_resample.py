"""The resampler: what it passes, what it stops, when it speaks, and that it counts right."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.pipelines.audio.resample import Resampler, resample

RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
PAIRS = list(itertools.permutations(RATES, 2))


def tone(frequency, rate, seconds=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def whole(audio, source, target):
    resampler = Resampler(source, target)
    return np.concatenate((resampler.feed_float(audio), resampler.flush_float()))


def level(audio):
    """Of the middle, against a full-scale sine (dB)."""
    edge = audio.size // 8
    return 10 * np.log10(2 * np.mean(audio[edge:-edge].astype(float) ** 2) + 1e-15)


def edges(source, target):
    low = min(source, target)
    return (0.42 * low, 0.54 * low) if low < 16_000 else (0.44 * low, 0.52 * low)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_tone_comes_out_clean_and_in_its_place(source, target):
    passband, _ = edges(source, target)
    for frequency in (300.0, 1000.0, passband):
        out = whole(tone(frequency, source), source, target)
        wanted = tone(frequency, target)
        assert out.size == wanted.size
        # The difference to the ideal holds everything: level, time, aliases, images, noise.
        assert level(out - wanted) < -48, frequency
        assert level(out) == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_what_would_alias_is_stopped(source, target):
    _, stopband = edges(source, target)
    for frequency in np.linspace(stopband, source / 2 - 100, 9):
        assert level(whole(tone(frequency, source), source, target)) < -60, frequency


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[0] < pair[1]])
def test_images_are_stopped(source, target):
    passband, _ = edges(source, target)
    for frequency in (500.0, passband):
        out = whole(tone(frequency, source), source, target)
        spectrum = np.abs(np.fft.rfft(out * np.blackman(out.size)))
        heard = np.fft.rfftfreq(out.size, 1 / target)
        outside = spectrum[np.abs(heard - frequency) > 60].max() / spectrum.max()
        assert 20 * np.log10(outside) < -60


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PAIRS),
    st.lists(st.integers(0, 3_000), max_size=12),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_blocks_make_no_difference_to_the_last_bit(pair, sizes, aligned, seed):
    source, target = pair
    audio = np.random.default_rng(seed).standard_normal(sum(sizes)).astype(np.float32)
    one = Resampler(source, target, aligned=aligned)
    many = Resampler(source, target, aligned=aligned)
    expected = np.concatenate((one.feed_float(audio), one.flush_float()))
    parts = [many.feed_float(part) for part in np.split(audio, np.cumsum(sizes))]
    assert np.array_equal(np.concatenate((*parts, many.flush_float())), expected)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PAIRS), st.integers(0, 5_000))
def test_every_sample_is_accounted_for(pair, count):
    source, target = pair
    audio = np.zeros(count, np.int16)
    exact = (2 * count * target + source) // (2 * source)  # round(n * target / source)
    assert resample(audio, source, target).size == exact

    live = Resampler(source, target, aligned=False)
    assert live.feed(audio).size == -(-count * target // source)
    late = round(live.delay * target)
    flushed = live.flush().size
    assert flushed == exact + late - (-(-count * target // source))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_live_blocks_of_20_ms_give_blocks_of_20_ms(source, target):
    live = Resampler(source, target, aligned=False)
    assert {live.feed(np.zeros(source // 50, np.int16)).size for _ in range(12)} == {target // 50}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_delay_is_short_and_as_stated(source, target):
    live = Resampler(source, target, aligned=False)
    assert 0 < live.delay <= 0.002
    # A long rounded pulse: its centre comes out later by the delay, to a part of a sample.
    time = np.arange(source // 10) / source
    pulse = np.exp(-0.5 * ((time - 0.03) / 0.002) ** 2).astype(np.float32)
    out = live.feed_float(pulse)
    centre = (out * np.arange(out.size)).sum() / out.sum() / target
    assert centre - 0.03 == pytest.approx(live.delay, abs=2e-6)

    aligned = Resampler(source, target)
    made = aligned.feed_float(pulse).size
    assert time.size / source - made / target <= aligned.delay + 1 / target


def test_a_constant_stays_constant():
    for source, target in PAIRS:
        out = whole(np.full(source // 10, 0.5, np.float32), source, target)
        middle = out[out.size // 4 : -out.size // 4]
        assert np.abs(middle - 0.5).max() < 1e-6, (source, target)


def test_equal_rates_pass_through_untouched():
    same = Resampler(16_000, 16_000)
    block = np.arange(-50, 50).astype(np.int16)
    out = same.feed(block)
    assert np.array_equal(out, block)
    assert not np.shares_memory(out, block)
    assert same.delay == 0.0
    assert same.flush().size == 0


def test_int16_is_clipped_at_the_top_and_keeps_its_type():
    square = np.tile(np.repeat(np.array([32767, -32768], np.int16), 40), 50)
    out = resample(square, 16_000, 24_000)
    assert out.dtype == np.int16
    # Filtering a square wave overshoots; wrapped samples would jump to the other sign.
    assert np.array_equal(np.sign(out[30:90].astype(int)), np.sign(out[150:210].astype(int)))
    assert out.max() == 32767


def test_after_flush_and_reset_a_stream_begins_anew():
    audio = tone(440.0, 24_000, 0.05)
    resampler = Resampler(24_000, 16_000)
    first = np.concatenate((resampler.feed_float(audio), resampler.flush_float()))
    again = np.concatenate((resampler.feed_float(audio), resampler.flush_float()))
    resampler.feed_float(audio[:100])
    resampler.reset()
    third = np.concatenate((resampler.feed_float(audio), resampler.flush_float()))
    assert np.array_equal(first, again)
    assert np.array_equal(first, third)


def test_a_long_stream_in_long_blocks_stays_exact():
    resampler = Resampler(44_100, 48_000)
    block = np.zeros(44_100 * 10, np.float32)
    made = sum(resampler.feed_float(block).size for _ in range(6))
    assert made + resampler.flush_float().size == 60 * 48_000


@pytest.mark.parametrize("rate", [0, -8_000, 3_999, 200_000])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(ValueError, match="rates lie between 4000 and 192000 Hz"):
        Resampler(rate, 16_000)
    with pytest.raises(ValueError, match="rates lie between"):
        Resampler(16_000, rate)
