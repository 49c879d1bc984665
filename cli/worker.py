"""A worker's process: what `vivavoce.cli.workers` starts. `python -m vivavoce.cli.worker`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vivavoce.cli.workers import WorkerSpec
    from vivavoce.web.cluster.fleet import Member

ENDING = 15.0
"""Seconds in which a worker whose front is gone must have ended."""


def main() -> None:
    """Be a worker: what it is stands in the first line of the standard input."""
    # pipecat greets on import and logs everything by default.
    from loguru import logger

    logger.remove()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in vivavoce.cli.main
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    from vivavoce.cli.mistakes import is_mistake
    from vivavoce.cli.program import FAILED, configure_logging
    from vivavoce.cli.workers import WorkerSpec
    from vivavoce.phone.exposure import PhoneError

    try:
        spec = WorkerSpec.from_json(sys.stdin.buffer.readline())
        settings = spec.read_settings()
        configure_logging(
            settings.log, as_json=settings.log_format == "json", personal=settings.log_personal
        )
        asyncio.run(_be(spec))
    except Exception as error:
        if not is_mistake(error) and not isinstance(error, PhoneError):
            raise
        print(f"vivavoce: {error}", file=sys.stderr, flush=True)
        sys.exit(FAILED)


async def _be(spec: WorkerSpec) -> None:
    from vivavoce.cli.processes import LAST, MARK
    from vivavoce.cli.workers import run_worker
    from vivavoce.web.cluster.inside import Stop

    stop = Stop()
    loop = asyncio.get_running_loop()

    def ready(member: Member) -> None:
        sys.stdout.buffer.write(MARK + json.dumps(asdict(member)).encode() + b"\n")
        sys.stdout.buffer.flush()

    def watch() -> None:
        # A thread, so that a process whose event loop hangs ends as well.
        told = b""
        while more := os.read(0, 4_096):
            told += more
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
            loop.call_soon_threadsafe(partial(stop.set, last=told == LAST))
        time.sleep(ENDING)
        os._exit(1)

    threading.Thread(target=watch, name="front", daemon=True).start()
    await run_worker(spec, ready, stop)


if __name__ == "__main__":
    main()
