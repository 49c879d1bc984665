"""Spans: a call's ledger as a trace has it: call, turns, stages, requests to providers. Pure.

Names and attributes are OpenTelemetry's semantic conventions for generative AI (in development,
as of November 2026) where they have one, and "vivavoce.*" else. All times are whole microseconds
on the call's clock, exactly as the ledger has them: a turn is as long as its latency, and what the
stages in it were charged (`vivavoce.charged_us`) sums to that. A request may go on behind the
stage that waited for its first piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from vivavoce.agent.call import Call
from vivavoce.agent.ledger import Latency, Part, Request
from vivavoce.agent.transcript import Failure, Reply, ToolUse
from vivavoce.pipelines.observing.tally import SERVED

Value = str | int | float | bool
STAGE_OF = {"thinking": "thinking", "speaking": "speech"}
"""Which stage of a latency waits for a request."""
OPERATIONS = {"hearing": "transcribe", "thinking": "chat", "speaking": "generate_content"}
"""What is asked of a provider; the conventions have no word for transcription."""
OUTPUTS = {"hearing": "text", "thinking": "text", "speaking": "speech"}
PROVIDERS = {"mistral.ai": "mistral_ai", "openrouter.ai": "openrouter", "voxtral.com": "voxtral"}
"""Providers by the end of their host's name."""


@dataclass(slots=True)
class Moment:
    """Something that happened within a span."""

    name: str
    at: int
    attributes: dict[str, Value]


@dataclass(slots=True)
class Span:
    """One span of a trace.

    Attributes:
        name: What it is called.
        start: When it begins (µs on the call's clock).
        end: When it ends.
        attributes: What is to be known of it.
        kind: "client" where it asks another service.
        error: Which class of failure it ended in; "" for none.
        spans: What happened in it.
        moments: Likewise, without a length.
    """

    name: str
    start: int
    end: int
    attributes: dict[str, Value] = field(default_factory=dict)
    kind: Literal["internal", "client"] = "internal"
    error: str = ""
    spans: list[Span] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)


def provider_attributes(stage: str, provider: str) -> dict[str, Value]:
    """Return what is to be known of a request to a provider ("MODEL at URL")."""
    model, _, url = provider.partition(" at ")
    found: dict[str, Value] = {
        "gen_ai.operation.name": OPERATIONS[stage],
        "gen_ai.provider.name": "_OTHER",
        "gen_ai.request.model": model,
        "gen_ai.request.stream": True,
        "gen_ai.output.type": OUTPUTS[stage],
    }
    place = urlsplit(url)
    if place.hostname:
        for end, name in PROVIDERS.items():
            if place.hostname == end or place.hostname.endswith(f".{end}"):
                found["gen_ai.provider.name"] = name
        found["server.address"] = place.hostname
        found["server.port"] = place.port or (443 if place.scheme == "https" else 80)
    return found


def _asked(request: Request, now: int) -> Span:
    attributes = provider_attributes(request.stage, request.provider)
    began = _us(request.began)
    if request.first is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = (_us(request.first) - began) / 1e6
    if request.stage == "thinking" and request.prompt + request.completion:
        attributes["gen_ai.usage.input_tokens"] = request.prompt
        attributes["gen_ai.usage.output_tokens"] = request.completion
    if request.stage == "speaking":
        attributes["vivavoce.characters"] = request.characters
    attributes["vivavoce.outcome"] = request.outcome or "cut"
    error = "" if request.outcome in {"whole", "cut", ""} else request.outcome
    ended = now if request.ended is None else _us(request.ended)
    name = f"{attributes['gen_ai.operation.name']} {attributes['gen_ai.request.model']}"
    return Span(name, began, max(began, ended), attributes, "client", error)


def _tool(use: ToolUse, began: int) -> Span:
    start = began + _us(use.started)
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": use.name,
        "gen_ai.tool.call.id": use.id,
        "gen_ai.tool.type": "function",
    }
    error = "" if use.ok else "_OTHER"
    end = start + _us(use.seconds or 0.0)
    return Span(f"execute_tool {use.name}", start, end, attributes, error=error)


def _stage(part: Part, served: Mapping[str, str]) -> Span:
    span = Span(
        part.stage,
        part.start,
        part.end,
        {"vivavoce.stage": part.stage, "vivavoce.charged_us": part.charged},
    )
    provider = served.get("hearing", "")
    if part.stage == "transcription" and provider:
        # A connection has no requests: what is waited for is the final text behind a flush.
        attributes = provider_attributes("hearing", provider)
        name = f"transcribe {attributes['gen_ai.request.model']}"
        span.spans.append(Span(name, part.start, part.end, attributes, "client"))
    return span


