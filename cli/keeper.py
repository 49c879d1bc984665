"""The keeper: the actor of a cluster that has its workers, and that all fronts ask who there is.

It holds the `Fleet`, and lets a token that is good for one call be used once whichever front it
comes to. Ray restarts it when it dies, on another machine if need be: it finds the workers by their
names, and has from them the plan by which they were made; where there are none, a front tells it
anew. So nothing of it is kept anywhere but in the memory of processes of ours. Calls and their
requests do not pass through it, and go on while it is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from dataclasses import asdict
from typing import Any

from vivavoce.cli.on_ray import Actors
from vivavoce.cli.ray_link import ClusterError, cores, demand, end_keeper
from vivavoce.cli.steward import Fronts, Plan, Purse, View
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.control import Control, ControlError
from vivavoce.web.cluster.fleet import Fleet, LaunchError
from vivavoce.web.cluster.proof import Seal
from vivavoce.web.cluster.scaling import Scale

log = logging.getLogger("vivavoce")

FIRST = 120.0
"""Seconds in which a cluster without a machine for workers gets its first one."""
LOOK = 1.0
"""Seconds between two looks at what machines and fronts there are."""


class Keeper:
    """The steward as an actor of Ray's. Its methods are called from elsewhere."""

    def __init__(self) -> None:
        from loguru import logger

        logger.remove()  # pipecat greets on import and logs everything by default
        self._epoch = secrets.token_hex(4)
        self._fronts = Fronts(time.monotonic())
        self._purse = Purse(time.time())
        self._touched = time.monotonic()
        self._plan: Plan | None = None
        self._scaled: tuple[int, int] | None = None  # by hand
        self._launcher: Actors | None = None
        self._control: Control | None = None
        self._fleet: Fleet | None = None
        self._busy = asyncio.Lock()  # one of those who change the fleet at a time
        self._looked = False
        self._count = 0  # cores, at the last look
        self._ending = False
        self._hurry = asyncio.Event()  # who waits for calls to end is to wait no more
        self._tasks = Tasks()

    # For fronts.

    async def key(self, proposed: str) -> str:
        """Return the cluster's key: the one that its workers have, else what is proposed."""
        self._touched = time.monotonic()
        await self._find()
        return proposed if self._plan is None else str(json.loads(self._plan.given)["key"])

    async def meet(self, front: str, spent: dict[str, float] | None = None) -> View:
        """A front asks who there is.

        Args:
            front: Its name.
            spent: The tokens that it has spent, where this keeper does not know them yet.
        """
        self._fronts.meet(front, time.monotonic())
        if spent:
            self._purse.told(spent)
        await self._find()
        fleet = self._fleet
        if fleet is None:
            return View((), self._epoch, self._plan is not None)
        return View(fleet.members, self._epoch, planned=True, failed=fleet.failed)

    async def use(self, front: str, plan: Plan) -> str:
        """Take a plan, unless a newer one is there; return what comes of it, for people.

        Workers of another plan are renewed one by one, while their calls go on.

        Raises:
            ClusterError: No worker starts.
        """
        self._fronts.meet(front, time.monotonic())
        await self._find()
        async with self._busy:
            before = self._plan
            if before is not None and plan.made < before.made:
                return "a newer plan is there"
            self._plan, self._scaled = plan, None
            if self._fleet is None or self._launcher is None:
                try:
                    await self._begin(plan)
                except LaunchError as error:
                    self._plan = None
                    raise ClusterError(f"no worker starts: {error}") from None
                return "the workers take calls"
            self._launcher.plan = plan
            self._fleet.drain_time = plan.drain
            await self._size()
        if before is not None and before.mark != plan.mark:
            self._tasks.spawn(self._renew(), "renew")
            return "the workers are renewed, one by one"
        return "the workers were there already"

    async def leave(self, front: str, wait: float) -> bool:
        """A front ends; return whether it was the last one: then all workers have ended.

        Args:
            front: Its name.
            wait: Seconds that calls may go on; told 0 later on, they do not go on.
        """
        last = self._fronts.leave(front, time.monotonic())
        if last:
            await self._finish(wait)
        return last

    async def spend(self, ident: str, until: float) -> bool | None:
        """Use up a token; return whether it was there to be used, None while nobody knows."""
        return self._purse.spend(ident, until, time.time())

    async def give_back(self, ident: str) -> None:
        """Nothing was begun with a token."""
        self._purse.give_back(ident)

    # For operators.

    async def status(self) -> dict[str, Any]:
        """Return how the cluster stands: JSON."""
        await self._find()
        found: dict[str, Any] = {
            "fronts": len(self._fronts),
            "cores": await _cores(),
            "wanted": 0,
            "failed": "",
            "workers": [],
        }
        fleet, control = self._fleet, self._control
        if fleet is None or control is None:
            return found
        found |= {"wanted": fleet.wanted, "failed": fleet.failed}
        taking = {each.name for each in fleet.taking}
        for member in fleet.members:
            row: dict[str, Any] = {**asdict(member), "answers": True}
            try:
                state = await control.state(member)
            except ControlError:
                row["answers"] = False
            else:
                row |= {"calls": state.calls, "room": state.room, "strain": state.strain}
            row["draining"] = member.name not in taking
            found["workers"].append(row)
        return found

    async def drain(self, name: str, wait: float | None = None) -> None:
        """Let a worker's calls end, and put another one in its place; returns once it is gone.

        Raises:
            ClusterError: There is none of that name.
        """
        fleet = await self._there()
        known = {each.name for each in fleet.members}
        if name not in known:
            raise ClusterError(f"there is no worker {name!r}; known: {', '.join(sorted(known))}")
        await fleet.drain(name, wait)

    async def scale(self, least: int, most: int | None, quiet: float | None = None) -> None:
        """Want other numbers of workers, until a front brings another plan.

        Args:
            least: At least so many.
            most: At most; None: `least`.
            quiet: Seconds of little use after which there is one fewer; None: as before.

        Raises:
            ClusterError: They are no range, or there is no fleet.
        """
        fleet = await self._there()
        try:
            fleet.scale(least, most, quiet)
        except ValueError as error:
            raise ClusterError(str(error)) from None
        self._scaled = fleet.bounds

    async def renew(self) -> None:
        """Put a new worker in the place of each, one after the other; returns when that is done.

        Raises:
            ClusterError: A new one does not start; the old ones that are left go on.
        """
        fleet, launcher = await self._there(), self._launcher
        assert launcher is not None
        launcher.spare = 1
        try:
            await fleet.renew()
        except LaunchError as error:
            raise ClusterError(f"a new worker does not start: {error}") from None
        finally:
            launcher.spare = 0

    async def stop(self, wait: float) -> None:
        """End all workers once their calls are over, whoever is still there.

        Args:
            wait: Seconds that calls may go on.
        """
        await self._finish(wait)

    # Inside.

    async def _there(self) -> Fleet:
        await self._find()
        if self._fleet is None:
            raise ClusterError("there are no workers: `vivavoce serve --cluster` begins them")
        return self._fleet

    async def _find(self) -> None:
        """Find the workers of the keeper before this one."""
        if self._looked:
            return
        async with self._busy:
            if not self._looked:  # by somebody who was here before
                await self._look_around()

    async def _look_around(self) -> None:
        launcher = Actors()
        members, plans = await launcher.find()
        if members and plans:
            self._purse = Purse(time.time(), restarted=True)
            self._plan = max(plans, key=lambda each: each.made)
            log.warning("%d workers were there before their keeper", len(members))
            launcher.plan = self._plan
            await self._begin(self._plan, launcher, tuple(members))
            fleet, control = self._fleet, self._control
            assert fleet is not None
            assert control is not None
            for member in members:  # those that were drained are to end still
                with contextlib.suppress(ControlError):
                    if (await control.state(member)).draining:
                        self._tasks.spawn(fleet.drain(member.name), f"drain of {member.name}")
        self._looked = True

    async def _begin(
        self, plan: Plan, launcher: Actors | None = None, members: tuple[Any, ...] = ()
    ) -> None:
        launcher = launcher or Actors(plan)
        control = Control(Seal(json.loads(plan.given)["key"]))
        await asyncio.to_thread(demand, plan.least)
        until = time.monotonic() + FIRST
        while not await _cores() and time.monotonic() < until:  # noqa: ASYNC110 (Ray tells nobody)
            await asyncio.sleep(LOOK)
        least, most = plan.wanted(await _cores())
        there = len(members) or min(least, max(1, await _cores()))
        fleet = Fleet(launcher, control, Scale(there, there), drain=plan.drain, members=members)
        try:
            await fleet.open()
        except BaseException:
            await control.close()
            raise
        launcher.ending = lambda: (
            {each.name for each in fleet.members} - {each.name for each in fleet.taking}
        )
        self._launcher, self._control, self._fleet = launcher, control, fleet
        self._ending = False
        self._hurry.clear()
        fleet.scale(least, most)
        self._tasks.spawn(self._keep(), "keeper")

    async def _size(self) -> None:
        """Want as many workers as the plan or somebody says."""
        fleet, plan = self._fleet, self._plan
        if fleet is None or plan is None:
            return
        count = await _cores()
        if count > self._count:
            fleet.retry()
        self._count = count
        least, most = self._scaled or plan.wanted(count)
        if (least, most) != fleet.bounds:
            log.info("from %d to %d workers are wanted on %d cores", least, most, count)
            fleet.scale(least, most)

    async def _keep(self) -> None:
        """Follow the machines that come and go, and end when nobody is left."""
        asked = 0
        while not self._ending:
            await asyncio.sleep(LOOK)
            if self._fronts.alone(time.monotonic()):
                log.warning("no front has asked for long: the workers end")
                self._tasks.spawn(self._finish(self._plan.drain if self._plan else 0.0), "finish")
                return
            try:
                await self._size()
                lacking = 0 if self._fleet is None else self._fleet.lacking
                if lacking != asked:
                    asked = lacking
                    await asyncio.to_thread(demand, asked)
            except Exception as error:  # noqa: BLE001 (Ray's own kinds: its head is away)
                log.warning("the cluster does not answer: %s", error)

    async def _renew(self) -> None:
        with contextlib.suppress(ClusterError):  # the fleet has logged it
            await self.renew()

    async def _finish(self, wait: float) -> None:
        """End all workers. Who asks again and does not wait ends the waiting of others."""
        if wait <= 0:
            self._hurry.set()
        async with self._busy:
            fleet, self._fleet = self._fleet, None
            control, self._control = self._control, None
            self._plan, self._ending = None, True
            if fleet is None or control is None:
                return
            try:
                if wait > 0:
                    await self._calls_end(fleet, wait)
                await fleet.close()
            finally:
                await control.close()
            with contextlib.suppress(Exception):
                await asyncio.to_thread(demand, 0)
            self._tasks.spawn(self._exit(time.monotonic()), "exit")

    async def _calls_end(self, fleet: Fleet, wait: float) -> None:
        """Let calls end, for so long or until somebody does not wait for it."""
        either = [
            asyncio.create_task(fleet.finish(wait), name="finish"),
            asyncio.create_task(self._hurry.wait(), name="hurry"),
        ]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()
            for error in await asyncio.gather(*either, return_exceptions=True):
                if isinstance(error, Exception):
                    log.error("calls did not end as they should", exc_info=error)

    async def _exit(self, since: float) -> None:
        """End this actor, too, unless somebody has come meanwhile."""
        await asyncio.sleep(2 * LOOK)
        if self._fleet is None and not len(self._fronts) and self._touched <= since:
            await asyncio.to_thread(end_keeper)


async def _cores() -> int:
    return sum((await asyncio.to_thread(cores)).values())
