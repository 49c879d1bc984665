"""The pulse: the event loop's lag since the process began, and the worst of the last seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from vivavoce.pipelines.lag import Lags

RECENT = 10.0
"""Seconds that count as recent."""


class Pulse(Lags):
    """A histogram of lags that also knows the recent worst.

    Args:
        now: The clock (s), monotonic.
    """

    __slots__ = ("_now", "_worst")

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._worst: deque[tuple[int, float]] = deque()  # by the second

    def add(self, seconds: float) -> None:
        """Take a delay (s)."""
        super().add(seconds)
        second = int(self._now())
        if self._worst and self._worst[-1][0] == second:
            if seconds > self._worst[-1][1]:
                self._worst[-1] = (second, seconds)
            return
        self._worst.append((second, max(0.0, seconds)))
        while self._worst[0][0] < second - RECENT:
            self._worst.popleft()

    @property
    def worst(self) -> float:
        """The longest lag of the last `RECENT` seconds (s); 0 where nobody looked."""
        since = self._now() - RECENT - 1
        return max((lag for second, lag in self._worst if second >= since), default=0.0)
