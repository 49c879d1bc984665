"""Guard: keeps an interpreter from interpreting itself at a loudspeaker.

A headset or an echo canceller lets nothing of the translation back into the microphone. Where
neither is, what comes in is compared with what was played a moment before, and the transcriber
hears silence while it is the same. Pure but for its cost: a comparison takes about a millisecond,
and is made only while the speaker seems to speak and the translation sounds.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from vivavoce.pipelines.audio.ring import Ring
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.turns import echo

RATE = 16_000
"""Of the microphone (Hz)."""
COMPARE = RATE // 20
"""Samples between two comparisons."""
OURS = 6
"""Translations that a text may repeat."""
SOON = 8
"""Seconds within which an echo of our voice counts for the words understood of it."""


class Guard:
    """One participant's loudspeaker and microphone.

    Args:
        rate: Sample rate of what is played (Hz).

    Attributes:
        echo: Whether what is heard just now is what was played.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._heard = Ring(round(echo.HEARD * RATE))
        self._played = Ring(round((echo.HEARD + echo.LATEST) * rate))
        self._compared = 0
        self._sounded = -SOON * RATE
        self._echoed = -SOON * RATE
        self._spoken: deque[str] = deque(maxlen=OURS)
        self.echo = False

    def played(self, samples: Samples) -> None:
        """Something was played (int16 at the rate that was given)."""
        self._played.push(samples)
        if samples.any():
            self._sounded = self._heard.end

    def said(self, text: str) -> None:
        """A translation was spoken to this participant."""
        self._spoken.append(text)

    def filter(self, pcm: Samples, *, speaking: bool) -> Samples:
        """Return what the transcriber is to hear of what came in (int16 mono, 16 kHz).

        Args:
            pcm: What came in.
            speaking: Whether there is a voice in it.
        """
        self._heard.push(pcm)
        now = self._heard.end
        if now - self._compared >= COMPARE:
            self._compared = now
            recent = now - self._sounded < (echo.HEARD + echo.LATEST) * RATE
            self.echo = (speaking or self.echo) and recent and self._alike()
            if self.echo:
                self._echoed = now
        return np.zeros_like(pcm) if self.echo else pcm

    def repeats(self, text: str) -> bool:
        """Return whether a text is nothing but our own words, heard back a moment ago."""
        if self._heard.end - self._echoed > SOON * RATE or not self._spoken:
            return False
        return echo.repeats(text, " ".join(self._spoken))

    def _alike(self) -> bool:
        heard, played = self._heard.last(len(self._heard)), self._played.last(len(self._played))
        return echo.likeness(heard, played, RATE, self._rate) >= echo.ECHO
