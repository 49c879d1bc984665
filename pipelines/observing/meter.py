"""The meter: every figure that is counted, by the names that Prometheus knows them by.

Labels are bounded: kinds of calls, stages, classes and the providers of the settings, never a
call, a caller or a text. What a label is given beyond its bound counts as "other".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from vivavoce.agent.ledger import STAGES
from vivavoce.pipelines.lag import Lags
from vivavoce.pipelines.observing.pulse import Pulse
from vivavoce.pipelines.observing.tally import SERVED, Gain, Turn

DELAYS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3, 1.6, 2.0, 3.0, 5.0)
"""Bounds of delays that a caller notices (s): finest where conversations are won or lost."""
STALLS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0)
"""Bounds of the event loop's lag (s)."""
DURATIONS = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
"""Bounds of calls' durations (s)."""
JITTERS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.5)
"""Bounds of jitter and round trips (s)."""
MOST = 40
"""Values of one label; more of them count as "other"."""
BREAKER = {"closed": 0.0, "half-open": 1.0, "open": 2.0}
"""What the breaker's gauge says."""

ENDS = {
    "the caller hung up": "caller",
    "they hung up": "caller",
    "the speaker has left": "caller",
    "the agent hung up": "agent",
    "the call reached its longest duration": "too_long",
    "the session reached its longest duration": "too_long",
    "nobody was there any more": "silent",
    "a model server failed": "models",
    "the agent could not begin": "agent_failed",
    "what comes before the greeting failed": "agent_failed",
    "the server is shutting down": "shutdown",
    "the telephone is closing": "shutdown",
    "no audio came from the far end": "lost",
    "the caller's connection was lost": "lost",
    "the PBX told an error": "lost",
    "the PBX does not read any more": "lost",
    "the sound card is gone": "lost",
    "a message was left on voicemail": "voicemail",
    "the line was closed": "lost",
}
"""In which class the reason of a call's end falls; what a program says itself is "other"."""


def end_of(reason: str) -> str:
    """Return the class of the reason that a call ended for."""
    if reason.startswith("transferred"):
        return "transferred"
    return ENDS.get(reason, "other")


