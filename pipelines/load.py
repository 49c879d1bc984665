"""Load: whether a process can take one more call without harm to those that it carries.

What a call costs depends on its agent, its codecs and the machine, so no fixed number of calls is
right. What counts is measured: how late the event loop is, and how much of its core it uses.

Two things would deceive who looks at the last seconds alone. A call that has just begun has not
cost much yet, so its part is set aside for it until it shows. And what calls use goes up and down
with who happens to speak, so that whoever takes a call in each quiet moment ends with too many:
what a call costs is therefore learned over a minute, and no more are taken than that allows,
whatever the last seconds say.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import deque
from dataclasses import dataclass

from vivavoce.agent.options import OptionError

EVERY = 0.02
"""Seconds between two looks at the loop."""
SLICE = 0.25
"""Seconds that are counted together."""
SETTLING = 4.0
"""Seconds until a new call costs what calls cost: greeting, connections and models' warm-up."""
RECOVERY = 0.85
"""Share of its bound below which the lag of a process that was full must be before it takes calls
again: one that is late will be late again at once."""
AGAIN = 5.0
"""Seconds after which a refused caller may try again."""
MEMORY = 60.0
"""Seconds after which what was learned of calls' costs counts for a third."""
RISE = 0.05
"""Share of a slice's use without calls by which what is remembered of it may rise."""
DOUBT = 20.0
"""Seconds of settled calls that the cost which is assumed at first is worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far a process may be loaded.

    Attributes:
        lag: How late the event loop may be in one look of twenty (ms); 0: that is not looked at.
        loop: Share of a core that the event loop's thread may use (0–1); 0: likewise.
        process: Share of the machine's cores that the process may use, all its threads together
            (0–1); 0: likewise.
        window: Seconds that are looked back.
        cost: What a call is taken to cost before any was measured, as a share of a core: rather too
            much, for as many as fit by it may begin at once.
    """

    lag: float = 25.0
    loop: float = 0.70
    process: float = 0.80
    window: float = 3.0
    cost: float = 0.10

    def __post_init__(self) -> None:
        for name, low, high in (
            ("lag", 0, 10_000),
            ("loop", 0, 1),
            ("process", 0, 1),
            ("window", 0.5, 60),
            ("cost", 0, 1),
        ):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                raise OptionError(f"Bounds({name}={value!r}): must be within {low} and {high}")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured over the last seconds.

    Attributes:
        lag: How late the loop was in one look of twenty (ms).
        loop: Share of a core that its thread used.
        process: Share of the machine's cores that the process used.
        cost: What a call costs the loop's thread, as a share of a core; learned over a minute.
    """

    lag: float = 0.0
    loop: float = 0.0
    process: float = 0.0
    cost: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return them as JSON."""
        return {
            "lag_ms": round(self.lag, 1),
            "loop": round(self.loop, 3),
            "process": round(self.process, 3),
            "cost_of_a_call": round(self.cost, 4),
        }


@dataclass(slots=True)
class _Slice:
    begin: float
    end: float
    loop: float  # s of CPU time
    process: float
    calls: float  # s of calls
    settled: float  # s of calls that had settled
    lags: list[float]


class _Cost:
    """What a call costs on one account, learned from how many there were and what was used."""

    def __init__(self, assumed: float) -> None:
        self._assumed = assumed
        self._used = 0.0  # s of CPU time
        self._calls = 0.0  # s of calls
        self.idle = 0.0

    @property
    def each(self) -> float:
        """A call's, as a share of a core."""
        return (self._assumed * DOUBT + self._used) / (DOUBT + self._calls)

    def rest(self, share: float) -> None:
        """Learn what is used without calls: what stays, not what just starts or ends."""
        self.idle = min(share, self.idle + (share - self.idle) * RISE)

    def learn(self, part: _Slice, used: float) -> None:
        """Learn from what was used while there were calls."""
        seconds = part.end - part.begin
        fade = math.exp(-seconds / MEMORY)
        self._used, self._calls = self._used * fade, self._calls * fade
        # What young calls use is not what they will: the more of them, the less this tells.
        weight = part.settled / part.calls
        self._used += weight * max(0.0, used - self.idle * seconds)
        self._calls += weight * part.calls

    def expected(self, share: float, young: float, calls: int) -> float:
        """Return what `calls` calls and one more would use.

        Args:
            share: What was used over the last seconds.
            young: How many calls of those that there are were not in it yet.
            calls: How many there are.
        """
        each = self.each
        return max(share + (young + 1) * each, self.idle + (calls + 1) * each)


