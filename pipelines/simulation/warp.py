"""Virtual time on a running event loop: when nothing is ready, the next timer is due at once.

The loop itself is kept, so that what a test and its tools share (locks, connections, fixtures)
goes on working; only its clock and the wait of its selector are replaced while a simulation runs.
Where something real is waited for, time does not run away: it stands still while a thread works
(for so long as it takes before it counts as stuck), and passes as it does in the world while a
socket is open that was opened meanwhile.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
import weakref
from collections.abc import Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

GRID = 2.0**-20
"""Seconds between two moments of virtual time. A power of two, so that differences of moments
are exact and the same in every run."""

PATIENCE = 2.0
"""Real seconds for which time stands still while a thread works; then it goes on without it."""
TOOL = "tool "
"""What the names of the threads begin with in which `vivavoce.tools` runs what is not async."""


class WarpError(RuntimeError):
    """Time cannot be simulated here; the message says why."""


class Warp:
    """One event loop's virtual time.

    Args:
        loop: asyncio's own loop, running or not.

    Raises:
        WarpError: If it is another kind of loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # There is no public way to give a running loop another clock.
        selector: Any = getattr(loop, "_selector", None)
        if not hasattr(selector, "get_map") or not hasattr(loop, "_clock_resolution"):
            raise WarpError(
                "simulated time needs asyncio's own event loop, not"
                f" {type(loop).__module__}.{type(loop).__name__}: run this test without it"
            )
        self._loop: Any = loop
        self._selector = selector
        self._real_time = loop.time
        self._real_executor = loop.run_in_executor
        self._resolution = loop._clock_resolution  # noqa: SLF001
        self._slow = math.inf
        self._offset = 0.0
        self._now = 0.0
        self._users = 0
        self._threads: dict[asyncio.Future[Any], float] = {}
        self._tools: dict[int | None, float] = {}
        self._sockets = 0
        self._holds = 0

    def time(self) -> float:
        """Return the loop's time: virtual while somebody simulates (s)."""
        return self._now if self._users else self._real_time() + self._offset

    def enter(self) -> None:
        """Begin to simulate; may be nested."""
        if self._users == 0:
            loop = self._loop
            # Never back, and on the grid.
            self._now = math.ceil(self.time())
            self._sockets = len(self._selector.get_map())
            loop.time = self.time
            loop.run_in_executor = self._run_in_executor
            loop._clock_resolution = GRID  # noqa: SLF001
            loop._selector = _Selector(self._selector, self)  # noqa: SLF001
            # A callback that lets time pass is not a slow one.
            self._slow = loop.slow_callback_duration
            loop.slow_callback_duration = math.inf
        self._users += 1

    def leave(self) -> None:
        """End it: time goes on from where it is, as fast as it really does."""
        self._users -= 1
        if self._users == 0:
            self._offset = self._now - self._real_time()
            loop = self._loop
            loop._selector = self._selector  # noqa: SLF001
            loop.slow_callback_duration = self._slow
            loop._clock_resolution = self._resolution  # noqa: SLF001
            del loop.run_in_executor

    def select(self, timeout: float | None) -> list[Any]:
        """Wait for what is ready, or jump to the next timer."""
        # Looked at first: a thread that ends in between has told the loop by then.
        working = self._working()
        ready: list[Any] = self._selector.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if working:
            return list(self._selector.select(working))
        if timeout is None:
            # No timer at all: only something real can go on from here.
            return list(self._selector.select(None))
        if self._real:
            started = time.monotonic()
            ready = list(self._selector.select(timeout))
            self._advance(min(time.monotonic() - started, timeout))
            return ready
        self._advance(timeout)
        return ready

    def jump(self, seconds: float) -> bool:
        """Let time pass at once, without a turn of the loop.

        Returns:
            Whether it did; not if anything else has to run before.
        """
        loop = self._loop
        if not self._users or loop._ready or self._working():  # noqa: SLF001
            return False
        if self._real:
            return False
        timers = loop._scheduled  # noqa: SLF001
        if timers and timers[0].when() <= self._now + seconds + GRID:
            return False
        self._advance(seconds)
        return True

    @property
    def _real(self) -> bool:
        """Whether time passes as it does in the world."""
        return self._holds > 0 or len(self._selector.get_map()) > self._sockets

    def hold(self) -> None:
        """Let time pass as it does in the world, until `release`; may be nested."""
        self._holds += 1

    def release(self) -> None:
        """End `hold`; the sockets that are open now may stay open."""
        self._holds -= 1
        if not self._holds:
            self._sockets = len(self._selector.get_map())

    def _advance(self, seconds: float) -> None:
        # To the nearest moment of the grid: the loop runs what is due within one step of it.
        self._now = max(self._now, round((self._now + seconds) / GRID) * GRID)

    def _working(self) -> float:
        """Return for how long time stands still yet because a thread works (real s); 0: it goes."""
        now = time.monotonic()
        tools = {
            thread.ident: self._tools.get(thread.ident, now)
            for thread in threading.enumerate()
            if thread.name.startswith(TOOL)
        }
        self._tools = tools
        if not tools and not self._threads:
            return 0.0
        youngest = max([*tools.values(), *self._threads.values()])
        return max(0.0, PATIENCE - (now - youngest))

    def _run_in_executor(
        self, executor: Executor | None, function: Any, *args: Any
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._real_executor(executor, function, *args)
        self._threads[future] = time.monotonic()
        future.add_done_callback(self._threads.pop)
        return future


class _Selector:
    """The loop's selector, which waits in virtual time; everything else is the real one's."""

    def __init__(self, real: Any, warp: Warp) -> None:
        self._real = real
        self._warp = warp

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def select(self, timeout: float | None = None) -> list[Any]:
        return self._warp.select(timeout)


_warps: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Warp] = weakref.WeakKeyDictionary()


@contextmanager
def virtual_time() -> Generator[None]:
    """Let the running loop's time jump within this block; blocks may overlap.

    Raises:
        WarpError: If the loop is not asyncio's own.
    """
    loop = asyncio.get_running_loop()
    warp = _warps.get(loop)
    if warp is None:
        warp = _warps[loop] = Warp(loop)
    warp.enter()
    try:
        yield
    finally:
        warp.leave()


@contextmanager
def real_time() -> Generator[None]:
    """Let time pass as it does in the world within this block, if it is virtual around it.

    For who waits for a server over sockets that outlive the wait.
    """
    warp = _warps.get(asyncio.get_running_loop())
    if warp is None:
        yield
        return
    warp.hold()
    try:
        yield
    finally:
        warp.release()


def jump(seconds: float) -> bool:
    """Let virtual time pass at once if nothing else is to happen on this loop meanwhile."""
    warp = _warps.get(asyncio.get_running_loop())
    return warp is not None and warp.jump(seconds)
