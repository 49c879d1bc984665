"""What all four agents share, and none is counted for: the book, and what they are told.

It needs nothing but Python, because it is imported in each framework's own environment.
"""

from dataclasses import dataclass, field
from datetime import date, time

VOICE = "gb_jane_neutral"
HOST = """
You answer the phone at Chez Marie, a small French restaurant. Keep answers short.
We are open every evening from six to eleven, except on Mondays.
Parties of more than eight are for our colleague of events.
"""
GREETING = "Chez Marie, good evening! How can I help you?"
EVENTS = "You plan parties at Chez Marie. Ask for the day, the number of guests and the occasion."
EVENTS_GREETING = "This is Paul from events. What are you celebrating?"


@dataclass
class Book:
    """The reservations of the evening."""

    bookings: list[tuple[date, time, int, str]] = field(default_factory=list)

    def free(self, day: date, people: int) -> str:
        """Tell when a table is free."""
        if day.weekday() == 0 or people > 8:
            return "No table is free."
        taken = {at for on, at, _, _ in self.bookings if on == day}
        free = [at for at in (time(19), time(20), time(21, 30)) if at not in taken]
        return "Free at " + ", ".join(f"{at:%H:%M}" for at in free)

    def book(self, day: date, at: time, people: int, name: str) -> str:
        """Book a table."""
        if f"{at:%H:%M}" not in self.free(day, people):
            return "That table is taken."
        self.bookings.append((day, at, people, name))
        return f"Booked for {people} at {at:%H:%M}, {name}."
