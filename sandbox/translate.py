"""Translation between English, French and Spanish by phrase book, dictionary and rule.

It is no model: what is in neither book stays as it is, and grammar is that of a phrase book. It is
for
exercising what stands around a translator, with sentences that a French or Spanish speaker
understands.
Pure; the same text gives the same translation, in well under 5 ms a sentence once the books are
read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

from vivavoce.sandbox import translate_french as french
from vivavoce.sandbox import translate_spanish as spanish
from vivavoce.sandbox.dictionary import Language
from vivavoce.sandbox.phrasebook import phrasebook
from vivavoce.sandbox.translate_back import Back
from vivavoce.sandbox.translate_brief import shorter
from vivavoce.sandbox.translate_clause import Clause
from vivavoce.sandbox.translate_words import KEPT, key, sentences, tokens

_SAID = re.compile(rf"[\w{KEPT}]")
LANGUAGES = ("en", "fr", "es")
"""What it translates between; French and Spanish by way of English."""


def translates(source: str, target: str) -> bool:
    """Whether there are books for a direction."""
    return source in LANGUAGES and target in LANGUAGES and source != target


def translate(
    text: str,
    source: str,
    target: str,
    *,
    glossary: Mapping[str, str] | None = None,
    brief: bool = False,
) -> str:
    """Translate a text; a piece of a sentence will do.

    Args:
        text: What was said.
        source: "en", "fr" or "es".
        target: Another of these; with any other pair the text stays as it is.
        glossary: Terms and their translations, always used; an empty one keeps the term.
        brief: Leave out fillers, adverbs and politeness.
    """
    if not translates(source, target) or not text.strip():
        return text
    if brief:
        text = shorter(text, source)
    text, kept = _kept(text.replace(KEPT, ""), source, glossary or {})
    if not text.strip():
        return text
    if source != "en":
        english = " ".join(
            _sentence_back(part, mark, source, kept) for part, mark in sentences(text)
        )
        if target == "en" or not _SAID.search(english):
            return _restored(english if _SAID.search(english) else text, kept)
        text, source = english, "en"
    language = cast("Language", target)
    parts = [_sentence(part, mark, language, kept) for part, mark in sentences(text)]
    made = " ".join(part for part in parts if part)
    # What was said is never nothing.
    return _restored(made if _SAID.search(made) else text, kept)


def _kept(text: str, source: str, glossary: Mapping[str, str]) -> tuple[str, list[str]]:
    """Put tokens in the place of the glossary's terms."""
    kept: list[str] = []
    for term in sorted(glossary, key=len, reverse=True):
        pattern = re.compile(rf"(?<!\w){re.escape(term)}(?:(?!\w)|s(?!\w))", re.IGNORECASE)
        if source == "en":
            pattern = re.compile(rf"(?<!\w){re.escape(term)}(?!\w)", re.IGNORECASE)

        def put(match: re.Match[str], meaning: str = glossary[term]) -> str:
            kept.append(meaning or match[0])
            return f"{KEPT}{len(kept) - 1}"

        text = pattern.sub(put, text)
    return text, kept


def _restored(text: str, kept: list[str]) -> str:
    return re.sub(rf"{KEPT}(\d+)", lambda match: kept[int(match[1])], text)


def _sentence(text: str, mark: str, language: Language, kept: list[str]) -> str:
    capital = text[:1].isupper() or text[:1].isdigit()
    question = "?" in mark
    found = _by_phrase(
        text, "en", language, lambda part: _by_rule(part, language, kept, question=False)
    )
    if found is None:
        found = _by_rule(text, language, kept, question=question)
    return _finished(found, mark, language, capital=capital)


def _by_rule(text: str, language: Language, kept: list[str], *, question: bool) -> str:
    words = Clause(tokens(text), language, kept, question=question).words()
    joined = (french if language == "fr" else spanish).joined(words)
    return re.sub(r"\s+([,;:)])", r"\1", joined)


def _by_phrase(text: str, source: str, target: str, rest: Callable[[str], str]) -> str | None:
    """Look the text up in the phrase book: whole, or its beginning up to a comma."""
    book = phrasebook(source, target)
    found = book.find(text)
    if found is not None:
        if not found.gap:
            return _bare(found.text)
        # The gap as it was written: what it was looked up by has no capitals.
        gap = _as_written(text, found.gap)
        if len(gap.split()) <= 6 and not re.search(r"[,;]", gap):
            return (
                _bare(found.text)
                .replace("{}", rest(gap))
                .replace("de le ", "du ")
                .replace("à le ", "au ")
            )
    head, comma, tail = text.partition(",")
    if comma and (whole := book.whole.get(key(head))) is not None:
        behind = _by_phrase(tail.strip(), source, target, rest) or rest(tail.strip())
        return f"{_bare(whole)}, {behind}" if tail.strip() else f"{_bare(whole)},"
    return None


def _as_written(text: str, gap: str) -> str:
    words = gap.split()
    own = text.split()
    for start in range(len(own)):
        piece = " ".join(own[start : start + len(words)])
        if key(piece) == gap:
            return piece.strip(" ,.!?")
    return gap


def _bare(text: str) -> str:
    """Take a phrase's marks off its ends."""
    return text.strip(" .!?¿¡")


def _finished(text: str, mark: str, language: str, *, capital: bool) -> str:
    text = " ".join(text.split(" ")).strip()
    if not text:
        return ""
    if text.startswith(("«", '"')):
        capital = False
    text = text[0].upper() + text[1:] if capital else text
    if not capital and text[:1].isupper() and text[1:2].islower() and not capital:
        text = text[0].lower() + text[1:] if text.split()[0].lower() in _SMALL else text
    if language == "es":
        return ("¿" if "?" in mark else "¡" if "!" in mark else "") + text + mark
    if language == "fr" and mark[:1] in {"?", "!"}:
        return f"{text} {mark}"
    return text + mark


_SMALL = frozenset(
    "je nous vous il elle ils le la les un une où quand comment que qui à au en bonjour"
    " merci me no sí el los"
    " las una cómo dónde yo hola gracias c'est ce i'm the a it where how hello thank".split()
)


def _sentence_back(text: str, mark: str, source: str, kept: list[str]) -> str:
    text = text.strip("¿¡ ")
    capital = text[:1].isupper()
    language = cast("Language", source)
    question = "?" in mark

    def rule(part: str) -> str:
        return Back(language, kept).english(part, question=question)

    found = _by_phrase(text, source, "en", rule)
    return _finished(rule(text) if found is None else found, mark, "en", capital=capital)
