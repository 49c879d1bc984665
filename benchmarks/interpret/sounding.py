"""When a translation sounded, measured where it is heard: from the packets of a take. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from vivavoce.agent.segment import Segment
from vivavoce.pipelines.benching.take import Packet

ROUNDED = 0.1
"""Seconds by which a place may be off: the last packet of each piece is padded."""


class Sound:
    """All sound that arrived, as one stretch: which part of it was heard when.

    Args:
        packets: What arrived, in order.

    Attributes:
        seconds: How much sound there is (s).
    """

    def __init__(self, packets: Sequence[Packet]) -> None:
        audible = [packet for packet in packets if packet.audible]
        self._begins: list[float] = []
        end = 0.0
        for packet in audible:
            # A packet is heard behind the one in front of it, also where it arrives early.
            begin = max(packet.at, end)
            self._begins.append(begin)
            end = begin + packet.seconds
        self._edges = list(accumulate((packet.seconds for packet in audible), initial=0.0))
        self.seconds = self._edges[-1]

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """Begin and end of each stretch without a pause of a tenth of a second (s)."""
        found: list[tuple[float, float]] = []
        lengths = np.diff(self._edges)
        for begin, length in zip(self._begins, lengths, strict=True):
            if found and begin - found[-1][1] < 0.1:
                found[-1] = (found[-1][0], begin + float(length))
            else:
                found.append((begin, begin + float(length)))
        return found

    def at(self, place: float, *, end: bool = False) -> float:
        """Return when the sound at a place of the stretch was heard (s).

        Args:
            place: Seconds of sound before it.
            end: It is the end of something: a pause behind it does not count.
        """
        near = self._index(place)
        beyond = self._index(place - ROUNDED if end else place + ROUNDED)
        first, last = sorted((near, beyond))
        paused = self._begins[last] - self._begins[first]
        paused -= self._edges[last] - self._edges[first]
        if paused > ROUNDED:
            # What packets round off must not move it to the other side of a pause.
            return self._begins[last] - paused if end else self._begins[last]
        return self._begins[near] + max(0.0, place - self._edges[near])

    def _index(self, place: float) -> int:
        index = int(np.searchsorted(self._edges, place, side="right")) - 1
        return min(max(index, 0), len(self._begins) - 1)


def segments_of(
    told: Sequence[dict[str, object]], sound: Sound, source: str, target: str
) -> list[Segment]:
    """Return what a peer told of its turns as segments, each where its sound was heard.

    Args:
        told: `{"heard": n, "text"}`, `{"written": n, "text"}` and `{"spoken": n, "seconds"}`.
        sound: What arrived.
        source: The language that was spoken.
        target: The language of the translation.
    """
    made: dict[int, Segment] = {}
    place = 0.0
    # Padding adds up: all that was told is all that was heard.
    total = sum(float(str(one["seconds"])) for one in told if "spoken" in one)
    scale = sound.seconds / total if total else 1.0
    for one in told:
        if "heard" in one:
            number = int(str(one["heard"]))
            text = str(one["text"])
            made[number] = Segment(number, "A", source, target, text, 0.0, 0.0)
        elif "written" in one:
            made[int(str(one["written"]))].caption(str(one["text"]))
        elif "spoken" in one:
            segment = made[int(str(one["spoken"]))]
            seconds = float(str(one["seconds"])) * scale
            if segment.spoken_from is None:
                segment.spoken_from = sound.at(place)
            place += seconds
            segment.spoken_to = sound.at(place, end=True)
            segment.state = "spoken"
    return [made[number] for number in sorted(made)]
