"""A websocket as a leg: sound comes and goes in order, by our own clock.

A browser's packets are paced by its sound card; a socket's come as the network lets them, in
bursts, and some clients send a whole recording at once. So the clock here is ours: every 20 ms one
block is heard, and as much speech is sent, a little ahead of the time at which it plays.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import time
from collections import deque
from typing import Any

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.blocks import Blocks
from vivavoce.web.leg import BLOCK, Told

log = logging.getLogger("vivavoce")

LEAD = 0.06
"""Seconds of speech that the client has in hand, so that a late packet is no gap. It cannot be
taken back: after an interruption so much more is heard."""
READY = 0.04
"""Seconds of the caller's sound that wait before any is heard, after there was none."""
MOST = 0.4
"""Seconds of live sound that may wait; what is more is heard faster than it was said."""
LOOK = 0.5
"""Seconds over which it is seen what always waits: it came late once, and only delays from then
on, so it is heard faster than it was said, too."""
LONGEST = 600.0
"""Seconds of sound that a client may send ahead of its time; what is more is dropped."""
STALLED = 1.0
"""Seconds of speech that wait to be sent, after which the client is out of reach."""
BACKLOG = 400
"""Messages that wait to be sent; what is more is dropped."""
BEHIND = 0.2
"""Seconds that the clock may be late before the time is skipped."""
HEARTBEAT = 10.0
"""Seconds between two pings, which find dead connections."""
CLOSE = 2.0
"""Seconds that closing may take."""


