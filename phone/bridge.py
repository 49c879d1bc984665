"""A bridge: two lines whose people speak with each other, without any model between."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from vivavoce.phone.lines import TelephoneLine
from vivavoce.pipelines.audio.chunks import take
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.resample import Resampler

LEAD = 0.02
"""Seconds that wait, more than a packet, before the first of it is sent: blocks come by one
line's clock and leave by the other's."""
MOST = 0.12
"""Seconds that wait at most: what is older is dropped, for nobody notices 20 ms that are missing
and everybody a conversation that lags."""


class Lane:
    """One direction: audio comes at one rate, by one clock, and leaves at another. Pure.

    Attributes:
        dropped: Audio that was too old (s).
        starved: How often there was none when it was wanted, after there had been some.
    """

    def __init__(self) -> None:
        self.dropped = 0.0
        self.starved = 0
        self._rate = 0
        self._source = 0
        self._resampler: Resampler | None = None
        self._queue: deque[Int16] = deque()
        self._count = 0
        self._flows = False

    @property
    def waiting(self) -> float:
        """Audio that waits (s)."""
        return self._count / self._rate if self._rate else 0.0

    def feed(self, pcm: Int16, source: int, target: int) -> None:
        """Take audio (int16).

        Args:
            pcm: The samples.
            source: Their rate (Hz).
            target: The rate at which it leaves (Hz).
        """
        if (source, target) != (self._source, self._rate):
            self._source, self._rate = source, target
            self._resampler = None if source == target else Resampler(source, target, aligned=False)
            self._queue.clear()
            self._count = 0
        if self._resampler is not None:
            pcm = self._resampler.feed(pcm)
        self._queue.append(pcm)
        self._count += len(pcm)
        while self.waiting > MOST:
            old = self._queue.popleft()
            self._count -= len(old)
            self.dropped += len(old) / self._rate

    def take(self, seconds: float, packet: float) -> Int16:
        """Give up to so much of it; nothing before a packet and a lead are there.

        Args:
            seconds: How much is wanted.
            packet: How long the packets are that it leaves in (s).
        """
        if seconds <= 0 or not self._rate:
            return np.zeros(0, np.int16)
        if not self._flows:
            if self.waiting < packet + LEAD:
                return np.zeros(0, np.int16)
            self._flows = True
        count = round(seconds * self._rate)
        if not self._count and seconds >= packet:
            # It ran dry: without a new lead it would do so again and again.
            self._flows = False
            self.starved += 1
            return np.zeros(0, np.int16)
        taken = take(self._queue, count)
        self._count -= len(taken)
        return taken


class Listener(Protocol):
    """Takes what is said on a line and what is played to it, by that line's clock."""

    def said(self, pcm: Int16, rate: int) -> None:
        """Take what came from the line (int16, mono; Hz)."""

    def played(self, pcm: Int16, rate: int) -> None:
        """Take what goes to it, likewise; nothing where there is nothing."""


class Bridge:
    """Joins two lines: what is said and pressed on the one is heard and pressed on the other.

    Args:
        first: One line, which stands.
        second: The other one.
        listener: Takes both sides of the first one; None: nobody.
    """

    def __init__(
        self, first: TelephoneLine, second: TelephoneLine, listener: Listener | None = None
    ) -> None:
        self._first, self._second, self._listener = first, second, listener
        self._there, self._back = Lane(), Lane()  # first to second, and back

    async def run(self, over: Callable[[], str]) -> str:
        """Let them speak until one of them hangs up; then hang up the other one.

        Args:
            over: Looked at with each block: why they are to be cut off, or "".

        Returns:
            Who ended it, or `over`'s reason.

        Raises:
            TimeoutError: A line's clock stands still: a defect.

        Cancellation-safe: both lines stand as they did.
        """
        first, second = self._first, self._second
        with first.keys(_presser(second)), second.keys(_presser(first)):
            tasks = [
                asyncio.create_task(self._carry(first, second, self._listener, over)),
                asyncio.create_task(self._carry(second, first, None, over)),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        why = next(iter(done)).result()
        if not why:
            why = "the caller hung up" if first.ended else "the other side hung up"
        first.hang_up(why)
        second.hang_up(why)
        return why

    async def _carry(
        self,
        line: TelephoneLine,
        other: TelephoneLine,
        listener: Listener | None,
        over: Callable[[], str],
    ) -> str:
        """Carry what is said on a line to the other one, and give it what came from there."""
        out, into = self._there, self._back
        if line is self._second:
            out, into = into, out
        while not (why := over()):
            blocks = await line.listen()
            if not blocks:
                return ""
            for pcm, rate in blocks:
                out.feed(pcm, rate, other.rate)
                if listener is not None:
                    listener.said(pcm, rate)
            given = into.take(line.wanted, line.packet)
            line.say(given)
            if listener is not None:
                listener.played(given, line.rate)
        return why


def _presser(line: TelephoneLine) -> Callable[[str], None]:
    def press(key: str) -> None:
        with contextlib.suppress(ValueError):
            line.press(key)

    return press
