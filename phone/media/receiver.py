"""The way in: one stream's packets become an even flow of audio.

The jitter buffer says what is next, the codec decodes it, the concealer bridges what is lost,
comfort noise fills what was never sent, and the stretcher keeps the delay where it should be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vivavoce.pipelines.audio.convert import Int16

from .codec import LONGEST, Codec, CodecError
from .conceal import Concealer
from .drift import Stretcher
from .jitter import Counts, JitterBuffer, Kind, Limits
from .noise import ComfortNoise
from .rtp import RtpPacket, sequence_delta

BLOCK = 0.020
"""Length of what one `pull` gives (s)."""

_QUIET = 100.0  # RMS of int16, about -50 dBFS: where samples may be dropped or added unheard
_SLIP = 0.006  # s off the target before that is done
_DRIFTING = 0.001  # 0.1 %: from here on the speed is corrected, below slips are enough
_HURRY = 0.030  # s off the target: from here on the speed is changed, quiet place or not
_GAIN = 0.15  # of the speed's correction, per second of error
_PUSH = 0.008  # the most of it
_SETTLED = 0.0004
_STALE = 0.2  # s without the old SSRC: a new one is believed at once


@dataclass(frozen=True, slots=True)
class Heard:
    """Figures of the way in.

    Attributes:
        packets: What happened to packets.
        pulled: Audio given out (s).
        concealed: Of that, made up where packets were lost (s).
        repaired: Of that, of lost packets that the next one carried again (s).
        gaps: How often something was made up.
        undecodable: Packets that the codec refused.
        streams: SSRCs that were played one after the other.
        delay: The jitter buffer's delay (s), 0 while nothing plays.
        target: The delay that it aims at (s).
        buffered: Sound in the buffer (s).
        drift: Speed of the sender's clock relative to ours, less one.
        jitter: How far packets' transit times spread (s).
        slipped: Dropped (negative) or added at quiet places (s).
    """

    packets: Counts
    pulled: float
    concealed: float
    repaired: float
    gaps: int
    undecodable: int
    streams: int
    delay: float
    target: float
    buffered: float
    drift: float
    jitter: float
    slipped: float


class Receiver:
    """One call's way in.

    Args:
        codecs: By payload type; all of one rate and clock, for a sender may change between them
            from one packet to the next.
        limits: Bounds of the jitter buffer's delay.

    Raises:
        ValueError: There is no codec, or two disagree about the rate.

    Attributes:
        rate: Sample rate of what `pull` gives (Hz).
        clock_rate: Units of the timestamps per second.
        ssrc: The stream being played, or None.
    """

    def __init__(self, codecs: dict[int, Codec], limits: Limits | None = None) -> None:
        if len({(codec.rate, codec.clock_rate) for codec in codecs.values()}) != 1:
            raise ValueError(
                "The codecs of one call share one sample rate and one clock: answer the offer "
                "with codecs that do, such as PCMU and PCMA."
            )
        first = next(iter(codecs.values()))
        self.rate = first.rate
        self.ssrc: int | None = None
        self._codecs = codecs
        self.clock_rate = self._clock = first.clock_rate
        self._jitter = JitterBuffer(self._clock, limits, step=BLOCK)
        self._concealer = Concealer(self.rate)
        self._noise = ComfortNoise(self.rate)
        self._stretcher = Stretcher()
        self._block = round(self.rate * BLOCK)
        self._heard_at = 0.0
        self._rival: tuple[int, int] | None = None  # SSRC, next sequence number
        self._rival_packet: RtpPacket | None = None
        self._undecodable = 0
        self._streams = 0
        self._pulled = 0
        self._repaired = 0
        self._slipped = 0
        self._delay = self._error = 0.0  # as of the last pull (s)

    def receive(self, packet: RtpPacket, now: float) -> bool:
        """Take an audio packet of a payload type that there is a codec for.

        Returns:
            Whether it belongs to the stream being played, and was new and in time.
        """
        duration = self._codecs[packet.payload_type].duration(packet.payload)
        if not 0 < duration <= LONGEST * self._clock:
            self._undecodable += 1
            return False
        if packet.ssrc != self.ssrc:
            if not self._change(packet, now):
                return False
        elif self._rival is not None:
            self._rival = self._rival_packet = None  # the old one lives
        self._heard_at = now
        return self._jitter.insert(packet, duration, now)

    def note(self, packet: RtpPacket, now: float) -> None:
        """Take a packet that shares the stream's numbers but is no audio (a telephone event)."""
        if packet.ssrc == self.ssrc:
            self._jitter.insert(packet, 0, now, audio=False)

    def describe_silence(self, packet: RtpPacket, now: float) -> None:
        """Take a comfort noise packet (RFC 3389)."""
        if packet.ssrc == self.ssrc:
            self._noise.update(packet.payload)
            self.note(packet, now)

    def pull(self, now: float) -> Int16:
        """Give the next 20 ms, silence where there is nothing.

        Returns:
            A new int16 array of `rate / 50` samples.
        """
        stretcher = self._stretcher
        self._steer(now)
        while (missing := stretcher.missing(self._block)) > 0:
            stretcher.feed(self._next(now, missing))
        self._pulled += self._block
        return stretcher.take(self._block)

    def heard(self) -> Heard:
        """Give the figures so far."""
        return Heard(
            packets=self._jitter.counts,
            pulled=self._pulled / self.rate,
            concealed=self._concealer.concealed / self.rate,
            repaired=self._repaired / self.rate,
            gaps=self._concealer.gaps,
            undecodable=self._undecodable,
            streams=self._streams,
            delay=self._delay if self._jitter.playing else 0.0,
            target=self._jitter.target,
            buffered=self._jitter.span() + self._stretcher.waiting / self.rate,
            drift=self._jitter.arrivals.drift,
            jitter=self._jitter.arrivals.spread,
            slipped=self._slipped / self.rate,
        )

    # -- what comes next

    def _next(self, now: float, missing: int) -> Int16:
        take = self._jitter.take(now, self._behind())
        if take.packet is not None:
            try:
                pcm = self._codecs[take.packet.payload_type].decode(take.packet.payload)
            except CodecError:
                self._undecodable += 1
                pcm = np.zeros(0, np.int16)
            if len(pcm):
                return self._slip(self._concealer.good(pcm))
            return self._concealer.lost(take.length * self.rate // self._clock)
        count = max(1, take.length * self.rate // self._clock)
        if take.kind is Kind.LOST:
            return self._mend(take.following, count)
        if not self._jitter.playing:
            count = missing  # while nothing plays, no more than is needed: it would be a delay
        return self._concealer.good(self._noise.take(count))

    def _mend(self, following: RtpPacket | None, count: int) -> Int16:
        """Give what was lost as the next packet has it, or make it up."""
        if following is not None:
            codec = self._codecs[following.payload_type]
            pcm = codec.repair(following.payload, count)
            if pcm is not None:
                self._repaired += count
                return self._concealer.good(pcm)
        return self._concealer.lost(count)

    def _behind(self) -> int:
        return self._stretcher.waiting * self._clock // self.rate

    def _change(self, packet: RtpPacket, now: float) -> bool:
        """Decide whether another SSRC is the new stream.

        It is if the old one is gone, or after two packets in order with none of the old one
        between them: two streams at once must not tear each other to pieces.
        """
        fresh = self.ssrc is None or now - self._heard_at > _STALE
        held = self._rival_packet
        if not fresh and (
            self._rival is None
            or self._rival[0] != packet.ssrc
            or sequence_delta(packet.sequence, self._rival[1]) != 0
        ):
            self._rival = (packet.ssrc, (packet.sequence + 1) & 0xFFFF)
            self._rival_packet = packet
            return False
        confirmed = not fresh
        self.ssrc = packet.ssrc
        self._streams += 1
        self._rival = self._rival_packet = None
        self._jitter.reset()
        self._noise.reset()
        if confirmed and held is not None:
            self._jitter.insert(held, self._codecs[held.payload_type].duration(held.payload), now)
        return True

    # -- steering the delay

    def _steer(self, now: float) -> None:
        """Set the speed so that drift is followed and the delay comes to its target."""
        if not self._jitter.playing:
            self._error = 0.0
            return
        self._delay = self._jitter.delay(now, self._behind())
        error = self._error = self._delay - self._jitter.target
        drift = self._jitter.arrivals.drift
        stretcher = self._stretcher
        if not stretcher.stretching and abs(drift) < _DRIFTING and abs(error) < _HURRY:
            return
        stretcher.set_speed(1.0 + drift + max(-_PUSH, min(error * _GAIN, _PUSH)))

    def _slip(self, pcm: Int16) -> Int16:
        """Drop or add samples where it is quiet and the delay is off its target."""
        error = self._error
        if abs(error) < _SLIP and not self._stretcher.stretching:
            return pcm
        audio = pcm.astype(np.float32)
        loudness = math.sqrt(float(np.dot(audio, audio)) / max(1, len(audio)))
        if loudness > _QUIET:
            return pcm
        drift = self._jitter.arrivals.drift
        if self._stretcher.stretching and abs(drift) < _SETTLED and abs(error) < _HURRY / 2:
            self._stretcher.settle()
        if error > _SLIP:
            dropped = min(int(error * self.rate), len(pcm))
            self._slipped -= dropped
            self._error -= dropped / self.rate
            return pcm[dropped:]
        if error < -_SLIP:
            added = min(int(-error * self.rate), len(pcm))
            self._slipped += added
            self._error += added / self.rate
            # As loud as what follows, but nothing that was heard before.
            filler = np.random.default_rng(self._pulled).standard_normal(added) * loudness
            return np.concatenate((filler.astype(np.int16), pcm))
        return pcm
