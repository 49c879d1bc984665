"""The way out: audio that is pushed in bursts leaves as packets at an even pace.

The pace is the RTP clock's own: packet n is due n packet lengths after the first, whenever
`tick` happens to be called. If that is late by a few packets they leave at once; what is later
than that is dropped and the timestamps jump over it, for late audio that is sent all the same
would stay late for the rest of the call.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

import numpy as np

from vivavoce.pipelines.audio.chunks import take
from vivavoce.pipelines.audio.convert import Int16

from .codec import Codec
from .dtmf import DtmfSender
from .rtp import RtpPacket

CATCH_UP = 3
"""Packets that may leave at once after a delay of ours."""

_HAIR = 1e-6  # s
_FADE = 0.010  # s: the end of speech that is cut
_KEEP_ALIVE = 1.0  # s: while silence is suppressed, a packet at least this often, for NATs


@dataclass(slots=True)
class Sent:
    """Figures of the way out.

    Attributes:
        packets: RTP packets made.
        octets: Their payloads' bytes.
        skipped: Packets never made because `tick` came too late.
        dropped: Audio dropped with them, or because too much was pushed (s).
        flushed: Audio dropped by `flush` (s).
        borrowed: Audio of the reserve that was sent because nobody pushed any in time (s).
        talkspurts: How often sound began after a silence in which nothing was sent.
        latest: The most that a packet was made after it was due (s).
    """

    packets: int = 0
    octets: int = 0
    skipped: int = 0
    dropped: float = 0.0
    flushed: float = 0.0
    borrowed: float = 0.0
    talkspurts: int = 0
    latest: float = 0.0


class Sender:
    """One call's way out.

    Args:
        codec: What encodes; its state belongs to this sender and the receiver of the call.
        payload_type: The codec's.
        ptime: Audio in each packet (s), 0.01 to 0.06.
        event_type: Payload type of telephone events, None if the other side takes none.
        event_clock: Their clock (Hz).
        suppress: Send nothing in silence, rather than packets full of it. Off by default: many
            a PBX takes a stream without packets for a dead one.
        limit: Most audio that may wait (s); the oldest is dropped beyond it.
        ssrc: Ours; random by default.
        seed: Of SSRC, first sequence number and first timestamp; for tests.

    Raises:
        ValueError: The packet length is impossible.

    Attributes:
        left: Samples that were sent or dropped of all that was ever pushed or borrowed.
    """

    def __init__(
        self,
        codec: Codec,
        payload_type: int,
        *,
        ptime: float = 0.020,
        event_type: int | None = None,
        event_clock: int = 8_000,
        suppress: bool = False,
        limit: float = 60.0,
        ssrc: int | None = None,
        seed: int | None = None,
    ) -> None:
        if not 0.010 <= ptime <= 0.060:
            raise ValueError(f"A packet carries 10 to 60 ms of audio, not {ptime * 1e3:g} ms.")
        # Unpredictable, for who can guess them can forge (RFC 3550 §5.1).
        chance = random.SystemRandom() if seed is None else random.Random(seed)
        self.figures = Sent()
        self.ssrc = chance.getrandbits(32) if ssrc is None else ssrc
        self.enabled = True
        self._codec = codec
        self._payload_type = payload_type
        self._ptime = ptime
        self._samples = round(codec.rate * ptime)
        self._step = round(codec.clock_rate * ptime)
        self._suppress = suppress
        self._limit = round(limit * codec.rate)
        self._sequence = chance.getrandbits(16)
        self._timestamp = chance.getrandbits(32)
        self._event_type = event_type
        self._events = DtmfSender(event_clock)
        self._event_timestamp = 0
        self._queue: deque[Int16] = deque()
        self._encoded: deque[bytes] = deque()
        self._queued = 0
        self._reserve = np.zeros(0, np.int16)
        self.left = 0
        self._due: float | None = None
        self._sent_at = 0.0
        self._marker = True
        self._quiet = codec.silence * self._samples if codec.silence is not None else None

    @property
    def queued(self) -> float:
        """Audio that waits to be sent (s)."""
        return self._queued / self._codec.rate + len(self._encoded) * self._ptime

    @property
    def due(self) -> float | None:
        """When the next packet is due (s); None before the first `tick`."""
        return self._due

    @property
    def dialling(self) -> bool:
        """Whether keys are being sent; audio waits for them."""
        return self._events.busy

    def timestamp(self, now: float) -> int:
        """The RTP timestamp of this moment, for reports."""
        ahead = 0.0 if self._due is None else self._due - now
        return (self._timestamp - round(ahead * self._codec.clock_rate)) & 0xFFFF_FFFF

    def push(self, pcm: Int16, at: int | None = None) -> None:
        """Queue audio.

        Args:
            pcm: int16 at the codec's rate, shape (n,), kept and not copied.
            at: Its position among all that was ever pushed (samples), where there is a reserve:
                what was sent out of that already is not sent again.
        """
        if at is not None:
            pcm = pcm[max(0, self.left + self._queued - at) :]
        if not len(pcm):
            return
        self._reserve = self._reserve[len(pcm) :]
        self._queue.append(pcm)
        self._queued += len(pcm)
        if self._queued > self._limit:
            excess = self._queued - self._limit
            self._take(excess)
            self.figures.dropped += excess / self._codec.rate

    def push_encoded(self, payload: bytes) -> None:
        """Queue a packet that is encoded already: what many listeners hear is encoded once.

        It goes before pushed audio, and is no part of `left`. A stream is of one kind or the
        other: an encoder's state and the receiver's go together.

        Args:
            payload: One packet length of the codec's.
        """
        self._encoded.append(payload)
        if len(self._encoded) * self._samples > self._limit:
            self._encoded.popleft()
            self.figures.dropped += self._ptime

    def reserve(self, pcm: Int16, at: int) -> None:
        """Keep what is about to be pushed, to send it if nobody comes to push it in time.

        Args:
            pcm: int16, in place of the reserve that there is; empty for none.
            at: Its position among all that was ever pushed (samples).
        """
        self._reserve = pcm[max(0, self.left + self._queued - at) :]

    def flush(self) -> float:
        """Fall silent: drop what waits, but for a fade of 10 ms lest it click.

        Returns:
            How much was dropped (s).
        """
        before, encoded = self._queued, len(self._encoded) * self._ptime
        tail = self._take(min(before, round(self._codec.rate * _FADE)))
        self.left += self._queued - len(tail)
        self._reserve = np.zeros(0, np.int16)
        self._encoded.clear()
        self._queue.clear()
        self._queued = 0
        if len(tail):
            ramp = np.linspace(1, 0, len(tail), endpoint=False, dtype=np.float32)
            self._queue.append((tail * ramp).astype(np.int16))
            self._queued = len(tail)
        dropped = (before - self._queued) / self._codec.rate + encoded
        self.figures.flushed += dropped
        return dropped

    def send_dtmf(self, keys: str) -> None:
        """Queue keys (see `dtmf.DtmfSender.send`); audio waits until they are sent.

        Raises:
            ValueError: A character is no key, or the other side takes no telephone events.
        """
        if self._event_type is None:
            raise ValueError(
                "The other side takes no telephone events (no telephone-event in its SDP): "
                "send the keys by SIP INFO."
            )
        self._events.send(keys)

    def tick(self, now: float) -> list[RtpPacket]:
        """Make the packets that are due.

        Args:
            now: The time (s); never earlier than before.
        """
        if self._due is None:
            self._due = now
        made: list[RtpPacket] = []
        # A hair of tolerance, for the sum of many packet lengths is not exact.
        if now < self._due - _HAIR:
            return made
        late = max(0.0, now - self._due)
        self.figures.latest = max(self.figures.latest, late)
        behind = int((late + _HAIR) / self._ptime) + 1
        if behind > CATCH_UP:
            self._skip(behind - CATCH_UP)
        while self._due <= now + _HAIR:
            packet = self._make(self._due)
            self._due += self._ptime
            self._timestamp = (self._timestamp + self._step) & 0xFFFF_FFFF
            if packet is not None:
                made.append(packet)
        return made

    def _skip(self, count: int) -> None:
        assert self._due is not None
        for _ in range(min(count, len(self._encoded))):
            self._encoded.popleft()
            self.figures.dropped += self._ptime
        missed = min(self._queued, count * self._samples) if not self._events.busy else 0
        self._take(missed)
        self.figures.dropped += missed / self._codec.rate
        self.figures.skipped += count
        self._due += count * self._ptime
        self._timestamp = (self._timestamp + count * self._step) & 0xFFFF_FFFF
        self._marker = True

    def _make(self, now: float) -> RtpPacket | None:
        if self._events.busy:
            event = self._events.step(self._ptime)
            if not self.enabled:
                return None
            if event is not None and self._event_type is not None:
                if event.marker:
                    self._event_timestamp = self._timestamp
                self._marker = True  # of the audio that follows
                return self._packet(
                    self._event_type, self._event_timestamp, event.payload, event.marker, now
                )
            pcm = np.zeros(0, np.int16)
        elif self._encoded:
            return self._relay(self._encoded.popleft(), now)
        else:
            pcm = self._take(min(self._queued, self._samples))
            if len(self._reserve) and self.enabled and len(pcm) < self._samples:
                pcm = self._borrow(pcm)
        if not self.enabled:
            self._marker = True
            return None
        if self._suppress and not pcm.any() and now - self._sent_at < _KEEP_ALIVE:
            self._marker = True
            return None
        if not len(pcm) and self._quiet is not None:
            payload = self._quiet
        else:
            if len(pcm) < self._samples:
                pcm = np.concatenate((pcm, np.zeros(self._samples - len(pcm), np.int16)))
            payload = self._codec.encode(pcm)
        return self._sound(payload, now)

    def _relay(self, payload: bytes, now: float) -> RtpPacket | None:
        if self.enabled:
            return self._sound(payload, now)
        self._marker = True
        return None

    def _sound(self, payload: bytes, now: float) -> RtpPacket:
        marker = self._marker
        self._marker = False
        self.figures.talkspurts += marker
        return self._packet(self._payload_type, self._timestamp, payload, marker, now)

    def _packet(
        self, payload_type: int, timestamp: int, payload: bytes, marker: bool, now: float
    ) -> RtpPacket:
        packet = RtpPacket(payload_type, self._sequence, timestamp, self.ssrc, payload, marker)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._sent_at = now
        self.figures.packets += 1
        self.figures.octets += len(payload)
        return packet

    def _borrow(self, pcm: Int16) -> Int16:
        """Fill a packet from the reserve."""
        lent = self._reserve[: self._samples - len(pcm)]
        self._reserve = self._reserve[len(lent) :]
        self.left += len(lent)
        self.figures.borrowed += len(lent) / self._codec.rate
        return np.concatenate((pcm, lent)) if len(pcm) else lent

    def _take(self, count: int) -> Int16:
        taken = take(self._queue, count)
        self._queued -= len(taken)
        self.left += len(taken)
        return taken
