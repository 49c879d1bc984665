from __future__ import annotations

import pytest

from vivavoce.agent import Agent, Call, Usage
from vivavoce.agent.prices import PRICES, Price, cost

USAGE = Usage(2, prompt_tokens=1_000_000, completion_tokens=100_000, characters=10_000, heard=120)


def test_every_price_has_its_day():
    assert all(price.on is not None for price in PRICES.values())


def test_usage_has_its_price():
    assert Price(prompt=1.5, completion=7.5).of(USAGE) == pytest.approx(2.25)
    assert Price(minute=0.008).of(USAGE) == pytest.approx(0.016)
    assert Price(characters=16).of(USAGE) == pytest.approx(0.16)


def test_an_unknown_price_makes_the_cost_unknown():
    assert cost(USAGE, ["mistral-medium-3-5"]) == pytest.approx(2.25)
    assert cost(USAGE, ["mistral-medium-3-5", "mine"]) is None
    assert cost(USAGE, ["mine"], {"mine": Price(minute=1)}) == pytest.approx(2.0)


def test_a_call_knows_its_cost():
    call = Call(Agent())
    assert call.cost() is None
    call.models = {"thinking": "mistral-medium-3-5 at https://api.mistral.ai"}
    call.usage = USAGE
    assert call.cost() == pytest.approx(2.25)
    assert USAGE.to_dict()["heard"] == 120
