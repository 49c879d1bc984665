"""Sample formats: float32, int16, μ-law and A-law, and their levels in dBFS.

Audio inside Viva Voce is mono little-endian int16, or float32 with full scale at ±1.0.
One int16 step is 1/32768, both ways, so int16 → float32 → int16 gives the same samples back.

μ-law and A-law are those of ITU-T G.711. Both work through tables made once at import
(65,536 bytes per law for encoding, 512 bytes for decoding): a 20 ms telephone block costs
a few microseconds.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Int16: TypeAlias = NDArray[np.int16]
Float32: TypeAlias = NDArray[np.float32]
Bytes: TypeAlias = bytes | bytearray | memoryview

SILENCE_DBFS = -120.0
"""The level given to digital silence, and the lowest level ever given (dBFS)."""

_FLOOR_POWER = 10.0 ** (SILENCE_DBFS / 10.0)
_FULL_SCALE = np.float32(32768.0)
_HIGHEST = np.float32(32767.0 / 32768.0)


def to_float32(pcm: Int16) -> Float32:
    """Turn int16 samples into float32 in [-1.0, 1.0).

    Args:
        pcm: Samples, int16, any shape.

    Returns:
        A new float32 array of the same shape.
    """
    return np.multiply(pcm, np.float32(1.0 / 32768.0), dtype=np.float32)


def to_int16(audio: NDArray[np.floating]) -> Int16:
    """Turn float samples into int16: rounded to nearest, clipped, never wrapped.

    Args:
        audio: Samples with full scale at ±1.0, any shape. Values outside are clipped, also
            infinities; NaN becomes silence, for one bad sample must not become a loud click.

    Returns:
        A new int16 array of the same shape.
    """
    # Clipped first, lest a huge value overflow; by two calls, a third of np.clip's time.
    with np.errstate(invalid="ignore"):
        scaled = np.minimum(audio, _HIGHEST)
        np.maximum(scaled, np.float32(-1.0), out=scaled)
        scaled *= _FULL_SCALE
        np.rint(scaled, out=scaled)
        if scaled.size and math.isnan(np.add.reduce(scaled, axis=None)):
            scaled[np.isnan(scaled)] = 0.0
    pcm: Int16 = scaled.astype(np.int16)
    return pcm


def rms_dbfs(audio: Int16 | Float32) -> float:
    """Measure the loudness of a block.

    Args:
        audio: Samples, int16, or float32 with full scale at ±1.0.

    Returns:
        RMS level in dB relative to full scale: 0.0 for a full-scale square wave, -3.01 for a
        full-scale sine, `SILENCE_DBFS` for silence and for no samples at all.
    """
    samples = (to_float32(audio.view(np.int16)) if audio.dtype == np.int16 else audio).ravel()
    if not samples.size:
        return SILENCE_DBFS
    power = float(np.dot(samples, samples)) / samples.size
    return 10.0 * math.log10(max(power, _FLOOR_POWER))


def peak_dbfs(audio: Int16 | Float32) -> float:
    """Measure the largest sample of a block.

    Args:
        audio: Samples, int16, or float32 with full scale at ±1.0.

    Returns:
        Peak level in dB relative to full scale, `SILENCE_DBFS` for silence.
    """
    if not audio.size:
        return SILENCE_DBFS
    # By way of Python's int: the absolute value of -32768 does not fit in int16.
    largest = max(abs(audio.max().item()), abs(audio.min().item()))
    peak = largest / 32768.0 if audio.dtype == np.int16 else largest
    return max(20.0 * math.log10(peak), SILENCE_DBFS) if peak > 0.0 else SILENCE_DBFS


def _mulaw_tables() -> tuple[NDArray[np.uint8], Int16]:
    """Make the G.711 μ-law tables: encode by the sample's uint16 bits, decode by the code."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    sign = np.where(sample < 0, 0x80, 0)
    magnitude = np.minimum(np.abs(sample), 32635) + 132  # 132: the bias that makes segments
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    step = (magnitude >> (segment + 3)) & 0x0F
    encode = (~(sign | (segment << 4) | step) & 0xFF).astype(np.uint8)

    code = ~np.arange(256) & 0xFF
    value = ((((code & 0x0F) << 3) + 132) << ((code >> 4) & 0x07)) - 132
    decode = np.where(code & 0x80, -value, value).astype(np.int16)
    return encode, decode


