"""Counting: a chat model whose requests are entered into a call's books."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from functools import partial
from typing import Any

from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.interfaces import Finished, Thinking, Thought
from vivavoce.pipelines.stage import Context, Noting

answers_for: ContextVar[dict[str, str] | None] = ContextVar("answers_for", default=None)
"""Where a task wants to have entered who served it, by stage."""


class Counting:
    """Counts what is asked of a chat model. Implements `Thinking`.

    Args:
        thinking: The model.
        context: The call whose usage and ledger it is entered into.
    """

    def __init__(self, thinking: Thinking, context: Context) -> None:
        self._thinking = thinking
        self._context = context

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer as the model does. Closing the iterator ends the request.

        Raises:
            ModelError: If the server cannot be reached, refuses, stalls or breaks off.
        """
        usage = self._context.call.usage
        usage.requests += 1
        told = answers_for.get()
        noted = Noting(
            self._context, partial(({} if told is None else told).__setitem__, "thinking")
        )
        with served.listening(noted):
            async with aclosing(self._thinking.stream(messages, tools)) as thoughts:
                async for thought in thoughts:
                    if isinstance(thought, Finished):
                        usage.prompt_tokens += thought.usage.prompt
                        usage.completion_tokens += thought.usage.completion
                        noted.used(thought.usage.prompt, thought.usage.completion)
                    yield thought
