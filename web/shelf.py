"""The shelf: what is held of calls that are over, for who was in them. Pure.

All times are seconds on one monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from vivavoce.web.live import PastCall

KEPT = 600.0
"""Seconds for which the record of a call that is over can be fetched by who was in it."""
MOST_KEPT = 200
"""Calls that are over and can be fetched."""


class Shelf:
    """Holds calls that are over, the oldest first; so many, for so long."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, PastCall] = OrderedDict()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[PastCall]:
        """Iterate over them, the oldest first."""
        return iter(self._calls.values())

    def put(self, call: PastCall, now: float) -> None:
        """Hold a call from now on."""
        self._calls[call.id] = call
        self.forget(now)

    def get(self, ident: str) -> PastCall | None:
        """Return a call; None where it is not, or no longer, held."""
        return self._calls.get(ident)

    def forget(self, now: float) -> None:
        """Let go of those that were held long enough, and of those that are too many."""
        while self._calls:
            oldest = next(iter(self._calls.values()))
            if len(self._calls) <= MOST_KEPT and oldest.ended_at >= now - KEPT:
                break
            self._calls.popitem(last=False)

    def clear(self) -> None:
        """Let go of all."""
        self._calls.clear()
