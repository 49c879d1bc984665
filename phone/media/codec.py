"""Codecs: int16 samples to a packet's payload and back.

G.711 is ours (tables). G.722 is FFmpeg's, by way of PyAV, which aiortc brings; used directly
because aiortc's wrappers fix the packet length at 20 ms and put a resampler before each encoder.
Opus is libopus itself (`opus`).

A `Codec` holds the state of one stream in each direction: one per call, never shared.
"""

from __future__ import annotations

import fractions
from typing import Any, Protocol

import av
import numpy as np

from vivavoce.pipelines.audio.convert import (
    Int16,
    decode_alaw,
    decode_mulaw,
    encode_alaw,
    encode_mulaw,
)

from .opus import RATES, Decoder, Encoder, OpusError

SETTLED = 10
"""Packets of silence behind which they are all alike."""
LOSSY = 0.01
"""Share of lost packets from which on packets are made so that a lost one can be repaired."""
CALM = 12
"""Reports without loss behind which they are not any more: a minute."""
LONGEST = 0.12
"""The most audio that one packet may carry (s): a longer one is refused before it is decoded."""


class CodecError(ValueError):
    """A payload cannot be decoded."""


class Codec(Protocol):
    """One call's codec.

    Attributes:
        name: Its encoding name in SDP.
        rate: Sample rate of the audio (Hz).
        clock_rate: Units of its RTP timestamps per second; not always the rate (RFC 3551 §4.5.2).
        silence: The payload byte that means silence where there is one, else None: such a codec
            has no state, and silence need not be encoded.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def rate(self) -> int: ...  # noqa: D102
    @property
    def clock_rate(self) -> int: ...  # noqa: D102
    @property
    def silence(self) -> bytes | None: ...  # noqa: D102

    def encode(self, pcm: Int16) -> bytes:
        """Encode one packet's samples (int16, shape (n,), 10 to 60 ms)."""
        ...

    def decode(self, payload: bytes) -> Int16:
        """Decode a payload to samples (int16, shape (n,)).

        Raises:
            CodecError: It cannot be decoded.
        """
        ...

    def repair(self, following: bytes, count: int) -> Int16 | None:
        """Decode a lost packet from what the one behind it carries, before that is decoded.

        Args:
            following: The next payload.
            count: Samples that are missing.

        Returns:
            Samples, int16, shape (count,); None if it carries nothing of them.
        """
        ...

    def duration(self, payload: bytes) -> int:
        """Tell how long a payload is without decoding it (clock units); 0 if it is no payload."""
        ...


class Pcmu:
    """G.711 μ-law, payload type 0."""

    name = "PCMU"
    rate = 8_000
    clock_rate = 8_000
    silence: bytes | None = b"\xff"

    def encode(self, pcm: Int16) -> bytes:
        """Encode one packet's samples."""
        return encode_mulaw(pcm)

    def decode(self, payload: bytes) -> Int16:
        """Decode a payload."""
        return decode_mulaw(payload)

    def repair(self, following: bytes, count: int) -> Int16 | None:
        """Return None: a packet carries itself alone."""
        del following, count
        return None

    def duration(self, payload: bytes) -> int:
        """Tell how long a payload is (clock units)."""
        return len(payload)


class Pcma(Pcmu):
    """G.711 A-law, payload type 8."""

    name = "PCMA"
    silence: bytes | None = b"\xd5"

    def encode(self, pcm: Int16) -> bytes:
        """Encode one packet's samples."""
        return encode_alaw(pcm)

    def decode(self, payload: bytes) -> Int16:
        """Decode a payload."""
        return decode_alaw(payload)


def _context(name: str, mode: str, rate: int) -> Any:
    create: Any = av.CodecContext.create  # typed by lists of names that change with FFmpeg
    context = create(name, mode)
    context.format = "s16"
    context.layout = "mono"
    context.sample_rate = rate
    if mode == "w":
        context.time_base = fractions.Fraction(1, rate)
    return context


def _frame(pcm: Int16, rate: int, at: int) -> Any:
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    frame.pts = at
    frame.time_base = fractions.Fraction(1, rate)
    return frame


def _decode(context: Any, payload: bytes, name: str) -> list[Int16]:
    try:
        frames = context.decode(av.Packet(payload))
    except (av.FFmpegError, ValueError) as error:
        raise CodecError(f"A {name} payload of {len(payload)} bytes cannot be decoded.") from error
    return [frame.to_ndarray()[0] for frame in frames]


class G722:
    """G.722 at 64 kbit/s, payload type 9: 16 kHz audio, but RTP's clock says 8 kHz."""

    name = "G722"
    rate = 16_000
    clock_rate = 8_000
    silence: bytes | None = None

    def __init__(self) -> None:
        self._decoder = _context("g722", "r", self.rate)
        self._encoder: Any = None
        self._frame = 0
        self._at = 0

    def encode(self, pcm: Int16) -> bytes:
        """Encode one packet's samples; their number must be even."""
        if self._frame != len(pcm):
            # FFmpeg takes another length only as the last of a stream.
            self._encoder = _context("g722", "w", self.rate)
            self._encoder.options = {"frame_size": str(len(pcm))}
            self._encoder.open()
            self._frame = len(pcm)
        packets = self._encoder.encode(_frame(np.ascontiguousarray(pcm), self.rate, self._at))
        self._at += len(pcm)
        return b"".join(map(bytes, packets))

    def decode(self, payload: bytes) -> Int16:
        """Decode a payload."""
        parts = _decode(self._decoder, payload, self.name) if payload else []
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def repair(self, following: bytes, count: int) -> Int16 | None:
        """Return None: a packet carries itself alone."""
        del following, count
        return None

    def duration(self, payload: bytes) -> int:
        """Tell how long a payload is (clock units of 8 kHz)."""
        return len(payload)


