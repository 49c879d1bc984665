"""A front's own figures, for Prometheus: its workers, what it refused, and what went through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from vivavoce.web.cluster.state import WorkerState

_HOP = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


class Figures(Collector):
    """Counts what a front does.

    Args:
        states: What the workers told last.
        open_sockets: How many websockets go through.
    """

    def __init__(
        self,
        states: Callable[[], list[WorkerState]] = list,
        open_sockets: Callable[[], int] = lambda: 0,
    ) -> None:
        self.registry = CollectorRegistry()
        self._states, self._open_sockets = states, open_sockets
        self._refused = Counter(
            "vivavoce_front_refused",
            "Calls that were placed nowhere, by why.",
            ["reason"],
            registry=self.registry,
        )
        self._retried = Counter(
            "vivavoce_front_retried",
            "Requests that a worker did not take, and another one was asked.",
            registry=self.registry,
        )
        self._bytes = Counter(
            "vivavoce_front_bytes",
            "Bytes that went through, both ways, without their heads.",
            registry=self.registry,
        )
        self._requests = Counter(
            "vivavoce_front_requests",
            "Requests, by what they are.",
            ["kind"],
            registry=self.registry,
        )
        self._hop = Histogram(
            "vivavoce_front_hop_seconds",
            "How long a worker takes to answer the front, with nothing to do for it: the hop.",
            buckets=_HOP,
            registry=self.registry,
        )
        self.registry.register(self)

    def refused(self, reason: str) -> None:
        """Count a call that was placed nowhere."""
        self._refused.labels(reason).inc()

    def retried(self) -> None:
        """Count a worker that did not take a request."""
        self._retried.inc()

    def passed(self, count: int) -> None:
        """Count bytes."""
        self._bytes.inc(count)

    def request(self, kind: str) -> None:
        """Count a request."""
        self._requests.labels(kind).inc()

    def hop(self, seconds: float) -> None:
        """Take how long a worker took to answer."""
        self._hop.observe(seconds)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give what workers told last, for Prometheus' client."""
        states = self._states()
        labels = ["worker", "node"]
        calls = GaugeMetricFamily(
            "vivavoce_front_worker_calls", "Calls of a worker.", labels=labels
        )
        room = GaugeMetricFamily(
            "vivavoce_front_worker_room", "Calls that fit beside them.", labels=labels
        )
        strain = GaugeMetricFamily(
            "vivavoce_front_worker_strain_ratio",
            "The largest share that a worker uses of one of its bounds.",
            labels=labels,
        )
        for state in states:
            names = [state.name, state.node]
            calls.add_metric(names, state.calls)
            room.add_metric(names, state.room)
            strain.add_metric(names, state.strain)
        draining = sum(state.draining for state in states)
        workers = GaugeMetricFamily("vivavoce_front_workers", "Workers.", labels=["state"])
        workers.add_metric(["draining"], draining)
        workers.add_metric(["taking"], len(states) - draining)
        sockets = GaugeMetricFamily(
            "vivavoce_front_sockets", "Websockets that go through.", value=self._open_sockets()
        )
        yield from (workers, calls, room, strain, sockets)
