"""Instructions with variables: `{name}` in a text, filled in anew for each reply."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")

BUILT_IN = ("agent", "language", "caller", "called", "today", "time", "state", "deps", "memory")
"""What every instruction may name beside the agent's own variables."""


class InstructionsError(ValueError):
    """A text names a variable that does not exist, or one is none; the message says what to do."""


def takes_call(name: str, function: Callable[..., Any]) -> bool:
    """Return whether a variable's function is to be given the call.

    Raises:
        InstructionsError: It wants something else, or cannot answer at once.
    """
    if inspect.iscoroutinefunction(function):
        raise InstructionsError(
            f"{name!r} is an async function: have `instructions` be one, or keep what it finds"
            " in `call.state`"
        )
    try:
        wanted = inspect.signature(function)
    except ValueError:
        return False  # one of C's, which says nothing
    for given in ((), (None,)):
        try:
            wanted.bind(*given)
        except TypeError:
            continue
        return bool(given)
    raise InstructionsError(f"{name!r}: give a function of nothing, or of the call")


def fields(text: str) -> list[str]:
    """Return the variables that a text names, in order; braces that hold no name are text."""
    found = [match[1] for match in _FIELD.finditer(text) if match[1] is not None]
    return [name for name in dict.fromkeys(found) if _NAME.fullmatch(name)]


def check(text: str, variables: Iterable[str]) -> None:
    """Refuse a text that names what does not exist.

    Args:
        text: The instructions.
        variables: The agent's own variables.

    Raises:
        InstructionsError: If it does.
    """
    known = [*variables, *BUILT_IN]
    for name in fields(text):
        if name.split(".")[0] not in known:
            raise InstructionsError(
                f"there is no variable {{{name}}}: give it in `variables=`, choose one of"
                f" {', '.join(known)}, or write {{{{{name}}}}} for the braces themselves"
            )


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Put the values in.

    A function among them is called. `{state.name}` is the attribute or the key `name` of `state`;
    a name that begins with an underscore cannot be reached. What is None is empty.

    Args:
        text: The instructions.
        values: By name.

    Raises:
        InstructionsError: If a name leads nowhere.
    """

    def put(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if not _NAME.fullmatch(name):
            return match[0]
        first, *path = name.split(".")
        if first not in values:
            raise InstructionsError(f"there is no variable {{{name}}}")
        value = values[first]
        for part in path:
            value = _part(value() if is_function(value) else value, part, name)
        value = value() if is_function(value) else value
        return "" if value is None else str(value)

    return _FIELD.sub(put, text)


def _part(value: Any, part: str, name: str) -> Any:
    if isinstance(value, Mapping):
        # What was not remembered yet is empty, not an error in the middle of a call.
        return value.get(part)
    try:
        return getattr(value, part)
    except AttributeError:
        raise InstructionsError(
            f"{{{name}}}: {type(value).__name__} has no attribute {part!r}"
        ) from None


def is_function(value: Any) -> bool:
    """Whether a variable is called for its value; a class is one as it is."""
    return isinstance(value, Callable) and not isinstance(value, type)  # type: ignore[arg-type]
