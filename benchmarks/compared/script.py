"""The conversation that each agent is to hold: what the caller says, what the model answers."""

import json
import sys
from typing import Any

from benchmarks.compared.book import Book

LINES = (
    "Is a table for four free on the eighth of January?",
    "At eight then, under Smith.",
    "And we would like to have a party of twenty.",
)
DAY, TIME = "2027-01-08", "20:00"
LOOK = {"name": "free_tables", "arguments": {"day": DAY, "people": 4}}
BOOK = {
    "name": "book_table",
    "arguments": {"day": DAY, "at": TIME, "people": 4, "name": "Smith"},
}
HAND = {"name": "to_events", "arguments": {"wish": "a party of twenty"}}
ANSWERS: tuple[Any, ...] = (LOOK, "At seven, at eight or late.", BOOK, "It is booked.", HAND)
"""In the words of the sandbox's `script.think`; a text ends the caller's turn."""


def tell(book: Book, said: list[str], **more: Any) -> None:
    """Print what came of it, for `benchmarks.compared.run`."""
    booked = [[str(part) for part in one] for one in book.bookings]
    print(json.dumps({"booked": booked, "said": said, **more}))


def options() -> dict[str, Any]:
    """Return what the check was given: url, key."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    return given
