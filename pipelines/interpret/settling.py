"""Settling: what of a model's answer is the translation, and whether it can be one.

What is taken away is only what cannot have been said: a heading, quotation marks around the
whole, a note behind it. What is found fault with is only what can be known without knowing the
translation; a doubt costs one more request. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from vivavoce.agent.languages import SPOKEN, base
from vivavoce.pipelines.interpret.aligning import bare, split
from vivavoce.pipelines.interpret.grammar_words import ABBREVIATIONS, KINDS, Kind

LONGEST = 3.0
"""Times as long as what was said, in characters, that a translation may be; and `SPARE` more."""
SPARE = 60

_NAMES = "|".join([*SPOKEN.values(), *SPOKEN])
_THOUGHTS = re.compile(r"^\s*<think>.*?(?:</think>|$)", re.DOTALL)
_FENCE = re.compile(r"^```[a-z]*\n(.*?)(?:\n```|$)", re.DOTALL)
_HEADING = re.compile(
    rf"^(?:\**(?:(?:the\s+|here(?:'s| is) the\s+|in\s+)?(?:(?:{_NAMES})\s+)?"
    r"(?:translation|traduction|traducción|traduzione|tradução|übersetzung|vertaling)"
    rf"(?:\s+(?:(?:in|into|to)\s+)?(?:{_NAMES}))?(?:\s+is)?|(?:{_NAMES}))\**\s*[:：]\**)\s*",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"^\W*(?:note|explanation|n\.b\.|literally|alternatively|or\s*:|remarque|anmerkung|nota)\b"
    r"|^\W*\((?:note|literally|lit\.)",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\s*[(\[](?:note|translator|translation|literally|lit\.|i\.e\. in)[^()\[\]]*[)\]]\s*$",
    re.IGNORECASE,
)
QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "'": "'", "‘": "’", "`": "`"}
"""Quotation marks that open, and what closes them."""

# "I can't help with that", "en tant qu'IA": said of oneself, and of what was asked for.
_REFUSAL = re.compile(
    r"\b(?:can(?:no|['’])t|won['’]t|unable to|not able to|not allowed to) (?:\w+ ){0,3}"
    r"(?:help|assist|translat|comply|provide|fulfil|answer|follow|do that|engage)|"
    r"\b(?:as|am|i['’]m) (?:only |just )?an? (?:ai\b|(?:ai )?(?:interpreter|assistant)|"
    r"(?:large )?language model)|"
    r"\bne (?:peux|suis)\b.{0,30}(?:aider|traduire|répondre|fournir|suivre)|"
    r"\ben tant qu['’](?:ia\b|une? (?:ia\b|assistant|modèle|interprète)|interprète)|"
    r"\bno puedo\b.{0,20}(?:ayudar|traducir|responder|proporcionar|cumplir|seguir)|"
    r"\bcomo (?:ia\b|un(?:a ia\b| modelo)|intérprete|asistente)|"
    r"\bkann\b.{0,40}(?:helfen|übersetzen|beantworten|nicht (?:nach|be)kommen)|"
    r"\bals (?:ki\b|sprachmodell|dolmetscher|assistent)|"
    r"\bnon posso\b.{0,20}(?:aiut|tradur|rispond|forni|segui)|"
    r"\bnão posso\b.{0,20}(?:ajud|traduz|respond|fornec|segui)|"
    r"\bkan\b.{0,30}niet\b.{0,20}(?:help|vertal|beantwoord)",
    re.IGNORECASE,
)
# Who says one of these may well be the speaker.
_SERVICE = re.compile(
    r"help|assist|transla|answer|compl|provid|follow|\bai\b|interpret|model|aid[eé]|tradu|répon|"
    r"fourn|suiv|\bia\b|interpr|modèle|ayud|respon|cumpl|segui|propor|modelo|intérpr|asist|hilf|"
    r"helf|setz|antwort|\bki\b|dolmetsch|modell|aiut|rispond|forni|ajud|fornec|vertal|tolk|मदद|"
    r"अनुवाद|जवाब|उत्तर|مساعد|ساعد|ترجم|جواب|إجاب",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"\b(?:the (?:user|speaker|text|sentence|phrase|message) (?:is|says|means|asks|seems)|"
    r"translates (?:to|as)|here(?:['’]s| is) (?:the|a|your) translation|(?:system|user) prompt|"
    r"please provide (?:the|me)[^.]{0,20}(?:text|sentence|piece))\b",
    re.IGNORECASE,
)
_TALKED = re.compile(
    r"user|utilis|usuar|nutzer|utent|gebruik|speak|orateur|text|sentence|phrase|frase|satz|zin\b|"
    r"messag|mensa|messagg|bericht|nachricht|transla|tradu|setz|vertal|वाक्य|संदेश|نص|جملة|رسالة",
    re.IGNORECASE,
)
_SCRIPTS = {"hi": re.compile(r"[\u0900-\u097f]"), "ar": re.compile(r"[\u0600-\u06ff]")}
_LATIN = re.compile(r"[a-zA-ZÀ-ÿ]")
_FILLERS = frozenset(
    bare(word)
    for word in (
        "um uh er erm eh hm hmm hum mhm mm ah oh euh heu ben bah ähm äh öh hem este pues ehm"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an answer.

    Attributes:
        why: In words for the model, which is asked again.
        grave: It is no translation; else, one with a flaw.
        kind: Which fault.
    """

    kind: str
    why: str
    grave: bool = True


