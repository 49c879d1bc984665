"""RTCP (RFC 3550 §6): reports of what was sent and what arrived, who speaks, and goodbye.

Pure. `parse` reads hostile compounds; `Reception` keeps a stream's loss and jitter figures
(appendices A.1, A.3, A.8); `Reporter` decides when a report is due and writes it.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from .rtp import MalformedPacket, sequence_delta

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203
"""Packet types (RFC 3550 §12.1)."""

_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!IIIII")
_MAX_DROPOUT, _MAX_MISORDER = 3000, 100  # RFC 3550 A.1


class ReportBlock(NamedTuple):
    """What one receiver says of one stream (RFC 3550 §6.4.1).

    Attributes:
        ssrc: The stream.
        fraction_lost: Since the last report, in 1/256.
        lost: Packets in all, may be negative when there were duplicates; 24 bits signed.
        highest: Extended highest sequence number received.
        jitter: Interarrival jitter in clock units.
        last_report: The middle 32 bits of the NTP time of the last sender report, or 0.
        since_report: Time since that report was received, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    since_report: int

    def serialise(self) -> bytes:
        """Make its 24 bytes."""
        lost = max(-0x80_0000, min(self.lost, 0x7F_FFFF)) & 0xFF_FFFF
        return _BLOCK.pack(
            self.ssrc,
            self.fraction_lost << 24 | lost,
            self.highest & 0xFFFF_FFFF,
            min(self.jitter, 0xFFFF_FFFF),
            self.last_report,
            min(self.since_report, 0xFFFF_FFFF),
        )


class SenderReport(NamedTuple):
    """What a sender says it sent; `ntp` is 64-bit fixed point seconds since 1900."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()

    def serialise(self) -> bytes:
        """Make the packet."""
        body = struct.pack("!I", self.ssrc) + _SENDER.pack(
            self.ntp >> 32 & 0xFFFF_FFFF,
            self.ntp & 0xFFFF_FFFF,
            self.timestamp,
            self.packets & 0xFFFF_FFFF,
            self.octets & 0xFFFF_FFFF,
        )
        return _packet(SENDER_REPORT, len(self.blocks), body + _join(self.blocks))


class ReceiverReport(NamedTuple):
    """What one that sends nothing has received."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    def serialise(self) -> bytes:
        """Make the packet."""
        body = struct.pack("!I", self.ssrc) + _join(self.blocks)
        return _packet(RECEIVER_REPORT, len(self.blocks), body)


class Description(NamedTuple):
    """A source's canonical name (SDES CNAME); other items are read over."""

    ssrc: int
    cname: str

    def serialise(self) -> bytes:
        """Make the packet."""
        name = self.cname.encode()[:255]
        chunk = struct.pack("!IBB", self.ssrc, 1, len(name)) + name + b"\0"
        return _packet(SOURCE_DESCRIPTION, 1, chunk + bytes(-len(chunk) % 4))


class Goodbye(NamedTuple):
    """Sources that have ended."""

    ssrcs: tuple[int, ...]
    reason: str = ""

    def serialise(self) -> bytes:
        """Make the packet."""
        body = struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        if self.reason:
            reason = self.reason.encode()[:255]
            body += bytes((len(reason),)) + reason
        return _packet(GOODBYE, len(self.ssrcs), body + bytes(-len(body) % 4))


Report: TypeAlias = SenderReport | ReceiverReport | Description | Goodbye


