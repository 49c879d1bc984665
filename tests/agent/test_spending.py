from __future__ import annotations

import pytest

from vivavoce.agent import Agent, Call
from vivavoce.agent.ledger import Ledger, Request, Switch
from vivavoce.agent.prices import Price
from vivavoce.agent.spending import spent
from vivavoce.agent.usage import Usage

USAGE = Usage(5, prompt_tokens=1000, completion_tokens=100, characters=600, heard=60.0, said=30.0)


def test_a_model_that_stands_alone_took_it_all():
    models = {"hearing": "ear", "thinking": "mind", "speaking": "mind"}
    assert spent(USAGE, models, Ledger()) == {"ear": USAGE, "mind": USAGE}


def test_of_several_each_took_what_it_served():
    ledger = Ledger()
    ledger.requests += [
        Request("thinking", "a", 1.0, prompt=300, completion=20),
        Request("thinking", "b", 2.0, prompt=500, completion=60),
        Request("speaking", "v", 2.0, characters=200),
        Request("speaking", "w", 3.0, characters=400),
    ]
    ledger.switches += [
        Switch("hearing", "far", "timeout", 15.0),
        Switch("thinking", "b", "timeout", 2.0),
        Switch("hearing", "near", "timeout", 45.0),
    ]
    models = {"hearing": "near, else far", "thinking": "a, else b", "speaking": "v, else w"}
    found = spent(USAGE, models, ledger)
    assert found["near"] == Usage(heard=30.0)
    assert found["far"] == Usage(heard=30.0)
    # Three requests and 200 tokens of which no request tells are the first one's.
    assert found["a"] == Usage(4, 500, 40, heard=pytest.approx(30.0))
    assert found["b"] == Usage(1, 500, 60, heard=pytest.approx(30.0))
    assert found["v"] == Usage(characters=200)
    assert found["w"] == Usage(characters=400)


def test_nothing_was_taken_before_anything_was_asked():
    found = spent(Usage(), {"thinking": "a, else b"}, Ledger())
    assert found == {"a": Usage(), "b": Usage()}


def test_a_call_pays_each_of_its_providers():
    call = Call(Agent())
    call.models = {"thinking": "cheap, else dear"}
    call.usage = Usage(2, prompt_tokens=2_000_000)
    call.ledger.requests += [
        Request("thinking", "cheap", 1.0, prompt=1_500_000),
        Request("thinking", "dear", 2.0, prompt=500_000),
    ]
    assert call.cost({"cheap": Price(prompt=1), "dear": Price(prompt=10)}) == pytest.approx(6.5)
    assert call.cost({"cheap": Price(prompt=1)}) is None
