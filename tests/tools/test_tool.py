import copy
import dataclasses
import inspect
import json
from pathlib import Path

import pytest
from mistralai.client import models
from mypy import api as mypy

from vivavoce.tools import DefinitionError, Tool, Toolbox, tool


@tool
def opening_hours(day: str = "today") -> str:
    """Tell when it is open.

    Args:
        day: Which day.
    """
    return f"{day}: ten to six"


def numbered(number: int) -> Tool[..., str]:
    return tool(lambda: "x", name=f"tool{number}", description="It is one of many.")


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
        ({"interruptible": None}, "True or False"),
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


def test_limits_are_inclusive():
    assert tool(filler="x" * 200)(opening_hours.function).filler == "x" * 200


def test_a_tool_of_a_tool():
    with pytest.raises(DefinitionError, match="not a function"):
        tool(opening_hours)


def test_a_toolbox_keeps_the_order():
    box = Toolbox([numbered(2), numbered(1)])
    box.add(opening_hours)
    assert box.names == ("tool2", "tool1", "opening_hours")
    assert [each.name for each in box] == list(box.names)
    assert box["opening_hours"] is box.get("opening_hours") is opening_hours
    assert box.get("nothing") is None
    assert "tool1" in box
    assert "nothing" not in box
    assert len(box) == 3
    assert [each["function"]["name"] for each in box.definitions] == list(box.names)
    assert "tool2, tool1" in repr(box)


def test_names_are_unique():
    box = Toolbox([opening_hours])
    with pytest.raises(DefinitionError, match=r"the name is taken by .*test_tool\.py:\d+"):
        box.add(tool(lambda: "x", name="opening_hours", description="Another."))
    assert len(box) == 1


def test_a_model_takes_128():
    box = Toolbox(numbered(number) for number in range(128))
    with pytest.raises(DefinitionError, match="takes 128"):
        box.add(numbered(128))
    assert len(box) == 128


def test_only_tools_go_in():
    with pytest.raises(DefinitionError, match="decorate the function with @tool"):
        Toolbox([opening_hours.function])


SNIPPET = """
from typing import assert_type
from collections.abc import Coroutine
from typing import Any
from vivavoce.tools import Tool, Toolbox, tool

@tool
def plain(day: str, people: int = 2) -> list[str]:
    "Find."
    return [day] * people

@tool(filler="Let me look.", timeout=8)
async def slow(day: str) -> int:
    "Find."
    return len(day)

assert_type(plain("x", people=3), list[str])
coming = slow("x")
same = assert_type(coming, Coroutine[Any, Any, int])
assert_type(tool(lambda: 3, name="three", description="Three."), Tool[[], int])
assert_type(Toolbox([plain, slow])["plain"], Tool[..., Any])
"""
WRONG = [
    ("plain(3)", "arg-type"),
    ("plain()", "call-arg"),
    ("other = slow(day='x', people=1)", "call-arg"),
    ("plain.timeout = 3", "misc"),
    ("tool(plain, timeout='8')", "call-overload"),
]


def test_the_decorated_function_keeps_its_type(tmp_path):
    root = Path(__file__).parents[2]
    lines = SNIPPET.splitlines() + [wrong for wrong, _ in WRONG]
    snippet = tmp_path / "snippet.py"
    snippet.write_text("\n".join(lines))
    config = tmp_path / "mypy.ini"
    links = tmp_path / "links" / "vivavoce"
    links.mkdir(parents=True)
    (links / "tools").symlink_to(root / "tools")
    config.write_text(
        f"[mypy]\nstrict = true\nmypy_path = {links.parent}\n"
        "namespace_packages = true\nexplicit_package_bases = true\n"
    )
    said, failed, _ = mypy.run(
        ["--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), str(snippet)]
    )
    first = len(SNIPPET.splitlines()) + 1
    errors = {
        int(line.split(":")[1]): line.rpartition("[")[2].rstrip("]")
        for line in said.splitlines()
        if ": error:" in line
    }
    assert not failed, failed
    assert errors == {first + index: code for index, (_, code) in enumerate(WRONG)}, said
