"""What makes an event loop late: a thread that looks at its stack while it is."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from types import FrameType
from typing import Any

LATE = 0.010
"""Seconds from which a stall is looked at."""
EVERY = 0.005
"""Seconds between two beats of the loop."""
LOOK = 0.002
"""Seconds between two looks of the thread while the loop is late, so that a stack is seen often."""
DEPTH = 9
"""Frames of a stack that are told, innermost last."""
KEPT = 12
"""Stalls that are told whole, the longest ones."""


def told(frame: FrameType | None) -> str:
    """Return a stack as one line, innermost frame last."""
    names: list[str] = []
    while frame is not None and len(names) < DEPTH:
        code = frame.f_code
        file = "/".join(code.co_filename.rsplit("/", 2)[-2:])
        names.append(f"{file}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return " < ".join(names)


class Watch:
    """Measures one loop's stalls from `start` to `close`, and what it did meanwhile.

    A stall is told with its length, the CPU time that the loop's thread used in it (little: it was
    not let run) and the stacks that were seen. It costs some 0.5 % of a core.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._ident = 0
        self._due = 0.0
        self._cpu = 0.0
        self._seen: Counter[str] = Counter()
        self._collecting = 0.0
        self.clear()

    def clear(self) -> None:
        """Forget what was measured."""
        self._began = time.monotonic()
        self._lates: list[float] = []
        self._stalls: list[dict[str, Any]] = []
        self._collections: dict[int, list[float]] = {0: [], 1: [], 2: []}

    def start(self) -> None:
        """Begin to measure the running loop."""
        self._loop = asyncio.get_running_loop()
        self._ident = threading.get_ident()
        self._due = time.monotonic() + EVERY
        self._cpu = time.thread_time()
        self._handle = self._loop.call_later(EVERY, self._beat)
        self._thread = threading.Thread(target=self._watch, name="watch the loop", daemon=True)
        self._thread.start()
        gc.callbacks.append(self._collect)

    def close(self) -> None:
        """End measuring; the figures stay. Idempotent."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        handle.cancel()
        gc.callbacks.remove(self._collect)
        self._over.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def report(self) -> dict[str, Any]:
        """Return what was measured, JSON-able (ms, s)."""
        lates = sorted(self._lates)
        collections = {
            str(generation): {
                "count": len(took),
                "longest_ms": round(max(took, default=0.0) * 1000, 2),
                "total_ms": round(sum(took) * 1000, 1),
            }
            for generation, took in self._collections.items()
        }
        return {
            "seconds": round(time.monotonic() - self._began, 1),
            "longest_ms": round(lates[-1] * 1000, 2) if lates else 0.0,
            "p99_ms": round(lates[int(0.99 * len(lates))] * 1000, 2) if lates else 0.0,
            "p999_ms": round(lates[int(0.999 * len(lates))] * 1000, 2) if lates else 0.0,
            "over_10_ms": sum(late > 0.010 for late in lates),
            "over_25_ms": sum(late > 0.025 for late in lates),
            "stalls": sorted(self._stalls, key=lambda one: -float(one["late_ms"]))[:KEPT],
            "collections": collections,
        }

    def _beat(self) -> None:
        assert self._loop is not None
        now, cpu = time.monotonic(), time.thread_time()
        late = max(0.0, now - self._due)
        self._lates.append(late)
        seen, self._seen = self._seen, Counter()
        if late > LATE:
            self._stalls.append(
                {
                    "at": round(now - self._began, 2),
                    "late_ms": round(late * 1000, 1),
                    "cpu_ms": round((cpu - self._cpu) * 1000, 1),
                    "seen": seen.most_common(3),
                }
            )
        self._due, self._cpu = time.monotonic() + EVERY, cpu
        self._handle = self._loop.call_later(EVERY, self._beat)

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            if time.monotonic() - self._due > LATE / 2:
                frame = sys._current_frames().get(self._ident)  # noqa: SLF001 (the one way to see it)
                self._seen[told(frame)] += 1

    def _collect(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            took = time.perf_counter() - self._collecting
            self._collections[info["generation"]].append(took)
