from __future__ import annotations

import asyncio

import pytest

from vivavoce.agent import Agent, AgentError, Call, Refuse


async def judged(agent, text="secret"):
    return await agent.judge_heard(Call(agent), text)


async def test_what_passes_passes():
    agent = Agent()
    agent.check_heard(lambda _call, _text: None)
    agent.check_heard(lambda _call, _text: True)
    result = await judged(agent)
    assert (result.text, result.refused) == ("secret", False)


async def test_each_sees_what_the_one_before_made_of_it():
    agent = Agent()

    @agent.check_heard
    def mask(call, text):
        return text.replace("secret", "***")

    @agent.check_heard
    async def shout(call, text):
        await asyncio.sleep(0)
        return text.upper() + "!"

    assert (await judged(agent)).text == "***!"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [(Refuse("Not that."), "Not that."), (Refuse(), "Safe."), (False, "Safe.")],
)
async def test_a_refusal_has_words(verdict, words):
    agent = Agent()
    agent.check_heard(otherwise="Safe.")(lambda _call, _text: verdict)
    result = await judged(agent)
    assert result.refused
    assert result.words == words
    assert not result.why


async def fails(call, text):
    raise RuntimeError("broken")


async def hangs(call, text):
    await asyncio.sleep(60)


async def answers_oddly(call, text):
    return 5


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (fails, "check fails failed: RuntimeError: broken"),
        (hangs, "check hangs took longer than 0.05 s"),
        (answers_oddly, "returned int: return None"),
    ],
)
async def test_a_check_that_cannot_judge_refuses(function, why):
    agent = Agent()
    agent.check_heard(function, timeout=0.05, otherwise="Safe.")
    result = await judged(agent)
    assert result.refused
    assert result.words == "Safe."
    assert why in result.why


async def test_being_cancelled_is_no_verdict():
    agent = Agent()
    agent.check_heard(hangs, timeout=30)
    task = asyncio.create_task(judged(agent))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"function": lambda: None}, "decorate a function of the call and a text"),
        ({"function": 5}, "decorate a function of the call and a text"),
        ({"timeout": 0}, "give seconds"),
        ({"otherwise": " "}, "give a sentence"),
    ],
)
def test_wrong_use_is_told_at_once(given, says):
    agent = Agent()
    with pytest.raises(AgentError, match=says):
        agent.check_reply(**given)
