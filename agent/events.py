"""What happens in a call, as it happens. `at` is in seconds since the call began."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import Failure, HandOver, Reply, ToolUse, Utterance
from vivavoce.agent.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at `at` (seconds since the call began)."""

    at: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON: `event` is the class's name in snake case."""
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in type(self).__name__)
        row: dict[str, Any] = {"event": name.lstrip("_"), "at": round(self.at, 3)}
        for field in dataclasses.fields(self):
            if field.name != "at":
                value = getattr(self, field.name)
                row[field.name] = value.to_dict() if hasattr(value, "to_dict") else value
        return row


@dataclass(frozen=True, slots=True)
class CallStarted(Event):
    """The line is open."""

    call: str


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The call goes on after its server was lost; nobody was there for `away` seconds."""

    call: str
    away: float


@dataclass(frozen=True, slots=True)
class CallerStarted(Event):
    """The caller has begun to speak."""


@dataclass(frozen=True, slots=True)
class CallerStopped(Event):
    """The caller has gone silent; whether the turn is over is not decided yet."""


@dataclass(frozen=True, slots=True)
class CallerPartial(Event):
    """What has been understood of the caller's turn so far."""

    text: str


@dataclass(frozen=True, slots=True)
class CallerSaid(Event):
    """The caller's turn is over."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class AgentStarted(Event):
    """The first audible sample of a reply was sent."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class AgentSaid(Event):
    """A reply is over: played to its end, or cut (`reply.interrupted`)."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class ToolStarted(Event):
    """A tool begins to run."""

    use: ToolUse


@dataclass(frozen=True, slots=True)
class ToolEnded(Event):
    """A tool gave its result, failed, ran out of time or was interrupted."""

    use: ToolUse


@dataclass(frozen=True, slots=True)
class KeyPressed(Event):
    """The caller pressed a key: 0 to 9, "*", "#" or A to D."""

    key: str


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """The application at the caller's end sent a message (JSON)."""

    message: Any


@dataclass(frozen=True, slots=True)
class SegmentChanged(Event):
    """A segment of an interpreted session is new, or `segment.state` or its caption has changed."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class HandedOff(Event):
    """Another agent took the call over."""

    handoff: HandOver


@dataclass(frozen=True, slots=True)
class TransferMoved(Event):
    """A transfer has begun, or come further: `transfer.state` says how far."""

    transfer: Transfer


@dataclass(frozen=True, slots=True)
class LanguageChanged(Event):
    """The agent speaks another language from now on."""

    language: str


@dataclass(frozen=True, slots=True)
class HoldStarted(Event):
    """The caller is on hold: what they say is not answered."""


@dataclass(frozen=True, slots=True)
class HoldEnded(Event):
    """The caller is back."""


@dataclass(frozen=True, slots=True)
class Checked(Event):
    """A check did not let a text pass.

    Attributes:
        what: "heard" or "reply".
        text: What it was given.
        instead: What took its place.
        refused: Whether it was refused, not merely replaced.
        why: What went wrong where the check itself failed; empty otherwise.
    """

    what: str
    text: str
    instead: str
    refused: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """Something went wrong; the call copes."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """The line is closed."""

    reason: str
