"""Chez Marie takes reservations: an agent with tools, dependencies and a greeting."""

from dataclasses import dataclass, field
from datetime import date, time

from vivavoce.agent import Agent, Call

INSTRUCTIONS = """
You answer the phone at Chez Marie, a small French restaurant. Keep answers short.
We are open every evening from six to eleven, except on Mondays.
We are at twelve Harbour Street, next to the old theatre.
Our menu changes with the season. Tonight we start with onion soup and a salad of warm goat
cheese. The main courses are grilled sea bass, duck with oranges, and a mushroom risotto.
For dessert there is lemon tart, chocolate mousse, and a plate of cheese from the valley.
The mushroom risotto and the goat cheese salad are vegetarian.
"""

Booking = tuple[date, time, int, str]


@dataclass
class Book:
    """The reservation book."""

    bookings: list[Booking] = field(default_factory=list[Booking])

    def free(self, day: date, people: int) -> list[time]:
        if day.weekday() == 0 or people > 8:
            return []
        taken = {at for on, at, _, _ in self.bookings if on == day}
        return [at for at in (time(19, 0), time(20, 0), time(21, 30)) if at not in taken]


agent = Agent(
    INSTRUCTIONS,
    name="restaurant",
    voice="gb_jane_neutral",
    greeting="Chez Marie, good evening! How can I help you?",
    deps=Book,
)


@agent.tool(filler="Let me look.", timeout=8)
async def free_tables(call: Call[Book], day: date, people: int) -> str:
    """Find out when a table is free on an evening.

    Args:
        day: The day of the reservation.
        people: How many people will come.
    """
    free = call.deps.free(day, people)
    if not free:
        return f"No table for {people} people is free on {day:%A}."
    times = " and ".join(f"{at:%-I:%M}" for at in free)
    return f"A table for {people} is free on {day:%A} at {times}."


@agent.tool(interruptible=False)
async def book_table(call: Call[Book], day: date, at: time, people: int, name: str) -> str:
    """Book a table under a name.

    Args:
        day: The day of the reservation.
        at: The time of the reservation.
        people: How many people will come.
        name: The name for the booking.
    """
    if at not in call.deps.free(day, people):
        return f"Sorry, no table for {people} is free on {day:%A} at {at:%-I:%M}."
    call.deps.bookings.append((day, at, people, name))
    return f"Booked: a table for {people} on {day:%A} at {at:%-I:%M}, under the name {name}."
