from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from vivavoce.agent import Agent
from vivavoce.agent.record import record
from vivavoce.agent.testing import call_tool, say, simulate
from vivavoce.agent.testing.replay import RecordError, read_record, replay

MENU = "Tonight we serve onion soup, then grilled salmon under a light lemon sauce."
REPLIES = [
    MENU,
    call_tool("free", people=4),
    say("Two are free."),
    say("Goodbye."),
]


@pytest.fixture
def agent():
    agent = Agent("Be brief.", greeting="Good evening!")

    @agent.tool
    def free(people: int) -> str:
        """Find the free tables.

        Args:
            people: How many.
        """
        return "two"

    return agent


@pytest.fixture
async def recorded(agent) -> dict:
    async with simulate(agent, replies=REPLIES) as caller:
        await caller.says("What is on the menu?")
        await caller.interrupts("A table for four, please.", at_word=5)
        await caller.says("Thanks, goodbye.")
    call = caller.call
    return record(
        call, agent="a", began=datetime(2030, 1, 1, tzinfo=UTC), seconds=call.now, models={}
    )


async def test_the_same_agent_does_the_same(agent, recorded):
    done = await replay(agent, recorded, replies=REPLIES)
    assert done.same_tools
    assert all(turn.same_words for turn in done.turns)
    assert [turn.likeness for turn in done.turns] == [1.0, 1.0, 1.0]
    assert done.turns[0].before.heard == ["Tonight we serve onion soup,"]
    assert "= free(" in str(done)


async def test_what_differs_is_shown(agent, recorded):
    changed = [MENU, call_tool("free", people=5), say("One is free."), say("Goodbye.")]
    done = await replay(agent, recorded, replies=changed)
    assert not done.same_tools
    assert [turn.same_tools for turn in done.turns] == [True, False, True]
    text = str(done).splitlines()
    assert '   - free({"people": 4})' in text
    assert '   + free({"people": 5})' in text
    assert "   - agent: Two are free." in text
    assert "   + agent: One is free." in text
    assert 0 < done.turns[1].likeness < 1


async def test_it_goes_on_from_a_turn(agent, recorded):
    asked = []

    def model(messages, tools):
        asked.append(messages)
        return "Goodbye."

    done = await replay(agent, recorded, from_turn=3, replies=model)
    (turn,) = done.turns
    assert turn.number == 3
    assert turn.same_tools
    roles = [(message["role"], message.get("content")) for message in asked[-1]]
    assert roles[-5:] == [
        ("user", "A table for four, please."),
        ("assistant", ""),
        ("tool", "two"),
        ("assistant", "Two are free."),
        ("user", "Thanks, goodbye."),
    ]


async def test_a_reply_too_short_to_be_cut_is_answered(agent, recorded):
    shorter = ["Soup.", *REPLIES[1:]]
    done = await replay(agent, recorded, replies=shorter)
    assert [turn.after.said for turn in done.turns] == [turn.before.said for turn in done.turns]
    assert done.turns[0].after.heard == ["Soup."]


async def test_a_call_that_ends_early_differs(recorded):
    agent = Agent("Be brief.")

    @agent.tool
    async def free(people: int) -> str:
        """Find the free tables.

        Args:
            people: How many.
        """
        return "two"

    @agent.reply
    async def leave(call, heard):
        await call.hang_up("enough")
        return "Goodbye."

    done = await replay(agent, recorded)
    assert not done.same_tools
    assert done.turns[-1].after is None
    assert "the call had ended" in str(done)


async def test_turns_that_are_not_there_are_refused(agent, recorded):
    for turn in (0, 4):
        with pytest.raises(RecordError, match="the record has 3"):
            await replay(agent, recorded, from_turn=turn, replies=REPLIES)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"transcript": 3}', '{"transcript": [{"kind": "caller"}]}', "{}x"]
)
def test_what_is_no_record_is_refused(tmp_path, text):
    path = tmp_path / "call.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"call\.json: not a call's record"):
        read_record(path)


def test_files_that_are_not_there_and_calls_without_words_are_refused(tmp_path):
    with pytest.raises(RecordError, match="No such file"):
        read_record(tmp_path / "nothing.json")
    with pytest.raises(RecordError, match="says nothing"):
        read_record({"transcript": []})


def test_a_file_is_read_as_what_it_holds(tmp_path, recorded):
    path = tmp_path / "call.json"
    path.write_text(json.dumps(recorded))
    assert [turn.said for turn in read_record(path)] == [
        turn.said for turn in read_record(recorded)
    ]
