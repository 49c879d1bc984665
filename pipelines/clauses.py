"""Clauses: cuts a text that is still being written into pieces worth speaking.

The first piece of a reply is cut as early as it stands on its own (a comma will do), because
the caller waits for it. Later pieces are whole sentences: they sound better and are made while
the earlier ones play. Joined together, the pieces are the text, but for white space and for
stretches without a letter or digit, which have no sound. How the text was split on its way here
makes no difference to the pieces.
"""

from __future__ import annotations

import re

_CLOSERS = "\"'”’»)\\]」』）】"
# Latin, Greek, Cyrillic and Arabic scripts put a space behind a sentence; Chinese and Japanese do
# not, and Hindi's danda stands alone often enough. There, one more character shows that nothing
# closes the sentence still (a quote, a second mark).
_SENTENCE = re.compile(
    rf"[.!?…؟۔]+[{_CLOSERS}]*(?=\s)|[。！？｡।॥]+[{_CLOSERS}]*(?=[^{_CLOSERS}。！？｡।॥])|\n+"
)
# Behind a letter, a comma needs no look at what follows, as it does in "1,000": the caller
# waits for the first clause, and the next token is 16 ms away.
_CLAUSE = re.compile(
    rf"(?<=[^\W\d_])[,;]|[,;:–—،؛][{_CLOSERS}]*(?=\s)|[，、；：][{_CLOSERS}]*(?=[^{_CLOSERS}])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|prof|vs|etc|approx|dept|mme|mlle|sr|sra|bzw|usw|ca|z\.b|e\.g|i\.e"
    r"|p\.ex)|\b[^\W\d_])\.$",
    re.IGNORECASE,
)
# "No. 5", but also "No. We are closed."
_NUMERO = re.compile(r"\b(?:no|nr|tel)\.$", re.IGNORECASE)
# "1. soup 2. fish": a short number behind nothing, a colon or a comma counts things.
_ITEM = re.compile(r"(?:^|[:;,\n])\s*\d{1,2}\.$")
# Where a long text without punctuation is cut for want of better.
_CONJUNCTION = re.compile(
    r"\s(?=(?:and|but|or|so|because|which|while|then|et|mais|ou|parce|und|aber|oder|weil|y|pero"
    r"|porque|e|ma|mas)\s)",
    re.IGNORECASE,
)
_STOP = re.compile(rf"(?:[.!?…؟۔](?!\w)|[。！？｡।॥\n])[{_CLOSERS}]*")
SPARE = 200
"""Characters by which a reply may pass its bound, to end with a sentence."""
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


class Clauses:
    """Takes text as it is written and gives the pieces that are ready.

    Args:
        first_words: A first piece cut at a comma has at least this many words.
        longest: A piece is cut at a comma, else at a conjunction, else at a space, else anywhere,
            beyond this many characters.
    """

    def __init__(self, *, first_words: int = 2, longest: int = 220) -> None:
        self._first_words = first_words
        self._longest = longest
        self._text = ""
        self._given = 0

    def feed(self, text: str) -> list[str]:
        """Take more text and return the pieces that are complete, in order."""
        self._text = (self._text + text).lstrip()
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
        # One character more: what follows decides whether a mark at the very end counts.
        window = self._text[: self._longest + 1]
        ends = self._sentences(window)
        if self._given == 0:
            ends += self._clauses(window)
        if (first := min(filter(self._fits, ends), default=None)) is not None:
            return first
        return self._forced(window) if len(window) > self._longest else None

    def _fits(self, cut: int) -> bool:
        """Whether what ends there is no longer than a piece may be."""
        return len(self._text[:cut].rstrip()) <= self._longest

    def _sentences(self, window: str) -> list[int]:
        """Return where the first sentence ends, if it does."""
        for match in _SENTENCE.finditer(window):
            text = window[: match.end()]
            if _ABBREVIATION.search(text) or _ITEM.search(text):
                continue
            if _NUMERO.search(text):
                follows = window[match.end() :].lstrip()[:1]
                if not follows or follows.isdigit():
                    continue
            return [match.end()]
        return []

    def _clauses(self, window: str) -> list[int]:
        """Return where the first clause of enough words ends, if it does."""
        cuts: list[int] = []
        for match in _CLAUSE.finditer(window):
            if _words(window[: match.start()]) >= self._first_words:
                cuts.append(match.end())
                break
        # "I have made a note of that" can be said before "and ..." is all there.
        for match in _CONJUNCTION.finditer(window):
            if _words(window[: match.start()]) >= self._first_words + 4:
                cuts.append(match.start())
                break
        return cuts

    def _forced(self, window: str) -> int:
        """Return where to cut a text that has grown too long."""
        commas = [match.end() for match in _CLAUSE.finditer(window) if self._fits(match.end())]
        if commas:
            return commas[-1]
        joints = [match.start() for match in _CONJUNCTION.finditer(window)]
        if joints and joints[-1] > self._longest // 3:
            return joints[-1]
        space = window.rfind(" ", 1)
        return space if space > 0 else self._longest


def _words(text: str) -> int:
    """Count words; two ideographs are about one."""
    ideographs = len(_IDEOGRAPH.findall(text))
    return ideographs // 2 if ideographs else len(text.split())


def ended(text: str, room: int) -> str | None:
    """Return what of a piece of text still belongs to a reply that has come to its bound. Pure.

    Args:
        text: The piece.
        room: Characters that were left before it; negative once the bound is passed.

    Returns:
        The piece, up to the first end of a sentence behind the bound or `SPARE` characters behind
        it; None where it goes on.
    """
    if len(text) <= room:
        return None
    if found := _STOP.search(text, max(0, room - 1), max(0, room + SPARE)):
        return text[: found.end()]
    return text[: max(0, room + SPARE)] if len(text) >= room + SPARE else None
