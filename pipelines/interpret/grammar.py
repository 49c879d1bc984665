"""Grammar: how well speech can be cut between two words, for translation into a language.

The rules are few, and most hold for all languages: a small word that points ahead (an article, a
preposition, a subject, an auxiliary, a negation) is never last; what begins a clause or a phrase
begins a piece; two words of content side by side may be a noun and its adjective, and stay
together; numbers keep their units. What is a language's own is in the tables
(`vivavoce.pipelines.interpret.grammar_words`), and German's and Dutch's verbs in
`vivavoce.pipelines.interpret.grammar_brackets`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vivavoce.pipelines.interpret.grammar_brackets import bracketed
from vivavoce.pipelines.interpret.grammar_tokens import Seam, Token, token
from vivavoce.pipelines.interpret.grammar_words import ABBREVIATIONS, VERB_LAST, Kind

_DOTTED = re.compile(r"(?:[^\W\d_]\.)+$")
_MARKS = re.compile(r"[\s\"”’»)\]]+$")

_LEANING = frozenset(
    {
        Kind.DETERMINER,
        Kind.PREPOSITION,
        Kind.OF,
        Kind.COORDINATOR,
        Kind.SUBORDINATOR,
        Kind.PRONOUN,
        Kind.CLITIC,
        Kind.AUXILIARY,
        Kind.NEGATION,
        Kind.DEGREE,
        Kind.TITLE,
    }
)
_UNFINISHED = frozenset({Kind.DETERMINER, Kind.OF, Kind.COORDINATOR, Kind.SUBORDINATOR, Kind.TITLE})
_BEFORE = {
    Kind.DETERMINER: Seam.LOOSE,
    Kind.PREPOSITION: Seam.PHRASE,
    Kind.OF: Seam.LOOSE,
    Kind.SUBORDINATOR: Seam.CLAUSE,
    Kind.PRONOUN: Seam.CLAUSE,
    Kind.CLINGING: Seam.TIGHT,
    Kind.ADVERB: Seam.LOOSE,
    Kind.TITLE: Seam.LOOSE,
    Kind.NUMBER: Seam.LOOSE,
    Kind.MONTH: Seam.LOOSE,
}
_BEGINS_CLAUSE = frozenset(
    {Kind.PRONOUN, Kind.SUBORDINATOR, Kind.AUXILIARY, Kind.NEGATION, Kind.ADVERB, Kind.CLITIC}
)
_EITHER = frozenset(["it", "you"])
_BEFORE_SUBJECT = frozenset({Kind.COORDINATOR, Kind.SUBORDINATOR, Kind.AUXILIARY, Kind.ADVERB})
_BUT = frozenset(
    "but mais donc car pero sino ma però mas porém aber denn sondern maar want".split()
)
_BUT_ALSO = frozenset(["लेकिन", "मगर", "لكن", "بل", "ثم"])
_PARTICLES = frozenset("de di da do dos del della van von der den zu la le al bin ibn".split())
_NEVER = frozenset("pas plus jamais rien personne que qu' guère aucun aucune point".split())
_REACH = 6
"""Words within which French "ne" finds its "pas"."""
_HINDI_ENDS = frozenset("है हैं था थे थी थीं हूँ हूं".split())
# What stands behind its noun, where other languages have a preposition.
_HINDI_BEHIND = frozenset("में से को पर तक साथ पास लिए बाद".split())
# A leading "wa" (and) is written onto its word; these begin with the letter by themselves.
_ARABIC_OWN = frozenset(
    "وقت ولد وزير وزارة وطن وسط وضع واحد وجه وصل واجب وظيفة ورقة والد والدة".split()
)


def leans(text: str, language: str) -> bool:
    """Whether a word points ahead, so that it can hardly be the last of a piece."""
    word = token(text, language)
    return word.mark is None and (word.ends in _LEANING or word.text.lower().startswith("n'"))


def closes(text: str, language: str) -> bool:
    """Whether a word ends a sentence, by its mark."""
    return _mark(token(text, language), None, language) is Seam.SENTENCE


def finished(text: str, language: str) -> bool:
    """Whether a word ends a sentence by its mark, and by what it is could be the last of one."""
    return closes(text, language) and token(text, language).ends not in _UNFINISHED


def seams(words: Sequence[str], source: str, target: str) -> list[Seam]:
    """Return how well the speech can be cut behind each of its words.

    Behind the last one only its own mark counts: what comes next decides all else.

    Args:
        words: What was said, from the beginning of a piece, with what is known of the words that
            may not be cut off yet: they help to judge those before them.
        source: The base code of their language.
        target: The base code of the translation's.
    """
    tokens = [token(word, source) for word in words]
    found = [_seam(tokens, i, source) for i in range(len(tokens))]
    for i in range(1, len(tokens)):
        # "two hundred and | five": the little word is within the number, too.
        inside = found[i - 1] is Seam.NUMBER and found[i] is Seam.TIGHT
        if inside and (tokens[i].opens in {Kind.COORDINATOR, Kind.OF} or tokens[i].clean == "a"):
            found[i] = Seam.NUMBER
    if source == "fr":
        _frames(tokens, found)
    if target not in VERB_LAST and source in {"de", "nl"}:
        return bracketed(tokens, found, source)
    if source == "hi":
        return [_hindi(tokens, found, i) for i in range(len(tokens))]
    if target in VERB_LAST and source not in VERB_LAST:
        # What follows the verb here is said before it there.
        drawn = {Seam.PHRASE: Seam.LOOSE, Seam.LOOSE: Seam.HELD}
        return [drawn.get(seam, seam) for seam in found]
    return found


def _seam(tokens: Sequence[Token], i: int, source: str) -> Seam:
    """Judge one gap by the words around it."""
    a = tokens[i]
    b = tokens[i + 1] if i + 1 < len(tokens) else None
    c = tokens[i + 2] if i + 2 < len(tokens) else None
    mark = _mark(a, b, source)
    if mark is Seam.COMMA and a.number and b is not None and b.number:
        return Seam.HELD
    if mark is Seam.COMMA and a.ends in {Kind.COORDINATOR, Kind.SUBORDINATOR}:
        return Seam.HELD  # "y, | para ser sincero,"
    if mark is Seam.COMMA:
        return mark if _long_enough(tokens, i) else Seam.PHRASE
    if mark is not None or b is None:
        return Seam.TIGHT if mark is None else mark
    if _numeral(a, b, c):
        return Seam.NUMBER
    # "Frau Müller", but "die Frau | kommt".
    titled = a.ends is not Kind.TITLE or ((b.upper or not a.upper) and b.opens is Kind.CONTENT)
    # "in a moment | it is"; but "did it | have".
    if b.clean in _EITHER and c is not None and c.opens is Kind.AUXILIARY:
        return Seam.TIGHT if a.ends in _LEANING else Seam.CLAUSE
    if (a.ends in _LEANING and titled) or b.opens is Kind.CLINGING or _subject(tokens, i):
        return Seam.TIGHT
    if _name(a, b, c, source):
        return Seam.TIGHT
    if b.opens is Kind.COORDINATOR:
        return _joint(b, c)
    if b.clean == "to":
        to_somewhere = c is not None and c.opens not in {Kind.CONTENT, Kind.AUXILIARY}
        return Seam.LOOSE if to_somewhere else Seam.HELD
    if source == "ar" and b.opens is Kind.CONTENT and _with_and(b.clean):
        return Seam.PHRASE
    if a.ends in {Kind.ADVERB, Kind.CLINGING} and b.opens is Kind.CONTENT:
        return Seam.LOOSE
    return _BEFORE.get(b.opens, Seam.HELD)


def _subject(tokens: Sequence[Token], i: int) -> bool:
    """Whether an English "it" or "you" is a subject, with its verb to come."""
    if tokens[i].clean not in _EITHER:
        return False
    before = tokens[i - 1] if i else None
    if i + 1 < len(tokens) and tokens[i + 1].opens is Kind.AUXILIARY:
        return True
    return before is None or before.mark is not None or before.ends in _BEFORE_SUBJECT


def _mark(a: Token, b: Token | None, source: str) -> Seam | None:
    """Return what the mark at a word's end means, seen with the word behind it."""
    if a.mark is not Seam.SENTENCE or not _MARKS.sub("", a.text).endswith("."):
        return a.mark
    if a.clean in {"no", "nr", "tel", "n"}:
        return Seam.NUMBER if b is None or b.number else Seam.SENTENCE
    if a.clean in ABBREVIATIONS:
        return Seam.TIGHT
    # "J. R. Miller", "at 5 p.m. on Friday".
    if _DOTTED.match(_MARKS.sub("", a.text)):
        last = len(a.clean) > 1 and b is not None and b.upper and b.opens is not Kind.CONTENT
        return Seam.SENTENCE if last else Seam.TIGHT
    if source in {"de", "nl"} and a.clean.isdigit() and len(a.clean) <= 2:
        # "am 3. März"; the end of a sentence only where the next word says so.
        ordinal = b is None or not b.upper or b.opens in {Kind.MONTH, Kind.CONTENT}
        return Seam.NUMBER if ordinal else Seam.SENTENCE
    return a.mark


