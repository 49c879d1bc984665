"""Shorter: a text without its fillers, its politeness and most of its adverbs."""

from __future__ import annotations

import functools
import re

_LEFT_OUT = {
    "en": """
        if you don't mind|if you do not mind|if I may say so|if you like|to be honest|to tell the
        truth|as a
        matter of fact|as you know|as I said|as I said before|at the end of the day|in my opinion|I
        would say|I
        mean|you know|you see|sort of|kind of|a little bit|a bit|of course|in fact|or something|and
        so on|would
        you please|could you please|please|thank you very much|thanks a lot|thank you|thanks|very
        much|so much|
        well|um|uh|er|oh|ah|so to
        speak|okay|actually|basically|really|very|quite|rather|just|simply|literally|
        totally|completely|absolutely|certainly|definitely|obviously|clearly|honestly|frankly|generally|usually|
        probably|perhaps|maybe|especially|particularly|extremely|indeed|anyway|however|moreover|furthermore|
        in addition|besides|fortunately|unfortunately|luckily|pretty much|more or less|by the
        way|after all
    """,
    "fr": """
        s'il vous plaît|s'il te plaît|merci beaucoup|je veux dire|vous savez|tu sais|en fait|en
        quelque sorte|
        à vrai dire|pour être honnête|bien sûr|euh|bah|ben|bon|eh
        bien|vraiment|très|assez|plutôt|simplement|
        absolument|certainement|évidemment|honnêtement|franchement|généralement|probablement|peut-être|surtout|
        extrêmement|en effet|d'ailleurs|de plus|heureusement|malheureusement|à mon avis
    """,
    "es": """
        por favor|muchas gracias|quiero decir|o sea|ya sabe|la verdad|de hecho|en realidad|por
        supuesto|eh|bueno|
        pues|realmente|muy|bastante|más
        bien|simplemente|absolutamente|ciertamente|evidentemente|francamente|
        generalmente|probablemente|quizás|tal vez|sobre todo|sumamente|en
        efecto|además|afortunadamente|
        desgraciadamente|en mi opinión|por cierto
    """,
}
# Behind these a word is no filler: "not very", "as well", "as soon".
_NEEDED = {
    "en": r"\b(?:not|as|how|too|n't|all) ",
    "fr": r"\b(?:pas|aussi|trop|si) ",
    "es": r"\b(?:no|tan) ",
}


@functools.cache
def _pattern(language: str) -> re.Pattern[str]:
    phrases = [" ".join(each.split()) for each in _LEFT_OUT[language].split("|")]
    some = "|".join(
        re.escape(each).replace("'", "['’]") for each in sorted(phrases, key=len, reverse=True)
    )
    word = rf"(?<![\w'’-])(?:{some})(?![\w'’-])"
    # With the commas around it: "I think that, of course, it is".
    return re.compile(rf"({_NEEDED[language]})?(?:,\s*)?{word}(?:\s*,)?", re.IGNORECASE)


def shorter(text: str, language: str) -> str:
    """Return a text without what can be missed; one that is nothing else stays.

    Args:
        text: A sentence or a piece of one.
        language: "en", "fr" or "es"; others stay as they are.
    """
    if language not in _LEFT_OUT:
        return text
    left = _pattern(language).sub(lambda match: match[0] if match[1] else "", text)
    left = re.sub(r"(?:\s*,)+(?=\s*(?:,|[.!?…]|$))", "", left)
    left = re.sub(r"^[\s,;:—-]+", "", left)
    left = re.sub(r"([.!?])\s*,\s*", r"\1 ", re.sub(r"\s+([,.!?…])", r"\1", " ".join(left.split())))
    left = re.sub(r"(^|[.!?]\s+)[,.!?…]+\s*", r"\1", left).strip()
    if not re.search(r"\w", left):
        return text
    if text[:1].isupper() and left[:1].islower():
        left = left[0].upper() + left[1:]
    return left
