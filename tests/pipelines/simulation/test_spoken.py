"""Calls in which both sides really speak: embedded voices, the real pipeline, a real recogniser."""

from __future__ import annotations

import pytest

from vivavoce.agent import Agent, Turns
from vivavoce.agent.testing import SimulationError, expect, say, simulate
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.simulation.spoken import MODELS

MENU = (
    "Tonight we serve onion soup with garlic bread, then grilled salmon under a light lemon sauce"
    " that you will certainly like."
)
# One flush per line, so that a script of what is understood has one text for each.
CALM = Turns(eager=False, flush_after=0.3, min_silence=0.4, unsure_silence=0.6)


@pytest.fixture
async def models(profile):
    """A factory of open models; they are closed when the test ends."""
    opened = []

    async def make(**given) -> Models:
        key = profile(**given)
        where = {stage: Endpoint(key.url, key.key, model) for stage, model in MODELS.items()}
        opened.append(Models.connect(**where, smart_turn=SmartTurn()))
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


async def test_a_spoken_turn(models):
    agent = Agent("Be brief.", greeting="Good evening!", turns=CALM)
    given = await models(script={"hear": ["What is on the menu?"]})
    async with simulate(agent, replies=[say("Onion soup.")], audio=True, models=given) as caller:
        assert caller.heard == "Good evening!"
        await caller.says("What is on the menu?")
        await caller.listens()
    expect(caller).said("Onion soup.").no_failures()
    (turn,) = caller.turns
    assert turn.said.text == "What is on the menu?"
    assert turn.replies[0].closed
    assert turn.latency.total == sum(turn.latency.stages.values())


async def test_what_is_said_is_really_heard(models):
    async with simulate(
        Agent("Be brief."), replies=["Yes, we are."], audio=True, models=await models()
    ) as caller:
        await caller.says("Are you open on Sunday evening?")
    words = caller.turns[0].said.text.lower()
    assert "open" in words or "sunday" in words or "evening" in words


@pytest.mark.parametrize("word", [4, 8, 12])
async def test_a_barge_in_at_a_word(models, word):
    hear = ["What is on the menu?", "Wait a moment, please."]
    given = await models(script={"hear": hear})
    agent = Agent("Be brief.", turns=CALM)
    async with simulate(agent, replies=[MENU, "Sure."], audio=True, models=given) as caller:
        await caller.says("What is on the menu?")
        await caller.interrupts("Wait a moment, please.", at_word=word)
        heard = caller.heard.split()
        assert heard == MENU.split()[: len(heard)]
        # Real voices have no word times: what was heard is an estimate, and so is the moment.
        assert abs(len(heard) - word) <= 2
        await caller.listens()
        assert caller.heard == "Sure."


async def test_a_cough_leaves_the_floor(models):
    given = await models(script={"hear": ["What is on the menu?", ""]})
    agent = Agent("Be brief.", turns=CALM)
    async with simulate(agent, replies=[MENU], audio=True, models=given) as caller:
        await caller.says("What is on the menu?")
        await caller.coughs(after=1.0)
        await caller.listens()
        assert caller.heard == MENU


async def test_a_voice_that_fails_is_told(models):
    given = await models(faults={"speak": [{"kind": "status", "status": 500}]})
    with pytest.raises(SimulationError, match="voice failed"):
        async with simulate(
            Agent("Be brief."), replies=["Yes."], audio=True, models=given
        ) as caller:
            await caller.says("Are you open?")


async def test_the_sandbox_is_started_when_nothing_is_given(monkeypatch, sandbox):
    monkeypatch.setenv("VIVAVOCE_SANDBOX_URL", sandbox.url)
    monkeypatch.setenv("VIVAVOCE_SANDBOX_KEY", sandbox.key)
    async with simulate(Agent("Be brief.", greeting="Good evening!"), audio=True) as caller:
        assert caller.heard == "Good evening!"
