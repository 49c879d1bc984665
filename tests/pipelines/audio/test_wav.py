"""WAV files: reading what exists in the world, and writing what survives a crash."""

import contextlib
import os
import resource
import signal
import struct
import subprocess
import sys
import tracemalloc
import wave

import numpy as np
import pytest
import soxr

from vivavoce.pipelines.audio.convert import encode_alaw, encode_mulaw, to_int16
from vivavoce.pipelines.audio.wav import AudioFileError, WavReader, WavWriter

GUID = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name, body, *, pad=True, size=None):
    head = struct.pack("<4sI", name, len(body) if size is None else size)
    return head + body + (b"\0" if pad and len(body) % 2 else b"")


def fmt(tag=1, channels=1, rate=16_000, bits=16, block=None):
    block = channels * (bits + 7) // 8 if block is None else block
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block % 2**32, block, bits)
    )


def riff(*chunks, name=b"RIFF"):
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", name, len(body)) + body


def tone(rate=16_000, seconds=0.3, level=0.5, frequency=440.0):
    return (level * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(
        np.float32
    )


def pcm(rate=16_000, **more):
    return to_int16(tone(rate, **more))


@pytest.fixture
def put(tmp_path):
    def save(data, name="a.wav"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return save


def read(path, **more):
    with WavReader(path, **more) as reader:
        return reader.read(), reader.warning


def as_24_bit(samples):
    wide = np.round(samples.astype(float) * (2**23 - 1)).astype("<i4")
    return wide.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


SAMPLES = tone()
STORED = {
    "8 bit": (1, 8, (np.round(SAMPLES * 127) + 128).astype(np.uint8).tobytes(), 0.008),
    "16 bit": (1, 16, to_int16(SAMPLES).tobytes(), 0.00004),
    "24 bit": (1, 24, as_24_bit(SAMPLES), 0.00004),
    "32 bit": (1, 32, (SAMPLES * (2**31 - 1.0)).astype("<i4").tobytes(), 0.00004),
    "float": (3, 32, SAMPLES.astype("<f4").tobytes(), 0.00004),
    "double": (3, 64, SAMPLES.astype("<f8").tobytes(), 0.00004),
    "μ-law": (7, 8, encode_mulaw(to_int16(SAMPLES)), 0.02),
    "A-law": (6, 8, encode_alaw(to_int16(SAMPLES)), 0.02),
}


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("kind", STORED)
def test_every_kind_of_sample_is_read(put, kind, extensible):
    tag, bits, data, error = STORED[kind]
    header = fmt(tag, bits=bits)
    if extensible:
        plain = fmt(0xFFFE, bits=bits)[8:]
        header = chunk(b"fmt ", plain + struct.pack("<HHIH", 22, bits, 4, tag) + GUID)
    found, warning = read(put(riff(header, chunk(b"data", data))))
    assert warning == ""
    assert found.dtype == np.int16
    assert found.size == SAMPLES.size
    assert np.abs(found / 32768 - SAMPLES).max() <= error


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_every_rate_is_read_at_the_rate_wanted(put, rate):
    path = put(riff(fmt(rate=rate), chunk(b"data", pcm(rate).tobytes())))
    with WavReader(path) as reader:
        assert reader.duration == pytest.approx(0.3, abs=1e-4)
        assert reader.format.rate == rate
        found = reader.read()
    wanted = pcm()
    assert abs(found.size - wanted.size) <= 1
    middle = slice(400, 4_000)
    assert np.abs(found[middle].astype(int) - wanted[middle]).max() < 60  # 0.2 % of full scale
    same, _ = read(path, rate=None)
    assert np.array_equal(same, pcm(rate))


def test_channels_are_averaged(put):
    left, right = pcm(level=0.8), pcm(level=0.2)
    stereo = np.stack((left, right), axis=1)
    found, _ = read(put(riff(fmt(channels=2), chunk(b"data", stereo.tobytes()))))
    assert np.abs(found - ((left.astype(int) + right) / 2)).max() <= 1
    six = np.stack([left] * 6, axis=1)
    found, _ = read(put(riff(fmt(channels=6), chunk(b"data", six.tobytes()))))
    assert np.array_equal(found, left)


def test_blocks_have_the_size_asked_for(put):
    path = put(riff(fmt(rate=24_000), chunk(b"data", pcm(24_000, seconds=1.01).tobytes())))
    with WavReader(path) as reader:
        sizes = [block.size for block in reader]
        assert sizes == [320] * 50 + [160]
        # A second iteration begins anew, and floats are the same audio.
        assert np.array_equal(to_int16(np.concatenate(list(reader.floats()))), reader.read())
    with WavReader(path, rate=8_000, block=5_000) as reader:
        assert [block.size for block in reader] == [5_000, 3_080]


def test_other_chunks_and_odd_ones_are_skipped(put):
    wanted = pcm()
    data = riff(
        chunk(b"JUNK", b"x" * 27),
        chunk(b"bext", b"\xff" * 602),
        fmt(),
        chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf1\0"),
        chunk(b"odd ", b"abc"),
        chunk(b"data", wanted.tobytes()),
        chunk(b"id3 ", b"t" * 9),
    )
    found, warning = read(put(data))
    assert np.array_equal(found, wanted)
    assert warning == ""


def test_odd_chunks_without_padding_are_forgiven(put):
    wanted = pcm()
    data = riff(chunk(b"odd ", b"abc", pad=False), fmt(), chunk(b"data", wanted.tobytes()))
    found, _ = read(put(data))
    assert np.array_equal(found, wanted)


def test_the_format_may_come_after_the_samples(put):
    wanted = pcm()
    found, _ = read(put(riff(chunk(b"data", wanted.tobytes()), fmt())))
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_header_whose_size_was_never_filled_in(put, size):
    wanted = pcm()
    found, warning = read(put(riff(fmt(), chunk(b"data", wanted.tobytes(), size=size))))
    assert np.array_equal(found, wanted)
    assert "does not say how long it is" in warning


@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
def test_files_with_64_bit_sizes(put, name):
    wanted = pcm()
    sizes = struct.pack("<QQQI", 999, wanted.nbytes, wanted.size, 0)
    data = riff(
        chunk(b"ds64", sizes),
        fmt(),
        chunk(b"data", wanted.tobytes(), size=0xFFFFFFFF),
        chunk(b"LIST", b"more"),
        name=name,
    )
    found, warning = read(put(data))
    assert np.array_equal(found, wanted)
    assert warning == ""


def test_a_file_cut_short_is_read_as_far_as_it_goes(put):
    wanted = pcm(seconds=2.0)
    data = riff(fmt(), chunk(b"data", wanted.tobytes()))
    path = put(data[:-32_001])
    found, warning = read(path)
    assert np.array_equal(found, wanted[: found.size])
    assert found.size == wanted.size - 16_001
    assert warning == (
        f"{path}: it is cut short: 1.0 s of the audio that its header promises is missing."
    )


def test_wild_floats_are_tamed(put):
    samples = tone().copy()
    samples[10:13] = [np.nan, np.inf, -5.0]
    found, warning = read(put(riff(fmt(3, bits=32), chunk(b"data", samples.tobytes()))))
    assert found[10:13].tolist() == [0, 32767, -32768]
    # Resampled, a NaN would spread to all that the filter touches.
    with WavReader(put(riff(fmt(3, bits=32), chunk(b"data", samples.tobytes()))), 8_000) as reader:
        assert np.isfinite(np.concatenate(list(reader.floats()))).all()
    assert "1 samples that are not numbers were read as silence" in warning
    assert "2 samples beyond full scale were clipped" in warning


def test_reading_a_long_file_takes_little_memory(tmp_path):
    path = tmp_path / "long.wav"
    block = pcm(48_000, seconds=1.0)
    with WavWriter(path, 48_000) as writer:
        for _ in range(60):
            writer.write(block)
    tracemalloc.start()
    try:
        with WavReader(path) as reader:
            count = sum(part.size for part in reader)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 60 * 16_000
    assert peak < 4e6  # the file has 5.8 MB


GOOD = riff(fmt(), chunk(b"data", b"\1\0" * 100))
REFUSED = {
    "nothing": (b"", r"is empty \(0 bytes\)"),
    "mp3": (b"ID3\4" + b"\0" * 60, "looks like MP3; convert it: ffmpeg -i"),
    "bare mp3": (b"\xff\xfb\x90\x64" + b"\0" * 60, "looks like MP3"),
    "aac": (b"\xff\xf1\x50\x80" + b"\0" * 60, "looks like AAC"),
    "flac": (b"fLaC" + b"\0" * 60, "looks like FLAC; convert it: ffmpeg"),
    "ogg": (b"OggS" + b"\0" * 60, r"looks like Ogg .*; convert it: ffmpeg"),
    "m4a": (b"\0\0\0\x20ftypM4A " + b"\0" * 60, "looks like MP4/M4A"),
    "webm": (b"\x1a\x45\xdf\xa3" + b"\0" * 60, "looks like WebM"),
    "aiff": (b"FORM\0\0\0\0AIFF" + b"\0" * 60, "looks like AIFF"),
    "avi": (b"RIFF\0\0\0\0AVI " + b"\0" * 60, "another kind of RIFF"),
    "text": (b"hello there\n" * 9, "is not a WAV file but text"),
    "html": (b"<!DOCTYPE html>\n", "but text"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "raw": (bytes(range(1, 200)), "ffmpeg -f s16le"),
    "stub": (b"RIFF", "cut short in its header"),
    "no format": (riff(chunk(b"data", b"\0" * 100)), "without a format"),
    "short format": (riff(chunk(b"fmt ", b"\1\0"), chunk(b"data", b"abcd")), "cut short"),
    "no data": (riff(fmt()), "holds no audio data"),
    "empty data": (riff(fmt(), chunk(b"data", b"")), "holds no audio data"),
    "empty data, then more": (
        riff(fmt(), chunk(b"data", b""), chunk(b"LIST", b"INFO")),
        "holds no audio data",
    ),
    "half a sample": (riff(fmt(), chunk(b"data", b"\0")), "holds no audio data"),
    "mp3 inside": (riff(fmt(0x55), chunk(b"data", b"abcd")), "holding MP3, which is not read"),
    "adpcm": (riff(fmt(0x11, bits=4), chunk(b"data", b"abcd")), "holding IMA ADPCM"),
    "unknown codec": (riff(fmt(0x1234), chunk(b"data", b"abcd")), r"unknown codec \(0x1234\)"),
    "unknown guid": (
        riff(chunk(b"fmt ", fmt(0xFFFE)[8:] + b"\0" * 24), chunk(b"data", b"abcd")),
        "unknown kind",
    ),
    "no channels": (riff(fmt(channels=0), chunk(b"data", b"abcd")), "claims 0 channels"),
    "channels": (riff(fmt(channels=999), chunk(b"data", b"abcd")), "claims 999 channels"),
    "rate 0": (riff(fmt(rate=0), chunk(b"data", b"abcd")), "claims a sample rate of 0 Hz"),
    "rate": (riff(fmt(rate=2**31), chunk(b"data", b"abcd")), "sample rate of 2147483648 Hz"),
    "bits": (riff(fmt(bits=48), chunk(b"data", b"abcdef")), "48-bit pcm"),
    "half float": (riff(fmt(3, bits=16), chunk(b"data", b"abcd")), "16-bit float"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_says_why_in_one_line(put, kind):
    data, message = REFUSED[kind]
    path = put(data)
    with pytest.raises(AudioFileError, match=message) as caught:
        WavReader(path)
    text = str(caught.value)
    assert text.startswith(f"{path} ")
    assert text.count(str(path)) == 1
    assert "\n" not in text


def test_paths_that_are_no_files_are_refused(tmp_path):
    with pytest.raises(AudioFileError, match=r"gone\.wav does not exist"):
        WavReader(tmp_path / "gone.wav")
    with pytest.raises(AudioFileError, match="is a directory"):
        WavReader(tmp_path)
    with pytest.raises(AudioFileError, match="standard input"):
        WavReader("-")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for refused in (WavReader, lambda path: WavWriter(path, 16_000)):
        with pytest.raises(AudioFileError, match="is a pipe or a device"):
            refused(pipe)
    with pytest.raises(AudioFileError, match="is a pipe or a device"):
        WavReader("/dev/null")


def test_any_beginning_of_a_file_is_read_or_refused(put):
    for length in range(len(GOOD)):
        path = put(GOOD[:length])
        try:
            found, _ = read(path)
        except AudioFileError:
            continue
        assert 0 < found.size <= 100


def test_any_damaged_header_is_read_or_refused(put):
    random = np.random.default_rng(9)
    for _ in range(400):
        data = np.frombuffer(GOOD, np.uint8).copy()
        data[random.integers(0, 44, 3)] = random.integers(0, 256, 3)
        with contextlib.suppress(AudioFileError):
            found, _ = read(put(data.tobytes()))
            assert found.size <= 4 * 200  # 200 bytes at the lowest rate there is


def test_a_closed_reader_says_so(put):
    reader = WavReader(put(GOOD))
    reader.close()
    reader.close()
    with pytest.raises(AudioFileError, match="reader is closed"):
        reader.read()
    with pytest.raises(ValueError, match="at least 1 sample"):
        WavReader(put(GOOD), block=0)
    with pytest.raises(ValueError, match="rates lie between"):
        WavReader(put(GOOD), rate=100)


# --- writing ---


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_is_read_by_others(tmp_path, channels):
    path = tmp_path / "a.wav"
    samples = np.stack([pcm(24_000)] * channels, axis=1)
    with WavWriter(path, 24_000, channels) as writer:
        for block in np.array_split(samples, 7):
            writer.write(block)
        assert writer.frames == len(samples)
        assert writer.duration == pytest.approx(0.3)
    with wave.open(str(path)) as theirs:
        assert theirs.getparams()[:4] == (channels, 2, 24_000, len(samples))
        assert theirs.readframes(99_999) == samples.tobytes()
    writer.close()
    assert writer.closed
    with pytest.raises(AudioFileError, match="writer is closed"):
        writer.write(samples)


def test_a_file_without_audio_is_valid_too(tmp_path):
    path = tmp_path / "a.wav"
    WavWriter(path, 16_000).close()
    with wave.open(str(path)) as theirs:
        assert theirs.getnframes() == 0


def test_the_header_keeps_up_while_the_file_grows(tmp_path):
    path = tmp_path / "a.wav"
    block = pcm(seconds=0.02)
    with WavWriter(path, 16_000) as writer:
        for _ in range(125):  # 2.5 s
            writer.write(block)
        with wave.open(str(path)) as theirs:
            assert theirs.getnframes() >= 2 * 16_000
        found, warning = read(path)
        assert found.size >= 2 * 16_000
        assert warning == ""


def test_a_killed_process_leaves_a_valid_file(tmp_path):
    path = tmp_path / "a.wav"
    script = (
        "import sys, time, numpy as np\n"
        "from vivavoce.pipelines.audio.wav import WavWriter\n"
        f"writer = WavWriter({str(path)!r}, 16000)\n"
        "for _ in range(160): writer.write(np.full(320, 1000, np.int16))\n"
        "print('written', flush=True)\n"
        "time.sleep(30)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    found, _ = read(path)
    assert 3 * 16_000 <= found.size <= 160 * 320
    assert (found == 1000).all()


def test_a_disk_that_fills_up_is_one_clear_line_and_keeps_what_it_has(tmp_path):
    path = tmp_path / "a.wav"
    block = pcm(seconds=1.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = WavWriter(path, 16_000)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (44 + 70_001, hard))
        writer.write(block)
        writer.write(block)
        with pytest.raises(AudioFileError, match=r"a\.wav cannot be written: ") as caught:
            writer.write(block)
        assert "\n" not in str(caught.value)
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
        writer.close()
    assert path.stat().st_size == 44 + 2 * block.nbytes
    found, warning = read(path)
    assert found.size == 2 * block.size
    assert warning == ""


def test_places_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(AudioFileError, match="cannot be written: No such file or directory"):
        WavWriter(tmp_path / "gone" / "a.wav", 16_000)
    with pytest.raises(AudioFileError, match="cannot be written: Is a directory"):
        WavWriter(tmp_path, 16_000)
    with pytest.raises(AudioFileError, match="is a pipe or a device"):
        WavWriter("-", 16_000)
    if os.geteuid():  # nothing is read-only for root
        tmp_path.chmod(0o500)
        with pytest.raises(AudioFileError, match="cannot be written: Permission denied"):
            WavWriter(tmp_path / "a.wav", 16_000)
    with pytest.raises(AudioFileError, match=r"cannot be written: .+"):
        WavWriter("/proc/a.wav", 16_000)


def test_a_writer_takes_only_what_fits(tmp_path):
    with WavWriter(tmp_path / "a.wav", 16_000, 2) as writer:
        for wrong in (pcm(), np.zeros((5, 3), np.int16), np.zeros((5, 2), np.float32)):
            with pytest.raises(TypeError, match=r"int16 of shape \(n, 2\)"):
                writer.write(wrong)
    with pytest.raises(ValueError, match="sample rate"):
        WavWriter(tmp_path / "b.wav", 0)
    with pytest.raises(ValueError, match="channels"):
        WavWriter(tmp_path / "b.wav", 16_000, 0)
    assert not (tmp_path / "b.wav").exists()


def test_a_file_that_is_full_asks_for_another(tmp_path):
    writer = WavWriter(tmp_path / "a.wav", 16_000)
    written, writer._written = writer._written, writer._LARGEST - 100
    with pytest.raises(AudioFileError, match="4 GiB"):
        writer.write(pcm())
    writer._written = written
    writer.close()


def test_resampled_speech_band_is_that_of_a_long_resampler(put):
    random = np.random.default_rng(4)
    white = (random.standard_normal(48_000) * 3_000).astype(np.int16)
    found, _ = read(put(riff(fmt(rate=48_000), chunk(b"data", white.tobytes()))))
    best = soxr.resample(white.astype(np.float64), 48_000, 16_000, quality="VHQ")

    def band(samples):
        return np.abs(np.fft.rfft(samples.astype(float)))[300:6_900]

    assert 20 * np.log10(np.std(band(found) - band(best)) / np.std(band(best))) < -45
