from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from vivavoce.agent import Agent
from vivavoce.agent.testing import call_tool, say
from vivavoce.agent.testing.personas import DONE, Persona, judge, rehearse
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint

HUNGRY = Persona("You want a table for four.", "in a hurry", name="hungry")
CRITERIA = judge("A table was booked", "The agent was <polite> & quick")


@pytest.fixture
def agent():
    agent = Agent("You take reservations for a restaurant.", greeting="Good evening!")

    @agent.tool
    def book_table(people: int) -> str:
        """Book a table.

        Args:
            people: How many will come.
        """
        return f"Booked: a table for {people}."

    return agent


def replies():
    return [call_tool("book_table", people=4), say("It is booked."), say("Goodbye.")]


def player(messages):
    """A caller's model that goes by what it hears, as a real one does."""
    assert "in a hurry" in messages[0]["content"]
    heard = messages[-1]["content"]
    if "evening" in heard:
        return "A table for four, please."
    return f"Thanks, goodbye. {DONE}"


def verdict(*passed: bool) -> str:
    rows = [
        {"number": number, "passed": each, "why": "as it is written"}
        for number, each in enumerate(passed, 1)
    ]
    return f"Here you are: {json.dumps({'verdicts': rows})}"


async def test_calls_are_held_and_judged(agent):
    judged = []

    async def decide(messages):
        judged.append(messages)
        return verdict(True, True)

    report = await rehearse(
        agent,
        [HUNGRY],
        criteria=CRITERIA,
        calls=5,
        at_once=3,
        replies=replies,
        caller_model=player,
        judge_model=decide,
    )
    assert report.pass_rate == 1.0
    assert [each.number for each in report.rehearsals] == [1, 2, 3, 4, 5]
    assert all(each.turns == 2 for each in report.rehearsals)
    system, account = judged[0]
    assert "1. A table was booked" in system["content"]
    assert 'tool call: book_table({"people": 4}) -> Booked: a table for 4.' in account["content"]
    assert "heard: It is booked." in account["content"]
    assert "5 of 5 calls passed" in str(report)


async def test_what_fails_is_counted_and_shown(agent, tmp_path):
    answers = iter([verdict(True, False), "no JSON", "none either", verdict(True, True)])
    report = await rehearse(
        agent,
        [HUNGRY],
        criteria=CRITERIA,
        calls=3,
        at_once=1,
        replies=replies,
        caller_model=player,
        judge_model=lambda _: next(answers),
    )
    assert report.pass_rate == pytest.approx(1 / 3)
    assert report.criteria == {
        "A table was booked": pytest.approx(2 / 3),
        "The agent was <polite> & quick": pytest.approx(1 / 3),
    }
    assert report.rehearsals[1].problems[0].endswith("the judge did not say")
    report.write(html=tmp_path / "out" / "r.html", junit=tmp_path / "out" / "r.xml")
    page = (tmp_path / "out" / "r.html").read_text("utf-8")
    assert "33 % of the calls passed (1 of 3)" in page
    assert "&lt;polite&gt; &amp; quick" in page
    assert "<polite>" not in page
    assert page.count("<details open>") == 2
    suite = ET.fromstring((tmp_path / "out" / "r.xml").read_text("utf-8")).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "0")
    assert len(suite.findall("testcase/failure")) == 2
    assert "It is booked." in (suite.findtext("testcase/system-out") or "")


async def test_a_call_that_breaks_off_is_an_error_and_the_others_go_on(agent):
    scripts = iter([[], replies()])
    report = await rehearse(
        agent,
        [HUNGRY],
        criteria=CRITERIA,
        calls=2,
        at_once=1,
        replies=lambda: next(scripts),
        caller_model=player,
        judge_model=lambda _: verdict(True, True),
    )
    broken, fine = report.rehearsals
    assert "SimulationError" in broken.error
    assert "A table for four" in broken.drawing
    assert fine.passed
    assert 'errors="1"' in report.junit()


async def test_a_persona_gives_up_and_one_that_says_nothing_fails(agent):
    async def run(persona, talk):
        report = await rehearse(
            agent,
            [persona],
            criteria=CRITERIA,
            replies=lambda: lambda messages, tools: "What else?",
            caller_model=talk,
            judge_model=lambda _: verdict(True, True),
        )
        return report.rehearsals[0]

    patient = Persona("You never have enough.", turns=3)
    assert (await run(patient, lambda _: "And then?")).turns == 3
    assert "said nothing" in (await run(patient, lambda _: "...")).error
    # They may hang up without a word.
    silent = await run(patient, lambda _: DONE)
    assert silent.passed
    assert silent.turns == 0


async def test_the_sandboxs_model_plays_the_agent(agent, profile):
    key = profile()
    where = Endpoint(key.url, key.key, "embedded-rules")
    async with Models.connect(hear=where, think=where, speak=where) as models:
        report = await rehearse(
            agent,
            [HUNGRY, Persona("You want soup.", "in a hurry")],
            criteria=CRITERIA,
            calls=2,
            models=models,
            caller_model=player,
            judge_model=lambda messages: verdict("Booked" in messages[1]["content"], True),
        )
    assert report.pass_rate == 1.0
    assert len(report.rehearsals) == 4


async def test_models_are_asked_for_what_nobody_else_answers(agent, profile):
    said = ["A table for four, please.", f"Bye. {DONE}"]
    key = profile(script={"think": [*said, verdict(True, True)]})
    where = Endpoint(key.url, key.key, "mistral-small-latest")
    async with Models.connect(hear=where, think=where, speak=where) as models:
        report = await rehearse(agent, [HUNGRY], criteria=CRITERIA, models=models, replies=replies)
    assert report.pass_rate == 1.0, str(report)


async def test_wrong_use_is_refused(agent):
    with pytest.raises(ValueError, match="caller_model= and judge_model="):
        await rehearse(agent, [HUNGRY], criteria=CRITERIA, caller_model=player)
    with pytest.raises(ValueError, match="at least one persona"):
        await rehearse(agent, [], criteria=CRITERIA)
    with pytest.raises(ValueError, match="what must be true"):
        judge()
    with pytest.raises(ValueError, match="who calls"):
        Persona(" ")
    with pytest.raises(ValueError, match="1 or more"):
        Persona("You want soup.", turns=0)
