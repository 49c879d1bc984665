"""A reel: a lane's speech in order, at its pace, for everybody who listens."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from vivavoce.pipelines.interpret.outlet import LIMIT, Outlet
from vivavoce.pipelines.interpret.pace import Pace
from vivavoce.pipelines.interpret.stretch import Stretch
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.stage import Context
from vivavoce.pipelines.turns.playout import Clause, Playout


class Reel:
    """Plays clauses one after the other into its outlets. Implements `Source`.

    It is drawn from by whichever outlet is furthest ahead, at the pace of real time; nothing
    moves while nobody listens.

    Args:
        context: The speaker's call.
        rate: Sample rate of the clauses (Hz).
        pace: How fast to speak.
        queue: Gives the seconds of speech that wait, those not synthesised yet included.
        audible: Told of a clause whose first audible sample leaves, and when (s since the
            session began).
        finished: Told of a clause whose last sample leaves, when, and how much faster than usual
            it was spoken.

    Attributes:
        rate: Sample rate of what outlets give (Hz).
        outlets: Who listens.
    """

    def __init__(
        self,
        context: Context,
        rate: int,
        pace: Pace,
        *,
        queue: Callable[[], float],
        audible: Callable[[Clause, float], None],
        finished: Callable[[Clause, float, float], None],
    ) -> None:
        self.rate = rate
        self.outlets: list[Outlet] = []
        self._context, self._pace = context, pace
        self._queue, self._audible, self._finished = queue, audible, finished
        self._playout = Playout(rate)
        self._stretch = Stretch(rate)
        self._in = self._out = 0.0  # samples of the clause that is played, before and after
        self._told = 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing is being spoken, and nothing waits to be."""
        return self._playout.empty and self._stretch.drained

    @property
    def waiting(self) -> float:
        """Seconds of speech that are ready and were not given yet."""
        return (self._playout.waiting + self._stretch.waiting) / self.rate

    def outlet(self, limit: float = LIMIT) -> Outlet:
        """Let somebody listen from now on; `limit` seconds may wait for them."""
        outlet = Outlet(self, limit=limit)
        self.outlets.append(outlet)
        return outlet

    def leave(self, outlet: Outlet) -> None:
        """Somebody listens no more; idempotent."""
        outlet.close()
        if outlet in self.outlets:
            self.outlets.remove(outlet)

    def append(self, clause: Clause) -> None:
        """Queue a clause; its samples may come later."""
        self._playout.append(clause)

    def remove(self, clauses: Collection[Clause]) -> None:
        """Take clauses back of which nothing was played."""
        self._playout.remove(clauses)

    def clear(self) -> None:
        """Drop everything: nobody listens."""
        self._playout.cut(force=True)
        self._playout.pull(self.rate // 50)  # the fade that a cut ends with
        self._stretch.reset()

    def peek(self, count: int) -> Samples:
        """Return up to `count` samples that are going to be drawn, as far as is known.

        Of speech that is hurried it is not exact: it is given at normal speed.
        """
        if self._playout.empty and self._stretch.drained:
            return np.zeros(0, np.int16)
        ready = self._stretch.peek()[:count]
        more: Samples = np.concatenate([ready, self._playout.peek(count - len(ready))])
        return more

    def draw(self, count: int) -> None:
        """Put the next `count` samples of speech into every outlet, as far as there is any."""
        if self._playout.empty and self._stretch.drained:
            self._pace.update(0.0, self._context.at)
            return
        self._pace.update(self._queue(), self._context.at)
        # A speed that hardly differs is not worth the work, nor the trace it leaves.
        speed = self._pace.speed if self._pace.speed >= 1.01 else 1.0
        given = 0
        while given < count:
            missing = self._stretch.missing(speed)
            if missing and not self._feed(missing, speed):
                break
            samples = self._stretch.step(speed)
            given += len(samples)
            self._in += len(samples) * speed
            self._out += len(samples)
            for outlet in self.outlets:
                outlet.put(samples)
        self._context.call.usage.said += given / self.rate
        self._context.call.ledger.health.underruns = self._playout.underruns

    def _feed(self, count: int, speed: float) -> bool:
        """Take speech off the queue; return whether there is anything to be heard."""
        # What is taken now is heard once everything is that was taken before.
        queued = min((outlet.waiting for outlet in self.outlets), default=0.0)
        soon = self._context.at + queued + self._stretch.waiting / speed / self.rate
        block = self._playout.pull(count)
        if block.audible is not None:
            offset, clause = block.audible
            self._audible(clause, self._moment(soon + offset / speed / self.rate))
        for clause in block.finished:
            average = self._in / self._out if self._out else 1.0
            self._in = self._out = 0.0
            self._finished(clause, self._moment(soon + count / speed / self.rate), average)
        if not block.speaking and self._stretch.drained:
            # Silence is not kept: the next segment begins at once.
            self._stretch.reset()
            return False
        self._stretch.feed(block.samples, sounding=block.speaking)
        return True

    def _moment(self, at: float) -> float:
        """Return when something is heard; never before what was heard before it."""
        # Where the speed has just changed, the two are told apart to a fraction of a window.
        self._told = max(self._told, at)
        return self._told
