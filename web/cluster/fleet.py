"""The fleet: as many workers as are wanted, replaced when they die, drained before they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class LaunchError(Exception):
    """A worker did not start; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A worker that takes requests.

    Attributes:
        name: Its name (`vivavoce.web.cluster.names`), of this incarnation alone.
        url: Where it listens, as "http://127.0.0.1:41234".
        node: The machine that it is on; "" for this one.
        slot: The smallest number that no other worker had when it was started: what has to
            differ between workers of one machine and be known beforehand (telephone ports) is
            counted by it.
    """

    name: str
    url: str
    node: str = ""
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Death:
    """A worker ended, and nobody had asked it to."""

    name: str
    why: str


class Launcher(Protocol):
    """Starts and ends workers: as processes here, as actors of Ray's elsewhere.

    Everything may be called at any time, for several workers at once.
    """

    async def start(self, name: str, slot: int) -> Member:
        """Start a worker, and return once it listens and its models are warm.

        Bounded in time by itself. Cancelled, it leaves no worker behind.

        Raises:
            LaunchError: It did not start.
        """

    async def stop(self, name: str, wait: float) -> None:
        """End a worker, by force after so many seconds; nothing if there is none. Idempotent.

        It hangs up what calls it has left, and writes their records. Cancelled, it ends by force.
        """

    async def death(self) -> Death:
        """Wait until a worker ends that nobody has ended. Cancelling loses none."""

    async def close(self) -> None:
        """End all workers, and wait for that; idempotent."""
