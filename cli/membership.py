"""A front's place in a cluster: it learns who the workers are, and shares what it has spent."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from vivavoce.cli.keeper import Keeper
from vivavoce.cli.ray_link import ClusterError, keeper, said
from vivavoce.cli.steward import Plan, View
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.fleet import Member

log = logging.getLogger("vivavoce")

MEET = 0.5
"""Seconds between two times that the keeper is asked who there is."""
WITHIN = 5.0
"""Seconds in which it answers, or has missed it."""
RENEWED = 3_600.0
"""Seconds in which all workers are renewed."""
START = 300.0
"""Seconds in which the cluster's first workers take calls."""


class Membership:
    """Keeps a front in touch with the cluster's keeper. Implements `Spending` for it.

    While the keeper is away (Ray restarts it), the front goes on with the workers that it knows;
    only tokens that are good for one call cannot be used then.

    Args:
        met: Told who the workers are, each time.
    """

    def __init__(self, met: Callable[[tuple[Member, ...]], None] = lambda _: None) -> None:
        self.name = secrets.token_hex(4)
        self.met = met
        self.plan: Plan | None = None
        self._actor: Any = None
        self._epoch = ""
        self._spent: dict[str, float] = {}
        self._tasks = Tasks()
        self._silent = False
        self._left = False
        self._failed = ""

    async def key(self, proposed: str) -> str:
        """Return the cluster's key: what its workers have, else what is proposed.

        Raises:
            ClusterError: The cluster does not answer.
        """
        return str(await self._ask("key", proposed, within=START))

    async def use(self, plan: Plan) -> str:
        """Have workers made by a plan; return what comes of it, for people.

        Raises:
            ClusterError: They do not start.
        """
        self.plan = plan
        return str(await self._ask("use", self.name, plan, within=START))

    def start(self) -> None:
        """Begin to ask who there is."""
        self._tasks.spawn(self._run(), "membership")

    async def look(self) -> View:
        """Ask once who there is, and tell it.

        Raises:
            ClusterError: The cluster does not answer.
        """
        # It knows of no tokens yet where it is another one than the last time.
        view: View = await self._ask("meet", self.name, None)
        if view.epoch != self._epoch:
            if self._epoch and self._spent:
                await self._ask("meet", self.name, dict(self._spent))
            self._epoch = view.epoch
        if view.planned:
            self.met(view.members)
        elif self.plan is not None:
            log.warning("the cluster has no workers: they are begun anew")
            await self._ask("use", self.name, self.plan, within=START)
        if view.failed and view.failed != self._failed:
            log.error("a worker does not start: %s", view.failed)
        self._failed = view.failed
        return view

    async def renew(self) -> str:
        """Put a new worker in the place of each; return what comes of it, for people.

        Raises:
            ClusterError: A new one does not start.
        """
        await self._ask("renew", within=RENEWED)
        return "all workers are new; old calls go on"

    async def leave(self, wait: float) -> bool:
        """Ask no more, and tell that this front ends; return whether it was the last one.

        With the last one the workers end, which is waited for. Called while it waits, with less to
        wait, it is waited for no longer than that; once it is done it does nothing. Never raises.

        Args:
            wait: Seconds that calls may go on, then.
        """
        await self._tasks.close()
        # It was never a front of the cluster, or is none any more.
        if self.plan is None or self._actor is None or self._left:
            return False
        try:
            async with asyncio.timeout(wait + START):
                last = bool(await self._actor.leave.remote(self.name, wait))
        except Exception as error:  # noqa: BLE001 (Ray's own kinds)
            log.warning("the cluster was not told that this front ends: %s", said(error))
            last = False
        self._left = True
        return last

    # Spending.

    async def spend(self, ident: str, until: float, wall: float) -> bool:
        """Use a token up, in the whole cluster."""
        try:
            fresh = await self._ask("spend", ident, until)
        except ClusterError as error:
            raise ConnectionError(str(error)) from None
        if fresh is None:
            raise ConnectionError("the cluster's keeper has just begun")
        if fresh:
            self._spent = {each: at for each, at in self._spent.items() if at > wall}
            self._spent[ident] = until
        return bool(fresh)

    async def give_back(self, ident: str) -> None:
        """It may be used again."""
        self._spent.pop(ident, None)
        try:
            await self._ask("give_back", ident)
        except ClusterError as error:
            log.warning("a call token stays used: %s", error)

    # Inside.

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self.look()
            except ClusterError as error:
                if not self._silent:
                    log.warning("the cluster's keeper does not answer: %s", error)
                self._silent = True
            else:
                if self._silent:
                    log.warning("the cluster's keeper answers again")
                self._silent = False
            await asyncio.sleep(max(0.05, MEET - (time.monotonic() - began)))

    async def _ask(self, method: str, *given: Any, within: float = WITHIN) -> Any:
        from ray.exceptions import ActorDiedError

        try:
            return await self._asked(method, given, within)
        except ActorDiedError:
            self._actor = None  # for good: another one is made
        except Exception as error:  # noqa: BLE001 (Ray's own kinds)
            raise ClusterError(said(error)) from None
        try:
            return await self._asked(method, given, within)
        except Exception as error:  # noqa: BLE001 (likewise)
            raise ClusterError(said(error)) from None

    async def _asked(self, method: str, given: tuple[Any, ...], within: float) -> Any:
        try:
            async with asyncio.timeout(within):
                if self._actor is None:
                    self._actor = await asyncio.to_thread(keeper, Keeper)
                return await getattr(self._actor, method).remote(*given)
        except TimeoutError:
            raise ClusterError(f"the cluster did not answer within {within:g} s") from None
