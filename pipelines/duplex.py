"""Duplex: where the sound card's thread and the event loop meet.

The card's thread comes at its own times, with any number of samples, and must never wait: it
leaves what was captured and takes what is to be played. The loop does the opposite a little
later. What was played goes with what was captured in the same moment, so both sides stay on the
card's one clock whatever either of them does.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

SLACK = 0.02
"""Seconds of speech kept ready beyond what the card takes at a time."""
DEEPEST = 0.25
"""Seconds kept ready at most, however late the loop often is."""


@dataclass(slots=True)
class Counters:
    """What went wrong between the card and the loop.

    Attributes:
        late: How often the card was given silence because the loop had not answered yet.
        underruns: How many of these fell into speech, and were heard.
        overruns: How often captured audio was thrown away because the loop was too late.
        glitches: How often the card itself reported lost audio.
    """

    late: int = 0
    underruns: int = 0
    overruns: int = 0
    glitches: int = 0


@dataclass(slots=True)
class Duplex:
    """Two bounded buffers between two threads. Every method may be called from either.

    Attributes:
        rate: The card's sample rate (Hz).
        longest: Seconds of captured audio that may wait for the loop.
        counters: What went wrong.
    """

    rate: int
    longest: float = 1.0
    counters: Counters = field(default_factory=Counters)
    _captured: deque[tuple[Samples, Samples]] = field(default_factory=deque)
    _waiting: int = 0
    _ready: deque[Samples] = field(default_factory=deque)
    _depth: int = 0
    _chunk: int = 0
    _extra: float = 0.0
    _sounding: bool = False
    _begun: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # The card's thread.

    def exchange(self, captured: Samples, *, glitch: bool = False) -> Samples:
        """Leave what was captured; return as many samples to play. Never blocks for long.

        Args:
            captured: Mono samples (int16); copied.
            glitch: The card reports that it lost audio before.
        """
        count = len(captured)
        with self._lock:
            self.counters.glitches += glitch
            self._chunk = max(self._chunk, count)
            played = self._take(count)
            self._captured.append((captured.copy(), played))
            self._waiting += count
            while self._waiting > self.longest * self.rate and len(self._captured) > 1:
                # The newest is worth more: what is this old is of no use in a conversation.
                self._waiting -= len(self._captured.popleft()[0])
                self.counters.overruns += 1
        return played

    def _take(self, count: int) -> Samples:
        out = np.zeros(count, np.int16)
        at = 0
        while at < count and self._ready:
            block = self._ready.popleft()
            if len(block) > count - at:
                self._ready.appendleft(block[count - at :])
                block = block[: count - at]
            out[at : at + len(block)] = block
            at += len(block)
        self._depth -= at
        if at < count and self._begun:
            self.counters.late += 1
            self.counters.underruns += self._sounding
            # It may happen again: more is kept ready from now on.
            self._extra = min(DEEPEST, self._extra + (count - at) / self.rate)
        return out

    # The loop.

    @property
    def depth(self) -> float:
        """Seconds of speech that are ready to be played."""
        return self._depth / self.rate

    @property
    def wanted(self) -> float:
        """Seconds of speech that should be ready: what the card takes at a time, and a reserve."""
        return min(DEEPEST, self._chunk / self.rate + SLACK + self._extra)

    def take(self) -> tuple[Samples, Samples] | None:
        """Return what was captured next and what was played meanwhile, of one length, or None."""
        with self._lock:
            if not self._captured:
                return None
            pair = self._captured.popleft()
            self._waiting -= len(pair[0])
            return pair

    def put(self, samples: Samples, *, sounding: bool) -> None:
        """Have samples played behind those that wait.

        Args:
            samples: Mono (int16, at `rate`).
            sounding: Whether speech is going on at their end, so that a gap behind it is heard.
        """
        with self._lock:
            if len(samples):
                self._ready.append(samples)
                self._depth += len(samples)
            self._sounding = sounding
            self._begun = True
