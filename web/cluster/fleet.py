"""The fleet: as many workers as are wanted, replaced when they die, drained before they end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Protocol, Self

from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.names import new_name
from vivavoce.web.cluster.scaling import Backoff, Scale, Scaler
from vivavoce.web.cluster.state import WorkerState

log = logging.getLogger("vivavoce")

ENDING = 12.0
"""Seconds in which a worker ends once it is told to: its calls' farewells and records."""
LOOK = 0.5
"""Seconds between two looks at a worker that drains."""
SILENT = 20
"""Looks that a draining worker may miss before it counts as dead."""
MEASURE = 2.0
"""Seconds between two measurements of how much all workers are used."""


class LaunchError(Exception):
    """A worker did not start; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A worker that takes requests.

    Attributes:
        name: Its name (`vivavoce.web.cluster.names`), of this incarnation alone.
        url: Where it listens, as "http://127.0.0.1:41234".
        node: The machine that it is on; "" for this one.
        slot: The smallest number that no other worker had when it was started: what has to
            differ between workers of one machine and be known beforehand (telephone ports) is
            counted by it.
    """

    name: str
    url: str
    node: str = ""
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Death:
    """A worker ended, and nobody had asked it to."""

    name: str
    why: str


class Launcher(Protocol):
    """Starts and ends workers: as processes here, as actors of Ray's elsewhere.

    Everything may be called at any time, for several workers at once.
    """

    async def start(self, name: str, slot: int) -> Member:
        """Start a worker, and return once it listens and its models are warm.

        Bounded in time by itself. Cancelled, it leaves no worker behind.

        Raises:
            LaunchError: It did not start.
        """

    async def stop(self, name: str, wait: float) -> None:
        """End a worker, by force after so many seconds; nothing if there is none. Idempotent.

        It hangs up what calls it has left, and writes their records. Cancelled, it ends by force.
        """

    async def death(self) -> Death:
        """Wait until a worker ends that nobody has ended. Cancelling loses none."""

    async def close(self) -> None:
        """End all workers, and wait for that; idempotent."""


class Warden(Protocol):
    """Asks workers; `vivavoce.web.cluster.control.Control` does."""

    async def state(self, member: Member) -> WorkerState:
        """Return how a worker stands.

        Raises:
            ControlError: It does not answer.
        """

    async def drain(self, member: Member) -> WorkerState:
        """Have a worker take no more calls.

        Raises:
            ControlError: It does not answer.
        """


Changed = Callable[[tuple[Member, ...]], None]


