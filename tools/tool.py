"""A tool: a Python function that a model can call."""

import copy
import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, ParamSpec, TypedDict, TypeVar, Unpack, overload

from .result import RESULT_LIMIT
from .schema import ContextType, DefinitionError, Schema, read_schema

P = ParamSpec("P")
R = TypeVar("R")

FILLER_LIMIT = 200
"""The most characters of a filler; Mistral's voice agents have the same limit."""

FILLERS_LIMIT = 20
"""The most fillers of one tool."""

RETRIES_LIMIT = 5
"""The most times that a tool is tried again."""

RESULT_MINIMUM = 200
"""The fewest bytes that a result may be bounded to: below, nothing but the mark remains."""


class RunOptions(TypedDict, total=False):
    """How a tool runs; each option as in `Tool`, with `Tool`'s default.

    Attributes:
        timeout: Seconds until one try is given up; 15 by default.
        filler: What the agent says while it runs; of several, the next one each time.
        interruptible: Whether the caller's barge-in ends the wait for it; True by default.
        cancellable: Whether it may be stopped half-way; by default as `interruptible`.
        background: Whether the agent goes on at once, and tells the result when it comes.
        idempotent: Whether running it twice does what running it once does.
        retries: How many times it is tried again; needs `idempotent`.
        confirm: Whether the caller is asked before it runs, or the question itself.
        max_result: The most bytes of its result's text; 16384 by default.
    """

    timeout: float
    filler: str | Sequence[str] | None
    interruptible: bool
    cancellable: bool | None
    background: bool
    idempotent: bool
    retries: int
    confirm: bool | str
    max_result: int


class ToolOptions(RunOptions, total=False):
    """The options of a tool: how it runs, and what a model is told of it.

    Attributes:
        name: What the model calls it; by default, the function's name.
        description: What the model is told; by default, the docstring's summary and long
            description.
    """

    name: str | None
    description: str | None


# By identity: a schema holds dicts, which have no hash.
@dataclass(frozen=True, kw_only=True, eq=False)
class Tool(Generic[P, R]):
    """A function with what a model, and whoever runs it for a model, must know.

    Calling the tool calls the function, with its own types; time-out and the rest only
    matter to `run` and `Executions`.

    Attributes:
        function: The function, sync, async or an async generator.
        schema: What the model is told, and what checks its arguments.
        timeout: Seconds until `run` gives up one try, above 0.
        fillers: What the agent says while the tool runs, each 1 to 200 characters.
        interruptible: Whether the caller's barge-in ends the wait for it. Set it to False for
            what the caller must hear the end of, such as a payment.
        cancellable: Whether it may be stopped half-way. If not, barge-in and the end of the
            call leave it running; only its time-out stops it.
        background: Whether the agent goes on at once, and tells the result when it comes.
        idempotent: Whether running it twice does what running it once does; also at the same
            time, as a sync function runs on after its time-out.
        retries: How many times it is tried again after a time-out or a `Retry`; only if it is
            idempotent.
        confirm: Whether the caller is asked before it runs; a text is the question.
        max_result: The most bytes of UTF-8 of its result's text.

    Raises:
        DefinitionError: An option is out of its range, or two do not go together.
    """

    function: Callable[P, R]
    schema: Schema = field(repr=False)
    timeout: float = 15.0
    fillers: tuple[str, ...] = ()
    interruptible: bool = True
    cancellable: bool = True
    background: bool = False
    idempotent: bool = False
    retries: int = 0
    confirm: bool | str = False
    max_result: int = RESULT_LIMIT

    def __post_init__(self) -> None:
        timeout: object = self.timeout
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            self._fail(f"timeout is {timeout!r}: give seconds, as in `timeout=15`")
        if not (timeout > 0 and math.isfinite(timeout)):
            self._fail(f"timeout is {timeout}: give finite seconds above 0")
        self._check_fillers()
        for option in ("interruptible", "cancellable", "background", "idempotent"):
            value: object = getattr(self, option)
            if not isinstance(value, bool):
                self._fail(f"{option} is {value!r}: give True or False")
        self._check_number("retries", 0, RETRIES_LIMIT)
        self._check_number("max_result", RESULT_MINIMUM, None)
        if self.retries and not self.idempotent:
            self._fail(
                "retries would run it more than once: add `idempotent=True` if that does no "
                "harm, or leave them out"
            )
        confirm: object = self.confirm
        if not isinstance(confirm, bool | str) or (
            isinstance(confirm, str) and not 0 < len(confirm.strip()) <= FILLER_LIMIT
        ):
            self._fail(
                f"confirm is {_short(confirm)}: give True, or a question of at most "
                f'{FILLER_LIMIT} characters, as in `confirm="Shall I book it?"`'
            )
        # As `functools.wraps` does; `inspect.signature` and `help` look here.
        for name in (*functools.WRAPPER_ASSIGNMENTS, "__wrapped__"):
            value = self.function if name == "__wrapped__" else getattr(self.function, name, None)
            object.__setattr__(self, name, value)

    def _check_fillers(self) -> None:
        fillers: object = self.fillers
        if not isinstance(fillers, tuple) or len(fillers) > FILLERS_LIMIT:
            self._fail(f"filler is {_short(fillers)}: give a text, or at most {FILLERS_LIMIT}")
        for filler in fillers:
            if not isinstance(filler, str) or not filler.strip():
                self._fail(f"filler is {filler!r}: give what the agent says, or leave it out")
            if len(filler) > FILLER_LIMIT:
                self._fail(f"filler has {len(filler)} characters: say it in at most {FILLER_LIMIT}")

    def _check_number(self, option: str, least: int, most: int | None) -> None:
        value: object = getattr(self, option)
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if not fits or (most is not None and isinstance(value, int) and value > most):
            limits = f"{least} to {most}" if most is not None else f"at least {least}"
            self._fail(f"{option} is {value!r}: give a whole number, {limits}")

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
    def filler(self) -> str | None:
        """The first of the fillers, or None."""
        return self.next_filler(0)

    def next_filler(self, said: int) -> str | None:
        """The filler to say next, so that a caller does not hear one twice in a row.

        Args:
            said: How many of this tool's were said before in the call.
        """
        return self.fillers[said % len(self.fillers)] if self.fillers else None

    @property
    def streams(self) -> bool:
        """Whether the function is an async generator, which tells of its progress."""
        return inspect.isasyncgenfunction(inspect.unwrap(self.function))

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
    context_type: ContextType | None = None,
    **options: Unpack[ToolOptions],
) -> Tool[P, R]: ...


