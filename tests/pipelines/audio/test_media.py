"""Recordings of every format, damaged ones, and those whose clock has holes."""

import io

import av
import numpy as np
import pytest

from tests.speech import speak
from vivavoce.pipelines.audio import media
from vivavoce.pipelines.audio.media import RATE, Decoder, Encoder, probe, read
from vivavoce.pipelines.audio.riff import AudioFileError

LINE = "Please bring the small table to the window."


def write(path, codec, rate, samples, layout="mono", start=0, hole=None):
    """Write a file by PyAV; `hole` is (sample, seconds) of a jump in its timestamps."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        position, late = 0, start
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate, frame_size=stream.frame_size or 960
        )
        channels = 2 if layout == "stereo" else 1
        for begin in range(0, len(samples), 960):
            block = samples[begin : begin + 960]
            sound = np.repeat(block[:, None], channels, axis=1).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), "s16", layout)
            frame.sample_rate = rate
            if hole is None and not start:
                for out in resampler.resample(frame):
                    container.mux(stream.encode(out))
                continue
            if hole is not None and begin >= hole[0]:
                late = start + round(hole[1] * rate)
            frame.pts = position + late
            position += len(block)
            container.mux(stream.encode(frame))
        if hole is None and not start:
            for out in resampler.resample(None):
                container.mux(stream.encode(out))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("a.mp3", "libmp3lame", 44_100, "stereo"),
        ("a.m4a", "aac", 48_000, "stereo"),
        ("a.mp4", "aac", 22_050, "mono"),
        ("a.flac", "flac", 24_000, "mono"),
        ("a.ogg", "libopus", 48_000, "mono"),
        ("a.webm", "libopus", 48_000, "stereo"),
        ("a.mkv", "pcm_s16le", 8_000, "mono"),
        ("a.wav", "pcm_s16le", 8_000, "stereo"),
        ("a.aiff", "pcm_s16be", 44_100, "mono"),
    ],
)
def test_every_format_is_read(tmp_path, name, codec, rate, layout):
    spoken = speak(LINE, rate)
    path = write(tmp_path / name, codec, rate, spoken, layout)
    about = probe(path)
    assert (about.codec, about.rate) == (codec.removeprefix("lib").removesuffix("lame"), rate)
    assert about.channels == (2 if layout == "stereo" else 1)
    assert about.seconds == pytest.approx(len(spoken) / rate, abs=0.15)
    heard, told = read(path).astype(float), speak(LINE, RATE).astype(float)
    assert len(heard) == pytest.approx(len(told), abs=0.15 * RATE)
    # The same sound, later by as much as the codec delays it.
    size = 1 << 17
    alike = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(told, size)))
    assert alike.max() > 0.8 * np.linalg.norm(heard) * np.linalg.norm(told)


def test_what_is_written_as_flac_comes_back_sample_for_sample():
    samples = np.random.default_rng(1).integers(-32768, 32768, 50_001).astype(np.int16)
    file = io.BytesIO()
    with Encoder(file) as encoder:
        encoder.write(samples[:17])
        encoder.write(samples[17:])
    assert np.array_equal(read(file), samples)
    assert np.array_equal(read(file, 20_000, 20_100), samples[20_000:20_100])


@pytest.mark.parametrize("form", ["mp3", "wav"])
def test_other_forms_are_written_whole(form):
    spoken = speak(LINE, RATE)
    assert len(read(io.BytesIO(media.encode(spoken, form)))) == len(spoken)


def test_a_hole_in_the_clock_is_silence(tmp_path):
    spoken = speak(LINE, RATE)
    middle = len(spoken) // 2 // 960 * 960
    path = write(tmp_path / "a.mkv", "pcm_s16le", RATE, spoken, hole=(middle, 3.0))
    heard = read(path)
    assert len(heard) == pytest.approx(len(spoken) + 3 * RATE, abs=RATE // 20)
    assert not heard[middle + RATE // 20 : middle + 3 * RATE - RATE // 20].any()
    assert np.array_equal(heard[:middle], spoken[:middle])


def test_a_late_beginning_is_silence(tmp_path):
    spoken = speak(LINE, RATE)
    path = write(tmp_path / "a.mkv", "pcm_s16le", RATE, spoken, start=2 * RATE)
    assert len(read(path)) == pytest.approx(len(spoken) + 2 * RATE, abs=RATE // 20)


def test_a_file_that_was_cut_short_gives_what_there_is(tmp_path):
    spoken = speak(LINE, 44_100)
    whole = write(tmp_path / "a.mp3", "libmp3lame", 44_100, spoken)
    short = tmp_path / "short.mp3"
    data = whole.read_bytes()
    short.write_bytes(data[: len(data) // 2])
    assert len(read(short)) == pytest.approx(len(speak(LINE, RATE)) / 2, rel=0.2)


def test_damage_in_the_middle_is_left_out_and_counted(tmp_path):
    spoken = np.tile(speak(LINE, RATE), 4)
    path = write(tmp_path / "a.mp3", "libmp3lame", RATE, spoken)
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 3000, 7):
        data[place] ^= 0xA5
    path.write_bytes(data)
    decoder = Decoder(path)
    heard = sum(len(block) for block in decoder.blocks())
    assert decoder.damaged
    assert 0.4 * len(spoken) < heard < 1.1 * len(spoken)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.mp3", None, "no such file"),
        ("a.mp3", b"", "cannot be read as a recording"),
        ("a.txt", b"words " * 100, "there is no audio in it"),
        ("a.pdf", b"%PDF-1.7\n" * 50, "cannot be read as a recording"),
    ],
)
def test_what_is_no_recording_is_told_in_a_line(tmp_path, name, data, why):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(AudioFileError, match=why) as caught:
        probe(path)
    assert "\n" not in str(caught.value)


def test_a_film_without_sound_is_told(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            picture = np.zeros((32, 32, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioFileError, match="no audio in it"):
        probe(path)
