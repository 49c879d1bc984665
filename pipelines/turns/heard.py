"""Heard text: which words of a clause have reached the caller, from samples alone.

Voxtral gives no word times. A word's place in the audio is estimated from the spoken lengths of
the words before it; the estimate is anchored on the pauses that the audio really has, which
nearly always stand where the punctuation does.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.speakable import Speakable

_WORD = re.compile(r"\S+")
_VOWELS = re.compile(r"[aeiouyàâäáéèêëíîïóôöúùûüœæ]+", re.IGNORECASE)

ENOUGH = 0.6
"""Share of a word that must have been played for it to count as heard."""

HOP = 0.01
"""Seconds per step of the loudness curve."""

PAUSE = 0.07
"""Seconds of silence that may be a pause. A stop consonant's closure is nearly as long."""

PACE = 0.056
"""Seconds per unit of `weight` at a usual rate of speech."""

SKIP = 2.0
"""Cost of a punctuation mark without a pause, on the scale of `_cost`."""


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


def boundaries(
    text: str, audio: NDArray[np.int16], rate: int, *, complete: bool = True
) -> NDArray[np.float64]:
    """Estimate where in the audio each word ends.

    Args:
        text: What is spoken.
        audio: All of it, or its beginning (int16, mono).
        rate: Hz.
        complete: Whether it is all of it; else a usual rate of speech is taken.

    Returns:
        One position per word, in samples, never decreasing.
    """
    spoken = [text[start:end] for start, end in words(text)]
    loud = _loudness(audio, rate)
    voiced = np.flatnonzero(loud)
    if not spoken or not len(voiced):
        return np.full(len(spoken), float(len(audio)))
    first, last = float(voiced[0]), float(voiced[-1] + 1)
    pauses = _pauses(voiced)
    ends = np.cumsum([weight(word) for word in spoken])
    silent = sum(pause.length for pause in pauses)
    pace = PACE / HOP
    if complete:
        pace = max(last - first - silent, 1.0) / (ends[-1] or 1.0)
    marks = [i for i, word in enumerate(spoken[:-1]) if not word[-1].isalnum()]
    anchors = _anchor(ends * pace, marks, pauses, first, last if complete else None)
    hops = _stretch(ends * pace, anchors, first, last if complete else None)
    return np.minimum(hops * HOP * rate, len(audio) if complete else math.inf)


def heard(
    text: str,
    audio: NDArray[np.int16],
    rate: int,
    played: int,
    *,
    complete: bool,
    spoken: Speakable | None = None,
) -> int:
    """Return how much of a text was heard.

    Args:
        text: The clause's text.
        audio: What was synthesised of it so far (int16, mono).
        rate: Hz.
        played: Samples that reached the caller.
        complete: Whether `audio` is all of it.
        spoken: What was said for the text; None where it was said as it is written.

    Returns:
        The offset in `text` behind the last word heard; 0 for none.
    """
    places = words(text)
    if played <= 0 or not places:
        return 0
    if spoken is not None and spoken.changed and spoken.units:
        # "$5.50" is one word, and takes five to say.
        stops = [unit.end for unit in spoken.units]
        last = np.cumsum([unit.words for unit in spoken.units]) - 1
        ends = boundaries(spoken.said, audio, rate, complete=complete)[last]
    else:
        stops = [end for _, end in places]
        ends = boundaries(text, audio, rate, complete=complete)
    starts = np.concatenate([[0.0], ends[:-1]])
    needed = starts + ENOUGH * (ends - starts)
    count = int(np.searchsorted(needed, played, side="right"))
    return stops[count - 1] if count else 0


@dataclass(frozen=True, slots=True)
class _Pause:
    """Silence within speech, in hops."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A pause that stands behind a word; behind the last one, the end."""

    word: int
    pause: _Pause


def _loudness(audio: NDArray[np.int16], rate: int) -> NDArray[np.bool_]:
    hop = round(rate * HOP)
    frames = len(audio) // hop
    if not frames:
        return np.full(min(1, len(audio)), fill_value=True)
    # float32, and no copy of the squares: 12 s of speech must not hold up the event loop.
    parts = audio[: frames * hop].astype(np.float32).reshape(frames, hop)
    level = np.sqrt(np.einsum("ij,ij->i", parts, parts) / hop)
    loud: NDArray[np.bool_] = level > max(60.0, 0.03 * float(np.percentile(level, 95)))
    return loud


