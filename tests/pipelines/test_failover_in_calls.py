"""Whole calls in which a provider fails: what the caller hears, and who is said to have served."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from tests.pipelines.conftest import MODELS
from vivavoce.agent import Agent
from vivavoce.agent.record import record
from vivavoce.pipelines.models.http import Endpoint, Timeouts

WAITS = Timeouts(connect=3, final=3, first=10, stall=5, switch=5)
ANSWER = "Yes, two tables are free tonight."


@pytest.fixture
def other(profile):
    """A second provider of a stage, under a key of its own."""

    def make(stage: str, **given) -> Endpoint:
        key = profile(**given)
        return Endpoint(f"{key.url}/", key.key, MODELS[stage])

    return make


async def test_the_caller_hears_all_of_it_and_the_record_says_who_served(hold, other, caplog):
    caplog.set_level(logging.INFO, "vivavoce")
    others = {
        "hear": [other("hear", script={"hear": ["Is a table free?", "Thank you."]})],
        "think": [other("think", script={"think": [ANSWER, "Good bye."]})],
        "speak": [other("speak", script={"speak": "tone"})],
    }
    refused = {"kind": "status", "status": 503}
    held = await hold(
        Agent(),
        ["Is a table free?", "Thank you."],
        behind=others,
        timeouts=WAITS,
        faults={stage: [refused] for stage in ("hear", "think", "speak")},
    )
    call = held.call
    assert not call.transcript.failures
    said, thanked = call.transcript.caller
    assert (said.text, thanked.text) == ("Is a table free?", "Thank you.")
    answer, bye = call.transcript.replies
    assert (answer.heard, bye.heard) == (ANSWER, "Good bye.")
    names = {stage: where[0].name for stage, where in others.items()}
    assert said.served == names["hear"]
    assert answer.served == {"thinking": names["think"], "speaking": names["speak"]}
    made = record(call, agent="a", began=datetime.now(UTC), seconds=1.0, models=call.models)
    assert made["providers"] == {
        "hearing": {names["hear"]: 2},
        "thinking": {names["think"]: 2},
        "speaking": {names["speak"]: 2},
    }
    switches = made["switches"]
    assert {switch["stage"] for switch in switches} == {"hearing", "thinking", "speaking"}
    assert all("503" in switch["why"] for switch in switches)
    assert made["transcript"][0]["served"] == names["hear"]
    assert f"speaking by {names['speak']}" in caplog.text


async def test_without_a_failure_there_is_nothing_to_tell(hold):
    held = await hold(
        Agent(),
        ["Is a table free?"],
        script={"hear": ["Is a table free?"], "think": [ANSWER], "speak": "tone"},
    )
    assert held.call.ledger.switches == []
    (turn,) = held.call.ledger.served
    assert set(turn) == {"hearing", "thinking", "speaking"}
