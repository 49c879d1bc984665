"""The recorder: both sides of a call on one sample clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.audio.wav import AudioFileError, WavWriter

Samples = NDArray[np.int16]


GAP = 120.0
"""Seconds of silence that stand in a recording at most where nobody wrote it."""


class Recorder:
    """Writes a stereo WAV: the caller left, the agent right.

    Both sides are counted in samples, never in time stamps, so they cannot drift apart. Blocks
    come in pairs: what was captured, then what is played at the end of it; the agent's side is
    therefore one block late, as it was in the call.

    A disk that is full, or fails, ends the recording and not the call: what was written until then
    stays a whole file, and what comes after is let go.

    Args:
        path: Where to; written as it grows, and readable after a crash.
        rate: Of the file (Hz).
        block: Seconds of a pair.
        told: Told once why the recording ended too early, in one line.
        since: Seconds since the call began, where another server has begun the file: it goes on,
            with silence for the time in which nobody wrote. None: it begins.
        required: Whether a file that cannot even be begun is an error: who asked for the
            recording is there to be told so.

    Attributes:
        lost: Why the recording ended too early; empty while it goes on.

    Raises:
        AudioFileError: The file cannot be begun, and is `required`.
    """

    def __init__(
        self,
        path: Path,
        rate: int,
        block: float,
        told: Callable[[str], None],
        *,
        since: float | None = None,
        required: bool = False,
    ) -> None:
        self.lost = ""
        self._told = told
        self._writer: WavWriter | None = None
        try:
            self._writer = WavWriter(path, rate, 2, append=since is not None)
        except AudioFileError as error:
            if required:
                raise
            self._lose(error)
        self._rate = rate
        self._caller: Resampler | None = None
        self._caller_rate = 0
        self._lead = round(block * rate)
        self._left: list[Samples] = []
        self._right: list[Samples] = [np.zeros(self._lead, np.int16)]
        if since is not None and self._writer is not None:
            gap = min(since, self._writer.duration + GAP) - self._writer.duration
            if gap > 0:
                self._write(np.zeros((round(gap * rate), 2), np.int16))

    def caller(self, pcm: Samples, rate: int) -> None:
        """Take what the caller said (int16, mono)."""
        if self.lost:
            return
        if self._caller is None or rate != self._caller_rate:
            if self._caller is not None:
                self._left.append(self._caller.flush())
            self._caller, self._caller_rate = Resampler(rate, self._rate), rate
        self._left.append(self._caller.feed(pcm))
        self._flush()

    def agent(self, pcm: Samples) -> None:
        """Take what was played to the caller (int16, mono, at the file's rate)."""
        if not self.lost:
            self._right.append(pcm)

    def rejoin(self) -> None:
        """Go on after an interruption in which only one side was taken: silence fills the other."""
        behind = sum(map(len, self._right)) - self._lead - sum(map(len, self._left))
        if behind:
            (self._left if behind > 0 else self._right).append(np.zeros(abs(behind), np.int16))
            self._flush()

    def _flush(self) -> None:
        left, right = np.concatenate(self._left), np.concatenate(self._right)
        count = min(len(left), len(right))
        if count:
            self._write(np.stack([left[:count], right[:count]], axis=1))
        self._left, self._right = [left[count:]], [right[count:]]

    def close(self) -> None:
        """Write what is left and end the file; idempotent. It waits for the disk: see `finish`."""
        writer = self._end()
        if writer is not None:
            try:
                writer.close()
            except AudioFileError as error:
                self._lose(error)

    async def finish(self) -> None:
        """Do the same on an event loop that other calls run on: a thread waits for the disk.

        Cancelling it leaves the thread to finish the file.
        """
        writer = self._end()
        if writer is not None:
            try:
                await asyncio.to_thread(writer.close)
            except AudioFileError as error:
                self._lose(error)

    def _end(self) -> WavWriter | None:
        """Write what is left; return what is to be closed."""
        if self._caller is not None:
            self._left.append(self._caller.flush())
            self._caller = None
        left = np.concatenate([np.zeros(0, np.int16), *self._left])
        right = np.concatenate([np.zeros(0, np.int16), *self._right])
        count = max(len(left), len(right)) if len(left) else 0
        if count:
            pair = np.zeros((count, 2), np.int16)
            pair[: len(left), 0] = left
            pair[: len(right), 1] = right
            self._write(pair)
        self._left, self._right = [], []
        writer, self._writer = self._writer, None
        return writer

    def _write(self, pair: Samples) -> None:
        if self._writer is None:
            return
        try:
            self._writer.write(pair)
        except AudioFileError as error:
            with contextlib.suppress(AudioFileError):  # the first reason is the one to tell
                self._writer.close()
            self._writer = None
            self._left, self._right = [], []
            self._lose(error)

    def _lose(self, error: AudioFileError) -> None:
        self.lost = str(error)
        self._told(f"the recording ends here: {error}")
