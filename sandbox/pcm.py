"""Raw audio: sample encodings, sample rates, levels and the WAV container.

Inside the sandbox audio is mono float32 in [-1, 1]: 16 kHz where it is heard and 24 kHz
where it is spoken. This module is the only one that knows how it looks on the wire.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
import soxr  # type: ignore[import-untyped]

Samples = npt.NDArray[np.float32]

HEARING_RATE = 16_000  # Hz, what the recogniser takes
SPEECH_RATE = 24_000  # Hz, what Voxtral TTS gives

RATES = range(8_000, 96_001)  # Hz, what a realtime session may declare
BYTES_PER_SAMPLE = {
    "pcm_s16le": 2,
    "pcm_s32le": 4,
    "pcm_f16le": 2,
    "pcm_f32le": 4,
    "pcm_mulaw": 1,
    "pcm_alaw": 1,
}


class AudioError(ValueError):
    """Audio that cannot be read, with what is wrong with it."""


def _mulaw_table() -> Samples:
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4).astype(np.int32) & 7
    mantissa = code.astype(np.int32) & 15
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    signed = np.where(code & 0x80, -magnitude, magnitude)
    return (signed / 32768.0).astype(np.float32)


def _alaw_table() -> Samples:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = (code >> 4).astype(np.int32) & 7
    mantissa = code.astype(np.int32) & 15
    magnitude = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 264) << np.maximum(exponent - 1, 0)
    )
    signed = np.where(code & 0x80, magnitude, -magnitude)
    return (signed / 32768.0).astype(np.float32)


_MULAW = _mulaw_table()
_ALAW = _alaw_table()


def decode(data: bytes, encoding: str) -> Samples:
    """Turn whole encoded samples into float32 in [-1, 1].

    Args:
        data: Mono samples; its length must be a whole number of samples.
        encoding: A key of ``BYTES_PER_SAMPLE`` (G.711 for the two laws).

    Raises:
        AudioError: For an unknown encoding or a length that cuts a sample.
    """
    width = BYTES_PER_SAMPLE.get(encoding)
    if width is None:
        msg = f"unknown encoding {encoding!r}: use one of {', '.join(BYTES_PER_SAMPLE)}"
        raise AudioError(msg)
    if len(data) % width:
        msg = f"{len(data)} bytes are no whole number of {width}-byte samples"
        raise AudioError(msg)
    if encoding == "pcm_s16le":
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    if encoding == "pcm_s32le":
        return (np.frombuffer(data, "<i4") / 2147483648.0).astype(np.float32)
    if encoding == "pcm_mulaw":
        return _MULAW[np.frombuffer(data, np.uint8)]
    if encoding == "pcm_alaw":
        return _ALAW[np.frombuffer(data, np.uint8)]
    floats = np.frombuffer(data, "<f2" if width == 2 else "<f4").astype(np.float32)
    # A NaN would poison the recogniser's and the VAD's state for the rest of the session.
    return np.clip(np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def encode_f32(samples: Samples) -> bytes:
    """Mistral's ``pcm``: float32 little-endian, no header."""
    return samples.astype("<f4", copy=False).tobytes()


def encode_s16(samples: Samples) -> bytes:
    """16-bit little-endian, clipped rather than wrapped."""
    return (np.clip(samples, -1.0, 1.0) * np.float32(32767)).astype("<i2").tobytes()


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Change a whole clip's sample rate (Hz)."""
    if from_rate == to_rate or not len(samples):
        return samples
    changed = soxr.resample(samples, from_rate, to_rate, quality="MQ")
    return np.asarray(changed, dtype=np.float32)


