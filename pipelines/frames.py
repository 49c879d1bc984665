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
        guess: Set when it is not decided yet that the turn is over: the reply is to be made, and
            neither heard nor acted on before a `CommitFrame` with the same number.
    """

    utterance: Utterance = field(default_factory=lambda: Utterance("", 0, 0))
    stopped: float = 0.0
    spans: tuple[Span, ...] = ()
    guess: int | None = None


@dataclass
class CommitFrame(SystemFrame):
    """A guess came true.

    Attributes:
        guess: Its number.
        stopped: The last voiced sample's time (s on the call's clock).
        spans: What deciding and transcribing took.
    """

    guess: int
    stopped: float
    spans: tuple[Span, ...]


@dataclass
class DropFrame(SystemFrame):
    """A guess was wrong: what was made on it is thrown away.

    Attributes:
        guess: Its number.
    """

    guess: int


@dataclass
class DuckFrame(SystemFrame):
    """The caller may be speaking: the reply is lowered, or raised again.

    Attributes:
        on: Lowered.
    """

    on: bool


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
        spans: What deciding and transcribing took.
        guess: The guess that it is made on, until that comes true.
        protected: The caller may not cut it.
    """

    reply: Reply = field(default_factory=Reply)
    stopped: float | None = None
    spans: tuple[Span, ...] = ()
    guess: int | None = None
    protected: bool = False


@dataclass
class ReplyTextFrame(LLMTextFrame):
    """A piece of a reply's text.

    Attributes:
        reply: Which reply.
        spans: What the mind did before this text was there, in causal order.
    """

    reply: Reply = field(default_factory=Reply)
    spans: tuple[Span, ...] = ()


@dataclass
class ReplyEndFrame(LLMFullResponseEndFrame):
    """All of a reply's text was given."""

    reply: Reply = field(default_factory=Reply)
