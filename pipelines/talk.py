"""A talk: a call that a transport carries, as whoever serves it sees it."""

from __future__ import annotations

from typing import Any, Protocol

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.transport import Carried


class Talk(Carried, Protocol):
    """A conversation with an agent, or a seat in an interpreted session.

    Servers, records and command lines go by this, and need not know which of the two it is.
    """

    playout: float
    """How long after its arrival sound is heard, as the client says (s)."""

    @property
    def call(self) -> Call[Any]:
        """The call's public face."""

    @property
    def clock(self) -> Clock:
        """What stamps everything in it."""

    @property
    def agent(self) -> Agent[Any]:
        """Who speaks now; of an interpreter, its `facade`."""

    def now(self) -> float:
        """Return the seconds since the call began."""

    def use(self, agent: Agent[Any]) -> None:
        """Have a newer version of the agent go on with the call, where that can be."""

    def note_heard(self) -> None:
        """Bring what was heard of what is being said up to now, for who follows the call."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End the call, after what is being said where asked."""

    async def run(self) -> Call[Any]:
        """Carry the call to its end and return it.

        Cancelling it ends the call; the cancellation goes on.

        Raises:
            RuntimeError: If the pipeline does not start.
        """
