"""Brackets: where German and Dutch clauses are over, whose verbs stand at the end.

"Ich habe gestern das Haus … gesehen": nothing of it can be said in English before the last word.
So within a clause nothing is cut without need; a mark ends it, or the verb that was waited for.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vivavoce.pipelines.interpret.grammar import Seam, Token
from vivavoce.pipelines.interpret.grammar_words import SEPARABLE, VERBS, Kind

_PARTICIPLE = re.compile(
    r"(?:(?:ab|an|auf|aus|bei|ein|mit|nach|vor|weg|zu|zurück|op|af|aan|uit|in|mee|terug)?ge"
    r"[^\W\d_]{3,}(?:t|d|en)|(?:be|ver|er|ent|zer|ont|her)[^\W\d_]{3,}(?:t|d|en)|[^\W\d_]+iert)"
)
# "größer als", "so groß wie": not the beginning of a clause.
_COMPARING = frozenset(["als", "wie", "dan"])
_AND = frozenset(["und", "oder", "en", "of"])
_SUBJECTS = frozenset("ich er wir man du ik hij wij we ze jij je men".split())


def bracketed(tokens: Sequence[Token], found: Sequence[Seam], source: str) -> list[Seam]:
    """Return the seams of German or Dutch speech, where the translation's verbs come earlier.

    Args:
        tokens: What was said.
        found: What the rules for all languages say of it.
        source: "de" or "nl".
    """
    judged: list[Seam] = []
    clause = _Clause(source)
    for i, each in enumerate(tokens):
        clause.take(each)
        seam = found[i]
        known = i + 1 < len(tokens) and each.mark is None
        if known and (seam > Seam.TIGHT or clause.over):
            following = tokens[i + 2] if i + 2 < len(tokens) else None
            seam = clause.judge(each, tokens[i + 1], following)
        judged.append(seam)
        if seam >= Seam.CLAUSE:
            clause = _Clause(source)
    return judged


class _Clause:
    """What is known of a clause that is being said; `over` once the verb that was missing came."""

    def __init__(self, source: str) -> None:
        self._verbs = VERBS[source]
        self._count = 0
        self._hangs = False  # its finite verb is the last word
        self._finite = False  # a verb was said
        self._helped = False  # by an auxiliary: another is to come
        self.over = False

    def take(self, word: Token) -> None:
        """Take the next word."""
        if self._count == 0 or (self._count == 1 and self._hangs is False):
            # "und weil", too.
            self._hangs = word.opens is Kind.SUBORDINATOR
        self._count += 1
        if self._is_verb(word):
            self.over = (self._hangs or self._helped) and self._ends(word)
            if word.ends is Kind.AUXILIARY and not self._hangs:
                self._helped = True
            self._finite = True
        else:
            # "er ruft seine Schwester an": the prefix was what was missing.
            self.over = self._finite and not self._hangs and word.clean in SEPARABLE

    def judge(self, a: Token, b: Token, c: Token | None) -> Seam:
        """Return how well it can be cut between its last word and the next."""
        if a.opens is Kind.PREPOSITION and b.clean not in _SUBJECTS:
            # "er ruft sie an | weil", but "er ruft an | der Tür".
            joined = b.opens in {Kind.SUBORDINATOR, Kind.COORDINATOR}
            return Seam.CLAUSE if joined else Seam.TIGHT
        if b.opens is Kind.SUBORDINATOR:
            comparing = b.clean in _COMPARING and (c is None or c.opens is not Kind.PRONOUN)
            return Seam.HELD if comparing else Seam.CLAUSE
        if b.opens is Kind.COORDINATOR:
            if b.clean not in _AND:
                return Seam.CLAUSE
            if c is None:
                return Seam.TIGHT
            if c.opens in {Kind.PRONOUN, Kind.SUBORDINATOR} or self.over:
                return Seam.CLAUSE
            return Seam.HELD
        if self.over and not (b.opens is Kind.AUXILIARY or _PARTICIPLE.fullmatch(b.clean)):
            return Seam.CLAUSE
        if b.clean in _SUBJECTS and self._finite and not self._is_verb(a):
            return Seam.CLAUSE
        return Seam.HELD

    def _ends(self, word: Token) -> bool:
        """Whether a verb can be the one that was waited for."""
        if self._hangs:
            return word.ends is Kind.AUXILIARY or not _PARTICIPLE.fullmatch(word.clean)
        return word.ends is not Kind.AUXILIARY and (
            word.clean.endswith("en") or bool(_PARTICIPLE.fullmatch(word.clean))
        )

    def _is_verb(self, word: Token) -> bool:
        if word.ends is Kind.AUXILIARY or word.clean in self._verbs:
            return True
        # German nouns have capitals, where the transcriber writes them.
        return not word.upper and bool(_PARTICIPLE.fullmatch(word.clean))