def _join(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(block.serialise() for block in blocks)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def parse(data: bytes) -> list[Report]:
    """Read a compound packet; types that we do not know are skipped.

    Raises:
        MalformedPacket: A packet in it claims more bytes than there are, or has another version.
    """
    found: list[Report] = []
    at = 0
    if len(data) < 8:
        raise MalformedPacket("shorter than an RTCP packet")
    while at < len(data):
        if at + 4 > len(data):
            raise MalformedPacket("an RTCP header is cut off")
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise MalformedPacket("an RTCP packet reaches beyond the datagram")
        body = data[at + 4 : end]
        if first & 0x20:
            if not body or not 0 < body[-1] <= len(body):
                raise MalformedPacket("RTCP padding reaches beyond the packet")
            body = body[: -body[-1]]
        found += _parse_one(kind, first & 0x1F, body)
        at = end
    return found


def _parse_one(kind: int, count: int, body: bytes) -> list[Report]:
    try:
        if kind == SENDER_REPORT:
            (ssrc,) = struct.unpack_from("!I", body)
            high, low, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
            blocks = _blocks(body, 24, count)
            return [SenderReport(ssrc, high << 32 | low, timestamp, packets, octets, blocks)]
        if kind == RECEIVER_REPORT:
            (ssrc,) = struct.unpack_from("!I", body)
            return [ReceiverReport(ssrc, _blocks(body, 4, count))]
        if kind == GOODBYE:
            ssrcs = struct.unpack_from(f"!{count}I", body)
            rest = body[4 * count :]
            reason = rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else ""
            return [Goodbye(ssrcs, reason)]
    except struct.error as error:
        raise MalformedPacket("an RTCP packet is shorter than it says") from error
    return _descriptions(count, body) if kind == SOURCE_DESCRIPTION else []


def _blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for index in range(count):
        ssrc, lost, highest, jitter, last, since = _BLOCK.unpack_from(body, at + 24 * index)
        cumulative = ((lost & 0xFF_FFFF) ^ 0x80_0000) - 0x80_0000
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative, highest, jitter, last, since))
    return tuple(blocks)


def _descriptions(count: int, body: bytes) -> list[Report]:
    found: list[Report] = []
    at = 0
    for _ in range(count):
        if at + 4 > len(body):
            raise MalformedPacket("a source description is cut off")
        (ssrc,) = struct.unpack_from("!I", body, at)
        at += 4
        while at < len(body) and body[at]:
            if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
                raise MalformedPacket("a source description is cut off")
            size = body[at + 1]
            if body[at] == 1:
                cname = body[at + 2 : at + 2 + size].decode("utf-8", "replace")
                found.append(Description(ssrc, cname))
            at += 2 + size
        at += 4 - at % 4  # the null that ends the list, and up to the next word
    return found


def ntp_time(wall: float) -> int:
    """Turn seconds since 1970 into NTP's 64-bit fixed point."""
    return int((wall + _NTP_EPOCH) * 2**32) & 0xFFFF_FFFF_FFFF_FFFF


