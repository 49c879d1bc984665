"""What was said just before: a streaming model hears a sentence on, wherever it was cut.

Voxtral's session is one stream: a flush makes it say the words that it owes, and what comes next
is understood as the same sentence. Moonshine hears clips, and a clip that begins in the middle of
a sentence badly. So a clip that follows closely on another is heard together with it, and the
words of the first are taken off again. Pure.
"""

from __future__ import annotations

import numpy as np

from vivavoce.sandbox.pcm import HEARING_RATE, Samples

CLOSE = HEARING_RATE * 6 // 5
"""Samples between two clips up to which the second goes on from the first."""
GAP = HEARING_RATE * 3 // 10
"""Samples of the silence between them that are kept at most."""
LONGEST = HEARING_RATE * 8
"""Samples that are heard again at most: they cost time on every pass."""


class Context:
    """The clip before, and what was understood of it."""

    def __init__(self) -> None:
        self._samples: Samples = np.zeros(0, np.float32)
        self._end = -CLOSE - 1
        self._words: list[str] = []

    def before(self, start: int) -> Samples:
        """Give what is to be heard in front of a clip that begins at a sample; often nothing."""
        if not self._words or start - self._end > CLOSE:
            return np.zeros(0, np.float32)
        gap = np.zeros(min(max(start - self._end, 0), GAP), np.float32)
        return np.concatenate((self._samples, gap))

    def own(self, start: int, text: str) -> str:
        """Give the part of a text that belongs to the clip itself, heard behind `before`."""
        if not len(self.before(start)):
            return text
        words = text.split()
        return " ".join(words[_covered(self._words, [_plain(word) for word in words]) :])

    def add(self, start: int, end: int, samples: Samples, text: str) -> None:
        """Remember a clip, with its own text."""
        earlier = self.before(start)
        words = [_plain(word) for word in text.split()]
        if len(earlier) and len(earlier) + len(samples) <= LONGEST:
            self._samples = np.concatenate((earlier, samples))
            self._words = self._words + words
        elif len(samples) <= LONGEST:
            self._samples, self._words = samples, words
        else:
            self._samples, self._words = np.zeros(0, np.float32), []
        self._end = end


def _plain(word: str) -> str:
    return "".join(char for char in word.lower() if char.isalnum())


def _covered(before: list[str], words: list[str]) -> int:
    """Find how many of the words say again what was said before (edit distance, least first)."""
    row = [float(count) for count in range(len(words) + 1)]
    for number, word in enumerate(before, 1):
        above, row = row, [float(number)]
        for count, other in enumerate(words, 1):
            # A word that was cut short ("American", "Americans") is nearly the same one.
            near = bool(word) and (other.startswith(word) or word.startswith(other))
            change = 0.0 if word == other else 0.5 if near else 1.0
            row.append(min(above[count - 1] + change, above[count] + 1, row[count - 1] + 1))
    return min(range(len(row)), key=lambda count: (row[count], -count))
