"""Consulting: another agent's model answers a request in text, with its own tools."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from vivavoce.agent import history
from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.transcript import Entry, ToolUse, Utterance
from vivavoce.pipelines.clauses import ended
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, Thinking, ToolCallDelta
from vivavoce.tools import Execution, Executions, Request, ToolError, run_named


async def consult(thinking: Thinking, agent: Agent[Any, Any], call: Call[Any], request: str) -> str:
    """Have an agent's model answer a request.

    Nothing is said and nothing enters the transcript. The model calls tools for as many rounds as
    the agent's `Limits` allow, and must answer then. Tools that ask the caller first
    (`confirm`) do not run here: nobody could be asked.

    Args:
        thinking: The chat model.
        agent: Whose instructions and tools count.
        call: The call that it is done for.
        request: In words.

    Returns:
        The answer's text.

    Raises:
        ToolError: If the model failed or answered with nothing, in words for another model.

    Cancellation: ends the request, and the tools that may be stopped.
    """
    entries: list[Entry] = [Utterance(request, call.now, call.now)]
    instructions = await agent.instructions_for(call)
    book = Executions()
    try:
        for group in range(agent.limits.tool_rounds + 1):
            tools = agent.tools.definitions if group < agent.limits.tool_rounds else []
            asked = history.messages(instructions, entries)
            text, calls = await _think(thinking, call, asked, tools, agent.limits.reply)
            if not calls:
                if not text.strip():
                    raise ToolError(f"{agent.name} had no answer.")
                return text.strip()
            executions = book.receive(
                [Request(each.id, each.name, each.arguments) for each in calls], agent.tools
            )
            uses = [
                ToolUse(each.id, each.name, each.arguments, group, call.now) for each in executions
            ]

            async def work(execution: Execution) -> None:
                if book.start(execution):
                    book.finish(
                        execution,
                        await run_named(agent.tools, execution.name, call, execution.arguments),
                    )

            async with asyncio.TaskGroup() as running:
                for each in executions:
                    running.create_task(work(each), name=f"tool {each.name[:64]}")
            for use, execution in zip(uses, executions, strict=True):
                use.result = execution.result
            entries += uses
    except ModelError as error:
        raise ToolError(f"{agent.name} cannot be reached just now.") from error
    raise ToolError(f"{agent.name} found no answer.")


async def _think(
    thinking: Thinking,
    call: Call[Any],
    messages: list[history.Message],
    tools: list[dict[str, Any]],
    longest: int,
) -> tuple[str, list[ToolCallDelta]]:
    text = ""
    calls: list[ToolCallDelta] = []
    call.usage.requests += 1
    async with aclosing(thinking.stream(messages, tools)) as thoughts:
        async for thought in thoughts:
            if isinstance(thought, TextDelta):
                last = ended(thought.text, longest - len(text))
                text += thought.text if last is None else last
                if last is not None:
                    return text, []
            elif isinstance(thought, ToolCallDelta):
                calls.append(thought)
            elif isinstance(thought, Finished):
                call.usage.prompt_tokens += thought.usage.prompt
                call.usage.completion_tokens += thought.usage.completion
    return text, calls
