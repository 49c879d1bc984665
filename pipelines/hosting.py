"""Hosts: whoever takes calls, an agent or an interpreter, and what carries a call with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.interpreter import Interpreter
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.interpret.interpretation import Interpretation
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.transport import Transport

Host = Agent[Any] | Interpreter
"""Who takes calls."""


def face(host: Host) -> Agent[Any]:
    """Return the agent, or of an interpreter what a call knows of it."""
    return host.facade() if isinstance(host, Interpreter) else host


def hold(
    host: Host,
    models: Models,
    transport: Transport,
    *,
    call_id: str | None = None,
    deps: Any = None,
    caller: str = "",
    called: str = "",
    opening: Callable[[Call[Any]], Awaitable[bool]] | None = None,
) -> Talk:
    """Put a call together: a conversation with an agent, or an interpreter's session of one line.

    Args:
        host: Who takes it.
        models: With what.
        transport: Over what.
        call_id: Names the call; made up if None.
        deps: What an agent's tools need, instead of what its `deps` makes.
        caller: Who calls, where that is known.
        called: What they called, likewise.
        opening: Runs before an agent's greeting (see `Conversation`); an interpreter has none.
    """
    if isinstance(host, Interpreter):
        return Interpretation(
            host, models, transport, call_id=call_id, caller=caller, called=called
        )
    return Conversation(
        host,
        models,
        transport,
        call_id=call_id,
        deps=deps,
        caller=caller,
        called=called,
        opening=opening,
    )
