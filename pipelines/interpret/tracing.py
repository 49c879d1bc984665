"""Tracing: what became of a speaker's words, and how much later a listener had them. Pure.

A word's lag is measured from its end to where its translation begins to sound. The scores are
SimulEval's (`lagging.py`), which scores one sentence at a time and takes the mean; for speech it
takes a word's beginning, centre or end as its delay ("BOW", "COW" and "EOW" behind its
`SpeechAlign`): `Boundary`. All times are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from statistics import fmean
from typing import Literal

import numpy as np

from vivavoce.agent.segment import Segment
from vivavoce.pipelines.interpret.lagging import (
    LaggingError,
    average_lagging,
    average_proportion,
    differentiable_lagging,
    token_delay,
)
from vivavoce.pipelines.turns.heard import weight

Boundary = Literal["begin", "centre", "end"]

BLURRED = 0.05
"""Seconds by which two segments may overlap: speech that is made faster has no sharp edges."""

_ENDS = (".", "!", "?", "…", "。", "؟", "।")


@dataclass(frozen=True, slots=True)
class Sounded:
    """A word and when it sounded.

    Attributes:
        text: The word, with its punctuation.
        started: When it began (s).
        ended: When it was over (s).
    """

    text: str
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words, and their translation as it was spoken.

    Attributes:
        source: The words.
        target: The translation's, in the order in which they sounded.
        first: Which word of the whole speech `source` begins with, from 0.
    """

    source: tuple[Sounded, ...]
    target: tuple[Sounded, ...]
    first: int = 0


@dataclass(frozen=True, slots=True)
class Scores:
    """SimulEval's scores of a speech: the mean over its sentences (s, but for `ap`).

    Attributes:
        al: Average lagging.
        laal: The same, length-adaptive: a translation gains nothing by being long.
        ap: Average proportion: the share of the source that a word waited for.
        dal: Differentiable average lagging.
        atd: Average token delay, of the speech in stretches of 300 ms.
        start: The first word's delay.
        end: From the sentence's end to the end of its translation.
        sentences: How many were scored.
    """

    al: float
    laal: float
    ap: float
    dal: float
    atd: float
    start: float
    end: float
    sentences: int

    def to_dict(self) -> dict[str, float]:
        """Return them as JSON; times in seconds, to the millisecond."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Spread:
    """How the lag of a speech's words is spread (s).

    Attributes:
        mean: Over all words.
        p50: Half of them have less.
        p90: Nine of ten have less.
        p95: Nineteen of twenty.
        most: The largest.
        words: How many there are.
    """

    mean: float
    p50: float
    p90: float
    p95: float
    most: float
    words: int

    def to_dict(self) -> dict[str, float]:
        """Return it as JSON; times in seconds, to the millisecond."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of a speech's words on their way into its segments.

    Attributes:
        lost: Words that are in no segment.
        doubled: Words of segments that were not said there: said twice, or invented.
        disordered: Segments whose number, or whose translation's beginning, is before that of
            the segment in front of them.
        silent: Segments that have words and whose translation was not spoken.
    """

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    disordered: tuple[int, ...]
    silent: tuple[int, ...]

    @property
    def whole(self) -> bool:
        """Whether everything that was said was translated and spoken, once and in order."""
        return not (self.lost or self.doubled or self.disordered or self.silent)


def spread(text: str, started: float, ended: float) -> tuple[Sounded, ...]:
    """Return a text's words, sharing a stretch of time by their length."""
    parts = text.split()
    weights = [max(weight(part), 0.5) for part in parts]
    edges = started + (ended - started) * np.cumsum([0.0, *weights]) / (sum(weights) or 1.0)
    return tuple(
        Sounded(part, float(begin), float(end))
        for part, (begin, end) in zip(parts, pairwise(edges), strict=True)
    )


def pieces(segments: Iterable[Segment], said: Sequence[Sounded] | None = None) -> list[Piece]:
    """Return the segments that were spoken, word by word.

    Args:
        segments: One speaker's, into one language, in order.
        said: The words that were said and when, where that is known; what was understood of them
            may differ in a few. If None, the words of a segment share its time.
    """
    every = [segment for segment in segments if segment.text.strip()]
    if said is None:
        known = [spread(each.text, each.started, each.ended) for each in every]
        places = list(np.cumsum([0, *(len(each) for each in known)]))
    else:
        places = _places(said, [segment.text for segment in every])
        known = [tuple(said[begin:end]) for begin, end in pairwise(places)]
    return [
        Piece(source, spread(each.translation, each.spoken_from, each.spoken_to), int(first))
        for each, source, first in zip(every, known, places[:-1], strict=True)
        if each.spoken_from is not None and each.spoken_to is not None and source
    ]


