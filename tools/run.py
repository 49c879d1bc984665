"""The running of a tool for a model."""

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from .arguments import Arguments, BadArguments, read_arguments
from .confirmation import Confirmations, question
from .outcome import Kind, Outcome, Retry, error_words, retry_delay
from .progress import Progress, Result
from .result import write_result
from .tool import Tool
from .toolbox import Toolbox

STOP_GRACE = 0.5
"""Seconds that a stopped tool has for its `finally` blocks before it is left behind."""

OnProgress = Callable[[str], Awaitable[None]]
"""What is called with each piece of a tool's news, while the tool waits."""

_Work = asyncio.Task[tuple[Any, BaseException | None]]
_log = logging.getLogger("vivavoce.tools")
# Tools that were told to stop and have not yet. They are held here because asyncio keeps
# only weak references to tasks, and so that what they raise in the end is retrieved.
_stopping: set[_Work] = set()


async def run(
    tool: Tool[..., Any],
    call: Any,
    arguments: str | Mapping[str, Any] | None,
    *,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Run a tool with the arguments that a model sent, without asking the caller first.

    Async functions run as a task of their own, sync functions in a thread of their own; both
    see a copy of the caller's context variables. Whatever the tool does becomes an outcome.

    Args:
        tool: The tool.
        call: What its context parameter gets, if it has one.
        arguments: As the model sent them: JSON text, or an object.
        on_progress: Called with the news of a tool that is an async generator. What it raises
            is logged, and does not concern the tool.

    Returns:
        The outcome. After the tool's time-out it comes within `STOP_GRACE` seconds, even if
        the tool will not stop. With `retries`, every try has the whole time-out.

    Cancellation: an async tool is cancelled, and has up to `STOP_GRACE` seconds to clean up
    before the cancellation goes on. A thread cannot be stopped: a sync tool runs on, after a
    time-out as well, and what it returns or raises is discarded.
    """
    checked = _check(tool, arguments)
    if isinstance(checked, Outcome):
        return checked
    return await _run(tool, call, checked, on_progress)


async def run_named(
    toolbox: Toolbox,
    name: str,
    call: Any,
    arguments: str | Mapping[str, Any] | None,
    *,
    on_progress: OnProgress | None = None,
    confirmations: Confirmations | None = None,
    spoken: int = 0,
) -> Outcome:
    """Run the tool that a model named, if it may run; see `run`.

    Args:
        toolbox: The tools that the model was told of.
        name: As the model sent it.
        call: What the tool's context parameter gets, if it has one.
        arguments: As the model sent them.
        on_progress: Called with the tool's news.
        confirmations: What the caller was asked in this call. Without it, a tool with
            `confirm` does not run.
        spoken: How many times the caller has spoken in this call until now.

    Returns:
        The outcome; of the kind `unknown_tool` when there is none of that name, and
        `unconfirmed` when the caller is to be asked first.
    """
    found = toolbox.get(name)
    if found is None:
        names = ", ".join(toolbox.names[:20]) + (", …" if len(toolbox) > 20 else "")
        said = f"There is no tool {name[:64]!r}. The tools are: {names or 'none'}."
        return Outcome(False, said, 0.0, LookupError(said), "unknown_tool", 0)
    checked = _check(found, arguments)
    if isinstance(checked, Outcome):
        return checked
    if found.confirm is not False:
        if confirmations is None:
            asked: str | None = question(found.name, found.confirm)
        else:
            asked = confirmations.ask(found.name, checked.canonical, spoken, found.confirm)
        if asked is not None:
            return Outcome(False, asked, 0.0, None, "unconfirmed", 0)
    return await _run(found, call, checked, on_progress)


def _check(tool: Tool[..., Any], arguments: str | Mapping[str, Any] | None) -> Arguments | Outcome:
    started = time.monotonic()
    try:
        return read_arguments(tool.schema, arguments)
    except BadArguments as error:
        return Outcome(False, str(error), time.monotonic() - started, error, "bad_arguments", 0)
    except Exception as error:  # noqa: BLE001 (from a validator of the user's own)
        said = error_words(tool.name, error)
        return Outcome(False, said, time.monotonic() - started, error, "error", 0)


async def _run(
    tool: Tool[..., Any], call: Any, arguments: Arguments, on_progress: OnProgress | None
) -> Outcome:
    """Try a tool as often as it asks for."""
    started = time.monotonic()
    tried = 0
    while True:
        tried += 1
        # Anew each time: the function may change what it is given.
        values = arguments.values() if tried > 1 else dict(arguments.first)
        if tool.schema.context is not None:
            values[tool.schema.context] = call
        kind, content, error, value = await _try(tool, values, on_progress)
        passing = kind == "timeout" or (kind == "error" and isinstance(error, Retry))
        if passing and tried <= tool.retries:
            await asyncio.sleep(retry_delay(tried, error))
            continue
        seconds = time.monotonic() - started
        return Outcome(kind == "result", content, seconds, error, kind, tried, value)


async def _try(
    tool: Tool[..., Any], values: dict[str, Any], on_progress: OnProgress | None
) -> tuple[Kind, str, BaseException | None, Any]:
    """Call a tool's function once."""
    work = _perform(tool, values, on_progress)
    task = asyncio.create_task(work, name=f"tool {tool.name}")
    try:
        await asyncio.wait({task}, timeout=tool.timeout)
        if not task.done():
            await _stop(task)
            said = (
                f"{tool.name} took longer than {tool.timeout:g} s and was stopped; "
                "it may or may not have taken effect."
            )
            return "timeout", said, TimeoutError(said), None
    except asyncio.CancelledError:
        await _stop(task)
        raise
    if task.cancelled():  # by the tool itself: nobody else can
        content = Outcome.cancelled(tool.name).content
        return "cancelled", content, asyncio.CancelledError(), None
    value, failure = task.result()
    if failure is not None:
        return "error", error_words(tool.name, failure), failure, None
    try:
        return "result", write_result(value, limit=tool.max_result), None, value
    except Exception as error:  # noqa: BLE001 (from a property or serialiser of the user's own)
        return "error", error_words(tool.name, error), error, None


async def _perform(
    tool: Tool[..., Any], values: dict[str, Any], on_progress: OnProgress | None
) -> tuple[Any, BaseException | None]:
    """Call the function, and give back what it returned or raised.

    What it raised is given back, not raised, because a task cannot carry StopIteration and
    makes SystemExit end the whole event loop.
    """
    function = functools.partial(tool.function, **values)
    try:
        if tool.streams:
            yielded = function()
            if inspect.isawaitable(yielded):  # an async function around the generator
                yielded = await yielded
            return await _follow(tool.name, yielded, on_progress), None
        if inspect.iscoroutinefunction(tool.function):
            return await function(), None
        value, error = await _in_thread(function, tool.name)
        # A sync function around an async one gives its coroutine.
        return (await value if inspect.isawaitable(value) else value), error
    except (Exception, SystemExit) as error:  # noqa: BLE001 (a tool may raise anything)
        return None, error


async def _follow(
    name: str, yielded: AsyncGenerator[Any, None], on_progress: OnProgress | None
) -> Any:
    """Pass on the news of an async generator until its result comes."""
    async with aclosing(yielded) as items:
        async for item in items:
            if isinstance(item, Result):
                return item.value
            if isinstance(item, str):
                if not item.strip():
                    continue
                item = Progress(item)  # noqa: PLW2901 (the same, typed)
            if not isinstance(item, Progress):
                raise TypeError(
                    f"{name} yielded a {type(item).__name__}: yield Progress(...) or text, and "
                    "last Result(...)"
                )
            if on_progress is not None:
                try:
                    await on_progress(item.text)
                except Exception:  # noqa: BLE001 (of whoever listens, and not the tool's fault)
                    _log.exception("the news of %s could not be passed on", name)
    return None


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
