from __future__ import annotations

import wave
from io import BytesIO

import numpy as np
import pytest

from vivavoce.sandbox import pcm


def sine(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    t = np.arange(int(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


@pytest.mark.parametrize(
    ("encoding", "dtype", "scale", "error"),
    [
        ("pcm_s16le", "<i2", 32767, 1e-4),
        ("pcm_s32le", "<i4", 2147483647, 1e-6),
        ("pcm_f32le", "<f4", 1, 0),
        ("pcm_f16le", "<f2", 1, 1e-3),
    ],
)
def test_linear_encodings_come_back(encoding, dtype, scale, error):
    samples = sine(16_000)
    data = (samples.astype(np.float64) * scale).astype(dtype).tobytes()
    assert np.abs(pcm.decode(data, encoding) - samples).max() <= error


# From ITU-T G.711: silence, the loudest codes and their neighbours, at 16 bits.
@pytest.mark.parametrize(
    ("encoding", "code", "value"),
    [
        ("pcm_mulaw", 0xFF, 0),
        ("pcm_mulaw", 0x7F, 0),
        ("pcm_mulaw", 0x80, 32124),
        ("pcm_mulaw", 0x00, -32124),
        ("pcm_mulaw", 0xF0, 120),
        ("pcm_alaw", 0xD5, 8),
        ("pcm_alaw", 0x55, -8),
        ("pcm_alaw", 0xAA, 32256),
        ("pcm_alaw", 0x2A, -32256),
    ],
)
def test_g711_codes(encoding, code, value):
    assert pcm.decode(bytes([code]), encoding)[0] * 32768 == value


@pytest.mark.parametrize("data", [b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\x00\x00\x80\xff"])
def test_floats_that_are_no_numbers_do_not_get_in(data):
    assert np.isfinite(pcm.decode(data, "pcm_f32le")).all()
    assert np.abs(pcm.decode(data, "pcm_f32le")).max() <= 1


def test_unknown_encoding_and_cut_sample_are_errors():
    with pytest.raises(pcm.AudioError, match="pcm_s16le"):
        pcm.decode(b"", "mp3")
    with pytest.raises(pcm.AudioError, match="no whole number"):
        pcm.decode(b"abc", "pcm_s16le")


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 96_000])
def test_intake_keeps_length_and_pitch_at_any_rate_and_chunking(rate):
    data = pcm.encode_s16(sine(rate, 2.0))
    intake = pcm.Intake("pcm_s16le", rate)
    # 333 bytes cut samples in two: the halves must find each other.
    heard = np.concatenate([intake.push(data[i : i + 333]) for i in range(0, len(data), 333)])
    assert 2.0 - len(heard) / 16_000 < 0.15
    middle = heard[8_000:16_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=2)


@pytest.mark.parametrize("rate", [0, 7_999, 96_001])
def test_intake_refuses_other_rates(rate):
    with pytest.raises(pcm.AudioError, match="8000-96000"):
        pcm.Intake("pcm_s16le", rate)


def test_wav_is_what_others_read_and_comes_back():
    samples = sine(24_000)
    data = pcm.wav(samples, 24_000)
    with wave.open(BytesIO(data)) as other:
        assert (other.getframerate(), other.getnchannels(), other.getsampwidth()) == (24_000, 1, 2)
        assert other.getnframes() == len(samples)
    back, rate = pcm.read_wav(data)
    assert rate == 24_000
    assert np.abs(back - samples).max() < 1e-4


def test_stereo_is_averaged_and_extra_chunks_are_passed_over():
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(np.array([[8000, 16000]] * 100, "<i2").tobytes())
    data = out.getvalue()
    data = data[:12] + b"LIST\x03\x00\x00\x00abc\x00" + data[12:]
    samples, rate = pcm.read_wav(data)
    assert rate == 8_000
    assert samples == pytest.approx(np.full(100, 12000 / 32768))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no WAV"),
        (b"RIFF\0\0\0\0WAVE", "no data"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "before"),
    ],
)
def test_what_is_no_wav_file_is_an_error(data, why):
    with pytest.raises(pcm.AudioError, match=why):
        pcm.read_wav(data)


def test_streamed_wav_header_does_not_promise_a_length():
    header = pcm.wav_header(24_000, None)
    samples, rate = pcm.read_wav(header + b"\0\0" * 10)
    assert (len(samples), rate) == (10, 24_000)


def test_level_is_of_what_sounds():
    half_silent = np.concatenate((pcm.tone(1.0), np.zeros(24_000, np.float32)))
    assert pcm.level(half_silent) == pytest.approx(-20, abs=0.2)
    assert pcm.level(np.zeros(24_000, np.float32)) == -120


def test_limiter_never_reaches_full_scale_and_leaves_the_rest():
    samples = np.linspace(-8, 8, 1001, dtype=np.float32)
    limited = pcm.limit(samples)
    assert np.abs(limited).max() < 1
    assert (np.diff(limited) >= 0).all()
    quiet = np.abs(samples) < 0.7
    assert (limited[quiet] == samples[quiet]).all()
