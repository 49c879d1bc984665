from __future__ import annotations

import re
from datetime import date

import pytest

from vivavoce.agent import Agent
from vivavoce.agent.testing import Caller, call_tool, expect, say, simulate


@pytest.fixture
def agent():
    agent = Agent("Be brief.")

    @agent.tool
    def book(day: date, people: int) -> str:
        """Book a table.

        Args:
            day: When.
            people: How many.
        """
        return "booked"

    return agent


@pytest.fixture
async def caller(agent) -> Caller:
    replies = [
        call_tool("book", day=date(2030, 5, 4), people=4),
        say("Your table is booked."),
        say("Goodbye, and thank you."),
    ]
    async with simulate(agent, replies=replies) as caller:
        await caller.says("A table for four.")
        await caller.says("Thanks.")
        await caller.interrupts("Bye.", at_word=2)
    return caller


def test_what_holds_passes_and_chains(caller):
    (
        expect(caller)
        .tool("book")
        .tool("book", people=4, times=1)
        .tool("book", day=date(2030, 5, 4))
        .no_tool("cancel")
        .said("table is booked")
        .said(re.compile(r"^Your .* booked\.$"))
        .not_said("sorry")
        .within(3000)
        .interrupted("Goodbye, and")
        .no_failures()
        .ended("hung up")
    )


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda e: e.tool("book", people=5), r"book\(people=5\); the calls were:\n  book\(\{"),
        (lambda e: e.tool("cancel"), r"cancel\(\)"),
        (lambda e: e.tool("book", times=2), r"2 time\(s\), found 1"),
        (lambda e: e.no_tool(), "expected no call of any tool"),
        (lambda e: e.no_tool("book"), "expected no call of book"),
        (lambda e: e.said("nothing of it"), r"heard was:\n  'Your table is booked.'"),
        (lambda e: e.not_said("booked"), "not to say 'booked'"),
        (lambda e: e.within(1), r'ms after "A table for four\."'),
        (lambda e: e.handed_off("waiter"), "there was none"),
        (lambda e: e.interrupted("Your"), r"cut were: \['Goodbye, and'\]"),
        (lambda e: e.ended("limit"), "it ended because 'the caller hung up'"),
    ],
)
def test_what_does_not_hold_is_explained(caller, check, message):
    with pytest.raises(AssertionError, match=message):
        check(expect(caller))


async def test_failures_and_an_open_call_are_told(agent):
    async with simulate(agent, replies=[call_tool("book", people="many"), "Sorry?"]) as caller:
        await caller.says("A table, please.")
        expect(caller).no_failures()  # a wrong argument is the model's to repair
        with pytest.raises(AssertionError, match="it goes on"):
            expect(caller).ended()
        with pytest.raises(AssertionError, match="cut were: none"):
            expect(caller).interrupted()
