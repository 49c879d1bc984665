"""The heartbeat: a front asks each worker twice a second how it stands."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.control import Control, ControlError
from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.placement import Placement

log = logging.getLogger("vivavoce")

EVERY = 0.5
"""Seconds between two questions."""


class Heartbeat:
    """Keeps what a placement knows fresh. Close it.

    Args:
        placement: Told of what workers say.
        control: Asks them.
        gone: Told the name of a worker that has been silent for too long to live.
        took: Told how long an answer took (s).
    """

    def __init__(
        self,
        placement: Placement,
        control: Control,
        *,
        gone: Callable[[str], None] = lambda _: None,
        took: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._placement, self._control = placement, control
        self._gone, self._took = gone, took
        self._tasks = Tasks()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._dead: set[str] = set()
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Begin to ask."""
        self._tasks.spawn(self._run(), "heartbeat")

    def wake(self) -> None:
        """Ask at once: there is somebody new."""
        self._wake.set()

    async def close(self) -> None:
        """Ask no more; idempotent."""
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            members = self._placement.members
            for member in members:
                if member.name not in self._asking:
                    task = self._tasks.spawn(self._ask(member), f"heartbeat of {member.name}")
                    self._asking[member.name] = task
            gone = set(self._placement.gone(time.monotonic()))
            for name in gone - self._dead:
                log.error("worker %s has been silent for too long", name)
                self._gone(name)
            self._dead = gone
            try:
                async with asyncio.timeout(EVERY):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _ask(self, member: Member) -> None:
        asked = time.monotonic()
        try:
            state = await self._control.state(member)
        except ControlError as error:
            log.debug("%s", error)
            if error.absent:
                self._placement.unreachable(member.name)
        else:
            now = time.monotonic()
            self._took(now - asked)
            self._placement.heard(state, now)
        finally:
            self._asking.pop(member.name, None)