def _long_enough(tokens: Sequence[Token], i: int) -> bool:
    """Whether what a comma ends is more than an item of a list."""
    count = 1
    while count < 3 and count <= i and tokens[i - count].mark is None:
        count += 1
    return count >= 3


def _numeral(a: Token, b: Token, c: Token | None) -> bool:
    """Whether two words belong to one amount, date or time."""
    counted = a.number or a.ends is Kind.UNIT
    # "two hundred | and | five", "3 | de | marzo | de | 2024": what follows must be known first.
    if (counted or a.ends is Kind.MONTH) and b.opens in {Kind.COORDINATOR, Kind.OF}:
        # "two | and a half", too.
        numeric = c is None or c.number or c.opens is Kind.MONTH or c.clean == "a"
        if b.clean not in _BUT and (numeric or (b.opens is Kind.OF and counted)):
            return True
    if a.number:
        return b.number or b.opens in {Kind.UNIT, Kind.MONTH, Kind.CONTENT, Kind.CLINGING}
    if a.ends in {Kind.MONTH, Kind.UNIT}:
        return b.number or (a.ends is Kind.UNIT and b.opens is Kind.UNIT)
    return False


def _name(a: Token, b: Token, c: Token | None, source: str) -> bool:
    if not a.upper or a.ends is not Kind.CONTENT:
        return False
    if b.upper and b.opens is Kind.CONTENT:
        return True
    particle = b.clean in _PARTICLES and (source != "de" or b.clean in {"von", "van", "zu"})
    return particle and not b.upper and (c is None or c.upper)


