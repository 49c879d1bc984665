from __future__ import annotations

import asyncio

import pytest

from vivavoce.agent import Agent
from vivavoce.agent.testing import (
    call_tool,
    say,
    simulate,
)

MENU = "Tonight we serve onion soup, then grilled salmon under a light lemon sauce."


@pytest.fixture
def agent() -> Agent[None]:
    agent: Agent[None] = Agent("Be brief.", greeting="Chez Marie, good evening!")

    @agent.tool
    async def free_tables(people: int) -> str:
        """Find the free tables.

        Args:
            people: How many will come.
        """
        await asyncio.sleep(1)
        return f"A table for {people} is free."

    return agent


async def test_three_turns_and_a_barge_in(agent):
    replies = [
        call_tool("free_tables", people=4),
        say("Two are free."),
        say("For five, one is."),
        "Goodbye.",
    ]
    async with simulate(agent, replies=replies) as caller:
        assert caller.heard == "Chez Marie, good evening!"
        await caller.says("A table for four tomorrow")
        assert caller.heard == "Two are free."
        await caller.interrupts("Sorry, five", after=0.6)
        assert caller.heard == "Two are"
        await caller.listens()
        assert caller.heard == "For five, one is."
        await caller.says("Thanks, goodbye.")
    assert [turn.said.text for turn in caller.turns] == [
        "A table for four tomorrow",
        "Sorry, five",
        "Thanks, goodbye.",
    ]
    assert [turn.heard for turn in caller.turns] == ["Two are", "For five, one is.", "Goodbye."]
    (call,) = caller.tool_calls
    assert (call.name, call.arguments) == ("free_tables", {"people": 4})
    assert call.use.seconds == pytest.approx(1.0, abs=1e-5)
    assert caller.call.reason == "the caller hung up"
    for turn in caller.turns:
        assert turn.latency.total == sum(turn.latency.stages.values())


@pytest.mark.parametrize("word", range(1, 13))
async def test_a_barge_in_at_a_word_is_heard_to_that_word(agent, word):
    async with simulate(agent, replies=[MENU, "Sure."]) as caller:
        await caller.says("What is on the menu?")
        await caller.interrupts("Wait, sorry", at_word=word)
        assert caller.heard == " ".join(MENU.split()[:word])
