"""Tasks that have an owner, who cancels and awaits them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from vivavoce.pipelines.observing.logs import call_id

log = logging.getLogger("vivavoce")


class Tasks:
    """A set of running tasks.

    An exception in one of them is a defect of ours: it is logged with its traceback and does not
    end the call.

    Args:
        call: Which call they serve, for the log; "" for the one that their spawner serves.
    """

    def __init__(self, call: str = "") -> None:
        self._call = call
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Awaitable[Any], name: str) -> asyncio.Task[Any]:
        """Start a task and keep it until it is done."""
        # A task takes over the context of who spawns it, which may be a socket's reader.
        serving = call_id.set(self._call or call_id.get())
        try:
            task = asyncio.ensure_future(work)
        finally:
            call_id.reset(serving)
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel all and wait for them; idempotent. A task may close its own set."""
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
