"""Our own voice, coming back from the caller's loudspeaker: known by its sound and its words."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vivavoce.agent.transcript import Transcript
from vivavoce.pipelines.audio.ring import Ring
from vivavoce.pipelines.speakable import speakable
from vivavoce.pipelines.turns import echo

OFTEN = 0.05
"""Seconds of the caller's sound between two comparisons with what was played."""
REPLIES = 2
"""Replies whose words may come back."""


class Played(Protocol):
    """What is played to the caller."""

    @property
    def rate(self) -> int:
        """Its sample rate (Hz)."""

    def recent(self, seconds: float) -> NDArray[np.int16]:
        """Return the last of it (int16 at `rate`)."""


class OwnVoice:
    """Tells our own voice from the caller's.

    Args:
        rate: Sample rate of what is heard (Hz).
        played: What is played.
    """

    def __init__(self, rate: int, played: Played) -> None:
        self._rate, self._played = rate, played
        self._compared: int | None = None
        self._echo = self._echoed = False

    def heard(self, ring: Ring, fed: int) -> bool:
        """Return whether what is heard just now is our own voice.

        Args:
            ring: The last of it (at least `echo.HEARD` s, once there is so much).
            fed: Samples heard so far.
        """
        if self._compared is None or fed - self._compared >= OFTEN * self._rate:
            self._compared = fed
            heard = ring.last(min(len(ring), round(echo.HEARD * self._rate)))
            played = self._played.recent(echo.HEARD + echo.LATEST)
            rates = self._rate, self._played.rate
            self._echo = bool(played.any()) and echo.likeness(heard, played, *rates) >= echo.ECHO
        self._echoed = self._echo
        return self._echo

    def repeats(self, text: str, transcript: Transcript, language: str) -> bool:
        """Return whether a turn is nothing but our own words, heard back.

        Args:
            text: What was understood.
            transcript: Has the words.
            language: That they were spoken in.
        """
        if not self._echoed:
            return False
        ours = " ".join(reply.generated for reply in transcript.replies[-REPLIES:])
        # "$5.50" comes back in either form.
        return echo.repeats(text, ours) or echo.repeats(text, speakable(ours, language).said)

    def forget(self) -> None:
        """Take the next turn's words for the caller's, until our voice is heard again."""
        self._echoed = False
