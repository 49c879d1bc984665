"""Circuit breaker: whether a provider that failed is asked again yet. Pure, on the caller's clock.

Closed, it is asked. A failure opens it: it rests, longer with each failure in a row. Behind the
rest it is half open: one request may try it, and what becomes of that one closes or opens it. A
server that says when to come back ("429", Retry-After) is not asked before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vivavoce.pipelines.models.errors import ModelError

RESTS = (2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds of rest behind the first failure in a row, the second ...; the last one repeats."""
LASTING = 60.0
"""Seconds of rest where the server refuses whoever we are: a key is not corrected in seconds."""
BUSY = 5.0
"""Seconds of rest of a server that is too busy and does not say for how long."""
LONGEST = 600.0
"""Seconds of rest at most, whatever a server says."""
PATIENCE = 2.0
"""Seconds that are waited for a server which said when to come back, where no other is left."""

State = Literal["closed", "open", "half-open"]


class Breaker:
    """One provider's. Times are seconds on one monotonic clock."""

    def __init__(self) -> None:
        self._failures = 0
        self._opens_at = 0.0
        self._forbidden_until = float("-inf")
        self._trying = False

    def state(self, now: float) -> State:
        """Return in which state it is."""
        if not self._failures:
            return "closed"
        return "open" if now < self._opens_at or self._trying else "half-open"

    def ready(self, now: float) -> bool:
        """Whether a request may be sent."""
        return self.state(now) != "open"

    def forbidden(self, now: float) -> float:
        """Return for how many seconds the server asked to be left alone (0: it did not)."""
        return max(0.0, self._forbidden_until - now)

    @property
    def reopens(self) -> float:
        """When it may be tried again."""
        return self._opens_at

    def begin(self) -> None:
        """A request is sent."""
        self._trying = self._failures > 0

    def succeeded(self) -> None:
        """It was answered."""
        self._failures = 0
        self._trying = False
        self._forbidden_until = float("-inf")

    def abandoned(self) -> None:
        """It was given up before anything was known of it."""
        self._trying = False

    def failed(self, error: ModelError, now: float) -> None:
        """It was not answered, or not to its end."""
        rest = RESTS[min(self._failures, len(RESTS) - 1)]
        if error.kind == "auth":
            rest = LASTING
        if error.kind == "busy":
            rest = max(BUSY if error.retry_after is None else 0.0, error.retry_after or 0.0)
        elif error.retry_after is not None:
            rest = max(rest, error.retry_after)
        rest = min(max(rest, 0.0), LONGEST)
        if error.retry_after is not None:
            self._forbidden_until = now + min(max(error.retry_after, 0.0), LONGEST)
        self._failures += 1
        self._trying = False
        self._opens_at = now + rest


@dataclass(frozen=True, slots=True)
class Try:
    """Ask a provider, after a wait.

    Attributes:
        index: Which one.
        wait: Seconds before it may be asked.
    """

    index: int
    wait: float = 0.0


class Order:
    """Providers in the order in which they are preferred, and which of them to ask now."""

    def __init__(self, count: int) -> None:
        self.breakers = tuple(Breaker() for _ in range(count))

    def next(self, tried: set[int], now: float) -> Try | None:
        """Return whom to ask next, or None if there is nobody.

        Those whose breaker lets them come first. Where none does, one that rests is better than
        an apology, unless its server said when to come back: that is waited for if it is soon.

        Args:
            tried: Who has failed with this request.
            now: Seconds.
        """
        left = [index for index in range(len(self.breakers)) if index not in tried]
        for index in left:
            if self.breakers[index].ready(now):
                return Try(index)
        waits = [(self.breakers[index].forbidden(now), index) for index in left]
        free = [index for wait, index in waits if not wait]
        if free:
            return Try(min(free, key=lambda index: self.breakers[index].reopens))
        wait, index = min(waits, default=(PATIENCE + 1, -1))
        return Try(index, wait) if wait <= PATIENCE else None
