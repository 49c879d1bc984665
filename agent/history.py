"""The chat history that a model is sent, made from a transcript.

Mistral's rules (mistral_common's validators; protocol page §4): after the system message comes a
user or assistant message; tool calls and their results match by id and stand before the next
assistant message; the last message is a user's or a tool's. They hold after any interruption,
since the history is made anew each time from what was really said, heard and done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from vivavoce.agent.transcript import Entry, Failure, Reply, ToolUse, Utterance

Message = dict[str, Any]

UNFINISHED = "The call to this tool was interrupted; whether it took effect is not known."
"""Stands in for the result of a tool that never gave one."""

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")

OPENING = "(The call has just been connected.)"
"""Stands in for the caller where a conversation would start with the agent's own words."""


def messages(instructions: str, entries: Iterable[Entry]) -> list[Message]:
    """Make the history.

    Args:
        instructions: The system message; left out when empty.
        entries: The transcript so far. Replies still being played count as said in full.

    Returns:
        Messages in Mistral's shape, valid for a request if an utterance or a tool result stands
        last.
    """
    history: list[Message] = []
    if instructions.strip():
        history.append({"role": "system", "content": instructions})
    first = len(history)
    groups: dict[int, Message] = {}
    for entry in entries:
        match entry:
            case Utterance():
                _say(history, "user", entry.text)
            case Reply():
                if entry.said and not entry.aside:
                    if len(history) == first:
                        history.append({"role": "user", "content": OPENING})
                    _say(history, "assistant", entry.said)
            case ToolUse():
                _call(history, groups, entry)
            case Failure():
                pass
    return history


def _say(history: list[Message], role: str, text: str) -> None:
    last = history[-1] if history else None
    # Chat templates of open models want strictly alternating roles: join what one side said
    # in several goes. An assistant message with tool calls is closed.
    if last is not None and last["role"] == role and "tool_calls" not in last:
        last["content"] = f"{last['content']} {text}"
    else:
        history.append({"role": role, "content": text})


def _call(history: list[Message], groups: dict[int, Message], use: ToolUse) -> None:
    message = groups.get(use.group)
    if message is None:
        # Words and tool calls of one model answer are one message. They are only if nothing
        # stands between them.
        if history and history[-1]["role"] == "assistant" and "tool_calls" not in history[-1]:
            message = history[-1]
        else:
            message = {"role": "assistant", "content": ""}
            history.append(message)
        message["tool_calls"] = []
        groups[use.group] = message
    message["tool_calls"].append(
        {
            "id": use.id,
            "type": "function",
            "function": {"name": _name(use.name), "arguments": _arguments(use.arguments)},
        }
    )
    # Results stand right behind the message whose calls they answer, whatever the caller or the
    # agent (a filler) said while the tools ran.
    place = next(index for index, kept in enumerate(history) if kept is message) + len(
        message["tool_calls"]
    )
    history.insert(
        place,
        {
            "role": "tool",
            "tool_call_id": use.id,
            "name": _name(use.name),
            "content": UNFINISHED if use.result is None else use.result,
        },
    )


def _name(name: str) -> str:
    """Return a tool's name as a server takes it back.

    A model may call a tool that does not exist by a name that is not allowed. Sent back as it
    was, it would have every further request of the call refused.
    """
    return _FORBIDDEN.sub("_", name)[:64] or "unnamed"


def _arguments(arguments: str) -> str:
    """Return a call's arguments as the JSON object that chat templates parse; `{}` for none."""
    try:
        fine = isinstance(json.loads(arguments), dict)
    except ValueError:
        fine = False
    # What was wrong with them stands in the result.
    return arguments if fine else "{}"
