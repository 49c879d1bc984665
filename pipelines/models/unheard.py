"""Hearing that understands nothing: for calls whose chat model listens to the caller itself.

Every flush is answered at once, with nothing, so that a turn's end waits for nobody.
"""

from __future__ import annotations

import asyncio

from vivavoce.pipelines.models.interfaces import HearingListener


class Unheard:
    """A transcription without words. Implements `Hearing`."""

    backlog = 0.0

    def __init__(self) -> None:
        self._listener: HearingListener | None = None
        self._flushed = 0

    async def open(self, listener: HearingListener) -> None:
        """Begin."""
        self._listener = listener

    def send(self, pcm: bytes) -> None:
        """Do nothing."""

    def flush(self) -> int:
        """Answer with nothing, once whoever asks has gone on."""
        number = self._flushed
        self._flushed += 1
        if self._listener is not None:
            asyncio.get_running_loop().call_soon(self._listener.on_final, number, "")
        return number

    async def close(self) -> None:
        """End it; idempotent."""
        self._listener = None
