"""Chunks: a queue of pieces of sound, of which as many samples are taken as are wanted."""

from __future__ import annotations

from collections import deque

import numpy as np

from .convert import Int16


def take(chunks: deque[Int16], count: int) -> Int16:
    """Take up to `count` samples from the front of a queue; what is left of a chunk stays.

    A chunk that is taken alone is given as it is, not copied.
    """
    taken: list[Int16] = []
    while count > 0 and chunks:
        chunk = chunks.popleft()
        if len(chunk) > count:
            chunks.appendleft(chunk[count:])
            chunk = chunk[:count]
        taken.append(chunk)
        count -= len(chunk)
    if len(taken) == 1:
        return taken[0]
    return np.concatenate(taken) if taken else np.zeros(0, np.int16)
