"""The ledger: where each millisecond of a reply's delay went.

A reply's total runs from the caller's last voiced sample to the first audible sample that was
sent, both on one monotonic clock. What happened between the two is a chain of spans, some of
which overlapped (a reply may be thought out while the end of the turn is still being decided).
`account` splits the total over the stages so that the parts always sum to it exactly: each stage
is charged only for time that no earlier entry of the chain was already charged for. What a stage
spent beyond that was hidden behind another one and is shown as hidden.

All figures are whole microseconds, so that sums are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Stage = Literal["endpointing", "transcription", "thinking", "tools", "clause", "speech", "output"]

STAGES: tuple[Stage, ...] = (
    "endpointing",
    "transcription",
    "thinking",
    "tools",
    "clause",
    "speech",
    "output",
)
"""In the order in which a turn passes them.

endpointing: deciding that the caller has finished. transcription: the final text. thinking: the
model's first token. tools: running them. clause: gathering enough text to speak. speech: the
first audio of it. output: until the first audible sample was handed to the transport.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """One stage's work, from `start` to `end` (seconds on the call's clock)."""

    stage: Stage
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Part:
    """A stage's work as it was accounted for, in whole microseconds on the call's clock.

    Attributes:
        stage: Whose.
        start: When it began, or the caller's last voiced sample if that came later.
        end: When it ended, or the first audible sample if that came before.
        charged: What it added to the total.
    """

    stage: Stage
    start: int
    end: int
    charged: int


@dataclass(frozen=True, slots=True)
class Latency:
    """One reply's delay.

    Attributes:
        total: From the caller's last voiced sample to the first audible sample sent (µs).
        stages: What each stage added to the total (µs); sums to `total` exactly. Every stage is
            a key.
        hidden: What each stage worked at the same time as another that was charged (µs).
        parts: What the stages did, in causal order; the last one is the output, to which what is
            left is charged. Their charges sum to `stages`. Empty where it was read from a record.
        stopped: The caller's last voiced sample (µs on the call's clock).
    """

    total: int
    stages: Mapping[Stage, int]
    hidden: Mapping[Stage, int]
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)
    stopped: int = field(default=0, compare=False, repr=False)

    @property
    def total_ms(self) -> float:
        """The total in milliseconds."""
        return self.total / 1000

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON: µs throughout."""
        return {
            "total_us": self.total,
            "stages_us": dict(self.stages),
            "hidden_us": {stage: value for stage, value in self.hidden.items() if value},
        }


def account(stopped: float, audible: float, spans: Iterable[Span]) -> Latency:
    """Split the time between two moments over the stages.

    Args:
        stopped: When the caller's last voiced sample was heard (s).
        audible: When the first audible sample of the reply was sent (s); earlier than `stopped`
            counts as no delay at all.
        spans: What was done in between, in causal order: each needed the ones before it. The
            decision that the turn was over stands first, since nothing is played before it.

    Returns:
        The latency, whose stages sum to its total to the microsecond. Time that no span
        accounts for (hand-overs, waiting for the next frame) is charged to `output`.
    """
    start = _us(stopped)
    end = max(start, _us(audible))
    stages: dict[Stage, int] = dict.fromkeys(STAGES, 0)
    hidden: dict[Stage, int] = dict.fromkeys(STAGES, 0)
    parts: list[Part] = []
    frontier = start
    for span in spans:
        begun = min(max(_us(span.start), start), end)
        done = min(max(_us(span.end), begun), end)
        visible = max(0, done - max(frontier, begun))
        stages[span.stage] += visible
        hidden[span.stage] += max(0, (done - begun) - visible)
        parts.append(Part(span.stage, begun, done, visible))
        frontier = max(frontier, done)
    rest = end - start - sum(stages.values())
    stages["output"] += rest
    parts.append(Part("output", frontier, end, rest))
    return Latency(end - start, stages, hidden, tuple(parts), start)


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0–1) of the values do not exceed (nearest rank).

    Raises:
        ValueError: If there are no values, or `share` is not within 0–1.
    """
    if not values:
        raise ValueError("no values to take a percentile of")
    if not 0 <= share <= 1:
        raise ValueError(f"a percentile's share is within 0 and 1, not {share}")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


FEW = 200
"""Tokens up to which a call has no share of wasted ones yet."""


