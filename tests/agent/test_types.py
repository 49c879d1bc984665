"""What type checkers say of users' agents: right code passes, wrong code does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api as mypy

from tests.checkers import by_line, run_pyright

ROOT = Path(__file__).parents[2]

# `#!` marks a line that both checkers refuse.
SNIPPET = """
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date as day
from typing import assert_type

from vivavoce.agent import Agent, Call, HandOff, Limits, Refuse, Speech, Turns
from vivavoce.agent import choice, date, digits, free_text, yes_no
from vivavoce.agent.control import end_call


class Book:
    async def free(self, people: int) -> list[str]:
        return ["x"] * people


@dataclass
class Order:
    people: int = 0


agent = Agent(
    "Hello.",
    deps=Book,
    state=Order,
    tools=[end_call],
    turns=Turns(eager=False),
    speech=Speech(ahead=2),
    limits=Limits(tool_rounds=2),
)
assert_type(agent, Agent[Book, Order])
plain = Agent("Hello.")
dynamic = Agent(lambda call: f"For {call.id}.", languages=["en", "fr"])


@agent.tool(filler="Let me look.", timeout=8)
async def free_tables(call: Call[Book, Order], people: int) -> list[str]:
    '''Find.

    Args:
        people: How many.
    '''
    call.state.people = people
    return await call.deps.free(people)


@plain.tool
def hand_over(call: Call) -> HandOff:
    '''Hand over.'''
    return HandOff(agent, keep_history=False)


@agent.lifespan
async def live(call: Call[Book, Order]) -> AsyncIterator[None]:
    assert_type(call.deps, Book)
    assert_type(call.state, Order)
    yield


@agent.check_reply
def kind(call: Call[Book, Order], clause: str) -> Refuse | None:
    return None


async def use(call: Call[Book, Order]) -> None:
    assert_type(await call.ask("Pin?", digits(4)), str)
    assert_type(await call.ask("Right?", yes_no()), bool)
    assert_type(await call.ask("When?", date()), day)
    assert_type(await call.ask("Which?", choice({1: "red", 2: "white"})), int)
    assert_type(await call.ask("What?", free_text()), str)
    async for event in call.events:
        print(event.at)
    call.state.poeple  #! wrong
    call.deps.full  #! wrong
    await call.ask("Pin?", 4)  #! wrong
    await call.say(5)  #! wrong


Agent(turns=Limits())  #! wrong
Agent(limits=5)  #! wrong
Agent(voices="x")  #! wrong
HandOff("billing")  #! wrong
"""
WRONG = {n for n, line in enumerate(SNIPPET.splitlines(), 1) if line.endswith("#! wrong")}


@pytest.fixture
def snippet(tmp_path):
    (tmp_path / "snippet.py").write_text(SNIPPET)
    # As an installed package would be found.
    links = tmp_path / "links" / "vivavoce"
    links.mkdir(parents=True)
    for room in ("agent", "tools"):
        (links / room).symlink_to(ROOT / room)
    return tmp_path


def test_mypy(snippet):
    config = snippet / "mypy.ini"
    config.write_text(
        f"[mypy]\nstrict = true\nmypy_path = {snippet / 'links'}\n"
        "namespace_packages = true\nexplicit_package_bases = true\n"
    )
    said, failed, _ = mypy.run(
        [
            *("--config-file", str(config), "--cache-dir", str(snippet / "cache")),
            *("--follow-imports", "silent", "--no-error-summary", "--hide-error-context"),
            str(snippet / "snippet.py"),
        ]
    )
    assert not failed, failed
    found = {int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line}
    assert found == WRONG, said


def test_pyright(snippet):
    errors = run_pyright(snippet, "snippet.py", "standard")
    assert set(by_line(errors)) == WRONG, errors
