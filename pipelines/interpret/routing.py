"""Routing: which language each stretch of words is in, where two may be spoken at one microphone.

Pure. What a transcriber tells of one of its segments goes to the lanes of one language, once it
is clear which; where the speaker changes to the other language in the middle of it, from a new
sentence on, the rest goes there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from vivavoce.pipelines.interpret.aligning import bare, boundary, split

Tell = Callable[[str, Sequence[str], str], tuple[str, float]]
"""Tells a text's language of several, and how surely (0 to 1); given the one spoken last."""

SURE = 0.8
"""Certainty from which a beginning is believed."""
SWITCH = 0.9
"""Certainty from which a sentence is believed to be in the other language than the one before."""
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
        tell: Tells a text's language.

    Attributes:
        language: What was spoken last.
    """

    def __init__(self, languages: Sequence[str], tell: Tell) -> None:
        self._languages = tuple(languages)
        self._tell = tell
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
        language, certainty = self._tell(" ".join(words), self._languages, self.language)
        if not final and certainty < SURE and len(words) < MOST:
            return False
        stretch.language = self.language = language
        return True

    def _switches(self, stretch: _Stretch, words: list[str], *, final: bool) -> int | None:
        """Return where the first sentence in another language begins; None where none does."""
        ends = [at + 1 for at, word in enumerate(words) if _END.search(word)]
        for start, stop in pairwise([*ends, len(words)]):
            enough = stop - start >= FEWEST and (final or stop in ends or stop - start >= MOST)
            if not enough:
                continue
            sentence = " ".join(words[start:stop])
            language, certainty = self._tell(sentence, self._languages, stretch.language)
            if language != stretch.language and certainty >= SWITCH:
                return start
        return None

    def _routed(self, stretch: _Stretch, words: list[str], *, final: bool) -> Routed:
        return Routed(stretch.language, stretch.number, " ".join(words), final)
