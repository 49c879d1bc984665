"""The jitter buffer: packets in as the network gives them, audio out when its time has come.

It keeps a play position on the sender's own timeline. A packet is played when the position
reaches its timestamp; how far the position lags behind the earliest packets is the delay, and
the delay is steered towards what the jitter needs, within `Limits`. Steering is done where
nobody hears it (pauses, losses) here, and by `receiver.Receiver` elsewhere.

Pure and without audio: it says what comes next, and the receiver makes it sound.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .drift import Arrivals
from .rtp import RtpPacket, sequence_delta, timestamp_delta

_UNIT = 0.010  # s: how much is concealed or left silent at once
_PATIENCE = 0.12  # s: so long without packets and the stream is taken to pause
_MARGIN = 0.005  # s above what the jitter needs
_ROOM = 0.12  # s: what may be buffered above the longest delay, for packets come in bursts
_MAX_PACKETS = 128
_MAX_DROPOUT, _MAX_MISORDER = 3000, 100  # RFC 3550 A.1


class Kind(Enum):
    """What comes next."""

    PACKET = "packet"
    LOST = "lost"  # it was sent and is not here: conceal
    PAUSE = "pause"  # nothing was sent: silence or comfort noise


class Take(NamedTuple):
    """One decision of the buffer.

    Attributes:
        kind: What comes next.
        length: How long it is (clock units).
        packet: The packet, for `Kind.PACKET`.
        following: The packet right behind what is lost, which may carry it again.
    """

    kind: Kind
    length: int
    packet: RtpPacket | None = None
    following: RtpPacket | None = None


class _Held(NamedTuple):
    packet: RtpPacket
    sequence: int  # extended
    timestamp: int  # extended
    duration: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the delay.

    Attributes:
        shortest: Even a perfect network is given this much (s).
        longest: Not even the worst is given more (s).
    """

    shortest: float = 0.040
    longest: float = 0.200

    def __post_init__(self) -> None:
        if not 0.0 <= self.shortest <= self.longest <= 1.0:
            raise ValueError(
                f"A jitter buffer's delay lies between 0 and 1 s, the shortest first: "
                f"{self.shortest} to {self.longest} s cannot be."
            )


@dataclass(slots=True)
class Counts:
    """What happened to packets.

    Attributes:
        received: Given to the buffer.
        played: Handed out.
        late: Came after their time.
        duplicate: Came twice.
        reordered: Came after a later one, in time or not.
        overflow: Dropped because too many waited.
        revived: Came late into an empty buffer and were played all the same, the delay growing.
        pauses: How often the stream stopped.
    """

    received: int = 0
    played: int = 0
    late: int = 0
    duplicate: int = 0
    reordered: int = 0
    overflow: int = 0
    revived: int = 0
    pauses: int = 0


