"""Support: the caller gets to the specialist, and from there to a human."""

import pytest

from vivavoce.agent.testing import call_tool, expect, say, simulate


async def test_the_specialist_goes_on_in_a_voice_of_his_own(example):
    support = example("support")
    replies = [
        call_tool("to_billing", question="Why is invoice 4711 so high?"),
        call_tool("look_up_invoice", number=4711),
        say("It is eighty-nine euros and ninety cents."),
    ]
    async with simulate(support.agent, replies) as caller:
        assert caller.heard == "Lumen, hello! What can I do for you?"
        assert caller.call.agent.voice == "gb_jane_neutral"
        await caller.says("Why is my invoice so high?")
        assert caller.heard == "Oliver from billing here. Which invoice is it about?"
        assert caller.call.agent is support.billing
        assert caller.call.agent.voice == "gb_oliver_cheerful"
        await caller.says("Number four seven one one")
        assert caller.heard == "It is eighty-nine euros and ninety cents."
    expect(caller).handed_off("billing").no_failures()
    messages, tools = caller.requests[1]
    assert "You are Oliver" in messages[0]["content"]
    assert "Why is invoice 4711 so high?" in str(messages)  # the note
    assert "Why is my invoice so high?" in str(messages)  # the history
    assert {tool["function"]["name"] for tool in tools} == {"look_up_invoice", "to_a_human"}


async def test_a_wrong_number_is_asked_for_again(example):
    replies = [call_tool("to_billing", question="?"), call_tool("look_up_invoice", number=1), "Hm?"]
    async with simulate(example("support").agent, replies) as caller:
        await caller.says("My invoice, please")
        await caller.says("Number one")
    assert "ask for the number once more" in (caller.tool_calls[-1].result or "")


async def escalate(support):
    replies = [
        call_tool("to_billing", question="A refund."),
        call_tool("to_a_human", why="Wants a refund of invoice 4711."),
        say("A human will call you back today."),
    ]
    async with simulate(support.agent, replies) as caller:
        await caller.says("I want my money back")
        await caller.says("All of it, for invoice four seven one one. A human, please.")
    return caller


async def test_a_human_takes_the_call_over(example, telephone):
    support = example("support")
    caller = await escalate(support)
    assert telephone == [support.HUMAN]
    expect(caller).said("I am putting you through").ended("transferred")
    assert caller.call.deps.call_backs == []


async def test_where_nobody_can_be_transferred_a_human_calls_back(example):
    caller = await escalate(example("support"))
    assert caller.call.deps.call_backs == ["Wants a refund of invoice 4711."]
    expect(caller).said("A human will call you back today.").no_failures()


async def test_what_announces_the_transfer_cannot_be_cut(example, telephone, talk_over):
    replies = [call_tool("to_billing", question="?"), call_tool("to_a_human", why="?"), "Bye."]
    async with simulate(example("support").agent, replies) as caller:
        await caller.says("I want my money back")
        await caller.listens()
        await talk_over(caller, "A human, please", "Hurry up, will you?")
    expect(caller).said("I am putting you through to a colleague.")
    assert telephone


@pytest.mark.needs_flite
async def test_by_voice(example, voices):
    replies = [
        call_tool("to_billing", question="The invoice."),
        call_tool("look_up_invoice", number=4711),
        say("It is eighty-nine euros."),
    ]
    async with simulate(example("support").agent, replies, audio=True) as caller:
        await caller.says("I have a question about my invoice.")
        await caller.says("It is number four seven one one.")
        await caller.listens()
        assert caller.heard == "It is eighty-nine euros."
    expect(caller).handed_off("billing").no_failures()
    (greeting,) = {voice for voice, text in voices if "Lumen" in text}
    assert greeting == "gb_jane_neutral"
    billing = {voice for voice, text in voices if "Oliver" in text or "eighty-nine" in text}
    assert billing == {"gb_oliver_cheerful"}
