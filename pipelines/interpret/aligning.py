"""Aligning: which of the words that a transcriber tells now are those that it told before.

A transcriber tells all of a segment again and again, and may change its mind about any of it.
What has been cut off for translation stays as it was; so it has to be found where, in a new
text, the words begin that have not been cut off yet. Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

BAND = 32
"""Words that a new text may be ahead of or behind what was cut off, where the two differ."""

# Marks that stand alone belong to the word before them ("Bonjour !"), these to the one after.
_OPENING = frozenset("«“„‘¿¡([{#$€£<@")
# What a change costs. Other words were understood in the place of those before rather than none
# in their place and new ones behind; a word more is likelier than all behind it being others.
_FORM = 0.6  # a word that had not been told whole, or in another form: "transl", "houses"
_MORE = 1.0
_OTHER = 1.05
_GONE = 1.1


def split(text: str) -> list[str]:
    """Return a text's words, each with its marks; a mark that stands alone joins a word."""
    words: list[str] = []
    waiting = ""
    for token in text.split():
        if any(char.isalnum() for char in token):
            words.append(f"{waiting} {token}" if waiting else token)
            waiting = ""
        elif token[0] in _OPENING or not words:
            waiting = f"{waiting} {token}" if waiting else token
        else:
            words[-1] = f"{words[-1]} {token}"
    # A text of nothing but marks has no words; one that ends with an opening mark goes on.
    return words


@lru_cache(maxsize=8192)
def bare(word: str) -> str:
    """Return a word without case and marks: what makes it the same word."""
    # Vowel signs (category M) are no marks in this sense: they tell Hindi's words apart.
    folded = unicodedata.normalize("NFC", word.casefold())
    return "".join(char for char in folded if unicodedata.category(char)[0] in "LNM")


def boundary(taken: Sequence[str], told: Sequence[str]) -> tuple[int, int]:
    """Find where in a text the words begin that have not been cut off yet.

    The place is the one that needs the fewest changes between what was cut off and the words
    before it; of several, the one nearest to as many words as were cut off.

    Args:
        taken: The bare words that were cut off.
        told: The bare words of the text as it is now.

    Returns:
        How many of `told` are what was cut off, and in how many words the two differ.
    """
    same = 0
    for one, other in zip(taken, told, strict=False):
        if one != other:
            break
        same += 1
    if same == len(taken):
        return same, 0
    if same == len(told):
        return same, len(taken) - same
    # A word back: it may have been split or joined with the first that differs.
    same = max(0, same - 1)
    count, differences = _nearest(taken[same:], told[same:])
    return same + count, differences


def _nearest(taken: Sequence[str], told: Sequence[str]) -> tuple[int, int]:
    """Do the work of `boundary`, for what remains behind a common beginning."""
    rows: list[dict[int, tuple[float, int]]] = []
    for i in range(len(taken) + 1):
        row: dict[int, tuple[float, int]] = {}
        for j in range(max(0, i - BAND), min(len(told), i + BAND) + 1):
            ways = [(0.0, 0)] if i == j == 0 else []
            if i and (before := rows[i - 1].get(j)) is not None:
                ways.append((before[0] + _GONE, before[1] + 1))
            if (before := row.get(j - 1)) is not None:
                ways.append((before[0] + _MORE, before[1] + 1))
            if i and (before := rows[i - 1].get(j - 1)) is not None:
                cost = _unlike(taken[i - 1], told[j - 1])
                ways.append((before[0] + cost, before[1] + (cost > 0)))
            # "well known" and "well-known".
            if i > 1 and j and taken[i - 2] + taken[i - 1] == told[j - 1]:
                ways += [way for way in [rows[i - 2].get(j - 1)] if way is not None]
            if i and j > 1 and taken[i - 1] == told[j - 2] + told[j - 1]:
                ways += [way for way in [rows[i - 1].get(j - 2)] if way is not None]
            if ways:
                row[j] = min(ways)
        rows.append(row)
    last = rows[-1]
    if not last:
        # Far fewer words than were cut off: they are told anew, from their beginning.
        return len(told), len(taken)
    end = min(last, key=lambda j: (last[j][0], abs(j - len(taken)), j))
    return end, last[end][1]


def _unlike(one: str, other: str) -> float:
    """Return what it costs to take one word for another."""
    if one == other:
        return 0.0
    return _FORM if one[:3] == other[:3] else _OTHER


def kept(before: Sequence[str], now: Sequence[str]) -> list[tuple[int | None, bool]]:
    """Return, for each word of a text, which word of the text before it was.

    Args:
        before: Bare words, as they were.
        now: Bare words, as they are.

    Returns:
        For each of `now`, its place in `before` and whether it is still the same word. A word
        that came in the place of another has that one's place; a new one has None.
    """
    places: list[tuple[int | None, bool]] = []
    same = 0
    for one, other in zip(before, now, strict=False):
        if one != other:
            break
        places.append((same, True))
        same += 1
    if same in (len(before), len(now)):
        return places + [(None, False)] * (len(now) - same)
    rest = SequenceMatcher(None, before[same:], now[same:], autojunk=False)
    for kind, start, stop, begin, end in rest.get_opcodes():
        for offset in range(end - begin):
            if kind == "equal":
                places.append((same + start + offset, True))
            elif start + offset < stop:
                places.append((same + start + offset, False))
            else:
                places.append((None, False))
    return places
