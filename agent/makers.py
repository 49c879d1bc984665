"""What a call's deps and state will be, as far as can be known before there is a call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from vivavoce.tools import Tool

Maker = Callable[[], Any]


def kind_of(maker: Maker | None) -> type | None:
    """Return the class of what a maker makes; None where that is not known.

    Args:
        maker: A class, or a function that says what it returns.
    """
    while isinstance(maker, functools.partial):
        maker = maker.func
    if isinstance(maker, type):
        return maker
    return None if maker is None else _class(_hints(maker).get("return"))


def wanted_by(function: Callable[..., Any]) -> tuple[type | None, ...]:
    """Return the classes that stand in the brackets of a tool's `Call[...]`; None for any other.

    Args:
        function: The tool's, whose first parameter is the call.
    """
    function = inspect.unwrap(function)
    first = next(iter(inspect.signature(function).parameters), "")
    annotation = _hints(function).get(first)
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return tuple(_class(each) for each in get_args(annotation))


def mismatch(tool: Tool[..., Any], deps: Maker | None, state: Maker | None) -> str:
    """Return why a tool cannot be an agent's: it takes calls with other deps, or another state.

    Only what is surely wrong is told: of protocols, unions and makers that do not say what they
    make nobody knows.

    Args:
        tool: The tool.
        deps: What makes the deps of the agent's calls, if anything does.
        state: What makes their state, likewise.

    Returns:
        What is wrong and what to do; "" where nothing is.
    """
    if tool.schema.context is None:
        return ""
    have = (("deps", deps), ("state", state))
    for (option, maker), wanted in zip(have, wanted_by(tool.function), strict=False):
        made = kind_of(maker)
        if made is not None and wanted is not None and not issubclass(made, wanted):
            return (
                f"tool {tool.name!r} ({tool.schema.where}) takes a call whose {option} are"
                f" {wanted.__qualname__}, and this agent's are {made.__qualname__}: correct"
                f" its Call[...], or Agent({option}=...)"
            )
    return ""


def _class(annotation: Any) -> type | None:
    """Return a plain class; None for whatever else a type may be."""
    if annotation is type(None) or not isinstance(annotation, type) or get_args(annotation):
        return None
    return None if getattr(annotation, "_is_protocol", False) else annotation


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(getattr(function, "__func__", function), include_extras=True)
    except Exception:  # noqa: BLE001 (whatever a name that cannot be resolved leads to)
        return {}