def settle(answer: str, said: str = "") -> str:
    """Return what of an answer is the translation.

    Args:
        answer: What the model wrote.
        said: What was to be translated: what is in it may be in the translation.
    """
    text = _THOUGHTS.sub("", answer).strip()
    if fenced := _FENCE.match(text):
        text = fenced[1].strip()
    if not _HEADING.match(said):
        text = _HEADING.sub("", text, count=1)
    lines = [line.strip() for line in text.split("\n")]
    if not _NOTE.match(said):
        for i, line in enumerate(lines):
            if i and line and _NOTE.match(line):
                lines = lines[:i]
                break
        text = " ".join(line for line in lines if line)
        text = _ASIDE.sub("", text) or text
    text = " ".join(text.split())
    closing = QUOTES.get(text[:1])
    if closing is None or len(text) < 3 or not text.endswith(closing):
        return text
    if said.strip()[:1] not in QUOTES and closing not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def joined(translation: str, said: str, before: tuple[str, str] | None, *, closes: bool) -> str:
    """Return a translation as it goes on from the one before, and lets the next one go on.

    Models like to begin a sentence anew, and to end it: what they repeat of their last translation
    is taken away, and the full stop where the speaker has not made one.

    Args:
        translation: What the model wrote, settled.
        said: What was to be translated.
        before: What was said just before, and its translation.
        closes: Whether the speaker has finished, a sentence or all.
    """
    if before is not None and (rest := _behind(translation, before[1])):
        again = _behind(said, before[0])
        translation = translation if again else rest
    stop = translation.endswith(".") and not translation.endswith(("..", "…"))
    # Not that of "p.m.", "etc." or "am 3."
    word = bare(translation.rpartition(" ")[2])
    short = len(word) < 4 or word in ABBREVIATIONS or not word.isalpha()
    if stop and not closes and not short and "." not in translation[:-1].rpartition(" ")[2]:
        return translation[:-1]
    return translation


def _behind(text: str, beginning: str) -> str:
    """Return what is behind words that a text begins with; nothing if it does not."""
    words, first = split(text), split(beginning)
    if len(first) < 3 or len(words) <= len(first):
        return ""
    same = [bare(word) for word in words[: len(first)]] == [bare(word) for word in first]
    return " ".join(words[len(first) :]) if same else ""


def too_long(length: int, said: str) -> bool:
    """Whether a translation of so many characters cannot be one of what was said."""
    return length > LONGEST * len(said) + SPARE


def fault(
    translation: str,
    said: str,
    source: str,
    target: str,
    *,
    glossary: Mapping[str, str] | None = None,
) -> Fault | None:
    """Return what is wrong with a translation, as far as can be known; None for nothing.

    Args:
        translation: The answer, settled.
        said: What was to be translated.
        source: The code of the language that it was said in.
        target: The code of the translation's.
        glossary: Terms that have one translation.
    """
    if not any(char.isalnum() for char in translation):
        return None if wordless(said) else Fault("empty", "it was empty")
    if _REFUSAL.search(translation[:160]) and not _SERVICE.search(said):
        return Fault(
            "refusal", "you refused, or spoke for yourself; the speaker does not talk to you"
        )
    if _TALK.search(translation) and not _TALKED.search(said):
        return Fault("talk", "you wrote about the piece instead of translating it")
    if too_long(len(translation), said):
        return Fault("long", "it was far longer than what was said")
    if _foreign(translation, said, base(source), base(target), glossary or {}):
        return Fault("language", f"it was not in {SPOKEN[base(target)]}")
    for term, meaning in (glossary or {}).items():
        wanted = meaning or term
        if _has(said, term) and bare(wanted) not in bare(translation):
            return Fault("term", f'"{term}" is always "{wanted}"', grave=False)
    return None


def wordless(said: str) -> bool:
    """Whether nothing was said but sounds of hesitation."""
    return all(bare(word) in _FILLERS for word in split(said))


def clipped(translation: str, said: str) -> str:
    """Return the beginning of a translation that is far too long: its first sentences."""
    most = int(LONGEST * len(said) + SPARE)
    if len(translation) <= most:
        return translation
    if (closing := QUOTES.get(translation[0])) is not None and closing not in translation[1:]:
        translation = translation[1:]  # the end of what was quoted was not waited for
    beginning = translation[: most + 1]
    ends = [found.end() for found in re.finditer(r"[.!?…।؟](?=\s)", beginning)]
    return beginning[: ends[-1]] if ends else beginning.rsplit(" ", 1)[0]


def _has(text: str, term: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(term)}(?!\w)", text, re.IGNORECASE))


def _foreign(
    translation: str, said: str, source: str, target: str, glossary: Mapping[str, str]
) -> bool:
    """Whether a text is in the language that it was to be translated from, or in a third."""
    for meaning in (*glossary.values(), *glossary):
        if meaning:
            translation = re.sub(re.escape(meaning), " ", translation, flags=re.IGNORECASE)
    if (script := _SCRIPTS.get(target)) is not None:
        # A name alone may stay in Latin letters.
        return not script.search(translation) and _small(said, source, target) >= 1
    others = [pattern for code, pattern in _SCRIPTS.items() if code != target]
    if any(pattern.search(translation) for pattern in others) and not _LATIN.search(translation):
        return True
    wrong, right = _small(translation, source, target), _small(translation, target, source)
    copied = [bare(word) for word in split(translation)] == [bare(word) for word in split(said)]
    # A name may stay as it is; a sentence does not.
    least = 1 if copied and len(translation.split()) > 2 else 3
    return wrong >= least and wrong > 2 * right


def _small(text: str, language: str, other: str) -> int:
    """Count the small words of one language that the other does not have."""
    mine, theirs = KINDS[language], KINDS[other]
    words = [word.strip('.,;:!?…¿¡"“”«»()').lower().replace("’", "'") for word in text.split()]
    passing = {Kind.NUMBER, Kind.TITLE, Kind.UNIT, Kind.MONTH}
    return sum(word in mine and word not in theirs and mine[word] not in passing for word in words)
