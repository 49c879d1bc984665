"""Language: which of a session's languages some words are in, and where a speaker changes it.

py3langid tells languages by the bytes of a text; it knows all nine, from a few words on, in some
20 µs. A word or two ("oui", "hello") it does not know, so frequent words count too, and in doubt
the language that was spoken last goes on. Its model takes half a second to be read and some 50 MB
once it is: `prepare` does that where nobody waits for it.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.agent.languages import SPOKEN, base, hints

SAME = 0.7
"""Log-odds in favour of the language that was spoken last."""
HINT = 1.2
"""Log-odds of each frequent word."""
STAY = 4.5
"""Log-odds that it takes to change the language in the middle of what is said."""
STAY_AT_MARK = 2.0
"""Likewise at a comma, a full stop or a dash."""
CLAUSE = 3
"""Words below which a stretch in another language is a borrowing and no clause."""
_WINDOW = 1
"""Words on each side that a word is judged with."""

_PARTICLES = frozenset("de la del le du da di dos das von van der of the and y e et und".split())
_LEAST = 1e-9
_SPACE = re.compile(r"\S+")
_MARKED = re.compile(r"[,;:.!?…。।؟،—–-]+[\"'”’»)]*$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text in one language.

    Attributes:
        text: Its words, as they stand.
        language: What they are in: one of those that were asked about.
        start: Where it begins in the text (characters).
        end: Where it ends.
    """

    text: str
    language: str
    start: int
    end: int


def prepare() -> None:
    """Read the model: half a second of work, once a process; call it off the event loop."""
    _identifier()


def tell(text: str, languages: Sequence[str], current: str = "") -> tuple[str, float]:
    """Tell which language a text is in.

    Args:
        text: What was said, or how it begins.
        languages: The codes to choose from; regions ("fr-CA") are passed over.
        current: What was spoken last; it is kept where the words do not tell. "" is nothing.

    Returns:
        One of the languages as it was given, and how sure that is: 0.5 of two is not at all.

    Raises:
        ValueError: If there is nothing to choose from.
    """
    if not languages:
        raise ValueError("tell(languages=[]): give the codes of the session's languages")
    odds = _odds(text, languages)
    if current:
        odds = [
            each + (SAME if base(language) == base(current) else 0.0)
            for each, language in zip(odds, languages, strict=True)
        ]
    best = max(range(len(odds)), key=odds.__getitem__)
    total = sum(math.exp(each - odds[best]) for each in odds)
    return languages[best], 1 / total


def pieces(text: str, languages: Sequence[str], current: str = "") -> list[Piece]:
    """Cut a text where its speaker changes the language.

    A word or two in another language is a name or a borrowing and stays where it is; from a
    clause of `CLAUSE` words on it is a piece of its own.

    Args:
        text: What was said.
        languages: As `tell` takes them.
        current: What was spoken before it; "" is nothing.

    Returns:
        The pieces in order, without the blanks between them; none of an empty text.
    """
    words = list(_SPACE.finditer(text))
    if not words:
        return []
    if len(words) < 2 * CLAUSE or len(languages) < 2:
        return [_piece(text, words, tell(text, languages, current)[0])]
    path = _path([match[0] for match in words], languages, current)
    runs = _joined(_runs(path), words, text, languages)
    return [_piece(text, words[start:stop], languages[which]) for which, start, stop in runs]


def _path(words: Sequence[str], languages: Sequence[str], current: str) -> list[int]:
    """Return each word's likeliest language, given that changing it is rare (Viterbi)."""
    prior = [SAME if base(language) == base(current) else 0.0 for language in languages]
    names = _names(words, [base(language) for language in languages])
    scores, back = prior, []
    for at, word in enumerate(words):
        around = range(max(0, at - _WINDOW), min(len(words), at + _WINDOW + 1))
        near = " ".join(words[place] for place in around if not names[place])
        pairs = zip(_odds(near, languages), _odds(word, languages), strict=True)
        odds = [0.0 if names[at] else (window + own) / 2 for window, own in pairs]
        cost = STAY_AT_MARK if at and _MARKED.search(words[at - 1]) else STAY
        best = max(range(len(scores)), key=scores.__getitem__)
        came, now = [], []
        for which, score in enumerate(scores):
            change = scores[best] - cost
            came.append(best if change > score else which)
            now.append(max(score, change) + odds[which])
        back.append(came)
        scores = now
    which = max(range(len(scores)), key=scores.__getitem__)
    path = [which]
    for came in reversed(back[1:]):
        which = came[which]
        path.append(which)
    return path[::-1]