class JitterBuffer:
    """One stream's buffer. An SSRC of its own gets a `reset`.

    Args:
        clock_rate: Units of the timestamps per second.
        limits: Bounds of the delay.
        step: How much is taken at once (s): what is needed last is needed that much earlier.

    Attributes:
        counts: What happened to packets; kept over a `reset`.
        arrivals: Drift and jitter of the stream.
    """

    def __init__(
        self, clock_rate: int, limits: Limits | None = None, *, step: float = 0.020
    ) -> None:
        self.counts = Counts()
        self.arrivals = Arrivals()
        self._clock = clock_rate
        self._limits = limits or Limits()
        self._unit = round(clock_rate * _UNIT)
        self._need = step + _MARGIN
        self.reset()

    def reset(self) -> None:
        """Forget the stream: another begins."""
        self.arrivals.reset()
        self._held: list[_Held] = []  # by sequence
        self._seen: set[int] = set()
        self._order: deque[int] = deque()
        self._silent: set[int] = set()  # sequence numbers that carry no audio
        self._highest = self._stamp = 0  # extended sequence, and the timestamp that it had
        self._begun = False
        self._playing = False
        self._play = 0  # the position: extended timestamp of what is next
        self._last = 0  # extended sequence of what was played last
        self._starved = 0  # clock units since the last packet was played
        self._quiet = False  # what came last was no audio
        self._bad = -1

    @property
    def playing(self) -> bool:
        """Whether the stream is running, rather than pausing or not begun."""
        return self._playing

    @property
    def target(self) -> float:
        """The delay that the jitter asks for (s)."""
        wanted = self.arrivals.spread + self._need
        return max(self._limits.shortest, min(wanted, self._limits.longest))

    @property
    def waiting(self) -> int:
        """Packets in the buffer."""
        return len(self._held)

    def delay(self, now: float, behind: int = 0) -> float:
        """How much later the sound is played than the earliest packets would allow (s).

        Args:
            now: The time (s).
            behind: Clock units that were taken but not played yet.
        """
        position = (self._play - behind) / self._clock
        return now - position - self.arrivals.base(now)

    def span(self) -> float:
        """How much sound is in the buffer, holes included (s)."""
        if not self._held:
            return 0.0
        begin = self._play if self._playing else self._held[0].timestamp
        return max(0.0, (self._held[-1].timestamp + self._held[-1].duration - begin) / self._clock)

    def insert(self, packet: RtpPacket, duration: int, now: float, *, audio: bool = True) -> bool:
        """Take a packet.

        Args:
            packet: From the one stream this buffer is for.
            duration: How long it lasts (clock units).
            now: When it arrived (s).
            audio: False for what shares the stream's numbers but is no audio (telephone events,
                comfort noise): it is only noted, so that it does not count as lost.

        Returns:
            Whether it was new and in time.
        """
        self.counts.received += 1
        extended = self._extend(packet)
        if extended is None:
            return False
        sequence, timestamp = extended
        if sequence in self._seen:
            self.counts.duplicate += 1
            return False
        self._note(sequence)
        if not audio:
            if sequence > self._last:
                self._silent.add(sequence)
            return True
        self.arrivals.add(timestamp / self._clock, now)
        if sequence < self._highest:
            self.counts.reordered += 1
        if not self._in_time(sequence, timestamp, duration, now):
            self.counts.late += 1
            return False
        at = len(self._held)
        while at and self._held[at - 1].sequence > sequence:
            at -= 1
        self._held.insert(at, _Held(packet, sequence, timestamp, duration))
        self._bound()
        return True

    def take(self, now: float, behind: int = 0) -> Take:
        """Say what comes next; the position moves on by it.

        Args:
            now: The time (s).
            behind: Clock units taken before and not played yet.
        """
        if not self._playing and not self._start(now, behind):
            return Take(Kind.PAUSE, self._unit)
        self._pass_silent()
        if not self._held:
            return self._starve()
        head = self._held[0]
        gap = head.timestamp - self._play
        if gap > self._clock:
            gap = 0  # more than a second of nothing: the timestamps have jumped
        if gap > 0:
            contiguous = head.sequence == self._last + 1
            excess = self.delay(now, behind) - self.target
            if contiguous and excess < -_UNIT:
                return Take(Kind.PAUSE, self._unit)  # a longer pause, a longer delay
            if excess > _UNIT:
                skipped = min(gap, int(excess * self._clock))
                self._play += skipped
                gap -= skipped
            if gap > 0:
                # The last that is lost goes as one: what follows may carry it again.
                whole = not contiguous and gap <= head.duration
                length = gap if whole else min(gap, self._unit)
                self._play += length
                self._starved += length
                kind = Kind.PAUSE if contiguous else Kind.LOST
                return Take(kind, length, None, head.packet if whole else None)
        del self._held[0]
        self._last = head.sequence
        self._play = head.timestamp + head.duration
        self._starved = 0
        self._quiet = False
        self.counts.played += 1
        return Take(Kind.PACKET, head.duration, head.packet)

    # -- numbers that wrap

    def _extend(self, packet: RtpPacket) -> tuple[int, int] | None:
        """Unwrap a packet's numbers; None while they make no sense."""
        if not self._begun:
            self._begun = True
            self._highest = packet.sequence
            self._stamp = packet.timestamp
            self._last = packet.sequence - 1
            return packet.sequence, packet.timestamp
        delta = sequence_delta(packet.sequence, self._highest & 0xFFFF)
        if delta > _MAX_DROPOUT or delta < -_MAX_MISORDER:
            # Far away: one stray, or a sender that began again and whose next one confirms it.
            if packet.sequence != self._bad:
                self._bad = (packet.sequence + 1) & 0xFFFF
                return None
            self.reset()
            return self._extend(packet)
        self._bad = -1
        sequence = self._highest + delta
        timestamp = self._stamp + timestamp_delta(packet.timestamp, self._stamp & 0xFFFF_FFFF)
        if delta > 0:
            self._highest = sequence
            self._stamp = timestamp
        return sequence, timestamp

    def _note(self, sequence: int) -> None:
        self._seen.add(sequence)
        self._order.append(sequence)
        if len(self._order) > 512:
            self._seen.discard(self._order.popleft())

    # -- when to play

    def _in_time(self, sequence: int, timestamp: int, duration: int, now: float) -> bool:
        """Whether a packet can still be played; may move the position back to it."""
        if sequence <= self._last:
            return False
        if not self._playing or timestamp + duration > self._play:
            return True
        if self._held:
            # The newest of all in the past: odd timestamps, for order says that it is next.
            return self._held[-1].sequence < sequence
        if self._starved == 0:
            return True
        # Late, but nothing newer was played: only made-up sound. Rather than lose it too, wait
        # for it after the fact, unless the delay would grow too long.
        if now - timestamp / self._clock - self.arrivals.base(now) > self._limits.longest + _UNIT:
            return False
        self._play = timestamp
        self.counts.revived += 1
        return True

    def _start(self, now: float, behind: int) -> bool:
        """Begin to play if the first packet has waited long enough."""
        if not self._held:
            return False
        head = self._held[0]
        delay = now - (head.timestamp - behind) / self._clock - self.arrivals.base(now)
        if delay < self.target - _UNIT / 2 and self.waiting < _MAX_PACKETS // 2:
            return False
        self._playing = True
        self._play = head.timestamp
        self._last = head.sequence - 1
        self._silent = {number for number in self._silent if number > self._last}
        self._starved = 0
        return True

    def _pass_silent(self) -> None:
        while self._last + 1 in self._silent:
            self._last += 1
            self._silent.discard(self._last)
            self._quiet = True
        if len(self._silent) > _MAX_PACKETS:  # behind holes that nobody filled
            if not self._held:
                self._last = max(self._last, *self._silent)
            self._silent.clear()

    def _starve(self) -> Take:
        """Nothing is there: conceal for a while, then call it a pause."""
        self._play += self._unit
        self._starved += self._unit
        if self._starved > self._clock * _PATIENCE:
            self._playing = False
            self.counts.pauses += 1
            return Take(Kind.PAUSE, self._unit)
        return Take(Kind.PAUSE if self._quiet else Kind.LOST, self._unit)

    def _bound(self) -> None:
        """Keep what waits within the longest delay, and within reason while nobody takes."""
        if self._playing and self.span() > self._limits.longest + _ROOM:
            newest = self._held[-1].timestamp + self._held[-1].duration
            wanted = newest - int(self.target * self._clock)
            while len(self._held) > 1 and self._held[0].timestamp < wanted:
                self._drop()
            self._play = max(self._play, self._held[0].timestamp)
        while len(self._held) > _MAX_PACKETS:
            self._drop()

    def _drop(self) -> None:
        self._last = self._held.pop(0).sequence
        self.counts.overflow += 1
