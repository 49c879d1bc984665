"""Hindsight: when a word was said, from when it was understood. Pure; times in seconds.

Transcribers tell words, not their times. But each tells a word about as long after it was said as
the others, and a word cannot have been said while the speaker was silent: the voice detector
knows that to a hundredth of a second.
"""

from __future__ import annotations

from collections import deque

LETTER = 0.065
"""Seconds that a letter takes to say, on average."""
USUAL = 0.4
"""What a transcriber is taken to be late by, before anything was learnt (s)."""
EARLIEST, LATEST = 0.05, 2.0
"""Bounds of what is learnt (s)."""
MEMORY = 0.3
"""Weight of the newest observation."""
STRETCHES = 400
"""Stretches of speech that are remembered."""


class Hindsight:
    """One speaker's voice and words, in time.

    Args:
        delay: What the transcriber was asked to be late by (s); None if it was not.

    Attributes:
        delay: How long after its end a word is understood (s), as far as is known.
    """

    def __init__(self, delay: float | None = None) -> None:
        self.delay = USUAL if delay is None else delay
        self._stretches: deque[list[float]] = deque(maxlen=STRETCHES)
        self._fresh = False

    def started(self, at: float) -> None:
        """The voice began."""
        if not self._stretches or self._stretches[-1][1] != float("inf"):
            self._stretches.append([at, float("inf")])
            self._fresh = True

    def stopped(self, at: float) -> None:
        """The voice ended."""
        if self._stretches:
            self._stretches[-1][1] = max(at, self._stretches[-1][0])

    def understood(self, text: str, at: float) -> None:
        """Words were understood, the first ones since the voice began or more."""
        if not self._fresh or not text.strip():
            return
        self._fresh = False
        late = at - self._stretches[-1][0] - LETTER * len(text)
        self.delay += MEMORY * (min(LATEST, max(EARLIEST, late)) - self.delay)

    def said(self, seen: float, behind: int = 0) -> float:
        """Return when a word had been said.

        Args:
            seen: When it was first understood.
            behind: Letters of the words behind it that were understood at the same moment: some
                transcribers tell many words at once, and these were not all said at once.
        """
        guess = seen - self.delay - LETTER * behind
        best: float | None = None
        for start, end in reversed(self._stretches):
            if start > seen:
                continue
            # In a silence: the nearer of the word before it and the one behind it is meant.
            point = min(max(guess, start), end, seen)
            if best is not None and abs(point - guess) >= abs(best - guess):
                break
            best = point
        return max(0.0, guess) if best is None else best
