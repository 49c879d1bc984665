"""The fleet: as many workers as are wanted, replaced when they die, drained before they end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from asyncio import FIRST_COMPLETED
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
"""Seconds between two looks at how all workers stand."""
HUNG = 15
"""Looks in a row that a worker may miss before it is ended: half a minute, in which its callers
have come back elsewhere, as far as they can."""


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

    async def stop(self, name: str, wait: float, *, last: bool = False) -> None:
        """End a worker, by force after so many seconds; nothing if there is none. Idempotent.

        It hangs up what calls it has left, and writes their records. Cancelled, it ends by force.

        Args:
            name: Which one.
            wait: Seconds that it may take.
            last: Whether all end: then nobody is left for its calls to be carried on by, and they
                are over.
        """

    async def death(self) -> Death:
        """Wait until a worker ends that nobody has ended. Cancelling loses none."""

    async def close(self) -> None:
        """End all workers with their calls, and wait for that; idempotent."""


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
        now = time.monotonic()
        self._members = {each.name: each for each in members}
        self._since = dict.fromkeys(self._members, now)
        self._draining: dict[str, asyncio.Task[None]] = {}
        self._starting: dict[asyncio.Task[Member], int] = {}  # with the slot that each will have
        self._tasks = Tasks()
        self._stops: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._not_before = now
        self._extra = 0  # workers beyond those wanted, while they take others' places
        self._renewing = asyncio.Lock()
        self._closing = False
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
    def lacking(self) -> int:
        """How many cores have to be there for all that are wanted; 0 while all of them are.

        Then nothing is asked for: machines that have workers are used, and those that have none
        may go.
        """
        return self.wanted if len(self.taking) < self.wanted else 0

    def retry(self) -> None:
        """Start what lacks now, whatever went wrong before: there is room where there was none."""
        self._not_before = time.monotonic()
        self._backoff.forgive()
        self._look.set()

    @property
    def bounds(self) -> tuple[int, int]:
        """How few and how many may be wanted."""
        return self._scaler.scale.least, self._scaler.scale.most

    async def open(self) -> None:
        """Start the workers that are wanted at first, side by side, and keep them from then on.

        Raises:
            LaunchError: One of them does not start: then none is left.
        """
        waiting = {self._begin() for _ in range(self.wanted - len(self._members))}
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=FIRST_COMPLETED)
                for task in done:
                    task.result()
        except BaseException:
            await self.close()
            raise
        self._tasks.spawn(self._mourn(), "fleet's deaths")
        self._tasks.spawn(self._keep(), "fleet")
        self._tasks.spawn(self._measure(), "fleet's measure")
        self._told()

    def scale(self, least: int, most: int | None = None, quiet: float | None = None) -> None:
        """Want other numbers of workers from now on.

        Args:
            least: At least so many.
            most: At most; None: `least`.
            quiet: Seconds of little use after which there is one fewer; None: as before.

        Raises:
            ValueError: They are no range.
        """
        before = self._scaler.scale
        quiet = before.quiet if quiet is None else quiet
        scale = replace(before, least=least, most=max(least, most or least), quiet=quiet)
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
        self._let_go(name, wait)
        task = self._draining[name]
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
                self._extra += 1
                try:
                    await self._begin()
                    self._let_go(old.name)
                finally:
                    self._extra -= 1
                    self._look.set()

    async def finish(self, wait: float) -> None:
        """Take no more calls, and end each worker once its calls are over. Safe to cancel.

        Args:
            wait: Seconds that calls may go on.
        """
        self._closing = True
        for task in list(self._starting):
            task.cancel()
        await asyncio.gather(*(self.drain(each.name, wait) for each in self.members))

    async def close(self) -> None:
        """End all workers now, and their calls, and wait for that; idempotent."""
        self._closing = True
        for task in list(self._starting):
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await self._tasks.close()
        await self._launcher.close()
        await asyncio.gather(*self._stops, return_exceptions=True)
        self._members.clear()
        self._told()

    # Inside.

    def _told(self) -> None:
        self._changed(self.members)

    def _begin(self) -> asyncio.Task[Member]:
        """Begin to start a worker, beside whatever else goes on: it may take long."""
        slot, taken = 0, {*(each.slot for each in self.members), *self._starting.values()}
        while slot in taken:
            slot += 1
        task = asyncio.ensure_future(self._start(new_name(), slot))
        self._starting[task] = slot
        task.add_done_callback(lambda done: self._starting.pop(done, None))
        return task

    async def _start(self, name: str, slot: int) -> Member:
        member = await self._launcher.start(name, slot)
        self._members[member.name], self._since[member.name] = member, time.monotonic()
        log.info("worker %s takes calls at %s", member.name, member.url)
        self._told()
        return member

    def _was_started(self, task: asyncio.Task[Member]) -> None:
        """Take what became of a start that nobody waits for."""
        self._look.set()
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self.failed = ""
            return
        self.failed = str(error)
        unforeseen = None if isinstance(error, LaunchError) else error
        log.error("a worker does not start: %s", error, exc_info=unforeseen)
        self._later(max(1.0, self._backoff.died(0.0)))

    def _let_go(self, name: str, wait: float | None = None) -> None:
        """Begin to drain a worker, which counts as draining from now on."""
        if name in self._members and name not in self._draining:
            work = self._drained(self._members[name], self.drain_time if wait is None else wait)
            self._draining[name] = self._tasks.spawn(work, f"drain of {name}")

    def _forget(self, name: str) -> None:
        self._draining.pop(name, None)
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
            await self._stopped(member.name)
        except asyncio.CancelledError:
            raise  # all end: it is there until it has, for what its callers are told still
        except BaseException:
            self._forget(member.name)
            raise
        self._forget(member.name)

    async def _stopped(self, name: str) -> None:
        """End a worker. Cancelled, it ends all the same: it may be writing its calls' records."""
        stop = self._launcher.stop(name, ENDING, last=self._closing)
        task = asyncio.create_task(stop, name=f"end of {name}")
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)
        await asyncio.shield(task)

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
        while not self._closing:
            self._look.clear()
            wait = self._not_before - time.monotonic()
            lacking = self.wanted + self._extra - len(self.taking) - len(self._starting)
            for _ in range(lacking if wait <= 0 else 0):
                self._begin().add_done_callback(self._was_started)
            for _ in range(-lacking):
                self._shrink()
            held_back = lacking > 0 and wait > 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait if held_back else None):
                    await self._look.wait()

    def _shrink(self) -> None:
        """Have one worker less: one that is not there yet, else the youngest."""
        pending = [task for task in self._starting if not task.cancelling()]
        if pending:
            pending[-1].cancel()
        elif self.taking:
            # The others' names are longer known to callers.
            youngest = max(self.taking, key=lambda each: self._since.get(each.name, 0.0))
            self._let_go(youngest.name)

    async def _measure(self) -> None:
        """Look how all stand: how much they are used, and whether one of them hangs."""
        missed: dict[str, int] = {}
        while True:
            await asyncio.sleep(MEASURE)
            members = self.taking
            found = await asyncio.gather(*(self._look_at(each) for each in members))
            missed = {
                member.name: missed.get(member.name, 0) + 1
                for member, state in zip(members, found, strict=True)
                if state is None
            }
            for member in members:
                if missed.get(member.name, 0) >= HUNG:
                    await self._end_hung(member)
            before = self.wanted
            if self._scaler.decide([each for each in found if each], time.monotonic()) != before:
                log.info("%d workers are wanted now, not %d", self.wanted, before)
                self._look.set()

    async def _look_at(self, member: Member) -> WorkerState | None:
        """Return how a worker stands; None if it does not answer."""
        try:
            return await self._warden.state(member)
        except Exception as error:  # noqa: BLE001 (whatever it is, it does not answer)
            log.debug("%s", error)
            return None

    async def _end_hung(self, member: Member) -> None:
        """End a worker that is there and answers nothing any more, so that it is replaced."""
        if self._closing or member.name not in self._members or member.name in self._draining:
            return
        seconds = HUNG * MEASURE
        log.error("worker %s has answered nothing for %.0f s: it is ended", member.name, seconds)
        since = self._since.get(member.name, time.monotonic())
        self._later(self._backoff.died(time.monotonic() - since))
        await self._launcher.stop(member.name, 0.0)
        self._forget(member.name)
