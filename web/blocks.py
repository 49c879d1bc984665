"""Blocks of a caller's sound, between a leg's clock and who listens to the leg."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator

from vivavoce.pipelines.audio.convert import Int16

KEPT = 150
"""Blocks that wait for who listens, 3 s; older ones are dropped."""
PATIENCE = 1.0
"""Seconds that a leg without a clock lets its listener wait."""


class Blocks:
    """A queue of blocks that one listens to."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[Int16, int]] = deque(maxlen=KEPT)
        self._came = asyncio.Event()
        self._ticking = False

    def put(self, pcm: Int16, rate: int) -> None:
        """Put a block (int16, mono, at `rate` Hz) behind the others."""
        self._blocks.append((pcm, rate))
        self._came.set()

    def wake(self) -> None:
        """Have whoever listens look again."""
        self._came.set()

    @contextlib.contextmanager
    def ticking(self) -> Iterator[None]:
        """Let a clock run: its next tick or end is 20 ms away, and listeners need no time-out."""
        self._ticking = True
        try:
            yield
        finally:
            self._ticking = False
            self._came.set()

    async def take(self, *, closed: bool) -> list[tuple[Int16, int]]:
        """Wait for blocks, and return all there are; safe to cancel.

        Args:
            closed: No more will come: what there is is returned at once.
        """
        if not self._blocks and not closed:
            self._came.clear()
            if self._ticking:
                await self._came.wait()
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        await self._came.wait()
        blocks = list(self._blocks)
        self._blocks.clear()
        return blocks
