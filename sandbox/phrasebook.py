"""The phrase book: sentences of calls, travel, hotels, lectures and small talk, thrice.

A file (phrasebook.txt) of English, French and Spanish; "{}" is a gap for a name, a number or a
thing. It
is looked up before anything is taken apart, in all directions.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

from vivavoce.sandbox.translate_words import key

_FILE = Path(__file__).with_name("phrasebook.txt")
_COLUMNS = {"en": 0, "fr": 1, "es": 2}
LONGEST = 12
"""Words of a beginning that is looked for; whole sentences may be longer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase that was found.

    Attributes:
        text: Its translation; a gap is "{}".
        gap: The words of the source that stand in the gap, as looked up; "" has none.
    """

    text: str
    gap: str = ""


@dataclass(slots=True)
class PhraseBook:
    """The phrases of one direction.

    Attributes:
        whole: Translations by the words of the source.
        gaps: By first word: what stands before a gap, behind it, and the translation.
        opening: Gapped phrases that begin with the gap.
    """

    whole: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    def find(self, text: str) -> Found | None:
        """Return the phrase that is a whole text; None where there is none."""
        words = key(text)
        if (whole := self.whole.get(words)) is not None:
            return Found(whole)
        first, _, _ = words.partition(" ")
        for before, behind, translation in self.gaps.get(first, ()):
            if words.startswith(before + " ") and words.endswith(behind):
                gap = words[len(before) + 1 : len(words) - len(behind)].strip()
                if gap and (not behind or words[: len(words) - len(behind)].endswith(" ")):
                    return Found(translation, gap)
        return None

    def add(self, source: str, translation: str) -> None:
        """Take in a phrase; the first of several stays."""
        if "{}" not in source:
            self.whole.setdefault(key(source), translation)
            return
        before, _, behind = source.partition("{}")
        lead = key(before)
        if not lead:
            return
        row = (lead, key(behind), translation)
        rows = self.gaps.setdefault(lead.split(" ")[0], [])
        rows.append(row)
        rows.sort(key=lambda each: -len(each[0]) - len(each[1]))


@functools.cache
def _rows() -> list[list[str]]:
    lines = (line.strip() for line in _FILE.read_text(encoding="utf-8").splitlines())
    return [line.split("|") for line in lines if line and not line.startswith("#")]


@functools.cache
def phrasebook(source: str, target: str) -> PhraseBook:
    """Return the phrases from one language to another (some 5 ms, once).

    Args:
        source: "en", "fr" or "es".
        target: Another of these.
    """
    book = PhraseBook()
    for row in _rows():
        book.add(row[_COLUMNS[source]], row[_COLUMNS[target]])
    return book


def phrases() -> int:
    """Return how many phrases there are."""
    return len(_rows())
