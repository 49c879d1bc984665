"""A process that is started, whose log is kept, and that is ended with its standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP = 20.0
"""Seconds that the end may take, then it is killed."""
KEPT = 60
"""Lines of its log that are kept."""
LONGEST = 1 << 26
"""Bytes of a line that it may write: the records of many calls."""


class ChildError(RuntimeError):
    """The process did not start, or ended; the message has its last words."""


class Process:
    """The process, from outside; who talks with it is built upon this.

    Args:
        command: What is run.
        name: What it is called in errors.
        folder: Where it runs; where this process does if None.
        env: Its environment, beside this process's.
        cores: Cores that it has from its beginning on, and its threads and children; empty for any.
        stop: Seconds that its end may take.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        cores: Sequence[int] = (),
        stop: float = STOP,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._folder, self._cores, self._stop = folder, list(cores), stop
        self._env = {**os.environ, **(env or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._logging: asyncio.Task[None] | None = None
        self._log: deque[str] = deque(maxlen=KEPT)

    @property
    def pid(self) -> int:
        """Its process id; 0 when there is none, or none any more."""
        if self._process is None or self._process.returncode is not None:
            return 0
        return self._process.pid

    @property
    def log(self) -> str:
        """The last lines of its log."""
        return "\n".join(self._log)

    @property
    def stdin(self) -> asyncio.StreamWriter:
        """Its standard input.

        Raises:
            ChildError: It does not run.
        """
        pipe = self._running().stdin
        assert pipe is not None
        return pipe

    @property
    def stdout(self) -> asyncio.StreamReader:
        """Its standard output.

        Raises:
            ChildError: It does not run.
        """
        pipe = self._running().stdout
        assert pipe is not None
        return pipe

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ChildError(f"{self.name} is not running")
        return self._process

    async def spawn(self) -> None:
        """Start it; it need not be ready.

        Raises:
            ChildError: There is no such program.
        """
        cores = self._cores
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._folder,
                env=self._env,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST,
                # Ctrl-C is for who measures: what was measured is asked for afterwards.
                start_new_session=True,
                # Before any thread: those that there are would keep their cores.
                preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
            )
        except OSError as error:
            raise ChildError(f"{self.name} did not start: {error}") from error
        self._logging = asyncio.create_task(self._keep_log(), name=f"log of {self.name}")

    async def ended(self, within: float = 2.0) -> ChildError:
        """Return what to raise where it has ended: its code and its last words."""
        process = self._process
        if process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), within)
        await asyncio.sleep(0)  # its last words
        code = "gone" if process is None else process.returncode
        return ChildError(f"{self.name} ended ({code})\n{self.log}".strip())

    async def _keep_log(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self._log.append(line.decode(errors="replace").rstrip()[:400])

    async def close(self, farewell: bytes = b"") -> None:
        """End it: orderly, and by force where it takes too long. Idempotent.

        Args:
            farewell: Written before its standard input ends.
        """
        process, self._process = self._process, None
        logging, self._logging = self._logging, None
        try:
            if process is not None and process.returncode is None:
                assert process.stdin is not None
                with contextlib.suppress(ConnectionError, RuntimeError):
                    if farewell:
                        process.stdin.write(farewell)
                    process.stdin.close()
                try:
                    await asyncio.wait_for(process.wait(), self._stop)
                except TimeoutError:
                    pass
                finally:
                    if process.returncode is None:
                        with contextlib.suppress(ProcessLookupError):
                            process.kill()
                        await process.wait()
        finally:
            if logging is not None:
                logging.cancel()
                await asyncio.gather(logging, return_exceptions=True)