def _joint(b: Token, c: Token | None) -> Seam:
    """Judge the gap before a conjunction by what it joins."""
    if b.clean in _BUT or b.clean in _BUT_ALSO or b.mark is Seam.COMMA:
        return Seam.CLAUSE
    if c is None:
        return Seam.TIGHT
    if c.opens in _BEGINS_CLAUSE:
        return Seam.CLAUSE
    # "bread and butter" is less than "the bread and the butter".
    return Seam.LOOSE if c.opens is Kind.CONTENT else Seam.PHRASE


def _with_and(clean: str) -> bool:
    return len(clean) >= 4 and clean.startswith("و") and clean not in _ARABIC_OWN


def _frames(tokens: Sequence[Token], found: list[Seam]) -> None:
    """Hold "ne … pas" together, and the participle with it where an auxiliary is inside."""
    for i, each in enumerate(tokens):
        if each.clean != "ne" and not each.clean.startswith("n'"):
            continue
        last = next(
            (
                j
                for j in range(i + 1, min(i + _REACH, len(tokens)))
                if tokens[j].clean in _NEVER and tokens[j].mark is None
            ),
            None,
        )
        if any(other.mark is not None for other in tokens[i:last]):
            continue
        if last is None:
            # Not said yet, where the text is that short.
            stop = len(tokens) if len(tokens) - i <= _REACH else i + 1
        else:
            helped = any(other.ends is Kind.AUXILIARY for other in tokens[i:last])
            stop = last + 1 if helped else last
        for j in range(i, min(stop, len(tokens))):
            found[j] = Seam.TIGHT


def _hindi(tokens: Sequence[Token], found: Sequence[Seam], i: int) -> Seam:
    """Judge a gap in Hindi: the verb is last, and its auxiliary tells that it is over."""
    if found[i] in {Seam.NUMBER, Seam.TIGHT, Seam.CLAUSE, Seam.COMMA, Seam.SENTENCE}:
        return found[i]
    if tokens[i].clean in _HINDI_ENDS:
        return Seam.CLAUSE
    return Seam.LOOSE if tokens[i].clean in _HINDI_BEHIND else Seam.HELD
