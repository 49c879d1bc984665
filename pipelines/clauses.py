"""Clauses: cuts a text that is still being written into pieces worth speaking.

The first piece of a reply is cut as early as it stands on its own (a comma will do), because
the caller waits for it. Later pieces are whole sentences: they sound better and are made while
the earlier ones play. Joined together, the pieces are the text.
"""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*(?=\s)|\n+")
_CLAUSE = re.compile(r"[,;:–—][\"'”’»)\]]*(?=\s)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|prof|no|vs|etc|approx|dept|mme|mlle|bzw|usw|z\.b|e\.g|i\.e|p\.ex)"
    r"|\b[A-Za-z])\.$",
    re.IGNORECASE,
)
# Where a long text without punctuation is cut for want of better.
_CONJUNCTION = re.compile(
    r"\s(?=(?:and|but|or|so|because|which|while|then|et|mais|ou|parce|und|aber|oder|weil|y|pero"
    r"|porque|e|ma|mas)\s)",
    re.IGNORECASE,
)


class Clauses:
    """Takes text as it is written and gives the pieces that are ready.

    Args:
        first_words: A first piece cut at a comma has at least this many words.
        longest: A piece is cut at a conjunction, else at a space, beyond this many characters.
    """

    def __init__(self, *, first_words: int = 2, longest: int = 220) -> None:
        self._first_words = first_words
        self._longest = longest
        self._text = ""
        self._given = 0

    def feed(self, text: str) -> list[str]:
        """Take more text and return the pieces that are complete, in order."""
        self._text += text
        ready: list[str] = []
        while (cut := self._cut()) is not None:
            self._give(ready, cut)
        return ready

    def finish(self) -> list[str]:
        """Return what is left, as one piece, and start over."""
        ready: list[str] = []
        self._give(ready, len(self._text))
        self._given = 0
        return ready

    def _give(self, ready: list[str], cut: int) -> None:
        piece, self._text = self._text[:cut].strip(), self._text[cut:].lstrip()
        if any(char.isalnum() for char in piece):
            ready.append(piece)
            self._given += 1

    def _cut(self) -> int | None:
        """Return where the next piece ends, if that is known already."""
        for match in _SENTENCE.finditer(self._text):
            if not _ABBREVIATION.search(self._text[: match.end()]):
                # "3. " may be the start of a list: a number alone is no sentence.
                if self._text[: match.start()].strip().isdigit():
                    continue
                return match.end()
        if self._given == 0:
            for match in _CLAUSE.finditer(self._text):
                if len(self._text[: match.start()].split()) >= self._first_words:
                    return match.end()
        if len(self._text) > self._longest:
            comma = [m.end() for m in _CLAUSE.finditer(self._text, 0, self._longest)]
            if comma:
                return comma[-1]
            words = [m.start() for m in _CONJUNCTION.finditer(self._text, 0, self._longest)]
            if words and words[-1] > self._longest // 3:
                return words[-1]
            space = self._text.rfind(" ", 1, self._longest)
            return space if space > 0 else self._longest
        return None
