from __future__ import annotations

import asyncio

import pytest

from vivavoce.agent import Agent, AgentError, Call, Limits, Turns
from vivavoce.tools import DefinitionError, tool


async def test_an_agent_needs_nothing():
    agent = Agent()
    assert await agent.instructions_for(Call(agent)) == ""
    assert agent.new_deps() is None
    assert agent.turns == Turns()
    assert agent.limits == Limits()
    assert not agent.tools.definitions
    assert repr(agent) == "<Agent agent>"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"instructions": 5}, "give a text, or a function"),
        ({"name": ""}, "use 1 to 64 letters"),
        ({"name": "chez marie"}, "use 1 to 64 letters"),
        ({"name": 5}, "use 1 to 64 letters"),
        ({"languages": "english"}, 'write it as "en"'),
        ({"languages": None}, 'give a code such as "en", or several'),
        ({"languages": []}, 'give a code such as "en", or several'),
        ({"languages": "ja"}, "Voxtral TTS does not speak 'ja': choose among en (English), fr"),
        ({"languages": ["en", "zh-Hant"]}, "does not speak 'zh-Hant'"),
        ({"voice": 3}, "voice=3: give a text"),
        ({"voice": " "}, "give a text"),
        ({"greeting": ["Hello"]}, "Agent(greeting): give a text"),
        ({"turns": {"min_silence": 1}}, "give Turns(...)"),
        ({"limits": 60}, "give Limits(...)"),
        ({"deps": "book"}, "give a function or class"),
    ],
)
def test_a_wrong_definition_is_told_in_one_line(given, message):
    with pytest.raises(AgentError) as caught:
        Agent(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("language", ["en", "fr", "fr-CA", "pt-BR"])
def test_languages_are_codes(language):
    assert Agent(languages=language).languages == (language,)
    assert Agent(languages=[language, "de", "de"]).languages == (language, "de")


async def test_instructions_may_depend_on_the_call():
    agent = Agent(lambda call: f"You speak with {call.deps}.", deps=lambda: "Ann")
    assert await agent.instructions_for(Call(agent)) == "You speak with Ann."


def test_deps_are_made_anew_for_each_call():
    agent = Agent(deps=list)
    assert agent.new_deps() is not agent.new_deps()


def test_tools_by_decorator_with_and_without_options_and_by_argument():
    def plain(day: str) -> str:
        """Say what is on.

        Args:
            day: Which day.
        """
        return day

    @tool
    def made(people: int) -> int:
        """Count.

        Args:
            people: How many people.
        """
        return people

    agent = Agent(tools=[plain, made])

    @agent.tool
    async def free_tables(call: Call, people: int) -> list[int]:
        """Find the free tables.

        Args:
            people: How many people.
        """
        return [people]

    @agent.tool(name="reserve", filler="One moment.", timeout=3, interruptible=False)
    def book(call: Call, people: int) -> str:
        """Book a table.

        Args:
            people: How many people.
        """
        return str(people)

    names = [each["function"]["name"] for each in agent.tools.definitions]
    assert names == ["plain", "made", "free_tables", "reserve"]
    # The call is not the model's to give.
    assert list(agent.tools.definitions[2]["function"]["parameters"]["properties"]) == ["people"]
    reserve = agent.tools.get("reserve")
    assert (reserve.filler, reserve.timeout, reserve.interruptible) == ("One moment.", 3, False)
    # What was decorated can still be called.
    assert book(Call(agent), 4) == "4"


def test_two_tools_of_one_name_are_refused():
    agent = Agent()

    @agent.tool
    def free() -> str:
        """Find a table."""
        return ""

    with pytest.raises(DefinitionError, match="free"):

        @agent.tool(name="free")
        def other() -> str:
            """Find another."""
            return ""


def test_only_a_function_can_answer():
    with pytest.raises(AgentError, match="decorate a function"):
        Agent().reply("hello")


async def said(agent: Agent, heard: str = "hello") -> list[str]:
    return [piece async for piece in agent.answer(Call(agent), heard)]


async def test_an_agent_that_answers_by_model_has_no_answer_of_its_own():
    assert await said(Agent()) == []


async def test_answers_by_function_in_all_their_forms():
    agent = Agent()

    @agent.reply
    def text(call, heard):
        return f"You said {heard}."

    assert agent.answerer is text
    assert await said(agent) == ["You said hello."]

    @agent.reply
    async def later(call, heard):
        await asyncio.sleep(0)
        return heard.upper()

    assert await said(agent) == ["HELLO"]

    @agent.reply
    async def pieces(call, heard):
        yield "You "
        yield heard

    assert await said(agent) == ["You ", "hello"]


@pytest.mark.parametrize("answer", [None, 5, ["a", "b"]])
async def test_an_answer_that_is_no_text_is_told(answer):
    agent = Agent()
    agent.reply(lambda call, heard: answer)
    with pytest.raises(AgentError, match=f"return the text to say.*{type(answer).__name__}"):
        await said(agent)


async def test_an_answer_that_is_cut_ends_its_function():
    agent = Agent()
    ended = []

    @agent.reply
    async def endless(call, heard):
        try:
            while True:
                yield "and "
        finally:
            ended.append(True)

    answer = agent.answer(Call(agent), "go")
    assert await anext(answer) == "and "
    await answer.aclose()
    assert ended == [True]
