"""libopus, called directly: the library that PyAV's wheel carries, or the system's.

By way of FFmpeg a packet costs three times as much to decode (59 µs instead of 19, for 20 ms at
24 kHz) and half as much again to encode, makes 48 kHz that has to be resampled, and what a packet
carries to repair the one before it cannot be had at all.

The functions hold the interpreter's lock while they work: each is shorter than the 5 ms for which
another thread would keep it. A state is memory of Python's own, so nothing is left to be freed.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from vivavoce.pipelines.audio.convert import Int16

RATES = frozenset({8_000, 12_000, 16_000, 24_000, 48_000})
"""Sample rates that Opus takes and gives (Hz)."""
LARGEST = 1_276
"""Bytes of a frame, at most (RFC 6716 §3.2.1)."""

# opus_defines.h
_VOIP = 2_048
_LOW_DELAY = 2_051
_SET_BIT_RATE = 4_002
_SET_INBAND_FEC = 4_012
_SET_LOSS = 4_014
_SET_VBR_CONSTRAINT = 4_020


class OpusError(ValueError):
    """libopus refuses what it was given."""


class MissingOpusError(RuntimeError):
    """There is no libopus; the message says what to install."""


def _candidates() -> list[str]:
    package = Path(av.__file__).parent
    beside = (package.parent / "av.libs", package / ".dylibs", package.parent / ".dylibs")
    found = [str(path) for folder in beside for path in sorted(folder.glob("libopus[-.]*"))]
    system = ctypes.util.find_library("opus") if not found else None
    return [*found, *([system] if system else [])]


@cache
def library() -> ctypes.PyDLL:
    """Return libopus with its functions' types set.

    Raises:
        MissingOpusError: Neither PyAV nor the system has it.
    """
    for name in _candidates():
        try:
            opus = ctypes.PyDLL(name)
        except OSError:
            continue
        break
    else:
        raise MissingOpusError(
            "libopus was not found: PyAV's wheels bring it (pip install --force-reinstall av); "
            "with a PyAV of your own, install the system's (apt install libopus0, brew install "
            "opus)."
        )
    number, pointer, text = ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p
    for function, taken in {
        "opus_decoder_get_size": [number],
        "opus_decoder_init": [pointer, ctypes.c_int32, number],
        "opus_decode": [pointer, text, ctypes.c_int32, pointer, number, number],
        "opus_encoder_get_size": [number],
        "opus_encoder_init": [pointer, ctypes.c_int32, number, number],
        "opus_encode": [pointer, text, number, pointer, ctypes.c_int32],
        "opus_encoder_ctl": [pointer, number],  # the others are variadic
        "opus_packet_has_lbrr": [text, ctypes.c_int32],
        "opus_strerror": [number],
    }.items():
        getattr(opus, function).argtypes = taken
    opus.opus_strerror.restype = text
    return opus


def _checked(code: int) -> int:
    if code < 0:
        raise OpusError(str(library().opus_strerror(code).decode()))
    return code


def _state(size: int) -> Any:
    return ctypes.create_string_buffer(size)  # from malloc, so it is aligned for anything


class Decoder:
    """Decodes one mono stream; packets with two channels are mixed down.

    Args:
        rate: Sample rate of what it gives (Hz), one of `RATES`.
        longest: The most audio of a packet (s).

    Raises:
        MissingOpusError: There is no libopus.
        OpusError: It has no such rate.
    """

    def __init__(self, rate: int, longest: float = 0.12) -> None:
        opus = library()
        self._state = _state(opus.opus_decoder_get_size(1))
        _checked(opus.opus_decoder_init(self._state, rate, 1))
        self._decode = opus.opus_decode
        self._out: Int16 = np.empty(round(rate * longest), np.int16)
        self._address = self._out.ctypes.data

    def decode(self, payload: bytes) -> Int16:
        """Decode a packet.

        Returns:
            A new int16 array, shape (n,).

        Raises:
            OpusError: It is none, or longer than `longest`.
        """
        out = self._out
        got = self._decode(self._state, payload, len(payload), self._address, len(out), 0)
        return out[: _checked(got)].copy()

    def repair(self, following: bytes, count: int) -> Int16 | None:
        """Decode a lost packet from what the one behind it carries for that (in-band FEC).

        To be called before that one is decoded.

        Args:
            following: The next packet.
            count: Samples that are missing: a multiple of 2.5 ms.

        Returns:
            A new int16 array, shape (count,); None if it carries nothing.
        """
        size = len(following)
        if count > len(self._out) or library().opus_packet_has_lbrr(following, size) != 1:
            return None
        got = self._decode(self._state, following, size, self._address, count, 1)
        return self._out[:got].copy() if got == count else None


class Encoder:
    """Encodes one mono stream.

    Args:
        rate: Sample rate of what it takes (Hz), one of `RATES`.
        bit_rate: Bits per second.
        repairs: Make packets by SILK that carry the one before again, for 5 % of loss; else by
            CELT alone, with 2.5 ms of delay.

    Raises:
        MissingOpusError: There is no libopus.
        OpusError: It has no such rate or bit rate.
    """

    def __init__(self, rate: int, bit_rate: int, *, repairs: bool) -> None:
        opus = library()
        self._state = _state(opus.opus_encoder_get_size(1))
        application = _VOIP if repairs else _LOW_DELAY
        _checked(opus.opus_encoder_init(self._state, rate, 1, application))
        self._set(_SET_BIT_RATE, bit_rate)
        self._set(_SET_VBR_CONSTRAINT, 0)  # PESQ 4.32 instead of 4.12, at 38 kbit/s in speech
        if repairs:
            self._set(_SET_INBAND_FEC, 1)
            self._set(_SET_LOSS, 5)
        self._encode = opus.opus_encode
        self._out = ctypes.create_string_buffer(LARGEST * 3)

    def _set(self, what: int, value: int) -> None:
        _checked(library().opus_encoder_ctl(self._state, what, ctypes.c_int32(value)))

    def encode(self, pcm: Int16) -> bytes:
        """Encode one packet's samples (int16, shape (n,)): 2.5 to 120 ms.

        Raises:
            OpusError: Opus has no frame of that length.
        """
        out = self._out
        size = self._encode(self._state, pcm.tobytes(), len(pcm), out, len(out))
        made: bytes = out.raw[: _checked(size)]
        return made
