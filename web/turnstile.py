"""The turnstile: whether one more call may begin, and how many have."""

from __future__ import annotations

import logging
import time

from vivavoce.pipelines.load import AGAIN, Gate
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.web.limits import Admission, Limits
from vivavoce.web.live import DeskError, Wish

log = logging.getLogger("vivavoce")


class Turnstile:
    """Lets calls in, and counts them.

    Args:
        limits: How many, of all, of one address and of one caller.
        gate: Measures whether one more call fits; None: `limits` alone bounds them.
        observer: Told of who was refused, for metrics.

    Attributes:
        draining: No more calls are let in: the server is about to end.
        admission: Counts calls and requests.
        gate: As given.
    """

    def __init__(
        self, limits: Limits, gate: Gate | None = None, observer: Observer | None = None
    ) -> None:
        self._limits = limits
        self.admission = Admission(limits)
        self.gate, self._observer = gate, observer
        self.draining = False

    @property
    def busy(self) -> bool:
        """Whether no call can begin."""
        full = self.gate is not None and bool(self.gate.full())
        return self.draining or self.admission.calls >= self._limits.calls or full

    def check(self, wish: Wish) -> None:
        """Refuse a call where none can begin, before more is done for it; it is not counted in.

        Raises:
            DeskError: As `admit`.
        """
        if self.busy:
            self.admit(wish)
            self.release(wish)

    def admit(self, wish: Wish) -> None:
        """Count a call in.

        Raises:
            DeskError: There are too many, of all or of theirs.
        """
        try:
            self._admit(wish)
        except DeskError as refusal:
            if self._observer is not None:
                self._observer.refused("web", refusal.code)
            raise

    def _admit(self, wish: Wish) -> None:
        if self.draining:
            raise DeskError(503, "closing", "this server is shutting down: call another", 10.0)
        if self.gate is not None and (why := self.gate.full()):
            # Before any of those that run suffers.
            log.warning("a call is refused: %s", why)
            raise DeskError(503, "busy", "this server has no room for a call: try again", AGAIN)
        refusal = self.admission.begin(wish.address, wish.caller, time.monotonic())
        if refusal is not None:
            status, code = (503, "busy") if refusal.busy else (429, "too_many_calls")
            raise DeskError(status, code, refusal.message, refusal.retry)
        if self.gate is not None:
            self.gate.begin()

    def release(self, wish: Wish) -> None:
        """Count a call out that `admit` has let in."""
        self.admission.end(wish.address, wish.caller, time.monotonic())
        if self.gate is not None:
            self.gate.end()
