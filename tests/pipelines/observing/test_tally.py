from __future__ import annotations

import pytest

from vivavoce.agent import Agent, Call
from vivavoce.agent.ledger import Request, Span, Switch, account
from vivavoce.agent.prices import Price
from vivavoce.agent.transcript import Failure, Reply, ToolUse
from vivavoce.pipelines.observing.tally import Tally

MODEL = "mistral-small-latest at https://api.mistral.ai"


@pytest.fixture
def call():
    made = Call(Agent())
    made.models = {"thinking": MODEL}
    return made


def latency(seconds=0.4):
    return account(1.0, 1.0 + seconds, [Span("thinking", 1.0, 1.2)])


def test_each_figure_is_counted_once(call):
    tally = Tally(call)
    assert tally.take().turns == []
    call.ledger.add(latency(), {"thinking": "a"})
    call.ledger.health.reactions.append(120.0)
    call.ledger.health.underruns = 2
    call.ledger.speculation.guesses = 3
    call.usage.prompt_tokens = 1_000_000
    first = tally.take()
    assert [turn.served for turn in first.turns] == [{"thinking": "a"}]
    assert (first.reactions, first.underruns, first.speculation.guesses) == ([0.12], 2, 3)
    assert first.costs == {"mistral-small-latest": pytest.approx(0.15)}
    call.ledger.health.underruns = 3
    second = tally.take()
    assert (second.turns, second.reactions, second.underruns) == ([], [], 1)
    assert second.speculation.guesses == second.usage.prompt_tokens == 0
    assert second.costs == {"mistral-small-latest": 0}


def test_a_request_counts_when_it_is_over_whatever_came_after_it(call):
    tally, requests = Tally(call), call.ledger.requests
    slow, quick = Request("thinking", "a", 1.0), Request("thinking", "a", 2.0)
    requests += [slow, quick]
    quick.ended, quick.outcome = 2.5, "whole"
    assert tally.take().requests == [quick]
    slow.ended, slow.outcome = 3.0, "cut"
    assert tally.take().requests == [slow]
    assert tally.take().requests == []


def test_what_is_dropped_from_the_transcript_confuses_nobody(call):
    tally = Tally(call)
    dropped = Reply("never heard")
    use = ToolUse("abcdefghi", "look", "{}", 0, 1.0)
    for entry in (dropped, use, Failure("speaking", "broke off", 2.0, "broken")):
        call.transcript.add(entry)
    gain = tally.take()
    assert ([each.error for each in gain.failures], gain.tools) == (["broken"], [])
    call.transcript.drop(dropped)
    use.seconds, use.ok = 0.3, True
    call.transcript.add(Failure("tools", "no", 3.0))
    gain = tally.take()
    assert ([each.message for each in gain.failures], gain.tools) == (["no"], [use])
    assert tally.take().tools == []


def test_a_price_that_is_not_known_is_told(call):
    call.models["speaking"] = "mine at http://gpu:8000"
    call.usage.characters = 1_000_000
    tally = Tally(call)
    assert tally.take().costs == {"mistral-small-latest": 0}
    assert tally.unpriced == {"mine"}
    own = Tally(call, {"mine": Price(characters=2.0), "mistral-small-latest": Price()})
    assert own.take().costs == {"mine": 2.0, "mistral-small-latest": 0.0}
    assert own.unpriced == frozenset()


def test_switches_are_counted(call):
    tally = Tally(call)
    call.ledger.switches.append(Switch("hearing", "b", "gone", 1.0, "timeout"))
    assert [each.kind for each in tally.take().switches] == ["timeout"]
    assert tally.take().switches == []


def test_a_long_transcript_is_counted_whole_and_once(call):
    tally = Tally(call)
    found = []
    for number in range(200):
        call.transcript.add(Failure("tools", str(number), float(number)))
        if number % 7 == 0:
            reply = Reply("x")
            call.transcript.add(reply)
            found += tally.take().failures
            call.transcript.drop(reply)
    found += tally.take().failures
    assert [each.message for each in found] == [str(number) for number in range(200)]
