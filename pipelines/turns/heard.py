"""Heard text: which words of a clause have reached the caller, from samples alone.

Voxtral gives no word times. A word's place in the audio is estimated from the spoken lengths of
the words before it; the estimate is anchored on the pauses that the audio really has, which
nearly always stand where the punctuation does.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\S+")
_VOWELS = re.compile(r"[aeiouyàâäáéèêëíîïóôöúùûüœæ]+", re.IGNORECASE)

ENOUGH = 0.6
"""Share of a word that must have been played for it to count as heard."""

HOP = 0.01
"""Seconds per step of the loudness curve."""


def words(text: str) -> list[tuple[int, int]]:
    """Return the words' places in the text, as (start, end)."""
    return [match.span() for match in _WORD.finditer(text)]


def weight(word: str) -> float:
    """Return how long a word takes to say, in units of about one letter."""
    if any(char.isdigit() for char in word):
        # A digit is a word of its own when it is read out.
        return 4.0 * sum(char.isdigit() for char in word) + len(word)
    letters = sum(char.isalpha() for char in word)
    if not letters:
        return 0.0
    # Consonants are short and syllables are what takes time.
    return 1.0 + 0.45 * letters + 1.6 * max(1, len(_VOWELS.findall(word)))


def boundaries(text: str, audio: NDArray[np.int16], rate: int) -> NDArray[np.float64]:
    """Estimate where in the audio each word ends.

    Args:
        text: What is spoken.
        audio: All of it (int16, mono).
        rate: Hz.

    Returns:
        One position per word, in samples, never decreasing.
    """
    spoken = [text[start:end] for start, end in words(text)]
    if not spoken or not len(audio):
        return np.full(len(spoken), float(len(audio)))
    loud = _loudness(audio, rate)
    voiced = np.flatnonzero(loud)
    if not len(voiced):
        return np.full(len(spoken), float(len(audio)))
    hop = rate * HOP
    first, last = voiced[0] * hop, min((voiced[-1] + 1) * hop, len(audio))
    pauses = _pauses(loud, hop)
    weights = np.array([weight(word) for word in spoken])
    total = weights.sum() or 1.0
    silent = sum(end - start for start, end in pauses)
    # Time that is voiced is shared out by weight; pauses are put back where they fall.
    scale = max(last - first - silent, 1.0) / total
    ends = np.cumsum(weights) * scale
    marks = [i for i, word in enumerate(spoken[:-1]) if not word[-1].isalnum()]
    anchors = _anchor(ends, marks, pauses, first, hop)
    return _stretch(ends, anchors, first, last)


def heard(text: str, audio: NDArray[np.int16], rate: int, played: int, *, complete: bool) -> int:
    """Return how much of a text was heard.

    Args:
        text: The clause's text.
        audio: What was synthesised of it so far (int16, mono).
        rate: Hz.
        played: Samples that reached the caller.
        complete: Whether `audio` is all of it.

    Returns:
        The offset in `text` behind the last word heard; 0 for none.
    """
    places = words(text)
    if played <= 0 or not places:
        return 0
    if complete:
        ends = boundaries(text, audio, rate)
    else:
        # How long it will be is not known: go by a usual rate of speech.
        per_unit = rate * 0.062 / 1.0
        ends = np.cumsum([weight(text[a:b]) for a, b in places]) * per_unit
    starts = np.concatenate([[0.0], ends[:-1]])
    needed = starts + ENOUGH * (ends - starts)
    count = int(np.searchsorted(needed, played, side="right"))
    return places[count - 1][1] if count else 0


def _loudness(audio: NDArray[np.int16], rate: int) -> NDArray[np.bool_]:
    hop = round(rate * HOP)
    frames = len(audio) // hop
    if not frames:
        return np.ones(1, np.bool_)
    level = np.sqrt(
        np.mean(audio[: frames * hop].reshape(frames, hop).astype(np.float64) ** 2, axis=1)
    )
    loud: NDArray[np.bool_] = level > max(60.0, 0.03 * float(np.percentile(level, 95)))
    return loud


def _pauses(loud: NDArray[np.bool_], hop: float) -> list[tuple[float, float]]:
    """Return the inner pauses of at least 70 ms, as (start, end) in samples."""
    found: list[tuple[float, float]] = []
    voiced = np.flatnonzero(loud)
    for left, right in pairwise(voiced.tolist()):
        if (right - left - 1) * HOP >= 0.07:
            found.append(((left + 1) * hop, right * hop))
    return found


def _anchor(
    ends: NDArray[np.float64],
    marks: list[int],
    pauses: list[tuple[float, float]],
    first: float,
    hop: float,
) -> list[tuple[int, float, float]]:
    """Match pauses with punctuation: (word, pause start, pause end), in order."""
    anchors: list[tuple[int, float, float]] = []
    free = list(marks)
    passed = 0.0
    for start, end in pauses:
        spoken = start - first - passed
        passed += end - start
        if not free:
            continue
        nearest = min(free, key=lambda mark: abs(ends[mark] - spoken))
        if abs(ends[nearest] - spoken) <= max(40 * hop, 0.2 * ends[-1]):
            anchors.append((nearest, start, end))
            free = [mark for mark in free if mark > nearest]
    return anchors


def _stretch(
    ends: NDArray[np.float64],
    anchors: list[tuple[int, float, float]],
    first: float,
    last: float,
) -> NDArray[np.float64]:
    """Stretch the estimate piecewise, so that it passes through the anchors."""
    placed = np.empty_like(ends)
    word, origin, unit_origin = 0, first, 0.0
    for mark, start, end in [*anchors, (len(ends) - 1, last, last)]:
        span = ends[mark] - unit_origin
        ratio = (start - origin) / span if span > 0 else 0.0
        placed[word : mark + 1] = origin + (ends[word : mark + 1] - unit_origin) * max(ratio, 0.0)
        word, origin, unit_origin = mark + 1, end, ends[mark]
    return np.maximum.accumulate(placed)