# Samples at 48 kHz in one frame, by the configuration in the first byte (RFC 6716 §3.1).
_OPUS_FRAMES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4


class Opus:
    """Opus for speech, mono, its RTP clock 48 kHz (RFC 7587).

    While nothing is lost CELT alone encodes: 63 µs for 20 ms of speech and 2.5 ms of delay, where
    SILK, the only one whose packets can repair the one before (in-band FEC), takes 185 µs and
    6.5 ms; at 32 kbit/s both sound alike (PESQ 4.32 and 4.35). `told` of losses, SILK takes over.

    Args:
        rate: Sample rate of the audio (Hz): 8000, 12000, 16000, 24000 or 48000.
        bit_rate: Bits per second.
        repairs: Whether a lost packet of ours can be repaired; `told` changes it.

    Raises:
        ValueError: Opus has no such rate.
    """

    name = "opus"
    clock_rate = 48_000
    silence: bytes | None = None

    def __init__(
        self, rate: int = 16_000, *, bit_rate: int = 32_000, repairs: bool = False
    ) -> None:
        if rate not in RATES:
            raise ValueError(f"Opus has no rate of {rate} Hz: use 8, 12, 16, 24 or 48 kHz.")
        self.rate = rate
        self._bit_rate = bit_rate
        self._decoder = Decoder(rate, LONGEST)
        self._encoder: Encoder | None = None
        self._frame = 0
        self._repairs = self._wanted = repairs
        self._calm = 0  # reports without loss, in a row
        self._silent = 0  # packets of silence in a row
        self._still = b""

    def encode(self, pcm: Int16) -> bytes:
        """Encode one packet's samples: 10, 20, 40 or 60 ms.

        Behind ten silent packets all further ones are the last of them again: by then encoder and
        decoder have come to rest, and what is said next sounds as if all had been encoded.

        Raises:
            ValueError: Opus has no frame of that length.
        """
        if self._encoder is None or self._frame != len(pcm):
            self._encoder = self._make_encoder(len(pcm))
            self._frame = len(pcm)
            self._silent = 0
        # Half of a call is silence on each side, which Opus takes as long for as for speech.
        self._silent = 0 if pcm.any() else self._silent + 1
        if self._wanted != self._repairs and self._silent:  # where nobody hears the seam
            self._repairs = self._wanted
            self._encoder = self._make_encoder(len(pcm))
            self._silent = 1
        if self._silent > SETTLED:
            return self._still
        payload = self._encoder.encode(pcm)
        if self._silent == SETTLED:
            self._still = payload
        return payload

    def told(self, lost: float) -> None:
        """Take a report of the far end; what follows from it holds from the next pause on.

        Args:
            lost: Share of our packets that it lacked since the last one (0–1).
        """
        self._calm = 0 if lost >= LOSSY else self._calm + 1
        if not self._calm:
            self._wanted = True
        elif self._calm >= CALM:
            self._wanted = False

    def decode(self, payload: bytes) -> Int16:
        """Decode a payload."""
        if not payload:
            return np.zeros(0, np.int16)
        try:
            return self._decoder.decode(payload)
        except OpusError as error:
            text = f"A payload of {len(payload)} bytes cannot be decoded by Opus: {error}."
            raise CodecError(text) from error

    def repair(self, following: bytes, count: int) -> Int16 | None:
        """Decode a lost packet from the next one, if its sender put it there (RFC 6716 §2.1.7)."""
        return self._decoder.repair(following, count)

    def duration(self, payload: bytes) -> int:
        """Tell how long a payload is (clock units of 48 kHz)."""
        if not payload:
            return 0
        code = payload[0] & 3
        frames = 1 if code == 0 else 2
        if code == 3:
            frames = payload[1] & 0x3F if len(payload) > 1 else 0
        return frames * _OPUS_FRAMES[payload[0] >> 3]

    def _make_encoder(self, samples: int) -> Encoder:
        milliseconds = samples * 1000 / self.rate
        if milliseconds not in {10, 20, 40, 60}:
            raise ValueError(f"Opus packets are 10, 20, 40 or 60 ms long, not {milliseconds:g}.")
        return Encoder(self.rate, self._bit_rate, repairs=self._repairs)


def make_codec(name: str, *, opus_rate: int = 16_000) -> Codec:
    """Make a codec by its SDP encoding name, in any case.

    Args:
        name: PCMU, PCMA, G722 or opus.
        opus_rate: Sample rate of the audio, where the codec leaves a choice (Hz).

    Raises:
        ValueError: There is no such codec here.
    """
    match name.upper():
        case "PCMU":
            return Pcmu()
        case "PCMA":
            return Pcma()
        case "G722":
            return G722()
        case "OPUS":
            return Opus(opus_rate)
        case _:
            raise ValueError(f"There is no codec {name!r} here: use PCMU, PCMA, G722 or opus.")
