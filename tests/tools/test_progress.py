import asyncio
import functools
import logging
from collections.abc import AsyncIterator

import pytest

from vivavoce.tools import Progress, Result, run, tool


async def collect(made, **options):
    news = []

    async def heard(text):
        news.append(text)

    return await run(made, None, None, on_progress=heard, **options), news


def streaming(function, **options):
    return tool(function, name="search", description="Search.", **options)


async def test_news_and_a_result():
    async def search() -> AsyncIterator[Progress | Result[list[str]]]:
        yield Progress("One so far.")
        await asyncio.sleep(0)
        yield Progress("Two so far.")
        yield Result(["a", "b"])

    made = streaming(search)
    assert made.streams
    outcome, news = await collect(made)
    assert (outcome.kind, outcome.content) == ("result", '["a", "b"]')
    assert news == ["One so far.", "Two so far."]
    # Whoever does not listen misses nothing else.
    assert (await run(made, None, None)).content == '["a", "b"]'


async def test_a_generator_behind_other_functions():
    async def search() -> AsyncIterator[str]:
        yield "One so far."
        yield Result("found")

    @functools.wraps(search)
    async def later(*given, **named):
        return search(*given, **named)

    @functools.wraps(search)
    def at_once(*given, **named):
        return search(*given, **named)

    class Hotel:
        async def search(self) -> AsyncIterator[str]:
            yield "One so far."
            yield Result("found")

    for function in (later, at_once, Hotel().search):
        outcome, news = await collect(streaming(function))
        assert (outcome.content, news) == ("found", ["One so far."])


async def test_plain_text_is_news_and_no_result_is_none():
    async def search() -> AsyncIterator[str]:
        yield "One so far."
        yield "  "

    outcome, news = await collect(streaming(search))
    assert (outcome.content, news) == ("done", ["One so far."])


async def test_the_result_ends_it():
    events = []

    async def search():
        try:
            yield Result("found")
            events.append("went on")
        finally:
            await asyncio.sleep(0)
            events.append("cleaned")

    outcome, _ = await collect(streaming(search))
    assert (outcome.content, events) == ("found", ["cleaned"])


async def test_something_else_is_the_tools_fault():
    async def search():
        yield [1]

    outcome, news = await collect(streaming(search))
    assert (outcome.kind, news) == ("error", [])
    assert "search yielded a list: yield Progress(...)" in str(outcome.error)
    assert "list" not in outcome.content


async def test_an_exception_after_news():
    async def search():
        yield "One so far."
        raise ValueError("password")

    outcome, news = await collect(streaming(search))
    assert (outcome.kind, news) == ("error", ["One so far."])
    assert "password" not in outcome.content


async def test_who_listens_badly_is_not_the_tools_concern(caplog):
    async def search():
        yield "One so far."
        yield Result("found")

    async def deaf(text):
        raise RuntimeError("the line is gone")

    with caplog.at_level(logging.ERROR, "vivavoce.tools"):
        outcome = await run(streaming(search), None, None, on_progress=deaf)
    assert outcome.content == "found"
    assert "the news of search could not be passed on" in caplog.text


async def test_time_out_and_cancellation_close_it():
    events = []
    begun = asyncio.Event()

    async def search():
        try:
            yield "Begun."
            begun.set()
            await asyncio.sleep(3_600)
        finally:
            await asyncio.sleep(0)
            events.append("cleaned")

    outcome, news = await collect(streaming(search, timeout=0.05))
    assert (outcome.kind, news, events) == ("timeout", ["Begun."], ["cleaned"])
    begun.clear()
    task = asyncio.create_task(run(streaming(search), None, None))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events == ["cleaned", "cleaned"]


def test_news_are_bounded():
    assert len(Progress("x" * 999).text) == 200
    for blank in ("", " ", None, 3):
        with pytest.raises(ValueError, match="what the caller may be told"):
            Progress(blank)
