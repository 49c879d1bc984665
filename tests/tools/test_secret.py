import json
import logging
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from tests.tools.described import described
from vivavoce.tools import BadArguments, Secret, Toolbox, parse_arguments, run, tool
from vivavoce.tools.secret import MARK, has_secrets, is_secret, redact

CARD = "4111111111111111"


class Login(BaseModel):
    user: str
    password: Annotated[str, Secret()] = ""


class Tree(BaseModel):
    pin: Annotated[int, Secret()] = 0
    children: list["Tree"] = []


class Iban(BaseModel):
    iban: str


def never(value: str) -> str:
    raise ValueError(f"{value} is not a card")


@tool
@described
def pay(
    to: str,
    card: Annotated[str, Field(min_length=16), Secret()],
    login: Login | None = None,
    logins: list[Login] = [],  # noqa: B006
    tree: Tree | None = None,
    named: dict[str, Annotated[str, Secret()]] = {},  # noqa: B006
    pair: tuple[str, Annotated[str, Secret()]] = ("", ""),
    source: Login | Iban | None = None,
    word: SecretStr | None = None,
    anything: Any = None,
) -> str:
    """Pay."""
    return f"paid {to} by {card[-4:]}"


@tool
@described
def look(day: str) -> str:
    """Look."""
    return day


BOX = Toolbox([pay, look])


def redacted(**arguments):
    return json.loads(BOX.redact("pay", json.dumps(arguments)))


async def test_the_function_gets_it_whole_and_the_model_is_told_what_it_is():
    outcome = await run(pay, None, {"to": "Ann", "card": CARD})
    assert outcome.content == "paid Ann by 1111"
    assert pay.parameters["properties"]["card"] == {
        "type": "string",
        "minLength": 16,
        "writeOnly": True,
        "description": "The card.",
    }
    assert "writeOnly" not in pay.parameters["properties"]["to"]
    assert pay.schema.secrets
    assert not look.schema.secrets


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"to": "Ann", "card": CARD}, {"to": "Ann", "card": MARK}),
        ({"card": 4111}, {"card": MARK}),
        ({"card": {"number": CARD}}, {"card": MARK}),
        ({"card": None}, {"card": MARK}),
        (
            {"login": {"user": "me", "password": "pw"}},
            {"login": {"user": "me", "password": MARK}},
        ),
        (
            {"logins": [{"user": "me", "password": "pw"}, {"user": "you"}]},
            {"logins": [{"user": "me", "password": MARK}, {"user": "you"}]},
        ),
        (
            {"tree": {"pin": 1, "children": [{"pin": 2, "children": []}]}},
            {"tree": {"pin": MARK, "children": [{"pin": MARK, "children": []}]}},
        ),
        ({"named": {"a": "x", "b": "y"}}, {"named": {"a": MARK, "b": MARK}}),
        ({"pair": ["open", "closed"]}, {"pair": ["open", MARK]}),
        ({"source": {"iban": "DE00"}}, {"source": {"iban": "DE00"}}),
        (
            {"source": {"user": "me", "password": "pw"}},
            {"source": {"user": "me", "password": MARK}},
        ),
        ({"word": "open sesame"}, {"word": MARK}),
        ({"anything": {"a": [1]}}, {"anything": {"a": [1]}}),
        # A model that mistakes a name gives nothing away.
        ({"crad": CARD}, {"crad": MARK}),
        ({"login": {"user": "me", "pasword": "pw"}}, {"login": {"user": "me", "pasword": MARK}}),
        ({"login": "pw"}, {"login": MARK}),
        ({"to": {"card": CARD}}, {"to": MARK}),
        ({"to": None, "login": None}, {"to": None, "login": None}),
        ({}, {}),
    ],
    ids=str,
)
def test_records_hold_no_secrets(sent, shown):
    assert redacted(**sent) == shown
    # A string with JSON in it, as some models send.
    assert json.loads(BOX.redact("pay", json.dumps(json.dumps(sent)))) == shown


@pytest.mark.parametrize(
    "sent",
    [
        CARD,
        f'"{CARD}"',
        f'{{"card": "{CARD}"',
        f'["{CARD}"]',
        f'{{"card": {"[" * 100_000}',
        "[" * 100_000 + "]" * 100_000,
        "1" * 5_000,
    ],
    ids=lambda text: text[:20],
)
def test_what_cannot_be_read_is_hidden_whole(sent):
    assert BOX.redact("pay", sent) == MARK
    with pytest.raises(BadArguments) as caught:
        parse_arguments(pay.schema, sent)
    assert CARD not in str(caught.value)


def test_nothing_sent():
    assert BOX.redact("pay", "") == BOX.redact("pay", "null") == "{}"


def test_unions_that_multiply_are_hidden():
    deep: dict = {}
    for _ in range(40):
        deep = {"source": deep}
    schema = {
        "$defs": {
            "x": {"anyOf": [{"$ref": "#/$defs/y"}] * 9},
            "y": {"properties": {"source": {"$ref": "#/$defs/x"}}},
        },
        "properties": {"source": {"$ref": "#/$defs/x"}, "key": {"writeOnly": True}},
    }
    assert redact(json.dumps(deep), schema) == MARK
    assert is_secret(("source",) * 40, schema, schema)


def test_tools_without_secrets_are_left_as_they_are():
    odd = '{"day":   "today", "x": [1]'
    assert BOX.redact("look", odd) == odd
    # Which tool was meant, nobody knows.
    assert BOX.redact("pya", f'{{"card": "{CARD}"}}') == MARK
    assert Toolbox([look]).redact("pya", odd) == odd
    assert not has_secrets({"properties": {"writeOnly": {"type": "string"}}})


@pytest.mark.parametrize(
    "sent",
    [
        {"to": "Ann", "card": 4111111111111111},
        {"to": "Ann", "card": [CARD]},
        {"to": "Ann", "card": "4111"},
        {"to": "Ann", "card": CARD, "login": {"user": 1.5, "password": 4111}},
        {"to": "Ann", "crad": CARD, "card": CARD},
        {"to": 3.5, "card": CARD, "pair": ["a", 4111]},
        {"to": "Ann", "card": CARD, "word": 4111},
        {"to": "Ann", "card": CARD, "login": "4111"},
        {"to": "Ann", "card": CARD, "logins": "4111"},
        {"to": "Ann", "card": CARD, "source": "4111"},
    ],
    ids=str,
)
async def test_the_model_is_told_what_is_wrong_without_repeating_it(sent, caplog):
    with caplog.at_level(logging.DEBUG):
        outcome = await run(pay, None, sent)
    assert outcome.kind == "bad_arguments"
    assert "4111" not in outcome.content
    assert "4111" not in repr(outcome.error)
    assert "4111" not in caplog.text


async def test_a_validators_words_are_not_repeated():
    @tool
    @described
    def check(card: Annotated[str, AfterValidator(never), Secret()]) -> None:
        """Check."""

    outcome = await run(check, None, {"card": CARD})
    assert outcome.kind == "bad_arguments"
    assert CARD not in outcome.content
    assert "card: got [secret], expected a string" in outcome.content


def test_one_secret_is_like_another():
    assert Secret() == Secret()
    assert len({Secret(), Secret()}) == 1
    assert repr(Secret()) == "Secret()"
    assert Secret() != 3
