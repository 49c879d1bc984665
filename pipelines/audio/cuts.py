"""Where a recording may be cut into parts: at its pauses. Pure, in a stream, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.audio.convert import Int16

FRAME = 320
"""Samples of what is judged at once (20 ms at 16 kHz)."""
PER_SECOND = 50
"""Frames of a second."""
_FLOOR = 30.0
"""RMS (int16 steps) below which all is silence: -61 dBFS."""
_OVER = 4.0
"""A pause is at most this many times as loud as the recording's quiet (12 dB)."""
_DIP = 10
"""Frames: where there is no pause, the quietest stretch of this length is taken (0.2 s)."""
_LONG = 100
"""Frames: a pause of 2 s is as good as a longer one; then the later one is."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How long parts are (s).

    Attributes:
        longest: No part is longer.
        window: At its end a part is cut at the best pause within this much; it is what is held
            in memory.
        pause: Cut as soon as a part has `shortest` and, behind a sound, comes to a pause of this
            length; None makes parts as long as they may be.
        shortest: See `pause`.
    """

    longest: float
    window: float = 60.0
    pause: float | None = None
    shortest: float = 2.0

    def __post_init__(self) -> None:
        if not self.longest > 0:
            raise ValueError(f"longest must be more than 0 s, not {self.longest:g}")


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of a part, or its end.

    Attributes:
        samples: int16, shape (n,).
        ends: Whether the part ends behind them.
    """

    samples: Int16
    ends: bool = False


class Cutter:
    """Takes a recording block by block; gives its parts, piece by piece.

    All pieces together are the recording, sample for sample.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._longest = max(int(rule.longest * PER_SECOND), 2)
        window = min(rule.window, rule.longest / 2)
        self._window = max(min(int(window * PER_SECOND), self._longest - 1), 1)
        self._held: deque[Int16] = deque()  # whole frames, from the first that is not given
        self._rest: Int16 = np.zeros(0, np.int16)  # behind them, less than a frame
        self._levels: list[float] = []  # of the held frames
        self._given = 0  # frames of this part that were given
        self._quiet = 0  # how many of the last frames are a pause
        self._loud = False  # whether any frame of this part is none
        self._floor = _Floor()

    def push(self, block: Int16) -> list[Piece]:
        """Take int16 samples at 16 kHz, any number; give the pieces that are decided."""
        pieces: list[Piece] = []
        block = np.concatenate((self._rest, block))
        whole = len(block) - len(block) % FRAME
        self._rest = block[whole:]
        for start in range(0, whole, FRAME * PER_SECOND):
            pieces += self._take(block[start : min(start + FRAME * PER_SECOND, whole)])
        return pieces

    def close(self) -> list[Piece]:
        """Give what is left, as the last part's end."""
        if not self._levels and not len(self._rest) and not self._given:
            return []
        held = np.concatenate((self._pop(len(self._levels)), self._rest))
        self._rest = self._rest[:0]
        self._levels = []
        self._given = 0
        return [Piece(held, ends=True)]

    def _take(self, frames: Int16) -> list[Piece]:
        self._held.append(frames)
        pieces: list[Piece] = []
        for level in _levels(frames):
            self._floor.push(level)
            self._levels.append(level)
            quiet = level <= self._floor.threshold
            self._quiet = self._quiet + 1 if quiet else 0
            self._loud = self._loud or not quiet
            if self._at_pause():
                pieces.append(self._cut(len(self._levels) - self._quiet // 2))
            elif self._given + len(self._levels) >= self._longest:
                pieces.append(self._cut(self._best()))
        spare = len(self._levels) - self._window
        if self._rule.pause is None and spare > 0:
            self._levels = self._levels[spare:]
            self._given += spare
            pieces.append(Piece(self._pop(spare)))
        return pieces

    def _at_pause(self) -> bool:
        rule = self._rule
        if rule.pause is None or not self._loud or self._quiet < rule.pause * PER_SECOND:
            return False
        length = self._given + len(self._levels) - self._quiet // 2
        return length >= rule.shortest * PER_SECOND

    def _cut(self, frame: int) -> Piece:
        """End the part before a held frame; what is behind it begins the next."""
        self._levels = self._levels[frame:]
        self._given = 0
        self._quiet = min(self._quiet, len(self._levels))
        self._loud = self._quiet < len(self._levels)
        return Piece(self._pop(frame), ends=True)

    def _best(self) -> int:
        """Find the held frame to cut before: in the middle of the best pause of the window."""
        offset = max(len(self._levels) - self._window, 1)
        levels = np.array(self._levels[offset:] or [0.0])
        quiet = np.flatnonzero(np.diff(np.r_[0, levels <= self._floor.threshold, 0]))
        starts, ends = quiet[::2], quiet[1::2]
        if len(starts):
            lengths = np.minimum(ends - starts, _LONG)
            best = len(lengths) - 1 - int(np.argmax(lengths[::-1]))
            if lengths[best] >= _DIP:
                return offset + int(starts[best] + ends[best]) // 2
        width = min(_DIP, len(levels))
        smooth = np.convolve(np.square(levels), np.ones(width), "valid")
        return offset + int(np.argmin(smooth)) + width // 2

    def _pop(self, frames: int) -> Int16:
        """Take this many frames off the front of what is held."""
        missing = frames * FRAME
        taken: list[Int16] = []
        while missing:
            first = self._held.popleft()
            if len(first) > missing:
                self._held.appendleft(first[missing:])
                first = first[:missing]
            taken.append(first)
            missing -= len(first)
        return np.concatenate(taken) if taken else np.zeros(0, np.int16)


class _Floor:
    """How loud a pause may be: judged by the last minute, second by second."""

    def __init__(self) -> None:
        self._second: list[float] = []
        self._lowest: deque[float] = deque(maxlen=60)
        self._highest: deque[float] = deque(maxlen=60)
        self.threshold = _FLOOR

    def push(self, level: float) -> None:
        self._second.append(level)
        if len(self._second) < PER_SECOND:
            return
        self._second.sort()
        self._lowest.append(self._second[PER_SECOND // 10])
        self._highest.append(self._second[-PER_SECOND // 10])
        self._second = []
        floor = float(np.percentile(self._lowest, 10)) * _OVER
        # Where there has not been a pause yet, the quietest is speech.
        speech = float(np.percentile(self._highest, 90)) / _OVER
        self.threshold = max(_FLOOR, min(floor, speech))


def _levels(samples: Int16) -> list[float]:
    """Return the RMS of each frame (int16 steps)."""
    square = np.square(samples.reshape(-1, FRAME), dtype=np.float64)
    power: NDArray[np.float64] = np.mean(square, axis=1)
    levels: list[float] = np.sqrt(power).tolist()
    return levels
