"""Senses: the voice detector's and the transcriber's stand-ins, which go by a track's samples."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from vivavoce.pipelines.audio.convert import SILENCE_DBFS, Int16
from vivavoce.pipelines.audio.vad import VoiceWindow
from vivavoce.pipelines.models.interfaces import HearingListener
from vivavoce.pipelines.simulation.track import RATE, VOICE, Track

HOP = RATE // 100
"""Samples of one level: 10 ms."""
WINDOW = 2 * HOP
"""Samples that are judged at a time."""
UNDERSTAND = 0.2
"""Seconds from a word's end until it is understood."""
FINAL = 0.1
"""Seconds from a flush to its text."""


class LevelVad:
    """Takes what is as loud as a track's voice for a voice. Implements `Vad`.

    Silence is one window however long it is, so that it costs nothing.
    """

    rate = RATE
    window = WINDOW

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new stream, at sample 0."""
        self._start = 0
        self._rest = np.zeros(0, np.int16)

    def feed(self, pcm: Int16) -> Sequence[VoiceWindow]:
        """Take a block of any size and give the windows it completes."""
        pcm = np.concatenate([self._rest, pcm]) if len(self._rest) else pcm
        whole = len(pcm) - len(pcm) % WINDOW
        self._rest = pcm[whole:]
        pcm = pcm[:whole]
        if not whole:
            return []
        if not pcm.any():
            return [self._window(whole, 0.0, (SILENCE_DBFS,))]
        loudness = np.abs(pcm.astype(np.int32)).reshape(-1, HOP)
        peaks = loudness.reshape(-1, WINDOW).max(axis=1)
        levels = 20 * np.log10(np.maximum(loudness.mean(axis=1), 0.1) / 32_768)
        return [
            self._window(
                WINDOW,
                0.98 if peak >= VOICE / 2 else 0.02,
                tuple(max(SILENCE_DBFS, float(level)) for level in levels[2 * i : 2 * i + 2]),
            )
            for i, peak in enumerate(peaks)
        ]

    def _window(self, size: int, probability: float, levels: tuple[float, ...]) -> VoiceWindow:
        window = VoiceWindow(self._start, size, probability, levels)
        self._start += size
        return window


class TrackHearing:
    """Understands a track's words, each a little after it was said. Implements `Hearing`.

    Args:
        track: What the caller says.
    """

    backlog = 0.0

    def __init__(self, track: Track) -> None:
        self._track = track
        self._listener: HearingListener | None = None
        self._position = 0
        self._begun = 0
        self._segment = 0
        self._told = ""
        self._timers: list[asyncio.TimerHandle] = []

    async def open(self, listener: HearingListener) -> None:
        """Begin."""
        self._listener = listener

    def send(self, pcm: bytes) -> None:
        """Take int16 mono audio at 16 kHz."""
        self._position += len(pcm) // 2
        understood = self._position - round(UNDERSTAND * RATE)
        if understood <= self._begun or self._listener is None:
            return
        text = " ".join(self._track.said(self._begun, understood))
        if text and text != self._told:
            self._told = text
            self.tell(self._segment, text)

    def tell(self, segment: int, text: str) -> None:
        """Tell all that is understood of a segment so far."""
        if self._listener is not None:
            self._listener.on_partial(segment, text)

    def flush(self) -> int:
        """Ask for the final text of what was sent since the last flush; return its number."""
        number = self._segment
        text = " ".join(self._track.said(self._begun, self._position))
        self._segment += 1
        self._begun = self._position
        self._told = ""
        loop = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if timer.when() > loop.time()]
        self._timers.append(loop.call_later(FINAL, self._final, number, text))
        return number

    def _final(self, number: int, text: str) -> None:
        if self._listener is not None:
            self._listener.on_final(number, text)

    async def close(self) -> None:
        """End it; idempotent."""
        self._listener = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
