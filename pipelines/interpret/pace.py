"""Pace: how fast and how briefly a translation is spoken, so that it keeps up. Pure.

A translation that takes longer to say than what it translates falls behind, a little with every
segment. Speaking faster is hardly noticed at first, and works at once; briefer wording works for
what is translated from now on. Both end as soon as they are no longer needed.
"""

from __future__ import annotations

from collections import deque

FASTEST = 1.3
"""The highest speed in ordinary times: beyond it listeners tire."""
HASTE = 1.6
"""The highest speed of all, for a moment: still understood, and better than falling behind."""
EASE = 0.1
"""Seconds behind that are left alone."""
FULL = 2.0
"""Seconds behind from which speech is as fast as it may ordinarily be."""
FAR = (2.5, 4.5)
"""Seconds behind from which it is hurried beyond that, and as much as can be."""
SLEW = 0.25
"""How much the speed may change within a second: what changes slowly is not noticed."""
BRIEFER = (1.5, 3.0)
"""Seconds behind from which wording is to be brief, and very brief."""
LASTING = 3
"""Segments that all have to be late before wording is."""
ENOUGH = 0.5
"""Share of these under which it need not be any more."""
MEMORY = 0.25
"""Weight of the newest segment in what segments take before they can be spoken."""
FIRST = (2.0, 0.6)
"""What that is taken for, before any has told: until the cut, and from there on (s)."""


class Pace:
    """Steers one lane's speech.

    Args:
        target: How far behind the speaker the translation should be (s): from the end of a word
            to where its translation begins.

    Attributes:
        cut: How long after its first word a segment is cut off (s), on average: as its words are
            spoken as they were said, one behind the other, that is what each of them waits.
        made: How long after that it is ready to be spoken (s): the translation, the first audio.
    """

    def __init__(self, target: float) -> None:
        self._target = target
        self.cut, self.made = FIRST
        self._behind = 0.0
        self._speed = 1.0
        self._level = 0
        self._waited: deque[float] = deque(maxlen=LASTING)
        self._at: float | None = None

    @property
    def speed(self) -> float:
        """How much faster than usual to speak (1.0 to `FASTEST`; `HASTE` if it is far behind)."""
        return self._speed

    @property
    def behind(self) -> float:
        """Seconds that a segment which is cut off now would come too late for want of pace."""
        return self._behind

    def lag(self, queue: float) -> float:
        """Return how far behind itself each word of a segment cut off now will be spoken (s).

        Args:
            queue: Seconds of speech that come before it.
        """
        # What it is made in, the queue gets shorter by.
        return self.cut + max(self.made, queue)

    def ready(self, cut: float, made: float) -> None:
        """A segment was ready to be spoken.

        Args:
            cut: How long after its first word it had been cut off (s).
            made: How long after that it was ready (s).
        """
        self.cut += MEMORY * (max(0.0, cut) - self.cut)
        self.made += MEMORY * (max(0.0, made) - self.made)

    def wording(self, queue: float) -> int:
        """Return how brief a segment that was cut off now is to be: 0 as it is, 1, or 2 very.

        A short segment behind a long one waits, and nothing is wrong: only what the last three
        had to wait, all of them, does not go away by itself.

        Args:
            queue: Seconds of speech that come before it.
        """
        self._waited.append(self._late(queue))
        late = min(self._waited) if len(self._waited) == LASTING else 0.0
        while self._level < len(BRIEFER) and late >= BRIEFER[self._level]:
            self._level += 1
        while self._level and late < ENOUGH * BRIEFER[self._level - 1]:
            self._level -= 1
        return self._level

    def update(self, queue: float, now: float) -> None:
        """Time has passed.

        Args:
            queue: Seconds of speech that come before a segment which is cut off now.
            now: The time (s).
        """
        self._behind = self._late(queue)
        wanted = 1.0 + (FASTEST - 1.0) * _share(self._behind, EASE, FULL)
        wanted += (HASTE - FASTEST) * _share(self._behind, *FAR)
        most = SLEW * max(0.0, now - self._at) if self._at is not None else 0.0
        self._at = now
        self._speed += min(most, max(-most, wanted - self._speed))
        if abs(self._speed - 1.0) < 0.005 and wanted == 1.0:
            self._speed = 1.0

    def _late(self, queue: float) -> float:
        # What the models take is no reason to hurry: only what waits can be made up for.
        bearable = max(self._target, self.cut + self.made)
        return max(0.0, self.lag(queue) - bearable)


def _share(value: float, low: float, high: float) -> float:
    """Return how far a value is from one bound to another (0 to 1)."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
