"""Time: the intervals of RFC 3261 (table 4), and alarms on the clock that is passed in."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """The base intervals, seconds.

    Attributes:
        t1: Estimate of the round trip.
        t2: Longest interval between retransmissions of anything but INVITE.
        t4: How long a message may stay in the network.
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def patience(self) -> float:
        """64 × T1: timers B, D, F, H, J, L and M, and every other wait for a peer."""
        return 64 * self.t1


class Alarm:
    """One call back at one time; drop it with `cancel`."""

    __slots__ = ("at", "callback")

    def __init__(self, at: float, callback: Callable[[float], None]) -> None:
        self.at = at
        self.callback: Callable[[float], None] | None = callback

    def cancel(self) -> None:
        """Never ring. Idempotent. What the callback refers to is let go at once."""
        self.callback = None


class Alarms:
    """What rings when: a heap of alarms on one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._swept = 64

    def __len__(self) -> int:
        """Count those that can still ring."""
        return sum(alarm.callback is not None for _, _, alarm in self._heap)

    def at(self, when: float, callback: Callable[[float], None]) -> Alarm:
        """Have `callback(now)` called by the first `ring` at or after `when`."""
        if len(self._heap) > self._swept:
            # Most alarms are cancelled: without a sweep a long session timer's would pile up.
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._swept = max(64, 2 * len(self._heap))
        alarm = Alarm(when, callback)
        heapq.heappush(self._heap, (when, next(self._order), alarm))
        return alarm

    @property
    def next(self) -> float | None:
        """When `ring` has something to do next, None for never."""
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def ring(self, now: float) -> None:
        """Call all that is due, in order of time."""
        while (when := self.next) is not None and when <= now:
            _, _, alarm = heapq.heappop(self._heap)
            callback, alarm.callback = alarm.callback, None
            if callback is not None:
                callback(now)


class Repeater:
    """Sends something again after T1, doubling, until it is stopped or 64 × T1 are over.

    For what a transaction does not repeat: 2xx to INVITE (RFC 3261 §13.3.1.4, capped at T2) and
    reliable provisional responses (RFC 3262 §3, not capped).
    """

    def __init__(
        self,
        alarms: Alarms,
        timers: Timers,
        send: Callable[[], None],
        give_up: Callable[[float], None],
        *,
        now: float,
        cap: float | None,
    ) -> None:
        self._alarms, self._send, self._give_up = alarms, send, give_up
        self._interval, self._cap = timers.t1, cap
        self._end = now + timers.patience
        self._alarm = alarms.at(now + self._interval, self._ring)

    def stop(self) -> None:
        """Stop. Idempotent."""
        self._alarm.cancel()

    def _ring(self, now: float) -> None:
        if now >= self._end:
            self._give_up(now)
            return
        self._send()
        self._interval *= 2
        if self._cap is not None:
            self._interval = min(self._interval, self._cap)
        self._alarm = self._alarms.at(min(now + self._interval, self._end), self._ring)
