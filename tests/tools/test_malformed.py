"""What models get wrong: always an answer that they can repair, never an exception."""

import asyncio
import json
from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from vivavoce.tools import Confirmations, Executions, Request, Secret, Toolbox, run_named, tool

MEGABYTE = 2**20
DEEP = 100_000


class Guest(BaseModel):
    name: str
    children: list["Guest"] = []


ran: list[dict] = []


@tool
def book(
    day: Literal["today", "tomorrow"],
    people: Annotated[int, Field(ge=1, le=8)],
    guest: Guest | None = None,
    notes: dict[str, list[int]] | None = None,
    code: Annotated[str, Secret()] = "",
) -> str:
    """Book a table.

    Args:
        day: Which day.
        people: How many.
        guest: Who.
        notes: Notes.
        code: The code.
    """
    ran.append({"day": day, "people": people})
    return "booked"


@tool(confirm="Shall I cancel it?")
def cancel(number: int) -> str:
    """Cancel a booking.

    Args:
        number: The booking's.
    """
    ran.append({"number": number})
    return "cancelled"


@tool
def now() -> str:
    """Tell the time."""
    return "noon"


BOX = Toolbox([book, cancel, now])


def nested(depth):
    return '{"name": "x", "children": [' * depth + "]}" * depth


CASES = {
    "another type": ('{"day": 3, "people": "four"}', "day: got 3, expected one of"),
    "a missing field": ('{"day": "today"}', "people: missing, expected an integer from 1 to 8"),
    "no field at all": ("{}", "day: missing"),
    "null": ("null", "day: missing"),
    "nothing": ("", "day: missing"),
    "an unknown field": (
        '{"day": "today", "people": 2, "wine": "red"}',
        "wine: unknown, leave it out (book takes day, people",
    ),
    "out of bounds": ('{"day": "today", "people": 9}', "people: got 9"),
    "half a number": ('{"day": "today", "people": 2.5}', "people: got 2.5, expected an integer"),
    "a boolean": ('{"day": "today", "people": true}', "people: got true"),
    "infinity": ('{"day": "today", "people": Infinity}', "Infinity is not JSON"),
    "a huge exponent": ('{"day": "today", "people": 1e999}', "people: not a finite number"),
    "a huge number": (
        f'{{"day": "today", "people": {"9" * 5_000}}}',
        "a number in them is too long",
    ),
    "a field given twice": ('{"day": "today", "day": "tomorrow", "people": 2}', "more than once"),
    "a list": ('["today", 2]', "expected one JSON object"),
    "text": ('"today"', "send one JSON object, as in {"),
    "broken JSON": ('{"day": "today", "people": 2', "not valid JSON"),
    "two objects": ('{"day": "today"}{"people": 2}', "not valid JSON"),
    "Python": ("{'day': 'today', 'people': 2}", "not valid JSON"),
    "a fence": ('```json\n{"day": "today", "people": 2}\n```', "not valid JSON"),
    "prose": ("I would like to book a table.", "not valid JSON"),
    "a control character": ('{"day": "to\x00day", "people": 2}', "not valid JSON"),
    "half a surrogate": ('{"day": "\\ud800", "people": 2}', "half of a surrogate pair"),
    "a megabyte": (json.dumps({"day": "x" * MEGABYTE, "people": 2}), "send at most 65536"),
    "a megabyte of JSON": ("[" + "1," * (MEGABYTE // 2) + "1]", "send at most 65536"),
    "a megabyte of nothing": (" " * MEGABYTE, "send at most 65536"),
    "deep lists": ("[" * DEEP + "]" * DEEP, "send at most 65536"),
    "deep lists, shorter": ("[" * 30_000 + "]" * 30_000, "nested too deeply"),
    "a deep guest": (
        '{"day": "today", "people": 2, "guest": ' + nested(40) + "}",
        "nested too deeply, at most 32 levels",
    ),
    "a wrong part deep within": (
        '{"day": "today", "people": 2, "guest": {"name": "x", "children": [{"name": 3}, {}]}}',
        "guest.children.1.name: missing",
    ),
    "wrong in many places": (
        json.dumps(
            {
                "day": 1,
                "people": "x",
                "guest": 3,
                "notes": [],
                "code": 4,
                **dict.fromkeys("abcdefgh", 1),
            }
        ),
        "and 5 more",
    ),
}


@pytest.fixture(autouse=True)
def nothing_ran():
    ran.clear()


@pytest.mark.parametrize(("sent", "told"), CASES.values(), ids=CASES)
async def test_bad_arguments(sent, told):
    outcome = await run_named(BOX, "book", None, sent)
    assert (outcome.ok, outcome.kind, outcome.tries) == (False, "bad_arguments", 0)
    assert told in outcome.content
    assert outcome.content.startswith("book was not run, its arguments do not fit.")
    assert outcome.content.endswith("Repair them and call it again.")
    assert len(outcome.content) < 1_600
    assert not ran


@pytest.mark.parametrize(
    "sent",
    [
        '{"day": "today", "people": "2"}',
        '{"day": "today", "people": 2.0}',
        '"{\\"day\\": \\"today\\", \\"people\\": 2}"',
        ' {"day": "today", "people": 2, "guest": null, "code": null} ',
        {"day": "today", "people": 2},
    ],
    ids=str,
)
async def test_what_has_one_meaning_is_understood(sent):
    assert (await run_named(BOX, "book", None, sent)).ok
    assert ran == [{"day": "today", "people": 2}]


@pytest.mark.parametrize(
    "name", ["", "bok", "book ", "Book", "functions.book", "\x00", "é", "x" * MEGABYTE, "book\n"]
)
async def test_an_unknown_tool(name):
    outcome = await run_named(BOX, name, None, '{"day": "today", "people": 2}')
    assert (outcome.kind, outcome.tries, ran) == ("unknown_tool", 0, [])
    assert outcome.content.endswith("The tools are: book, cancel, now.")
    assert len(outcome.content) < 400


@pytest.mark.parametrize("sent", ["", "{}", "null", None, " \n", '"{}"', '""'])
async def test_no_arguments_in_every_spelling(sent):
    assert (await run_named(BOX, "now", None, sent)).content == "noon"


async def take(requests, spoken=0):
    """What a pipeline does with a model's message."""
    book_, confirmations = Executions(), Confirmations()
    made = book_.receive(requests, BOX)

    async def one(execution):
        if book_.start(execution):
            outcome = await run_named(
                BOX,
                execution.name,
                None,
                execution.arguments,
                confirmations=confirmations,
                spoken=spoken,
            )
            book_.finish(execution, outcome)

    await asyncio.gather(*map(one, made))
    assert not book_.unsettled
    return [each.result for each in made]


async def test_duplicate_ids_in_one_message():
    good = '{"day": "today", "people": 2}'
    same = Request("abcdefghi", "book", good)
    assert await take([same, same, same]) == ["booked"] * 3
    assert len(ran) == 1
    told = await take([same, Request("abcdefghi", "book", "{"), Request("abcdefghi", "?", "{}")])
    assert told[0] == "booked"
    assert "not valid JSON" in told[1]
    assert "There is no tool" in told[2]
    assert len(ran) == 2


async def test_a_model_that_confirms_itself():
    call = Request("", "cancel", '{"number": 3}')
    told = await take([call, call, call])
    assert all("was not run" in each for each in told)
    assert not ran


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["day", "people", "guest", "name", "children", "notes", "code"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
ARGUMENTS = st.one_of(
    st.text(max_size=40),
    JSON.map(json.dumps),
    JSON.map(json.dumps).map(json.dumps),
    JSON.map(json.dumps).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut])
    ),
)


@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.lists(
        st.builds(
            Request,
            st.sampled_from(["", "null", "abcdefghi", "x"]) | st.text(max_size=12),
            st.sampled_from(["book", "cancel", "now"]) | st.text(max_size=12),
            ARGUMENTS,
        ),
        max_size=4,
    )
)
def test_whatever_a_model_writes_is_answered(requests):
    told = asyncio.run(take(requests))
    assert len(told) == len(requests)
    assert all(text.strip() and len(text) < 2_000 for text in told)
    for request in requests:
        BOX.redact(request.name, request.arguments)
