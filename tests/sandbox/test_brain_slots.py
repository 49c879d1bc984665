"""Tables of what callers say and the typed values that must come of it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import pytest
from pydantic import Field, TypeAdapter, create_model

from vivavoce.sandbox.brain_ask import ability, question
from vivavoce.sandbox.brain_numbers import digit_run, number_at
from vivavoce.sandbox.brain_schema import read_tools
from vivavoce.sandbox.brain_slots import fill, nest
from vivavoce.sandbox.brain_when import (
    date_at,
    duration_at,
    iso_duration,
    spoken_date,
    spoken_time,
    time_at,
)

NOW = datetime(2026, 5, 6, 10, 0, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("four", 4),
        ("twenty five", 25),
        ("one hundred and fifty", 150),
        ("two thousand three hundred", 2300),
        ("two thousand three hundred and forty one", 2341),
        ("a hundred", 100),
        ("a couple of", 2),
        ("half a dozen", 6),
        ("a dozen", 12),
        ("two and a half", 2.5),
        ("three point one four", 3.14),
        ("minus five", -5),
        ("1,200.50", 1200.5),
        ("one million", 1000000),
    ],
)
def test_numbers(said, value):
    words = said.split()
    assert number_at(words, 0) == (len(words), value)


def test_what_is_no_number():
    assert number_at(["elephant"], 0) is None
    assert number_at(["that", "one"], 1) is None
    assert number_at(["9" * 400], 0) is None
    assert number_at(["two", "and", "four"], 0) == (1, 2)


def test_digits_one_by_one():
    words = ["oh", "seven", "double", "five", "nine", "1234"]
    assert digit_run(words, 0) == (6, "075591234")


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("today", "2026-05-06"),
        ("tonight", "2026-05-06"),
        ("tomorrow", "2026-05-07"),
        ("the day after tomorrow", "2026-05-08"),
        ("friday", "2026-05-08"),
        ("wednesday", "2026-05-13"),
        ("this wednesday", "2026-05-06"),
        ("next friday", "2026-05-15"),
        ("next week", "2026-05-11"),
        ("in three days", "2026-05-09"),
        ("in a week", "2026-05-13"),
        ("the third of june", "2026-06-03"),
        ("may the twentieth", "2026-05-20"),
        ("may 3", "2027-05-03"),
        ("3 june 2027", "2027-06-03"),
        ("the twenty first", "2026-05-21"),
        ("2026-12-24", "2026-12-24"),
        ("24/12", "2026-12-24"),
        ("new year's eve", "2026-12-31"),
    ],
)
def test_dates(said, day):
    words = said.split()
    got = date_at(words, 0, NOW.date())
    assert got is not None
    assert (got[0], got[1].isoformat()) == (len(words), day)


@pytest.mark.parametrize(
    "said", ["may i", "the thirty", "february 31", "31/2", "elephant", "in a hurry"]
)
def test_what_is_no_date(said):
    assert date_at(said.split(), 0, NOW.date()) is None


@pytest.mark.parametrize(
    ("said", "late", "clock"),
    [
        ("eight pm", None, "20:00"),
        ("8 am", True, "08:00"),
        ("eight thirty", True, "20:30"),
        ("eight thirty", False, "08:30"),
        ("half past seven", None, "19:30"),
        ("quarter to nine", True, "20:45"),
        ("ten past six", None, "18:10"),
        ("twenty to eight", True, "19:40"),
        ("quarter past twelve", None, "12:15"),
        ("noon", None, "12:00"),
        ("midnight", None, "00:00"),
        ("20:30", None, "20:30"),
        ("eight o'clock", None, "08:00"),
        ("eight in the evening", False, "20:00"),
        ("twelve am", None, "00:00"),
        ("seven oh five", None, "19:05"),
    ],
)
def test_times(said, late, clock):
    words = said.split()
    got = time_at(words, 0, late=late)
    assert got is not None
    assert (got[0], got[1].strftime("%H:%M")) == (len(words), clock)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("two hours", 7200),
        ("half an hour", 1800),
        ("an hour and a half", 5400),
        ("an hour and ten minutes", 4200),
        ("ninety minutes", 5400),
        ("three nights", 259200),
        ("a week", 604800),
    ],
)
def test_durations(said, seconds):
    words = said.split()
    assert duration_at(words, 0) == (len(words), seconds)
    assert TypeAdapter(timedelta).validate_python(iso_duration(seconds)).total_seconds() == seconds


def test_for_the_ear():
    assert spoken_time(time(19, 30)) == "7:30 pm"
    assert spoken_time(time(12)) == "noon"
    assert spoken_date(date(2026, 5, 7), NOW.date()) == "tomorrow"
    assert spoken_date(date(2026, 5, 22), NOW.date()) == "Friday the 22nd of May"


def one(field, /, name="slot", description="", tool="do_thing", about="Do a thing."):
    """A tool with one parameter, as pydantic describes it."""
    model = create_model(tool, **{name: (field, Field(description=description))})
    schema = model.model_json_schema()
    return read_tools([{"name": tool, "description": about, "parameters": schema}])[0]


@pytest.mark.parametrize(
    ("field", "name", "said", "value"),
    [
        (int, "people", "a table for four at eight", 4),
        (int, "people", "there will be five of us on the third of may", 5),
        (int, "people", "four no five people", 5),
        (int, "nights", "for three nights from friday", 3),
        (int, "minutes", "half an hour", 30),
        (float, "hours", "ninety minutes", 1.5),
        (float, "amount", "twenty euros fifty", 20.5),
        (float, "amount", "send $1,250 to Bob", 1250),
        (float, "amount", "fifty pence", 0.5),
        (int, "volume", "set it to thirty percent", 30),
        (date, "day", "on friday please", "2026-05-08"),
        (time, "at", "at half past seven", "19:30:00"),
        (datetime, "when", "tomorrow at eight pm", "2026-05-07T20:00:00+00:00"),
        (datetime, "when", "in ten minutes", "2026-05-06T10:10:00+00:00"),
        (timedelta, "length", "for an hour and a half", "PT1H30M"),
        (str, "email", "it's john dot smith at example dot com", "john.smith@example.com"),
        (str, "email", "write to ada@example.org", "ada@example.org"),
        (str, "phone", "my number is oh seven double five nine one two three", "07559123"),
        (str, "phone", "call me on +44 20 7946 0958", "+442079460958"),
        (str, "name", "my name is smith", "Smith"),
        (str, "name", "under the name of Van Damme", "Van Damme"),
        (str, "name", "for Mr Jones at eight", "Jones"),
        (str, "name", "it is smith spelled s m y t h e", "Smythe"),
        (str, "city", "what's the weather in new york tomorrow", "New York"),
        (str, "origin", "a train from Lyon to Paris", "Lyon"),
        (str, "destination", "a train from Lyon to Paris", "Paris"),
        (str, "message", "tell her that I am late", "I am late"),
        (Literal["living_room", "kitchen"], "room", "in the living room", "living_room"),
        (Literal["living_room", "kitchen"], "room", "in the kitchin", "kitchen"),
        (Literal[1, 2, 3], "level", "level two", 2),
        (list[Literal["ham", "cheese"]], "toppings", "cheese and ham", ["cheese", "ham"]),
        (bool, "breakfast", "with breakfast please", True),
        (bool, "breakfast", "a room without breakfast", False),
        (bool, "on", "switch it off", False),
    ],
)  # fmt: skip
def test_slots_from_a_sentence(field, name, said, value):
    got = nest(fill(one(field, name=name), said, now=NOW).values)
    assert got == {name: value}


@pytest.mark.parametrize(
    ("field", "name", "said", "value"),
    [
        (int, "people", "four", 4),
        (int, "people", "for", 4),  # what recognisers write for a lone "four"
        (time, "at", "eight pm", "20:00:00"),
        (time, "at", "around seven thirty I think", "19:30:00"),
        (str, "name", "smith", "Smith"),
        (str, "name", "um it's Ada Lovelace please", "Ada Lovelace"),
        (str, "city", "in lisbon", "Lisbon"),
        (str, "message", "please bring the red folder", "bring the red folder"),
        (bool, "breakfast", "no thank you", False),
        (bool, "breakfast", "yes please", True),
        (Literal["debit", "credit"], "card", "the debit one", "debit"),
        (list[str], "items", "milk, eggs and bread", ["milk", "eggs", "bread"]),
    ],
)
def test_slots_from_an_answer(field, name, said, value):
    assert nest(fill(one(field, name=name), said, now=NOW, asked=(name,)).values) == {name: value}


@pytest.mark.parametrize(
    ("field", "name", "said"),
    [
        (int, "people", "a table tomorrow at eight"),
        (date, "day", "a table for four"),
        (time, "at", "a table for two people"),
        (str, "name", "I would like a table for four"),
        (str, "city", "what's the weather like tomorrow"),
        (float, "amount", "send some money"),
        (bool, "breakfast", "a room please"),
        (Literal["debit", "credit"], "card", "I lost my card"),
    ],
)
def test_what_was_not_said_is_not_filled(field, name, said):
    assert fill(one(field, name=name), said, now=NOW).values == {}


def test_a_range_has_two_ends():
    model = create_model("stay", check_in=(date, ...), check_out=(date, ...))
    tool = read_tools([{"name": "stay", "parameters": model.model_json_schema()}])[0]
    for said in ("from friday to sunday", "until sunday from friday"):
        assert nest(fill(tool, said, now=NOW).values) == {
            "check_in": "2026-05-08",
            "check_out": "2026-05-10",
        }


def test_bounds_of_the_schema_hold():
    tool = one(int, name="people")
    model = create_model("x", people=(int, Field(ge=1, lt=10)))
    tool = read_tools([{"name": "x", "parameters": model.model_json_schema()}])[0]
    assert fill(tool, "nine people", now=NOW).values == {("people",): 9}
    assert fill(tool, "ten people", now=NOW).values == {}


@pytest.mark.parametrize(
    ("field", "name", "description", "asked"),
    [
        (int, "people", "How many will come.", "How many will come?"),
        (int, "people", "", "For how many people?"),
        (int, "party_size", "Number of guests", "For how many people?"),
        (date, "day", "", "Which day?"),
        (date, "day", "The evening asked for.", "Which evening?"),
        (time, "at", "When they come.", "At what time?"),
        (datetime, "start", "When it starts.", "On which day, and at what time?"),
        (timedelta, "length", "How long it lasts.", "For how long?"),
        (str, "name", "", "What name shall I use?"),
        (str, "recipient", "Who gets the money.", "Who gets the money?"),
        (str, "city", "", "Which city?"),
        (str, "email", "", "What is the e-mail address?"),
        (str, "query", "What to play.", "What do you want to play?"),
        (str, "reason", "The reason for the visit (e.g. check-up).", "What is the reason for the visit?"),
        (float, "amount", "", "What amount?"),
        (int, "minutes", "Length in minutes", "How many minutes?"),
        (Literal["debit", "credit"], "card", "", "Which card: debit or credit?"),
        (bool, "breakfast", "Whether to include breakfast.", "Shall I include breakfast?"),
    ],
)  # fmt: skip
def test_questions(field, name, description, asked):
    assert question(one(field, name=name, description=description).params[0]) == asked


@pytest.mark.parametrize(
    ("name", "about", "said"),
    [
        ("free_tables", "Find the free tables.", "find the free tables"),
        ("get_weather", "Returns the weather. Use it often.", "look up the weather"),
        ("getWeather", "", "get weather"),
        (
            "x_tool",
            "The current balance of an account",
            "look up the current balance of an account",
        ),
    ],
)
def test_abilities(name, about, said):
    assert ability(read_tools([{"name": name, "description": about}])[0]) == said


def test_schemas_of_every_shape():
    model = create_model(
        "x",
        a=(int | None, None),
        b=(Literal["u", "v"] | None, ...),
        c=(list[date], ...),
        d=(dict[str, int], {}),
    )
    tool = read_tools([{"name": "x", "parameters": model.model_json_schema()}])[0]
    got = {p.path[0]: (p.kind, p.required, p.many) for p in tool.params}
    assert got["a"] == ("integer", False, False)
    assert got["b"] == ("enum", True, False)
    assert got["c"] == ("date", True, True)
    assert "d" not in got


def test_formats_of_strings():
    hints = {
        "email": "", "phone_number": "", "day": "ISO date", "at": "The time, HH:MM", "city": "",
        "customer_name": "", "note": "", "song": "Which song", "account_number": "",
    }  # fmt: skip
    model = create_model("x", **{n: (str, Field(description=d)) for n, d in hints.items()})
    tool = read_tools([{"name": "x", "parameters": model.model_json_schema()}])[0]
    assert [p.kind for p in tool.params] == [
        "email", "phone", "date", "time", "place", "person", "text", "string", "code",
    ]  # fmt: skip
    assert fill(tool, "at eight pm", now=NOW).values[("at",)] == "20:00"
