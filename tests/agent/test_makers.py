"""A tool that takes the call of another kind of agent is refused where it is defined."""

import functools
from typing import Annotated, Protocol, TypeVar

import pytest

from vivavoce.agent import Agent, AgentError, Call
from vivavoce.agent.makers import kind_of
from vivavoce.tools import tool


class Book:
    pass


class Diary(Book):
    pass


class Bank:
    pass


class Order:
    pass


class Free(Protocol):
    def free(self) -> int: ...


def bank() -> Bank:
    return Bank()


def unsaid():
    return Order()


def test_another_agents_deps_are_refused_by_name():
    agent = Agent("You take reservations.", deps=Book)
    with pytest.raises(AgentError) as refused:

        @agent.tool
        def balance(call: Call[Bank]) -> int:
            """Tell the balance."""
            return 3

    told = str(refused.value)
    assert "tool 'balance'" in told
    assert "test_makers.py" in told
    assert "deps are Bank" in told
    assert "this agent's are Book" in told
    assert "balance" not in agent.tools


def test_another_state_is_refused_and_tools_that_are_given_are_too():
    def note(call: Annotated[Call[Book, Order], "the call"]) -> None:
        """Note it."""

    Agent("Hi", deps=Book, state=Order, tools=[note])
    with pytest.raises(AgentError, match="state are Order, and this agent's are Bank"):
        Agent("Hi", deps=Book, state=Bank, tools=[note])
    with pytest.raises(AgentError, match="deps are Book, and this agent's are Bank"):
        Agent("Hi", deps=bank, state=Order, tools=[tool(note, context_type=Call)])


Some = TypeVar("Some")


def test_what_fits_or_may_fit_passes():
    agent = Agent("Hi", deps=Diary, state=unsaid)

    @agent.tool
    def of_more(call: Call[Book]) -> None:
        """A diary is a book."""

    @agent.tool
    def of_some(call: Call[Free, Bank]) -> None:
        """Nobody knows what an untyped function makes, and whether a class keeps a protocol."""

    @agent.tool
    def of_any(call: Call) -> None:
        """It looks at neither."""

    @agent.tool
    def generic(call: Call[Some]) -> None:
        """It takes whatever there is."""

    @agent.tool
    def either(call: Call[Book | Bank]) -> None:
        """It takes both."""

    @agent.tool
    def none_at_all(people: int) -> int:
        """Count.

        Args:
            people: How many.
        """
        return people

    assert len(list(agent.tools)) == 6


def test_what_a_maker_makes_is_known_where_it_says_so():
    assert kind_of(None) is None
    assert kind_of(Book) is Book
    assert kind_of(bank) is Bank
    assert kind_of(functools.partial(functools.partial(bank))) is Bank
    assert kind_of(unsaid) is None
    assert kind_of(list) is list