class Resampler:
    """A stream's change of sample rate; cheap, and exact over the stream's whole length."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._stream = (
            None
            if from_rate == to_rate
            else soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="LQ")
        )

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        """Take float32 samples, give those that are ready; all of them when ``last``."""
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples, last=last), dtype=np.float32)


class Intake:
    """One session's audio, from wire bytes to 16 kHz float32, chunk by chunk.

    Chunks may cut a sample: the rest of it comes with the next chunk.
    """

    def __init__(self, encoding: str, rate: int) -> None:
        """Set the format.

        Raises:
            AudioError: When the encoding or the rate (Hz) is not one of the protocol's.
        """
        if encoding not in BYTES_PER_SAMPLE:
            decode(b"", encoding)
        if rate not in RATES:
            msg = f"sample_rate {rate} is outside {RATES.start}-{RATES.stop - 1} Hz"
            raise AudioError(msg)
        self._encoding = encoding
        self._width = BYTES_PER_SAMPLE[encoding]
        self._rest = b""
        self._resampler = Resampler(rate, HEARING_RATE)

    def push(self, data: bytes) -> Samples:
        """Give the 16 kHz samples that ``data`` completes."""
        data = self._rest + data
        whole = len(data) - len(data) % self._width
        self._rest = data[whole:]
        return self._resampler.push(decode(data[:whole], self._encoding))


def wav_header(rate: int, samples: int | None, *, width: int = 2, floats: bool = False) -> bytes:
    """Give a mono WAV header; ``samples`` None is a stream whose length is not known yet."""
    size = 0xFFFFFFFF - 36 if samples is None else samples * width
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + size,
        b"WAVE",
        b"fmt ",
        16,
        3 if floats else 1,
        1,
        rate,
        rate * width,
        width,
        8 * width,
        b"data",
        size,
    )


def wav(samples: Samples, rate: int) -> bytes:
    """Give a whole 16-bit mono WAV file."""
    return wav_header(rate, len(samples)) + encode_s16(samples)


_WAV_ENCODINGS = {
    (1, 16): "pcm_s16le",
    (1, 32): "pcm_s32le",
    (3, 32): "pcm_f32le",
    (6, 8): "pcm_alaw",
    (7, 8): "pcm_mulaw",
}


def read_wav(data: bytes) -> tuple[Samples, int]:
    """Read a WAV file: float32 mono samples (channels averaged) and the rate in Hz.

    Raises:
        AudioError: When it is no WAV file, or of an encoding that is not read here.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise AudioError("this is no WAV file")
    position, form = 12, None
    while position + 8 <= len(data):
        name, size = data[position : position + 4], *struct.unpack_from("<I", data, position + 4)
        body = data[position + 8 : position + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if tag == 0xFFFE and len(body) >= 26:  # extensible: the real tag opens the GUID
                tag = struct.unpack_from("<H", body, 24)[0]
            form = (tag, channels, rate, bits)
        elif name == b"data":
            if form is None:
                raise AudioError("the WAV file's data comes before its format")
            tag, channels, rate, bits = form
            encoding = _WAV_ENCODINGS.get((tag, bits))
            if encoding is None or not channels or not rate:
                msg = f"WAV format {tag} with {bits} bits is not supported: use 16-bit PCM"
                raise AudioError(msg)
            frame = channels * BYTES_PER_SAMPLE[encoding]
            samples = decode(body[: len(body) - len(body) % frame], encoding)
            if channels > 1:
                samples = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
            return samples, rate
        position += 8 + size + size % 2
    raise AudioError("the WAV file has no data")


def pitch(text: str) -> float:
    """Give how high a text is spoken where a script asks for its pitch: 300 to 1,575 Hz."""
    return 300.0 + 25 * (zlib.crc32(text.strip().encode()) % 52)


def tone(seconds: float, rate: int = SPEECH_RATE, hertz: float = 220.0) -> Samples:
    """Give a sine at -20 dBFS RMS with 5 ms ramps, so that its edges do not click."""
    n = int(seconds * rate)
    wave = np.sin(np.arange(n) * (2 * np.pi * hertz / rate)) * (0.1 * np.sqrt(2))
    ramp = min(rate // 200, n // 2)
    if ramp:
        slope = np.linspace(0.0, 1.0, ramp)
        wave[:ramp] *= slope
        wave[-ramp:] *= slope[::-1]
    out: Samples = wave.astype(np.float32)
    return out


def level(samples: Samples) -> float:
    """Give the RMS in dBFS of what is not silence (20 ms frames above -50 dBFS)."""
    frame = 480
    n = len(samples) - len(samples) % frame
    if not n:
        return -120.0
    power = np.mean(np.square(samples[:n].reshape(-1, frame), dtype=np.float64), axis=1)
    voiced = power[power > 1e-5]
    return float(10 * np.log10(np.mean(voiced))) if len(voiced) else -120.0


def limit(samples: Samples, knee: float = 0.7) -> Samples:
    """Bend what rises above ``knee`` so that nothing reaches 1: a limiter without memory."""
    size = np.abs(samples)
    if not len(samples) or size.max() <= knee:
        return samples
    over = (size - knee) / (1 - knee)
    bent = np.where(size > knee, knee + (1 - knee) * np.tanh(over) * 0.99, size)
    out: Samples = np.copysign(bent, samples).astype(np.float32)
    return out
