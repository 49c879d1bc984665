"""A listener: what waits to be sent to somebody who follows a call and says nothing. Pure.

It is bounded: whoever does not take what waits loses sound first, and is told the whole call anew
once they are back. The call itself never waits for a listener.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.resample import Resampler

RATE = 16_000
"""Sample rate of what is listened to (Hz)."""
BLOCK = 0.1
"""Seconds of sound in a message."""
SOUNDS = 20
"""Messages with sound that wait (2 s); beyond, the oldest are dropped."""
TEXTS = 200
"""Messages that wait; beyond, all are dropped for a snapshot."""
APART = 0.2
"""Seconds by which one side of the sound may be ahead of the other before that one is filled up
with silence: a caller who is away hears nothing, and an agent may speak ahead of its time."""


class Stereo:
    """Puts both sides of a call side by side, live: the caller left, the agent right.

    Both are counted in samples. Where one of them does not come, it is silent.
    """

    def __init__(self) -> None:
        self._resamplers: dict[int, Resampler] = {}
        self._sides: list[Int16] = [np.zeros(0, np.int16), np.zeros(0, np.int16)]

    def feed(self, side: int, pcm: Int16, rate: int) -> list[bytes]:
        """Take what one side said.

        Args:
            side: 0 for the caller, 1 for the agent.
            pcm: int16, mono.
            rate: Its sample rate (Hz).

        Returns:
            What is ready: blocks of `BLOCK` seconds of int16 pairs, little-endian, at `RATE`.
        """
        resampler = self._resamplers.get(side)
        if resampler is None or resampler.source_rate != rate:  # the caller came back by other ways
            resampler = self._resamplers[side] = Resampler(rate, RATE, aligned=False)
        self._sides[side] = np.concatenate([self._sides[side], resampler.feed(pcm)])
        ahead = len(self._sides[side]) - len(self._sides[1 - side])
        if ahead > APART * RATE:
            silence = np.zeros(ahead, np.int16)
            self._sides[1 - side] = np.concatenate([self._sides[1 - side], silence])
        ready, size = [], round(BLOCK * RATE)
        while min(len(each) for each in self._sides) >= size:
            pair = np.stack([each[:size] for each in self._sides], axis=1)
            ready.append(pair.astype("<i2").tobytes())
            self._sides = [each[size:] for each in self._sides]
        return ready


class Listener:
    """What waits for one listener. Implements `vivavoce.web.line.Tap`.

    Args:
        wake: Told when something waits.

    Attributes:
        over: Nothing more comes.
        dropped: Messages that were not taken in time.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._texts: deque[str] = deque()
        self._sounds: deque[bytes] = deque()
        self._stereo: Stereo | None = None
        self._behind = False
        self.over = False
        self.dropped = 0

    @property
    def listening(self) -> bool:
        """Whether they want to hear the call."""
        return self._stereo is not None

    def listen(self, on: bool) -> None:
        """Begin to hear the call, or cease."""
        if on == self.listening:
            return
        self._stereo = Stereo() if on else None
        self._sounds.clear()

    def tell(self, text: str) -> None:
        """Take a message for them."""
        if self._behind:
            self.dropped += 1
        elif len(self._texts) >= TEXTS:
            self.dropped += len(self._texts) + 1
            self._texts.clear()
            self._behind = True
        else:
            self._texts.append(text)
        self._wake()

    def end(self) -> None:
        """Nothing more comes."""
        self.over = True
        self._wake()

    def caller(self, pcm: Int16, rate: int) -> None:
        """Hear the caller."""
        self._hear(0, pcm, rate)

    def agent(self, pcm: Int16, rate: int) -> None:
        """Hear the agent."""
        self._hear(1, pcm, rate)

    def _hear(self, side: int, pcm: Int16, rate: int) -> None:
        if self._stereo is None:
            return
        for block in self._stereo.feed(side, pcm, rate):
            if len(self._sounds) >= SOUNDS:
                self._sounds.popleft()
                self.dropped += 1
            self._sounds.append(block)
            self._wake()

    def take(self, snapshot: Callable[[], str]) -> str | bytes | None:
        """Return the next message for them; None when nothing waits.

        Args:
            snapshot: Tells the whole call, for a listener that missed something.
        """
        if self._behind:
            self._behind = False
            return snapshot()
        if self._texts:
            return self._texts.popleft()
        return self._sounds.popleft() if self._sounds else None
