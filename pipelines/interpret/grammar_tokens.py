"""Tokens: the words of speech as the rules see them that judge where it can be cut. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from unicodedata import category

from vivavoce.pipelines.interpret.grammar_words import KINDS, Kind


class Seam(IntEnum):
    """How well speech can be cut at a place; the higher, the better."""

    NUMBER = 0
    """Within an amount or a date: "two | hundred | euros". It is cut nowhere, however late."""
    TIGHT = 1
    """What is on both sides is one thing: "the | house"."""
    HELD = 2
    """One side may decide what the other means: the verb is still to come, or an adjective."""
    LOOSE = 3
    """Within a phrase, where nothing changes places: "the price | of the house"."""
    PHRASE = 4
    """Before a preposition, or in a list."""
    CLAUSE = 5
    """Before a conjunction, a relative pronoun, or the subject of the next clause."""
    COMMA = 6
    SENTENCE = 7


_CLOSERS = "\"'”’»)\\]\\s"
_STOP = re.compile(rf"(?:[!?؟।॥]|(?<!\.)[.۔])[{_CLOSERS}]*$")
_PAUSE = re.compile(rf"(?:[,;:–—،؛…]|\.\.+)[{_CLOSERS}]*$")
# "fünfundzwanzig", "tweeëntwintig", "duecentocinque".
_LINKS = {"de": "und ein", "nl": "en ën een", "it": "un tré vent trent quarant cinquant"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word as the rules see it.

    Attributes:
        text: As it was told.
        clean: In lower case, without marks around it.
        opens: What it is to the word before it: in "qu'il", "que".
        ends: What it is to the word behind it: in "qu'il", "il".
        upper: It begins with a capital.
        number: It is a number, in figures or in words.
        mark: The seam that the mark at its end makes; None where it has none.
    """

    text: str
    clean: str
    opens: Kind
    ends: Kind
    upper: bool
    number: bool
    mark: Seam | None


@lru_cache(maxsize=16384)
def token(text: str, language: str) -> Token:
    """Return a word as the rules of a language see it.

    Args:
        text: The word, with its marks.
        language: The base code of its language.
    """
    stripped = _stripped(text)
    clean = stripped.lower().replace("’", "'")
    opens, ends = _kinds(clean, language)
    mark = None
    if _STOP.search(text):
        mark = Seam.SENTENCE
    elif _PAUSE.search(text):
        mark = Seam.COMMA
    digits = any(char.isdigit() for char in clean)
    if digits:
        opens = ends = Kind.NUMBER
    number = digits or ends is Kind.NUMBER
    return Token(text, clean, opens, ends, stripped[:1].isupper(), number, mark)


def _stripped(text: str) -> str:
    """Return a word without the marks around it; Hindi's vowel signs are none."""
    begin, end = 0, len(text)
    while begin < end and category(text[begin])[0] not in "LN":
        begin += 1
    while end > begin and category(text[end - 1])[0] not in "LNM":
        end -= 1
    return text[begin:end]


@lru_cache(maxsize=len(KINDS))
def _compound(language: str) -> re.Pattern[str] | None:
    """Return what numbers of one word look like, where they are made of others."""
    if language not in _LINKS:
        return None
    parts = [word for word, kind in KINDS[language].items() if kind is Kind.NUMBER]
    parts += _LINKS[language].split()
    longest = sorted(parts, key=len, reverse=True)
    return re.compile(f"(?:{'|'.join(longest)}){{2,}}")


def _kinds(clean: str, language: str) -> tuple[Kind, Kind]:
    table = KINDS[language]
    if (kind := table.get(clean)) is not None:
        return kind, kind
    if language == "ar" and table.get(clean.removeprefix("و")) is Kind.NUMBER:
        return Kind.NUMBER, Kind.NUMBER  # "and four hundred" is one word
    head, apostrophe, tail = clean.partition("'")
    if apostrophe and language == "en":
        if tail == "t":
            return Kind.AUXILIARY, Kind.AUXILIARY
        # "Anna's house", "he's gone", "they'll come".
        leans = Kind.DETERMINER if tail == "s" and head not in table else Kind.AUXILIARY
        return table.get(head, Kind.CONTENT), leans
    if apostrophe:
        before, behind = table.get(head, Kind.CONTENT), table.get(tail, Kind.CONTENT)
        return before, behind
    if (compound := _compound(language)) is not None and compound.fullmatch(clean):
        return Kind.NUMBER, Kind.NUMBER
    first, hyphen, last = clean.partition("-")
    if hyphen and first in table and table[first] is Kind.NUMBER and last in table:
        return Kind.NUMBER, Kind.NUMBER
    if hyphen and language in {"fr", "pt"} and table.get(first) is Kind.AUXILIARY:
        return Kind.AUXILIARY, Kind.AUXILIARY  # "est-ce", "a-t-il"
    return Kind.CONTENT, Kind.CONTENT
