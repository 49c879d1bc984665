"""The chat history that a model is sent, made from a transcript.

Mistral's rules (mistral_common's validators; protocol page §4): after the system message comes a
user or assistant message; tool calls and their results match by id and stand before the next
assistant message; the last message is a user's or a tool's. They hold after any interruption,
since the history is made anew each time from what was really said, heard and done.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

from vivavoce.agent.transcript import (
    Entry,
    Failure,
    HandOver,
    News,
    Reply,
    ToolUse,
    Utterance,
)

Message = dict[str, Any]

UNFINISHED = "The call to this tool was interrupted; whether it took effect is not known."
"""Stands in for the result of a tool that never gave one."""

_AUDIO_TOKEN = 16_000 * 2 * 4 // 3 * 2 // 25
"""Characters of base64 (int16, 16 kHz) for each token of audio: Voxtral hears 12.5 a second."""

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")

OPENING = "(The call has just been connected.)"
"""Stands in for the caller where a conversation would start with the agent's own words."""

SILENT = "(The caller says nothing.)"
"""Stands in for the caller where the agent is to speak again unasked."""

REMEMBERED = "What you have noted about this call:"
"""Stands above what was remembered, at the end of the instructions."""


def messages(
    instructions: str,
    entries: Iterable[Entry],
    *,
    tokens: int | None = None,
    turns: int | None = None,
) -> list[Message]:
    """Make the history.

    Args:
        instructions: The system message; left out when empty.
        entries: The transcript so far. Replies still being played count as said in full. What
            stands before a hand-over without the history is left out.
        tokens: How much of it is kept, about; its beginning is left out first, the last turn
            never. The instructions do not count.
        turns: How many of the caller's turns are kept.

    Returns:
        Messages in Mistral's shape, valid for a request if an utterance, a tool result, news or a
        hand-over stands last.
    """
    system: list[Message] = []
    if instructions.strip():
        system.append({"role": "system", "content": instructions})
    return [*system, *bound(_conversation(entries), tokens=tokens, turns=turns)]


def make_ready(history: list[Message]) -> None:
    """Make a user's or a tool's message the last one of a history, as a request must have it.

    What a tool had said while it ran (`call.say`) stands behind its result; it belongs to the
    message that called it. Otherwise the agent is to speak again unasked.
    """
    if not history or history[-1]["role"] != "assistant" or "tool_calls" in history[-1]:
        return
    owner = next(
        (
            message
            for message in reversed(history)
            if "tool_calls" in message or message["role"] == "user"
        ),
        None,
    )
    if owner is not None and "tool_calls" in owner:
        words = history.pop()["content"]
        owner["content"] = f"{owner['content']} {words}".strip()
    else:
        history.append({"role": "user", "content": SILENT})


def bound(
    history: list[Message], *, tokens: int | None = None, turns: int | None = None
) -> list[Message]:
    """Leave out the beginning of a history that is too long.

    It is cut before a caller's message, so that what is left is valid, and no tool result loses
    its call.

    Args:
        history: Without a system message.
        tokens: About how much is kept; at least from the last caller's message on.
        turns: How many of the caller's messages are kept.
    """
    starts = [index for index, message in enumerate(history) if message["role"] == "user"]
    if not starts:
        return history
    first = 0
    if turns is not None and len(starts) > turns:
        first = starts[-turns]
    if tokens is not None:
        sizes = [_size(message) for message in history]
        total = sum(sizes[first:])
        for start in starts:
            if total <= tokens:
                break
            if start > first:
                total -= sum(sizes[first:start])
                first = start
    return history[first:]


def _size(message: Message) -> int:
    """Estimate a message's tokens: about 3.5 characters each in European languages."""
    content = message.get("content", "")
    if isinstance(content, list):
        heard = sum(len(part["input_audio"]["data"]) for part in content if "input_audio" in part)
        texts = " ".join(part["text"] for part in content if "text" in part)
        return _size({**message, "content": texts}) + heard // _AUDIO_TOKEN
    text = str(content)
    for call in message.get("tool_calls", ()):
        text += call["function"]["name"] + call["function"]["arguments"]
    wide = sum(ord(char) > 0x2FF for char in text)
    return 4 + (len(text) - wide) * 2 // 7 + wide


def _conversation(entries: Iterable[Entry]) -> list[Message]:
    history: list[Message] = []
    first = 0
    groups: dict[int, Message] = {}
    entries = list(entries)
    last = next((entry for entry in reversed(entries) if isinstance(entry, Utterance)), None)
    for entry in entries:
        match entry:
            case Utterance():
                # What was written down is heard once, and told from then on: text costs less.
                fresh = entry is last or not entry.written
                if entry.audio is not None and entry.told is None and fresh:
                    _hear(history, entry.audio)
                else:
                    _say(history, "user", entry.text if entry.told is None else entry.told)
            case Reply():
                if entry.said and not entry.aside:
                    if len(history) == first:
                        history.append({"role": "user", "content": OPENING})
                    _say(history, "assistant", entry.said)
            case ToolUse():
                _call(history, groups, entry)
            case News():
                _say(history, "user", entry.text)
            case HandOver():
                if not entry.keep_history:
                    history.clear()
                    groups.clear()
                # The agent that takes over may have to speak first: there must be something to
                # answer.
                if not history or (entry.note and history[-1]["role"] != "tool"):
                    _say(history, "user", _handed(entry))
            case Failure():
                pass
    return history


def _handed(entry: HandOver) -> str:
    note = f" Note: {entry.note}" if entry.note else ""
    return f"(The call has just been handed over to you by {entry.previous}.{note})"


def _hear(history: list[Message], audio: bytes) -> None:
    """Let the model hear what the caller said (protocol page §4, voice-in)."""
    data = base64.b64encode(audio).decode("ascii")
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    last = history[-1] if history else None
    if last is not None and last["role"] == "user":
        last["content"] = [*_parts(last["content"]), part]
    else:
        history.append({"role": "user", "content": [part]})


def _parts(content: str | list[Message]) -> list[Message]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _say(history: list[Message], role: str, text: str) -> None:
    last = history[-1] if history else None
    if last is not None and last["role"] == role and isinstance(last["content"], list):
        last["content"] = [*last["content"], {"type": "text", "text": text}]
        return
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
