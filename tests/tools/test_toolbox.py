import pytest

from vivavoce.tools import DefinitionError, Tool, Toolbox, tool


@tool
def opening_hours() -> str:
    """Tell when it is open."""
    return "ten to six"


def numbered(number: int) -> Tool[..., str]:
    return tool(lambda: "x", name=f"tool{number}", description="It is one of many.")


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
    with pytest.raises(DefinitionError, match=r"the name is taken by .*test_toolbox\.py:\d+"):
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