class Strain:
    """Judges by what is measured whether one more call fits. Pure: all times are seconds.

    Args:
        bounds: How far it may go.
        cores: How many cores the process may use.
    """

    def __init__(self, bounds: Bounds | None = None, cores: int = 1) -> None:
        self.bounds = bounds or Bounds()
        self._cores = max(1, cores)
        self._slices: deque[_Slice] = deque()
        self._open: _Slice | None = None
        self._last: tuple[float, float, float] | None = None
        self._begun: deque[float] = deque()
        self._calls = 0
        self._loop, self._process = _Cost(self.bounds.cost), _Cost(self.bounds.cost)
        self._full = ""

    def look(self, now: float, late: float, loop: float, process: float) -> None:
        """Take a measurement.

        Args:
            now: When.
            late: How late the look was (s).
            loop: CPU time that the loop's thread has used until now (s).
            process: CPU time that the process has used until now (s).
        """
        last, self._last = self._last, (now, loop, process)
        if last is None or now <= last[0]:
            return
        part = self._open
        if part is None:
            part = self._open = _Slice(last[0], now, 0.0, 0.0, 0.0, 0.0, [])
        part.end = now
        part.loop += max(0.0, loop - last[1])
        part.process += max(0.0, process - last[2])
        part.calls += self._calls * (now - last[0])
        part.settled += (self._calls - self._settling(now)) * (now - last[0])
        part.lags.append(max(0.0, late))
        if part.end - part.begin >= SLICE:
            self._slices.append(part)
            self._open = None
            while self._slices[0].end < now - self.bounds.window:
                self._slices.popleft()
            self._learn(part)

    def begin(self, now: float) -> None:
        """Count a call in."""
        self._calls += 1
        self._begun.append(now)

    def end(self) -> None:
        """Count a call out."""
        self._calls = max(0, self._calls - 1)
        if len(self._begun) > self._calls:
            self._begun.popleft()

    @property
    def calls(self) -> int:
        """How many calls there are."""
        return self._calls

    @property
    def figures(self) -> Figures:
        """What was measured over the last seconds; zeros before the first."""
        parts = self._slices
        if not parts:
            return Figures(cost=self._loop.each)
        seconds = sum(part.end - part.begin for part in parts)
        lags = sorted(lag for part in parts for lag in part.lags)
        return Figures(
            lag=lags[math.ceil(0.95 * len(lags)) - 1] * 1000,
            loop=sum(part.loop for part in parts) / seconds,
            process=sum(part.process for part in parts) / seconds / self._cores,
            cost=self._loop.each,
        )

    def full(self, now: float) -> str:
        """Return why no further call fits; "" if one does."""
        figures, bounds = self.figures, self.bounds
        young = self._young(now)
        loop = self._loop.expected(figures.loop, young, self._calls)
        process = figures.process * self._cores
        process = self._process.expected(process, young, self._calls) / self._cores
        lag = bounds.lag * (RECOVERY if self._full else 1.0)
        self._full = ""
        if bounds.lag and figures.lag > lag:
            self._full = f"the event loop is {figures.lag:.0f} ms late"
        elif bounds.loop and loop > bounds.loop and self._calls:
            self._full = f"the event loop would use {loop:.0%} of a core"
        elif bounds.process and process > bounds.process and self._calls:
            self._full = f"the process would use {process:.0%} of its cores"
        return self._full

    def _settling(self, now: float) -> int:
        return sum(at > now - SETTLING for at in self._begun)

    def _young(self, now: float) -> float:
        """Return how many calls the last seconds do not show yet; parts of calls, too."""
        parts = self._slices
        seconds = sum(part.end - part.begin for part in parts)
        if not seconds:
            return float(self._calls)
        # Only so far as they have settled: what they used before is counted twice, to be sure.
        return max(
            float(self._settling(now)), self._calls - sum(p.settled for p in parts) / seconds
        )

    def _learn(self, part: _Slice) -> None:
        """Learn what a call costs, and what the process does without any."""
        if part.calls:
            self._loop.learn(part, part.loop)
            self._process.learn(part, part.process)
        elif not self._calls:
            figures = self.figures
            self._loop.rest(figures.loop)
            self._process.rest(figures.process * self._cores)


class Gate:
    """Lets calls begin on the running loop, or says why not. One for a process.

    Args:
        bounds: How far it may be loaded.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.strain = Strain(bounds, usable_cores())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to measure; once more is the same."""
        if self._handle is None:
            self._loop = asyncio.get_running_loop()
            self._due = self._loop.time() + EVERY
            self._handle = self._loop.call_at(self._due, self._look)

    def close(self) -> None:
        """End measuring; idempotent."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def full(self) -> str:
        """Return why no call may begin now; "" if one may."""
        return self.strain.full(time.monotonic())

    def begin(self) -> None:
        """Count a call in."""
        self.strain.begin(time.monotonic())

    def end(self) -> None:
        """Count it out."""
        self.strain.end()

    def _look(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        self.strain.look(time.monotonic(), now - self._due, time.thread_time(), time.process_time())
        self._due = now + EVERY
        self._handle = self._loop.call_at(self._due, self._look)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
