"""A hotel's concierge: it follows the caller's language, with a voice for each."""

from dataclasses import dataclass, field
from datetime import time
from typing import Literal

from vivavoce.agent import Agent, Call
from vivavoce.agent.control import set_language

Service = Literal["taxi", "breakfast", "wake-up call", "towels"]


@dataclass
class Desk:
    """What the guests have asked for."""

    orders: list[tuple[Service, str, time]] = field(default_factory=list[tuple[Service, str, time]])


agent = Agent(
    "You are the concierge of the Harbour Hotel. Today is {today}. Breakfast is from seven to ten,"
    " on the terrace. The pool is open until nine. Repeat times and rooms when you note something.",
    name="concierge",
    languages=["en", "fr", "de", "es"],
    voice={"en": "gb_jane_neutral", "fr": "fr_marie_neutral"},
    greeting="Harbour Hotel, bonjour and good evening!",
    deps=Desk,
    tools=[set_language],
)


@agent.tool
async def order(call: Call[Desk], service: Service, room: str, at: time) -> str:
    """Note an order of a guest.

    Args:
        service: What they want.
        room: The number of their room.
        at: When, in the 24-hour clock.
    """
    call.deps.orders.append((service, room, at))
    call.remember("room", room)
    return f"Noted: {service}, room {room}, {at:%H:%M}."
