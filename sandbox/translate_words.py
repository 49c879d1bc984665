"""Text into words: tokens, short forms taken apart, and what stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

KEPT = "\ue000"
"""Begins a token that stands for a glossary's translation, by its number."""

_TOKEN = re.compile(
    rf"{KEPT}\d+"
    r"|[$€£]\d[\d,]*(?:\.\d+)?"
    r"|\d+(?:st|nd|rd|th)\b"
    r"|\d{1,2}:\d\d(?:am|pm)?|\d{1,2}(?:am|pm)\b"
    r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?%?|\d+(?:[.,]\d+)*%?"
    r"|[ap]\.m\.?|o['’]clock"
    r"|(?:Mr|Mrs|Ms|Dr|St)\.(?=\s)"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|https?://\S+"
    r"|[^\W\d_]+(?:['’-][^\W\d_]+)*\d*['’]?|[^\w\s]|\w+",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"\s*((?:[^.!?…]|[.!?](?=\w)|(?<=\b[ap]\.m)\.|(?<=\bMr|\bDr|\bMs)\.|(?<=\bMrs)\.)+)([.!?…]*)"
)
_SHORT = {"m": "am", "re": "are", "ll": "will", "ve": "have", "d": "would"}
_IS_AFTER = frozenset(
    "it he she that this there here what who where when how why everything everyone nobody nothing"
    " something one".split()
)


@dataclass(slots=True)
class Token:
    """A word, number or mark.

    Attributes:
        text: As it was written.
        low: In lower case, with a plain apostrophe.
    """

    text: str
    low: str

    @property
    def mark(self) -> bool:
        """Whether it is a punctuation mark."""
        return len(self.low) == 1 and not self.low.isalnum() and self.low not in "$€£&%+"


def tokens(text: str) -> list[Token]:
    """Take an English text apart; "don't" is two words, "it's" too, "John's" ends with "'s"."""
    out: list[Token] = []
    for found in _TOKEN.findall(text):
        plain = found.replace("’", "'")
        low = plain.lower()
        out += [Token(word, low_word) for word, low_word in _apart(plain, low)]
    return out


def _apart(text: str, low: str) -> list[tuple[str, str]]:
    if "'" not in low or low == "o'clock":
        if low == "cannot":
            return [(text, "can"), ("not", "not")]
        titled = low in {"mr.", "mrs.", "ms.", "dr."}
        return [(text.removesuffix("."), low.removesuffix("."))] if titled else [(text, low)]
    odd = {"can't": "can", "won't": "will", "shan't": "shall", "ain't": "is"}
    if low in odd:
        return [(text, odd[low]), ("not", "not")]
    if low.endswith("n't"):
        return [(text[:-3], low[:-3]), ("not", "not")]
    if low == "let's":
        return [("let", "let"), ("us", "us")]
    head, _, tail = text.rpartition("'")
    low_head, _, low_tail = low.rpartition("'")
    if low_tail in _SHORT and low_head:
        return [(head, low_head), (tail, _SHORT[low_tail])]
    if low_tail == "s" and low_head:
        return [(head, low_head), (tail, "is" if low_head in _IS_AFTER else "'s")]
    if not low_tail and low_head:  # "the students' room"
        return [(head, low_head), ("'s", "'s")]
    return [(text, low)]


def key(text: str) -> str:
    """Return a text as the phrase book looks it up: words in lower case, without marks."""
    words = re.findall(r"[\w{}]+(?:['’-]\w+)*", text.lower().replace("’", "'"))
    return " ".join(words)


def sentences(text: str) -> list[tuple[str, str]]:
    """Cut a text into sentences, each with the marks that end it."""
    found = ((match[1].strip(), match[2]) for match in _SENTENCE.finditer(text))
    return [(words, mark) for words, mark in found if words]
