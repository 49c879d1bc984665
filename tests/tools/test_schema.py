from __future__ import annotations

import datetime as dt
import enum
import functools
import json
import sys
import typing
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import pytest
from mistralai.client import models
from pydantic import BaseModel, ConfigDict, Field, create_model
from typing_extensions import TypedDict

from tests.tools.described import described
from vivavoce.tools import DefinitionError, read_schema

if TYPE_CHECKING:
    from fractions import Fraction

T = TypeVar("T")


class Call(Generic[T]):
    pass


class PhoneCall(Call[int]):
    pass


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Address(BaseModel):
    title: str
    number: Annotated[int, Field(ge=1)] = 1


@dataclass
class Guest:
    name: str
    address: Address | None = None


class Window(TypedDict):
    opens: dt.time
    closes: dt.time


class Tree(BaseModel):
    children: list[Tree] = []


class Opaque:
    pass


@described
def book(
    call: Call[str],
    day: dt.date,
    at: dt.datetime,
    ident: uuid.UUID,
    size: Size,
    seat: Literal["in", "out"],
    guest: Guest,
    window: Window,
    price: Decimal,
    tree: Tree,
    anything: Any,
    people: Annotated[int, Field(ge=1, le=8, description="How many, from Field.")] = 2,
    tags: list[str] = [],  # noqa: B006
    notes: dict[str, int] | None = None,
    either: int | str = "x",
    pair: tuple[int, str] = (1, "a"),
    flag: bool = False,
    size2: Size = Size.LARGE,
    title: str = "t",
) -> str:
    """Book a table.

    Args:
        call: The call.
        day: The evening.
        people: Overruled.
        title: A property that is called title.
    """
    return f"{call}{day}"


