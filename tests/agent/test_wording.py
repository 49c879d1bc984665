"""An agent's own texts, as a call has them."""

from __future__ import annotations

import pytest

from vivavoce.agent import Agent, AgentError, Call
from vivavoce.agent.wording import Wording


@pytest.fixture
def call() -> Call:
    return Call(Agent(languages=["en", "fr"]), caller="+33 1", deps={"table": 4})


async def test_variables_stand_in_a_text(call: Call):
    wording = Wording("desk", {"house": "Chez Marie", "open": lambda: "yes"})
    given = wording.check("greeting", "{house} ({agent}): {caller}, {open}, {deps.table}")
    assert await wording.text("greeting", given, call) == "Chez Marie (desk): +33 1, yes, 4"


async def test_a_function_takes_the_call_and_may_be_async(call: Call):
    async def text(call: Call) -> str:
        return f"For {call.caller}: {{caller}}"

    wording = Wording("desk", None)
    # What a function makes is as it is.
    assert await wording.text("greeting", wording.check("greeting", text), call) == (
        "For +33 1: {caller}"
    )


async def test_a_variable_is_given_the_call_if_it_takes_one(call: Call):
    wording = Wording("desk", {"who": lambda call: call.caller})
    assert await wording.text("greeting", "{who}", call) == "+33 1"


async def test_a_function_that_makes_no_text_is_told(call: Call):
    wording = Wording("desk", None)
    with pytest.raises(AgentError, match=r"Agent\(greeting\): .* not int"):
        await wording.text("greeting", lambda _call: 3, call)


@pytest.mark.parametrize(
    ("given", "message"),
    [(3, "not int"), ("{hose}", "no variable"), (" ", "or leave it out"), (None, "not NoneType")],
)
def test_what_is_no_text_is_refused(given: object, message: str):
    with pytest.raises(AgentError, match=message):
        Wording("desk", None).check("greeting", given)


def test_only_what_may_be_blank_is():
    assert Wording("desk", None).check("instructions", "", blank=True) == ""


async def test_the_model_is_told_the_language_and_what_was_noted(call: Call):
    wording = Wording("desk", None)
    assert await wording.instructions("Be kind.", call, ("en",)) == "Be kind."
    call.remember("name", "Ann")
    told = await wording.instructions("Be kind.", call, ("en", "fr"))
    assert told.startswith("Be kind.\n\nSpeak English, as the caller does.\n\n")
    assert told.endswith("- name: Ann")
