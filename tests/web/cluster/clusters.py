"""A cluster in one process: real call servers behind a real front, over loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from tests.web.calls import host, humming, settled
from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.front import Front
from vivavoce.web.cluster.inside import Inside
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits
from vivavoce.web.server import CallServer

KEY = "the cluster's key, of forty characters, or so"
ROOMY = Limits(per_address=50, starts=1_000, requests=1_000.0, per_caller=50)


@dataclass
class Cluster:
    front: Front
    workers: dict[str, CallServer] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.front.url

    @property
    def members(self) -> list[Member]:
        return [Member(name, server.url) for name, server in self.workers.items()]

    def calls(self) -> dict[str, int]:
        return {name: len(server.desk.calls) for name, server in self.workers.items()}

    def of(self, call: str) -> CallServer:
        """The worker that has a call."""
        (found,) = (each for each in self.workers.values() if call in each.desk.calls)
        return found

    async def known(self, within: float = 20.0) -> None:
        """Wait until the front knows how all workers stand."""
        self.front.meet(self.members)
        async with asyncio.timeout(within):
            while {s.name for s in self.front.placement.states()} != set(self.workers):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def until(self, condition: Any, within: float = 20.0) -> Any:
        async with asyncio.timeout(within):
            while not (found := condition()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found


@contextlib.asynccontextmanager
async def clustered(
    *names: str,
    exposure: Exposure | None = None,
    limits: Limits = ROOMY,
    worker_limits: Limits | None = None,
    routes: Any = (),
    desk: dict[str, Any] | None = None,
    agents: Any = (),
    **front: Any,
) -> AsyncGenerator[Cluster]:
    """A front, and workers of these names; at the end no task may be left."""
    before = asyncio.all_tasks()
    exposure = exposure or Exposure(port=0)
    async with contextlib.AsyncExitStack() as stack:
        made = Cluster(Front(exposure, limits, KEY, **front))
        for name in names or ("aaa", "bbb"):
            models = await stack.enter_async_context(humming())
            given = {"version": "test", **(desk or {})}
            carries = Desk(
                list(agents) or [host()], models, limits=worker_limits or limits, name=name, **given
            )
            inside = Inside(name, KEY)
            server = CallServer(carries, exposure, routes=routes, inside=inside)
            inside.home = lambda server=server: server.home
            made.workers[name] = await stack.enter_async_context(server)
        async with made.front:
            await made.known()
            yield made
        assert made.front.connections == 0
    await settled(before)
