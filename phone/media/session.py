"""One call's media, pure: packets and the time go in, packets and audio come out.

    session = MediaSession(MediaConfig(codecs={0: "PCMU"}, remote=("192.0.2.7", 4000)))
    session.receive(datagram, source, now)      # whatever came to the port
    pcm = session.pull(now)                     # 20 ms of what the caller says, every 20 ms
    session.push(pcm)                           # what the agent says, in pieces of any length
    for packet in session.tick(now): ...        # what to send now

`endpoint.MediaEndpoint` does just that with a socket and a clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from vivavoce.pipelines.audio.convert import Int16

from . import rtcp
from .codec import Opus, make_codec
from .dtmf import Digit, DtmfReceiver
from .inband import ToneDetector
from .jitter import Limits
from .latch import Latch
from .noise import PAYLOAD_TYPE as COMFORT_NOISE
from .receiver import BLOCK, Heard, Receiver
from .rtp import Address, MalformedPacket, RtpPacket, is_rtcp
from .sender import Sender, Sent
from .srtp import Crypto, Srtp, SrtpCounts

LARGEST = 2048
"""Datagrams longer than this are dropped unread (bytes)."""

_MAX_EVENTS = 256  # that wait to be fetched; the oldest are dropped


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """What offer and answer agreed on.

    Attributes:
        codecs: SDP encoding names by payload type; the first is what we send. They share one
            rate and one clock, so PCMU and PCMA go together.
        remote: Address in the other side's SDP; None where it had none that can be used.
        ptime: Audio in each packet that we send (s); theirs may be anything from 10 to 60 ms.
        event_type: Payload type of telephone events, None if they are not spoken.
        heard_event_type: Theirs, where it is another.
        event_clock: Their clock (Hz).
        inband: Listen for keys in the sound: always, never, or (None) as long as the other
            side has not shown that it tells them by events.
        comfort_noise_type: Payload type of comfort noise that may come.
        rtcp_mux: RTCP shares the port (RFC 5761).
        remote_rtcp: Address of the other side's RTCP if neither shared nor the next port.
        local_crypto: The crypto line that we sent; with `remote_crypto` it makes SRTP.
        remote_crypto: The crypto line that the other side sent.
        limits: Bounds of the jitter buffer's delay.
        suppress: Send nothing in silence (see `sender.Sender`).
        opus_rate: Sample rate of the audio with Opus (Hz).
        cname: RTCP's name for us; random by default, so that it says nothing.
        wall_offset: What to add to `now` for seconds since 1970, for RTCP's clock.
    """

    codecs: Mapping[int, str] = field(default_factory=lambda: {0: "PCMU"})
    remote: Address | None = None
    ptime: float = 0.020
    event_type: int | None = 101
    heard_event_type: int | None = None
    event_clock: int = 8_000
    inband: bool | None = None
    comfort_noise_type: int | None = COMFORT_NOISE
    rtcp_mux: bool = False
    remote_rtcp: Address | None = None
    local_crypto: Crypto | None = None
    remote_crypto: Crypto | None = None
    limits: Limits = field(default_factory=Limits)
    suppress: bool = False
    opus_rate: int = 16_000
    cname: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    wall_offset: float = 0.0

    def __post_init__(self) -> None:
        if not self.codecs:
            raise ValueError("A call needs a codec: give one, such as {0: 'PCMU'}.")
        if (self.local_crypto is None) != (self.remote_crypto is None):
            raise ValueError("SRTP needs the crypto lines of both sides, or of neither.")
        for number in (self.event_type, self.heard_event_type):
            if number in self.codecs:
                raise ValueError(f"Payload type {number} is both a codec and the events.")


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The other side's RTCP says that its stream has ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Media now comes from, and goes to, another address than before."""

    address: Address


Event: TypeAlias = Digit | Goodbye | Moved


