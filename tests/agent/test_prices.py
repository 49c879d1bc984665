from __future__ import annotations

import pytest

from vivavoce.agent import Agent, Call, Usage
from vivavoce.agent.prices import PRICES, Price, PriceError, cost, price_of, read_prices

USAGE = Usage(2, prompt_tokens=1_000_000, completion_tokens=100_000, characters=10_000, heard=120)


def test_every_price_has_its_day():
    assert all(price.on is not None for price in PRICES.values())


def test_usage_has_its_price():
    assert Price(prompt=1.5, completion=7.5).of(USAGE) == pytest.approx(2.25)
    assert Price(minute=0.008).of(USAGE) == pytest.approx(0.016)
    assert Price(characters=16).of(USAGE) == pytest.approx(0.16)


def test_an_unknown_price_makes_the_cost_unknown():
    assert cost({"mistral-medium-3-5": USAGE}) == pytest.approx(2.25)
    assert cost({"mistral-medium-3-5": USAGE, "mine": USAGE}) is None
    assert cost({"mine": USAGE}, {"mine": Price(minute=1)}) == pytest.approx(2.0)
    # Who stood by and served nothing costs nothing, whatever the price.
    assert cost({"mistral-medium-3-5": USAGE, "mine": Usage()}) == pytest.approx(2.25)


def test_a_call_knows_its_cost():
    call = Call(Agent())
    assert call.cost() is None
    call.models = {"thinking": "mistral-medium-3-5 at https://api.mistral.ai"}
    call.usage = USAGE
    assert call.cost() == pytest.approx(2.25)
    assert USAGE.to_dict()["heard"] == 120


def test_a_price_holds_for_what_its_provider_serves():
    name = "voxtral-mini-tts-2603"
    assert price_of(f"{name} at https://api.mistral.ai") == PRICES[name]
    assert price_of(f"{name} at http://127.0.0.1:8000") is None
    assert price_of(f"{name} at http://gpu", {name: Price(characters=1)}) == Price(characters=1)


def test_every_price_says_where_it_is_from():
    assert all(price.source.startswith("https://") for price in PRICES.values())
    assert all(price.of(USAGE) > 0 for price in PRICES.values())


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"m": {"minute": -1}}, "m.minute"),
        ({"m": {"minute": "cheap"}}, "m.minute"),
        ({"m": {"hour": 1}}, "there is no 'hour'"),
        ({"m": 3}, "give a table"),
        ({"m": {"on": "today"}}, "m.on"),
    ],
)
def test_what_is_no_price_is_named(given, wrong):
    with pytest.raises(PriceError, match=wrong):
        read_prices(given)
