"""The call's clock: seconds that only go forward, and may be wound forward."""

from __future__ import annotations

import asyncio


class Clock:
    """The event loop's monotonic clock, plus what was skipped.

    A call that plays a file need not wait where nothing happens: its transport skips the time
    until the next frame. Everything that happens in a call is stamped by this one clock.
    """

    __slots__ = ("_loop", "_origin", "_skipped")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # From zero: the same moments of two calls are the same numbers, to the last digit.
        self._origin = self._loop.time()
        self._skipped = 0.0

    def now(self) -> float:
        """Return the time in seconds; only differences mean anything."""
        return self._loop.time() - self._origin + self._skipped

    def skip(self, seconds: float) -> None:
        """Wind the clock forward; a negative amount is ignored."""
        self._skipped += max(0.0, seconds)