class Fleet:
    """Keeps workers. Use it as an async context manager; leaving it ends all workers at once.

    Args:
        launcher: Starts and ends them; closed with the fleet.
        warden: Asks them how they stand.
        scale: How many there are.
        changed: Told who there is, draining ones too, whenever that changes.
        drain: Seconds that calls may go on at a worker that is to end.
        backoff: How long to wait before a dead one is replaced.
        members: Workers that are there already, and that the launcher knows: where they outlive
            who keeps them, somebody else had started them.
    """

    def __init__(
        self,
        launcher: Launcher,
        warden: Warden,
        scale: Scale,
        *,
        changed: Changed = lambda _: None,
        drain: float = 30.0,
        backoff: Backoff | None = None,
        members: Collection[Member] = (),
    ) -> None:
        self._launcher, self._warden, self._changed = launcher, warden, changed
        self.drain_time = drain
        self._scaler = Scaler(scale)
        self._backoff = backoff or Backoff()
        self._members = {each.name: each for each in members}
        self._since = dict.fromkeys(self._members, time.monotonic())
        self._slots = {each.name: each.slot for each in members}
        self._draining: dict[str, asyncio.Task[None]] = {}
        self._starting: set[str] = set()
        self._tasks = Tasks()
        self._look = asyncio.Event()
        self._not_before = 0.0
        self._closing = False
        self._renewing = asyncio.Lock()
        self.failed = ""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def members(self) -> tuple[Member, ...]:
        """Who there is, those that end still too."""
        return tuple(self._members.values())

    @property
    def taking(self) -> tuple[Member, ...]:
        """Who takes new calls."""
        return tuple(each for each in self.members if each.name not in self._draining)

    @property
    def wanted(self) -> int:
        """How many should take calls."""
        return self._scaler.wanted

    @property
    def bounds(self) -> tuple[int, int]:
        """How few and how many may be wanted."""
        return self._scaler.scale.least, self._scaler.scale.most

    async def open(self) -> None:
        """Start the workers that are wanted at least, side by side, and keep them from then on.

        Raises:
            LaunchError: One of them does not start: then none is left.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.wanted - len(self._members)):
                    group.create_task(self._start())
        except BaseExceptionGroup as errors:
            await self.close()
            failed = next((e for e in errors.exceptions if isinstance(e, LaunchError)), None)
            raise failed or errors.exceptions[0] from None
        except BaseException:
            await self.close()
            raise
        self._tasks.spawn(self._mourn(), "fleet's deaths")
        self._tasks.spawn(self._keep(), "fleet")
        self._tasks.spawn(self._measure(), "fleet's measure")

    def scale(self, least: int, most: int | None = None) -> None:
        """Want other numbers of workers from now on.

        Raises:
            ValueError: They are no range.
        """
        before = self._scaler.scale
        scale = replace(before, least=least, most=max(least, most or least))
        wanted = min(max(self._scaler.wanted, scale.least), scale.most)
        self._scaler = Scaler(scale)
        self._scaler.wanted = wanted
        self._look.set()

    async def drain(self, name: str, wait: float | None = None) -> None:
        """Let a worker's calls end, and then the worker; nothing if there is none of that name.

        It gets no new calls from the first moment on. Cancelled, it ends by itself all the same.

        Args:
            name: Which one.
            wait: Seconds that its calls may go on; None for what is usual.
        """
        if name not in self._members:
            return
        task = self._draining.get(name)
        if task is None:
            member = self._members[name]
            work = self._drained(member, self.drain_time if wait is None else wait)
            task = self._draining[name] = self._tasks.spawn(work, f"drain of {name}")
            self._look.set()
        await asyncio.shield(task)

    async def renew(self) -> None:
        """Put a new worker in the place of each that there is, one after the other.

        The next old one takes no more calls once its successor does; their calls go on beside each
        other. Where a new one does not start, the old ones that are left go on.

        Raises:
            LaunchError: One does not start: the new agent is wrong.
        """
        async with self._renewing:
            for old in self.taking:
                if old.name not in self._members or old.name in self._draining:
                    continue
                await self._start()
                if old.name in self._members:
                    self._tasks.spawn(self.drain(old.name), f"end of {old.name}")
                    await asyncio.sleep(0)

    async def finish(self, wait: float) -> None:
        """Take no more calls, and end each worker once its calls are over. Safe to cancel.

        Args:
            wait: Seconds that calls may go on.
        """
        self._closing = True
        await asyncio.gather(*(self.drain(each.name, wait) for each in self.members))

    async def close(self) -> None:
        """End all workers now, and wait for that; idempotent."""
        self._closing = True
        await self._tasks.close()
        await self._launcher.close()
        self._members.clear()
        self._told()

    # Inside.

    def _told(self) -> None:
        self._changed(self.members)

    async def _start(self) -> Member:
        name, slot = new_name(), 0
        taken = set(self._slots.values())
        while slot in taken:
            slot += 1
        self._slots[name] = slot
        self._starting.add(name)
        try:
            member = await self._launcher.start(name, slot)
        except BaseException:
            self._slots.pop(name, None)
            raise
        finally:
            self._starting.discard(name)
        self._members[name], self._since[name] = member, time.monotonic()
        log.info("worker %s takes calls at %s", name, member.url)
        self._told()
        return member

    def _forget(self, name: str) -> None:
        self._slots.pop(name, None)
        self._since.pop(name, None)
        if self._members.pop(name, None) is not None:
            self._told()
        self._look.set()

    async def _drained(self, member: Member, wait: float) -> None:
        """Wait for a worker's calls, and end it."""
        until = time.monotonic() + wait
        try:
            silent = 0
            while (left := until - time.monotonic()) > 0 and silent < SILENT:
                try:
                    # Asked each time: that it takes no more may have been lost on the way.
                    state = await self._warden.drain(member)
                except Exception as error:  # noqa: BLE001 (whatever it is, it does not answer)
                    log.debug("%s", error)
                    silent += 1
                else:
                    silent = 0
                    if not state.calls:
                        break
                await asyncio.sleep(min(LOOK, left))
            await self._launcher.stop(member.name, ENDING)
        finally:
            self._draining.pop(member.name, None)
            self._forget(member.name)

    async def _mourn(self) -> None:
        """Take notice of workers that end unasked."""
        while True:
            death = await self._launcher.death()
            since = self._since.get(death.name)
            age = 0.0 if since is None else time.monotonic() - since
            if death.name in self._draining:
                log.warning("worker %s ended while it was drained: %s", death.name, death.why)
            else:
                log.error("worker %s died after %.0f s: %s", death.name, age, death.why)
                self._later(self._backoff.died(age))
            self._forget(death.name)

    def _later(self, wait: float) -> None:
        self._not_before = max(self._not_before, time.monotonic() + wait)

    async def _keep(self) -> None:
        """Start what lacks, end what is too much."""
        while True:
            self._look.clear()
            lacking = 0 if self._closing else self.wanted - len(self.taking) - len(self._starting)
            wait = self._not_before - time.monotonic()
            if lacking > 0 and wait <= 0:
                try:
                    await self._start()
                    self.failed = ""
                except LaunchError as error:
                    self.failed = str(error)
                    log.error("a worker does not start: %s", error)  # noqa: TRY400 (told in one line)
                    self._later(max(1.0, self._backoff.died(0.0)))
                continue
            if lacking < 0 and not self._closing and not self._renewing.locked():
                # The youngest: the others' names are longer known to callers.
                youngest = max(self.taking, key=lambda each: self._since.get(each.name, 0.0))
                self._tasks.spawn(self.drain(youngest.name), f"end of {youngest.name}")
                await asyncio.sleep(0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.05, wait) if lacking > 0 else None):
                    await self._look.wait()

    async def _measure(self) -> None:
        """Find out how much the workers are used, where their number depends on that."""
        while True:
            await asyncio.sleep(MEASURE)
            scale = self._scaler.scale
            if scale.least == scale.most or self._closing:
                continue
            states = []
            for member in self.taking:
                with contextlib.suppress(Exception):
                    states.append(await self._warden.state(member))
            before = self.wanted
            if self._scaler.decide(states, time.monotonic()) != before:
                log.info("%d workers are wanted now, not %d", self.wanted, before)
                self._look.set()
