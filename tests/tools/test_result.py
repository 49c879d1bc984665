import datetime as dt
import enum
import json
import pathlib
import types
import uuid
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from vivavoce.tools import BadResultError, write_result


class Table(BaseModel):
    number: int
    seats: int = Field(2, serialization_alias="places")


@dataclass
class Booking:
    day: dt.date
    table: Table
    notes: list[str] = field(default_factory=list)


@pydantic.dataclasses.dataclass
class Guest:
    born: dt.date


class Point(NamedTuple):
    x: int
    y: int


class Color(enum.Enum):
    RED = "red"


class Name(enum.StrEnum):
    ADA = "ada"


DAY = dt.date(2026, 5, 31)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is, “quoted” é", "as it is, “quoted” é"),
        ("", ""),
        (None, "done"),
        (True, "true"),
        (3, "3"),
        (2.5, "2.5"),
        (float("nan"), "null"),
        ([1, None, float("inf")], "[1, null, null]"),
        ({"é": "ü"}, '{"é": "ü"}'),
        ({}, "{}"),
        ([], "[]"),
        (DAY, '"2026-05-31"'),
        (dt.datetime(2026, 5, 31, 19, 30, tzinfo=dt.UTC), '"2026-05-31T19:30:00Z"'),
        (dt.time(19, 30), '"19:30:00"'),
        (dt.timedelta(minutes=90), '"PT1H30M"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("0.10"), '"0.10"'),
        (pathlib.PurePosixPath("a/b"), '"a/b"'),
        (Color.RED, '"red"'),
        (Name.ADA, '"ada"'),
        ({3, 1, 2}, "[1, 2, 3]"),
        (frozenset({"b", "a"}), '["a", "b"]'),
        ((1, "a"), '[1, "a"]'),
        (Point(1, 2), '{"x": 1, "y": 2}'),
        (deque([1]), "[1]"),
        (range(3), "[0, 1, 2]"),
        ({"a": 1}.keys(), '["a"]'),
        (types.MappingProxyType({"a": 1}), '{"a": 1}'),
        ({DAY: 1, 2: 3, None: 4, Color.RED: 5, True: 6}, None),
        (Table(number=1), '{"number": 1, "places": 2}'),
        (
            Booking(DAY, Table(number=1)),
            '{"day": "2026-05-31", "table": {"number": 1, "places": 2}, "notes": []}',
        ),
        ([Guest(DAY)], '[{"born": "2026-05-31"}]'),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (np.array([[1, 2]]), "[[1, 2]]"),
    ],
)
def test_what_a_tool_may_return(value, text):
    if text is None:
        text = '{"2026-05-31": 1, "2": 3, "null": 4, "red": 5, "true": 6}'
    assert write_result(value) == text


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (b"\x00", "decode them"),
        ({"a": [bytearray(b"x")]}, "decode them"),
        ([memoryview(b"x")], "decode them"),
        ((number for number in range(3)), "it has a generator"),
        (iter([1]), "it has a list_iterator"),
        (object(), "it has a object"),
        (Table, "return an instance"),
        ({(1, 2): 3}, "as a key: use strings"),
        pytest.param(10**5000, "too long", id="long"),
        (len, "it has a builtin_function_or_method"),
    ],
)
def test_what_a_tool_may_not_return(value, fix):
    with pytest.raises(BadResultError, match=fix):
        write_result(value)


def test_a_circle():
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(BadResultError, match="contains itself"):
        write_result(circle)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 20_000,
        "é" * 20_000,
        ["é" * 9] * 5_000,
        {"k" * 20_000: 1},
        "😀" * 10_000,
        [["x" * 10**6]],
    ],
)
def test_long_results_are_cut_and_say_so(value):
    text = write_result(value)
    assert text.endswith(" … [cut: longer than 16384 bytes]")
    assert 16_384 - 4 <= len(text.encode()) <= 16_384
    assert "\ufffd" not in text


def test_exactly_the_limit_is_not_cut():
    assert write_result("x" * 100, limit=100) == "x" * 100
    assert write_result("x" * 101, limit=100).endswith("[cut: longer than 100 bytes]")
    assert write_result(["x" * 96], limit=100) == '["' + "x" * 96 + '"]'


def test_what_lies_beyond_the_limit_is_not_looked_at():
    class Endless(list[int]):
        def __iter__(self):
            while True:
                yield 1

    assert len(write_result(Endless(), limit=1_000)) <= 1_000


def test_half_a_surrogate_pair_is_replaced():
    assert write_result("a\ud800b") == "a?b"
    assert json.loads(write_result(["a\ud800b"])) == ["a?b"]


def test_a_limit_too_small_for_the_mark():
    with pytest.raises(ValueError, match="give at least"):
        write_result("x", limit=10)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
        max_leaves=20,
    ).filter(lambda value: value is not None and not isinstance(value, str))
)
def test_json_reads_back(value):
    assert json.loads(write_result(value, limit=10**6)) == value
