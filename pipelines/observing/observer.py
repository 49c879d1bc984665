"""The observer: follows the calls of a process, for its metrics and its traces.

A call costs it nothing while it goes on: the meter looks into the ledgers when somebody asks, and
when a call ends. Only where traces are made is a call's course followed.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from vivavoce.agent.call import Call
from vivavoce.agent.events import AgentSaid, AgentStarted, Failed
from vivavoce.agent.prices import Price
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.lag import LoopLag
from vivavoce.pipelines.observing.logs import traces
from vivavoce.pipelines.observing.meter import Meter, end_of
from vivavoce.pipelines.observing.spans import Trail
from vivavoce.pipelines.observing.tally import Tally
from vivavoce.pipelines.observing.traces import CallTrace, Tracer
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

FAILED = frozenset({"models", "agent_failed", "lost"})
"""Classes of a call's end that are an error in its trace."""

Figures = Callable[[], tuple[object, Mapping[str, Any]]]
"""Gives a call's present connection, and how good it is (as `vivavoce.web.leg.Leg.figures`)."""


class Observed(Protocol):
    """What is known of a call; a `vivavoce.pipelines.conversation.Conversation` is one."""

    @property
    def call(self) -> Call[Any]:
        """The call."""

    @property
    def clock(self) -> Clock:
        """Its clock."""

    def now(self) -> float:
        """Return the seconds since it began."""


@dataclass(eq=False)
class _Following:
    conversation: Observed
    kind: str
    tally: Tally
    trail: Trail
    figures: Figures | None
    trace: CallTrace | None
    origin: int  # ns since 1970 when the call's clock was at 0
    leg: object = None
    known: Mapping[str, Any] = field(default_factory=dict)

    @property
    def began(self) -> float:
        """When the call began (s on its clock)."""
        return self.conversation.clock.now() - self.conversation.now()


class Observer:
    """Follows calls. Close it when they are over.

    Args:
        meter: Counts them.
        tracer: Makes their traces; None: there are none. Closed with this.
        texts: Whether what was said stands in the traces.
        prices: By model, instead of `vivavoce.agent.prices.PRICES`.
    """

    def __init__(
        self,
        meter: Meter | None = None,
        tracer: Tracer | None = None,
        *,
        texts: bool = False,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self.meter = meter or Meter()
        self._tracer, self._texts, self._prices = tracer, texts, prices
        self._following: dict[Call[Any], _Following] = {}
        self._looks: list[Callable[[], None]] = []
        self._lag = LoopLag(self.meter.lag)
        self._tasks = Tasks()

    def open(self) -> None:
        """Watch the running event loop; once more is the same."""
        self._lag.start()

    async def close(self) -> None:
        """Follow nobody any more, and send the traces that wait; idempotent."""
        self._lag.close()
        await self._tasks.close()
        if self._tracer is not None:
            await self._tracer.close()

    def began(
        self,
        conversation: Observed,
        kind: str,
        *,
        figures: Figures | None = None,
        agent: str = "",
    ) -> None:
        """Follow a call; tell it before the call's first event.

        Args:
            conversation: The call.
            kind: Of what kind: "webrtc", "sip in". Of few kinds.
            figures: How good its connection is.
            agent: Who answers.
        """
        with _unharmed(conversation.call):
            self._begin(conversation, kind, figures, agent)

    def ended(self, conversation: Observed) -> None:
        """A call is over; of one that did not begin here, and the second time, nothing is done."""
        found = self._following.pop(conversation.call, None)
        if found is not None:
            with _unharmed(conversation.call):
                self._end(found)

    def refused(self, kind: str, reason: str) -> None:
        """A call was not let in, for one of few reasons."""
        self.meter.refused(kind, reason)

    def also(self, look: Callable[[], None]) -> None:
        """Have something else counted, whenever somebody wants the figures."""
        self._looks.append(look)

    def collect(self) -> None:
        """Count what has come in the calls that go on."""
        for look in self._looks:
            look()
        for found in self._following.values():
            with _unharmed(found.conversation.call):
                self._count(found)
        self.meter.look()

    @property
    def calls(self) -> int:
        """How many calls go on."""
        return len(self._following)

    # Inside.

    def _begin(
        self, conversation: Observed, kind: str, figures: Figures | None, agent: str
    ) -> None:
        call = conversation.call
        origin = time.time_ns() - round(conversation.clock.now() * 1e9)
        trace = None
        if self._tracer is not None:
            attributes: dict[str, str | int | float | bool] = {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": agent,
                "gen_ai.conversation.id": call.id,
                "vivavoce.call.kind": kind,
            }
            start = origin + round(conversation.clock.now() * 1e9)
            trace = self._tracer.call(f"invoke_agent {agent}".strip(), start, attributes)
            if trace.id:
                traces[call.id] = trace.id
        found = _Following(
            conversation,
            kind,
            Tally(call, self._prices),
            Trail(call, texts=self._texts),
            figures,
            trace,
            origin,
        )
        if call.resumed is not None:
            found.tally.take()  # the server that was lost has counted it
        self._following[call] = found
        self.meter.began(kind)
        if trace is not None and trace.id:
            self._tasks.spawn(self._follow(found), f"trace {call.id}")

    def _end(self, found: _Following) -> None:
        conversation = found.conversation
        call = conversation.call
        self._count(found)
        if found.known:
            self.meter.leg_ended(found.kind, found.known)
        self.meter.unpriced(found.tally.unpriced)
        self.meter.ended(found.kind, call.reason, conversation.now())
        if found.trace is not None:
            self._trace(found, final=True)
            end = end_of(call.reason)
            attributes: dict[str, str | int | float | bool] = {
                "vivavoce.call.end": end,
                "vivavoce.turns": len(call.ledger.latencies),
                "gen_ai.usage.input_tokens": call.usage.prompt_tokens,
                "gen_ai.usage.output_tokens": call.usage.completion_tokens,
            }
            error = end if end in FAILED else ""
            over = found.origin + round(conversation.clock.now() * 1e9)
            found.trace.end(over, attributes, error=error)
            traces.pop(call.id, None)

    def _count(self, found: _Following) -> None:
        trace = found.trace.id if found.trace is not None else ""
        self.meter.gained(found.kind, found.tally.take(), trace)
        if found.figures is None:
            return
        leg, now = found.figures()
        if leg is not found.leg:  # another connection, whose figures begin anew
            if found.known:
                self.meter.leg_ended(found.kind, found.known)
            found.leg, found.known = leg, {}
        if now:
            self.meter.leg(found.kind, found.known, now)
            found.known = dict(now)

    async def _follow(self, found: _Following) -> None:
        async for event in found.conversation.call:
            if isinstance(event, AgentStarted | AgentSaid | Failed):
                self._trace(found)

    def _trace(self, found: _Following, *, final: bool = False) -> None:
        trace, began = found.trace, found.began
        if trace is None or not trace.id:
            return
        spans = found.trail.take(found.conversation.clock.now(), began, final=final)
        trace.add(spans, found.trail.failures(began), found.origin)


@contextlib.contextmanager
def _unharmed(call: Call[Any]) -> Iterator[None]:
    """Keep a defect in counting from ending the call that is counted."""
    try:
        yield
    except Exception:
        log.exception("call %s is not counted rightly", call.id)