class Bound:
    """Keeps a label to so many values. Pure.

    Args:
        most: How many.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """Return the value, or "other" where there are too many others already."""
        if value not in self._known:
            if len(self._known) >= self._most:
                return "other"
            self._known.add(value)
        return value


class Meter:
    """Counts what happens in one process. Not for several threads.

    Args:
        version: Ours.

    Attributes:
        registry: What an exposition is made of.
        lag: The event loop's; whoever runs it adds to it.
    """

    def __init__(self, version: str = "") -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self.lag = Pulse()
        self._bounds: dict[str, Bound] = {}
        self._shown: list[_Shown] = []

        def count(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"vivavoce_{name}", text, labels, registry=registry)

        def histogram(
            name: str, text: str, *labels: str, bounds: tuple[float, ...] = DELAYS
        ) -> Histogram:
            return Histogram(f"vivavoce_{name}", text, labels, buckets=bounds, registry=registry)

        Info("vivavoce_build", "Which version runs.", registry=registry).info({"version": version})
        self._started = count("calls_started", "Calls that began.", "kind")
        self._ended = count("calls_ended", "Calls that ended, by why.", "kind", "reason")
        self._refused = count("calls_refused", "Calls that were not let in.", "kind", "reason")
        self._active = Gauge(
            "vivavoce_calls_active", "Calls that go on.", ("kind",), registry=registry
        )
        self._duration = histogram(
            "call_duration_seconds", "How long calls took.", "kind", bounds=DURATIONS
        )
        self._turn = histogram(
            "turn_latency_seconds", "From the caller's last sound to the agent's first.", "kind"
        )
        self._stage = histogram(
            "stage_latency_seconds",
            "What a stage added to a turn's latency; the stages of a turn sum to it.",
            "stage",
            "provider",
        )
        self._hidden = count(
            "stage_hidden_seconds", "Work of a stage that ran beside another one.", "stage"
        )
        self._reaction = histogram(
            "barge_in_reaction_seconds", "From the caller's first sound until a reply is silent."
        )
        self._partial = histogram(
            "first_words_seconds", "From an utterance's first sound to its first words."
        )
        self._underruns = count("underruns", "Pauses in speech because its synthesis was late.")
        self._guesses = count("speculation_guesses", "Replies begun before a turn was decided.")
        self._hits = count("speculation_hits", "Guesses that came true.")
        self._pieces = count("speculation_tokens", "Pieces of text that the chat model wrote.")
        self._wasted = count("speculation_wasted_tokens", "Of these, for guesses in vain.")
        self._requests = count(
            "provider_requests", "Requests that are over.", "stage", "provider", "outcome"
        )
        self._first = histogram(
            "provider_first_seconds", "To the first piece of an answer.", "stage", "provider"
        )
        self._whole = histogram(
            "provider_request_seconds", "To the end of a whole answer.", "stage", "provider"
        )
        self._switches = count(
            "provider_switches", "A provider took over from one that failed.", "stage", "provider"
        )
        self._errors = count(
            "errors", "What failed, also where another provider helped.", "stage", "class"
        )
        self._tools = count("tools", "Tools that were called, by how it went.", "outcome")
        self._tool = histogram("tool_seconds", "How long tools ran.")
        self._tokens = count("tokens", "Tokens that the chat model read and wrote.", "type")
        self._asked = count("chat_requests", "Requests to the chat model, guesses included.")
        self._heard = count("audio_heard_seconds", "Audio of callers that was listened to.")
        self._said = count("audio_said_seconds", "Speech that was sent to callers.")
        self._characters = count("characters", "Characters that were spoken.")
        self._cost = count("cost_usd", "What models cost, by the price list.", "model")
        self._unpriced = count("unpriced_calls", "Calls with a model of unknown price.", "model")
        self._jitter = histogram(
            "leg_jitter_seconds", "Jitter of a connection at its end.", "kind", bounds=JITTERS
        )
        self._trip = histogram(
            "leg_round_trip_seconds", "Round trip of a connection.", "kind", bounds=JITTERS
        )
        self._concealed = count(
            "leg_concealed_seconds", "Callers' sound made up for lost packets.", "kind"
        )
        self._lost = count("leg_lost_packets", "Callers' packets that never came.", "kind")
        self._received = count("leg_received_packets", "Callers' packets that came.", "kind")
        registry.register(_Lag(self.lag))

    # Calls.

    def began(self, kind: str) -> None:
        """A call has begun."""
        kind = self._bounded("kind", kind)
        self._started.labels(kind).inc()
        self._active.labels(kind).inc()

    def ended(self, kind: str, reason: str, seconds: float) -> None:
        """A call is over; `reason` as it has it."""
        kind = self._bounded("kind", kind)
        self._active.labels(kind).dec()
        self._ended.labels(kind, end_of(reason)).inc()
        self._duration.labels(kind).observe(max(0.0, seconds))

    def refused(self, kind: str, reason: str, count: int = 1) -> None:
        """Calls were not let in."""
        labels = self._bounded("kind", kind), self._bounded("refusal", reason)
        self._refused.labels(*labels).inc(count)

    def unpriced(self, models: Iterable[str]) -> None:
        """A call is over whose models have no known price."""
        for model in models:
            self._unpriced.labels(self._bounded("model", model)).inc()

    def gained(self, kind: str, gain: Gain, trace: str = "") -> None:
        """Count what has come in a call.

        Args:
            kind: The call's.
            gain: What its tally gave.
            trace: Its trace, for exemplars; "" where there is none.
        """
        exemplar = {"trace_id": trace} if trace else None
        for turn in gain.turns:
            self._count_turn(self._bounded("kind", kind), turn, exemplar)
        for seconds in gain.reactions:
            self._reaction.observe(seconds, exemplar)
        for seconds in gain.partials:
            self._partial.observe(seconds, exemplar)
        self._underruns.inc(gain.underruns)
        guessed = gain.speculation
        self._guesses.inc(guessed.guesses)
        self._hits.inc(guessed.hits)
        self._pieces.inc(guessed.tokens)
        self._wasted.inc(guessed.wasted_tokens)
        self._count_requests(gain, exemplar)
        for switch in gain.switches:
            provider = self._bounded("provider", switch.provider)
            self._switches.labels(switch.stage, provider).inc()
            if switch.stage == "hearing":  # the others' failures stand with their requests
                self._errors.labels(switch.stage, switch.kind or "other").inc()
        for failure in gain.failures:
            stage = self._bounded("stage", failure.stage)
            if failure.stage not in {"thinking", "speaking"} or not failure.error:
                self._errors.labels(stage, failure.error or "other").inc()
        for use in gain.tools:
            self._tools.labels("ok" if use.ok else "failed").inc()
            self._tool.observe(use.seconds or 0.0, exemplar)
        usage = gain.usage
        self._tokens.labels("input").inc(usage.prompt_tokens)
        self._tokens.labels("output").inc(usage.completion_tokens)
        self._asked.inc(usage.requests)
        self._heard.inc(usage.heard)
        self._said.inc(usage.said)
        self._characters.inc(usage.characters)
        for model, cost in gain.costs.items():
            self._cost.labels(self._bounded("model", model)).inc(max(0.0, cost))

    def _count_turn(self, kind: str, turn: Turn, exemplar: dict[str, str] | None) -> None:
        latency = turn.latency
        self._turn.labels(kind).observe(latency.total / 1e6, exemplar)
        for stage in STAGES:
            served = turn.served.get(SERVED.get(stage, ""), "")
            provider = self._bounded("provider", served)
            seconds = latency.stages[stage] / 1e6
            self._stage.labels(stage, provider).observe(seconds, exemplar)
            self._hidden.labels(stage).inc(latency.hidden[stage] / 1e6)

    def _count_requests(self, gain: Gain, exemplar: dict[str, str] | None) -> None:
        for request in gain.requests:
            stage, provider = request.stage, self._bounded("provider", request.provider)
            self._requests.labels(stage, provider, request.outcome).inc()
            if request.first is not None:
                first = request.first - request.began
                self._first.labels(stage, provider).observe(first, exemplar)
            if request.outcome == "whole" and request.ended is not None:
                taken = request.ended - request.began
                self._whole.labels(stage, provider).observe(taken, exemplar)
            if request.outcome not in {"whole", "cut"}:
                self._errors.labels(stage, request.outcome).inc()

    # Connections.

    def leg(self, kind: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Count what a connection has come to since `before`; figures as its leg gives them."""
        kind = self._bounded("kind", kind)
        for name, counter, unit in (
            ("concealed_ms", self._concealed, 1000),
            ("lost", self._lost, 1),
            ("received", self._received, 1),
        ):
            more = (now.get(name) or 0) - (before.get(name) or 0)
            if more > 0:
                counter.labels(kind).inc(more / unit)

    def leg_ended(self, kind: str, figures: Mapping[str, Any]) -> None:
        """Enter how good a connection was."""
        kind = self._bounded("kind", kind)
        for name, histogram in (("jitter_ms", self._jitter), ("round_trip_ms", self._trip)):
            if figures.get(name) is not None:
                histogram.labels(kind).observe(figures[name] / 1000)

    # What is looked up when somebody asks.

    def show(
        self,
        name: str,
        text: str,
        read: Callable[[], Mapping[tuple[str, ...], float]],
        *labels: str,
    ) -> None:
        """Show figures that stand somewhere else, read with each `look`.

        Args:
            name: The gauge's, without "vivavoce_"; "…_total" makes it a counter.
            text: What it is.
            read: Gives them by the values of the labels.
            labels: The labels' names.
        """
        shown = _Shown(f"vivavoce_{name}", text, read, labels)
        self._shown.append(shown)
        self.registry.register(shown)

    def look(self) -> None:
        """Read what stands somewhere else: an exposition may then be made on another thread."""
        for shown in self._shown:
            shown.look()

    def _bounded(self, label: str, value: str) -> str:
        return self._bounds.setdefault(label, Bound())(value)