class Reception:
    """What arrived of one stream, for reports (RFC 3550 A.1, A.3, A.8).

    Args:
        ssrc: The stream.
        sequence: The first packet's sequence number.
        clock_rate: Units of its timestamps per second.

    Attributes:
        received: Packets, duplicates included, as the RFC wants them.
        jitter: Interarrival jitter (s).
    """

    def __init__(self, ssrc: int, sequence: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.received = 0
        self.jitter = 0.0
        self._clock_rate = clock_rate
        self._base = self._highest = sequence
        self._bad = -1
        self._transit: float | None = None
        self._expected_prior = self._received_prior = 0
        self._last_report = 0
        self._last_report_at = 0.0

    @property
    def expected(self) -> int:
        """Packets that the sequence numbers say were sent."""
        return self._highest - self._base + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets lost in all; duplicates count against it, so it may be negative."""
        return self.expected - self.received

    @property
    def highest(self) -> int:
        """Extended highest sequence number received."""
        return self._highest

    def arrived(self, sequence: int, timestamp: int, now: float, *, timed: bool = True) -> None:
        """Count a packet.

        Args:
            sequence: Its sequence number.
            timestamp: Its RTP timestamp.
            now: When it arrived (s).
            timed: False for a timestamp that does not say when the packet was sent (telephone
                events): it counts, but has no jitter.
        """
        delta = sequence_delta(sequence, self._highest & 0xFFFF)
        if delta > _MAX_DROPOUT or delta < -_MAX_MISORDER:
            # Far away: a sender that began again, if the next one confirms it.
            if sequence != self._bad:
                self._bad = (sequence + 1) & 0xFFFF
                return
            self._base = self._highest = sequence
            self.received = self._expected_prior = self._received_prior = 0
            self._transit = None
        elif delta > 0:
            self._highest += delta
        self._bad = -1
        self.received += 1
        if not timed:
            return
        transit = now - timestamp / self._clock_rate
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < 10.0:  # else the timestamp has wrapped or jumped
                self.jitter += (difference - self.jitter) / 16.0
        self._transit = transit

    def reported(self, report: SenderReport, now: float) -> None:
        """Take the sender's report."""
        self._last_report = report.ntp >> 16 & 0xFFFF_FFFF
        self._last_report_at = now

    def block(self, now: float) -> ReportBlock:
        """Make the block for a report that leaves now; begins the next interval."""
        expected, received = self.expected, self.received
        due = expected - self._expected_prior
        missing = due - (received - self._received_prior)
        self._expected_prior, self._received_prior = expected, received
        fraction = min(255, missing * 256 // due) if due > 0 and missing > 0 else 0
        since = int((now - self._last_report_at) * 65536) if self._last_report else 0
        jitter = int(self.jitter * self._clock_rate)
        return ReportBlock(
            self.ssrc, fraction, self.lost, self._highest, jitter, self._last_report, since
        )


class Reporter:
    """Decides when to report and reads what the other side reports of us.

    Args:
        ssrc: Ours.
        cname: Our canonical name: it should say nothing of the machine (RFC 7022).
        interval: Mean time between reports (s); the real one is 0.5 to 1.5 times that.
        wall_offset: What to add to `now` to get seconds since 1970.
        seed: Of the interval's randomness; for tests.

    Attributes:
        round_trip: Last measured round trip (s), None before the first.
        remote: What the other side last said of our stream.
    """

    def __init__(
        self,
        ssrc: int,
        cname: str,
        *,
        interval: float = 5.0,
        wall_offset: float = 0.0,
        seed: int | None = None,
    ) -> None:
        self.ssrc = ssrc
        self.round_trip: float | None = None
        self.remote: ReportBlock | None = None
        self._cname = cname
        self._interval = interval
        self._wall_offset = wall_offset
        self._random = random.Random(seed)
        self._due: float | None = None

    def due(self, now: float) -> bool:
        """Whether a report should leave now; the first waits half an interval or more."""
        if self._due is None:
            self._due = now + self._interval * self._random.uniform(0.5, 1.0)
        if now < self._due:
            return False
        self._due = now + self._interval * self._random.uniform(0.5, 1.5)
        return True

    def report(
        self, now: float, timestamp: int, packets: int, octets: int, reception: Reception | None
    ) -> bytes:
        """Write a compound: a sender's or receiver's report, and who we are.

        Args:
            now: The time (s).
            timestamp: Our RTP timestamp at that time.
            packets: RTP packets sent so far; at none it is a receiver's report.
            octets: Payload bytes sent so far.
            reception: What has arrived.
        """
        blocks = (reception.block(now),) if reception is not None and reception.received else ()
        head = (
            SenderReport(self.ssrc, self._ntp(now), timestamp, packets, octets, blocks)
            if packets
            else ReceiverReport(self.ssrc, blocks)
        )
        return head.serialise() + Description(self.ssrc, self._cname).serialise()

    def goodbye(self, now: float, reception: Reception | None) -> bytes:
        """Write the compound that ends our stream."""
        return self.report(now, 0, 0, 0, reception) + Goodbye((self.ssrc,)).serialise()

    def received(self, reports: Sequence[Report], now: float) -> None:
        """Take reports of the other side, for what they say of our stream."""
        for report in reports:
            if not isinstance(report, SenderReport | ReceiverReport):
                continue
            for block in report.blocks:
                if block.ssrc != self.ssrc:
                    continue
                self.remote = block
                if block.last_report:
                    middle = self._ntp(now) >> 16 & 0xFFFF_FFFF
                    trip = (middle - block.last_report - block.since_report) & 0xFFFF_FFFF
                    if trip < 30 << 16:  # more is a clock that went back, or a lie
                        self.round_trip = trip / 65536

    def _ntp(self, now: float) -> int:
        return ntp_time(now + self._wall_offset)
