import asyncio
import contextvars
import dataclasses
import datetime as dt
import gc
import logging
import sys
import threading
from typing import Annotated

import pytest
from pydantic import AfterValidator

from vivavoce.tools import Outcome, Retry, Toolbox, ToolError, run, run_named, tool

SECRET = "sk-hunter2"
# The package's `run` is the function, which hides the module of that name.
module = sys.modules["vivavoce.tools.run"]
current = contextvars.ContextVar("current", default="nothing")


class Call:
    def __init__(self, deps=None):
        self.deps = deps


@tool(context_type=Call)
async def echo(call: Call, day: dt.date, people: int = 2) -> list[object]:
    """Give back what is given.

    Args:
        day: A day.
        people: How many.
    """
    return [day, people, call.deps]


@tool
def same_thread() -> bool:
    """Tell whether it runs in the main thread."""
    return threading.current_thread() is threading.main_thread()


@tool
async def forever() -> None:
    """Wait."""
    await asyncio.sleep(3600)


def fails(error: BaseException, *, sync: bool):
    def raise_it() -> None:
        raise error

    async def raise_it_async() -> None:
        raise error

    return tool(raise_it if sync else raise_it_async, name="fail", description="It fails.")


@pytest.fixture(autouse=True)
def nothing_left_behind():
    yield
    gc.collect()
    assert not module._stopping


async def test_a_result():
    outcome = await run(echo, Call("deps"), '{"day": "2026-05-31", "people": "4"}')
    assert outcome.ok
    assert outcome.kind == "result"
    assert outcome.content == '["2026-05-31", 4, "deps"]'
    assert outcome.error is None
    assert 0 <= outcome.seconds < 5


async def test_bad_arguments_do_not_run_it():
    outcome = await run(echo, Call(), {"day": 0})
    assert (outcome.ok, outcome.kind) == (False, "bad_arguments")
    assert "day: got 0, expected a date" in outcome.content
    assert str(outcome.error) == outcome.content


async def test_a_model_cannot_pass_the_call():
    outcome = await run(echo, Call("deps"), {"day": "2026-05-31", "call": None})
    assert outcome.kind == "bad_arguments"
    assert "call: unknown, leave it out (echo takes day, people)" in outcome.content


async def test_the_functions_default_is_used():
    assert (await run(echo, Call(), {"day": "2026-05-31"})).content == '["2026-05-31", 2, null]'


async def test_sync_functions_have_a_thread_and_the_context():
    token = current.set("the call")

    @tool
    def read() -> str:
        """Read the variable, and set it for nobody else."""
        value = current.get()
        current.set("changed")
        return value

    assert (await run(read, None, None)).content == "the call"
    assert current.get() == "the call"
    current.reset(token)
    assert (await run(same_thread, None, None)).content == "false"


async def test_async_functions_have_the_context():
    token = current.set("the call")

    @tool
    async def read() -> str:
        """Read the variable."""
        return current.get()

    assert (await run(read, None, None)).content == "the call"
    current.reset(token)


async def test_the_event_loop_goes_on_while_a_sync_tool_works():
    started, release = threading.Event(), threading.Event()

    @tool
    def block() -> str:
        """Block until it may go on."""
        started.set()
        return "released" if release.wait(5) else "stuck"

    task = asyncio.create_task(run(block, None, None))
    assert await asyncio.to_thread(started.wait, 5)
    release.set()
    assert (await task).content == "released"


async def test_more_sync_tools_than_a_pool_has_threads():
    barrier = threading.Barrier(40)

    @tool
    def meet() -> str:
        """Wait for the others."""
        barrier.wait(5)
        return "met"

    outcomes = await asyncio.gather(*(run(meet, None, None) for _ in range(40)))
    assert {outcome.content for outcome in outcomes} == {"met"}


async def test_a_sync_function_around_an_async_one():
    async def inner(word: str) -> str:
        assert threading.current_thread() is threading.main_thread()
        return word

    wrapped = tool(lambda: inner("inner"), name="wrapped", description="It wraps.")
    assert (await run(wrapped, None, None)).content == "inner"


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET),
        KeyError(SECRET),
        StopIteration(SECRET),
        TimeoutError(SECRET),
        SystemExit(SECRET),
        RecursionError(SECRET),
        ToolError(""),
        ExceptionGroup(SECRET, [ToolError("known"), ValueError(SECRET)]),
    ],
    ids=repr,
)
async def test_the_model_learns_only_that_it_failed(error, sync):
    outcome = await run(fails(error, sync=sync), None, None)
    assert (outcome.ok, outcome.kind) == (False, "error")
    assert outcome.content == (
        "fail failed because of an internal error; nothing is known of its result."
    )
    assert SECRET not in repr(outcome)
    # async: Python turns StopIteration into a RuntimeError that it caused
    assert error in (outcome.error, outcome.error.__cause__)


