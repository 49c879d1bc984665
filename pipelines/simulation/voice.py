"""The voice: speech of a known length for every word, so that what was heard of it is exact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import numpy as np

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.simulation.track import VOICE, seconds

PACE = 0.07
"""Seconds per unit of `weight`: about 160 words a minute."""
FIRST = 0.12
"""Seconds to the first audio."""


def length(text: str) -> float:
    """Return how long a text takes to say (s)."""
    return sum(seconds(text, PACE))


class ToneVoice:
    """Speaks in a steady tone. Implements `Speaking`.

    Args:
        spoken: Told when audio is there.
    """

    rate = 16_000

    def __init__(self, spoken: Callable[[], None]) -> None:
        self._spoken = spoken

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text, all of it at once."""
        del voice, language
        await asyncio.sleep(FIRST)
        samples = np.full(round(length(text) * self.rate), VOICE, np.int16)
        samples[::2] = -VOICE
        self._spoken()
        yield samples
