"""Placement: which worker a new call goes to. Pure: all times are seconds on one monotonic clock.

A front knows of each worker what it told last, at most half a second ago, and what the front itself
has sent there since. Both count: fifty calls that come within that half second are spread as if
each had been told of at once. Several fronts do not know of each other's; they break ties each in
an order of their own, so that they do not all choose the same worker, and a worker that is full
after all refuses (503) before anything was begun: then the next one is tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.state import WorkerState

LOST = 3.0
"""Seconds without a word from a worker after which it gets no new call: six heartbeats. Requests
of the calls that it has are still sent there: it may only have stalled."""
GONE = 12.0
"""Seconds after which it counts as dead: what hangs on it is let go, so that callers come back.
Less than the 20 s that a call waits for its caller, more than any stall that it survives."""
FORGOTTEN = 5.0
"""Seconds after which a call that was sent to a worker is no longer counted beside what that tells,
whatever became of it."""
FULL, NOBODY, CLOSING = 5.0, 2.0, 10.0
"""Seconds after which a caller may try again: all workers are full, none is there, all end."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is placed nowhere.

    Attributes:
        code: "busy", "no_worker" or "closing".
        message: For the client.
        retry: Seconds after which it may try again.
    """

    code: str
    message: str
    retry: float


@dataclass(slots=True, eq=False)
class Placed:
    """A call on its way to a worker, until that tells of it.

    Attributes:
        ident: What the front calls it; the worker tells of it by that.
        worker: Which one.
        address: The network that it comes from.
        caller: Who calls, where a token says so.
        at: When it was sent.
        settled: Whether the worker has answered.
    """

    ident: str
    worker: str
    address: str
    caller: str
    at: float
    settled: bool = False


@dataclass(slots=True)
class _Worker:
    member: Member
    met: float
    state: WorkerState | None = None
    heard: float | None = None
    unreachable: bool = False
    pending: list[Placed] = field(default_factory=list)


class Placement:
    """Knows the workers, and chooses.

    Args:
        front: Names the front that chooses, which breaks ties in an order of its own.
        lost: See `LOST`.
        gone: See `GONE`.
    """

    def __init__(self, front: str = "", *, lost: float = LOST, gone: float = GONE) -> None:
        self._front, self._lost, self._gone = front, lost, gone
        self._workers: dict[str, _Worker] = {}
        self._turn = 0

    # What is known.

    def meet(self, members: Collection[Member], now: float) -> list[str]:
        """Take who there is; return the names of those that are no longer."""
        names = {member.name for member in members}
        left = [name for name in self._workers if name not in names]
        for name in left:
            del self._workers[name]
        for member in members:
            if member.name not in self._workers:
                self._workers[member.name] = _Worker(member, now)
        return left

    def heard(self, state: WorkerState, now: float) -> None:
        """Take what a worker told, and when: the calls that it tells of are no longer coming."""
        worker = self._workers.get(state.name)
        if worker is None:
            return
        worker.state, worker.heard, worker.unreachable = state, now, False
        worker.pending = [
            each
            for each in worker.pending
            if each.ident not in state.taken and now - each.at < FORGOTTEN
        ]

    def unreachable(self, name: str) -> None:
        """A connection to a worker was refused: it counts as lost until it is heard again."""
        if (worker := self._workers.get(name)) is not None:
            worker.unreachable = True

    @property
    def members(self) -> list[Member]:
        """Who there is."""
        return [worker.member for worker in self._workers.values()]

    def member(self, name: str) -> Member | None:
        """Return a worker; None if there is none of that name."""
        worker = self._workers.get(name)
        return None if worker is None else worker.member

    def states(self) -> list[WorkerState]:
        """Return what the workers told last."""
        return [each.state for each in self._workers.values() if each.state is not None]

    def pending(self, name: str | None = None) -> list[Placed]:
        """Return the calls on their way, to one worker or to all."""
        chosen = [self._workers[name]] if name in self._workers else self._workers.values()
        return [placed for worker in chosen for placed in worker.pending]

    def is_lost(self, name: str, now: float) -> bool:
        """Whether a worker is silent, unreachable or unknown."""
        worker = self._workers.get(name)
        if worker is None or worker.unreachable:
            return True
        return now - (worker.met if worker.heard is None else worker.heard) > self._lost

    def gone(self, now: float) -> list[str]:
        """Return the workers that have been silent for too long to live."""
        return [
            name
            for name, worker in self._workers.items()
            if now - (worker.met if worker.heard is None else worker.heard) > self._gone
        ]

    def adopter(self, ident: str) -> str:
        """Return the worker that goes on with a call which another one began; "" if none does."""
        for worker in self._workers.values():
            if worker.state is not None and ident in worker.state.adopted:
                return worker.member.name
        return ""

    # The choice.

    def place(
        self,
        now: float,
        exclude: Collection[str] = (),
        *,
        address: str = "",
        caller: str = "",
    ) -> Placed | Refusal:
        """Choose the worker of a new call, and count the call there.

        Args:
            now: The time.
            exclude: Workers that were tried.
            address: The network that the call comes from.
            caller: Who calls.

        Returns:
            Where to; `settle` is called once the worker has answered. Or why nowhere.
        """
        self._turn += 1
        best: tuple[float, bytes] | None = None
        chosen = None
        for name, worker in self._workers.items():
            state = worker.state
            if state is None or name in exclude or state.draining or self.is_lost(name, now):
                continue
            coming = len(worker.pending)
            if state.room - coming <= 0:
                continue
            # The share that is taken once the call is there: small workers fill as evenly as large.
            share = (state.calls + coming + 1) / (state.calls + state.room)
            rank = (round(share, 3), self._tie(name))
            if best is None or rank < best:
                best, chosen = rank, worker
        chosen = chosen or self._newcomer(now, exclude)
        if chosen is None:
            return self._refusal(now)
        ident = f"{self._front}.{self._turn}"
        placed = Placed(ident, chosen.member.name, address, caller, now)
        chosen.pending.append(placed)
        return placed

    def _newcomer(self, now: float, exclude: Collection[str]) -> _Worker | None:
        """Return one that has just come and told nothing yet, to which a first call may go.

        Who takes the place of another one is there before that ends: there is no moment in which
        nobody takes calls only because nobody has been asked yet.
        """
        for name, worker in self._workers.items():
            fresh = worker.state is None and not worker.pending
            if fresh and name not in exclude and not self.is_lost(name, now):
                return worker
        return None

    def settle(self, placed: Placed, *, begun: bool) -> None:
        """The worker answered, or was not reached.

        Args:
            placed: The call.
            begun: Whether it carries the call: then it is counted here until it tells of it.
        """
        placed.settled = True
        worker = self._workers.get(placed.worker)
        if worker is not None and not begun and placed in worker.pending:
            worker.pending.remove(placed)

    def any(self, now: float, exclude: Collection[str] = ()) -> str:
        """Return a worker for a request that any of them can answer; "" if none is there.

        Draining ones, and such as have told nothing yet, only where there are no others.
        """
        self._turn += 1
        there = [
            (worker.state is None or worker.state.draining, self._tie(name), name)
            for name, worker in self._workers.items()
            if name not in exclude and not self.is_lost(name, now)
        ]
        return min(there)[2] if there else ""

    def _tie(self, name: str) -> bytes:
        text = f"{self._front}\n{self._turn}\n{name}"
        return hashlib.blake2b(text.encode(), digest_size=8).digest()

    def _refusal(self, now: float) -> Refusal:
        there = [
            worker.state
            for name, worker in self._workers.items()
            if worker.state is not None and not self.is_lost(name, now)
        ]
        if not there:
            return Refusal("no_worker", "nobody is here to take calls: try again soon", NOBODY)
        if all(state.draining for state in there):
            return Refusal("closing", "this server is shutting down: call another", CLOSING)
        return Refusal("busy", "this server has no room for a call: try again", FULL)
