"""What a worker tells the fronts of itself, twice a second. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkerState:
    """How a worker stands.

    Attributes:
        name: Its name.
        node: The machine that it is on; "" for the front's own.
        url: Where it listens.
        calls: Calls that it carries.
        room: Calls that fit beside them, by its bounds and its limit; 0: it is full.
        strain: The largest share that is used of one of its bounds: loop's lag, loop's core,
            machine's cores. 1 and more: it takes no calls.
        draining: It takes no more calls; those that it has go on.
        addresses: Calls by the network that they come from, for limits over all workers.
        callers: Calls by the caller that their tokens name.
        taken: What fronts call the calls that it has lately let in.
        adopted: Ids of the calls that another worker began, and this one goes on with.
        home: Which page stands at `/`: "" for the usual one.
        about: What `/api/health` tells: models, version, whether calls are recorded.
    """

    name: str
    node: str = ""
    url: str = ""
    calls: int = 0
    room: int = 0
    strain: float = 0.0
    draining: bool = False
    addresses: Mapping[str, int] = field(default_factory=dict)
    callers: Mapping[str, int] = field(default_factory=dict)
    taken: tuple[str, ...] = ()
    adopted: tuple[str, ...] = ()
    home: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, given: object, *, node: str = "", url: str = "") -> WorkerState:
        """Read what a worker told; where it is, is ours to say.

        Raises:
            ValueError: It is no state.
        """
        if not isinstance(given, dict):
            raise ValueError("a worker's state is a JSON object")  # noqa: TRY004 (one kind of error)
        try:
            return cls(
                name=str(given["name"]),
                node=node,
                url=url,
                calls=int(given["calls"]),
                room=int(given["room"]),
                strain=float(given["strain"]),
                draining=given["draining"] is True,
                addresses=_counts(given.get("addresses")),
                callers=_counts(given.get("callers")),
                taken=tuple(str(each) for each in given.get("taken", ())),
                adopted=tuple(str(each) for each in given.get("adopted", ())),
                home=str(given.get("home", "")),
                about=dict(given.get("about", {})),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"a worker's state lacks something: {error!r}") from None


def _counts(given: object) -> dict[str, int]:
    return {str(k): int(v) for k, v in given.items()} if isinstance(given, dict) else {}
