import datetime as dt
import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from tests.tools.described import described
from tests.tools.kinds import Address, Seat
from vivavoce.tools import BadArguments, parse_arguments, read_schema
from vivavoce.tools.arguments import SIZE_LIMIT


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("tables seat even numbers only")
    return value


def _broken(value: int) -> int:
    raise KeyError(value)


def book(
    day: dt.date,
    people: Annotated[int, Field(ge=1, le=8)],
    seat: Seat = Seat.INSIDE,
    address: Address | None = None,
    at: dt.datetime | None = None,
    note: str = "",
    even: Annotated[int, AfterValidator(_even)] = 2,
    tags: set[str] = set(),  # noqa: B006
) -> None:
    """Book a table."""


BOOK = read_schema(described(book))
GOOD = {"day": "2026-05-31", "people": 4}
TYPED = {"day": dt.date(2026, 5, 31), "people": 4}


def parse(sent: Any) -> dict[str, Any]:
    return parse_arguments(BOOK, sent)


@pytest.mark.parametrize(
    "sent",
    [
        GOOD,
        json.dumps(GOOD),
        f"  {json.dumps(GOOD)}\n",
        json.dumps(json.dumps(GOOD)),
        '{"day": "2026-05-31", "people": "4"}',
        '{"day": "2026-05-31", "people": 4.0}',
        '{"day": "2026-05-31", "people": 4, "note": null}',
    ],
)
def test_good_arguments(sent):
    assert parse(sent) == TYPED


@pytest.mark.parametrize("sent", [None, "", "  ", "null", "{}", {}, '"{}"'])
def test_no_arguments(sent):
    def stop() -> None:
        """Stop."""

    assert parse_arguments(read_schema(stop), sent) == {}


def test_values_are_typed():
    values = parse(
        {
            **GOOD,
            "seat": "terrace",
            "address": {"street": "Rue X", "number": "3"},
            "at": "2026-05-31T19:30:00+02:00",
            "tags": ["a", "a"],
        }
    )
    assert values["seat"] is Seat.TERRACE
    assert values["address"] == Address(street="Rue X", number=3)
    assert values["at"].utcoffset() == dt.timedelta(hours=2)
    assert values["tags"] == {"a"}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("{", "not valid JSON"),
        ("nonsense", 'near "nonsense"'),
        ('{"day": "2026-05-31", "people": 4', "not valid JSON"),
        ("{'day': 1}", "not valid JSON"),
        ("[]", "got a list of 0, expected one JSON object"),
        ("4", "got 4, expected one JSON object"),
        ("true", "got true, expected one JSON object"),
        ('"hello"', "not valid JSON"),
        ('"\\"{}\\""', 'expected one JSON object, as in {"day": …, "people": …, "seat": …}'),
        (b"{}", "got a bytes, expected one JSON object"),
        ([1], "got a list of 1"),
        ("{}", "day: missing, expected a date like 2026-05-31; people: missing"),
        ({**GOOD, "persons": 3}, "persons: unknown, leave it out (book takes day, people, seat"),
        ({**GOOD, "people": "four"}, 'people: got "four", expected an integer from 1 to 8'),
        ({**GOOD, "people": True}, "people: got true, expected an integer"),
        ({**GOOD, "people": None}, "people: got null, expected an integer"),
        ({**GOOD, "people": 9}, "people: got 9, input should be less than or equal to 8"),
        ({**GOOD, "people": "9"}, "people: got 9, input should be less than or equal to 8"),
        ({**GOOD, "people": 10**5000}, "people: the number is too long"),
        ({**GOOD, "day": 0}, "day: got 0, expected a date"),
        ({**GOOD, "day": "tomorrow"}, 'day: got "tomorrow", expected a date like 2026-05-31'),
        ({**GOOD, "day": "2026-02-30"}, 'day: got "2026-02-30", expected a date'),
        ({**GOOD, "at": "2026-05-31"}, "at: got"),
        ({**GOOD, "seat": "roof"}, "'inside' or 'terrace'"),
        ({**GOOD, "address": {"street": 1}}, "address.street: got 1, expected a string"),
        ({**GOOD, "address": {}}, "address.street: missing"),
        ({**GOOD, "address": "Rue X"}, 'address: got "Rue X", expected an object with street'),
        ({**GOOD, "tags": "a"}, 'tags: got "a", expected a list, each a string'),
        ({**GOOD, "even": 3}, "even: got 3, tables seat even numbers only"),
        ({**GOOD, "note": 4}, "note: got 4, expected a string"),
        ({**GOOD, "note": "\ud800"}, "half of a surrogate pair"),
        (json.dumps({**GOOD, "note": "\ud800"}), "half of a surrogate pair"),
        ({**GOOD, "no\udfffte": 1}, "half of a surrogate pair"),
        ({**GOOD, "note": b"x"}, "note: a bytes is not JSON"),
        ({**GOOD, 3: 4}, "the key 3 is not a string"),
        ({**GOOD, "people": float("nan")}, "people: not a finite number"),
        ('{"day": "2026-05-31", "people": NaN}', "NaN is not JSON"),
        ('{"day": "2026-05-31", "people": -Infinity}', "-Infinity is not JSON"),
        ('{"day": "2026-05-31", "people": 1e999}', "people: not a finite number"),
        ('{"day": "2026-05-31", "people": ' + "9" * 5000 + "}", "a number in them is too long"),
        ('{"day": "2026-05-31", "people": ' + "9" * 4000 + "}", "people: the number is too long"),
        ('{"day": "2026-05-31", "people": 4, "people": 5}', "people: given more than once"),
        ('{"day": "2026-05-31", "people": 4, "address": {"a": 1, "a": 1}}', "a: given more"),
        ("[" * 60_000, "nested too deeply"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested too deeply"),
        ('{"a":' * 40 + "1" + "}" * 40, "a.a.a: nested too deeply"),
        ("x" * 1_000_000, f"they have 1000000 characters: send at most {SIZE_LIMIT}"),
        ({**GOOD, "note": "x" * 1_000_000}, "they are too long"),
        ({**GOOD, "tags": ["a"] * 100_000}, "they are too long"),
    ],
)
def test_bad_arguments_are_told_in_words(sent, told):
    with pytest.raises(BadArguments) as caught:
        parse(sent)
    message = str(caught.value)
    assert told in message
    assert message.startswith("book was not run, its arguments do not fit. ")
    assert message.endswith(". Repair them and call it again.")
    assert len(message) < 1_600
    message.encode()


