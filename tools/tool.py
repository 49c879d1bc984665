"""A tool: a Python function that a model can call."""

import copy
import functools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, overload

from .schema import ContextType, DefinitionError, Schema, read_schema

P = ParamSpec("P")
R = TypeVar("R")

FILLER_LIMIT = 200
"""The most characters of a filler; Mistral's voice agents have the same limit."""

TOOLS_LIMIT = 128
"""The most tools of one request; Mistral refuses more."""


# By identity: a schema holds dicts, which have no hash.
@dataclass(frozen=True, kw_only=True, eq=False)
class Tool(Generic[P, R]):
    """A function with what a model, and whoever runs it for a model, must know.

    Calling the tool calls the function, with its own types; time-out and the rest only
    matter to `run`.

    Attributes:
        function: The function, sync or async.
        schema: What the model is told, and what checks its arguments.
        timeout: Seconds until `run` gives up, above 0.
        filler: What the agent says while the tool runs (1 to 200 characters), or None.
        interruptible: Whether the caller's barge-in stops it. Set it to False for what must
            not be left half done, such as a payment.

    Raises:
        DefinitionError: An option is out of its range.
    """

    function: Callable[P, R]
    schema: Schema = field(repr=False)
    timeout: float = 15.0
    filler: str | None = None
    interruptible: bool = True

    def __post_init__(self) -> None:
        timeout: object = self.timeout
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            self._fail(f"timeout is {timeout!r}: give seconds, as in `timeout=15`")
        if not (timeout > 0 and math.isfinite(timeout)):
            self._fail(f"timeout is {timeout}: give finite seconds above 0")
        filler: object = self.filler
        if filler is not None:
            if not isinstance(filler, str) or not filler.strip():
                self._fail(f"filler is {filler!r}: give what the agent says, or leave it out")
            if len(filler) > FILLER_LIMIT:
                self._fail(f"filler has {len(filler)} characters: say it in at most {FILLER_LIMIT}")
        if not isinstance(self.interruptible, bool):
            self._fail(f"interruptible is {self.interruptible!r}: give True or False")
        # As `functools.wraps` does; `inspect.signature` and `help` look here.
        for name in (*functools.WRAPPER_ASSIGNMENTS, "__wrapped__"):
            value = self.function if name == "__wrapped__" else getattr(self.function, name, None)
            object.__setattr__(self, name, value)

    def _fail(self, problem: str) -> NoReturn:
        raise DefinitionError(f"tool {self.name!r} ({self.schema.where}): {problem}")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, unchecked."""
        return self.function(*args, **kwargs)

    @property
    def name(self) -> str:
        """What the model calls."""
        return self.schema.name

    @property
    def description(self) -> str:
        """What the model is told that it does."""
        return self.schema.description

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of the arguments; a copy."""
        return copy.deepcopy(self.schema.parameters)

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as a chat request's `tools` lists it; a copy."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.parameters,
            },
        }


@overload
def tool(
    function: Callable[P, R],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float = 15.0,
    filler: str | None = None,
    interruptible: bool = True,
    context_type: ContextType | None = None,
) -> Tool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float = 15.0,
    filler: str | None = None,
    interruptible: bool = True,
    context_type: ContextType | None = None,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float = 15.0,
    filler: str | None = None,
    interruptible: bool = True,
    context_type: ContextType | None = None,
) -> Tool[P, R] | Callable[[Callable[P, R]], Tool[P, R]]:
    """Make a tool of a function: `@tool`, `@tool(filler="Let me look.")` or `tool(function)`.

    Args:
        function: A typed, documented function.
        name: What the model calls it; by default, the function's name.
        description: What the model is told; by default, the docstring's.
        timeout: Seconds until `run` gives up.
        filler: What the agent says while the tool runs.
        interruptible: Whether the caller's barge-in stops it.
        context_type: What marks the first parameter as the call; see `read_schema`.

    Raises:
        DefinitionError: The function or an option cannot be used as it is; the message
            names the function, its file and line, and the fix.
    """

    def make(function: Callable[P, R]) -> Tool[P, R]:
        schema = read_schema(
            function, name=name, description=description, context_type=context_type
        )
        return Tool(
            function=function,
            schema=schema,
            timeout=timeout,
            filler=filler,
            interruptible=interruptible,
        )

    return make if function is None else make(function)


class Toolbox:
    """An ordered set of tools with unique names.

    Iterating gives the tools in the order they were added; `in` and `[]` take a name.

    Args:
        tools: The first tools.

    Raises:
        DefinitionError: Two have the same name, or there are more than 128.
    """

    def __init__(self, tools: Iterable[Tool[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool[..., Any]] = {}
        for each in tools:
            self.add(each)

    def add(self, added: Tool[..., Any]) -> None:
        """Add a tool at the end.

        Raises:
            DefinitionError: Its name is taken, or the box is full.
        """
        if not isinstance(added, Tool):
            raise DefinitionError(f"{added!r} is no tool: decorate the function with @tool")
        where = f"tool {added.name!r} ({added.schema.where})"
        taken = self._tools.get(added.name)
        if taken is not None:
            raise DefinitionError(
                f"{where}: the name is taken by {taken.schema.where}: give one of them `name=`"
            )
        if len(self._tools) >= TOOLS_LIMIT:
            raise DefinitionError(
                f"{where}: it is one too many, a model takes {TOOLS_LIMIT}: drop some, "
                "or split the work between agents"
            )
        self._tools[added.name] = added

    def get(self, name: str) -> Tool[..., Any] | None:
        """The tool of that name, or None."""
        return self._tools.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools, in order."""
        return tuple(self._tools)

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The tools as a chat request's `tools`; empty when there are none."""
        return [each.definition for each in self]

    def __getitem__(self, name: str) -> Tool[..., Any]:
        return self._tools[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool[..., Any]]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __repr__(self) -> str:
        return f"Toolbox({', '.join(self._tools)})"