@pytest.mark.parametrize("sync", [True, False])
async def test_a_tool_error_speaks_to_the_model(sync):
    outcome = await run(fails(ToolError("There is no table 12."), sync=sync), None, None)
    assert (outcome.kind, outcome.content) == ("error", "There is no table 12.")
    assert isinstance(outcome.error, ToolError)


async def test_a_tool_error_in_a_task_group_speaks_too():
    @tool
    async def find() -> None:
        """Find."""
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(ToolError("Closed."), sync=False)())

    assert (await run(find, None, None)).content == "Closed."


async def test_a_tool_error_is_bounded():
    outcome = await run(fails(ToolError("x" * 9_999), sync=True), None, None)
    assert len(outcome.content) == 2_000


async def test_a_broken_validator_is_an_error():
    def broken(value: int) -> int:
        raise KeyError(SECRET)

    def find(x: Annotated[int, AfterValidator(broken)]) -> None:
        """Find.

        Args:
            x: A number.
        """

    outcome = await run(tool(find), None, {"x": 1})
    assert outcome.kind == "error"
    assert SECRET not in outcome.content


async def test_a_result_without_a_text_is_an_error():
    outcome = await run(tool(lambda: b"x", name="b", description="Bytes."), None, None)
    assert outcome.kind == "error"
    assert "decode them" in str(outcome.error)
    assert "bytes" not in outcome.content


async def test_a_property_that_raises_is_an_error():
    class Odd(dict[str, str]):
        def items(self):
            raise KeyError(SECRET)

    odd = tool(lambda: Odd(a="b"), name="odd", description="Odd.")
    outcome = await run(odd, None, None)
    assert outcome.kind == "error"
    assert SECRET not in outcome.content


async def test_long_results_are_cut():
    long = tool(lambda: "x" * 99_999, name="long", description="Long.")
    assert len((await run(long, None, None)).content.encode()) == 16_384
    short = dataclasses.replace(long, max_result=200)
    content = (await run(short, None, None)).content
    assert len(content.encode()) == 200
    assert content.endswith("[cut: longer than 200 bytes]")


async def test_time_out_of_an_async_tool():
    cleaned = []

    @tool(timeout=0.02)
    async def slow() -> None:
        """Wait."""
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    outcome = await run(slow, None, None)
    assert (outcome.ok, outcome.kind) == (False, "timeout")
    assert "slow took longer than 0.02 s" in outcome.content
    assert isinstance(outcome.error, TimeoutError)
    assert 0.02 <= outcome.seconds < 5
    assert cleaned == [True]


async def test_time_out_of_a_sync_tool_discards_its_result():
    release, ended = threading.Event(), threading.Event()

    async def never() -> None: ...

    @tool(timeout=0.02)
    def block() -> object:
        """Block."""
        release.wait(5)
        ended.set()
        return never()  # a coroutine nobody awaits; it must be closed

    outcome = await run(block, None, None)
    assert outcome.kind == "timeout"
    release.set()
    assert await asyncio.to_thread(ended.wait, 5)
    for thread in threading.enumerate():
        if thread.name == "tool block":
            await asyncio.to_thread(thread.join, 5)
    await asyncio.sleep(0)  # the loop takes the result


async def test_a_time_out_of_the_tools_own_is_an_error_of_its_own():
    @tool
    async def find() -> None:
        """Find."""
        async with asyncio.timeout(0.01):
            await asyncio.sleep(3600)

    assert (await run(find, None, None)).kind == "error"


async def test_a_tool_that_will_not_stop_is_left_behind(monkeypatch, caplog):
    monkeypatch.setattr(module, "STOP_GRACE", 0.02)
    release = asyncio.Event()

    @tool(timeout=0.02)
    async def stubborn() -> None:
        """Ignore being cancelled."""
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError(SECRET)

    with caplog.at_level(logging.DEBUG, "vivavoce.tools"):
        outcome = await run(stubborn, None, None)
        (task,) = module._stopping
        release.set()
        await asyncio.wait({task}, timeout=1)
        await asyncio.sleep(0)
    assert outcome.kind == "timeout"
    assert outcome.seconds < 5
    assert "tool stubborn did not stop" in caplog.text
    assert "raised ValueError as it stopped" in caplog.text
    assert SECRET not in caplog.text


async def test_cancellation_reaches_an_async_tool_and_goes_on():
    events = []
    started = asyncio.Event()

    @tool
    async def work() -> None:
        """Work."""
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            events.append("cleaned")

    task = asyncio.create_task(run(work, None, None))
    await started.wait()
    task.cancel("barge-in")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert events == ["cancelled", "cleaned"]