def test_an_object_that_contains_itself():
    circle: dict[str, Any] = dict(GOOD)
    circle["address"] = circle
    with pytest.raises(BadArguments, match="nested too deeply"):
        parse(circle)


def test_every_problem_is_told_up_to_eight():
    with pytest.raises(BadArguments) as caught:
        parse({f"x{number}": "y" * 500 for number in range(20)})
    assert len(caught.value.problems) == 22
    assert "and 14 more" in str(caught.value)


def test_long_values_are_shortened():
    with pytest.raises(BadArguments) as caught:
        parse({**GOOD, "people": "x" * 60_000, "y" * 60: "z"})
    assert "xxxxx…" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_the_functions_own_defaults_are_left_to_it():
    assert parse(GOOD).keys() == {"day", "people"}


def test_null_is_kept_where_it_means_something():
    assert parse({**GOOD, "address": None})["address"] is None


def test_a_validator_of_the_users_own_sees_what_was_sent():
    def find(day: Annotated[dt.date, BeforeValidator(str.strip)]) -> None:
        """Find."""

    schema = read_schema(described(find))
    assert parse_arguments(schema, {"day": " 2026-05-31 "}) == {"day": dt.date(2026, 5, 31)}


def test_what_a_broken_validator_raises_comes_out():
    def find(x: Annotated[int, AfterValidator(_broken)]) -> None:
        """Find."""

    with pytest.raises(KeyError):
        parse_arguments(read_schema(described(find)), {"x": 1})


def test_the_path_inside_a_union_has_no_types_in_it():
    class Other(BaseModel):
        street: int
        city: str

    def go(to: Address | Other | list[Address]) -> None:
        """Go."""

    with pytest.raises(BadArguments) as caught:
        parse_arguments(read_schema(described(go)), {"to": [{"street": "x"}, {"number": 1}]})
    assert "to.1.street: missing" in str(caught.value)


def test_decimals_are_exact():
    def pay(amount: Decimal) -> None:
        """Pay."""

    schema = read_schema(described(pay))
    for sent in ('{"amount": "0.10"}', '{"amount": 0.1}'):
        assert parse_arguments(schema, sent) == {"amount": Decimal("0.1")}


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["day", "people", "address", "x"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_junk_is_refused_in_words_and_nothing_else(junk):
    try:
        values = parse(json.dumps(junk))
    except BadArguments as error:
        assert len(str(error)) < 1_600  # noqa: PT017
    else:
        assert isinstance(values["day"], dt.date)
