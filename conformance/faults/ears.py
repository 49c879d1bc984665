"""What a caller heard: which sentences came out of the line, when, and how long nothing did.

Speech is scripted at the sandbox (`script.speak = "pitch"`): each text is a sine of its own height.
So a sentence is recognised by its sound, also when it was cut, late or through a bad codec.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.sandbox.pcm import pitch

RATE = 16_000
FRAME = 320
"""Samples that are judged at a time (20 ms)."""
LOUD = 400.0
"""RMS above which a frame is sound (int16)."""
NEAR = 9.0
"""How far a frame's pitch may be from a text's (Hz)."""
GAP = 0.2
"""Pauses within a sentence that belong to it (s)."""
SHORTEST = 0.08
"""A sound that is shorter is a click (s)."""
NOTES = "two notes"
UNKNOWN = "?"
_NOTES = (440.0, 330.0)
_FFT = 4096


@dataclass(frozen=True, slots=True)
class Heard:
    """One sentence, as the caller heard it.

    Attributes:
        text: Which; `NOTES` for the two notes that stand for an apology, `UNKNOWN` for a sound
            that is no known text.
        started: When it began to be heard (s on the caller's clock).
        ended: When it was over.
        sound: Seconds of it that were sound.
    """

    text: str
    started: float
    ended: float
    sound: float


def pitches(texts: Iterable[str]) -> dict[str, float]:
    """Return the heights by which texts are told apart.

    Raises:
        ValueError: Two of them sound alike: change the words of one.
    """
    found: dict[str, float] = {}
    for text in texts:
        high = pitch(text)
        near = [other for other, it in found.items() if abs(it - high) <= 2 * NEAR]
        if near or any(abs(high - note) <= 2 * NEAR for note in _NOTES):
            raise ValueError(f"{text!r} sounds like {near[0] if near else NOTES!r}")
        found[text] = high
    return found


class Ears:
    """Listens to one line. Pure: told what came, and when.

    Args:
        known: Texts with their pitches (Hz).
        rate: Sample rate of what comes (Hz).
    """

    def __init__(self, known: Mapping[str, float], rate: int = RATE) -> None:
        self._known = [*known.items(), *((NOTES, note) for note in _NOTES)]
        self._rate, self._frame = rate, rate // 50
        self._rest = np.zeros(0, np.int16)
        self._at = 0.0  # when the next sample is heard
        self._labels: list[tuple[float, str]] = []
        self._window = np.hanning(self._frame)
        self._loud_at = float("-inf")

    @property
    def last(self) -> float:
        """When a sound was last heard (s); -inf before the first."""
        return self._loud_at

    @property
    def end(self) -> float:
        """Until when there is something to play (s)."""
        return self._at

    def feed(self, pcm: Int16, now: float) -> None:
        """Take sound that came at `now` (s); it is heard then, or behind what came before."""
        if now - self._at > 0.1:  # the line was silent: what comes is heard as it comes
            self._rest, self._at = np.zeros(0, np.int16), now
        data = np.concatenate((self._rest, pcm))
        whole = len(data) - len(data) % self._frame
        self._rest = data[whole:]
        for frame in data[:whole].reshape(-1, self._frame):
            label = self._label(frame)
            if label:
                self._labels.append((self._at, label))
                self._loud_at = self._at + 0.02
            self._at += 0.02

    def sentences(self, since: float = float("-inf")) -> list[Heard]:
        """Return what was heard from a time on (s), in order."""
        found: list[Heard] = []
        for at, label in self._labels:
            if at < since:
                continue
            last = found[-1] if found else None
            if last is not None and last.text == label and at - last.ended <= GAP:
                found[-1] = Heard(label, last.started, at + 0.02, last.sound + 0.02)
            else:
                found.append(Heard(label, at, at + 0.02, 0.02))
        return _without_clicks(found)

    def _label(self, frame: Int16) -> str:
        samples = frame.astype(np.float64)
        if float(np.sqrt(np.mean(samples * samples))) < LOUD:
            return ""
        spectrum = np.abs(np.fft.rfft(samples * self._window, _FFT))
        high = float(np.argmax(spectrum)) * self._rate / _FFT
        text, off = min(
            ((text, abs(known - high)) for text, known in self._known), key=lambda each: each[1]
        )
        return text if off <= NEAR else UNKNOWN


def _without_clicks(found: list[Heard]) -> list[Heard]:
    """Leave out edges, at which a frame has half of one sentence and half of another."""
    kept: list[Heard] = []
    for each in found:
        if each.sound < SHORTEST:
            continue
        last = kept[-1] if kept else None
        if last is not None and last.text == each.text and each.started - last.ended <= GAP:
            kept[-1] = Heard(each.text, last.started, each.ended, last.sound + each.sound)
        else:
            kept.append(each)
    return kept


def longest_silence(since: float, until: float, sounds: Iterable[tuple[float, float]]) -> float:
    """Return the longest time within a stretch in which nobody was heard (s).

    Args:
        since: Where the stretch begins (s).
        until: Where it ends.
        sounds: Beginnings and ends of what was heard, of either side.
    """
    longest, at = 0.0, since
    for start, end in sorted(sounds):
        longest = max(longest, min(start, until) - at)
        at = max(at, end)
    return max(longest, until - at, 0.0)
