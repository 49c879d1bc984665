"""What is found of calls that are still held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.web.conftest import latency
from vivavoce.web.recent import Recent, matches, split
from vivavoce.web.records import Query, RecordsError

BEGAN = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def call(number, *delays_ms, agent="host", caller="ada", text="a table for four"):
    replies = [
        {
            "kind": "agent",
            "heard": f"reply {at}",
            "started": 10.0 * at,
            "latency": latency(ms),
        }
        for at, ms in enumerate(delays_ms)
    ]
    return {
        "call": f"c{number}",
        "agent": agent,
        "caller": caller,
        "called": "",
        "kind": "webrtc",
        "began": (BEGAN + timedelta(minutes=number)).isoformat(),
        "seconds": 60.0,
        "ended": "the caller hung up",
        "cost_usd": 0.01,
        "transcript": [{"kind": "caller", "text": text}, *replies],
    }


def recent(*held):
    return Recent(lambda: held, lambda _call: False)


async def test_calls_are_found_newest_first_and_page_by_page():
    found = recent(*[call(n, 500 + n) for n in range(5)])
    first = await found.search(Query(limit=2))
    assert [each.call for each in first.entries] == ["c4", "c3"]
    second = await found.search(Query(limit=2, cursor=first.cursor))
    third = await found.search(Query(limit=2, cursor=second.cursor))
    assert [each.call for each in (*second.entries, *third.entries)] == ["c2", "c1", "c0"]
    assert third.cursor == ""
    entry = first.entries[0]
    assert (entry.turns, entry.p50, entry.last, entry.live) == (1, 504.0, "reply 0", False)
    with pytest.raises(RecordsError, match="cursor"):
        await found.search(Query(cursor="elsewhere"))


async def test_what_is_asked_has_to_fit():
    found = recent(call(1, agent="bell"), call(2, caller="eve", text="Crème brûlée"))
    for query, calls in (
        (Query(text="brûl crème"), ["c2"]),
        (Query(text="rûlée"), []),
        (Query(text="eve"), ["c2"]),
        (Query(agent="bell"), ["c1"]),
        (Query(caller="eve"), ["c2"]),
        (Query(since=BEGAN + timedelta(minutes=2)), ["c2"]),
        (Query(until=BEGAN + timedelta(minutes=2)), ["c1"]),
        (Query(live=True), []),
        (Query(live=False), ["c2", "c1"]),
    ):
        assert [each.call for each in (await found.search(query)).entries] == calls, query


async def test_percentiles_stand_in_stretches_of_time():
    found = recent(call(0, 100, 200, 300), call(1, 900), call(30, 400, agent="bell"))
    buckets = await found.percentiles(BEGAN, BEGAN + timedelta(hours=1), 600)
    assert [(each.since, each.calls, each.turns) for each in buckets] == [
        (BEGAN, 2, 4),
        (BEGAN + timedelta(minutes=30), 1, 1),
    ]
    assert buckets[0].percentiles == {"p50": 200.0, "p95": 900.0, "p99": 900.0}
    alone = await found.percentiles(BEGAN, BEGAN + timedelta(hours=1), 600, "bell")
    assert [each.turns for each in alone] == [1]
    for bucket in (0, 0.01):
        with pytest.raises(RecordsError, match="stretches"):
            await found.percentiles(BEGAN, BEGAN + timedelta(hours=1), bucket)


def test_words_are_found_by_their_beginning_in_any_order():
    there = split("A table, for FOUR: c'est-à-dire 4")
    assert there == ["a", "table", "for", "four", "c", "est", "à", "dire", "4"]
    for text, found in (("", True), ("TAB four", True), ("able", False), ("table six", False)):
        assert matches(split(text), there) is found, text
