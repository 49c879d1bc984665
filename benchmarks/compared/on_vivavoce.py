"""Chez Marie on Viva Voce."""

from datetime import date, time

from benchmarks.compared.book import EVENTS, EVENTS_GREETING, GREETING, HOST, VOICE, Book
from vivavoce.agent import Agent, Call, HandOff

agent = Agent(HOST, name="host", voice=VOICE, greeting=GREETING, deps=Book)
events = Agent(EVENTS, name="events", voice=VOICE, greeting=EVENTS_GREETING, deps=Book)


@agent.tool
async def free_tables(call: Call[Book], day: date, people: int) -> str:
    """Find out when a table is free on an evening.

    Args:
        day: The evening asked for.
        people: How many will come.
    """
    return call.deps.free(day, people)


@agent.tool(interruptible=False)
async def book_table(call: Call[Book], day: date, at: time, people: int, name: str) -> str:
    """Book a table.

    Args:
        day: The evening.
        at: The time.
        people: How many will come.
        name: The name for the booking.
    """
    return call.deps.book(day, at, people, name)


@agent.tool
async def to_events(wish: str) -> HandOff:
    """Hand over to the colleague for parties of more than eight.

    Args:
        wish: What the caller wants.
    """
    return HandOff(events, note=wish)


# -- running it: vivavoce talk | chat | dev | phone | run  on_vivavoce.py:agent
