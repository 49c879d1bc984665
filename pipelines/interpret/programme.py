"""A programme: what all listeners of one language hear, mixed once and encoded once.

An Opus decoder follows an encoder that it did not hear from the beginning within some packets, so
one encoder serves everybody who listens, whenever they came. What differs from one listener to the
other, RTP's numbers and the encryption, is made for each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from vivavoce.pipelines.interpret.outlet import Beneath, Outlet
from vivavoce.pipelines.models.interfaces import Samples

BLOCK = 0.02
"""Seconds that are mixed at a time: an Opus packet."""
KEPT = 15
"""Blocks that are kept: nobody is further behind."""

Encode = Callable[[Samples], bytes]
"""Encodes one block after the other (int16 at the programme's rate)."""


def mix(outlets: list[Outlet], originals: list[Beneath], count: int) -> Samples:
    """Return the next `count` samples of translations, with originals beneath (int16)."""
    heard = [outlet.take(count) for outlet in outlets]
    translated = any(outlet.speaking for outlet in outlets)
    heard += [original.take(count, translated=translated) for original in originals]
    if not heard:
        return np.zeros(count, np.int16)
    if len(heard) == 1:
        return heard[0]
    total = np.sum(heard, axis=0, dtype=np.int32)
    mixed: Samples = np.clip(total, -32_768, 32_767).astype(np.int16)
    return mixed


class Programme:
    """What listeners of one language hear. The one who is furthest ahead has it made for all.

    Args:
        rate: Sample rate (Hz).
        encode: Encodes its blocks, for those who take packets; None: nobody does.

    Attributes:
        outlets: The translations in it.
        originals: The speakers' own voices in it.
        made: Blocks so far.
        encoded: How many of them were encoded.
        listeners: How many listen.
    """

    def __init__(self, rate: int, encode: Encode | None = None) -> None:
        self.rate = rate
        self.size = round(rate * BLOCK)
        self.outlets: list[Outlet] = []
        self.originals: list[Beneath] = []
        self.made = self.encoded = 0
        self.listeners = 0
        self._encode = encode
        self._blocks: deque[Samples] = deque(maxlen=KEPT)
        self._packets: deque[bytes | None] = deque(maxlen=KEPT)

    @property
    def encodes(self) -> bool:
        """Whether it can be had in packets."""
        return self._encode is not None

    def reach(self, at: int) -> int:
        """Return the block that somebody at block `at` gets next: it, or the oldest there is."""
        while self.made <= at:
            self._blocks.append(mix(self.outlets, self.originals, self.size))
            self._packets.append(None)
            self.made += 1
        return max(at, self.made - len(self._blocks))

    def block(self, at: int) -> Samples:
        """Return a block that `reach` gave (int16)."""
        return self._blocks[at - self.made + len(self._blocks)]

    def packet(self, at: int) -> bytes:
        """Return a block that `reach` gave as a packet."""
        index = at - self.made + len(self._packets)
        packet = self._packets[index]
        if packet is None:
            assert self._encode is not None
            packet = self._packets[index] = self._encode(self._blocks[index])
            self.encoded += 1
        return packet


class Follower:
    """One listener's place in a programme. It begins at the present, and never waits.

    Args:
        programme: What is listened to.

    Attributes:
        skipped: Blocks that were not heard, because the listener was too far behind.
    """

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.skipped = 0
        self._at = programme.made
        self._rest = np.zeros(0, np.int16)
        programme.listeners += 1
        self._gone = False

    @property
    def behind(self) -> float:
        """Seconds that this listener is behind the one who is furthest ahead."""
        return (self.programme.made - self._at) * BLOCK

    def packet(self) -> bytes:
        """Return the next 20 ms, encoded."""
        packet = self.programme.packet(self._next())
        self._at += 1
        return packet

    def take(self, count: int) -> Samples:
        """Return the next `count` samples (int16)."""
        parts, there = [self._rest], len(self._rest)
        while there < count:
            block = self.programme.block(self._next())
            self._at += 1
            parts.append(block)
            there += len(block)
        whole = np.concatenate(parts) if len(parts) > 1 else self._rest
        self._rest = whole[count:]
        return whole[:count]

    def close(self) -> None:
        """Listen no more; idempotent."""
        if not self._gone:
            self._gone = True
            self.programme.listeners -= 1

    def _next(self) -> int:
        at = self.programme.reach(self._at)
        self.skipped += at - self._at
        self._at = at
        return at
