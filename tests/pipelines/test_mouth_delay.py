"""What was heard, where the line says how long sound is on its way to the ear."""

from __future__ import annotations

import pytest

from vivavoce.agent import Agent
from vivavoce.agent.testing import say, simulate
from vivavoce.pipelines.simulation.voice import length

STORY = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen."


async def cut(delay: float, after: float) -> str:
    """Cut a reply in; return what was heard of it."""
    async with simulate(Agent("Count."), replies=[say(STORY), say("Yes.")]) as caller:
        caller._engine._talk.playout = delay
        await caller.says("Please count for me")
        await caller.interrupts("wait a moment please", after=after)
        return caller.heard


async def test_what_is_on_its_way_when_the_caller_cuts_in_was_not_heard():
    at_once, late = await cut(0.0, 3.0), await cut(0.8, 3.0)
    assert at_once.startswith(late)
    assert late
    # So many words fewer as take the delay to say, to one.
    assert length(at_once) - length(late) == pytest.approx(0.8, abs=0.45)


async def test_nothing_was_heard_of_what_is_all_on_its_way():
    assert await cut(0.0, 0.6)
    assert not await cut(1.9, 0.6)


async def test_a_reply_that_was_said_to_its_end_arrives():
    async with simulate(Agent("Count."), replies=[say("one two three.")]) as caller:
        caller._engine._talk.playout = 1.0
        await caller.says("Please count for me")
        await caller.listens()
        assert caller.heard == "one two three."
