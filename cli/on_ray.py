"""Call workers as actors of Ray's: on all machines of a cluster, one to a core.

Each worker is an actor by itself, not one that Ray restarts: a call's ids bear its worker's name,
which is new for each incarnation, so the `Fleet` replaces the dead as it does with processes. What
Ray gives is the rest: where an actor runs, that it is noticed at once when one dies, and machines
when there is no room for one more.

A worker's actor is *detached*: it lives on when the process that started it dies, and so do its
calls. Secrets go to it as the argument of a call, from process to process: arguments of an actor's
constructor, and a runtime environment's variables, would be kept by Ray and shown by its dashboard.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vivavoce.cli.parcel import ParcelError, unpack
from vivavoce.cli.ray_link import (
    ClusterError,
    cores,
    find_actor,
    kill,
    make_worker,
    own_address,
    own_ident,
    own_node,
    said,
    worker_names,
)
from vivavoce.cli.steward import Plan, node_for
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.fleet import ENDING, Death, LaunchError, Member
from vivavoce.web.cluster.inside import Stop

if TYPE_CHECKING:
    from vivavoce.cli.workers import WorkerSpec

log = logging.getLogger("vivavoce")

PLACED = 60.0
"""Seconds in which Ray must have begun a worker's process."""
BEGUN = 120.0
"""Seconds in which a worker must take calls once it has one."""
MISSED = 20.0
"""Seconds for which a worker's machine may be silent before the worker counts as dead."""
ASKED = 10.0
"""Seconds in which an actor answers a question that needs no work."""


@dataclass(frozen=True, slots=True)
class About:
    """What a worker's actor is.

    Attributes:
        node: The machine that it is on.
        ident: Ray's id of it.
        version: Ours, there.
        member: The worker; None before and after its work.
    """

    node: str
    ident: str
    version: str
    member: Member | None


class CallWorker:
    """A worker in a process of Ray's. Its methods are called from elsewhere."""

    def __init__(self) -> None:
        self._stop = Stop()
        self._work: asyncio.Task[None] | None = None
        self._member: Member | None = None
        self._plan: Plan | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def about(self) -> About:
        """Return what it is."""
        running = self._work is not None and not self._work.done()
        return About(
            own_node(), own_ident(), version("vivavoce"), self._member if running else None
        )

    async def plan(self) -> Plan | None:
        """Return what it was made by: for a keeper that knows it no more."""
        return self._plan

    async def begin(self, plan: Plan, name: str, slot: int) -> Member:
        """Begin to carry calls; return once it listens.

        Args:
            plan: What it is to be. Host and node are this machine's.
            name: Its name.
            slot: See `Member`.

        Raises:
            ClusterError: It cannot; the message says why.
        """
        if self._work is not None:
            raise ClusterError("this worker was begun already")
        from vivavoce.cli.workers import WorkerSpec, run_worker

        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Member] = loop.create_future()
        about = {"name": name, "slot": slot, "host": own_address(), "node": own_node()}
        try:
            spec = WorkerSpec.from_json(json.dumps({**json.loads(plan.given), **about}))
            self._settle(spec, plan)
        except (ParcelError, ValueError, OSError) as error:
            raise ClusterError(str(error)) from None
        self._plan = plan

        def tell(member: Member) -> None:
            if not ready.done():
                ready.set_result(member)

        self._work = asyncio.create_task(run_worker(spec, tell, self._stop), name="worker")
        either: set[asyncio.Future[Any]] = {self._work, ready}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            raise ClusterError(_why(self._work))
        self._member = ready.result()
        return self._member

    async def over(self) -> str:
        """Wait until it has ended; return why."""
        if self._work is None:
            return "it was never begun"
        await asyncio.wait({self._work})
        return _why(self._work)

    async def stop(self, *, last: bool = False) -> None:
        """Hang up what calls are left, write their records, and end; idempotent.

        Args:
            last: Whether all workers end, so that the calls cannot go on elsewhere.
        """
        self._stop.set(last=last)
        if self._work is not None:
            await asyncio.wait({self._work})
        if self._folder is not None:
            self._folder.cleanup()

    def _settle(self, spec: WorkerSpec, plan: Plan) -> None:
        """Make the process one that carries calls."""
        os.environ.update(spec.environment)
        folder = plan.folder
        if plan.parcel:
            self._folder = tempfile.TemporaryDirectory(prefix="vivavoce-")
            folder = self._folder.name
            unpack(plan.parcel, Path(folder))
        if folder:
            os.chdir(folder)
            sys.path.insert(0, folder)
        from loguru import logger

        from vivavoce.cli.program import read_settings

        logger.remove()  # pipecat greets on import and logs everything by default
        read_settings(**spec.settings)  # sets the log up: Ray keeps what is written to stderr