async def test_cancellation_before_it_begins():
    task = asyncio.create_task(run(forever, None, None))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_does_not_wait_for_a_thread():
    release, started, ended = threading.Event(), threading.Event(), threading.Event()

    @tool
    def block() -> None:
        """Block."""
        started.set()
        release.wait(60)
        ended.set()

    task = asyncio.create_task(run(block, None, None))
    assert await asyncio.to_thread(started.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not ended.is_set()
    release.set()


async def test_a_second_cancellation_does_not_wait_for_a_stubborn_tool(monkeypatch):
    monkeypatch.setattr(module, "STOP_GRACE", 60)
    started, release = asyncio.Event(), asyncio.Event()

    @tool
    async def stubborn() -> None:
        """Ignore being cancelled."""
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(run(stubborn, None, None))
    await started.wait()
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await asyncio.wait(set(module._stopping), timeout=1)
    await asyncio.sleep(0)


async def test_a_tool_that_cancels_itself():
    outcome = await run(fails(asyncio.CancelledError(), sync=False), None, None)
    assert (outcome.ok, outcome.kind) == (False, "cancelled")
    assert outcome.content == Outcome.cancelled("fail").content


async def test_an_unknown_tool():
    box = Toolbox([echo, same_thread])
    outcome = await run_named(box, "ecko", Call(), "{}")
    assert (outcome.ok, outcome.kind) == (False, "unknown_tool")
    assert outcome.content == "There is no tool 'ecko'. The tools are: echo, same_thread."
    assert len((await run_named(box, "x" * 10_000, Call(), "{}")).content) < 200
    assert (await run_named(Toolbox(), "x", None, "")).content.endswith("The tools are: none.")
    assert (await run_named(box, "same_thread", Call(), "")).ok


def test_a_thread_that_outlives_its_loop_says_nothing(caplog):
    release, ended = threading.Event(), threading.Event()

    @tool(timeout=0.01)
    def block() -> object:
        """Block."""
        release.wait(5)
        ended.set()
        return forever()  # must be closed, too

    assert asyncio.run(run(block, None, None)).kind == "timeout"
    release.set()
    assert ended.wait(5)
    for thread in threading.enumerate():
        if thread.name == "tool block":
            thread.join(5)
    assert not caplog.records


def failing(*outcomes, **options):
    """A tool that does one thing after the other."""
    coming = list(outcomes)
    calls = []

    async def work() -> str:
        """Work."""
        calls.append(asyncio.get_running_loop().time())
        what = coming.pop(0)
        if isinstance(what, BaseException):
            raise what
        if what is None:
            await asyncio.sleep(3_600)
        return what

    return tool(work, idempotent=True, **options), calls


async def test_it_is_tried_again_after_what_passes():
    made, calls = failing(Retry("Busy.", after=0), None, "found", retries=2, timeout=0.05)
    outcome = await run(made, None, None)
    assert (outcome.kind, outcome.content, outcome.tries) == ("result", "found", 3)
    assert len(calls) == 3
    # The time-out is each try's own, and the pause between tries is real.
    assert outcome.seconds >= 0.05 + 0.5
    assert outcome.error is None


async def test_the_last_try_is_what_counts():
    made, calls = failing(*[Retry("Busy.", after=0)] * 3, retries=2)
    outcome = await run(made, None, None)
    assert (outcome.kind, outcome.content, outcome.tries) == ("error", "Busy.", 3)
    assert len(calls) == 3


@pytest.mark.parametrize("error", [ToolError("No."), ValueError("x"), TimeoutError("its own")])
async def test_what_does_not_pass_is_not_tried_again(error):
    made, calls = failing(error, "never", retries=5)
    outcome = await run(made, None, None)
    assert (outcome.kind, outcome.tries, len(calls)) == ("error", 1, 1)


async def test_without_retries_a_retry_is_an_error():
    made, calls = failing(Retry("Busy."), "never")
    outcome = await run(made, None, None)
    assert (outcome.kind, outcome.content, len(calls)) == ("error", "Busy.", 1)


async def test_each_try_gets_its_arguments_anew():
    seen = []

    @tool(idempotent=True, retries=1)
    async def collect(words: list[str]) -> str:
        """Collect.

        Args:
            words: Words.
        """
        seen.append(list(words))
        words.append("changed")
        if len(seen) == 1:
            raise Retry("Busy.", after=0)
        return "done"

    assert (await run(collect, None, {"words": ["a"]})).ok
    assert seen == [["a"], ["a"]]


async def test_cancellation_between_two_tries():
    made, calls = failing(Retry("Busy.", after=99), "never", retries=1)
    task = asyncio.create_task(run(made, None, None))
    while not calls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(calls) == 1
