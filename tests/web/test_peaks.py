import tracemalloc
import wave

import numpy as np
import pytest

from vivavoce.pipelines.audio.riff import AudioFileError
from vivavoce.pipelines.audio.wav import WavWriter
from vivavoce.web import peaks as module
from vivavoce.web.peaks import read_peaks


def write(path, samples, rate=24_000):
    with WavWriter(path, rate, samples.shape[1]) as wav:
        wav.write(samples)
    return path


@pytest.mark.parametrize("block", [1, 100, 65_536])
@pytest.mark.parametrize("frames", [1, 7, 1000, 4321])
def test_every_column_spans_its_samples(tmp_path, monkeypatch, frames, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    samples = np.random.default_rng(1).integers(-32768, 32767, (frames, 2)).astype(np.int16)
    found = read_peaks(write(tmp_path / "a.wav", samples), columns=50)
    columns = min(50, frames)
    assert found.seconds == frames / 24_000
    for channel, side in enumerate(found.sides):
        assert side.shape == (columns, 2)
        for column in range(columns):
            part = samples[frames * column // columns : frames * (column + 1) // columns, channel]
            assert side[column, 0] == part.min() / 32768
            assert side[column, 1] == part.max() / 32768


def test_the_sides_stay_apart(tmp_path):
    samples = np.zeros((2400, 2), np.int16)
    samples[:, 1] = 16384
    caller, agent = read_peaks(write(tmp_path / "a.wav", samples)).sides
    assert not caller.any()
    assert (agent == 0.5).all()


def test_a_mono_recording_has_one_side(tmp_path):
    found = read_peaks(write(tmp_path / "a.wav", np.ones((10, 1), np.int16)))
    assert len(found.sides) == 1


def test_a_recording_without_samples(tmp_path):
    with pytest.raises(AudioFileError, match="holds no audio"):
        read_peaks(write(tmp_path / "a.wav", np.zeros((0, 2), np.int16)))


def test_memory_does_not_grow_with_the_recording(tmp_path):
    path = tmp_path / "long.wav"
    with WavWriter(path, 24_000, 2) as wav:
        for _ in range(60):
            wav.write(np.full((24_000, 2), 1000, np.int16))
    tracemalloc.start()
    try:
        read_peaks(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 5_700_000
    assert peak < 2_000_000


def test_a_file_that_lost_its_end_is_silent_there(tmp_path):
    # The header is read first; reading past the end then gives less.
    found = np.zeros((2, 4, 2), np.float32)
    data = np.full((5, 2), 16384, "<i2").tobytes()
    module._measure(lambda _: data, found, [0, 3, 6, 9, 12], 0, 4)
    assert found[0, :, 1].tolist() == [0.5, 0.5, 0, 0]


def test_what_cannot_be_drawn_says_why(tmp_path):
    with pytest.raises(AudioFileError, match="does not exist"):
        read_peaks(tmp_path / "none.wav")
    with pytest.raises(AudioFileError, match="not a file"):
        read_peaks(tmp_path)
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(AudioFileError):
        read_peaks(tmp_path / "text.wav")
    with wave.open(str(tmp_path / "eight.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(1)
        wav.setframerate(8000)
        wav.writeframes(bytes(80))
    with pytest.raises(AudioFileError, match="8-bit pcm in 1 channel;"):
        read_peaks(tmp_path / "eight.wav")
