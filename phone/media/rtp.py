"""RTP packets (RFC 3550 §5.1), and the arithmetic of numbers that wrap.

Everything that comes from the network may be hostile: `RtpPacket.parse` either gives a packet
that holds together or raises `MalformedPacket`, and never reads outside the datagram.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeAlias

Address: TypeAlias = tuple[str, int]
"""An IP literal and a UDP port. Names never get here: nothing on this path may ask a resolver."""

HEADER_SIZE = 12
"""Bytes of the fixed header."""

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


class MalformedPacket(ValueError):  # noqa: N818 - it says what is wrong, and whose fault it is
    """A datagram is not what it should be; the caller counts and drops it."""


class RtpPacket(NamedTuple):
    """One RTP packet.

    Attributes:
        payload_type: 0..127.
        sequence: 0..65535.
        timestamp: In units of the payload's clock, 32 bits.
        ssrc: The stream's identity, 32 bits.
        payload: What it carries, without padding.
        marker: For audio, the first packet after silence (RFC 3551 §4.1).
        csrcs: Contributing sources, at most 15.
        extension: The header extension's profile (16 bits) and its bytes (a multiple of 4).
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read a datagram.

        Args:
            data: All of it.

        Raises:
            MalformedPacket: It is too short, of another version, or its header, extension or
                padding claims more bytes than there are.
        """
        size = len(data)
        if size < HEADER_SIZE:
            raise MalformedPacket("shorter than an RTP header")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise MalformedPacket("not RTP version 2")
        begin, end = HEADER_SIZE, size
        csrcs: tuple[int, ...] = ()
        extension: tuple[int, bytes] | None = None
        if first & 0x3F:  # rare on a telephone line: padding, extension or contributors
            if count := first & 0x0F:
                begin += 4 * count
                if begin > size:
                    raise MalformedPacket("contributing sources reach beyond the packet")
                csrcs = struct.unpack_from(f"!{count}I", data, HEADER_SIZE)
            if first & 0x10:
                if begin + 4 > size:
                    raise MalformedPacket("the header extension reaches beyond the packet")
                profile, words = _EXTENSION.unpack_from(data, begin)
                begin += 4
                if begin + 4 * words > size:
                    raise MalformedPacket("the header extension reaches beyond the packet")
                extension = (profile, data[begin : begin + 4 * words])
                begin += 4 * words
            if first & 0x20:
                padding = data[-1]
                if padding == 0 or begin + padding > size:
                    raise MalformedPacket("the padding reaches beyond the payload")
                end -= padding
        return cls(
            second & 0x7F,
            sequence,
            timestamp,
            ssrc,
            data[begin:end],
            second > 0x7F,
            csrcs,
            extension,
        )

    def serialise(self) -> bytes:
        """Make the datagram, without padding.

        Raises:
            ValueError: A field does not fit in its bits, or the extension is no multiple of 4.
        """
        if not 0 <= self.payload_type <= 0x7F:
            raise ValueError(f"RTP payload type {self.payload_type} is not within 0..127.")
        if len(self.csrcs) > 0x0F:
            raise ValueError(f"RTP carries at most 15 contributing sources, not {len(self.csrcs)}.")
        first = 0x80 | len(self.csrcs) | (0x10 if self.extension is not None else 0)
        try:
            header = _HEADER.pack(
                first,
                self.payload_type | (0x80 if self.marker else 0),
                self.sequence,
                self.timestamp,
                self.ssrc,
            )
            if first == 0x80:
                return header + self.payload
            header += struct.pack(f"!{len(self.csrcs)}I", *self.csrcs)
            if self.extension is not None:
                profile, body = self.extension
                if len(body) % 4:
                    raise ValueError("An RTP header extension is a whole number of 4-byte words.")
                header += _EXTENSION.pack(profile, len(body) // 4) + body
        except struct.error as error:
            raise ValueError(f"An RTP header field does not fit in its bits: {error}.") from error
        return header + self.payload


def is_rtcp(data: bytes) -> bool:
    """Tell RTCP from RTP where both share a port (RFC 5761 §4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def sequence_delta(new: int, old: int) -> int:
    """How far sequence number `new` is ahead of `old`, -32768..32767, through the wrap."""
    return ((new - old + 0x8000) & 0xFFFF) - 0x8000


def timestamp_delta(new: int, old: int) -> int:
    """How far timestamp `new` is ahead of `old` in clock units, through the wrap of 32 bits."""
    return ((new - old + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
