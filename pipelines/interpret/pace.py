"""Pace: how fast and how briefly a translation is spoken, so that it keeps up. Pure.

A translation that takes longer to say than what it translates falls behind, a little with every
segment. Speaking faster is hardly noticed at first, and works at once; briefer wording works for
what is translated from now on. Both end as soon as they are no longer needed.
"""

from __future__ import annotations

FASTEST = 1.3
"""The highest speed: beyond it listeners tire, and a voice is no longer itself."""
EASE = 0.25
"""Seconds behind that are left alone."""
FULL = 2.0
"""Seconds behind from which speech is as fast as it may be."""
SLEW = 0.25
"""How much the speed may change within a second: what changes slowly is not noticed."""
BRIEFER = (1.5, 3.0)
"""Seconds behind from which wording is to be brief, and very brief."""
ENOUGH = 0.5
"""Share of these under which it need not be any more."""
MEMORY = 0.25
"""Weight of the newest segment in what a segment takes before it can be spoken."""
FIRST = 1.2
"""What that is taken for, before any segment has told (s)."""


class Pace:
    """Steers one lane's speech.

    Args:
        target: How far behind the speaker the translation should be (s).

    Attributes:
        base: How long after its last word a segment is ready to be spoken (s), on average:
            waiting for the cut, the translation, the first audio. No pace helps against it.
    """

    def __init__(self, target: float) -> None:
        self._target = target
        self.base = FIRST
        self._behind = 0.0
        self._speed = 1.0
        self._level = 0
        self._at: float | None = None

    @property
    def speed(self) -> float:
        """How much faster than usual to speak (1.0 to `FASTEST`)."""
        return self._speed

    @property
    def condense(self) -> int:
        """How brief the wording is to be: 0 as it is, 1 brief, 2 very brief."""
        return self._level

    @property
    def behind(self) -> float:
        """Seconds that a segment which is ready now would come too late."""
        return self._behind

    def ready(self, delay: float) -> None:
        """A segment could be spoken, `delay` seconds after its last word ended."""
        self.base += MEMORY * (max(0.0, delay) - self.base)

    def update(self, queue: float, now: float) -> None:
        """Time has passed.

        Args:
            queue: Seconds of speech that would be spoken before a segment that is ready now.
            now: The time (s).
        """
        # What the models take is no reason to hurry: only what waits can be made up for.
        self._behind = max(0.0, min(queue, queue + self.base - self._target))
        share = (self._behind - EASE) / (FULL - EASE)
        wanted = 1.0 + (FASTEST - 1.0) * min(1.0, max(0.0, share))
        most = SLEW * max(0.0, now - self._at) if self._at is not None else 0.0
        self._at = now
        self._speed += min(most, max(-most, wanted - self._speed))
        if abs(self._speed - 1.0) < 0.005 and wanted == 1.0:
            self._speed = 1.0
        while self._level < len(BRIEFER) and self._behind >= BRIEFER[self._level]:
            self._level += 1
        while self._level and self._behind < ENOUGH * BRIEFER[self._level - 1]:
            self._level -= 1
