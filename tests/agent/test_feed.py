"""The feed: who follows a call hears of everything, once, to its end."""

from __future__ import annotations

import asyncio

import pytest

from vivavoce.agent.events import CallEnded, CallerPartial, CallerStarted, CallStarted
from vivavoce.agent.feed import Feed

BEGAN, SPOKE, ENDED = CallStarted(0, "c1"), CallerStarted(1), CallEnded(2, "done")


@pytest.fixture
def feed() -> Feed:
    return Feed()


async def test_who_comes_late_hears_it_all(feed: Feed):
    feed.tell(BEGAN)
    feed.tell(SPOKE)
    feed.tell(ENDED)
    async with asyncio.timeout(30):
        assert [event async for event in feed] == [BEGAN, SPOKE, ENDED]
    assert feed.past == (BEGAN, SPOKE, ENDED)


async def test_a_queue_has_what_happens_from_now_on_and_the_end(feed: Feed):
    feed.tell(BEGAN)
    with feed.listening() as queue:
        feed.tell(SPOKE)
        feed.tell(ENDED)
        assert [queue.get_nowait() for _ in range(3)] == [SPOKE, ENDED, None]
    feed.tell(SPOKE)
    assert queue.empty()


async def test_of_the_words_of_an_utterance_the_last_state_is_kept(feed: Feed):
    one, more, next_turn = (
        CallerPartial(1, "a"),
        CallerPartial(2, "a table"),
        CallerPartial(4, "yes"),
    )
    told = [BEGAN, SPOKE, one, more, CallerStarted(3), next_turn]
    with feed.listening() as queue:
        for event in told:
            feed.tell(event)
        assert [queue.get_nowait() for _ in told] == told
    assert feed.past == (BEGAN, SPOKE, more, CallerStarted(3), next_turn)


async def test_what_is_told_behind_the_end_is_past_and_ends_nobody_again(feed: Feed):
    with feed.listening() as queue:
        feed.tell(ENDED)
        feed.tell(SPOKE)
        assert [queue.get_nowait() for _ in range(3)] == [ENDED, None, SPOKE]
    async with asyncio.timeout(30):
        assert [event async for event in feed] == [ENDED, SPOKE]


async def test_who_breaks_off_is_forgotten(feed: Feed):
    feed.tell(BEGAN)
    events = aiter(feed)
    assert await anext(events) is BEGAN
    assert len(feed._listeners) == 1
    await events.aclose()
    assert not feed._listeners
