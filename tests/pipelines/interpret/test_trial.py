"""A session in which everything goes wrong: no word is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.pipelines.interpret.trial import Faults, Outcome, trial


def check(outcome: Outcome) -> None:
    """Assert that every word that was said is in one segment, once and in order."""
    assert outcome.understood == outcome.words
    numbers = [segment.number for segment in outcome.segments]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(segment.settled for segment in outcome.segments)
    spoken = [each for each in outcome.segments if each.spoken_from is not None]
    starts = [segment.spoken_from for segment in spoken]
    ends = [segment.spoken_to for segment in spoken]
    assert all(now <= later for now, later in zip(ends, starts[1:], strict=False))
    # What the synthesiser answered is what was heard, and nothing of it twice.
    assert Counter(outcome.spoken) == Counter(each.translation for each in spoken)
    for segment in spoken:
        assert segment.latency is not None
        assert sum(segment.latency.stages.values()) == segment.latency.total
        assert segment.lag == pytest.approx(segment.latency.total / 1e6, abs=2e-6)


async def test_five_minutes_of_trouble() -> None:
    outcome = await trial(5, seed=7)
    check(outcome)
    assert outcome.reconnects
    assert outcome.splits
    states = Counter(segment.state for segment in outcome.segments)
    assert states["spoken"] >= 0.95 * len(outcome.segments)
    lags = [segment.lag for segment in outcome.segments if segment.lag is not None]
    assert sum(lags) / len(lags) < 4.0


async def test_servers_that_mostly_fail() -> None:
    outcome = await trial(0.5, seed=3, faults=Faults(think=0.85, speak=0.85))
    check(outcome)
    states = Counter(segment.state for segment in outcome.segments)
    assert states["failed"] or states["written"]
    for segment in outcome.segments:
        assert segment.why or segment.state == "spoken"


async def test_nothing_runs_on_when_it_is_over() -> None:
    before = asyncio.all_tasks()
    await trial(0.1, seed=1)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