class _Shown(Collector):
    """Figures that stand somewhere else."""

    def __init__(
        self,
        name: str,
        text: str,
        read: Callable[[], Mapping[tuple[str, ...], float]],
        labels: tuple[str, ...],
    ) -> None:
        self._name, self._text, self._read, self._labels = name, text, read, labels
        self._found: Mapping[tuple[str, ...], float] = {}

    def look(self) -> None:
        self._found = dict(self._read())

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        for values, figure in self._found.items():
            family.add_metric(list(values), figure)
        return [family]

    def _family(self) -> Any:
        from prometheus_client.core import CounterMetricFamily

        if self._name.endswith("_total"):
            return CounterMetricFamily(self._name, self._text, labels=self._labels)
        return GaugeMetricFamily(self._name, self._text, labels=self._labels)


class _Lag(Collector):
    """The event loop's lag, out of the histogram that watches it."""

    def __init__(self, lags: Lags) -> None:
        self._lags = lags

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family, lags = self._family(), self._lags
        buckets: list[Any] = [(f"{bound:g}", float(lags.at_most(bound))) for bound in STALLS]
        buckets.append(("+Inf", float(lags.count)))
        family.add_metric([], buckets, sum_value=lags.total)
        return [family]

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(
            "vivavoce_event_loop_lag_seconds", "How late the event loop was, looked at every 20 ms."
        )
