"""What makes an event loop late: a thread that looks at its stack while it is.

A loop is late where a callback takes long, and where the machine does not let its thread run:
because other processes have the core, or because the host of a guest gives it to others. The system
tells of both, so that a stall of our own is known from one that the machine made.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from array import array
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
"""Stalls that are told whole: those of which most was our own."""
STEAL_EVERY = 50
"""Beats between two looks at what the host took, which cost more than one."""
TICK = 1 / os.sysconf("SC_CLK_TCK")


def told(frame: FrameType | None) -> str:
    """Return a stack as one line, innermost frame last."""
    names: list[str] = []
    while frame is not None and len(names) < DEPTH:
        code = frame.f_code
        file = "/".join(code.co_filename.rsplit("/", 2)[-2:])
        names.append(f"{file}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return " < ".join(names)


def own(late: float, waited: float, threads: float, stolen: float) -> float:
    """Return how much of a stall is our own; pure, all in seconds.

    Args:
        late: How late the loop was.
        waited: For how long its thread could have run, and was not let.
        threads: CPU time of our other threads meanwhile: they have the same core.
        stolen: What the host took from the core.
    """
    return late - min(late, max(waited - threads, stolen, 0.0))


class Core:
    """What the system tells of a thread and of the core that it runs on."""

    def __init__(self) -> None:
        self._waits: int | None = None
        self._cpu = min(_affinity())
        try:
            path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
            self._waits = os.open(path, os.O_RDONLY)
        except OSError:  # not on Linux, or not in its kernel: everything is our own then
            pass

    def waited(self) -> float:
        """Return for how long this thread was ready and not let run, ever (s)."""
        if self._waits is None:
            return 0.0
        return int(os.pread(self._waits, 96, 0).split()[1]) / 1e9

    def stolen(self) -> float:
        """Return what the host has taken from the core, ever (s); in hundredths."""
        try:
            with open("/proc/stat", encoding="ascii") as file:  # noqa: PTH123 (Path costs more)
                for line in file:
                    if line.startswith(f"cpu{self._cpu} "):
                        return int(line.split()[8]) * TICK
        except (OSError, ValueError, IndexError):
            pass
        return 0.0

    def close(self) -> None:
        """Idempotent."""
        if self._waits is not None:
            os.close(self._waits)
            self._waits = None


def _affinity() -> set[int]:
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # not on macOS
        return {0}


class Watch:
    """Measures one loop's stalls from `start` to `close`, and what it did meanwhile.

    A stall is told with its length, how much of it is our own, the CPU time that the loop's thread
    used in it and the stacks that were seen. It costs some 0.5 % of a core.
    """

    def __init__(self) -> None:
        self._core: Core | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._ident = 0
        self._due = 0.0
        self._cpu = self._process = self._waited = self._stolen = 0.0
        self._beats = 0
        self._seen: Counter[str] = Counter()
        self._collecting = 0.0
        self.clear()

    def clear(self) -> None:
        """Forget what was measured."""
        self._began = time.monotonic()
        # Not lists: the garbage collector would look at all of it, and make a stall of it.
        self._lates, self._owns = array("d"), array("d")
        self._elsewhere = self._taken = self._short = 0.0
        self._stalls: list[dict[str, Any]] = []
        self._collections: dict[int, list[float]] = {0: [], 1: [], 2: []}

    def start(self) -> None:
        """Begin to measure the running loop."""
        self._loop = asyncio.get_running_loop()
        self._ident = threading.get_ident()
        self._due = time.monotonic() + EVERY
        self._cpu, self._process = time.thread_time(), time.process_time()
        self._core = Core()
        self._waited, self._stolen = self._core.waited(), self._core.stolen()
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
        if self._core is not None:
            self._core.close()

    def report(self) -> dict[str, Any]:
        """Return what was measured, JSON-able (ms, s).

        `longest_ms` is the longest stall, whatever made it, `own_longest_ms` the longest part of
        one that was our own; `elsewhere_ms` is for how long the loop's thread was ready and other
        processes ran, `stolen_ms` what the host took from the core, both in all.
        """
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
            "own_longest_ms": round(max(self._short, *self._owns, 0.0) * 1000, 2),
            "own_over_25_ms": sum(each > 0.025 for each in self._owns),
            "elsewhere_ms": round(self._elsewhere * 1000, 1),
            "stolen_ms": round(self._taken * 1000, 1),
            "over_10_ms": sum(late > 0.010 for late in lates),
            "over_25_ms": sum(late > 0.025 for late in lates),
            "stalls": self._worst(),
            "collections": collections,
        }

    def _worst(self) -> list[dict[str, Any]]:
        return sorted(self._stalls, key=lambda one: (-one["own_ms"], -one["late_ms"]))[:KEPT]

    def _beat(self) -> None:
        assert self._loop is not None
        assert self._core is not None
        now, cpu, process = time.monotonic(), time.thread_time(), time.process_time()
        waited = self._core.waited()
        late = max(0.0, now - self._due)
        self._lates.append(late)
        threads = max(0.0, process - self._process - (cpu - self._cpu))
        idle = max(0.0, waited - self._waited - threads)
        self._elsewhere += idle
        self._beats += 1
        stolen = 0.0
        if late > LATE or self._beats % STEAL_EVERY == 0:
            before, self._stolen = self._stolen, self._core.stolen()
            stolen = self._stolen - before
            self._taken += stolen
        seen, self._seen = self._seen, Counter()
        if late > LATE:
            part = own(late, waited - self._waited, threads, stolen)
            self._owns.append(part)
            self._stalls.append(
                {
                    "at": round(now - self._began, 2),
                    "late_ms": round(late * 1000, 1),
                    "own_ms": round(part * 1000, 1),
                    "cpu_ms": round((cpu - self._cpu) * 1000, 1),
                    "threads_ms": round(threads * 1000, 1),
                    "stolen_ms": round(min(late, stolen) * 1000, 1),
                    "seen": seen.most_common(3),
                }
            )
            if len(self._stalls) > 20 * KEPT:
                self._stalls = self._worst()
        else:
            self._short = max(self._short, late)
        self._due, self._cpu, self._process = time.monotonic() + EVERY, cpu, process
        self._waited = waited
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
