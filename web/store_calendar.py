"""The calendar: which day it is, for deleting what is old. Pure.

What is deleted does not come back, so a clock that is set forward by mistake may not make young
what is old. The day is reckoned from the time that passes, which does not jump; a clock that runs
ahead of that is believed once it has done so for a day.
"""

from __future__ import annotations

AHEAD = 60.0
"""Seconds that the clock may be ahead of what is reckoned: it is being adjusted."""
DAY = 86_400.0
"""Seconds for which a clock must have been ahead before it is believed."""


class Calendar:
    """Reckons the time of day.

    Args:
        wall: What the clock says (s since 1970).
        now: The time that passes (s, monotonic).
    """

    def __init__(self, wall: float, now: float) -> None:
        self._wall, self._from = wall, now
        self._ahead: float | None = None

    def today(self, wall: float, now: float) -> float:
        """Return the time of day to go by: never later than it surely is.

        Args:
            wall: What the clock says (s since 1970).
            now: The time that passes (s, monotonic).
        """
        reckoned = self._wall + now - self._from
        if wall <= reckoned + AHEAD:
            self._ahead = None
            if wall > reckoned:
                self._wall, self._from = wall, now
            return wall
        if self._ahead is None:
            self._ahead = now
        if now - self._ahead >= DAY:
            self._wall, self._from, self._ahead = wall, now, None
            return wall
        return reckoned
