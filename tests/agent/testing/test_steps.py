from __future__ import annotations

import json
from datetime import date
from enum import Enum

import pytest
from pydantic import BaseModel

from vivavoce.agent.testing import ScriptError, call_tool, fail, say, wait
from vivavoce.agent.testing.steps import CallTool, Say, Wait, as_step


class Room(BaseModel):
    number: int


class Colour(Enum):
    RED = "red"


def test_several_steps_are_one_answer():
    joined = say("One moment.") + wait(1) + call_tool("a")
    assert as_step(["One moment.", wait(1), call_tool("a")]) == joined
    assert joined.parts == (Say("One moment."), Wait(1.0), CallTool("a", "{}"))
    assert as_step("text") == say("text")


def test_arguments_are_written_as_models_write_them():
    step = call_tool("a", day=date(2030, 5, 4), colour=Colour.RED, room=Room(number=3), name="é")
    (part,) = step.parts
    assert json.loads(part.arguments) == {
        "day": "2030-05-04",
        "colour": "red",
        "room": {"number": 3},
        "name": "é",
    }
    assert call_tool("a", raw="{").parts == (CallTool("a", "{"),)


@pytest.mark.parametrize(
    "make",
    [
        lambda: say(3),
        lambda: call_tool(""),
        lambda: call_tool("a", raw="{}", b=1),
        lambda: fail("boom"),
        lambda: wait(-1),
        lambda: wait(float("nan")),
        lambda: wait("1"),
        lambda: as_step(3),
        lambda: as_step([]),
        lambda: say("a") + 3,
    ],
)
def test_what_is_wrong_is_told(make):
    with pytest.raises(ScriptError):
        make()
