"""Guard: keeps an interpreter from interpreting itself at a loudspeaker.

A headset or an echo canceller lets nothing of the translation back into the microphone. Where
neither is, what comes in is compared with what was played a moment before, and the transcriber
hears silence while it is the same. A comparison takes 1 to 2 ms; it is made while the speaker
seems to speak and the translation sounds, often at first and wherever there is an echo, and only
now and then on a line that has shown none. Pure.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from vivavoce.pipelines.audio.ring import Ring
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.turns import echo

RATE = 16_000
"""Of the microphone (Hz)."""
OFTEN, SELDOM = RATE // 20, RATE
"""Samples between two comparisons: where there is an echo, and where there is none."""
CLEAN = 10
"""Comparisons without an echo behind which they are made half as often."""
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
        self._compared = self._clean = 0
        self._every = OFTEN
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
        recent = now - self._sounded < (echo.HEARD + echo.LATEST) * RATE
        if not recent or not (speaking or self.echo):
            self.echo = False
        elif now - self._compared >= self._every:
            self._compared = now
            self._judge(now)
        return np.zeros_like(pcm) if self.echo else pcm

    def repeats(self, text: str) -> bool:
        """Return whether a text is nothing but our own words, heard back a moment ago."""
        if self._heard.end - self._echoed > SOON * RATE or not self._spoken:
            return False
        return echo.repeats(text, " ".join(self._spoken))

    def _judge(self, now: int) -> None:
        self.echo = self._alike()
        if self.echo:
            self._echoed, self._every, self._clean = now, OFTEN, 0
            return
        self._clean += 1
        if self._clean >= CLEAN:
            self._every, self._clean = min(SELDOM, 2 * self._every), 0

    def _alike(self) -> bool:
        heard, played = self._heard.last(len(self._heard)), self._played.last(len(self._played))
        return echo.likeness(heard, played, RATE, self._rate) >= echo.ECHO
