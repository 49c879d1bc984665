"""Traces: hands a call's spans to OpenTelemetry's SDK, which sends them to a collector.

Only this module knows the SDK (extra `otel`). Sending happens on a thread of its own, in batches;
a collector that is not there costs a warning in the log and no call a millisecond.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vivavoce.pipelines.observing.spans import Moment, Span, Value

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger("vivavoce")

SENDING = 5.0
"""Seconds that sending one batch may take, and what waits at the end."""


class TracesError(ValueError):
    """Traces cannot be made; the message says what to do."""


class Tracer:
    """Makes traces. Close it when the calls are over.

    Args:
        endpoint: Where OTLP over HTTP is taken: `http://HOST:4318/v1/traces`. Headers, such as a
            collector's key, come from OTEL_EXPORTER_OTLP_HEADERS, as everywhere.
        share: Which share of the calls has a trace (0–1).
        version: Ours.
        exporter: Takes the spans instead of the endpoint.

    Raises:
        TracesError: The packages are missing, or the share is none.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        share: float = 1.0,
        version: str = "",
        exporter: SpanExporter | None = None,
    ) -> None:
        if not 0 <= share <= 1:
            raise TracesError(f"a share of the calls is within 0 and 1, not {share:g}")
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        except ImportError:
            raise TracesError("traces need their packages: pip install 'vivavoce[otel]'") from None
        if exporter is None:
            exporter = OTLPSpanExporter(endpoint=endpoint, timeout=SENDING)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)),
            resource=Resource.create({"service.name": "vivavoce", "service.version": version}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("vivavoce", version)
        self._closed = False

    def call(self, name: str, start: int, attributes: Mapping[str, Value]) -> CallTrace:
        """Begin a call's trace.

        Args:
            name: The call's span's.
            start: When it began (ns since 1970).
            attributes: What is to be known of it.
        """
        return CallTrace(self._tracer, name, start, attributes)

    async def close(self) -> None:
        """Send what waits, for a few seconds; idempotent."""
        if not self._closed:
            self._closed = True
            try:
                async with asyncio.timeout(2 * SENDING):
                    await asyncio.to_thread(self._provider.shutdown)
            except TimeoutError:
                log.warning("traces are lost: the collector took too long")


class CallTrace:
    """One call's trace. Made by a `Tracer`.

    Attributes:
        id: Names the trace (32 hexadecimal digits); "" where the call has none.
    """

    def __init__(self, tracer: Any, name: str, start: int, attributes: Mapping[str, Value]) -> None:
        from opentelemetry import trace
        from opentelemetry.context import Context

        self._api, self._tracer = trace, tracer
        self._root = tracer.start_span(
            name,
            context=Context(),  # of its own, whatever the task that began the call is part of
            kind=trace.SpanKind.SERVER,
            attributes=dict(attributes),
            start_time=start,
        )
        self._inside = trace.set_span_in_context(self._root, Context())
        sampled = self._root.is_recording()
        self.id = f"{self._root.get_span_context().trace_id:032x}" if sampled else ""

    def add(self, spans: list[Span], moments: list[Moment], origin: int) -> None:
        """Enter spans, and what happened between them.

        Args:
            spans: They are whole.
            moments: What happened.
            origin: When the call's clock was at 0 (ns since 1970).
        """
        if self.id:
            for span in spans:
                self._add(span, self._inside, origin)
            for moment in moments:
                at = origin + moment.at * 1000
                self._root.add_event(moment.name, moment.attributes, timestamp=at)

    def end(self, end: int, attributes: Mapping[str, Value], *, error: str = "") -> None:
        """End it.

        Args:
            end: When (ns since 1970).
            attributes: What is to be known of it besides.
            error: Which class of failure the call ended in; "" for none.
        """
        self._root.set_attributes(dict(attributes))
        self._fail(self._root, error)
        self._root.end(end)

    def _add(self, span: Span, parent: Any, origin: int) -> None:
        kinds = self._api.SpanKind
        made = self._tracer.start_span(
            span.name,
            context=parent,
            kind=kinds.CLIENT if span.kind == "client" else kinds.INTERNAL,
            attributes=span.attributes,
            start_time=origin + span.start * 1000,
        )
        self._fail(made, span.error)
        inside = self._api.set_span_in_context(made, parent)
        for each in span.spans:
            self._add(each, inside, origin)
        made.end(origin + span.end * 1000)

    def _fail(self, made: Any, error: str) -> None:
        if error:
            made.set_attribute("error.type", error)
            made.set_status(self._api.Status(self._api.StatusCode.ERROR))
