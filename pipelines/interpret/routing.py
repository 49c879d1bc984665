"""Routing: which language each stretch of words is in, where two may be spoken at one microphone.

Pure. What a transcriber tells of one of its segments goes to the lanes of one language, once it
is clear which; where the speaker changes to the other language in the middle of it, with a clause
or more, the rest goes there.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from vivavoce.pipelines.interpret.aligning import bare, boundary, split
from vivavoce.pipelines.interpret.language import pieces, tell

SURE = 0.8
"""Certainty from which a beginning is believed."""
FEWEST = 3
"""Words below which a beginning is not judged before it is over."""
MOST = 7
"""Words from which it is taken for what it is likeliest to be."""

_END = re.compile(r"[.!?…。।؟]+[\"'”’»)]*$")


class Routed(NamedTuple):
    """Words for the lanes of one language.

    Attributes:
        language: What they are in.
        number: Names the stretch: the segment's number, and more for each stretch of it before;
            it belongs to one language.
        text: All of it that is known so far.
        final: Whether that is all.
    """

    language: str
    number: int
    text: str
    final: bool


@dataclass(slots=True)
class _Stretch:
    number: int
    taken: list[str] = field(default_factory=list)  # bare words of the stretches before it
    language: str = ""


class Router:
    """Routes one speaker's words by language.

    Args:
        languages: Which may be spoken; the first is expected until something is said.

    Attributes:
        language: What was spoken last.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = tuple(languages)
        self.language = self._languages[0]
        self._open: dict[int, _Stretch] = {}

    def heard(self, segment: int, text: str, *, final: bool = False) -> list[Routed]:
        """Take all that is understood of a transcriber's segment; return what goes where."""
        stretch = self._open.setdefault(segment, _Stretch(segment))
        routed: list[Routed] = []
        words = self._rest(stretch, text)
        if not stretch.language and not self._decide(stretch, words, final=final):
            return []
        while (at := self._switches(stretch, words, final=final)) is not None:
            routed.append(self._routed(stretch, words[:at], final=True))
            stretch.taken += [bare(word) for word in words[:at]]
            words = words[at:]
            stretch.number += 1
            self._decide(stretch, words, final=True)
        routed.append(self._routed(stretch, words, final=final))
        if final:
            del self._open[segment]
        return routed

    def _rest(self, stretch: _Stretch, text: str) -> list[str]:
        """Return the words that no earlier stretch has taken."""
        words = split(text)
        if not stretch.taken:
            return words
        return words[boundary(stretch.taken, [bare(word) for word in words])[0] :]

    def _decide(self, stretch: _Stretch, words: list[str], *, final: bool) -> bool:
        """Find a stretch's language; return whether it is known."""
        if not final and len(words) < FEWEST:
            return False
        language, certainty = tell(" ".join(words), self._languages, self.language)
        if not final and certainty < SURE and len(words) < MOST:
            return False
        stretch.language = self.language = language
        return True

    def _switches(self, stretch: _Stretch, words: list[str], *, final: bool) -> int | None:
        """Return where a clause in another language begins; None where none does."""
        starts = list(accumulate((len(word) + 1 for word in words), initial=0))
        for piece in pieces(" ".join(words), self._languages, stretch.language)[1:]:
            start, stop = bisect_left(starts, piece.start), bisect_left(starts, piece.end)
            over = final or _END.search(words[stop - 1]) is not None
            if piece.language != stretch.language and stop - start >= (FEWEST if over else MOST):
                return start
        return None

    def _routed(self, stretch: _Stretch, words: list[str], *, final: bool) -> Routed:
        return Routed(stretch.language, stretch.number, " ".join(words), final)
