"""What the stages of one call share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.events import Event, Failed
from vivavoce.agent.ledger import Request, Switch
from vivavoce.agent.transcript import Failure
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.errors import ModelError, StageName
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

Trouble = Callable[[ModelError | None], Awaitable[None]]


@dataclass(slots=True)
class Context:
    """One call's agent, state and clock, as its stages see them.

    Attributes:
        call: The call's public face.
        clock: Stamps everything.
        began: When the call began (s on the clock).
        trouble: Told when a model server (or, with None, something already reported) failed; makes
            the agent apologise.
        serving: Holds what was opened for the agents of this call.
    """

    call: Call[Any]
    clock: Clock
    began: float
    trouble: Trouble
    serving: AsyncExitStack = field(default_factory=AsyncExitStack)
    _prepared: dict[Agent[Any], asyncio.Task[None]] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)

    @property
    def agent(self) -> Agent[Any]:
        """Who speaks now; another one after a hand-off."""
        return self.call.agent

    async def prepare(self, agent: Agent[Any]) -> None:
        """Have an agent's sources of tools open; what cannot be opened is reported, and missing.

        Cancelling it stops no opening: another turn will need it.
        """
        if agent not in self._prepared:
            self._prepared[agent] = asyncio.create_task(
                self._open(agent), name=f"tools of {agent.name}"
            )
        await asyncio.shield(self._prepared[agent])

    async def _open(self, agent: Agent[Any]) -> None:
        for error in await self.serving.enter_async_context(agent.serving()):
            self.fail("tools", f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Close what was opened; idempotent."""
        for task in self._prepared.values():
            task.cancel()
        await asyncio.gather(*self._prepared.values(), return_exceptions=True)
        await self.serving.aclose()

    def since(self, moment: float) -> float:
        """Return a moment of the clock as seconds since the call began."""
        return max(0.0, moment - self.began)

    @property
    def at(self) -> float:
        """Seconds since the call began."""
        return self.since(self.clock.now())

    def emit(self, event: Event) -> None:
        """Tell whoever follows the call."""
        self.call.emit(event)

    def fail(self, stage: str, message: str, error: str = "") -> None:
        """Note that something failed, of a class ("timeout"). A cause is logged once in a call."""
        if message not in self._reported:
            self._reported.add(message)
            log.error("call %s: %s", self.call.id, message, extra={"call": self.call.id})
        failure = Failure(stage, message, self.at, error)
        self.call.transcript.add(failure)
        self.emit(Failed(self.at, failure))


class Noting(served.Follower):
    """What a stage listens with, while one answer is made for it.

    It notes who serves, enters who took over from whom, and each request, in the ledger.

    Args:
        context: The call.
        note: Told the provider's name.
        characters: How many are to be spoken.
    """

    def __init__(
        self, context: Context, note: Callable[[str], None], *, characters: int = 0
    ) -> None:
        self._context, self._note, self._characters = context, note, characters
        self._request: Request | None = None

    def __call__(self, stage: StageName, provider: str, failed: ModelError | None) -> None:
        """A provider is asked from now on."""
        context = self._context
        self._note(provider)
        if failed is not None:
            switch = Switch(stage, provider, str(failed), context.at, failed.kind)
            context.call.ledger.switches.append(switch)
            log.warning("call %s: %s is served by %s now", context.call.id, stage, provider)
        if stage != "hearing":  # which has no requests, but a connection
            now = context.clock.now()
            self._request = Request(stage, provider, now, characters=self._characters)
            context.call.ledger.requests.append(self._request)

    def answered(self) -> None:
        """The first piece of the answer is there."""
        if self._request is not None and self._request.first is None:
            self._request.first = self._context.clock.now()

    def used(self, prompt: int, completion: int) -> None:
        """Enter the tokens that the request took."""
        if self._request is not None:
            self._request.prompt, self._request.completion = prompt, completion

    def ended(self, outcome: str) -> None:
        """The request is over."""
        if self._request is not None and self._request.ended is None:
            self._request.ended, self._request.outcome = self._context.clock.now(), outcome


class Stage(FrameProcessor):
    """A processor that hands frames on by direct calls.

    A queue in front of every stage would cost more CPU than all the audio work (13 µs per frame
    and hop), and would let an interruption wait in line. So `process_frame` never waits: what
    takes time runs in a task of `tasks`.
    """

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(name=name, enable_direct_mode=True)
        self.context = context
        self.tasks = Tasks(context.call.id)

    async def cleanup(self) -> None:
        """End the stage's tasks."""
        await self.tasks.close()
        await super().cleanup()  # type: ignore[no-untyped-call]