@overload
def tool(
    *,
    context_type: ContextType | None = None,
    **options: Unpack[ToolOptions],
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    context_type: ContextType | None = None,
    **options: Unpack[ToolOptions],
) -> Tool[P, R] | Callable[[Callable[P, R]], Tool[P, R]]:
    """Make a tool of a function: `@tool`, `@tool(filler="Let me look.")` or `tool(function)`.

    Args:
        function: A typed, documented function.
        context_type: What marks the first parameter as the call; see `read_schema`.
        **options: What `ToolOptions` names.

    Raises:
        DefinitionError: The function or an option cannot be used as it is; the message
            names the function, its file and line, and the fix.
    """

    def make(function: Callable[P, R]) -> Tool[P, R]:
        rest = dict(options)
        # mypy would lose their types if the dict was spread.
        name, description = options.get("name"), options.get("description")
        rest.pop("name", None)
        rest.pop("description", None)
        schema = read_schema(
            function, name=name, description=description, context_type=context_type
        )
        return make_tool(function, schema, rest)

    return make if function is None else make(function)


_FIELDS = frozenset(each.name for each in dataclasses.fields(Tool))


def make_tool(function: Callable[P, R], schema: Schema, options: dict[str, Any]) -> Tool[P, R]:
    """Make a tool of a function whose schema is known.

    Args:
        function: Takes the arguments by their names.
        schema: What the model is told.
        options: What `ToolOptions` names, but for the name and the description.

    Raises:
        DefinitionError: An option cannot be used as it is.
    """
    where = f"tool {schema.name!r} ({schema.where})"
    known = (_FIELDS - {"function", "schema", "fillers"}) | {"filler"}
    for option in options.keys() - known:
        raise DefinitionError(
            f"{where}: there is no option {option!r}: the options are name, description, "
            f"{', '.join(sorted(known))}"
        )
    given = dict(options)
    filler = given.pop("filler", None)
    if filler is None:
        given["fillers"] = ()
    elif isinstance(filler, list | tuple):
        if not filler:
            raise DefinitionError(f"{where}: filler is empty: name one, or leave it out")
        given["fillers"] = tuple(filler)
    else:
        given["fillers"] = (filler,)
    # What must be heard to its end is not stopped by hanging up, either, unless told so.
    if given.get("cancellable") is None:
        given["cancellable"] = given.get("interruptible", True)
    return Tool(function=function, schema=schema, **given)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
