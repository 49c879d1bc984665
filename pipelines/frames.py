"""The frames that carry a conversation, beside pipecat's own.

Each is a kind of the pipecat frame that means the same, so that pipecat's observers, RTVI and
processors of a user's own see what they know.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipecat.frames.frames import (
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    SystemFrame,
    TranscriptionFrame,
)

from vivavoce.agent.ledger import Span
from vivavoce.agent.transcript import Reply, Utterance


@dataclass
class CallerTurnFrame(TranscriptionFrame):
    """The caller's turn is over, and the agent is to answer.

    Attributes:
        utterance: What was said.
        stopped: The last voiced sample's time (s on the call's clock).
        spans: What deciding and transcribing took.
    """

    utterance: Utterance = field(default_factory=lambda: Utterance("", 0, 0))
    stopped: float = 0.0
    spans: tuple[Span, ...] = ()


@dataclass
class HoldFrame(SystemFrame):
    """The reply falls silent at this sample, and is kept."""


@dataclass
class ResumeFrame(SystemFrame):
    """The reply goes on from the sample where it was held."""


@dataclass
class ReplyStartFrame(LLMFullResponseStartFrame):
    """A reply begins.

    Attributes:
        reply: The reply, which fills as it is made and heard.
        stopped: The caller's last voiced sample's time if it answers a turn (s).
        protected: The caller may not cut it.
    """

    reply: Reply = field(default_factory=Reply)
    stopped: float | None = None
    protected: bool = False


@dataclass
class ReplyTextFrame(LLMTextFrame):
    """A piece of a reply's text.

    Attributes:
        reply: Which reply.
        spans: What had to be done before this text was there, in causal order.
    """

    reply: Reply = field(default_factory=Reply)
    spans: tuple[Span, ...] = ()


@dataclass
class ReplyEndFrame(LLMFullResponseEndFrame):
    """All of a reply's text was given."""

    reply: Reply = field(default_factory=Reply)
