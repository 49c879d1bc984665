"""From a signature to a schema, to arguments, to a call; against pydantic and Mistral's SDK."""

import asyncio
import datetime as dt
import inspect
import json
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistral_common.protocol.instruct.tool_calls import Tool as CommonTool
from mistral_common.protocol.instruct.validator import validate_json_schema_by_draft7
from mistralai.client import models
from pydantic import Field, TypeAdapter, ValidationError

from tests.tools.described import described
from tests.tools.kinds import Address, Guest, Level, Seat, Window
from vivavoce.tools import BadArguments, parse_arguments, read_schema, run, tool

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
# Whole minutes: pydantic writes what it reads, and the texts stay short.
TIMES = st.times().map(lambda time: time.replace(microsecond=0))
MOMENTS = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2199, 1, 1))  # noqa: DTZ001
LEAVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers(-(2**60), 2**60)),
    (float, NUMBERS),
    (bool, st.booleans()),
    (str, TEXT),
    (dt.date, st.dates(dt.date(1000, 1, 1))),
    (dt.datetime, MOMENTS),
    (dt.time, TIMES),
    (dt.timedelta, st.timedeltas(dt.timedelta(0), dt.timedelta(days=400))),
    (uuid.UUID, st.uuids()),
    (Decimal, st.decimals(-1000, 1000, places=3)),
    (Seat, st.sampled_from(Seat)),
    (Level, st.sampled_from(Level)),
    (Literal["a", "b", 3], st.sampled_from(["a", "b", 3])),
    (Annotated[int, Field(ge=1, le=8)], st.integers(1, 8)),
    (Annotated[str, Field(min_length=1, max_length=9)], TEXT.filter(bool)),
    (Address, st.builds(Address, street=TEXT, number=st.none() | st.integers(0, 99))),
    (Guest, st.builds(Guest, name=TEXT, born=st.dates(dt.date(1900, 1, 1)))),
    (Window, st.fixed_dictionaries({"opens": TIMES})),
]


def _wrap(inner: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.one_of(
        inner.map(lambda pair: (list[pair[0]], st.lists(pair[1], max_size=3))),
        inner.map(lambda pair: (pair[0] | None, st.none() | pair[1])),
        inner.map(lambda pair: (dict[str, pair[0]], st.dictionaries(TEXT, pair[1], max_size=3))),
        inner.map(lambda pair: (tuple[pair[0], int], st.tuples(pair[1], st.integers(0, 9)))),
    )


KINDS = st.recursive(st.sampled_from(LEAVES), _wrap, max_leaves=2)
SPECIMENS = {
    "date": "2026-05-31",
    "date-time": "2026-05-31T19:30:00Z",
    "time": "19:30:00",
    "duration": "PT1H30M",
    "uuid": "12345678-1234-5678-1234-567812345678",
}


@st.composite
def signatures(draw):
    """A function that keeps its arguments, with values for them."""
    names = draw(
        st.lists(st.sampled_from(["day", "_x", "copy", "title", "schema"]), unique=True, max_size=4)
    )
    parameters, values = [], {}
    for name in names:
        kind, strategy = draw(KINDS)
        default = inspect.Parameter.empty if draw(st.booleans()) else draw(strategy)
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default
            )
        )
        if default is inspect.Parameter.empty or draw(st.booleans()):
            values[name] = draw(strategy)

    async def echo(**given):
        """Give back what was given."""
        echo.given = given
        return "done"

    echo.__signature__ = inspect.Signature(parameters)
    return described(echo), values


def specimen(schema: Any, root: dict[str, Any]) -> Any:
    """A value that satisfies a schema, by the schema alone."""
    if "$ref" in schema:
        return specimen(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return schema["enum"][-1]
    if "anyOf" in schema:
        return specimen(schema["anyOf"][0], root)
    kind = schema["type"]
    if kind == "object":
        wanted = schema.get("properties", {"key": schema.get("additionalProperties")})
        return {name: specimen(inner, root) for name, inner in wanted.items()}
    if kind == "array":
        inner = schema.get("prefixItems") or [schema["items"]]
        return [specimen(each, root) for each in inner]
    if kind == "string":
        return SPECIMENS[schema["format"]] if "format" in schema else "text"
    return {"integer": 3, "number": 2.5, "boolean": True, "null": None}[kind]


MANY = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@MANY
@given(signatures())
def test_what_is_sent_is_what_the_function_gets(signature):
    function, values = signature
    made = tool(function)
    schema = made.schema
    kinds = {p.name: p.annotation for p in inspect.signature(function).parameters.values()}

    # Both of Mistral's packages take the definition, and give it back as it was.
    taken = models.Tool.model_validate(made.definition)
    assert json.loads(taken.model_dump_json(by_alias=True)) == made.definition
    common = CommonTool.model_validate(made.definition)
    assert common.function.parameters == made.parameters
    validate_json_schema_by_draft7(made.parameters)

    sent = {
        name: TypeAdapter(kinds[name]).dump_python(value, mode="json")
        for name, value in values.items()
    }
    call = models.FunctionCall(name=made.name, arguments=json.dumps(sent))
    outcome = asyncio.run(run(made, None, call.arguments))
    assert outcome.ok, outcome.content
    assert function.given == values
    assert {name: type(value) for name, value in function.given.items()} == {
        name: type(value) for name, value in values.items()
    }
    assert set(schema.parameters.get("required", ())) <= values.keys()

    # What somebody makes who knows nothing but the schema is understood as well.
    imagined = {
        name: specimen(inner, schema.parameters)
        for name, inner in schema.parameters["properties"].items()
    }
    assert imagined.keys() == kinds.keys()
    assert parse_arguments(schema, imagined) == {
        name: TypeAdapter(kinds[name]).validate_json(json.dumps(value))
        for name, value in imagined.items()
    }


JUNK = st.recursive(
    st.sampled_from(
        [
            *(None, True, False, 0, 1, -1, 3, 9, 2.0, 2.5, 1e300, 2**70, "", "x", "a", "3", "2.5"),
            *("true", "inside", "2026-05-31", "2026-05-31T19:30:00", "19:30", "PT1H", "no", "low"),
            *("12345678-1234-5678-1234-567812345678", "2026-02-30", "25:00", "nan", "1e3"),
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["street", "number", "name", "born", "opens", "x"]), inner, max_size=3
        )
    ),
    max_leaves=4,
)


@MANY
@given(KINDS, JUNK)
def test_it_is_as_strict_as_pydantic_or_as_lax_and_nothing_else(kind, value):
    """What strict pydantic takes is taken; what is taken, lax pydantic takes as well, alike."""

    def take(given) -> None:
        """Take it."""

    take.__annotations__["given"] = kind[0]
    schema = read_schema(described(take))
    text = json.dumps(value)
    try:
        fits = not guessed(TypeAdapter(kind[0]).validate_json(text, strict=True))
    except ValidationError:
        fits = False
    try:
        got = parse_arguments(schema, {"given": value})["given"]
    except BadArguments:
        assert not fits
    else:
        assert got == TypeAdapter(kind[0]).validate_json(text)


def guessed(value):
    """Whether pydantic may have made a moment of a bare number or day, which is not taken."""
    if isinstance(value, list | tuple):
        return any(map(guessed, value))
    if isinstance(value, dict):
        return any(map(guessed, value.values()))
    return isinstance(value, dt.datetime | dt.time | dt.timedelta)