def covered(segments: Sequence[Segment], said: Sequence[str]) -> Coverage:
    """Return what was lost, doubled or put in a wrong order between a speaker and the segments.

    Args:
        segments: One speaker's, into one language, in the order in which they were told.
        said: The words that were said, all of them.
    """
    heard = [word for segment in segments for word in segment.text.split()]
    lost: list[str] = []
    doubled: list[str] = []
    matcher = SequenceMatcher(None, _bare(said), _bare(heard), autojunk=False)
    for _, begin, end, start, stop in matcher.get_opcodes():
        if (end - begin) != (stop - start) or _bare(said[begin:end]) != _bare(heard[start:stop]):
            lost += said[begin:end]
            doubled += heard[start:stop]
    wrong = [
        later.number
        for earlier, later in pairwise(segments)
        if later.number <= earlier.number
        or (
            earlier.spoken_to is not None
            and later.spoken_from is not None
            and later.spoken_from < earlier.spoken_to - BLURRED
        )
    ]
    silent = [one.number for one in segments if one.text.strip() and one.spoken_to is None]
    return Coverage(tuple(lost), tuple(doubled), tuple(wrong), tuple(silent))


def _bare(parts: Iterable[str]) -> list[str]:
    """Return words without what a transcriber may write either way."""
    bare = ("".join(char for char in part.casefold() if char.isalnum()) for part in parts)
    return [short or part for short, part in zip(bare, parts, strict=True)]


def _places(said: Sequence[Sounded], texts: Sequence[str]) -> list[int]:
    """Return with which word each text begins, and the number of words behind the last one."""
    words = [text.split() for text in texts]
    heard = [word for each in words for word in each]
    matcher = SequenceMatcher(
        None, _bare([word.text for word in said]), _bare(heard), autojunk=False
    )
    matches = matcher.get_matching_blocks()
    places: list[int] = []
    at = 0
    for each in words:
        # From the nearest word in front that was understood.
        block = next((b for b in reversed(matches) if b.b <= at), None)
        place = at if block is None else block.a + at - block.b
        limit = next((b.a for b in matches if b.b > at), len(said))
        places.append(max(0, *places[-1:], min(place, limit, len(said))))
        at += len(each)
    return [*places, len(said)] if texts else [0]


def word_lags(given: Iterable[Piece]) -> list[tuple[float, float]]:
    """Return for each word when it ended, and how much later its translation began (s).

    Word k of n begins in the translation where k/n of it has been spoken: which word of the
    translation stands for it is not known, and need not be to compare.
    """
    found = []
    for piece in given:
        if not piece.source or not piece.target:
            continue
        started, ended = piece.target[0].started, piece.target[-1].ended
        for number, word in enumerate(piece.source):
            begins = started + (ended - started) * number / len(piece.source)
            found.append((word.ended, begins - word.ended))
    return found


def spread_of(lags: Iterable[tuple[float, float]]) -> Spread:
    """Return how the lags of `word_lags` are spread.

    Raises:
        LaggingError: If there is none.
    """
    values = np.array([lag for _, lag in lags])
    if not len(values):
        raise LaggingError("no word was translated: there is no lag")
    p50, p90, p95 = (float(value) for value in np.percentile(values, (50, 90, 95)))
    return Spread(float(values.mean()), p50, p90, p95, float(values.max()), len(values))


def score(given: Sequence[Piece], *, boundary: Boundary = "begin") -> Scores:
    """Return SimulEval's scores: of each sentence that was said, then their mean.

    A word of a translation belongs to the sentence of the word that it stands for, in proportion;
    there is no reference, so that a sentence's own translation tells the pace (AL and LAAL are
    the same then).

    Args:
        given: The pieces, in order.
        boundary: What of a word counts as its delay: its beginning, centre or end.

    Raises:
        LaggingError: If nothing was translated.
    """
    results = []
    for source, target, chunks in _sentences(given):
        begun, length = source[0].started, source[-1].ended - source[0].started
        if not target or length <= 0:
            continue
        delays = [max(0.0, _at(word, boundary) - begun) for word in target]
        starts = [max(0.0, start - begun) for start, _ in chunks]
        results.append(
            (
                average_lagging(delays, length),
                average_lagging(delays, length, adaptive=True),
                average_proportion(delays, length),
                differentiable_lagging(delays, length),
                token_delay(starts, [end - start for start, end in chunks]),
                delays[0],
                target[-1].ended - length - begun,
            )
        )
    if not results:
        raise LaggingError("no sentence was translated: there is nothing to score")
    al, laal, ap, dal, atd, start, end = (fmean(column) for column in zip(*results, strict=True))
    return Scores(al, laal, ap, dal, atd, start, end, len(results))


def _at(word: Sounded, boundary: Boundary) -> float:
    if boundary == "begin":
        return word.started
    return word.ended if boundary == "end" else (word.started + word.ended) / 2


_Sentence = tuple[list[Sounded], list[Sounded], list[tuple[float, float]]]


def _sentences(given: Sequence[Piece]) -> list[_Sentence]:
    """Return each sentence's words, its translation's, and the latter in chunks."""
    found: list[_Sentence] = [([], [], [])]
    for piece in given:
        owners = []
        for word in piece.source:
            found[-1][0].append(word)
            owners.append(len(found) - 1)
            if word.text.endswith(_ENDS):
                found.append(([], [], []))
        for number, word in enumerate(piece.target):
            owner = owners[number * len(owners) // len(piece.target)]
            _, target, chunks = found[owner]
            if target and number and chunks[-1][1] == word.started:
                chunks[-1] = (chunks[-1][0], word.ended)
            else:
                chunks.append((word.started, word.ended))
            target.append(word)
    return [each for each in found if each[0]]