class Actors:
    """Starts workers as Ray's actors. Implements `Launcher`; belongs to one event loop.

    Args:
        plan: What they are to be; may be another one from some time on.
        placed: Seconds in which Ray must find a core.
        begun: Seconds in which a worker must take calls once it has one.

    Attributes:
        spare: How many workers there may be beside one to a core.
        ending: Tells the workers whose calls run out, and whose cores count as free.
    """

    def __init__(
        self, plan: Plan | None = None, *, placed: float = PLACED, begun: float = BEGUN
    ) -> None:
        self.plan = plan
        self._placed, self._begun = placed, begun
        self._actors: dict[str, Any] = {}
        self._asked: set[str] = set()  # to end
        self._nodes: dict[str, str] = {}
        self._placing = asyncio.Lock()
        self.spare = 0
        self.ending: Callable[[], Collection[str]] = tuple
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._deaths: asyncio.Queue[Death] = asyncio.Queue()
        self._tasks = Tasks()

    def __repr__(self) -> str:
        return f"<Actors: {', '.join(self._actors)}>"

    async def find(self) -> tuple[list[Member], list[Plan]]:
        """Look after workers that another process has started; return them, and their plans."""
        members, plans = [], []
        for name in await asyncio.to_thread(worker_names):
            actor = await asyncio.to_thread(find_actor, name)
            if actor is None:
                continue
            try:
                async with asyncio.timeout(ASKED):
                    about: About = await actor.about.remote()
                    plan: Plan | None = await actor.plan.remote()
            except Exception:  # noqa: BLE001 (Ray's own kinds: it died meanwhile, or hangs)
                about, plan = About("", "", "", None), None
            if about.member is None or plan is None:
                await asyncio.to_thread(kill, actor)  # whoever began it did not live to see it
                continue
            self._nodes[about.member.name] = about.ident
            self._follow(about.member.name, actor)
            members.append(about.member)
            plans.append(plan)
        return members, plans

    async def start(self, name: str, slot: int) -> Member:
        """See `Launcher`."""
        plan = self.plan
        if plan is None:
            raise LaunchError("nobody has said what workers are to be")
        async with self._placing:  # one sees where the one before went
            machines = await asyncio.to_thread(cores)
            node = node_for(machines, self._nodes, self.ending(), self.spare)
            if not node:
                raise LaunchError(f"{sum(machines.values())} cores have their workers: add a node")
            self._nodes[name] = node
        try:
            return await self._start(plan, name, slot, node)
        except BaseException:
            self._nodes.pop(name, None)
            raise

    async def _start(self, plan: Plan, name: str, slot: int, node: str) -> Member:
        actor = await asyncio.to_thread(make_worker, CallWorker, name, node)
        try:
            member = await self._started(actor, plan, name, slot)
        except BaseException:
            await asyncio.shield(self._tasks.spawn(asyncio.to_thread(kill, actor), "kill"))
            raise
        self._follow(name, actor)
        return member

    async def _started(self, actor: Any, plan: Plan, name: str, slot: int) -> Member:
        try:
            async with asyncio.timeout(self._placed):
                about: About = await actor.about.remote()
        except TimeoutError:
            text = f"Ray has not begun it for {self._placed:g} s: see its logs of that machine"
            raise LaunchError(text) from None
        except Exception as error:  # noqa: BLE001 (Ray's own kinds)
            raise LaunchError(said(error)) from None
        ours = version("vivavoce")
        if about.version != ours:
            text = f"{about.node} has vivavoce {about.version}: install {ours} there"
            raise LaunchError(text)
        try:
            async with asyncio.timeout(self._begun):
                member: Member = await actor.begin.remote(plan, name, slot)
        except TimeoutError:
            raise LaunchError(f"it took no calls within {self._begun:g} s") from None
        except Exception as error:  # noqa: BLE001 (Ray's own kinds)
            raise LaunchError(f"{about.node}: {said(error)}") from None
        return member

    async def stop(self, name: str, wait: float, *, last: bool = False) -> None:
        """See `Launcher`."""
        actor = self._actors.get(name)
        if actor is None:
            return
        self._asked.add(name)
        try:
            with contextlib.suppress(Exception):  # it is ended by force then, or was dead already
                async with asyncio.timeout(wait):
                    await actor.stop.remote(last=last)
        finally:
            ending = self._tasks.spawn(self._end(name, actor), f"end of {name}")
            await asyncio.shield(ending)

    async def death(self) -> Death:
        """See `Launcher`."""
        return await self._deaths.get()

    async def close(self) -> None:
        """End all workers with their calls; idempotent."""
        names = list(self._actors)
        await asyncio.gather(*(self.stop(name, ENDING, last=True) for name in names))
        await self._tasks.close()

    # Inside.

    def _follow(self, name: str, actor: Any) -> None:
        self._actors[name] = actor
        self._watches[name] = self._tasks.spawn(self._watch(name, actor), f"watch of {name}")

    async def _watch(self, name: str, actor: Any) -> None:
        """Tell of a worker's end."""
        from ray.exceptions import ActorUnavailableError

        loop = asyncio.get_running_loop()
        silent: float | None = None
        while True:
            try:
                why = await actor.over.remote()
                break
            except ActorUnavailableError:
                # Its machine does not answer: it may be dead, or only cut off.
                now = loop.time()
                silent = now if silent is None else silent
                if now - silent > MISSED:
                    why = f"its machine has been silent for {MISSED:g} s"
                    break
                await asyncio.sleep(0.5)
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(ASKED):
                        await actor.about.remote()
                        silent = None
            except Exception as error:  # noqa: BLE001 (Ray's own kinds)
                why = said(error)
                break
        self._actors.pop(name, None)
        self._nodes.pop(name, None)
        asked = name in self._asked
        self._asked.discard(name)
        self._watches.pop(name, None)
        # One that has ended its work, or that cannot be reached, must not take a core.
        await asyncio.to_thread(kill, actor)
        if not asked:
            self._deaths.put_nowait(Death(name, why))

    async def _end(self, name: str, actor: Any) -> None:
        await asyncio.to_thread(kill, actor)
        watch = self._watches.get(name)
        if watch is not None:
            await asyncio.wait({watch}, timeout=MISSED)


def _why(work: asyncio.Task[None]) -> str:
    if work.cancelled():
        return "it was cancelled"
    error = work.exception()
    return "it ended" if error is None else f"{type(error).__name__}: {error}"
