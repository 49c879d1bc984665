"""What a listener with a small buffer hears of an agent's packets. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.benching.take import AUDIBLE, Packet, Take

BUFFER = 0.020
"""Seconds of sound that the listener has in hand."""
TAIL = 0.0025
"""Seconds of a packet's end that tell whether its sound goes on: half a period of 220 Hz, and a
bit more, so that no zero crossing looks like an end."""
FADED = 0.7
"""Share of a packet's level below which its end has faded out."""


def goes_on(samples: NDArray[np.int16], rate: int) -> bool:
    """Whether a packet's sound (int16, mono) is cut at its end, and has to go on in the next."""
    loud = np.abs(samples.astype(np.int32))
    tail = int(loud[-max(1, round(TAIL * rate)) :].max(initial=0))
    return tail >= max(AUDIBLE, FADED * int(loud.max(initial=0)))


def lateness(packets: Sequence[Packet], buffer: float = BUFFER) -> list[float]:
    """Return by how much each packet with sound came too late to follow the one before (s).

    A stretch of sound begins with the first packet behind an end, and is played from its arrival
    on; from then on each packet is due when all before it have been heard. Where the sound before
    had faded out, what comes next begins another stretch: that is a pause of the speaker's (the
    next sentence was not there yet), which the listener takes for one. Where it was cut, the wait
    is a hole, whether nothing comes meanwhile or silence. A listener whose buffer has run dry
    starts again from the packet that came, so one stall is not counted for the rest of a reply.
    """
    found: list[float] = []
    due = 0.0
    cut = False  # the sound so far has to go on
    for packet in packets:
        if not packet.audible:
            continue  # sound that is missing; where it has ended, a pause
        if not cut:
            due = packet.at
        late = max(0.0, packet.at - due)
        found.append(late)
        if late >= buffer:
            due = packet.at
        due += packet.seconds
        cut = packet.goes_on
    return found


class Listening(Take):
    """A take whose questions cost nothing while it goes on: its caller asks with each block."""

    def __init__(self) -> None:
        super().__init__()
        self._first: tuple[float, float] | None = None  # asked from when, found when
        self._until = 0.0

    def add(self, packet: Packet) -> None:
        """Take a packet."""
        self.packets.append(packet)
        if packet.audible:
            self._until = packet.at + packet.seconds

    def first_sound(self, after: float = 0.0) -> float | None:
        """See `Take`."""
        if not self._until:
            return None
        if self._first is None or self._first[0] != after:
            found = super().first_sound(after)
            if found is None:
                return None
            self._first = after, found
        return self._first[1]

    def silent_since(self, now: float) -> float:
        """See `Take`."""
        return max(0.0, now - self._until)
