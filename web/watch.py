"""A watch: tells listeners what happens in one live call, as its own client is told.

There is one for each call that is followed, from its first listener to its last; a call that
nobody follows costs nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web import rtvi
from vivavoce.web.line import NETWORK, WATCH, wall
from vivavoce.web.listener import Listener
from vivavoce.web.live import LiveCall
from vivavoce.web.narrator import Narrator

Redact = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes out of a message what may not be seen."""


class Watch:
    """One call that is followed. Close it when nobody follows it any more.

    Args:
        live: The call.
        conversation: The call's.
        redact: Takes out of a message what may not be seen.

    Attributes:
        listeners: Who follows it.
    """

    def __init__(self, live: LiveCall, conversation: Talk, redact: Redact) -> None:
        self._live, self._call = live, conversation.call
        self._redact = redact
        self._narrator = Narrator(self._call, wall, recording=live.recording is not None)
        # What was before is in the snapshot. The narrator is told of it all the same: it names
        # replies and counts guesses by it.
        self._since = self._call.now
        self.listeners: set[Listener] = set()
        self._tasks = Tasks()
        self._tasks.spawn(self._narrate(), f"watch of {live.id}")
        self._tasks.spawn(self._look(), f"look at {live.id}")

    def join(self, listener: Listener) -> None:
        """Tell somebody what happens, from a snapshot on."""
        self.listeners.add(listener)
        self._live.line.taps.add(listener)
        listener.tell(self.snapshot())
        if self._call.ended:
            listener.end()

    def leave(self, listener: Listener) -> None:
        """Tell them nothing more; idempotent."""
        self.listeners.discard(listener)
        self._live.line.taps.discard(listener)

    def snapshot(self) -> str:
        """Tell what there is so far."""
        text = self._narrator.snapshot(muted=self._live.line.muted)
        return self._ours(text) or text

    async def close(self) -> None:
        """Cease; idempotent."""
        for listener in list(self.listeners):
            self.leave(listener)
        await self._tasks.close()

    async def _narrate(self) -> None:
        async for event in self._call:
            texts = self._narrator.event(event)
            if event.at >= self._since:
                self._tell(texts)
        for listener in list(self.listeners):
            listener.end()

    async def _look(self) -> None:
        reported = time.monotonic()
        while not self._call.ended:
            await asyncio.sleep(WATCH)
            self._tell(self._narrator.watch())
            leg, now = self._live.line.leg, time.monotonic()
            if leg is not None and now - reported > NETWORK:
                reported = now
                at = round(self._call.now, 3)
                self._tell([rtvi.event({"event": "network", "at": at, **leg.figures()})])

    def _tell(self, texts: list[str]) -> None:
        if not self.listeners:
            return
        for text in texts:
            told = self._ours(text)
            for listener in self.listeners if told else ():
                listener.tell(told)

    def _ours(self, text: str) -> str:
        """Return a message without what may not be seen; "" for what repeats ours for RTVI."""
        message = json.loads(text)
        if message["type"] != "server-message":
            return ""
        return rtvi.event(self._redact(message["data"]))
