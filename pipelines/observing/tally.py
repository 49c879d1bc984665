"""A tally: what was counted of one call, so that each figure of its ledger is counted once. Pure.

A call's ledger, usage and transcript grow while it goes on. `Tally.take` returns what has come
since it was last asked, at any time and as often as one likes: what it returned adds up to what
the call says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vivavoce.agent.call import Call
from vivavoce.agent.ledger import Latency, Request, Speculation, Switch
from vivavoce.agent.prices import Price, price_of
from vivavoce.agent.spending import spent
from vivavoce.agent.transcript import Entry, Failure, ToolUse
from vivavoce.agent.usage import Usage

SERVED = {"transcription": "hearing", "thinking": "thinking", "speech": "speaking"}
"""Whose provider each stage of a latency waited for; the others wait for nobody."""
TAIL = 32
"""Entries of a transcript by which it is known where the new ones begin. Only the latest replies
are ever dropped."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An answered turn: its latency, and who served it by stage."""

    latency: Latency
    served: Mapping[str, str]


@dataclass(slots=True)
class Gain:
    """What has come since the last time.

    Attributes:
        turns: Answered turns.
        reactions: Of replies that were cut: until they were silent (s).
        partials: Of utterances: until their first words (s).
        requests: Requests to providers that are over.
        switches: Providers that took over.
        failures: What went wrong.
        tools: Tools that gave a result or failed.
        underruns: How often speech paused.
        speculation: What guessing cost.
        usage: What was taken from the models.
        costs: What that cost, by model (USD).
    """

    turns: list[Turn] = field(default_factory=list)
    reactions: list[float] = field(default_factory=list)
    partials: list[float] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    tools: list[ToolUse] = field(default_factory=list)
    underruns: int = 0
    speculation: Speculation = field(default_factory=Speculation)
    usage: Usage = field(default_factory=Usage)
    costs: dict[str, float] = field(default_factory=dict)


class Tally:
    """Counts one call.

    Args:
        call: The call.
        prices: By model; `vivavoce.agent.prices.PRICES` if None.

    Attributes:
        unpriced: Models of the call whose price is not known.
    """

    def __init__(self, call: Call[Any], prices: Mapping[str, Price] | None = None) -> None:
        self._call, self._prices = call, prices
        self._turns = self._reactions = self._partials = 0
        self._switches = self._underruns = 0
        self._requests: set[int] = set()  # those that are over, by place
        self._begun = 0  # before it all requests are over
        self._tail: list[Entry] = []
        self._running: list[ToolUse] = []
        self._speculation = Speculation()
        self._usage = Usage()
        self._costs: dict[str, float] = {}
        self.unpriced: frozenset[str] = frozenset()

    def take(self) -> Gain:
        """Return what has come since the last time."""
        ledger, health = self._call.ledger, self._call.ledger.health
        gain = Gain(
            turns=[
                Turn(*each)
                for each in zip(
                    ledger.latencies[self._turns :], ledger.served[self._turns :], strict=True
                )
            ],
            reactions=[ms / 1000 for ms in health.reactions[self._reactions :]],
            partials=[ms / 1000 for ms in health.partials[self._partials :]],
            requests=self._ended(),
            switches=ledger.switches[self._switches :],
            underruns=health.underruns - self._underruns,
            speculation=self._guessed(),
            usage=self._used(),
            costs=self._paid(),
        )
        self._look_through(gain)
        self._turns = len(ledger.latencies)
        self._reactions, self._partials = len(health.reactions), len(health.partials)
        self._switches, self._underruns = len(ledger.switches), health.underruns
        return gain

    def _ended(self) -> list[Request]:
        """Return the requests that are over and were not told, in the order of their beginning."""
        requests = self._call.ledger.requests
        found = []
        for place in range(self._begun, len(requests)):
            if requests[place].ended is not None and place not in self._requests:
                self._requests.add(place)
                found.append(requests[place])
        while self._begun in self._requests:
            self._requests.discard(self._begun)
            self._begun += 1
        return found

    def _look_through(self, gain: Gain) -> None:
        for entry in self._fresh():
            if isinstance(entry, Failure):
                gain.failures.append(entry)
            elif isinstance(entry, ToolUse):
                self._running.append(entry)
        gain.tools = [use for use in self._running if use.seconds is not None]
        self._running = [use for use in self._running if use.seconds is None]

    def _fresh(self) -> list[Entry]:
        """Return the entries that have come; places tell nothing, for some are dropped."""
        entries = self._call.transcript.entries
        known = {id(entry) for entry in self._tail}
        fresh = []
        for entry in reversed(entries):  # a long call's are not gone through each time
            if id(entry) in known:
                break
            fresh.append(entry)
        self._tail = entries[-TAIL:]
        return fresh[::-1]

    def _guessed(self) -> Speculation:
        now, before = self._call.ledger.speculation, self._speculation
        self._speculation = Speculation(**now.to_dict())
        return Speculation(
            **{name: value - getattr(before, name) for name, value in now.to_dict().items()}
        )

    def _used(self) -> Usage:
        now, before = self._call.usage, self._usage
        names = now.__slots__
        self._usage = Usage(**{name: getattr(now, name) for name in names})
        return Usage(**{name: getattr(now, name) - getattr(before, name) for name in names})

    def _paid(self) -> dict[str, float]:
        paid: dict[str, float] = {}
        unknown: set[str] = set()
        call = self._call
        for name, usage in spent(call.usage, call.models, call.ledger).items():
            price = price_of(name, self._prices)
            model = name.partition(" at ")[0]
            if price is not None:
                paid[model] = paid.get(model, 0.0) + price.of(usage)
            elif usage != Usage():
                unknown.add(model)
        self.unpriced = frozenset(unknown)
        before, self._costs = self._costs, paid
        return {model: cost - before.get(model, 0.0) for model, cost in paid.items()}
