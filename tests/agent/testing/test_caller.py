from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from vivavoce.agent import Agent, Call, Limits, Silence
from vivavoce.agent.answers import digits
from vivavoce.agent.events import KeyPressed
from vivavoce.agent.handoff import HandOff
from vivavoce.agent.testing import (
    ScriptError,
    SimulationError,
    call_tool,
    expect,
    fail,
    say,
    simulate,
    wait,
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


async def test_the_interrupting_line_may_end_the_call(agent):
    async with simulate(agent, replies=[MENU]) as caller:
        await caller.says("What is on the menu?")
        await caller.interrupts("Goodbye", after=1.0)
        cut = caller.heard
    assert MENU.startswith(cut)
    assert caller.heard == cut
    assert caller.call.ended


async def test_a_listeners_word_and_a_cough_leave_the_floor(agent):
    async with simulate(agent, replies=[MENU]) as caller:
        await caller.says("What is on the menu?")
        await caller.backchannels(after=0.8)
        await caller.coughs(after=2.2)
        assert caller.heard == MENU
        await caller.listens()
        assert caller.heard == MENU
    (reply,) = caller.turns[0].replies
    assert reply.closed
    assert not reply.interrupted
    assert len(caller.turns) == 1


async def test_the_greeting_may_be_cut(agent):
    async with simulate(agent, replies=["Yes, tonight."]) as caller:
        await caller.interrupts("Are you open tonight?", at_word=2)
        assert caller.heard == "Chez Marie,"
        await caller.listens()
        assert caller.heard == "Yes, tonight."


async def test_silence_passes(agent):
    async with simulate(agent) as caller:
        await caller.listens()
        before = caller.call.now
        await caller.silent(3.0)
        assert caller.call.now - before == pytest.approx(3.0, abs=0.6)
    assert caller.turns == []


async def test_noise_and_a_lonely_cough_are_no_turns(agent):
    async with simulate(agent, replies=["Yes."]) as caller:
        await caller.listens()
        await caller.noise(-50, seconds=30)
        await caller.silent(2.0)
        await caller.coughs()
        assert caller.turns == []
        await caller.says("Are you open?")
        assert caller.heard == "Yes."


async def test_a_hesitation_does_not_end_the_turn(agent):
    async with simulate(agent, replies=["For when?"]) as caller:
        await caller.says("I would like to ... book a table.")
        assert caller.heard == "For when?"
    assert [turn.said.text for turn in caller.turns] == ["I would like to book a table."]


async def test_keys_reach_the_agent(agent):
    async with simulate(agent) as caller:
        await caller.presses("12#")
    assert [event.key for event in caller.events if isinstance(event, KeyPressed)] == [*"12#"]


@pytest.mark.parametrize("keys", ["", "12x", "1 2"])
async def test_what_is_no_key_is_refused(agent, keys):
    async with simulate(agent) as caller:
        with pytest.raises(ValueError, match="give digits"):
            await caller.presses(keys)


async def test_a_tool_may_ask_the_caller(agent):
    @agent.tool
    async def account(call: Call[Any]) -> str:
        """Find the caller's account."""
        number = await call.ask("What is your account number?", digits(4))
        return f"Account {number}."

    replies = [call_tool("account"), say("I have found it.")]
    async with simulate(agent, replies=replies) as caller:
        await caller.says("What is on my account?")
        assert caller.heard == "What is your account number?"
        await caller.says("One two three four")
        assert caller.heard == "I have found it."
    (call,) = caller.tool_calls
    assert "1234" in (call.result or "")


async def test_a_hand_off(agent):
    waiter = Agent("You are the waiter.", name="waiter", greeting="The waiter speaks.")

    @agent.tool
    async def to_the_waiter() -> HandOff:
        """Hand the call to the waiter."""
        return HandOff(waiter)

    async with simulate(agent, replies=[call_tool("to_the_waiter"), "Sure."]) as caller:
        await caller.says("May I speak to the waiter?")
        assert caller.heard == "The waiter speaks."
        await caller.says("Is there soup?")
        assert caller.heard == "Sure."
        expect(caller).handed_off("waiter")
    messages, _ = caller.requests[-1]
    assert "You are the waiter." in messages[0]["content"]


async def test_a_tool_that_is_not_async_takes_no_virtual_time(agent):
    @agent.tool
    def slow() -> str:
        """Do something slow."""
        time.sleep(0.3)
        return "done"

    async with simulate(agent, replies=[call_tool("slow"), say("Done.")]) as caller:
        await caller.says("Do it, please.")
    assert caller.tool_calls[0].use.seconds == pytest.approx(0, abs=1e-5)


async def test_a_tools_time_out_is_virtual(agent):
    @agent.tool(timeout=12)
    async def stuck() -> str:
        """Never come back."""
        await asyncio.Event().wait()
        return ""

    replies = [call_tool("stuck"), say("It takes too long.")]
    async with simulate(agent, replies=replies) as caller:
        await caller.says("Do it, please.")
        assert caller.heard == "It takes too long."
    assert caller.tool_calls[0].use.seconds == pytest.approx(12, abs=1.1)


async def test_a_model_that_fails_is_apologised_for(agent):
    async with simulate(agent, replies=[fail("busy"), "Now it works."]) as caller:
        await caller.says("Are you open?")
        assert "Sorry" in caller.heard
        await caller.says("Are you open?")
        assert caller.heard == "Now it works."
    assert [failure.stage for failure in caller.transcript.failures] == ["thinking"]


async def test_a_slow_model_costs_latency(agent):
    async with simulate(agent, replies=[[wait(4), say("Yes.")]]) as caller:
        await caller.says("Are you open?")
    latency = caller.turns[0].latency
    assert latency.stages["thinking"] > 3_500_000
    assert latency.total == sum(latency.stages.values())


async def test_malformed_arguments_are_given_back_to_the_model(agent):
    replies = [call_tool("free_tables", raw='{"people": '), say("Sorry, how many?")]
    async with simulate(agent, replies=replies) as caller:
        await caller.says("A table, please.")
    (call,) = caller.tool_calls
    assert call.arguments == {}
    assert not call.use.ok


async def test_a_function_plays_the_model(agent):
    def model(messages, tools):
        last = messages[-1]
        if last["role"] == "tool":
            return say(f"I see: {last['content']}")
        assert tools[0]["function"]["name"] == "free_tables"
        return call_tool("free_tables", people=len(last["content"].split()))

    async with simulate(agent, replies=model) as caller:
        await caller.says("one two three.")
        assert caller.heard == "I see: A table for 3 is free."


async def test_an_error_in_the_function_fails_the_test(agent):
    def model(messages, tools):
        raise KeyError("oops")

    with pytest.raises(KeyError, match="oops"):
        async with simulate(agent, replies=model) as caller:
            await caller.says("Are you open?")


async def test_an_agent_that_answers_by_a_function():
    agent = Agent()

    @agent.reply
    def echo(call, heard):
        return f"You said: {heard}"

    async with simulate(agent) as caller:
        assert caller.heard == ""
        await caller.says("Hello there.")
        assert caller.heard == "You said: Hello there."


async def test_a_script_that_is_too_short_says_so(agent):
    async with simulate(agent, replies=["Yes."]) as caller:
        await caller.says("Are you open?")
        with pytest.raises(SimulationError, match=r"more than replies= has steps \(1\).*tonight"):
            await caller.says("And tonight?")


async def test_there_must_be_something_to_cut(agent):
    async with simulate(agent, replies=["Yes."]) as caller:
        await caller.listens()
        with pytest.raises(SimulationError, match="nothing to cut in on"):
            await caller.interrupts("Hello")
        await caller.says("Are you open?")
        with pytest.raises(SimulationError, match="no word 9"):
            await caller.interrupts("Hello", at_word=9)


async def test_an_answer_that_does_not_come_is_told(agent):
    async with simulate(agent, replies=[[wait(50), say("Yes.")]]) as caller:
        with pytest.raises(SimulationError, match="did not answer within 10 s"):
            await caller.says("Are you open?", within=10)


async def test_the_caller_hangs_up(agent):
    async with simulate(agent, replies=[MENU]) as caller:
        await caller.says("What is on the menu?")
        await caller.hangs_up(after=1.0)
        assert caller.call.ended
        assert 0 < len(caller.heard) < len(MENU)
        # Safe, and without effect.
        await caller.says("Hello?")
        await caller.silent(1)
    assert len(caller.turns) == 1


async def test_what_is_being_said_at_the_end_is_heard_out(agent):
    async with simulate(agent, replies=[MENU]) as caller:
        await caller.says("What is on the menu?")
    assert caller.turns[0].replies[0].closed
    assert caller.turns[0].replies[0].heard == MENU


async def test_the_agent_hangs_up(agent):
    @agent.tool
    async def leave(call: Call[Any]) -> str:
        """End the call."""
        await call.hang_up("all is said")
        return "ended"

    async with simulate(agent, replies=[call_tool("leave"), say("Goodbye.")]) as caller:
        await caller.says("That is all.")
        await caller.listens()
        expect(caller).ended("all is said").said("goodbye")


async def test_a_call_goes_on_from_a_history(agent):
    async with simulate(agent, replies=["We do."]) as first:
        await first.says("Do you have soup?")
    async with simulate(agent, replies=["Onions."], history=list(first.transcript)) as caller:
        await caller.says("What is in it?")
    messages, _ = caller.requests[0]
    texts = [message["content"] for message in messages]
    assert texts[-3:] == ["Do you have soup?", "We do.", "What is in it?"]


async def test_the_call_can_be_used_from_outside(agent):
    async with simulate(agent) as caller:
        await caller.listens()
        reply = await caller.call.say("One more thing.")
        assert reply.heard == "One more thing."


async def test_calls_at_the_same_time_do_not_mix(agent):
    async def one(number: int) -> str:
        async with simulate(agent, replies=[f"You are number {number}."]) as caller:
            await caller.silent(number * 0.37)
            await caller.says("Who am I?")
            return caller.heard

    heard = await asyncio.gather(*[one(number) for number in range(8)])
    assert heard == [f"You are number {number}." for number in range(8)]


async def test_an_error_in_the_test_ends_the_call(agent):
    before = asyncio.all_tasks()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with simulate(agent, replies=[MENU]) as caller:
            await caller.says("What is on the menu?")
            1 / 0  # noqa: B018
    await asyncio.sleep(0)
    assert caller.call.ended
    assert not {task for task in asyncio.all_tasks() - before if not task.done()}


async def test_cancelling_the_test_ends_the_call(agent):
    before = asyncio.all_tasks()
    opened = asyncio.Event()

    async def hold() -> None:
        async with simulate(agent, replies=[[wait(1e6), say("Yes.")]]) as caller:
            opened.set()
            await caller.says("Are you open?", within=1e7)

    holding = asyncio.create_task(hold())
    await opened.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    await asyncio.sleep(0)
    assert not {task for task in asyncio.all_tasks() - before - {holding} if not task.done()}


@pytest.mark.parametrize(
    "given", [{"after": 1, "at_word": 1}, {"after": -1}, {"at_word": 0}, {"after": float("nan")}]
)
async def test_moments_are_checked(agent, given):
    async with simulate(agent) as caller:
        with pytest.raises(ValueError):
            await caller.interrupts("Hello", **given)


@pytest.mark.parametrize("replies", [[3], [[]], [None], ["ok", {"a": 1}]])
async def test_what_is_no_step_is_refused(agent, replies):
    with pytest.raises(ScriptError, match="is no step"):
        async with simulate(agent, replies=replies):
            pass


async def test_models_must_be_models(agent):
    with pytest.raises(SimulationError, match="open Models"):
        async with simulate(agent, models="mistral"):
            pass


async def test_a_silent_caller_is_asked_and_let_go():
    agent = Agent("Be brief.", silence=Silence(ask_after=6))
    async with simulate(agent, replies=["Fine."]) as caller:
        await caller.silent(8)
        asked = caller.heard
        assert asked
        await caller.says("I am still here.")
        assert caller.heard == "Fine."
        await caller.silent(60)
        expect(caller).ended("nobody")
    assert caller.call.now < 60


async def test_a_tool_in_the_background_answers_later(agent):
    @agent.tool(background=True)
    async def order() -> str:
        """Order something."""
        await asyncio.sleep(5)
        return "ordered"

    replies = [call_tool("order"), say("I am on it."), say("It is ordered.")]
    async with simulate(agent, replies=replies) as caller:
        await caller.says("Order it, please.")
        assert caller.heard == "I am on it."
        await caller.silent(10)
        assert caller.heard == "It is ordered."


async def test_a_call_has_its_longest_duration():
    agent = Agent("Be brief.", limits=Limits(call=20))
    async with simulate(agent) as caller:
        await caller.silent(60)
        expect(caller).ended("longest")
    assert caller.call.now == pytest.approx(20, abs=0.6)


async def test_words_are_exact_in_other_languages():
    agent = Agent("Sois bref.", languages="fr", greeting="Bonsoir !")
    async with simulate(agent, replies=["D'accord, c'est noté pour deux."]) as caller:
        await caller.says("Une table pour deux ce soir.")
        await caller.interrupts("Non, pour trois.", at_word=3)
        assert caller.heard == "D'accord, c'est noté"
