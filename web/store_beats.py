"""Beats: which servers of a database live, by the signs of life that they give. Pure.

Whether a server lives is told by whether its sign changes while we look on, on our own clock that
never jumps; what time it says is of no account. So neither clocks that differ between machines nor
one that is set in mid-call end or steal a call, and after a time in which nobody could look (the
database was away) looking begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LEASE = 3.0
"""Seconds without a sign of life after which a server's calls may be taken over: three beats."""

_Signs = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of a server: its signs, since when they stand, whether it lived before."""

    signs: _Signs
    since: float
    lived: bool


class Watch:
    """Looks at signs of life."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def look(self, beats: Iterable[tuple[str, float, float]], now: float) -> None:
        """Take what there is.

        Args:
            beats: Of each owner, its last beat and its last write, on whatever clock.
            now: The time (s, monotonic).
        """
        found: dict[str, _Seen] = {}
        for owner, beat, touched in beats:
            before, signs = self._seen.get(owner), (beat, touched)
            if before is None or before.signs != signs:
                found[owner] = _Seen(signs, now, lived=before is not None)
            else:
                found[owner] = before
        self._seen = found

    def clear(self) -> None:
        """Forget all: nobody could look."""
        self._seen.clear()

    def quiet(self, owner: str, beat: float, now: float) -> float:
        """Return for how long a server has been silent, at least (s).

        Args:
            owner: Whose.
            beat: The beat that stands there now.
            now: The time (s, monotonic).
        """
        seen = self._seen.get(owner)
        return now - seen.since if seen is not None and seen.signs[0] == beat else 0.0

    def lived(self, owner: str) -> bool:
        """Whether it gave a sign while we looked on: then `quiet` is all of its silence."""
        seen = self._seen.get(owner)
        return seen is not None and seen.lived

    def silent(self, seconds: float, now: float) -> list[str]:
        """Return who has been silent for as long as that."""
        return [owner for owner, seen in self._seen.items() if now - seen.since >= seconds]
