"""The lifespan of a call: what an agent does before it is answered and after it has ended."""

from __future__ import annotations

import asyncio
from typing import Any

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call


class Lifespan:
    """Runs an agent's lifespan function in a task of its own.

    Both parts of it run in the same task, so that it may hold what is bound to one: a task group,
    a time-out.

    Args:
        agent: Whose.
        call: The call.
    """

    def __init__(self, agent: Agent[Any], call: Call[Any]) -> None:
        self._agent = agent
        self._call = call
        self._ended = asyncio.Event()
        self._entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        """Run the first part.

        Raises:
            TimeoutError: If it takes longer than `Limits.lifespan`.
            Exception: What it raises.
        """
        self._task = asyncio.create_task(self._live(), name="lifespan")
        seconds = self._agent.limits.lifespan
        done, _ = await asyncio.wait({self._task, self._entered}, timeout=seconds,
                                     return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        if self._entered in done:
            return
        if self._task in done:
            await self._task
            return
        await self._cancel()
        raise TimeoutError(f"@agent.lifespan took longer than {seconds:g} s before its yield")

    async def leave(self) -> None:
        """Run the second part; idempotent, and does nothing if the first did not succeed.

        Raises:
            TimeoutError: If it takes longer than `Limits.lifespan`.
            Exception: What it raises.
        """
        task, self._task = self._task, None
        self._ended.set()
        if task is None or not self._entered.done():
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            return
        seconds = self._agent.limits.lifespan
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
            raise TimeoutError(f"@agent.lifespan took longer than {seconds:g} s after its yield")
        await task

    async def _live(self) -> None:
        async with self._agent.living(self._call):
            self._entered.set_result(None)
            await self._ended.wait()

    async def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)
            self._task = None
