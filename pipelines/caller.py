"""Callers in this process: a WAV file, or a script that listens and answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.pipelines.turns.playout import AUDIBLE

Samples = NDArray[np.int16]

RATE = 16_000
"""Sample rate of what a caller says (Hz)."""
BLOCK = 0.02
"""Seconds per block, as a phone or a browser sends them."""
RUN_OUT = 0.6
"""Seconds of peace after a file's end that end the call."""
PATIENCE = 90.0
"""Seconds after a file's end at which the call ends whatever goes on."""

_SIZE = round(RATE * BLOCK)


class Caller(Protocol):
    """Who calls, one block at a time."""

    @property
    def farewell(self) -> str:
        """Why the caller left."""

    def next(self, heard: Samples, *, settled: bool) -> Samples | None:
        """Return what is said next: one block (int16, `RATE`), or None when the caller leaves.

        Args:
            heard: What was played to the caller last.
            settled: Whether nobody speaks and the agent is making nothing.
        """

    def close(self) -> None:
        """Release everything; idempotent."""


class FileCaller:
    """A WAV file calls, and stays until the agent has nothing more to say.

    Args:
        path: The file.

    Raises:
        vivavoce.pipelines.audio.wav.AudioFileError: If it cannot be read.
    """

    farewell = "the recording ended"

    def __init__(self, path: Path) -> None:
        self._reader = WavReader(path, RATE, block=_SIZE)
        self._blocks: Iterator[Samples] = iter(self._reader)
        self._ran_out = False
        self._after = 0.0
        self._peace = 0.0

    @property
    def warning(self) -> str:
        """What was wrong with the file, if it could be read all the same."""
        return self._reader.warning

    def next(self, heard: Samples, *, settled: bool) -> Samples | None:
        """Return the file's next block; silence after its end, for as long as it takes."""
        del heard
        pcm = None if self._ran_out else next(self._blocks, None)
        if pcm is not None:
            return _whole(pcm)
        self._ran_out = True
        self._after += BLOCK
        self._peace = self._peace + BLOCK if settled else 0.0
        if self._peace > RUN_OUT or self._after > PATIENCE:
            return None
        return np.zeros(_SIZE, np.int16)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


@dataclass(frozen=True, slots=True)
class Line:
    """Something a scripted caller says.

    Attributes:
        audio: How it sounds (int16, `RATE`).
        into: None: said when the agent has finished. A number: said when the agent has been
            speaking for so many seconds, whether it has finished or not.
    """

    audio: Samples
    into: float | None = None


class ScriptedCaller:
    """Says its lines as people do: listens, waits for the agent to finish, or cuts in.

    It goes only by what it hears.

    Args:
        lines: What it says, in order.
        pause: Silence of the agent after which it takes its turn (s).
        patience: How long it waits for the agent to say anything (s).
    """

    farewell = "the caller hung up"

    def __init__(
        self, lines: Sequence[Line], *, pause: float = 0.9, patience: float = 12.0
    ) -> None:
        self._lines = list(lines)
        self._pause = pause
        self._patience = patience
        self._saying = np.zeros(0, np.int16)
        self._answered = False
        self._speech = 0.0
        self._silence = 0.0
        self._waited = 0.0

    def next(self, heard: Samples, *, settled: bool) -> Samples | None:
        """Return what is said next."""
        del settled
        self._listen(heard)
        if not len(self._saying):
            ready = self._ready()
            if ready and not self._lines:
                return None
            if ready:
                self._begin(self._lines.pop(0))
        block, self._saying = self._saying[:_SIZE], self._saying[_SIZE:]
        return _whole(block)

    def close(self) -> None:
        """Nothing is held."""

    def _begin(self, line: Line) -> None:
        self._saying = line.audio
        self._answered = False
        self._speech = self._silence = self._waited = 0.0

    def _listen(self, heard: Samples) -> None:
        if len(heard) and int(np.abs(heard.astype(np.int32)).max()) >= AUDIBLE:
            # What is still heard while one speaks oneself is no answer.
            if not len(self._saying):
                self._answered = True
            self._speech += BLOCK + self._silence if self._speech else BLOCK
            self._silence = self._waited = 0.0
        else:
            self._silence += BLOCK
            self._waited += BLOCK

    def _ready(self) -> bool:
        if self._waited >= self._patience:
            return True
        if not self._answered:
            return False
        into = self._lines[0].into if self._lines else None
        if into is not None and self._speech >= into:
            return True
        return self._silence >= (self._pause if self._lines else 1.5)


def _whole(pcm: Samples) -> Samples:
    """Fill a short block with silence."""
    if len(pcm) == _SIZE:
        return pcm
    block = np.zeros(_SIZE, np.int16)
    block[: len(pcm)] = pcm
    return block
