"""A PBX's line: a call that a PBX streams to us as plain samples, over a connection of its own.

AudioSocket and chan_websocket have this in common: raw 16-bit samples both ways, keys told beside
them, and nobody's clock but the listener's. What comes in bursts is handed on in blocks of 20 ms,
and what is said leaves in such blocks, by our clock.
"""

from __future__ import annotations

import abc
import asyncio
import logging
from collections import deque

import numpy as np

from vivavoce.phone.board import Direction
from vivavoce.phone.lines import TelephoneLine
from vivavoce.phone.media.dtmf import KEYS
from vivavoce.pipelines.audio.chunks import take
from vivavoce.pipelines.audio.convert import Int16

log = logging.getLogger("vivavoce")

BLOCK = 0.02
"""Seconds of a block."""
MARGIN = 0.002
"""Seconds of speech more than a block that wait to be sent."""
PRIMED = 0.04
"""Seconds that are there before what came is handed on, after there was nothing."""
CALM = 0.1
"""Seconds of what came that may wait; what is more is handed on at once. A connection loses
nothing, so it came in a burst, or we were late: words that are late are better than none."""
BEHIND = 0.1
"""Seconds by which our clock may be late before what it missed is skipped."""
SILENCE = 60.0
"""Seconds without anything from the PBX after which the call is over."""
TONE, PAUSE = 0.12, 0.08
"""Seconds that a key sounds, and between two keys."""
_PAD = "123A456B789C*0#D"
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)  # Hz (ITU-T Q.23)


class Samples:
    """A queue of samples (int16) that is taken from in blocks. Pure."""

    def __init__(self) -> None:
        self._chunks: deque[Int16] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, pcm: Int16) -> None:
        """Put samples behind the others."""
        if len(pcm):
            self._chunks.append(pcm)
            self._count += len(pcm)

    def take(self, count: int) -> Int16:
        """Take up to so many."""
        taken = take(self._chunks, count)
        self._count -= len(taken)
        return taken


class Arrival:
    """What comes from the PBX, in pieces of any size, as blocks of a clock. Pure.

    Args:
        rate: Sample rate (Hz).

    Attributes:
        gaps: How often there was nothing when a block was due, after there had been something.
    """

    def __init__(self, rate: int) -> None:
        self.gaps = 0
        self._rate = rate
        self._block = round(rate * BLOCK)
        self._samples = Samples()
        self._flows = False

    def push(self, pcm: Int16) -> None:
        """Take what came."""
        self._samples.push(pcm)

    def excess(self) -> list[Int16]:
        """Return the blocks that wait for too long."""
        blocks = []
        while len(self._samples) - self._block > CALM * self._rate:
            blocks.append(self._samples.take(self._block))
        return blocks

    def pull(self) -> Int16:
        """Return the next block; silence where there is none."""
        least = PRIMED * self._rate if not self._flows else self._block
        if len(self._samples) < least:
            self.gaps += self._flows
            self._flows = False
            return np.zeros(self._block, np.int16)
        self._flows = True
        return self._samples.take(self._block)


