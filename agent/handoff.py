"""The hand-off: another agent takes the call over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vivavoce.agent.agent import Agent


@dataclass(frozen=True, slots=True)
class HandOff:
    """Return it from a tool, and another agent goes on with the call.

    From the next reply on its instructions, voice and tools count. Where it has a greeting, it
    says that; otherwise its model speaks first.

    Attributes:
        agent: Who takes over.
        keep_history: Whether its model is told what was said before.
        note: What its model is told of the caller's wish; what matters where the history is not
            kept.
    """

    agent: Agent[Any, Any]
    keep_history: bool = True
    note: str = ""

    def __tool_result__(self) -> str:
        """Say it to a model that sees the history."""
        note = f" Note: {self.note}" if self.note else ""
        return f"The call was handed over to {self.agent.name}, who speaks from now on.{note}"
