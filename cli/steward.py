"""The steward: what one process of a cluster knows and decides for all fronts. Pure but for `Plan`.

Times are seconds on one monotonic clock, and of a `Purse` seconds since 1970.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from vivavoce.cli.parcel import digest
from vivavoce.web.cluster.fleet import Member

LEASE = 10.0
"""Seconds after which a front that asks no more counts as dead."""
LONELY = 30.0
"""Seconds without any front after which the workers end. More than the 20 s that a call waits for a
caller whose connection broke with its front, so that another front can come and find it."""
SETTLE = 2.0
"""Seconds after a restart in which no token is spent: until all fronts have told which were."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What workers are to be.

    Attributes:
        given: A `WorkerSpec` as JSON, with secrets.
        parcel: The agents' folder; empty: there is none to send.
        folder: The folder that they run in where nothing is sent.
        least: How few workers there are.
        most: How many at most; None: as many as the cluster's machines have cores.
        drain: Seconds that the calls of a worker may go on when it is to end.
        made: When it was made (seconds since 1970): of two plans the newer one is right.
    """

    given: str = field(repr=False)
    parcel: bytes = field(default=b"", repr=False)
    folder: str = ""
    least: int = 1
    most: int | None = None
    drain: float = 30.0
    made: float = 0.0

    @property
    def mark(self) -> str:
        """What tells its workers from those of another plan. How many there are does not."""
        return digest(self.given, self.parcel, self.folder)

    def wanted(self, cores: int) -> tuple[int, int]:
        """Return between how many workers there are to be, by how many cores there are."""
        if self.most is None:
            return max(self.least, cores), max(self.least, cores)
        return self.least, max(self.least, self.most)


@dataclass(frozen=True, slots=True)
class View:
    """What a front is told.

    Attributes:
        members: The workers.
        epoch: Which incarnation of the steward tells it: a new one knows of no spent tokens.
        planned: Whether there is a plan; if not, the front is to give its own.
        failed: Why no worker could be started of late; "" while they can.
    """

    members: tuple[Member, ...]
    epoch: str
    planned: bool
    failed: str = ""


def node_for(
    cores: Mapping[str, int], there: Mapping[str, str], ending: Collection[str], spare: int = 0
) -> str:
    """Return the machine for one more worker: the one with the most free cores; "" if none has any.

    A worker has a core for itself. One whose calls run out shares it with its successor.

    Args:
        cores: How many each machine has.
        there: The machine of each worker.
        ending: The workers whose calls run out.
        spare: How many workers there may be beside one to a core, all machines together: while
            each is renewed its successor is begun before it ends.
    """
    taking = Counter(node for name, node in there.items() if name not in ending)
    every = Counter(there.values())
    if sum(cores.values()) - sum(taking[node] for node in cores) + spare <= 0:
        return ""
    # No machine gets more than two to a core, for that is what Ray has room for.
    room = [node for node, count in cores.items() if every[node] < 2 * count]
    return max(room, key=lambda node: (cores[node] - taking[node], -every[node], node), default="")


class Fronts:
    """Knows which fronts there are.

    Args:
        now: The time.
    """

    def __init__(self, now: float) -> None:
        self._seen: dict[str, float] = {}
        self._last = now

    def __len__(self) -> int:
        return len(self._seen)

    def meet(self, front: str, now: float) -> None:
        """A front asked."""
        self._seen[front] = self._last = now

    def leave(self, front: str, now: float) -> bool:
        """A front ends; return whether it was the last one."""
        self._seen.pop(front, None)
        self._forget(now)
        return not self._seen

    def alone(self, now: float) -> bool:
        """Whether nobody has been here for so long that nobody will come."""
        self._forget(now)
        return not self._seen and now - self._last > LONELY

    def _forget(self, now: float) -> None:
        for front in [each for each, at in self._seen.items() if now - at > LEASE]:
            del self._seen[front]


class Purse:
    """Tokens that are good once, and were used.

    Args:
        now: The time.
        restarted: Whether there was one before it, whose tokens it has not been told of yet.
    """

    def __init__(self, now: float, *, restarted: bool = False) -> None:
        self._spent: dict[str, float] = {}
        self._from = now + SETTLE if restarted else now

    def __len__(self) -> int:
        return len(self._spent)

    def told(self, spent: Mapping[str, float]) -> None:
        """Take what a front has spent so far."""
        self._spent.update(spent)

    def spend(self, ident: str, until: float, now: float) -> bool | None:
        """Use a token; return whether it was there to be used, None while that is not known.

        Args:
            ident: Its id.
            until: When it is good for nothing any more.
            now: The time.
        """
        if now < self._from:
            return None
        for old in [each for each, end in self._spent.items() if end < now]:
            del self._spent[old]
        if ident in self._spent:
            return False
        self._spent[ident] = until
        return True

    def give_back(self, ident: str) -> None:
        """Nothing came of what a token was used for."""
        self._spent.pop(ident, None)
