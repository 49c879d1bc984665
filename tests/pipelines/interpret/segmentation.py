"""How much of a translation depends on where speech was cut: measured with a known right answer."""

from __future__ import annotations

import itertools
import random
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from tests.pipelines.interpret.dictionary import translate
from tests.pipelines.interpret.phrases import sentence, talk
from vivavoce.pipelines.interpret.aligning import bare, split
from vivavoce.pipelines.interpret.cutting import Cut, Cutter

RATE = 2.7
"""Words per second."""
PAIRS = (("en", "fr"), ("fr", "en"), ("de", "en"), ("en", "es"))


@dataclass(frozen=True)
class Figures:
    """What came of some talks.

    Attributes:
        words: Of the right translation.
        kept: Of these, those that the pieces' translations have, in order; a share.
        length: Words of a piece, on average.
        wait: Seconds from a word's end until it was cut off, on average.
        late: The same, of the slowest twentieth.
    """

    words: int
    kept: float
    length: float
    wait: float
    late: float


def reveal(
    words: list[str], rng: random.Random, *, fickle: bool = True
) -> Iterator[tuple[float, str]]:
    """Tell a talk as a transcriber does: word by word, now and then changing its mind.

    A word in eight is understood wrongly at first or in part, some of them until two more words
    are there; the mark behind a word comes with the next one. One that is not `fickle` only adds.
    """
    wrong: dict[int, tuple[str, int]] = {}
    for i, word in enumerate(words):
        if fickle and rng.random() < 0.125:
            heard = rng.choice([word[: max(1, len(word) // 2)], word + "s", rng.choice(words)])
            wrong[i] = (heard, rng.choice([1, 1, 1, 2]))
        told = list(words[: i + 1])
        told[-1] = told[-1].rstrip(",.")
        for place, (heard, until) in wrong.items():
            if i - place < until:
                told[place] = heard
        yield (i + 1) / RATE, " ".join(told)


def cuts_of(
    text: str,
    source: str,
    target: str,
    rng: random.Random,
    *,
    lag: float = 2.0,
    fickle: bool = True,
) -> tuple[list[Cut], list[float]]:
    """Cut a talk that is told without a pause; return the pieces and how long each word waited."""
    cutter = Cutter(source, target, target_lag=lag)
    cuts: list[Cut] = []
    waits: list[float] = []
    now = 0.0

    def took(made: list[Cut]) -> None:
        cuts.extend(made)
        waits.extend(now - word.at for cut in made for word in cut.words)

    for when, told in reveal(text.split(), rng, fickle=fickle):
        for part in (0.25, 0.5, 0.75):
            now = when - (1 - part) / RATE
            took(cutter.tick(now, speaking=True))
        now = when
        took(cutter.heard(0, told, now))
    now += 0.4
    took(cutter.heard(0, text, now, final=True))
    took(cutter.close(now))
    return cuts, waits


def measure(
    source: str,
    target: str,
    *,
    marked: bool,
    talks: int,
    lag: float = 2.0,
    long: bool = False,
    fickle: bool = True,
    seed: int = 0,
) -> Figures:
    """Measure some talks, each told without a pause.

    Args:
        source: The language that is spoken.
        target: The language of the translation.
        marked: Whether the transcriber writes marks and capitals.
        talks: How many, of six sentences each.
        lag: The cutter's target lag (s).
        long: Whether the sentences are as long as in print.
        fickle: Whether the transcriber changes its mind.
        seed: Which talks.
    """
    rng = random.Random(f"{source}{target}{seed}")
    right = kept = 0
    lengths: list[int] = []
    waits: list[float] = []
    for _ in range(talks):
        text, truth = _talk(rng, source, target, marked=marked, long=long)
        cuts, waited = cuts_of(text, source, target, rng, lag=lag, fickle=fickle)
        found = " ".join(translate(cut.text, source, target) for cut in cuts)
        wanted = [bare(word) for word in split(truth)]
        right += len(wanted)
        kept += common(wanted, [bare(word) for word in split(found)])
        lengths += [len(cut.words) for cut in cuts]
        waits += waited
    late = statistics.quantiles(waits, n=20)[-1]
    return Figures(right, kept / right, statistics.fmean(lengths), statistics.fmean(waits), late)


def blind(
    source: str,
    target: str,
    *,
    marked: bool,
    talks: int,
    length: float,
    long: bool = False,
    seed: int = 0,
) -> float:
    """Return what is kept where pieces are cut by length alone.

    Args:
        source: The language that is spoken.
        target: The language of the translation.
        marked: Whether the transcriber writes marks and capitals.
        talks: How many.
        length: Words of a piece, on average.
        long: Whether the sentences are as long as in print.
        seed: Which talks.
    """
    rng = random.Random(f"{source}{target}{seed}")
    right = kept = 0
    for _ in range(talks):
        text, truth = _talk(rng, source, target, marked=marked, long=long)
        words = text.split()
        ends = [round(i * length) for i in range(int(len(words) / length) + 2)]
        pieces = [" ".join(words[i:j]) for i, j in itertools.pairwise(ends) if words[i:j]]
        found = " ".join(translate(piece, source, target) for piece in pieces)
        wanted = [bare(word) for word in split(truth)]
        right += len(wanted)
        kept += common(wanted, [bare(word) for word in split(found)])
    return kept / right


def _talk(
    rng: random.Random, source: str, target: str, *, marked: bool, long: bool
) -> tuple[str, str]:
    """Return a talk of six sentences and its right translation."""
    said = talk(rng, 6, long=long)
    text = " ".join(sentence(each, source) for each in said)
    truth = " ".join(sentence(each, target, figures=True) for each in said)
    if not marked:
        text = re.sub(r"[.,]", "", text).lower()
    return text, truth


def common(one: list[str], other: list[str]) -> int:
    """How many words two texts have in common, in the same order."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for j, against in enumerate(other, 1):
            above = row[j]
            row[j] = before + 1 if word == against else max(row[j], row[j - 1])
            before = above
    return row[-1]