def bare(schema: Any) -> Any:
    """Without titles, but not without a property of that name."""
    if isinstance(schema, list):
        return [bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: bare(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def test_the_schema_is_pydantics_own():
    schema = read_schema(book, context_type=Call)
    hints = {
        name: (kind, default)
        for name, kind, default in [
            ("day", Annotated[dt.date, Field(description="The evening.")], ...),
            ("at", dt.datetime, ...),
            ("ident", uuid.UUID, ...),
            ("size", Size, ...),
            ("seat", Literal["in", "out"], ...),
            ("guest", Guest, ...),
            ("window", Window, ...),
            ("price", Decimal, ...),
            ("tree", Tree, ...),
            ("anything", Any, ...),
            (
                "people",
                Annotated[int, Field(ge=1, le=8, description="How many, from Field.")],
                2,
            ),
            ("tags", list[str], []),
            ("notes", dict[str, int] | None, None),
            ("either", int | str, "x"),
            ("pair", tuple[int, str], (1, "a")),
            ("flag", bool, False),
            ("size2", Size, Size.LARGE),
            (
                "title",
                Annotated[str, Field(description="A property that is called title.")],
                "t",
            ),
        ]
    }
    model = create_model("m", __config__=ConfigDict(extra="forbid"), **hints)
    expected = bare(model.model_json_schema())
    for name, part in expected["properties"].items():
        part.setdefault("description", f"The {name}.")
    assert schema.parameters == expected
    assert schema.context == "call"
    assert schema.name == "book"
    assert schema.description == "Book a table."
    assert list(schema.parameters["properties"])[:3] == ["day", "at", "ident"]
    assert "title" in schema.parameters["$defs"]["Address"]["properties"]
    assert schema.parameters["additionalProperties"] is False
    assert set(schema.parameters["$defs"]) == {"Address", "Guest", "Size", "Tree", "Window"}


def test_every_reference_names_a_definition():
    text = json.dumps(read_schema(book, context_type=Call).parameters)
    definitions = json.loads(text)["$defs"]
    references = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}
    assert references
    assert references <= set(definitions)


def test_mistrals_sdk_takes_the_schema():
    schema = read_schema(book, context_type=Call)
    function = models.Function(
        name=schema.name, description=schema.description, parameters=schema.parameters
    )
    sent = json.loads(models.Tool(function=function).model_dump_json())
    assert sent["function"]["parameters"] == schema.parameters
    assert sent["type"] == "function"


def test_a_function_without_parameters_is_an_object_without_properties():
    def hang_up() -> None:
        """End the call."""

    assert read_schema(hang_up).parameters == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


def test_names_that_pydantic_keeps_for_itself():
    def odd(model_config: int, copy: int, json: int, _private: int, schema: int = 3) -> None:
        """Take odd names."""

    assert list(read_schema(described(odd)).parameters["properties"]) == [
        "model_config",
        "copy",
        "json",
        "_private",
        "schema",
    ]


def test_types_local_to_a_function_are_found():
    class Local(BaseModel):
        x: int

    def use(value: Local) -> None:
        """Use it."""

    assert "Local" in read_schema(described(use)).parameters["$defs"]


@pytest.mark.parametrize("annotation", [Call, Call[str], PhoneCall, Annotated[Call[int], "x"]])
def test_the_call_is_known_by_its_class(annotation):
    def act(call, x: int) -> None:
        """Act."""

    act.__annotations__["call"] = annotation
    schema = read_schema(described(act), context_type=Call)
    assert schema.context == "call"
    assert list(schema.parameters["properties"]) == ["x"]


def test_the_call_is_known_by_a_predicate():
    def act(call: Opaque, x: int) -> None:
        """Act."""

    assert read_schema(described(act), context_type=lambda kind: kind is Opaque).context == "call"


def test_a_bound_method():
    class Book:
        def find(self, day: dt.date) -> None:
            """Find."""

    schema = read_schema(described(Book().find))
    assert (schema.name, list(schema.parameters["properties"])) == ("find", ["day"])


def test_a_name_and_description_of_ones_own():
    schema = read_schema(lambda: None, name="hang-up", description=" Ends the call. ")
    assert (schema.name, schema.description) == ("hang-up", "Ends the call.")


def test_a_default_that_json_cannot_hold_is_left_out():
    def find(after: Any = Opaque()) -> None:  # noqa: B008
        """Find."""

    assert read_schema(described(find)).parameters["properties"] == {
        "after": {"description": "The after."}
    }


# Wrong use


def untyped(day) -> None:
    """Find."""


def undocumented(day: str) -> None: ...


def only_arguments(day: str) -> None:
    """
    Args:
        day: The day.
    """


def starred(*days: str) -> None:
    """Find."""


def double_starred(**days: str) -> None:
    """Find."""


def positional(day: str, /) -> None:
    """Find."""


def misdocumented(day: str) -> None:
    """Find.

    Args:
        dya: The day.
    """


def opaque(thing: Opaque) -> None:
    """Find."""


def nested_opaque(things: list[Opaque] | None = None) -> None:
    """Find."""


def half_a_union(thing: int | Callable[[], int]) -> None:
    """Find."""


def a_class(thing: type[int]) -> None:
    """Find."""


def unknown_type(thing: Fraction) -> None:
    """Find."""


def bad_default(people: int = "two") -> None:
    """Find."""


def none_default(people: int = None) -> None:  # noqa: RUF013
    """Find."""


def field_default(people: int = Field(2, ge=1)) -> None:
    """Find."""


def default_in_field(people: Annotated[int, Field(default=2)]) -> None:
    """Find."""


def aliased(people: Annotated[int, Field(alias="guests")]) -> None:
    """Find."""


def generator(day: str):
    """Find."""
    yield day


def undescribed(day: str, people: int) -> None:
    """Find.

    Args:
        day: The day.
    """


def late_call(day: str, call: Call[int]) -> None:
    """Find."""


def garbled(day: str) -> None:
    """Find.

    Args:
        the day asked for
    """


@described
def infinite(wait: float = float("inf")) -> None:
    """Find."""


def tische_prüfen(day: str) -> None:  # noqa: PLC2401
    """Find."""


class Book:
    def find(self, day: str) -> None:
        """Find."""


@pytest.mark.parametrize(
    ("function", "fix"),
    [
        (untyped, "parameter 'day' has no type: write it, as in `day: str`"),
        (undocumented, "start its docstring with a sentence"),
        (only_arguments, "start its docstring with a sentence"),
        (undescribed, "parameter 'people' is not described, and a model must know what to pass"),
        (starred, "'*days' has no schema: write each parameter out"),
        (double_starred, "'**days' has no schema: write each parameter out"),
        (positional, "remove the `/`"),
        (misdocumented, "the docstring describes 'dya', which is no parameter"),
        (opaque, "parameter 'thing' has the type Opaque, which has no JSON schema"),
        (nested_opaque, "parameter 'things' has the type"),
        (half_a_union, "parameter 'thing' has the type"),
        (a_class, "parameter 'thing' has the type"),
        (unknown_type, "'Fraction' is not known where the tool is defined: import it at run"),
        (bad_default, "has the default 'two', which is not of its type int"),
        (none_default, "add `| None` to the type"),
        (field_default, "write `people: Annotated[..., Field(...)]`"),
        (default_in_field, "write it as `people: ... = default`"),
        (aliased, "rename the parameter"),
        (generator, "make it an `async def`"),
        (late_call, "move it to the front"),
        (garbled, "the docstring's parameters cannot be read"),
        (infinite, "have no JSON schema"),
        (tische_prüfen, "give it one with `name=`"),
        (lambda: None, "give it one with `name=`"),
        (Book.find, "make a tool of the bound method, as in `tool(thing.find)`"),
    ],
)
def test_wrong_use_names_the_function_its_line_and_the_fix(function, fix):
    with pytest.raises(DefinitionError) as caught:
        read_schema(function, context_type=Call)
    message = str(caught.value)
    assert fix in message
    line = function.__code__.co_firstlineno
    assert message.startswith(f"tool {function.__name__!r} ({__file__}:{line}): ")
    assert "\n" not in message
    assert len(message) < 600 + len(__file__)


@pytest.mark.parametrize("thing", [3, "find", Opaque(), Opaque, print.__class__])
def test_what_is_no_function(thing):
    with pytest.raises(DefinitionError, match="not a function"):
        read_schema(thing)


def test_a_built_in_function_without_a_signature():
    with pytest.raises(DefinitionError, match="wrap it in a"):
        read_schema(max)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes it from 3.12 on")
def test_pythons_own_typed_dict_before_3_12():
    def use(window: typing.TypedDict("Old", {"x": int})) -> None:
        """Use it."""

    with pytest.raises(DefinitionError, match=r"typing_extensions\.TypedDict"):
        read_schema(described(use))


def test_a_cached_function():
    @functools.cache
    def find(day: str) -> str:
        """Find."""
        return day

    assert list(read_schema(described(find)).parameters["properties"]) == ["day"]


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "é", "a.b", "a\n"])
def test_bad_names(name):
    with pytest.raises(DefinitionError, match="1 to 64"):
        read_schema(book, name=name, context_type=Call)


def test_an_untyped_first_parameter_may_be_meant_as_the_call():
    def find(call) -> None:
        """Find."""

    with pytest.raises(DefinitionError, match="or `call: Call` if it is the call"):
        read_schema(described(find), context_type=Call)
