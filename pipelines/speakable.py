"""Speakable: a text as it is read out, and which written word each spoken one stands for.

Voxtral is to be sent words (protocol page §3): figures, signs, markdown and pictures make it
stumble. What the model wrote stays as it is everywhere else; which of it was heard is found out
on what was spoken, and told in what was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from vivavoce.agent.languages import base
from vivavoce.pipelines import spelled
from vivavoce.pipelines.lexicon import LEXICONS
from vivavoce.pipelines.readers import BARE, READERS, pattern, read_bare, read_plainly

_WORD = re.compile(r"\S+")
_PLAIN = re.compile(r"[^\W\d_]|[ \t.,;:!?'’\"()«»¿¡…–—-]")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is heard as a whole: some spoken words, and the written ones that they stand for.

    Attributes:
        words: How many spoken words, of those that are said out loud.
        end: Where the last of the written ones ends.
    """

    words: int
    end: int


@dataclass(frozen=True, slots=True)
class Speakable:
    """A text made speakable.

    Attributes:
        written: As it was.
        text: As it is sent to the speech model; with tags.
        said: As it sounds: without tags.
        units: What stands for what, in order.
    """

    written: str
    text: str
    said: str
    units: tuple[Unit, ...]

    @property
    def changed(self) -> bool:
        """Whether anything is said otherwise than it is written."""
        return self.said != self.written


def prepare(language: str) -> None:
    """Load what a language needs (some 20 ms), so that no clause of a call waits for it."""
    spelled.prepare(base(language))
    if base(language) in LEXICONS:
        pattern(base(language))


def speakable(text: str, language: str) -> Speakable:
    """Return a text as it is read out.

    Args:
        text: A clause.
        language: Its code; one without a lexicon keeps its figures.
    """
    if not _unplain(text):
        return Speakable(text, text, text, ())
    return _Reading(text, base(language)).result()


def _unplain(text: str) -> bool:
    """Whether there is anything to change: mostly there is not, and that takes microseconds."""
    return _PLAIN.sub("", text) != ""


@dataclass(slots=True)
class _Reading:
    """Puts the spoken text together, character by character with where it comes from."""

    written: str
    language: str
    out: list[tuple[str, int, int]] = field(default_factory=list)
    tags: list[tuple[int, str]] = field(default_factory=list)

    def result(self) -> Speakable:
        words = LEXICONS.get(self.language)
        found = pattern(self.language) if words is not None else BARE
        position = 0
        for match in found.finditer(self.written):
            self._copy(position, match.start())
            position = match.end()
            kind = match.lastgroup or ""
            if kind == "tag":
                self.tags.append((len(self.out), match[0]))
                continue
            spoken = READERS[kind](match, self.language, words) if words else read_bare(match)
            if spoken is None and words is not None:
                spoken = read_plainly(match[0], self.language)
            if spoken is None:
                self._copy(match.start(), match.end())
            else:
                self._put(spoken, match.start(), match.end())
        self._copy(position, len(self.written))
        return self._aligned()

    def _copy(self, start: int, end: int) -> None:
        for place in range(start, end):
            self.out.append((_clean(self.written[place]), place, place + 1))

    def _put(self, spoken: str, start: int, end: int) -> None:
        """Say something for a stretch; a word on either side stays apart from it."""
        if not spoken:
            return
        before = next((piece for piece, _, _ in reversed(self.out) if piece), " ")
        lead = " " if before[-1].isalnum() and spoken[0].isalnum() else ""
        behind = self.written[end : end + 1]
        trail = " " if behind.isalnum() and spoken[-1].isalnum() else ""
        self.out.append((lead + spoken + trail, start, end))

    def _aligned(self) -> Speakable:
        said = ""
        sources: list[tuple[int, int]] = []
        tagged: list[str] = []
        tags = list(self.tags)
        for number, (piece, start, end) in enumerate([*self.out, ("", 0, 0)]):
            while tags and tags[0][0] == number:
                tagged.append(tags.pop(0)[1])
            # White space is one blank, and none comes before a mark.
            for char in piece:
                if char.isspace():
                    if said and not said[-1].isspace():
                        said += " "
                        sources.append((start, end))
                        tagged.append(" ")
                    continue
                spoken = said.rstrip()
                put = piece != self.written[start:end]
                if char in ",;:" and (not spoken or (put and spoken[-1] in ".,;:!?…")):
                    continue  # what was before it is not said, or has its pause
                if char in ",.;:!?…" and said.endswith(" ") and not _keeps(said):
                    said = said[:-1]
                    sources.pop()
                    tagged[-1] = ""
                said += char
                sources.append((start, end))
                tagged.append(char)
        text = " ".join("".join(tagged).split())
        return Speakable(self.written, text, said.rstrip(), _units(self.written, said, sources))


def _keeps(said: str) -> bool:
    """Whether the space before a mark stays: in French it belongs there, and does no harm."""
    return not said.strip()


def _units(written: str, said: str, sources: list[tuple[int, int]]) -> tuple[Unit, ...]:
    """Join spoken words that share a written one."""
    places = [match.span() for match in _WORD.finditer(written)]
    found: list[list[int]] = []  # words, first written word, last written word
    for match in _WORD.finditer(said):
        span = sources[match.start() : match.end()]
        start, end = min(s for s, _ in span), max(e for _, e in span)
        touched = [i for i, (a, b) in enumerate(places) if a < end and start < b]
        touched = touched or [found[-1][2] if found else 0]
        if found and found[-1][2] >= touched[0]:
            found[-1][0] += 1
            found[-1][2] = max(found[-1][2], touched[-1])
        else:
            found.append([1, touched[0], touched[-1]])
    return tuple(Unit(words, places[last][1]) for words, _, last in found)


_DROPPED = re.compile(
    "[\u200b-\u200f\u2060\ufe00-\ufe0f\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff"
    "\U000e0000-\U000e007f*_`~|<>#^\\\\{}=•◦▪●■►✓]"
)


def _clean(char: str) -> str:
    """Return a character as it is read, which for pictures and markdown is a break."""
    return " " if _DROPPED.match(char) else char