def _runs(path: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return stretches of one language: which, and the words from and to."""
    runs: list[tuple[int, int, int]] = []
    for at, which in enumerate(path):
        if runs and runs[-1][0] == which:
            runs[-1] = (which, runs[-1][1], at + 1)
        else:
            runs.append((which, at, at + 1))
    return runs


def _joined(
    runs: list[tuple[int, int, int]],
    words: Sequence[re.Match[str]],
    text: str,
    languages: Sequence[str],
) -> list[tuple[int, int, int]]:
    """Join stretches that are too short, or not clearly another language, to what is around."""
    while len(runs) > 1:
        weak = [place for place, run in enumerate(runs) if not _stands(run, words, text, languages)]
        if not weak:
            break
        place = min(weak, key=lambda at: runs[at][2] - runs[at][1])
        around = runs[place - 1] if place else runs[1]
        changed = [
            (around[0] if at == place else which, start, stop)
            for at, (which, start, stop) in enumerate(runs)
        ]
        path = [which for which, start, stop in changed for _ in range(start, stop)]
        runs = _runs(path)
    return runs


def _stands(
    run: tuple[int, int, int],
    words: Sequence[re.Match[str]],
    text: str,
    languages: Sequence[str],
) -> bool:
    which, start, stop = run
    if stop - start < CLAUSE:
        return False
    own = text[words[start].start() : words[stop - 1].end()]
    language, sure = tell(own, languages)
    if language != languages[which] or sure < 0.8:
        return False
    marked = start == 0 or _MARKED.search(words[start - 1][0]) is not None
    if marked or stop - start >= 2 * CLAUSE:
        return True
    # A clause has small words of its own; "a crème brûlée" has none.
    here = hints(own, languages[which])
    return all(here > hints(own, other) for other in languages if other != languages[which])


def _piece(text: str, words: Sequence[re.Match[str]], language: str) -> Piece:
    start, end = words[0].start(), words[-1].end()
    return Piece(text[start:end], language, start, end)


def _odds(text: str, languages: Sequence[str]) -> list[float]:
    """Return the log-odds of each language, up to a common constant."""
    codes = [base(language) for language in languages]
    text = _unnamed(text, codes)
    likely = dict(_identifier().rank(text)) if text.strip() else {}
    return [
        math.log(max(likely.get(code, _LEAST), _LEAST)) + HINT * hints(text, code) for code in codes
    ]


def _unnamed(text: str, codes: Sequence[str]) -> str:
    """Leave out names, which are of no language, where enough is left."""
    words = text.split()
    names = _names(words, codes)
    left = [word for word, name in zip(words, names, strict=True) if not name]
    return " ".join(left) if len(left) >= CLAUSE else text


def _names(words: Sequence[str], codes: Sequence[str]) -> list[bool]:
    """Tell which words are names: capital letters within a sentence, and "de" between them."""
    if "de" in codes:
        return [False] * len(words)  # German nouns have capitals too
    named = [
        at > 0 and word[:1].isupper() and word[1:2].islower() and not _ends(words[at - 1])
        for at, word in enumerate(words)
    ]
    between = [
        word in _PARTICLES and any(named[max(0, at - 1) : at]) and any(named[at + 1 : at + 2])
        for at, word in enumerate(words)
    ]
    return [one or other for one, other in zip(named, between, strict=True)]


def _ends(word: str) -> bool:
    return word.rstrip("\"'”’»)")[-1:] in ".!?…:"


@functools.cache
def _identifier() -> Any:
    """Return py3langid's identifier, of the nine languages alone: a tenth of its table stays."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    every = LanguageIdentifier.from_model_file(MODEL_FILE)
    every.set_languages(list(SPOKEN))
    return LanguageIdentifier(
        every.nb_ptc,
        every.nb_pc,
        every.nb_classes,
        every.tk_nextmove,
        every.tk_output,
        norm_probs=True,
        tk_row=every.tk_row,
    )