@dataclass(slots=True)
class Speculation:
    """What was begun on a guess, and what came of it.

    Attributes:
        guesses: Replies begun before the turn was decided.
        hits: Guesses that came true.
        requests: Requests to the chat model, all told.
        tokens: Pieces of text that the chat model wrote, all told.
        wasted_tokens: Of these, for guesses that did not come true.
    """

    guesses: int = 0
    hits: int = 0
    requests: int = 0
    tokens: int = 0
    wasted_tokens: int = 0

    @property
    def waste(self) -> float:
        """Share of the tokens that were wasted (0–1); 0 before there are `FEW`."""
        return self.wasted_tokens / self.tokens if self.tokens >= FEW else 0.0

    def to_dict(self) -> dict[str, int]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(slots=True)
class Health:
    """How well the call ran, beside the delays of its replies.

    Attributes:
        reactions: Of each reply that the caller cut: from the caller's first voiced sample to
            the last sample sent (ms).
        partials: Of each utterance: from its first voiced sample to the first words that were
            understood of it (ms).
        underruns: How often the agent's speech paused because its synthesiser fell behind.
        lag: How late the event loop was, in percentiles by name (ms); empty until the call ends.
    """

    reactions: list[float] = field(default_factory=list)
    partials: list[float] = field(default_factory=list)
    underruns: int = 0
    lag: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON: percentiles in ms."""
        return {
            "reaction_ms": percentiles(self.reactions),
            "partial_ms": percentiles(self.partials),
            "underruns": self.underruns,
            "loop_lag_ms": self.lag,
        }


def percentiles(
    values: Sequence[float], shares: Sequence[float] = (0.5, 0.95, 0.99, 1.0)
) -> dict[str, float]:
    """Return percentiles by name ("p50"; the largest is "max"), to 0.1; empty without values."""
    return {
        "max" if share == 1 else f"p{share * 100:g}": round(percentile(values, share), 1)
        for share in shares
        if values
    }


@dataclass(frozen=True, slots=True)
class Switch:
    """A provider took over from one that failed.

    Attributes:
        stage: Whose ("hearing", "thinking", "speaking").
        provider: Who serves from then on.
        why: What the one before it failed with, in a line.
        at: In seconds since the call began.
        kind: Which class of failure that was ("timeout"); "" where nobody told.
    """

    stage: str
    provider: str
    why: str
    at: float
    kind: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "at": round(self.at, 3)}


@dataclass(slots=True)
class Request:
    """One request to a provider of thinking or speaking. Times are seconds on the call's clock.

    Attributes:
        stage: Whose ("thinking", "speaking").
        provider: Who was asked.
        began: When it was sent.
        first: When the first piece of its answer came; None: none did.
        ended: When it was over; None while it is not.
        outcome: "whole", "cut" where nobody wanted the rest, or the class of failure ("timeout").
        prompt: Tokens that were read.
        completion: Tokens that were written.
        characters: Characters that were to be spoken.
    """

    stage: str
    provider: str
    began: float
    first: float | None = None
    ended: float | None = None
    outcome: str = ""
    prompt: int = 0
    completion: int = 0
    characters: int = 0


@dataclass(slots=True)
class Ledger:
    """The latencies of one call, or of many, what guessing cost, and how well it ran.

    Attributes:
        latencies: Of each reply that answers a turn.
        served: Who served each of these turns, by stage, in the same order.
        switches: When one provider took over from another.
        requests: What was asked of the providers of thinking and speaking.
        speculation: What guessing cost.
        health: How well it ran beside.
    """

    latencies: list[Latency] = field(default_factory=list)
    served: list[dict[str, str]] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    speculation: Speculation = field(default_factory=Speculation)
    health: Health = field(default_factory=Health)

    def add(self, latency: Latency, served: Mapping[str, str] | None = None) -> None:
        """Enter one reply, and who served its turn, by stage."""
        self.latencies.append(latency)
        self.served.append(dict(served or {}))

    @property
    def providers(self) -> dict[str, dict[str, int]]:
        """How many of the turns each provider served, by stage."""
        found: dict[str, dict[str, int]] = {}
        for turn in self.served:
            for stage, provider in turn.items():
                counted = found.setdefault(stage, {})
                counted[provider] = counted.get(provider, 0) + 1
        return found

    def percentiles(self, shares: Sequence[float] = (0.5, 0.95, 0.99)) -> dict[str, float]:
        """Return the totals' percentiles in ms by name ("p50"); empty when nothing was entered."""
        return percentiles([latency.total_ms for latency in self.latencies], shares)
