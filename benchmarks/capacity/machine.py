"""Who runs on which core: a server with a core for itself, and what else that core does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.measured import READY, Measured
from vivavoce.pipelines.benching.process import ChildError

_USABLE = sorted(os.sched_getaffinity(0))
CORES = _USABLE[-1:]
"""Where engines run."""
OTHERS = _USABLE[:-1] or _USABLE
"""Where callers and model servers do."""


def pin(process: Measured, cores: Sequence[int]) -> None:
    """Let a process, its threads and its children run on these cores alone."""
    for one in process.family():
        for thread in one.threads():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread.id, cores)


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the engine's core has done since the machine began (s).

    Attributes:
        busy: For any process.
        stolen: Given to other guests by the machine's host.
    """

    busy: float
    stolen: float

    @classmethod
    def read(cls) -> Clocks:
        """Read them; the system counts in hundredths of a second."""
        times = psutil.cpu_times(percpu=True)[CORES[0]]
        stolen = float(getattr(times, "steal", 0.0))
        idle = times.idle + getattr(times, "iowait", 0.0)
        return cls(float(sum(times[:8]) - idle - stolen), stolen)

    def shares(self, later: Clocks, seconds: float, engine: float) -> tuple[float, float]:
        """Return what others and what the host took of the core until later (0-1).

        Args:
            later: What was read then.
            seconds: How long that is.
            engine: CPU time of the engine's meanwhile (s).
        """
        others = max(0.0, later.busy - self.busy - engine) / seconds
        return round(others, 3), round((later.stolen - self.stolen) / seconds, 3)


class Server(Measured):
    """A server's process, which has a core for itself."""

    def __init__(self, name: str, python: Path | str, module: str, options: dict[str, Any]) -> None:
        # From the beginning: what it measures its room by is how many cores it may use.
        super().__init__(name, python, module, options, cores=CORES)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.ready['port']}"

    async def start(self) -> None:
        """Start it and wait until it takes calls.

        Raises:
            ChildError: It ends or is not ready in time; nothing is left running.
        """
        await self.spawn()
        try:
            async with asyncio.timeout(READY):
                line = await self.stdout.readline()
            self.ready = json.loads(line)
        except (TimeoutError, ValueError) as error:
            await asyncio.sleep(0)  # its last words
            await self.close()
            raise ChildError(f"{self.name}: it was not ready\n{self.log}") from error
        except BaseException:
            await self.close()
            raise
