import copy
import dataclasses
import inspect
import json

import pytest
from mistralai.client import models

from vivavoce.tools import DefinitionError, Tool, tool


@tool
def opening_hours(day: str = "today") -> str:
    """Tell when it is open.

    Args:
        day: Which day.
    """
    return f"{day}: ten to six"


def test_it_is_still_the_function():
    assert opening_hours() == "today: ten to six"
    assert opening_hours("Monday") == opening_hours(day="Monday") == "Monday: ten to six"
    assert opening_hours.__name__ == "opening_hours"
    assert opening_hours.__doc__.startswith("Tell when it is open.")
    assert list(inspect.signature(opening_hours).parameters) == ["day"]
    assert inspect.signature(Tool).parameters["timeout"].default == 15.0


async def test_an_async_function_is_still_async():
    @tool()
    async def find() -> list[str]:
        """Find."""
        return ["a"]

    assert await find() == ["a"]


def test_options():
    @tool(name="look", timeout=8, filler="Let me look.", interruptible=False)
    def find() -> None:
        """Find."""

    assert (find.name, find.timeout, find.filler) == ("look", 8, "Let me look.")
    assert find.interruptible is False
    assert (opening_hours.timeout, opening_hours.filler) == (15.0, None)
    assert opening_hours.interruptible is True


def test_the_definition_is_what_mistral_takes():
    assert opening_hours.definition == {
        "type": "function",
        "function": {
            "name": "opening_hours",
            "description": "Tell when it is open.",
            "parameters": {
                "type": "object",
                "properties": {
                    "day": {"type": "string", "default": "today", "description": "Which day."}
                },
                "additionalProperties": False,
            },
        },
    }
    taken = models.Tool.model_validate(opening_hours.definition)
    assert json.loads(taken.model_dump_json()) == opening_hours.definition


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        opening_hours.timeout = 3
    before = copy.deepcopy(opening_hours.definition)
    opening_hours.definition["function"]["parameters"]["properties"].clear()
    opening_hours.parameters.clear()
    assert opening_hours.definition == before
    assert len({opening_hours, opening_hours}) == 1
    assert dataclasses.replace(opening_hours, timeout=3).timeout == 3


@pytest.mark.parametrize(
    ("options", "fix"),
    [
        ({"timeout": 0}, "finite seconds above 0"),
        ({"timeout": -1}, "finite seconds above 0"),
        ({"timeout": float("nan")}, "finite seconds above 0"),
        ({"timeout": float("inf")}, "finite seconds above 0"),
        ({"timeout": None}, "give seconds"),
        ({"timeout": "8"}, "give seconds"),
        ({"timeout": True}, "give seconds"),
        ({"filler": "x" * 201}, "at most 200"),
        ({"filler": ""}, "or leave it out"),
        ({"filler": "  "}, "or leave it out"),
        ({"filler": 3}, "or leave it out"),
        ({"filler": []}, "or leave it out"),
        ({"filler": ["One.", ""]}, "or leave it out"),
        ({"filler": ["One."] * 21}, "at most 20"),
        ({"interruptible": None}, "True or False"),
        ({"cancellable": 1}, "cancellable is 1: give True or False"),
        ({"background": "yes"}, "background is 'yes': give True or False"),
        ({"idempotent": None}, "True or False"),
        ({"retries": 2}, "add `idempotent=True` if that does no harm"),
        ({"retries": 6, "idempotent": True}, "a whole number, 0 to 5"),
        ({"retries": -1, "idempotent": True}, "a whole number, 0 to 5"),
        ({"retries": True, "idempotent": True}, "a whole number, 0 to 5"),
        ({"retries": 1.0, "idempotent": True}, "a whole number, 0 to 5"),
        ({"max_result": 10}, "a whole number, at least 200"),
        ({"max_result": None}, "a whole number, at least 200"),
        ({"confirm": ""}, 'as in `confirm="Shall I book it?"`'),
        ({"confirm": "x" * 201}, "at most 200 characters"),
        ({"confirm": None}, "give True, or a question"),
        ({"retry": 3}, "there is no option 'retry': the options are name, description, "),
        ({"name": "open hours"}, "1 to 64"),
        ({"description": " "}, "no description"),
    ],
)
def test_options_out_of_range(options, fix):
    def find() -> None:
        """Find."""

    with pytest.raises(DefinitionError) as caught:
        tool(**options)(find)
    assert fix in str(caught.value)
    assert f"{__file__}:{find.__code__.co_firstlineno}" in str(caught.value)


def test_options_that_decide_how_it_is_interrupted():
    def find() -> None:
        """Find."""

    assert tool(find).cancellable is True
    # What is to be heard to its end is not cut off by hanging up.
    assert tool(find, interruptible=False).cancellable is False
    assert tool(find, interruptible=False, cancellable=True).cancellable is True
    assert tool(find, cancellable=False).interruptible is True
    made = tool(find, background=True, confirm="Shall I?", idempotent=True, retries=3)
    assert (made.background, made.confirm, made.retries) == (True, "Shall I?", 3)
    assert (tool(find).background, tool(find).confirm, tool(find).retries) == (False, False, 0)
    assert tool(find, max_result=200).max_result == 200


def test_fillers_take_turns():
    def find() -> None:
        """Find."""

    one, two = tool(find, filler="Let me look."), tool(find, filler=["Let me look.", "One moment."])
    assert [one.next_filler(said) for said in range(2)] == ["Let me look."] * 2
    assert [two.next_filler(said) for said in range(3)] == [
        "Let me look.",
        "One moment.",
        "Let me look.",
    ]
    assert two.filler == "Let me look."
    assert (tool(find).filler, tool(find).next_filler(3)) == (None, None)


def test_limits_are_inclusive():
    assert tool(filler="x" * 200)(opening_hours.function).filler == "x" * 200


def test_a_tool_of_a_tool():
    with pytest.raises(DefinitionError, match="not a function"):
        tool(opening_hours)
