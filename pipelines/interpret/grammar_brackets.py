"""Brackets: where German and Dutch clauses are over, whose verbs stand at the end.

"Ich habe gestern das Haus … gesehen": nothing of it can be said in English before the last word.
So within a clause nothing is cut without need; a mark ends it, or the verb that was waited for.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vivavoce.pipelines.interpret.grammar_tokens import Seam, Token
from vivavoce.pipelines.interpret.grammar_words import SEPARABLE, VERBS, Kind

_PARTICIPLE = re.compile(
    r"(?:(?:ab|an|auf|aus|bei|ein|mit|nach|vor|weg|zu|zurück|op|af|aan|uit|in|mee|terug)?ge"
    r"[^\W\d_]{3,}(?:t|d|en)|(?:be|ver|er|ent|zer|ont|her)[^\W\d_]{3,}(?:t|d|en)|[^\W\d_]+iert)"
)
# "größer als", "so groß wie": not the beginning of a clause.
_COMPARING = frozenset(["als", "wie", "dan"])
_AND = frozenset(["und", "oder", "en", "of"])
# What may be a relative pronoun, and what is no subject's article.
_RELATIVE = frozenset("der die das den dem dessen deren dat".split())
_OBJECTS = frozenset(
    "des den dem einen einem eines einer meinen meinem meiner seinen seinem seiner ihren ihrem"
    " ihrer unseren unserem keinen keinem diesen diesem".split()
)
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
            seam = clause.judge(each, tokens[i + 1 : i + 5])
        judged.append(seam)
        if seam >= Seam.CLAUSE:
            clause = _Clause(source)
    return judged


class _Clause:
    """What is known of a clause that is being said; `over` once the verb that was missing came."""

    def __init__(self, source: str) -> None:
        self._verbs = VERBS[source]
        self._dutch = source == "nl"
        self._count = 0
        self._relates = False  # its first word may be a relative pronoun
        self._hangs = False  # its finite verb is the last word
        self._finite = False  # a verb was said
        self._helped = False  # by an auxiliary: another is to come
        self.over = False

    def take(self, word: Token) -> None:
        """Take the next word."""
        if self._count == 0 or (self._count == 1 and self._hangs is False):
            # "und weil", too.
            self._hangs = word.opens is Kind.SUBORDINATOR or (
                self._relates and word.opens in {Kind.DETERMINER, Kind.PRONOUN}
            )
            self._relates = word.clean in _RELATIVE
        self._count += 1
        if self._is_verb(word):
            self.over = self._hangs or (self._helped and self._ends(word))
            if word.ends is Kind.AUXILIARY and not self._hangs:
                self._helped = True
            self._finite = True
        else:
            # "er ruft seine Schwester an": the prefix was what was missing.
            last = word.clean in SEPARABLE or word.ends is Kind.NEGATION
            self.over = last and self._may_be_over

    def judge(self, a: Token, ahead: Sequence[Token]) -> Seam:
        """Return how well it can be cut between its last word and those that come next."""
        b, c = ahead[0], ahead[1] if len(ahead) > 1 else None
        if a.opens is Kind.PREPOSITION and not self._goes_on(ahead):
            # "er ruft sie an | weil", but "er ruft an | der Tür".
            joined = b.opens in {Kind.SUBORDINATOR, Kind.COORDINATOR}
            return Seam.CLAUSE if joined else Seam.TIGHT
        if a.ends is Kind.NEGATION and not self._goes_on(ahead):
            # "er kommt nicht | weil", but "nicht | auf", and perhaps "nicht | der Lehrer".
            if b.opens in {Kind.SUBORDINATOR, Kind.COORDINATOR}:
                return Seam.CLAUSE
            return Seam.LOOSE if b.opens is Kind.DETERMINER else Seam.TIGHT
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
            if self._may_be_over and self._goes_on(ahead[1:]):
                return Seam.CLAUSE
            return Seam.HELD
        if self.over:
            # "gekauft | hat", "kaufen | will" go on; "der das Haus kauft | hat" does not.
            verb = b.opens is Kind.AUXILIARY or bool(_PARTICIPLE.fullmatch(b.clean))
            verb = verb or (self._dutch and b.clean == "zijn")  # "his", too
            if self._dutch and a.ends is Kind.AUXILIARY and self._is_verb(b):
                return Seam.TIGHT  # "omdat hij het wil | kopen"
            done = not _PARTICIPLE.fullmatch(a.clean) and not a.clean.endswith("en")
            if not verb or (self._hangs and done):
                return Seam.CLAUSE
        if self._relating(a, b, c):
            return Seam.CLAUSE
        if b.clean in _SUBJECTS and self._finite and not self._is_verb(a):
            return Seam.CLAUSE
        if self._may_be_over and not self._is_verb(a) and self._goes_on(ahead):
            return Seam.CLAUSE
        return Seam.HELD

    def _relating(self, a: Token, b: Token, c: Token | None) -> bool:
        """Whether a relative clause begins: "die Frau | die das …"."""
        if b.clean not in _RELATIVE or c is None or a.ends not in {Kind.CONTENT, Kind.TITLE}:
            return False
        return c.opens in {Kind.DETERMINER, Kind.PRONOUN} and not self._is_verb(a)

    @property
    def _may_be_over(self) -> bool:
        """Whether a main clause has its verb and waits for no other."""
        return self._finite and not self._hangs and not self._helped

    def _goes_on(self, ahead: Sequence[Token]) -> bool:
        """Whether what comes is a subject with its verb: "wir", "die alte Frau sieht"."""
        if ahead[0].clean in _SUBJECTS:
            return True
        if ahead[0].opens is Kind.PRONOUN and len(ahead) > 1:
            # "sie haben"; but "sie gesehen".
            return self._is_verb(ahead[1]) and not _PARTICIPLE.fullmatch(ahead[1].clean)
        if len(ahead) < 3 or ahead[0].opens is not Kind.DETERMINER or ahead[0].clean in _OBJECTS:
            return False
        if ahead[1].opens not in {Kind.CONTENT, Kind.TITLE} or self._is_verb(ahead[1]):
            return False
        later = len(ahead) > 3 and ahead[2].opens is Kind.CONTENT and self._is_verb(ahead[3])
        return later or self._is_verb(ahead[2])

    def _ends(self, word: Token) -> bool:
        """Whether a verb can be the one that was waited for."""
        return word.ends is not Kind.AUXILIARY and (
            word.clean.endswith("en") or bool(_PARTICIPLE.fullmatch(word.clean))
        )

    def _is_verb(self, word: Token) -> bool:
        if word.ends is Kind.AUXILIARY or word.clean in self._verbs:
            return True
        # "dass er es mitbringt", "aufräumen".
        parts = ((word.clean[:i], word.clean[i:]) for i in range(2, min(8, len(word.clean))))
        if any(first in SEPARABLE and rest in self._verbs for first, rest in parts):
            return True
        # German nouns have capitals, where the transcriber writes them.
        return not word.upper and bool(_PARTICIPLE.fullmatch(word.clean))
