"""Where speech begins and ends, and which of its words are certain: pure, no engine.

Positions are in samples at 16 kHz since the session's first sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vivavoce.sandbox.pcm import HEARING_RATE, Samples

WINDOW = 512  # samples (32 ms), what Silero looks at
PREROLL = HEARING_RATE * 3 // 10  # Silero's onset comes about 100 ms late
LONGEST = 15 * HEARING_RATE  # longer segments degenerate in the recogniser
SETTLED = HEARING_RATE * 3 // 20  # 150 ms of silence: worth a decode, the words may be complete
CLOSED = HEARING_RATE * 7 // 10  # 700 ms of silence: the segment is over
SHORTEST = 3 * WINDOW  # fewer voiced samples are a click, not a word
SURE = 0.9  # the shortest words reach 0.99 somewhere; the onset of a beep stays below 0.85


@dataclass(frozen=True)
class Segment:
    """One stretch of speech, pre-roll included.

    Attributes:
        start: Position of its first sample.
        samples: float32 at 16 kHz.
        voiced_end: Position behind its last voiced sample.
    """

    start: int
    samples: Samples
    voiced_end: int

    @property
    def end(self) -> int:
        """Position behind its last sample."""
        return self.start + len(self.samples)


class Segmenter:
    """Cuts a session's audio into segments, from windows and their speech probabilities.

    Memory is bounded: at most one segment of 15 s and the pre-roll are kept.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        """Take a window as speech at ``threshold``, and as still speech 0.15 below it."""
        self._on, self._off = threshold, threshold - 0.15
        self._position = 0
        self._kept: list[Samples] = []  # pre-roll, or the open segment
        self._kept_samples = 0
        self._voiced = 0
        self._silence = 0
        self._peak = 0.0
        self._open = False

    @property
    def position(self) -> int:
        """How many samples were taken."""
        return self._position

    @property
    def speaking(self) -> bool:
        """Whether a segment is open and its last 150 ms are not silent."""
        return self._open and self._silence < SETTLED

    @property
    def settled(self) -> bool:
        """Whether a segment is open and has been silent for 150 ms or more."""
        return self._open and self._silence >= SETTLED

    @property
    def _is_speech(self) -> bool:
        return self._voiced >= SHORTEST and self._peak >= SURE

    def push(self, window: Samples, probability: float) -> Segment | None:
        """Take one window; give the segment that it closed, if it closed one."""
        self._position += len(window)
        self._kept.append(window)
        self._kept_samples += len(window)
        if probability >= (self._off if self._open else self._on):
            self._open = True
            self._voiced += len(window)
            self._silence = 0
            self._peak = max(self._peak, probability)
        elif self._open:
            self._silence += len(window)
        if not self._open:
            self._forget(PREROLL)
            return None
        if self._silence >= CLOSED or (not self._is_speech and self._silence >= SETTLED):
            return self.close()
        if self._kept_samples >= LONGEST:
            return self._split()
        return None

    def peek(self) -> Segment | None:
        """Give the open segment as it stands, or None when there is no speech in it yet."""
        if not self._open or not self._is_speech:
            return None
        start, voiced_end = self._position - self._kept_samples, self._position - self._silence
        return Segment(start, np.concatenate(self._kept), voiced_end)

    def close(self) -> Segment | None:
        """End the open segment now and give it, or None when it held no speech."""
        segment = self.peek()
        tail = self._silence
        self._reset()
        if segment is not None and tail:
            # The silence behind a segment is the next one's pre-roll.
            self._keep(segment.samples[-min(tail, PREROLL) :])
        return segment

    def _split(self) -> Segment:
        """Cut at the quietest 100 ms of the last third: words are whole on both sides."""
        samples = np.concatenate(self._kept)
        start = self._position - len(samples)
        hop = HEARING_RATE // 10
        first = len(samples) * 2 // 3
        tail = samples[first : first + (len(samples) - first) // hop * hop]
        energy = np.square(tail.reshape(-1, hop)).sum(axis=1)
        # The very last hop may be the first half of a word whose end has not arrived.
        cut = first + int(np.argmin(energy[:-1])) * hop + hop // 2
        silence, peak = self._silence, self._peak
        self._reset()
        self._keep(samples[cut:])
        self._open, self._peak = True, peak
        self._voiced = max(len(samples) - cut - silence, SHORTEST)
        self._silence = silence
        return Segment(start, samples[:cut], start + cut)

    def _keep(self, samples: Samples) -> None:
        self._kept = [samples]
        self._kept_samples = len(samples)

    def _reset(self) -> None:
        self._kept, self._kept_samples = [], 0
        self._voiced = self._silence = 0
        self._peak = 0.0
        self._open = False

    def _forget(self, limit: int) -> None:
        while self._kept and self._kept_samples - len(self._kept[0]) >= limit:
            self._kept_samples -= len(self._kept.pop(0))


def _same(a: list[str], b: list[str]) -> int:
    n = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        n += 1
    return n


class Commitment:
    """Which words of one segment may be sent: those that two passes agreed on.

    The recogniser decodes a growing segment again and again, and its text changes; what went
    out as a delta cannot be taken back.
    """

    def __init__(self) -> None:
        self._sent = ""
        self._before: list[str] = []

    @property
    def sent(self) -> str:
        """All deltas so far, joined."""
        return self._sent

    def partial(self, text: str) -> str:
        """Take a pass over the growing segment; give the delta it makes certain, or ``""``."""
        words = text.split()
        agreed = words[: _same(words, self._before)]
        # A pass often closes with a full stop that the next one withdraws, and cuts its
        # last word: neither is certain while it stands at the end.
        if len(agreed) == len(words) and agreed:
            agreed = agreed[:-1]
        self._before = words
        sure = " ".join(agreed).rstrip(".,!?;:…-")
        if len(sure) <= len(self._sent) or not sure.startswith(self._sent):
            return ""
        delta = sure[len(self._sent) :]
        self._sent = sure
        return delta

    def final(self, text: str) -> str:
        """Take the segment's true text; give what is left to send of it.

        When a committed word turned out wrong, the words behind as many as were sent are
        given: then only ``transcription.done`` has the true text.
        """
        text = " ".join(text.split())
        if text.startswith(self._sent):
            delta = text[len(self._sent) :]
        else:
            rest = text.split()[len(self._sent.split()) :]
            delta = "".join(f" {word}" for word in rest)
        self._sent += delta
        return delta
