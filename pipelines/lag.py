"""Loop lag: how long the event loop kept a call waiting.

All calls of a process share its event loop, so whatever blocks it, even in another call, delays
this one's audio. A timer that should fire every 20 ms tells: how late it does is how long the loop
was busy with something else. One timer serves all calls of a loop, so that many calls do not cost
many wake-ups.
"""

from __future__ import annotations

import asyncio
import math

EVERY = 0.02
"""Seconds between two looks. A stall shorter than this may fall between them, and of one it meets
it sees what is left; over a call the longest ones are seen nearly whole."""
_FINEST = 1e-4  # s; what is less late counts as on time
_RATIO = 1.1  # between the bounds of neighbouring bins: percentiles are right to 10 %
_BINS = 128  # up to 18 s
_SHARES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


class Lags:
    """A histogram of delays; pure. Memory is fixed, and adding costs half a microsecond.

    Attributes:
        count: How many there were.
        longest: The longest one (s).
        total: Their sum (s).
    """

    __slots__ = ("_bins", "count", "longest", "total")

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0.0
        self.total = 0.0
        self._bins = [0] * _BINS

    def add(self, seconds: float) -> None:
        """Take a delay (s); a negative one counts as none."""
        self.count += 1
        if seconds <= _FINEST:
            self._bins[0] += 1
            return
        self.longest = max(self.longest, seconds)
        self.total += seconds
        place = math.ceil(math.log(seconds / _FINEST) / math.log(_RATIO))
        self._bins[min(place, _BINS - 1)] += 1

    def at_most(self, seconds: float) -> int:
        """Return how many were no longer than that (s); up to a tenth of it too low a bound."""
        if seconds <= _FINEST:
            return self._bins[0]
        last = math.floor(math.log(seconds / _FINEST) / math.log(_RATIO) + 1e-9)
        return sum(self._bins[: last + 1])

    def percentile(self, percent: float) -> float:
        """Return the delay (s) that so many percent of them do not exceed; 0 if there are none.

        Raises:
            ValueError: If `percent` is not within 0 and 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile is within 0 and 100, not {percent}")
        if percent == 100:
            return self.longest
        wanted, seen = self.count * percent / 100, 0
        for place, number in enumerate(self._bins):
            seen += number
            if number and seen >= wanted:
                return min(_FINEST * _RATIO**place, self.longest) if place else 0.0
        return 0.0


class LoopLag:
    """What one call saw of its event loop's lag, from `start` to `close`.

    Not for a loop whose time is simulated: its timer never lets such a loop rest.

    Args:
        lags: Where it is entered; its own if None.
    """

    def __init__(self, lags: Lags | None = None) -> None:
        self._lags = Lags() if lags is None else lags
        self._timer: _Timer | None = None

    def start(self) -> None:
        """Begin to watch the running loop; once more is the same."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            if loop not in _timers:
                _timers[loop] = _Timer(loop)
            self._timer = _timers[loop]
            self._timer.add(self._lags)

    def close(self) -> None:
        """End watching; the figures stay. Idempotent."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.remove(self._lags)

    @property
    def count(self) -> int:
        """How often it looked."""
        return self._lags.count

    @property
    def p50(self) -> float:
        """The median lag (ms). Timers fire on whole milliseconds, so up to 1 ms is on time."""
        return self._lags.percentile(50) * 1000

    @property
    def p99(self) -> float:
        """What one look in a hundred exceeds (ms)."""
        return self._lags.percentile(99) * 1000

    def to_dict(self) -> dict[str, float]:
        """Return the figures in ms, as the ledger's percentiles; empty before the first look."""
        if not self.count:
            return {}
        shares = {name: self._lags.percentile(share) for name, share in _SHARES.items()}
        return {name: round(seconds * 1000, 1) for name, seconds in shares.items()}

    @property
    def max(self) -> float:
        """The longest lag (ms)."""
        return self._lags.longest * 1000


class _Timer:
    """A loop's timer; it runs while somebody watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watching: list[Lags] = []
        self._due = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def add(self, lags: Lags) -> None:
        self._watching.append(lags)
        if self._handle is None:
            self._due = self._loop.time() + EVERY
            self._handle = self._loop.call_at(self._due, self._look)

    def remove(self, lags: Lags) -> None:
        self._watching = [one for one in self._watching if one is not lags]
        if not self._watching and self._handle is not None:
            self._handle.cancel()
            self._handle = None
            _timers.pop(self._loop, None)

    def _look(self) -> None:
        now = self._loop.time()
        late = now - self._due
        for lags in self._watching:
            lags.add(late)
        # From now on, not from when it was due: one stall is one delay, not a series of them.
        self._due = now + EVERY
        self._handle = self._loop.call_at(self._due, self._look)


_timers: dict[asyncio.AbstractEventLoop, _Timer] = {}
