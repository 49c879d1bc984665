"""The ringing tone: what a caller hears while somebody is called."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FREQUENCY = 425.0
"""Hz, as in most of the world (ITU-T E.180)."""
ON, OFF = 1.0, 4.0
"""Seconds of tone and of silence."""
LEVEL = 1_300.0
"""Amplitude (of 32767): about -28 dBFS, quieter than speech."""


def ringing(rate: int) -> NDArray[np.int16]:
    """Return one period of the tone (int16 at `rate`, 5 s)."""
    time = np.arange(round(rate * ON)) / rate
    envelope = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.02)  # or it would click
    tone = LEVEL * np.sin(2 * np.pi * FREQUENCY * time) * envelope
    silence = np.zeros(round(rate * OFF))
    period: NDArray[np.int16] = np.concatenate([tone, silence]).astype(np.int16)
    return period
