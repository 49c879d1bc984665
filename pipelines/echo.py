"""Echo: what the speaker plays is taken out of what the microphone hears.

The canceller is WebRTC's AEC3, the one in browsers, from the wheel `pywebrtc-audio`. It finds the
delay between the two signals by itself and follows it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

RATE = 16_000
"""Sample rate of both signals (Hz)."""
FRAME = RATE // 100
"""Samples that are taken at a time."""


class EchoMissingError(RuntimeError):
    """The package of the echo canceller is not installed; the message says what to do."""


class EchoCanceller:
    """Cancels one call's echo.

    A few hundred milliseconds of the first thing that is played teach it the room. Both signals
    must come from one clock, sample for sample, as a duplex stream of one sound card gives them.

    Raises:
        EchoMissingError: If its package is not installed.
    """

    def __init__(self) -> None:
        try:
            from pywebrtc_audio import EchoCanceller as Aec3
        except ImportError as error:
            raise EchoMissingError(
                "the echo canceller is not installed: pip install 'vivavoce[mic]', or use"
                " headphones and say so with --headphones"
            ) from error
        self._aec = Aec3(RATE, 1)

    def feed(self, near: Samples, far: Samples) -> Samples:
        """Return the microphone's signal without the speaker's.

        Args:
            near: What the microphone heard: a multiple of `FRAME` samples (int16, `RATE`).
            far: What the speaker was given over the same time, as many.

        Raises:
            ValueError: If the lengths differ or are no multiple of `FRAME`.
        """
        if len(near) != len(far) or len(near) % FRAME:
            raise ValueError(
                f"both signals must be as long, in multiples of {FRAME} samples, not"
                f" {len(near)} and {len(far)}"
            )
        # It takes no views that begin at an odd byte, as those of a file's contents may.
        near, far = _plain(near), _plain(far)
        clean: Samples = self._aec.process(near, far)
        return clean


def _plain(samples: Samples) -> Samples:
    return np.require(samples, np.int16, ("ALIGNED", "C_CONTIGUOUS"))
