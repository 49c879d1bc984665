"""Counting: a chat model whose requests are entered into a call's books."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from vivavoce.agent.usage import Usage
from vivavoce.pipelines.models.interfaces import Finished, Thinking, Thought


class Counting:
    """Counts what is asked of a chat model. Implements `Thinking`.

    Args:
        thinking: The model.
        usage: Where it is entered.
    """

    def __init__(self, thinking: Thinking, usage: Usage) -> None:
        self._thinking = thinking
        self._usage = usage

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer as the model does. Closing the iterator ends the request.

        Raises:
            ModelError: If the server cannot be reached, refuses, stalls or breaks off.
        """
        self._usage.requests += 1
        async with aclosing(self._thinking.stream(messages, tools)) as thoughts:
            async for thought in thoughts:
                if isinstance(thought, Finished):
                    self._usage.prompt_tokens += thought.usage.prompt
                    self._usage.completion_tokens += thought.usage.completion
                yield thought
