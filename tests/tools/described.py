"""Descriptions for the parameters of functions whose test is about something else."""

import inspect
from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable)


def described(function: F) -> F:
    """Describe every parameter, by its name, that the docstring does not."""
    text = inspect.getdoc(function) or "Do it."
    names = [name for name in inspect.signature(function).parameters if f"    {name}: " not in text]
    start = text if "\nArgs:\n" in text else f"{text}\n\nArgs:"
    lines = "\n".join(f"    {name}: The {name}." for name in names)
    inner = getattr(function, "__func__", function)
    inner.__doc__ = f"{start}\n{lines}\n" if names else text
    return function
