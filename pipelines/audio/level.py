"""Level: how loud short stretches of audio are."""

from __future__ import annotations

import numpy as np

from .convert import SILENCE_DBFS, Int16

_FULL = 32_768.0
_FLOOR = 10.0 ** (SILENCE_DBFS / 10.0)


def levels(pcm: Int16, hop: int) -> list[float]:
    """Return the RMS levels (dBFS) of consecutive stretches of `hop` samples (int16, mono).

    A shorter rest at the end counts as a stretch of its own.
    """
    whole = len(pcm) - len(pcm) % hop
    power: list[float] = []
    if whole:
        parts = pcm[:whole].astype(np.float32).reshape(-1, hop)
        power += (np.einsum("ij,ij->i", parts, parts) / hop).tolist()
    if whole < len(pcm):
        rest = pcm[whole:].astype(np.float32)
        power.append(float(rest @ rest) / len(rest))
    return [10.0 * float(np.log10(max(each / _FULL**2, _FLOOR))) for each in power]
