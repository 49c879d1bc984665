"""A take: what the caller said and heard, on the caller's clock; and what is measured on it. Pure.

Times are seconds since the take began. The caller's sample `n` is captured at `n / RATE`; a block
is sent when its last sample is. A packet counts from its arrival at the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field

RATE = 16_000
"""Of the caller's audio (Hz)."""
BLOCK = RATE // 50
"""Samples of a block of it: 20 ms."""
AUDIBLE = 96
"""Amplitude (of 32767) from which a packet counts as sound: about -50 dBFS."""


@dataclass(frozen=True, slots=True)
class Packet:
    """Agent audio as it arrived.

    Attributes:
        at: Its arrival (s).
        seconds: Its length.
        peak: Its largest amplitude (0-32768).
        goes_on: Whether its sound is cut at its end, and has to go on in the next packet.
    """

    at: float
    seconds: float
    peak: int
    goes_on: bool = True

    @property
    def audible(self) -> bool:
        """Whether it holds sound."""
        return self.peak >= AUDIBLE


@dataclass(slots=True)
class Take:
    """One turn as the caller had it.

    Attributes:
        packets: All agent audio, in order of arrival.
        late: The most that a block of the caller's audio was sent too late (s).
    """

    packets: list[Packet] = field(default_factory=list)
    late: float = 0.0

    def first_sound(self, after: float = 0.0) -> float | None:
        """Return the arrival of the first packet with sound from a moment on (s)."""
        return next((p.at for p in self.packets if p.audible and p.at >= after), None)

    def last_sound(self) -> float | None:
        """Return the arrival of the last packet with sound (s)."""
        return next((p.at for p in reversed(self.packets) if p.audible), None)

    def silent_since(self, now: float) -> float:
        """Return for how long nothing has sounded (s); packets are heard until their end."""
        for packet in reversed(self.packets):
            if packet.audible:
                return max(0.0, now - packet.at - packet.seconds)
        return now

    def spoken(self, after: float) -> float:
        """Return how much sound arrived from a moment on (s)."""
        return sum(p.seconds for p in self.packets if p.audible and p.at >= after)

    def breaks(self, gap: float = 0.4) -> list[float]:
        """Return the starts of the stretches of sound that `gap` seconds of silence part (s)."""
        starts: list[float] = []
        end = -gap
        for packet in self.packets:
            if packet.audible:
                if packet.at - end >= gap:
                    starts.append(packet.at)
                end = packet.at + packet.seconds
        return starts


@dataclass(frozen=True, slots=True)
class Answer:
    """How a turn was answered.

    Attributes:
        v2v: First sound minus the caller's last voiced sample (s); None if it was premature or
            lost.
        premature: A reply began before the caller had finished.
        lost: No reply came, or none behind the end of the turn.
    """

    v2v: float | None
    premature: bool
    lost: bool


def answer(take: Take, voiced_end: float) -> Answer:
    """Judge a turn whose last voiced sample was captured at `voiced_end` (s)."""
    first = take.first_sound()
    premature = first is not None and first < voiced_end
    after = take.first_sound(voiced_end)
    # What still sounds of a premature reply is no answer to the whole turn; it is counted once.
    return Answer(
        v2v=None if premature or after is None else after - voiced_end,
        premature=premature,
        lost=after is None,
    )


@dataclass(frozen=True, slots=True)
class Cut:
    """How a barge-in was met.

    Attributes:
        reaction: The caller's first voiced sample to the last packet of the reply (s); None if
            the reply did not stop.
        stopped: Whether it did, within the caller's words and one second behind them.
    """

    reaction: float | None
    stopped: bool


def barge_in(take: Take, began: float, limit: float, quiet: float = 0.3) -> Cut:
    """Judge an interruption that begins at `began` (s) and must have had its effect by `limit`.

    The reply stops where no sound arrives for `quiet` seconds.
    """
    last = began
    for packet in take.packets:
        if not packet.audible or packet.at < began:
            continue
        if packet.at - last > quiet:
            break
        last = packet.at
        if last > limit:
            return Cut(None, stopped=False)
    return Cut(last - began, stopped=True)
