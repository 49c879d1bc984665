"""Workers as processes of this machine: started, listened to, ended, and mourned."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.fleet import Death, LaunchError, Member

if TYPE_CHECKING:
    from vivavoce.cli.workers import WorkerSpec

READY = 90.0
"""Seconds in which a worker must be ready: it loads models, on a machine that may be busy."""
ENDING = 15.0
"""Seconds in which a worker whose front is gone must have ended."""
LONGEST = 1 << 20
"""Bytes of a line that a worker writes."""
LAST = b"last\n"
"""What a worker is told before its input is closed where all workers end: its calls are over."""
MARK = b"\x1evivavoce-worker "
"""What stands before what a worker tells its launcher on its output."""

Said = Callable[[str, str, bool], None]
"""Takes a worker's name, a line that it wrote, and whether to its error stream."""


def say(name: str, line: str, error: bool) -> None:
    """Hand a worker's line on, with its name."""
    stream = sys.stderr if error else sys.stdout
    if line.startswith("{") and line.endswith("}"):
        line = f'{{"worker": "{name}", {line[1:]}' if len(line) > 2 else line
    else:
        line = f"{name}  {line}"
    print(line, file=stream, flush=True)


@dataclass(slots=True, eq=False)
class _Process:
    process: asyncio.subprocess.Process
    member: asyncio.Future[Member]
    asked: bool = False
    last: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    ended: asyncio.Task[None] | None = None


class Processes:
    """Workers as processes of this machine. Implements `vivavoce.web.cluster.fleet.Launcher`.

    They end with the process that holds this, also when that is killed.

    Args:
        spec: What they are; name and slot are given to each.
        said: Takes what they write.
        ready: Seconds in which one must be ready.
    """

    def __init__(self, spec: WorkerSpec, *, said: Said = say, ready: float = READY) -> None:
        self.spec = spec
        self._said, self._ready = said, ready
        self._processes: dict[str, _Process] = {}
        self._deaths: asyncio.Queue[Death] = asyncio.Queue()
        self._tasks = Tasks()

    def pid(self, name: str) -> int:
        """Return a worker's process id.

        Raises:
            KeyError: There is none of that name.
        """
        return self._processes[name].process.pid

    async def start(self, name: str, slot: int) -> Member:
        """Start a worker, and return once it takes requests. Cancelled, it leaves none behind.

        Raises:
            LaunchError: It ended at once, or is not ready in time.
        """
        spec = replace(self.spec, name=name, slot=slot)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-W", "ignore::DeprecationWarning"),
                *("-m", "vivavoce.cli.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST,
            )
        except OSError as error:
            raise LaunchError(f"no process can be started: {error}") from error
        member: asyncio.Future[Member] = asyncio.get_running_loop().create_future()
        running = self._processes[name] = _Process(process, member)
        running.ended = self._tasks.spawn(self._follow(name, running), f"worker {name}")
        assert process.stdin is not None
        try:
            process.stdin.write(spec.to_json().encode() + b"\n")
            async with asyncio.timeout(self._ready):
                return await asyncio.shield(member)
        except TimeoutError:
            running.asked = True
            await self.stop(name, 0.0)
            raise LaunchError(f"it is not ready within {self._ready:g} s") from None
        except LaunchError:
            raise
        except BaseException:
            running.asked = True
            self._kill(running)
            raise

    async def stop(self, name: str, wait: float, *, last: bool = False) -> None:
        """See `Launcher`. Cancelled, it ends the worker by force at once."""
        running = self._processes.get(name)
        if running is None or running.ended is None:
            return
        running.asked = True
        assert running.process.stdin is not None
        if last and not running.process.stdin.is_closing():
            with contextlib.suppress(ConnectionError, RuntimeError):  # it is dead already
                running.process.stdin.write(LAST)
        running.process.stdin.close()
        try:
            if wait > 0:
                await asyncio.wait({running.ended}, timeout=wait)
        finally:
            self._kill(running)
        await asyncio.shield(running.ended)

    async def death(self) -> Death:
        """Wait until a worker ends that nobody has ended. Cancelling loses none."""
        return await self._deaths.get()

    async def close(self) -> None:
        """End all workers with their calls, and wait for that; idempotent."""
        names = list(self._processes)
        await asyncio.gather(*(self.stop(name, ENDING, last=True) for name in names))
        await self._tasks.close()

    def _kill(self, running: _Process) -> None:
        if running.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()

    async def _follow(self, name: str, running: _Process) -> None:
        process = running.process
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            await asyncio.gather(
                self._read(name, running, process.stdout, error=False),
                self._read(name, running, process.stderr, error=True),
            )
            code = await process.wait()
        finally:
            self._kill(running)
            self._processes.pop(name, None)
        why = f"signal {-code}" if code < 0 else f"exit code {code}"
        if not running.member.done():
            told = next((line for line in reversed(running.last) if line.strip()), why)
            running.member.set_exception(LaunchError(told.removeprefix("vivavoce: ")))
            running.member.exception()  # nobody may wait for it any more
        elif not running.asked:
            self._deaths.put_nowait(Death(name, why))

    async def _read(
        self, name: str, running: _Process, stream: asyncio.StreamReader, *, error: bool
    ) -> None:
        while True:
            try:
                raw = await stream.readline()
            except ValueError:  # longer than any line should be: the rest of it is the next one
                continue
            if not raw:
                return
            if raw.startswith(MARK) and not running.member.done():
                running.member.set_result(Member(**json.loads(raw[len(MARK) :])))
                continue
            line = raw.decode("utf-8", "replace").rstrip()
            if error:
                running.last.append(line)
            if running.member.done() or not error or not line.startswith("vivavoce: "):
                self._said(name, line, error)