class StreamLeg:
    """One websocket. Implements `Leg`; what is on the wire is a subclass's.

    Args:
        socket: The websocket, open.
        rate: Sample rate of the caller's sound and of what is said (Hz).
        live: Whether the caller's sound comes as it is spoken.

    Attributes:
        name: Names it.
        told: Who takes its messages.
        goes_on: The call is not over when this is closed: its client is to come back (1012).
    """

    kind = "websocket"

    def __init__(self, socket: web.WebSocketResponse, rate: int, *, live: bool = True) -> None:
        self.name = secrets.token_urlsafe(12)
        self.rate = rate
        self.told: Told | None = None
        self.goes_on = False
        self._socket = socket
        self._live = live
        self._waiting: deque[Int16] = deque()
        self._count = 0  # samples that wait
        self._hearing = False
        self._size = round(rate * BLOCK)
        self._least = math.inf  # samples that have waited all the time since `_looked`
        self._surplus = 0  # of these, what is to be caught up with
        self._looked = 0.0
        self._blocks = Blocks()
        self._outbox: asyncio.Queue[str | bytes] = asyncio.Queue(BACKLOG)
        self._sounds = 0  # messages with sound that wait to be sent
        self._said = 0.0  # seconds of speech since the beginning
        self._began: float | None = None
        self._tasks = Tasks()
        self._closed = asyncio.Event()
        self._closing = False
        self._heard = self._dropped = 0
        self._last = time.monotonic()

    def begin(self) -> None:
        """Start the clock."""
        self._tasks.spawn(self._keep_time(), f"{self.kind} clock")
        self._tasks.spawn(self._write(), f"{self.kind} writer")

    # What is on the wire.

    async def took(self, message: str | bytes) -> None:
        """Take a message of the client's."""
        raise NotImplementedError

    async def encode(self, pcm: Int16) -> list[str | bytes]:
        """Return the messages that carry speech."""
        raise NotImplementedError

    async def read(self) -> None:
        """Take what the client sends, until it closes the connection."""
        with contextlib.suppress(ConnectionError):
            async for message in self._socket:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    self._last = time.monotonic()
                    await self.took(message.data)
                elif message.type is WSMsgType.ERROR:
                    break
        self._gone()

    def feed(self, pcm: Int16) -> None:
        """Take sound of the caller's (int16 at `rate`)."""
        if self._count > LONGEST * self.rate:
            self._dropped += len(pcm)
            return
        self._waiting.append(pcm)
        self._count += len(pcm)

    def forget(self) -> None:
        """Drop the caller's sound that was not heard yet."""
        self._waiting.clear()
        self._count = 0

    # The leg.

    @property
    def closed(self) -> bool:
        """Whether it is gone for good."""
        return self._closed.is_set()

    @property
    def alive(self) -> bool:
        """Whether the client takes what is sent."""
        return not self.closed and self._sounds * BLOCK < STALLED

    @property
    def wanted(self) -> float:
        """Seconds of speech that it lacks now."""
        if self._began is None:
            return 0.0
        return max(0.0, time.monotonic() - self._began + LEAD - self._said)

    async def listen(self) -> list[tuple[Int16, int]]:
        """Wait for blocks of the caller's sound."""
        return await self._blocks.take(closed=self.closed)

    async def say(self, pcm: Int16) -> None:
        """Send speech."""
        self._said += len(pcm) / self.rate
        for message in await self.encode(pcm):
            self._sounds += 1
            self.put(message)

    def put(self, message: str | bytes) -> None:
        """Send a message; what cannot be sent is dropped."""
        with contextlib.suppress(asyncio.QueueFull):
            self._outbox.put_nowait(message)

    def write(self, text: str) -> None:
        """Send a text message."""
        self.put(text)

    def figures(self) -> dict[str, Any]:
        """Return how good the connection is, as far as a socket tells."""
        return {
            "delay_ms": round(self._count / self.rate * 1000, 1),
            "received_ms": round(self._heard / self.rate * 1000),
            "dropped_ms": round(self._dropped / self.rate * 1000),
            "waiting": self._outbox.qsize(),
        }

    async def close(self) -> None:
        """Send what waits and close the connection; idempotent."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE):
                if not self.closed:
                    await self._outbox.join()
        self._gone()
        await self._tasks.close()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE):
                if self.goes_on:
                    text = b"the call goes on: come back"
                    await self._socket.close(code=WSCloseCode.SERVICE_RESTART, message=text)
                else:
                    await self._socket.close(code=WSCloseCode.OK, message=b"the call is over")

    def _gone(self) -> None:
        self._closed.set()
        self._blocks.wake()

    # Inside.

    async def _write(self) -> None:
        try:
            while not self.closed:
                message = await self._outbox.get()
                if isinstance(message, bytes):
                    await self._socket.send_bytes(message)
                else:
                    await self._socket.send_str(message)
                self._outbox.task_done()
                self._sounds = min(max(0, self._sounds - 1), self._outbox.qsize())
        except (ConnectionError, RuntimeError):
            self._gone()

    async def _keep_time(self) -> None:
        with self._blocks.ticking():
            await self._tick()

    async def _tick(self) -> None:
        at = self._began = time.monotonic()
        while not self.closed:
            now = time.monotonic()
            if now - at > BEHIND:
                # We slept: what was to be said meanwhile is not said all at once.
                if self._began is not None:
                    self._began += now - at
                at = now
            self._blocks.put(self._next(), self.rate)
            if self._live and self._behind(now):
                self._blocks.put(self._next(), self.rate)
            at += BLOCK
            await asyncio.sleep(max(0.0, at - time.monotonic()))

    def _behind(self, now: float) -> bool:
        """Return whether one more block is to be heard now, to catch up with the caller."""
        self._least = min(self._least, self._count)
        if now - self._looked >= LOOK:
            self._surplus = max(0, round(min(self._least, self._count) - READY * self.rate))
            self._least, self._looked = math.inf, now
        if self._surplus >= self._size:
            self._surplus -= self._size
            return True
        return self._count > MOST * self.rate

    def _next(self) -> Int16:
        """Return the next 20 ms: silent until enough waits, and where nothing does."""
        if not self._hearing and self._count < READY * self.rate:
            fresh = time.monotonic() - self._last < READY
            if fresh or not self._count:
                return np.zeros(self._size, np.int16)
        self._hearing = self._count > self._size
        block = np.zeros(self._size, np.int16)
        filled = 0
        while filled < self._size and self._waiting:
            piece = self._waiting.popleft()
            took = min(len(piece), self._size - filled)
            block[filled : filled + took] = piece[:took]
            filled += took
            if took < len(piece):
                self._waiting.appendleft(piece[took:])
        self._count -= filled
        self._heard += filled
        return block