class PbxLine(TelephoneLine):
    """One call that a PBX streams to us.

    Args:
        trunk: The name of the way in.
        rate: Sample rate both ways (Hz).
    """

    def __init__(self, *, trunk: str, rate: int) -> None:
        super().__init__(direction=Direction.IN, trunk=trunk)
        self._rate = rate
        self.arrival = Arrival(rate)
        self._out = Samples()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._last = 0.0  # when anything last came
        self._up = False
        self._why = ""
        self._over = False

    @property
    def answered(self) -> bool:
        """Whether both sides may speak, or could until it ended."""
        return self._up

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._over

    @property
    def farewell(self) -> str:
        """Why it ended, for people; empty while it goes on."""
        return self._why if self._over else ""

    @property
    def rate(self) -> int:
        """Sample rate of what is heard and said (Hz)."""
        return self._rate

    @property
    def wanted(self) -> float:
        """Seconds of speech that are to be said now, lest the next block be silence."""
        if not self._up or self._over:
            return 0.0
        wanted = BLOCK + MARGIN - len(self._out) / self._rate
        return wanted if wanted > MARGIN else 0.0

    async def answer(self) -> bool:
        """Take the call; return whether it stands."""
        if not self._up and not self._over:
            self._up = True
            self._take_up()
            loop = asyncio.get_running_loop()
            self._due = self._last = loop.time()
            self._tick()
        self._news.set()
        return not self._over

    def reject(self, code: int = 603) -> None:
        """Refuse it: the PBX is told that it is over, and goes on with its dial plan."""
        if not self._up:
            self.hang_up(f"refused ({code})")

    def hang_up(self, why: str = "") -> None:
        """End it; idempotent."""
        if not self._over:
            self._end(why or "hung up")
            self._send_end()

    def say(self, pcm: Int16) -> None:
        """Queue audio to send (int16 at `rate`)."""
        if self._up and not self._over:
            self._out.push(pcm)

    async def said(self, within: float = 0.5) -> None:
        """Wait until what was queued has left."""
        if len(self._out) and not self._over:
            await asyncio.sleep(min(within, len(self._out) / self._rate + BLOCK))

    def press(self, keys: str) -> None:
        """Press keys, as tones: the PBX's connection carries no others.

        Raises:
            ValueError: A character is no key.
        """
        keys = keys.upper()
        if not keys or any(key not in KEYS for key in keys):
            raise ValueError(f"{keys!r}: keys are {KEYS}")
        for key in keys:
            self.say(_tone(key, self._rate))

    # -- for those who carry it

    def came(self, pcm: Int16) -> None:
        """The PBX sent samples."""
        self.alive()
        self.arrival.push(pcm)

    def pressed(self, key: str) -> None:
        """The PBX told that a key was pressed; what is none is ignored."""
        self.alive()
        if key in KEYS:
            self._pressed(key)

    def alive(self) -> None:
        """The PBX has shown that it is there."""
        self._last = asyncio.get_running_loop().time()

    def lost(self, why: str) -> None:
        """The connection is gone; idempotent."""
        self._end(why)

    @abc.abstractmethod
    def _take_up(self) -> None:
        """Tell the PBX that the call is taken."""

    @abc.abstractmethod
    def _send(self, pcm: Int16) -> None:
        """Send a block."""

    @abc.abstractmethod
    def _send_end(self) -> None:
        """Tell the PBX that the call is over, and close the connection."""

    def _end(self, why: str) -> None:
        if self._over:
            return
        self._over, self._why = True, why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._came.set()
        self._news.set()

    def _tick(self) -> None:
        """Hand on what came, send what is said, and come back when the next block is due."""
        if self._over:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._last > SILENCE:
            log.info("%r: nothing came for %.0f s: hanging up", self, SILENCE)
            self.hang_up("no audio came from the far end")
            return
        if now - self._due > BEHIND:
            self._due = now
        block = round(self._rate * BLOCK)
        while self._due <= now:
            self._due += BLOCK
            self._take(self.arrival.pull())
            pcm = self._out.take(block)
            if len(pcm) < block:
                pcm = np.concatenate([pcm, np.zeros(block - len(pcm), np.int16)])
            self._send(pcm)
        for late in self.arrival.excess():
            self._take(late)
        if not self._done():  # a listener may have hung up
            self._timer = loop.call_at(self._due, self._tick)

    def _done(self) -> bool:
        return self._over


def _tone(key: str, rate: int) -> Int16:
    row, column = divmod(_PAD.index(key), 4)
    low, high = _ROWS[row], _COLUMNS[column]
    time = np.arange(round(rate * TONE)) / rate
    sound = 6_000 * (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time))
    pause = np.zeros(round(rate * PAUSE))
    made: Int16 = np.concatenate([sound, pause]).astype(np.int16)
    return made
