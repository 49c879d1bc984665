"""Who runs on which core, and what a process has used."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.latency.engine import READY, ROOT, STOP, EngineError

_USABLE = sorted(os.sched_getaffinity(0))
CORES = _USABLE[-1:]
"""Where engines run."""
OTHERS = _USABLE[:-1] or _USABLE
"""Where callers and model servers do."""


def pin(pid: int, cores: Sequence[int]) -> None:
    """Let a process, its threads and its children run on these cores alone."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        for thread in process.threads():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread.id, cores)


class Server:
    """A server's process, which has a core for itself.

    Attributes:
        name: What it is called.
        ready: What it said of itself: port, versions.
    """

    def __init__(self, name: str, python: Path | str, module: str, options: dict[str, Any]) -> None:
        self.name = name
        self.ready: dict[str, Any] = {}
        self._command = [str(python), "-m", module, json.dumps(options)]
        self._process: asyncio.subprocess.Process | None = None
        self._log: deque[str] = deque(maxlen=60)
        self._reading: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.ready['port']}"

    @property
    def log(self) -> str:
        """The last lines it wrote to stderr."""
        return "\n".join(self._log)

    async def start(self) -> None:
        """Start it and wait until it takes calls.

        Raises:
            EngineError: It ends or is not ready in time; nothing is left running.
        """
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # From the beginning: what it measures its room by is how many cores it may use.
            preexec_fn=lambda: os.sched_setaffinity(0, CORES),
        )
        self._reading = asyncio.create_task(self._read(), name=f"log of {self.name}")
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY):
                line = await self._process.stdout.readline()
            self.ready = json.loads(line)
        except (TimeoutError, ValueError) as error:
            await self.close()
            raise EngineError(f"{self.name}: it was not ready\n{self.log}") from error
        except BaseException:
            await self.close()
            raise

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self._log.append(line.decode(errors="replace").rstrip()[:400])

    @property
    def pid(self) -> int:
        """Its process's number.

        Raises:
            EngineError: It does not run.
        """
        if self._process is None or self._process.returncode is not None:
            raise EngineError(f"{self.name}: it ended\n{self.log}")
        return self._process.pid

    def cpu(self) -> float:
        """Return the CPU time that it has used (s)."""
        return float(sum(psutil.Process(self.pid).cpu_times()[:2]))

    def memory(self) -> float:
        """Return the memory that it holds (MB)."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    async def close(self) -> None:
        """End it: orderly, and by force after 15 s. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