class Outgoing(NamedTuple):
    """A datagram to send.

    Attributes:
        data: The datagram.
        address: Where to.
        rtcp: From the RTCP port, where that is another.
    """

    data: bytes
    address: Address
    rtcp: bool = False


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of a call's media.

    Attributes:
        heard: Of the way in.
        sent: Of the way out.
        lost: Packets of the present stream that never arrived, by its sequence numbers.
        jitter: RFC 3550's interarrival jitter (s).
        round_trip: By RTCP (s), None if it was never measured.
        remote_lost: Share of our packets that the other side lacked in its last report.
        rejected: Packets from addresses that may not send.
        malformed: Datagrams that are no RTP or RTCP.
        unknown: Packets of payload types that nobody agreed on.
        moves: How often the other side's address changed.
        srtp: Packets that SRTP refused; None without SRTP.
    """

    heard: Heard
    sent: Sent
    lost: int
    jitter: float
    round_trip: float | None
    remote_lost: float | None
    rejected: int
    malformed: int
    unknown: int
    moves: int
    srtp: SrtpCounts | None


class MediaSession:
    """One call's media.

    All `now` are seconds on one monotonic clock. Not thread-safe.

    Args:
        config: What was agreed on.

    Raises:
        ValueError: The codecs do not go together, or are not spoken here.

    Attributes:
        rate: Sample rate of `pull` and `push` (Hz).
        receiving: Whether the caller is heard; False gives silence (a call on hold).
    """

    def __init__(self, config: MediaConfig) -> None:
        codecs = {
            kind: make_codec(name, opus_rate=config.opus_rate)
            for kind, name in config.codecs.items()
        }
        first = next(iter(codecs))
        self._codec = codecs[first]
        self.config = config
        self.receiving = True
        self._types = frozenset(codecs)
        theirs = config.heard_event_type
        self._event = config.event_type if theirs is None else theirs
        self._receiver = Receiver(codecs, config.limits)
        self.rate = self._receiver.rate
        self._sender = Sender(
            codecs[first],
            first,
            ptime=config.ptime,
            event_type=config.event_type,
            event_clock=config.event_clock,
            suppress=config.suppress,
        )
        self._latch = Latch(config.remote)
        self._rtcp_address = config.remote_rtcp
        self._srtp: Srtp | None = None
        if config.local_crypto is not None and config.remote_crypto is not None:
            self._srtp = Srtp(config.local_crypto, config.remote_crypto)
        self._dtmf = DtmfReceiver(config.event_clock)
        self._tones = ToneDetector(self.rate) if config.inband is not False else None
        self._reception: rtcp.Reception | None = None
        self._reporter = rtcp.Reporter(
            self._sender.ssrc, config.cname, wall_offset=config.wall_offset
        )
        self._events: list[Event] = []
        self._malformed = self._unknown = 0
        self._heard_at: float | None = None

    @property
    def remote(self) -> Address | None:
        """Where our packets go."""
        return self._latch.address

    @property
    def queued(self) -> float:
        """Audio pushed and not sent yet (s)."""
        return self._sender.queued

    @property
    def dialling(self) -> bool:
        """Whether keys are being sent."""
        return self._sender.dialling

    @property
    def due(self) -> float | None:
        """When the next packet is due (s on the caller's clock), None before the first `tick`."""
        return self._sender.due

    @property
    def sending(self) -> bool:
        """Whether packets are sent; set it to False for a call on hold. Time goes on."""
        return self._sender.enabled

    @sending.setter
    def sending(self, value: bool) -> None:
        self._sender.enabled = value

    def quiet_for(self, now: float) -> float | None:
        """How long no acceptable packet came (s), None if there never was one."""
        return None if self._heard_at is None else now - self._heard_at

    def signal(self, remote: Address | None) -> None:
        """Take the address of a new SDP (re-INVITE, UPDATE); the same one changes nothing."""
        self._latch.signal(remote)

    # -- the way in

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram that came to the RTP port. Never raises, whatever it is."""
        if not 0 < len(data) <= LARGEST:
            self._malformed += 1
            return
        if self.config.rtcp_mux and is_rtcp(data):
            self.receive_rtcp(data, source, now)
            return
        secure = self._srtp is not None
        if self._srtp is not None:
            opened = self._srtp.unprotect(data)
            if opened is None:
                return
            data = opened
        try:
            packet = RtpPacket.parse(data)
        except MalformedPacket:
            self._malformed += 1
            return
        config = self.config
        kind = packet.payload_type
        if kind not in self._types and kind not in (self._event, config.comfort_noise_type):
            self._unknown += 1
            return
        if source != self._latch.address:
            before = self._latch.moves
            if not self._latch.accept(
                source, packet.ssrc, packet.sequence, now, authenticated=secure
            ):
                return
            if self._latch.moves != before:
                self._tell(Moved(source))
        else:
            self._latch.accept(source, packet.ssrc, packet.sequence, now)
        self._heard_at = now
        if not self.receiving:
            return
        if kind in self._types:
            self._receiver.receive(packet, now)
        elif kind == self._event:
            self._receiver.note(packet, now)
            # It tells its keys by events: the tones that may leak beside them are the same keys.
            if config.inband is None:
                self._tones = None
            for digit in self._dtmf.receive(packet.payload, packet.timestamp, now):
                self._tell(digit)
        else:
            self._receiver.describe_silence(packet, now)
        self._count(packet, now)

    def receive_rtcp(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram that came to the RTCP port. Never raises, whatever it is."""
        if self._srtp is not None:
            opened = self._srtp.unprotect_rtcp(data)
            if opened is None:
                return
            data = opened
        elif not self._latch.accept_rtcp(source):
            return
        try:
            reports = rtcp.parse(data)
        except MalformedPacket:
            self._malformed += 1
            return
        if not self.config.rtcp_mux:
            self._rtcp_address = source
        before = self._reporter.remote
        self._reporter.received(reports, now)
        remote = self._reporter.remote
        if remote is not None and remote is not before and isinstance(self._codec, Opus):
            self._codec.told(remote.fraction_lost / 256)
        for report in reports:
            if isinstance(report, rtcp.SenderReport):
                if self._reception is not None and report.ssrc == self._reception.ssrc:
                    self._reception.reported(report, now)
            elif isinstance(report, rtcp.Goodbye) and self._receiver.ssrc in report.ssrcs:
                self._tell(Goodbye(report.reason))

    def pull(self, now: float) -> Int16:
        """Give the next 20 ms of what the caller says; call it every 20 ms.

        Returns:
            A new int16 array of `rate / 50` samples.
        """
        if not self.receiving:
            return np.zeros(round(self.rate * BLOCK), np.int16)
        pcm = self._receiver.pull(now)
        if self._tones is not None:
            for digit in self._tones.feed(pcm):
                self._tell(digit)
        return pcm

    def events(self) -> list[Event]:
        """Fetch what has happened since the last call: keys, a goodbye, another address."""
        if not self._events:
            return []
        events, self._events = self._events, []
        return events

    # -- the way out

    def push(self, pcm: Int16, at: int | None = None) -> None:
        """Queue audio to send (int16 at `rate`, any length); `at` as in `Sender.push`."""
        self._sender.push(pcm, at)

    def push_encoded(self, payload: bytes) -> None:
        """Queue a packet that is encoded already: `Sender.push_encoded`."""
        self._sender.push_encoded(payload)

    def reserve(self, pcm: Int16, at: int) -> None:
        """Keep what is about to be pushed, lest a late push leaves a gap: `Sender.reserve`."""
        self._sender.reserve(pcm, at)

    @property
    def left(self) -> int:
        """Samples that were sent or dropped of all that was ever pushed or reserved."""
        return self._sender.left

    def flush(self) -> float:
        """Drop what waits to be sent, but for a fade of 10 ms: the caller has cut in.

        Returns:
            How much was dropped (s).
        """
        return self._sender.flush()

    def send_dtmf(self, keys: str) -> None:
        """Queue keys to press; audio waits until they are sent.

        Raises:
            ValueError: A character is no key, or the other side takes no telephone events.
        """
        self._sender.send_dtmf(keys)

    def tick(self, now: float) -> list[Outgoing]:
        """Give the datagrams to send now.

        Call it when `due` comes, or more often. Late audio is dropped, never accumulated.
        """
        for digit in self._dtmf.tick(now):
            self._tell(digit)
        address = self._latch.address
        packets = self._sender.tick(now)
        out: list[Outgoing] = []
        if address is None:
            return out
        for packet in packets:
            data = packet.serialise()
            if self._srtp is not None:
                data = self._srtp.protect(data)
            out.append(Outgoing(data, address))
        if self._reporter.due(now):
            sent = self._sender.figures
            stamp = self._sender.timestamp(now)
            report = self._reporter.report(now, stamp, sent.packets, sent.octets, self._reception)
            out += self._control(report, address)
        return out

    def goodbye(self, now: float) -> list[Outgoing]:
        """Give the RTCP that ends our stream; send it once, at the end of the call."""
        address = self._latch.address
        if address is None:
            return []
        return self._control(self._reporter.goodbye(now, self._reception), address)

    def statistics(self) -> Statistics:
        """Give the figures so far."""
        reception = self._reception
        remote = self._reporter.remote
        return Statistics(
            heard=self._receiver.heard(),
            sent=self._sender.figures,
            lost=reception.lost if reception else 0,
            jitter=reception.jitter if reception else 0.0,
            round_trip=self._reporter.round_trip,
            remote_lost=remote.fraction_lost / 256 if remote else None,
            rejected=self._latch.rejected,
            malformed=self._malformed,
            unknown=self._unknown,
            moves=self._latch.moves,
            srtp=self._srtp.counts if self._srtp else None,
        )

    def _control(self, report: bytes, address: Address) -> list[Outgoing]:
        if self._srtp is not None:
            report = self._srtp.protect_rtcp(report)
        if self.config.rtcp_mux:
            return [Outgoing(report, address)]
        target = self._rtcp_address or (address[0], address[1] + 1)
        return [Outgoing(report, target, rtcp=True)] if 0 < target[1] < 65536 else []

    def _count(self, packet: RtpPacket, now: float) -> None:
        if packet.ssrc != self._receiver.ssrc:
            return
        if self._reception is None or self._reception.ssrc != packet.ssrc:
            clock = self._receiver.clock_rate
            self._reception = rtcp.Reception(packet.ssrc, packet.sequence, clock)
        audio = packet.payload_type in self._types
        self._reception.arrived(packet.sequence, packet.timestamp, now, timed=audio)

    def _tell(self, event: Event) -> None:
        if len(self._events) >= _MAX_EVENTS:
            del self._events[0]
        self._events.append(event)