def plan_turn(
    number: int,
    latency: Latency,
    served: Mapping[str, str],
    inside: Iterable[Span],
    attributes: Mapping[str, Value],
) -> Span:
    """Return a turn's span.

    Args:
        number: Which turn, from 1.
        latency: Its latency, with its parts.
        served: Who served it, by stage.
        inside: Requests and tools of it: each becomes part of the stage that waited for it.
        attributes: What else is to be known.
    """
    turn = Span("turn", latency.stopped, latency.stopped + latency.total, dict(attributes))
    turn.attributes["vivavoce.turn"] = number
    turn.attributes["vivavoce.latency_us"] = latency.total
    for hidden, worked in latency.hidden.items():
        if worked:
            turn.attributes[f"vivavoce.hidden_us.{hidden}"] = worked
    for stage, key in SERVED.items():
        if served.get(key):
            turn.attributes[f"vivavoce.served.{stage}"] = served[key]
    turn.spans = [_stage(part, served) for part in latency.parts]
    for span in inside:
        operation = str(span.attributes["gen_ai.operation.name"])
        stage = {"chat": "thinking", "generate_content": "speech"}.get(operation, "tools")
        home = next(
            (
                each
                for each in turn.spans
                if each.name == stage and each.start <= span.start <= each.end
            ),
            turn,
        )
        home.spans.append(span)
    return turn


class Trail:
    """A call's spans, as they become whole.

    Args:
        call: The call.
        texts: Whether what was said stands in them.
    """

    def __init__(self, call: Call[Any], *, texts: bool = False) -> None:
        self._call, self._texts = call, texts
        self._turns = self._requests = self._failures = 0
        self._tools: set[str] = set()

    def take(self, now: float, began: float, *, final: bool = False) -> list[Span]:
        """Return the spans that are whole and were not told.

        A turn is whole once the next one is answered, and all that was asked in it is over.

        Args:
            now: The time (s on the call's clock).
            began: When the call began, likewise.
            final: Whether the call is over: then everything is.
        """
        found: list[Span] = []
        latencies, requests = self._call.ledger.latencies, self._call.ledger.requests
        while self._turns < len(latencies) + (1 if final else 0):
            last = self._turns >= len(latencies)
            until = None if last else latencies[self._turns].stopped
            place = self._requests
            while place < len(requests) and (until is None or _us(requests[place].began) < until):
                place += 1
            asked = requests[self._requests : place]
            if not final and any(each.ended is None for each in asked):
                break
            self._requests = place
            inside = [_asked(each, _us(now)) for each in asked]
            inside += self._used(_us(began), until)
            if self._turns == 0:
                found += inside  # before the first turn: a greeting
            else:
                found.append(self._turn(self._turns - 1, inside))
            self._turns += 1
        self._name(found)
        return found

    def _name(self, spans: Iterable[Span]) -> None:
        """Enter into each request which conversation it was for."""
        for span in spans:
            if span.kind == "client":
                span.attributes["gen_ai.conversation.id"] = self._call.id
            self._name(span.spans)

    def failures(self, began: float) -> list[Moment]:
        """Return what failed and was not told."""
        entries = self._call.transcript.entries
        failures = [entry for entry in entries if isinstance(entry, Failure)]
        found = []
        for failure in failures[self._failures :]:
            attributes: dict[str, Value] = {
                "exception.type": failure.error or "_OTHER",
                "vivavoce.stage": failure.stage,
            }
            if self._texts:
                attributes["exception.message"] = failure.message
            found.append(Moment("exception", _us(began + failure.at), attributes))
        self._failures = len(failures)
        return found

    def _used(self, began: int, until: int | None) -> list[Span]:
        found = []
        for entry in self._call.transcript.entries:
            if isinstance(entry, ToolUse) and entry.seconds is not None:
                span = _tool(entry, began)
                if entry.id not in self._tools and (until is None or span.start < until):
                    self._tools.add(entry.id)
                    found.append(span)
        return found

    def _turn(self, index: int, inside: list[Span]) -> Span:
        ledger = self._call.ledger
        latency = ledger.latencies[index]
        attributes: dict[str, Value] = {}
        said = ""
        for entry in self._call.transcript.entries:
            if entry.kind == "caller":
                said = entry.text
            elif isinstance(entry, Reply) and entry.latency is latency:
                attributes["vivavoce.interrupted"] = entry.interrupted
                if entry.reaction is not None:
                    attributes["vivavoce.reaction_us"] = _us(entry.reaction)
                if self._texts:
                    attributes["vivavoce.caller.text"] = said
                    attributes["vivavoce.agent.text"] = entry.heard or entry.generated
                break
        return plan_turn(index + 1, latency, ledger.served[index], inside, attributes)


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
