"""The call: one live conversation, as tools and applications hold it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Generic, Literal, Protocol, TypeVar

from vivavoce.agent.events import CallEnded, Event
from vivavoce.agent.ledger import Ledger
from vivavoce.agent.transcript import Reply, Transcript

Deps = TypeVar("Deps")

State = Literal["connecting", "listening", "thinking", "speaking", "ended"]


class Line(Protocol):
    """What a running pipeline does for the call that it carries."""

    def now(self) -> float:
        """Return the seconds since the call began."""

    async def say(self, text: str, *, interruptible: bool) -> Reply:
        """Speak a text; return when it was played or cut."""

    async def interrupt(self) -> None:
        """Cut what is being said."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End the call, after what is being said where asked."""


class Call(Generic[Deps]):
    """One live conversation.

    Every method is safe at any time: before the line is open it waits for nothing and does
    nothing, and after the call has ended it does nothing.

    Attributes:
        id: Names the call in logs and records.
        deps: What the agent's `deps` made for this call.
        transcript: What was said, heard and done so far.
        ledger: The latency of each reply so far.
        state: What the call is doing.
        reason: Why it ended; empty while it goes on.
    """

    def __init__(self, call_id: str, deps: Deps) -> None:
        self.id = call_id
        self.deps = deps
        self.transcript = Transcript()
        self.ledger = Ledger()
        self.state: State = "connecting"
        self.reason = ""
        self._line: Line | None = None
        self._seconds = 0.0
        self._listeners: list[asyncio.Queue[Event | None]] = []
        self._backlog: list[Event] = []

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.state}>"

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self.state == "ended"

    @property
    def now(self) -> float:
        """Seconds since the call began; stands still once it is over."""
        return self._line.now() if self._line else self._seconds

    async def say(self, text: str, *, interruptible: bool = True) -> Reply:
        """Speak a text, after what is being said.

        Cancelling the wait does not take the words back.

        Args:
            text: What to say; nothing is spoken when it is blank.
            interruptible: Whether the caller may cut it.

        Returns:
            The reply, played to its end or cut; `heard` says how much of it. It is closed and
            empty when there is no line.
        """
        if self._line is None or self.ended or not text.strip():
            return Reply(generated=text, closed=True)
        return await self._line.say(text, interruptible=interruptible)

    async def interrupt(self) -> None:
        """Cut what is being said, as if the caller had spoken."""
        if self._line is not None and not self.ended:
            await self._line.interrupt()

    async def hang_up(
        self, reason: str = "the agent hung up", *, after_speech: bool = True
    ) -> None:
        """End the call.

        Args:
            reason: For the record.
            after_speech: Finish what is being said and the reply being made first.
        """
        if self._line is not None and not self.ended:
            await self._line.hang_up(reason, after_speech=after_speech)

    async def __aiter__(self) -> AsyncGenerator[Event]:
        """Iterate over what happens, from the call's start to its end.

        Each iteration sees every event, however late it begins. Cancelling it affects nobody else.
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        for past in self._backlog:
            queue.put_nowait(past)
        if self.ended:
            queue.put_nowait(None)
        self._listeners.append(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.remove(queue)

    # For the pipeline that carries the call.

    def connect(self, line: Line) -> None:
        """Give the call its line."""
        self._line = line
        self.state = "listening"

    def emit(self, event: Event) -> None:
        """Tell every listener."""
        self._backlog.append(event)
        for queue in self._listeners:
            queue.put_nowait(event)
        if isinstance(event, CallEnded):
            self.state = "ended"
            self.reason = event.reason
            self._seconds = event.at
            self._line = None
            for queue in self._listeners:
                queue.put_nowait(None)
