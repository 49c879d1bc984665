"""Named telephone events: keys pressed, as RTP packets of their own (RFC 4733).

Pure, both ways. An event is told by packets that share one RTP timestamp, its beginning; each
says how long it has lasted so far, and the last, with the end bit, is sent three times.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import NamedTuple

KEYS = "0123456789*#ABCD"
"""The keys in the order of their event codes, 0 to 15."""

LONGEST = 0xFFFF
"""The longest duration that one event packet can say (clock units): 8.2 s at 8 kHz."""

_EVENT = struct.Struct("!BBH")
_END_PACKETS = 3


class TelephoneEvent(NamedTuple):
    """The payload of an event packet (RFC 4733 §2.3).

    Attributes:
        event: Event code, 0..255; 0 to 15 are `KEYS`.
        end: The event is over.
        volume: Power of the tone in -dBm0, 0..63.
        duration: So far, in units of the payload type's clock.
    """

    event: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent | None:
        """Read a payload; None if it is none. Of several events in one only the first is read."""
        if len(payload) < _EVENT.size:
            return None
        event, flags, duration = _EVENT.unpack_from(payload)
        return cls(event, bool(flags & 0x80), flags & 0x3F, duration)

    def serialise(self) -> bytes:
        """Make the payload."""
        return _EVENT.pack(self.event, (0x80 if self.end else 0) | self.volume, self.duration)


class Digit(NamedTuple):
    """A key that was pressed and released.

    Attributes:
        key: One of `KEYS`.
        duration: How long it was held (s), as far as was told.
        inband: It was heard as a tone, not told as an event.
    """

    key: str
    duration: float
    inband: bool = False


class DtmfReceiver:
    """Puts event packets together to keys: each press once, however its packets are lost.

    Args:
        clock_rate: Of the event payload type (Hz).
        timeout: A press whose end is not told is over after this long without a packet (s).

    Attributes:
        held: The key that is down, or None.
    """

    def __init__(self, clock_rate: int = 8_000, *, timeout: float = 0.2) -> None:
        self.held: str | None = None
        self._clock_rate = clock_rate
        self._timeout = timeout
        self._code = -1
        self._timestamp = 0
        self._duration = 0
        self._before = 0  # of earlier segments of a press longer than one packet can say
        self._seen = 0.0
        self._known: deque[int] = deque(maxlen=8)  # timestamps of past events

    def receive(self, payload: bytes, timestamp: int, now: float) -> list[Digit]:
        """Take an event packet.

        Returns:
            What is complete now: usually nothing, or the one key.
        """
        event = TelephoneEvent.parse(payload)
        if event is None or event.event >= len(KEYS):
            return []
        done: list[Digit] = []
        if self.held is None or timestamp != self._timestamp:
            if timestamp in self._known:
                return []  # a repeated end, or one that took a longer way
            if self.held is not None and self._continues(event, timestamp):
                self._before += self._duration
                self._known.append(self._timestamp)
            else:
                done = self._release()  # its end was lost
                self._before = 0
            self.held = KEYS[event.event]
            self._code = event.event
            self._timestamp = timestamp
            self._duration = 0
        elif event.event != self._code:
            return []  # one beginning cannot be two keys: corrupt or forged
        self._seen = now
        self._duration = max(self._duration, event.duration)
        return done + self._release() if event.end else done

    def tick(self, now: float) -> list[Digit]:
        """Notice that a press is over although nothing said so."""
        if self.held is not None and now - self._seen >= self._timeout:
            return self._release()
        return []

    def _continues(self, event: TelephoneEvent, timestamp: int) -> bool:
        """Whether this is the next segment of a press too long for one (RFC 4733 §2.5.1.3)."""
        follows = (timestamp - self._timestamp) & 0xFFFF_FFFF
        return event.event == self._code and self._duration > 0xF000 and follows <= LONGEST + 960

    def _release(self) -> list[Digit]:
        if self.held is None:
            return []
        digit = Digit(self.held, (self._before + self._duration) / self._clock_rate)
        self._known.append(self._timestamp)
        self.held = None
        return [digit]


class EventPacket(NamedTuple):
    """One event packet to send.

    Attributes:
        payload: Its bytes.
        marker: The first of an event: its RTP timestamp is that of all of them.
    """

    payload: bytes
    marker: bool


class DtmfSender:
    """Makes the event packets of keys to be pressed one after the other.

    Args:
        clock_rate: Of the event payload type (Hz).
        tone: How long each key is held (s).
        pause: Silence between keys (s): ITU-T Q.24 wants 65 ms or more.
        volume: In -dBm0.
        limit: Most keys that may wait.
    """

    def __init__(
        self,
        clock_rate: int = 8_000,
        *,
        tone: float = 0.12,
        pause: float = 0.08,
        volume: int = 10,
        limit: int = 256,
    ) -> None:
        if not 0.04 <= tone <= LONGEST / clock_rate:
            raise ValueError(f"A DTMF tone lasts 0.04 to {LONGEST / clock_rate:.1f} s, not {tone}.")
        self._clock_rate = clock_rate
        self._tone = tone
        self._pause = pause
        self._volume = volume
        self._limit = limit
        self._keys: deque[int] = deque()
        self._key = 0  # being sent
        self._elapsed: float | None = None  # into it
        self._ends = 0
        self._rest = 0.0

    @property
    def busy(self) -> bool:
        """Whether keys or the pause between them are under way."""
        return bool(self._keys) or self._elapsed is not None or self._rest > 1e-9

    def send(self, keys: str) -> None:
        """Queue keys.

        Args:
            keys: Any of `KEYS`, lower case too; `,` or `w` for half a second of pause.

        Raises:
            ValueError: Some other character, or too many at once.
        """
        codes = []
        for key in keys.upper():
            if key in ",W":
                codes.append(-1)
            elif key in KEYS:
                codes.append(KEYS.index(key))
            else:
                raise ValueError(
                    f"{key!r} is no key of a telephone: use 0-9, *, #, A-D or a comma."
                )
        if len(self._keys) + len(codes) > self._limit:
            raise ValueError(f"More than {self._limit} keys wait to be sent: send fewer at once.")
        self._keys.extend(codes)

    def clear(self) -> None:
        """Drop keys that wait; the one being sent is finished, lest it hang at the other end."""
        self._keys.clear()

    def step(self, ptime: float) -> EventPacket | None:
        """Go on by one packet interval.

        Args:
            ptime: Its length (s).

        Returns:
            The packet to send at the end of that interval, or None for a pause. Ask only
            while `busy`.
        """
        if self._rest > 1e-9:
            self._rest -= ptime
            return None
        if self._elapsed is None:
            if not self._keys:
                return None
            if self._keys[0] < 0:
                self._keys.popleft()
                self._rest = 0.5 - ptime
                return None
            self._key = self._keys.popleft()
            self._elapsed = 0.0
            self._ends = 0
        self._elapsed += ptime
        held = min(self._elapsed, self._tone)
        end = self._elapsed >= self._tone - 1e-9
        event = TelephoneEvent(self._key, end, self._volume, round(held * self._clock_rate))
        packet = EventPacket(event.serialise(), self._elapsed <= ptime)
        if end:
            self._ends += 1
            if self._ends == _END_PACKETS:
                self._elapsed = None
                self._rest = max(0.0, self._pause - (_END_PACKETS - 1) * ptime)
        return packet
