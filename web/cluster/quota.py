"""Quotas: what one address and one caller may do over all workers. Pure: times are seconds.

A worker tells how many of its calls come from where; a front adds up what all of them tell and what
is on its way. So several fronts over the same workers hold the same bounds, half a second late.
How often an address asks and begins is counted by each front for itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from vivavoce.web.cluster.placement import Placed
from vivavoce.web.cluster.state import WorkerState
from vivavoce.web.limits import KEPT, Bucket, Limits, Refusal, network


class Quota:
    """Counts requests and calls by where they come from.

    Args:
        limits: The bounds.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._requests: dict[str, Bucket] = {}
        self._starts: dict[str, Bucket] = {}

    def request(self, address: str, now: float) -> float:
        """Count a request; return 0, or the seconds after which another one is let in."""
        rate = self._limits.requests
        bucket = _bucket(self._requests, network(address), rate * 2, rate)
        return 0.0 if bucket.take(now) else max(0.05, bucket.wait(now))

    def begin(
        self,
        address: str,
        caller: str,
        states: Iterable[WorkerState],
        coming: Iterable[Placed],
        now: float,
    ) -> Refusal | None:
        """Let a call begin, or say why it may not.

        Args:
            address: Where it comes from.
            caller: Who calls, where a token says so.
            states: What the workers told.
            coming: Calls that they have not told of yet.
            now: The time.
        """
        limits, source = self._limits, network(address)
        addresses: Counter[str] = Counter(each.address for each in coming)
        callers: Counter[str] = Counter(each.caller for each in coming)
        for state in states:
            addresses.update(state.addresses)
            callers.update(state.callers)
        if addresses[source] >= limits.per_address:
            text = f"there are {addresses[source]} calls from your address already: end one first"
            return Refusal(False, text, 10.0)
        if caller and callers[caller] >= limits.per_caller:
            text = f"you are in {callers[caller]} calls already: end one first"
            return Refusal(False, text, 10.0)
        bucket = _bucket(self._starts, source, limits.starts, limits.starts / 60.0)
        if not bucket.take(now):
            text = f"more than {limits.starts} calls were begun from your address in a minute"
            return Refusal(False, text, math.ceil(bucket.wait(now)))
        return None


def _bucket(buckets: dict[str, Bucket], key: str, size: float, rate: float) -> Bucket:
    """Return an address' bucket; the ones that were quiet longest are forgotten."""
    bucket = buckets.pop(key, None) or Bucket(size, rate)
    buckets[key] = bucket  # the newest stands last
    if len(buckets) > KEPT:
        for old in list(buckets)[: KEPT // 10]:
            del buckets[old]
    return bucket
