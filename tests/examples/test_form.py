"""The form: exact answers, by voice and by keys, through mistakes and corrections."""

from datetime import date

from vivavoce.agent.testing import call_tool, expect, simulate

START = [call_tool("take_claim"), "Thank you. Get well soon, house."]


async def answer(caller, *answers):
    for each in answers:
        await caller.says(each)


async def test_the_form_is_filled_through_corrections(example):
    async with simulate(example("form").agent, START) as caller:
        await answer(caller, "Yes, I have a leak")
        assert caller.heard == "What is your policy number? It has six digits."
        await answer(caller, "I don't have it here", "It is four four one", "two oh nine")
        assert caller.heard == "Please spell your family name."
        await answer(caller, "M, I, L, L, E, R", "On the third of March", "It was water")
        assert caller.heard == (
            "Policy 4 4 1 2 0 9, Miller, water damage on March 3. Is that right?"
        )
        await answer(caller, "No, that is wrong", "The name")
        assert caller.heard == "Please spell your family name."
        await answer(caller, "M as in Mike, U, double L, E, R")
        assert "Muller, water damage" in caller.heard
        await answer(caller, "Yes, that's right")
        assert caller.heard == "Thank you. Get well soon, house."
    (claim,) = caller.call.deps.claims
    assert (claim["policy"], claim["name"], claim["damage"]) == ("441209", "muller", "water")
    assert (claim["day"].month, claim["day"].day) == (3, 3)
    assert isinstance(claim["day"], date)
    expect(caller).no_failures()


async def test_keys_will_do(example):
    async with simulate(example("form").agent, START) as caller:
        await caller.says("A damage, please")
        await caller.presses("441209")
        await caller.says("B, E, N, N")
        await caller.presses("03032027")
        await caller.presses("2")
        assert "Benn, fire damage on March 3" in caller.heard
        await caller.presses("1")
    assert [claim["policy"] for claim in caller.call.deps.claims] == ["441209"]


async def test_what_was_answered_is_not_asked_again(example):
    replies = [call_tool("take_claim"), "Shall we try again?", *START]
    async with simulate(example("form").agent, replies) as caller:
        await caller.says("A damage, please")
        await caller.says("Four four one two oh nine")
        await answer(caller, "Pardon?", "Hello?", "Pardon?")
        assert caller.heard == "Shall we try again?"
        assert caller.call.deps.claims == []
        assert "not complete" in (caller.tool_calls[0].result or "")
        await caller.says("Yes")
        assert caller.heard == "Please spell your family name."


async def test_a_caller_who_hangs_up_sends_nothing(example):
    async with simulate(example("form").agent, START) as caller:
        await caller.says("A damage, please")
        await caller.says("Four four one two oh nine")
        await caller.hangs_up()
    assert caller.call.deps.claims == []
