"""Scaling: how many workers are wanted, by how much they are used. Pure: times are seconds.

Up at once when there is little room, for a worker takes seconds to start; down only after a quiet
while, one at a time, and only where the calls would fit on one fewer with room to spare: a service
that breathes does not start and end workers with each breath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vivavoce.web.cluster.state import WorkerState


@dataclass(frozen=True, slots=True)
class Scale:
    """Bounds of how many workers there are.

    Attributes:
        least: At least so many.
        most: At most.
        up: Share of all room that is used from which on one more is started.
        down: Share that would be used with one fewer, below which one is drained.
        quiet: Seconds for which that has to hold.
        step: Seconds between two changes, in which what was started gets its share.
    """

    least: int = 1
    most: int = 1
    up: float = 0.75
    down: float = 0.5
    quiet: float = 300.0
    step: float = 10.0

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError(f"workers: from {self.least} to {self.most} is no range above 0")
        if not 0 < self.down < self.up <= 1:
            raise ValueError("workers: down is less than up, and both are shares")
        if not self.quiet > 0:
            raise ValueError(f"quiet = {self.quiet:g}: give seconds, more than 0")


class Scaler:
    """Decides how many workers are wanted.

    Args:
        scale: Within which bounds.
    """

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.wanted = scale.least
        self._changed = float("-inf")
        self._quiet_since: float | None = None

    def decide(self, states: Sequence[WorkerState], now: float) -> int:
        """Return how many workers are wanted.

        Args:
            states: How those that take calls stand; draining ones are left out of account.
            now: The time.
        """
        scale = self.scale
        taking = [each for each in states if not each.draining]
        calls = sum(each.calls for each in taking)
        total = calls + sum(each.room for each in taking)
        if not taking or len(taking) != self.wanted:
            self._quiet_since = None
            return self.wanted  # it is being changed still
        used = calls / total if total else 1.0
        if used >= scale.up:
            self._quiet_since = None
            if self.wanted < scale.most and now - self._changed >= scale.step:
                self.wanted, self._changed = self.wanted + 1, now
            return self.wanted
        fewer = total * (len(taking) - 1) / len(taking)
        if self.wanted <= scale.least or not fewer or calls / fewer >= scale.down:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        elif now - self._quiet_since >= scale.quiet:
            self.wanted, self._changed, self._quiet_since = self.wanted - 1, now, None
        return self.wanted


@dataclass(slots=True)
class Backoff:
    """How long to wait before a worker is started in the place of one that died.

    One that had lived is replaced at once; those that die soon after, again and again, wait twice
    as long each time: an agent that cannot be imported is no reason to burn a core.

    Attributes:
        first: Seconds after the second death in a row.
        most: Seconds at most.
        lived: Seconds after which a worker had lived.
    """

    first: float = 0.5
    most: float = 30.0
    lived: float = 60.0
    _row: int = 0

    def forgive(self) -> None:
        """Forget deaths so far: what they were of is no more."""
        self._row = 0

    def died(self, age: float) -> float:
        """Take a death; return the seconds to wait.

        Args:
            age: How long the worker was there (s); 0 for one that did not start.
        """
        self._row = 0 if age >= self.lived else self._row + 1
        if self._row < 2:
            return 0.0
        return float(min(self.most, self.first * 2 ** min(self._row - 2, 16)))
