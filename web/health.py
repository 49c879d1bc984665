"""Health: whether this process lives, and whether it should be sent calls."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vivavoce.pipelines.observing.probe import Probe
from vivavoce.pipelines.observing.pulse import RECENT, Pulse
from vivavoce.web.records import RecordsError
from vivavoce.web.store import Store

CHECKING = 5.0
"""Seconds that a look at the records may take."""


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """From when on a process is not well.

    Attributes:
        stall: How late the event loop may have been within the last 10 s for the process to count
            as alive (s). Whoever restarts processes ends their calls: a stall is not death.
        disk: Free space on the disks of records and recordings (MB).
        within: How long an answer of the models counts (s).
    """

    stall: float = 5.0
    disk: float = 500.0
    within: float = 15.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"health: {name} is more than 0")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        ok: Whether it is well.
        why: What is not; "" if it is.
        figures: What was measured.
    """

    ok: bool
    why: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"ok": self.ok, **({"why": self.why} if self.why else {}), **self.figures}


def told(checks: dict[str, Check], *, detailed: bool = True) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status of a number of checks, and what is answered.

    Args:
        checks: By name.
        detailed: Say what is wrong, which names providers and places; else the names alone.
    """
    failing = [name for name, check in checks.items() if not check.ok]
    answer: dict[str, Any] = {"status": "not ready" if failing else "ok", "failing": failing}
    answer["checks"] = {
        name: check.to_dict() if detailed else {"ok": check.ok} for name, check in checks.items()
    }
    return (503 if failing else 200), answer


class Health:
    """Looks after one process.

    Args:
        probe: Whether the models are there; None: that is not asked.
        pulse: The event loop's lag; None: it is not watched.
        limits: From when on it is not well.
        records: Where calls are kept.
        places: Folders that are written to.
        draining: Whether it takes no more calls.
        busy: Whether no further call fits.
        hold: Seconds that a look at records and disks counts: anybody may ask, as often as they
            like.
        now: The clock (s), monotonic.

    Attributes:
        last: What the last look found, by check; empty before the first.
    """

    def __init__(
        self,
        probe: Probe | None = None,
        pulse: Pulse | None = None,
        limits: HealthLimits | None = None,
        *,
        records: Store | None = None,
        places: Sequence[Path] = (),
        draining: Callable[[], bool] = lambda: False,
        busy: Callable[[], bool] = lambda: False,
        hold: float = 1.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe, self._pulse, self._records = probe, pulse, records
        self.limits = limits or HealthLimits()
        self._places = tuple(places)
        self._draining, self._busy, self._now = draining, busy, now
        self._began = now()
        self._hold, self._looked = hold, float("-inf")
        self._around: dict[str, Check] = {}
        self._looking = asyncio.Lock()
        self.last: dict[str, Check] = {}

    def alive(self) -> tuple[int, dict[str, Any]]:
        """Return whether the process lives: the status, and what is answered.

        It waits for nothing: that it is answered at all says that the event loop turns.
        """
        answer: dict[str, Any] = {"status": "ok", "uptime_s": round(self._now() - self._began, 1)}
        status = 200
        if self._pulse is not None:
            worst = self._pulse.worst
            answer["loop_lag_ms"] = {
                f"max_{RECENT:g}s": round(worst * 1000, 1),
                "p50": round(self._pulse.percentile(50) * 1000, 1),
                "p99": round(self._pulse.percentile(99) * 1000, 1),
            }
            if worst > self.limits.stall:
                status, answer["status"] = 503, "stalled"
        return status, answer

    async def ready(self) -> dict[str, Check]:
        """Look whether it should be sent calls; safe to cancel."""
        checks = {
            "draining": Check(False, "it takes no more calls") if self._draining() else Check(True),
            "busy": Check(False, "no further call fits") if self._busy() else Check(True),
        }
        async with self._looking:
            if self._now() - self._looked >= self._hold:
                self._around = await self._look_around()
                self._looked = self._now()
        self.last = checks | self._around
        return self.last

    async def _look_around(self) -> dict[str, Check]:
        checks, records, disk = await asyncio.gather(
            self._models(), self._writable(), asyncio.to_thread(self._disk)
        )
        if records is not None:
            checks["records"] = records
        if disk is not None:
            checks["disk"] = disk
        return checks

    def free(self) -> dict[tuple[str, ...], float]:
        """Return the free space of the disks that are written to, in bytes by folder's name."""
        found: dict[tuple[str, ...], float] = {}
        for place in self._places:
            if (space := _free(place)) is not None:
                found[(place.name or str(place),)] = float(space)
        return found

    async def _models(self) -> dict[str, Check]:
        if self._probe is None:
            return {}
        return {
            stage: Check(reach.ok, reach.why) for stage, reach in (await self._probe.look()).items()
        }

    async def _writable(self) -> Check | None:
        if self._records is None:
            return None
        try:
            async with asyncio.timeout(CHECKING):
                await self._records.check()
        except RecordsError as error:
            return Check(False, str(error))
        except TimeoutError:
            return Check(False, f"the database does not answer within {CHECKING:g} s")
        return Check(True, figures={"waiting": self._records.waiting})

    def _disk(self) -> Check | None:
        spaces = [space for place in self._places if (space := _free(place)) is not None]
        if not spaces:
            return None
        free = min(spaces) / 1e6
        figures = {"free_mb": float(round(free))}
        if free >= self.limits.disk:
            return Check(True, figures=figures)
        return Check(False, f"{free:.0f} MB are free, less than {self.limits.disk:g}", figures)


def _free(place: Path) -> int | None:
    """Return the free bytes of a folder's disk; of the first one above it that there is."""
    for folder in (place, *place.absolute().parents):
        try:
            return shutil.disk_usage(folder).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
