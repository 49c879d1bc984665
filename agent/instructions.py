"""Instructions with variables: `{name}` in a text, filled in anew for each reply."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")

BUILT_IN = ("agent", "language", "caller", "called", "today", "time", "state", "deps", "memory")
"""What every instruction may name beside the agent's own variables."""


class InstructionsError(ValueError):
    """A text names a variable that does not exist; the message lists those that do."""


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
            value = _part(value() if _callable(value) else value, part, name)
        value = value() if _callable(value) else value
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


def _callable(value: Any) -> bool:
    return isinstance(value, Callable) and not isinstance(value, type)  # type: ignore[arg-type]
