"""The running of a tool for a model."""

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .arguments import BadArguments, parse_arguments
from .result import RESULT_LIMIT, write_result
from .tool import Tool, Toolbox

STOP_GRACE = 0.5
"""Seconds that a stopped tool has for its `finally` blocks before it is left behind."""

Kind = Literal["result", "bad_arguments", "unknown_tool", "timeout", "error", "cancelled"]

_Work = asyncio.Task[tuple[Any, BaseException | None]]
_ERROR_LIMIT = 2_000  # characters of a ToolError
_log = logging.getLogger("vivavoce.tools")
# Tools that were told to stop and have not yet. They are held here because asyncio keeps
# only weak references to tasks, and so that what they raise in the end is retrieved.
_stopping: set[_Work] = set()


class ToolError(Exception):
    """What a tool raises to tell the model, in words, why it did not work.

    Of every other exception the model only learns that there was one.

    Args:
        message: Words for the model, such as "There is no table 12. Tables are 1 to 9."
    """


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a tool call.

    Attributes:
        ok: Whether the function returned.
        content: Text for the model, which is never without an answer to its call. It holds
            no traces, and no words of exceptions other than `ToolError`.
        seconds: How long it took.
        error: The exception behind an outcome that is not ok, for the log.
        kind: What happened.
        value: What the function returned, where it did.
    """

    ok: bool
    content: str
    seconds: float
    error: BaseException | None = field(default=None, repr=False, compare=False)
    kind: Kind = "result"
    value: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def cancelled(cls, name: str, seconds: float = 0.0) -> "Outcome":
        """The outcome of a call that was stopped from outside, as by a barge-in.

        A model's next request must have a result for every call, also for those.

        Args:
            name: The tool's name.
            seconds: How long it ran.
        """
        said = f"{name} was stopped before it ended; it may or may not have taken effect."
        return cls(False, said, seconds, kind="cancelled")


async def run(
    tool: Tool[..., Any],
    call: Any,
    arguments: str | Mapping[str, Any] | None,
    *,
    limit: int = RESULT_LIMIT,
) -> Outcome:
    """Run a tool with the arguments that a model sent.

    Async functions run as a task of their own, sync functions in a thread of their own; both
    see a copy of the caller's context variables. Whatever the tool does becomes an outcome.

    Args:
        tool: The tool.
        call: What its context parameter gets, if it has one.
        arguments: As the model sent them: JSON text, or an object.
        limit: The most bytes of a result's text.

    Returns:
        The outcome. After the tool's time-out it comes within `STOP_GRACE` seconds, even if
        the tool will not stop.

    Cancellation: an async tool is cancelled, and has up to `STOP_GRACE` seconds to clean up
    before the cancellation goes on. A thread cannot be stopped: a sync tool runs on, after a
    time-out as well, and what it returns or raises is discarded.
    """
    started = time.monotonic()

    def outcome(kind: Kind, content: str, error: BaseException | None) -> Outcome:
        return Outcome(kind == "result", content, time.monotonic() - started, error, kind)

    try:
        values = parse_arguments(tool.schema, arguments)
    except BadArguments as error:
        return outcome("bad_arguments", str(error), error)
    except Exception as error:  # noqa: BLE001 (from a validator of the user's own)
        return outcome("error", _words(tool.name, error), error)
    if tool.schema.context is not None:
        values[tool.schema.context] = call

    task = asyncio.create_task(_perform(tool, values), name=f"tool {tool.name}")
    try:
        await asyncio.wait({task}, timeout=tool.timeout)
        if not task.done():
            await _stop(task)
            said = (
                f"{tool.name} took longer than {tool.timeout:g} s and was stopped; "
                "it may or may not have taken effect."
            )
            return outcome("timeout", said, TimeoutError(said))
    except asyncio.CancelledError:
        await _stop(task)
        raise
    if task.cancelled():  # by the tool itself: nobody else can
        stopped = Outcome.cancelled(tool.name)
        return outcome("cancelled", stopped.content, asyncio.CancelledError())
    value, failure = task.result()
    if failure is not None:
        return outcome("error", _words(tool.name, failure), failure)
    try:
        content = write_result(value, limit=limit)
        return Outcome(True, content, time.monotonic() - started, value=value)
    except Exception as error:  # noqa: BLE001 (from a property or serialiser of the user's own)
        return outcome("error", _words(tool.name, error), error)


async def run_named(
    toolbox: Toolbox,
    name: str,
    call: Any,
    arguments: str | Mapping[str, Any] | None,
    *,
    limit: int = RESULT_LIMIT,
) -> Outcome:
    """Run the tool that a model named; see `run`.

    Args:
        toolbox: The tools that the model was told of.
        name: As the model sent it.
        call: What the tool's context parameter gets, if it has one.
        arguments: As the model sent them.
        limit: The most bytes of a result's text.

    Returns:
        The outcome; of the kind `unknown_tool` when there is none of that name.
    """
    found = toolbox.get(name)
    if found is None:
        names = ", ".join(toolbox.names[:20]) + (", …" if len(toolbox) > 20 else "")
        said = f"There is no tool {name[:64]!r}. The tools are: {names or 'none'}."
        return Outcome(False, said, 0.0, LookupError(said), "unknown_tool")
    return await run(found, call, arguments, limit=limit)


async def _perform(
    tool: Tool[..., Any], values: dict[str, Any]
) -> tuple[Any, BaseException | None]:
    """Call the function, and give back what it returned or raised.

    What it raised is given back, not raised, because a task cannot carry StopIteration and
    makes SystemExit end the whole event loop.
    """
    function = functools.partial(tool.function, **values)
    try:
        if inspect.iscoroutinefunction(tool.function):
            return await function(), None
        value, error = await _in_thread(function, tool.name)
        # A sync function around an async one gives its coroutine.
        return (await value if inspect.isawaitable(value) else value), error
    except (Exception, SystemExit) as error:  # noqa: BLE001 (a tool may raise anything)
        return None, error


async def _in_thread(function: Callable[[], Any], name: str) -> tuple[Any, BaseException | None]:
    """Call a function in a daemon thread of its own.

    The event loop's pool has few threads and waits for them at exit: tools that hang would
    hold up name resolution, and then the process.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if not future.done():
            future.set_result((value, error))
        else:
            _discard(value)

    def work() -> None:
        value, error = None, None
        try:
            value = context.run(function)
        except BaseException as raised:  # noqa: BLE001 (there is nobody else to tell)
            error = raised
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:  # the loop closed meanwhile; nobody waits any more
            _discard(value)
            _log.debug("the result of %s came after the event loop closed", name)

    threading.Thread(target=work, name=f"tool {name}", daemon=True).start()
    return await future


