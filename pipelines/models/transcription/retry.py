"""Whether and when a request is made again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.pipelines.models.errors import ModelError

LONGEST_ASKED = 900.0
"""Seconds of a Retry-After that are waited for; a server that asks for more is given up."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often, and after how long (s).

    Attributes:
        attempts: Requests in all.
        first: Wait behind the first failure; it doubles with each.
        longest: It never is longer, unless the server asks for it.
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0

    def wait(self, error: ModelError, failures: int, dice: float) -> float | None:
        """Return how long to wait (s) before the next request; None gives up.

        Args:
            error: What went wrong.
            failures: How many requests have failed, with this one.
            dice: Anything from 0 to 1: many clients must not come back at the same moment.
        """
        if error.lasting or failures >= self.attempts:
            return None
        wait = min(self.first * 2.0 ** (failures - 1), self.longest) * (0.5 + dice / 2)
        if error.retry_after is not None:
            if error.retry_after > LONGEST_ASKED:
                return None
            # Never sooner than asked, and not all at that moment.
            wait = error.retry_after + dice * min(self.first, 1.0)
        return wait
