"""The request's messages, read into what the brain needs: a system prompt and turns."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_CUT = re.compile(
    r"(?:\s*(?:—|–|--|\.\.\.|…|\[[^\]]{0,40}\]|\([^)]{0,12}interrupted[^)]{0,12}\)))+\s*$",
    re.IGNORECASE,
)
MAX_TURNS = 6
"""Caller turns that are replayed: a question for a missing slot is never older."""


@dataclass(frozen=True, slots=True)
class BrainCall:
    """One tool call.

    Attributes:
        name: The tool's name as the request gave it.
        arguments: JSON-ready arguments: str, int, float, bool, list and dict.
    """

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the assistant answers.

    Attributes:
        content: Text to speak; empty when there are only tool calls.
        tool_calls: Calls to make, in order.
    """

    content: str
    tool_calls: list[BrainCall] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """What one tool answered."""

    name: str
    arguments: dict[str, Any]
    content: str


@dataclass(slots=True)
class Exchange:
    """One caller turn and what followed it, until the caller spoke again."""

    said: str
    audio: bool = False
    answer: str = ""
    cut: bool = False
    calls: list[BrainCall] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """A conversation.

    Attributes:
        system: All system texts, joined.
        opening: What the assistant said before the caller's first words.
        exchanges: Caller turns in order.
        due: What the request ends with: `user`, `tool`, `assistant` or empty.
    """

    system: str = ""
    opening: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    due: str = ""


def read_history(messages: Any) -> History:
    """Read messages of any shape; what makes no sense is passed over. Never raises.

    User messages with nothing between them are one turn: a caller who pauses is committed in
    pieces. Marks of an interruption at the end of an assistant message are taken off.
    """
    history, system = History(), []
    known: dict[str, BrainCall] = {}
    for message in messages if isinstance(messages, list | tuple) else ():
        if not isinstance(message, Mapping):
            continue
        role, text = message.get("role"), text_of(message.get("content"))
        last = history.exchanges[-1] if history.exchanges else None
        if role in {"system", "developer"}:
            system.append(text)
        elif role == "user":
            audio = _has_audio(message.get("content"))
            if last is not None and history.due == "user":
                last.said, last.audio = f"{last.said} {text}".strip(), last.audio or audio
            else:
                history.exchanges.append(Exchange(text, audio))
            history.due = "user"
        elif role == "assistant":
            calls = _calls(message.get("tool_calls"), known)
            clean = _CUT.sub("", text).strip()
            if last is None:
                history.opening = clean or history.opening
            else:
                last.answer = f"{last.answer} {clean}".strip()
                last.cut = clean != text.strip()
                last.calls += calls
            if clean or calls:
                history.due = "assistant"
        elif role == "tool":
            made = known.get(str(message.get("tool_call_id")))
            name = message.get("name")
            if last is None:
                last = Exchange("")
                history.exchanges.append(last)
            if made is None and isinstance(name, str):
                made = next((c for c in reversed(last.calls) if c.name == name), None)
            if made is None:
                made = BrainCall(name if isinstance(name, str) else "", {})
            if history.due != "tool":
                # A second round of tools in one turn: only the newest results are unsaid.
                last.results = []
            last.results.append(Result(made.name, made.arguments, text))
            history.due = "tool"
    history.system = "\n".join(s for s in system if s)[:20000]
    return history


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or the text chunks of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple):
        parts = []
        for chunk in content:
            if isinstance(chunk, str):
                parts.append(chunk)
            elif isinstance(chunk, Mapping) and isinstance(chunk.get("text"), str):
                parts.append(chunk["text"])
        return " ".join(parts)
    if isinstance(content, Mapping | int | float):
        try:
            return json.dumps(content, default=str, skipkeys=True)
        except (TypeError, ValueError, RecursionError):
            return ""
    return ""


def _has_audio(content: Any) -> bool:
    return isinstance(content, list | tuple) and any(
        isinstance(chunk, Mapping) and "audio" in str(chunk.get("type")) for chunk in content
    )


def _calls(raw: Any, known: dict[str, BrainCall]) -> list[BrainCall]:
    out: list[BrainCall] = []
    for entry in raw if isinstance(raw, list | tuple) else ():
        function = entry.get("function") if isinstance(entry, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            continue
        call = BrainCall(function["name"], _arguments(function.get("arguments")))
        known[str(entry.get("id"))] = call
        out.append(call)
    return out


def _arguments(raw: Any) -> dict[str, Any]:
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            return {}
    return {str(k): v for k, v in raw.items()} if isinstance(raw, Mapping) else {}