def _discard(value: Any) -> None:
    """Drop a result that nobody waits for, without a warning that it was never awaited."""
    if inspect.iscoroutine(value):
        value.close()


async def _stop(task: _Work) -> None:
    """Cancel a tool's task, and wait a little for it to end."""
    if task not in _stopping:
        _stopping.add(task)
        task.add_done_callback(_stopped)
        task.cancel()
    await asyncio.wait({task}, timeout=STOP_GRACE)
    if not task.done():
        _log.warning("%s did not stop within %g s; left behind", task.get_name(), STOP_GRACE)


def _stopped(task: _Work) -> None:
    _stopping.discard(task)
    error = None if task.cancelled() else task.exception() or task.result()[1]
    if error is not None:  # its words may hold secrets
        _log.debug("%s raised %s as it stopped", task.get_name(), type(error).__name__)


def _words(name: str, error: BaseException) -> str:
    """What the model is told of an exception."""
    if isinstance(error, BaseExceptionGroup):
        # A TaskGroup in the tool wraps what its tasks raise.
        ours, others = error.split(ToolError)
        if ours is not None and others is None:
            return " ".join(dict.fromkeys(_words(name, each) for each in ours.exceptions))
    said = str(error).strip() if isinstance(error, ToolError) else ""
    if said:
        return said if len(said) <= _ERROR_LIMIT else said[: _ERROR_LIMIT - 1] + "…"
    return f"{name} failed because of an internal error; nothing is known of its result."
