"""The scripted model: answers with one step each time it is asked."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from pipecat.frames.frames import Frame

from vivavoce.agent.testing.steps import (
    CallTool,
    Fail,
    Model,
    Replies,
    Say,
    Step,
    Wait,
    as_step,
)
from vivavoce.pipelines.frames import CallerTurnFrame, CommitFrame, DropFrame
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import (
    Finished,
    TextDelta,
    Thinking,
    Thought,
    ToolCallDelta,
    Usage,
)
from vivavoce.pipelines.simulation.warp import real_time

FIRST = 0.2
"""Seconds to the first token."""
WORD = 0.015
"""Seconds per word after it."""
SPAN = 4
"""Words per piece: fewer would only cost CPU."""

_PIECE = re.compile(rf"(?:\s*\S+){{1,{SPAN}}}\s*")


class Position:
    """Which step is next. Pure.

    A guess that the turn is over may be wrong: what was asked for on it is asked for again, and
    gets the same steps.
    """

    def __init__(self) -> None:
        self._next = 0
        self._base = 0
        self._guess: int | None = None

    @property
    def guessing(self) -> bool:
        """Whether the last turn is not decided yet."""
        return self._guess is not None

    def see(self, frame: Frame) -> None:
        """Follow what becomes of the turns."""
        match frame:
            case CallerTurnFrame():
                self._begin()
                self._guess = frame.guess
            case DropFrame() if frame.guess == self._guess:
                self._next = self._base
                self._guess = None
            case CommitFrame() if frame.guess == self._guess:
                self._guess = None
            case _:
                pass

    def take(self) -> int:
        """Return the number of the step that is due."""
        self._next += 1
        return self._next - 1

    def _begin(self) -> None:
        if self._guess is not None:
            self._next = self._base
        self._base = self._next


class RealThinking:
    """A real model, for whose answers time passes as it does in the world.

    Implements `Thinking`.
    """

    def __init__(self, thinking: Thinking) -> None:
        self._thinking = thinking

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer a history.

        Raises:
            ModelError: If the server fails.
        """
        with real_time():
            async with aclosing(self._thinking.stream(messages, tools)) as thoughts:
                async for thought in thoughts:
                    yield thought


class ScriptedThinking:
    """Answers by a script or a function. Implements `Thinking`.

    Args:
        replies: The steps in order, or a function that makes them.
        changed: Told when it runs out of steps.

    Attributes:
        position: Follows the turns.
        missing: How many answers are owed that the script does not have.
        broken: What went wrong in the function.
        asked: Every request: (messages, tools).
    """

    def __init__(self, replies: Replies, changed: Callable[[], None]) -> None:
        self._model: Model | None = None
        self._steps: list[Step] = []
        if callable(replies):
            self._model = replies
        else:
            self._steps = [as_step(each) for each in replies]
        self._changed = changed
        self._calls = 0
        self.position = Position()
        self.missing = 0
        self.broken: Exception | None = None
        self.asked: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = []

    @property
    def steps(self) -> int:
        """How many steps the script has."""
        return len(self._steps)

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer with the step that is due.

        Raises:
            ModelError: Where the script says so.
        """
        self.asked.append((list(messages), list(tools)))
        step = await self._step(list(messages), list(tools))
        await asyncio.sleep(FIRST)
        words = 0
        for part in step.parts:
            match part:
                case Say():
                    for match in _PIECE.finditer(part.text):
                        words += len(match[0].split())
                        yield TextDelta(match[0])
                        await asyncio.sleep(WORD * len(match[0].split()))
                case CallTool():
                    self._calls += 1
                    yield ToolCallDelta(f"call{self._calls:05d}", part.name, part.arguments)
                case Wait():
                    await asyncio.sleep(part.seconds)
                case Fail():
                    raise ModelError("thinking", part.kind, part.detail)
        yield Finished("stop", Usage(0, words))

    async def _step(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Step:
        if self._model is not None:
            try:
                given = self._model(messages, tools)
                return as_step(await given if inspect.isawaitable(given) else given)
            except Exception as error:  # noqa: BLE001
                # The test's own function: the test is told, whatever the call makes of it.
                self.broken = error
                self._changed()
                await asyncio.Event().wait()
        number = self.position.take()
        if number >= len(self._steps):
            # Not an error of the call's: it waits, and who waits for the answer is told.
            self.missing += 1
            self._changed()
            try:
                await asyncio.Event().wait()
            finally:
                self.missing -= 1
        return self._steps[number]