def _pauses(voiced: NDArray[np.intp]) -> list[_Pause]:
    return [
        _Pause(float(left + 1), float(right))
        for left, right in pairwise(voiced.tolist())
        if (right - left - 1) * HOP >= PAUSE
    ]


def _cost(expected: float, real: float) -> float:
    """Return how unlikely it is that words of an expected length took so long (hops)."""
    # Words differ from the estimate one by one, so the error grows with the root of the length.
    return (real - expected) ** 2 / (2.0 * (16.0 + 1.2 * expected))


def _spoken(pauses: list[_Pause], start: float, end: float) -> float:
    """Return the hops of speech between two moments."""
    return (
        end
        - start
        - sum(pause.length for pause in pauses if start <= pause.start and pause.end <= end)
    )


def _anchor(
    ends: NDArray[np.float64],
    marks: list[int],
    pauses: list[_Pause],
    first: float,
    last: float | None,
) -> list[_Anchor]:
    """Match pauses with punctuation, in order, as likely as can be.

    Some pauses stand at no mark, some marks have no pause. `last` is None where the end of the
    speech is not known.
    """
    # The best way that ends with a mark at a pause: its cost, and the anchors.
    ways: list[tuple[float, list[_Anchor]]] = [(0.0, [])]
    for place, pause in enumerate(pauses):
        found: list[tuple[float, list[_Anchor]]] = []
        for mark in marks:
            best: tuple[float, list[_Anchor]] | None = None
            for cost, anchors in ways:
                before = anchors[-1] if anchors else None
                if before is not None and before.word >= mark:
                    continue
                passed = pauses[pauses.index(before.pause) + 1 if before else 0 : place]
                skipped = [m for m in marks if (before.word if before else -1) < m < mark]
                begun = before.pause.end if before else first
                total = (
                    cost
                    + _cost(
                        ends[mark] - (ends[before.word] if before else 0.0),
                        _spoken(pauses, begun, pause.start),
                    )
                    + sum(map(_missed, passed))
                    + SKIP * len(skipped)
                )
                if best is None or total < best[0]:
                    best = (total, [*anchors, _Anchor(mark, pause)])
            if best is not None:
                found.append(best)
        ways += found

    def closed(way: tuple[float, list[_Anchor]]) -> float:
        cost, anchors = way
        before = anchors[-1] if anchors else None
        passed = pauses[pauses.index(before.pause) + 1 if before else 0 :]
        total = cost + sum(map(_missed, passed))
        if last is None:
            return total
        begun, origin = (before.pause.end, ends[before.word]) if before else (first, 0.0)
        skipped = [m for m in marks if m > (before.word if before else -1)]
        spoken = _spoken(pauses, begun, last)
        return total + _cost(ends[-1] - origin, spoken) + SKIP * len(skipped)

    return min(ways, key=closed)[1]


def _missed(pause: _Pause) -> float:
    """Return how unlikely it is that a pause stands at no mark."""
    return min(0.12 * max(0.0, pause.length - 5.0), 4.0)


def _stretch(
    ends: NDArray[np.float64],
    anchors: list[_Anchor],
    first: float,
    last: float | None,
) -> NDArray[np.float64]:
    """Stretch the estimate piecewise, so that it passes through the anchors."""
    placed = np.empty_like(ends)
    word, origin, unit_origin = 0, first, 0.0
    goals = [(anchor.word, anchor.pause.start, anchor.pause.end) for anchor in anchors]
    if last is not None:
        goals.append((len(ends) - 1, last, last))
    for mark, start, end in goals:
        span = ends[mark] - unit_origin
        ratio = (start - origin) / span if span > 0 else 0.0
        placed[word : mark + 1] = origin + (ends[word : mark + 1] - unit_origin) * max(ratio, 0.0)
        word, origin, unit_origin = mark + 1, end, ends[mark]
    placed[word:] = origin + (ends[word:] - unit_origin)
    return np.maximum.accumulate(placed)
