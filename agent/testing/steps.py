"""Steps: what a scripted model answers when it is asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Trouble = Literal["auth", "unreachable", "timeout", "busy", "refused", "broken"]


class ScriptError(ValueError):
    """A script is written wrongly; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Say:
    """The model writes `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class CallTool:
    """The model calls a tool; `arguments` is the JSON text that it writes."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The model's server fails."""

    kind: Trouble
    detail: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The model takes `seconds` before it goes on (virtual time)."""

    seconds: float


Part = Say | CallTool | Fail | Wait


@dataclass(frozen=True, slots=True)
class Step:
    """One answer of the model: its parts, in order. `a + b` does both."""

    parts: tuple[Part, ...]

    def __add__(self, other: StepLike) -> Step:
        return Step((*self.parts, *as_step(other).parts))


StepLike = Step | str | Sequence["Step | str"]
"""A step, a text (which is said), or several, done one after the other in one answer."""

Model = Callable[[list[dict[str, Any]], list[dict[str, Any]]], StepLike | Awaitable[StepLike]]
"""A model as a function: takes the messages and the tools as they would be sent, returns a step."""

Replies = Iterable[StepLike] | Model


def say(text: str) -> Step:
    """Have the model write a text."""
    given: object = text
    if not isinstance(given, str):
        raise ScriptError(f"say({text!r}): give the text that the model writes")
    return Step((Say(text),))


def call_tool(tool: str, /, *, raw: str | None = None, **arguments: Any) -> Step:
    """Have the model call a tool.

    Args:
        tool: The tool's name; one that does not exist is called as well, as models do.
        raw: The arguments as the model writes them, to test what is malformed.
        arguments: The arguments; what JSON has no type for (a date) is written as its text.
    """
    given: object = tool
    if not (isinstance(given, str) and given):
        raise ScriptError(f"call_tool({tool!r}): give the tool's name")
    if raw is not None and arguments:
        raise ScriptError("call_tool: give raw= or arguments, not both")
    text = json.dumps(arguments, ensure_ascii=False, default=plain) if raw is None else raw
    return Step((CallTool(tool, text),))


def fail(kind: Trouble = "broken", detail: str = "the script says so") -> Step:
    """Have the model's server fail, in the way that `kind` names."""
    kinds = ("auth", "unreachable", "timeout", "busy", "refused", "broken")
    if kind not in kinds:
        raise ScriptError(f"fail({kind!r}): choose one of {', '.join(kinds)}")
    return Step((Fail(kind, detail),))


def wait(seconds: float) -> Step:
    """Have the model take its time (s, virtual)."""
    given: object = seconds
    if isinstance(given, bool) or not isinstance(given, int | float) or not given >= 0:
        raise ScriptError(f"wait({seconds!r}): give the seconds, 0 or more")
    return Step((Wait(float(seconds)),))


def as_step(given: object) -> Step:
    """Return what stands for a step as one.

    Raises:
        ScriptError: If it stands for none.
    """
    if isinstance(given, Step):
        return given
    if isinstance(given, str):
        return say(given)
    if isinstance(given, Sequence) and given:
        return Step(tuple(part for each in given for part in as_step(each).parts))
    raise ScriptError(
        f"replies: {given!r} is no step; use say(...), call_tool(...), fail(...), wait(...),"
        " a text, or a list of these"
    )


def plain(value: object) -> object:
    """Return what JSON has no type for as a model would write it."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "value"):
        return value.value
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)
