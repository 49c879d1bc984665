import datetime as dt
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from vivavoce.tools.conversion import TooComplicatedError, convert, describe


class Small(BaseModel):
    kind: Literal["small"]
    size: int


class Large(BaseModel):
    kind: Literal["large"]
    size: str


class Left(BaseModel):
    left: list["Left | Right"] = []


class Right(BaseModel):
    right: list["Left | Right"] = []


def schema(kind: Any) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema()


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        (int, 4, 4),
        (int, "4", 4),
        (int, " -4 ", -4),
        (int, "4.0", 4),
        (int, 4.0, 4),
        (int, 10**30, 10**30),
        (float, 4, 4),
        (float, "4", 4),
        (float, "4.5e1", 45.0),
        (bool, "true", True),
        (bool, "No", False),
        (bool, 1, True),
        (str, "4", "4"),
        (list[int], ["1", 2], [1, 2]),
        (tuple[int, str], ["1", "2"], [1, "2"]),
        (dict[str, int], {"a": "1"}, {"a": 1}),
        (Small, {"kind": "small", "size": "3"}, {"kind": "small", "size": 3}),
        (int | None, None, None),
        (int | None, "4", 4),
        (int | str, "4", "4"),
        (str | int, 4, 4),
        (int | bool, True, True),
        (bool | int, 1, 1),
        (dt.datetime | int, "20250102", 20250102),
        (Small | Large, {"kind": "large", "size": "3"}, {"kind": "large", "size": "3"}),
        (Large | Small, {"kind": "small", "size": "3"}, {"kind": "small", "size": 3}),
        (
            Annotated[Small | Large, Field(discriminator="kind")],
            {"kind": "small", "size": "3"},
            {"kind": "small", "size": 3},
        ),
        (Literal[1, 2], "2", 2),
        (dt.date, "2026-05-31", "2026-05-31"),
        (dt.datetime, "2026-05-31T10:00", "2026-05-31T10:00"),
        (Any, {"a": ["1"]}, {"a": ["1"]}),
    ],
)
def test_what_has_one_reading_is_converted(kind, sent, expected):
    result = convert(sent, schema(kind))
    assert result.mismatches == []
    assert (result.value, repr(result.value)) == (expected, repr(expected))
    assert result.changed == (repr(sent) != repr(expected))


@pytest.mark.parametrize(
    ("kind", "sent", "path"),
    [
        (int, True, ()),
        (int, "four", ()),
        (int, 4.5, ()),
        (int, "4.5", ()),
        (int, "1_000", ()),
        (int, 1e300, ()),
        (int, "9" * 5000, ()),
        (int, "٤", ()),
        (int, [4], ()),
        (int, None, ()),
        (float, False, ()),
        (float, "nan", ()),
        (float, "1e999", ()),
        (float, "inf", ()),
        (bool, 2, ()),
        (bool, 1.0, ()),
        (bool, "maybe", ()),
        (str, 4, ()),
        (str, None, ()),
        (list[int], "1, 2", ()),
        (list[int], {"0": 1}, ()),
        (list[int], [1, "x"], (1,)),
        (dict[str, list[int]], {"a": [1, True]}, ("a", 1)),
        (Small, "small", ()),
        (Small | None, {"kind": "small", "size": []}, ("size",)),
        (dt.date, 0, ()),
        (dt.date, "20250102", ()),
        (dt.datetime, 1_700_000_000, ()),
        (dt.datetime, "1700000000", ()),
        (dt.datetime, "2026-05-31", ()),
        (dt.time, "19", ()),
        (dt.timedelta, 90, ()),
        (dt.timedelta, "90", ()),
        (int | dt.date, True, ()),
    ],
)
def test_what_has_no_reading_is_a_mismatch(kind, sent, path):
    result = convert(sent, schema(kind))
    assert [mismatch.path for mismatch in result.mismatches] == [path]
    assert result.mismatches[0].expected


def test_the_value_sent_is_not_changed():
    sent = {"a": ["1", {"b": 2}]}
    convert(sent, schema(dict[str, list[int]]))
    assert sent == {"a": ["1", {"b": 2}]}


def test_a_union_that_multiplies_is_given_up():
    value: Any = {}
    for _ in range(40):
        value = {"neither": 1, "left": [value], "right": [value]}
    with pytest.raises(TooComplicatedError):
        convert(value, schema(Left))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Annotated[int, Field(ge=1, le=8)], "an integer from 1 to 8"),
        (Annotated[int, Field(ge=1)], "an integer of at least 1"),
        (Annotated[float, Field(le=8.5)], "a number of at most 8.5"),
        (dt.date | None, "a date like 2026-05-31 or null"),
        (Literal["a", "b"], 'one of "a", "b"'),
        (Literal["a"], '"a"'),
        (list[Small], "a list, each an object with kind, size"),
        (dict[str, int], "an object"),
        (Any, "any value"),
        (bool, "true or false"),
    ],
)
def test_a_schema_in_words(kind, words):
    assert describe(schema(kind), schema(kind)) == words


def test_words_are_bounded():
    many = Literal[tuple("x" * 500 + str(number) for number in range(1000))]
    assert len(describe(schema(many), schema(many))) < 700
    deep: Any = int
    for _ in range(30):
        deep = list[deep]
    assert len(describe(schema(deep), schema(deep))) < 100


def test_references_that_go_round_end():
    root = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert convert({"x": 1}, root).mismatches == []
