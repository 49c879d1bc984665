from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from vivavoce.pipelines.models.sample import RATE, SampleError, read_sample

BURST = np.hanning(RATE // 4)


def speech(seconds: float, level: float = 0.3) -> np.ndarray:
    """Bursts of noise with pauses between, about as loud as speech."""
    dice = np.random.default_rng(5)
    audio = np.zeros(round(seconds * RATE))
    for start in range(0, len(audio) - len(BURST), RATE // 3):
        audio[start : start + len(BURST)] += BURST * dice.normal(0, level, len(BURST))
    return np.clip(audio, -1, 1)


def write(path: Path, audio: np.ndarray, codec: str = "pcm_s16le", rate: int = RATE) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(
            (audio * 32767).astype(np.int16).reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        resampler = av.AudioResampler(stream.format, stream.layout, rate, stream.frame_size or None)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.wav", "pcm_s16le", RATE), ("a.mp3", "libmp3lame", 44_100), ("a.flac", "flac", 48_000)],
)
def test_any_format_becomes_a_wav_file(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    found = read_sample(write(tmp_path / name, speech(4), codec, rate))
    assert found.seconds == pytest.approx(4, abs=0.1)
    assert -30 < found.level < -5
    with wave.open(io.BytesIO(base64.b64decode(found.base64))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert file.getnframes() / RATE == pytest.approx(found.seconds)


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (speech(1), "lasts 1.0 s: a sample of a voice must last 3 to 25 s"),
        (speech(26), "lasts 26.0 s: a sample of a voice must last 3 to 25 s"),
        (speech(100), "lasts minutes: a sample of a voice must last 3 to 25 s"),
        (speech(5) * 0.005, "too quiet"),
        (np.zeros(5 * RATE), "too quiet"),
        (np.clip(speech(5) * 20, -1, 1), "clipped"),
        (np.concatenate((speech(1.5), np.zeros(6 * RATE))), "s of speech in it: at least 2 s"),
    ],
    ids=["short", "long", "minutes", "quiet", "silent", "clipped", "mostly silence"],
)
def test_what_is_no_sample_is_told_in_one_line(tmp_path: Path, audio, says: str) -> None:
    with pytest.raises(SampleError, match=says) as caught:
        read_sample(write(tmp_path / "a.wav", audio))
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="cannot read the sample"):
        read_sample(tmp_path / "nothing.wav")
    (tmp_path / "text.wav").write_text("This is no recording.")
    with pytest.raises(SampleError, match="no recording that can be read"):
        read_sample(tmp_path / "text.wav")


def test_another_limit_and_a_file_that_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", speech(4))
    with pytest.raises(SampleError, match="must last 5 to 30 s"):
        read_sample(path, (5.0, 30.0))
    assert read_sample(path) is read_sample(path)
    write(path, speech(6))
    assert read_sample(path).seconds == pytest.approx(6, abs=0.1)
