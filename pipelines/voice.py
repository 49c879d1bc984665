"""The caller's voice as a recording of each turn, for a chat model that listens itself."""

from __future__ import annotations

import re
import struct

import numpy as np
from numpy.typing import NDArray

from vivavoce.agent.transcript import Transcript, Utterance
from vivavoce.pipelines.audio.ring import Ring

RATE = 16_000
"""Hz."""
LONGEST = 120 * RATE
"""Samples of a turn that are kept; of a longer one its end."""
LEAD = round(0.3 * RATE)
"""Samples before the first voiced one: a soft beginning is speech too."""
TAIL = round(0.2 * RATE)
"""Samples behind the last voiced one."""
SHORTEST = 0.2
"""Seconds of voice below which a sound is no speech, where no transcriber says what it was."""
KEPT = 8
"""Turns without a transcript whose sound stays in the history; of older ones only a note does."""

# Nobody says it: it ends with an invisible separator.
_MARK = "speech\u2063"
_WORDLESS = re.compile(rf"(?:{_MARK}[ .]*)+")


class Voice:
    """Keeps the last of what the caller said. Pure."""

    def __init__(self) -> None:
        self._ring = Ring(LONGEST)

    def push(self, pcm: NDArray[np.int16]) -> None:
        """Take what came in (int16 mono at `RATE`)."""
        self._ring.push(pcm)

    def recording(self, started_ago: float, stopped_ago: float) -> bytes:
        """Return a stretch of speech as a WAV file.

        Args:
            started_ago: How far its first voiced sample lies behind the newest one (s).
            stopped_ago: How far its last one does.
        """
        end = self._ring.end
        start = end - round(started_ago * RATE) - LEAD
        stop = min(end, end - round(stopped_ago * RATE) + TAIL)
        return wav(self._ring.read(max(0, start), max(0, stop)).tobytes(), RATE)


def wav(pcm: bytes, rate: int) -> bytes:
    """Return int16 mono audio as a WAV file."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(pcm),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        rate,
        rate * 2,
        2,
        16,
        b"data",
        len(pcm),
    )
    return head + pcm


def unwritten(seconds: float) -> str:
    """Return what stands in the transcript for speech that nobody wrote down."""
    return f"({seconds:.1f} s of speech)"


def wordless(min_words: int) -> str:
    """Return what stands for words where speech was heard and none were written down.

    It can stand alone, so that the voice and the silence decide about the turn, and it takes the
    floor.
    """
    return " ".join([_MARK] * min_words) + "."


def words(text: str) -> str:
    """Return what was written down, without what stands for words."""
    return " ".join(_WORDLESS.sub(" ", text).split())


def forget(transcript: Transcript) -> None:
    """Let go of the sound of turns that the model is told as text, or not any more.

    Of a turn that was written down, the model hears the sound while it is the last one.
    """
    said = transcript.caller
    for utterance in said[:-1]:
        if utterance.written:
            utterance.audio = None
    for utterance in [each for each in said if each.audio is not None][:-KEPT]:
        utterance.audio = None


def give(utterance: Utterance, recording: bytes, seconds: float) -> None:
    """Give an utterance its sound, and a note in place of words where there are none."""
    text = words(utterance.text)
    utterance.audio = recording
    utterance.written = bool(text)
    utterance.text = text or unwritten(seconds)
