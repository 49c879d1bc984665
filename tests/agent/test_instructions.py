from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.agent import Agent, AgentError, Call
from vivavoce.agent.instructions import InstructionsError, check, fields, fill


def test_values_are_put_in():
    assert fill("Hello {name}, {count} left.", {"name": "Ann", "count": 2}) == "Hello Ann, 2 left."


def test_functions_are_called_and_nothing_is_empty():
    assert fill("{a}{b}", {"a": lambda: "x", "b": None}) == "x"


def test_parts_of_objects_and_of_mappings():
    @dataclass
    class Order:
        table: int = 4

    values = {"state": Order(), "memory": {"name": "Ann"}}
    assert fill("{state.table} {memory.name} {memory.age}", values) == "4 Ann "


def test_braces_that_hold_no_name_are_text():
    assert fill('{"a": 1} {{name}} {}', {}) == '{"a": 1} {name} {}'


@pytest.mark.parametrize("text", ["{state._secret}", "{state.__class__}"])
def test_what_begins_with_an_underscore_cannot_be_reached(text):
    assert fill(text, {"state": object()}) == text


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(InstructionsError, match=r"no variable \{nmae\}.*name, agent.*\{\{nmae\}\}"):
        check("Hello {nmae}", ["name"])
    assert fields("{a} {b.c} {a}") == ["a", "b.c"]


@given(st.text(alphabet="{}a .x\n", max_size=40))
def test_no_text_raises_but_for_unknown_names(text):
    try:
        fill(text, {"a": 1, "x": 2})
    except InstructionsError:
        assert fields(text)


async def test_an_agents_instructions_have_variables():
    @dataclass
    class Order:
        table: int = 4

    agent = Agent(
        "You are {agent} at {place}. Table {state.table}. {caller} speaks {language}.",
        name="host",
        languages="fr",
        state=Order,
        variables={"place": "Chez Marie"},
    )
    call = Call(agent, caller="+33 1")
    call.state.table = 7
    told = await agent.instructions_for(call)
    assert told == "You are host at Chez Marie. Table 7. +33 1 speaks French."


async def test_what_was_remembered_stands_below():
    agent = Agent("Be brief.")
    call = Call(agent)
    call.remember("name", "Ann")
    assert (await agent.instructions_for(call)).endswith("\n- name: Ann")


def test_an_agent_whose_variable_does_not_exist_is_not_defined():
    with pytest.raises(AgentError, match=r"Agent\(instructions\): there is no variable \{plaec\}"):
        Agent("{plaec}", variables={"place": 1})
    with pytest.raises(AgentError, match=r"Agent\(greeting\)"):
        Agent(greeting="Hello {nobody}")


async def test_a_function_may_be_async_and_must_return_a_text():
    async def late(call):
        return f"For {call.id}."

    agent = Agent(late)
    assert await agent.instructions_for(Call(agent, "c7")) == "For c7."
    wrong = Agent(lambda _call: 5)
    with pytest.raises(AgentError, match="must return a text, not int"):
        await wrong.instructions_for(Call(wrong))


async def test_a_variables_function_is_given_the_call_if_it_takes_one():
    agent = Agent(
        "{who} at {place}, {when}",
        variables={
            "who": lambda call: call.caller or "somebody",
            "place": lambda: "table 4",
            "when": lambda call=None: "now" if call is None else "never",
        },
    )
    assert await agent.instructions_for(Call(agent, caller="Ann")) == "Ann at table 4, now"
    assert await agent.instructions_for(Call(agent)) == "somebody at table 4, now"


def test_a_variables_function_that_could_not_be_called_is_refused_at_once():
    async def late():
        return "x"

    with pytest.raises(AgentError, match=r"Agent\(variables\): 'who' is an async function"):
        Agent("{who}", variables={"who": late})
    with pytest.raises(AgentError, match="'who': give a function of nothing, or of the call"):
        Agent("{who}", variables={"who": lambda one, two: "x"})