def _alaw_tables() -> tuple[NDArray[np.uint8], Int16]:
    """Make the G.711 A-law tables: encode by the sample's uint16 bits, decode by the code."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 3
    # In A-law the sign bit is set for positive samples, and negative ones count from -1.
    magnitude = np.where(sample < 0, -sample - 1, sample)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    step = (magnitude >> np.maximum(segment, 1)) & 0x0F
    # Every second bit is inverted, so that silence keeps the line's clock running.
    encode = (((segment << 4) | step) ^ np.where(sample < 0, 0x55, 0xD5)).astype(np.uint8)

    code = np.arange(256) ^ 0x55
    segment, step = (code >> 4) & 0x07, (code & 0x0F) << 4
    value = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    decode = np.where(code & 0x80, value, -value).astype(np.int16)
    return encode, decode


_MULAW_ENCODE, _MULAW_DECODE = _mulaw_tables()
_ALAW_ENCODE, _ALAW_DECODE = _alaw_tables()


def encode_mulaw(pcm: Int16) -> bytes:
    """Encode int16 samples as G.711 μ-law, one byte per sample."""
    return _MULAW_ENCODE[np.ascontiguousarray(pcm).view(np.uint16)].tobytes()


def decode_mulaw(data: Bytes) -> Int16:
    """Decode G.711 μ-law bytes to int16 samples, one per byte."""
    return _MULAW_DECODE[np.frombuffer(data, np.uint8)]


def encode_alaw(pcm: Int16) -> bytes:
    """Encode int16 samples as G.711 A-law, one byte per sample."""
    return _ALAW_ENCODE[np.ascontiguousarray(pcm).view(np.uint16)].tobytes()


def decode_alaw(data: Bytes) -> Int16:
    """Decode G.711 A-law bytes to int16 samples, one per byte."""
    return _ALAW_DECODE[np.frombuffer(data, np.uint8)]


class _SampleStream:
    """Cuts a byte stream at sample borders, whatever the chunks it comes in."""

    _WIDTH: int

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> int:
        """Bytes held back because their sample is not complete yet."""
        return len(self._rest)

    def _whole(self, data: Bytes) -> bytes:
        joined = self._rest + bytes(data)
        end = len(joined) - len(joined) % self._WIDTH
        self._rest = joined[end:]
        return joined[:end]

    def reset(self) -> None:
        """Forget an incomplete sample, as when a new stream begins."""
        self._rest = b""


class FloatStream(_SampleStream):
    """Little-endian float32 audio arriving in chunks of any size, such as Voxtral's speech.

    A chunk may end inside a sample; the rest is carried over to the next chunk.
    """

    _WIDTH = 4

    def feed(self, data: Bytes) -> Float32:
        """Take a chunk of bytes and return the samples that are now complete.

        Returns:
            A new float32 array, often empty, as received: neither clipped nor sanitised.
        """
        return np.frombuffer(self._whole(data), "<f4").astype(np.float32)

    def feed_int16(self, data: Bytes) -> Int16:
        """Take a chunk of bytes and return the complete samples as int16 (see `to_int16`)."""
        return to_int16(np.frombuffer(self._whole(data), "<f4"))


class Int16Stream(_SampleStream):
    """Little-endian int16 audio arriving in chunks of any size.

    A chunk may end inside a sample; the rest is carried over to the next chunk.
    """

    _WIDTH = 2

    def feed(self, data: Bytes) -> Int16:
        """Take a chunk of bytes and return the samples that are now complete.

        Returns:
            A new int16 array, often empty.
        """
        return np.frombuffer(self._whole(data), "<i2").astype(np.int16)

    def feed_float32(self, data: Bytes) -> Float32:
        """Take a chunk of bytes and return the complete samples as float32 in [-1.0, 1.0)."""
        return to_float32(self.feed(data))
