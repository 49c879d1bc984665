"""Reads English: what a place in a sentence begins with."""

from __future__ import annotations

from collections.abc import Sequence

from vivavoce.sandbox.dictionary import LONGEST, Language, Reading, Word, dictionary
from vivavoce.sandbox.translate_numbers import Number, find
from vivavoce.sandbox.translate_parts import (
    DETERMINERS,
    OBJECTS,
    PRONOUNS,
    Described,
    Phrase,
    manner,
    rendered,
)
from vivavoce.sandbox.translate_words import KEPT, Token

MODALS = frozenset("can could will would shall should must may might".split())
BE = frozenset("am is are was were be been being".split())
HAVE = frozenset("have has had".split())
DO = frozenset("do does did".split())
AUXILIARIES = MODALS | (BE - {"be", "been", "being"}) | HAVE | DO
_DEGREES = {"more": "more", "most": "most"}
_BEFORE_ADJECTIVE = frozenset(
    "very too so quite really rather extremely pretty completely totally".split()
)
_PLURAL_ONLY = frozenset("these those many few several both".split())
# Adverbs that are never between a subject and its verb, or may be the verb.
_LOOSE = frozenset("not left back home up down well better fast here there".split())
_TIMES = frozenset("siècle siglo an año mois mes semaine semana jour día matin mañana".split())
_ALONE = frozenset(
    "this that these those some any all many much few several both more most less enough"
    " each which what"
    " how another such no little".split()
)


class Reader:
    """An English sentence's words, and what they may be.

    Args:
        tokens: Of one sentence.
        language: Into which it is translated.
        kept: Translations that the glossary gives, by number.
    """

    def __init__(self, tokens: Sequence[Token], language: Language, kept: Sequence[str]) -> None:
        self.tokens = list(tokens)
        self.language: Language = language
        self.kept = kept
        self.at = 0
        self._book = dictionary()

    def low(self, ahead: int = 0) -> str:
        """Return a word from here on, in lower case; "" behind the end."""
        place = self.at + ahead
        return self.tokens[place].low if 0 <= place < len(self.tokens) else ""

    def low_at(self, place: int) -> str:
        """Return the word at a place."""
        return self.tokens[place].low if 0 <= place < len(self.tokens) else ""

    def match(
        self, place: int, *kinds: str, forms: Sequence[str] = ()
    ) -> tuple[int, Reading] | None:
        """Return the longest entry of some kinds at a place: how many words, and how it is read."""
        words = [token.low for token in self.tokens[place : place + LONGEST]]
        for count in range(len(words), 0, -1):
            for reading in self._book.readings.get(" ".join(words[:count]), ()):
                if reading.entry.kind in kinds and (not forms or reading.form in forms):
                    return count, reading
        return None

    def match_short(self, place: int, forms: Sequence[str]) -> tuple[int, Reading] | None:
        """Return the verb of one word at a place."""
        for reading in self._book.readings.get(self.low_at(place), ()):
            if reading.entry.kind == "verb" and reading.form in forms:
                return 1, reading
        return None

    def addressee(self, place: int, *, direct: str) -> str:
        """Return to whom something is said or given, as a pronoun: "to me", also behind the thing.

        Words behind the thing are taken out: "explain the problem to you" is "you explain the
        problem".
        """
        if self.low_at(place) == "to" and self.low_at(place + 1) in OBJECTS:
            return self.low_at(place + 1)
        found = None if direct else self.phrase(place)
        if found is None:
            return ""
        behind = found[1]
        ends = (
            behind + 2 >= len(self.tokens)
            or self.tokens[behind + 2].mark
            or self.match(behind + 2, "preposition", "conjunction", "adverb")
        )
        if self.low_at(behind) == "to" and self.low_at(behind + 1) in OBJECTS and ends:
            pronoun = self.low_at(behind + 1)
            del self.tokens[behind : behind + 2]
            return pronoun
        return ""

    def word(self, reading: Reading) -> Word:
        """Return a reading's word in the target language."""
        return reading.entry.of(self.language)

    def number(self, place: int) -> Number | None:
        """Return the number, time, date or sum that begins at a place."""
        words = [token.low for token in self.tokens[place : place + 8]]
        return find(words, self.language) if words else None

    def is_verb(self, place: int, *forms: str) -> bool:
        """Whether a verb stands at a place, in one of some forms (any)."""
        return self.match(place, "verb", forms=forms) is not None

    def finite(self, place: int, *, plural: bool) -> bool:
        """Whether a finite verb stands at a place, for a subject in the third person."""
        word = self.low_at(place)
        if word in AUXILIARIES:
            return True
        forms = ("base", "past") if plural else ("s", "past")
        return self.match(place, "verb", forms=forms) is not None

    def skip_adverbs(self, place: int) -> int:
        """Return the place behind adverbs such as "always"."""
        while (found := self.match(place, "adverb")) is not None and self.low_at(
            place
        ) not in _LOOSE:
            place += found[0]
        return place

    # -- noun phrases

    def phrase(self, place: int) -> tuple[Phrase, int] | None:
        """Read a noun phrase; return it and the place behind, None where there is none."""
        start = place
        made = Phrase()
        if self.low_at(place) == "how" and self.low_at(place + 1) in {"many", "much"}:
            made.determiner = f"how {self.low_at(place + 1)}"
            place += 2
        elif self.low_at(place) in DETERMINERS:
            made.determiner = self.low_at(place)
            place += 1
            if made.determiner in {"all", "both"} and self.low_at(place) == "of":
                place += 1
            if made.determiner in {"all", "both"} and self.low_at(place) in {
                "the",
                "these",
                "those",
            }:
                place += 1
            elif made.determiner == "all" and self.low_at(place) in {"my", "our", "your", "their"}:
                return None
        elif self.low_at(place) == "one" and (
            self.low_at(place + 1) == "more" or self._noun_at(place + 1)
        ):
            made.determiner = "a"
            place += 1
        place = self._counted(made, place)
        if made.name:
            return made, place
        if self.low_at(place) == "more" and (made.number or made.determiner == "a"):
            made.more = True
            place += 1
        if self.match(place, "city", "place") is None:
            place = self._adjectives(made, place)
        place = self._nouns(made, place, bare=place == start)
        if not made.nouns and not made.number:
            return None
        if not made.nouns and made.determiner in {"a", "an"}:
            return None
        if self.low_at(place) == "'s" and made.nouns:
            return self._owned(made, place)
        if made.determiner in _PLURAL_ONLY or (made.value and self._many(made.value)):
            made.plural = True
        if made.nouns and made.nouns[-1].plural:
            made.plural = True
        return made, place

    def _many(self, value: float) -> bool:
        return value >= 2 if self.language == "fr" else value != 1

    def _counted(self, made: Phrase, place: int) -> int:
        found = self.number(place)
        if found is None or (found.kind in {"time", "noon", "date"} and made.determiner):
            return place
        if self.low_at(place) == "second":
            return place
        made.number, made.value = found.text, found.value
        made.name = found.kind != "number"
        return place + found.count

    def _adjectives(self, made: Phrase, place: int) -> int:
        while True:
            adverbs: list[str] = []
            degree, after = "", place
            while self.low_at(after) in _BEFORE_ADJECTIVE or self.low_at(after) in _DEGREES:
                word = self.low_at(after)
                if word in _DEGREES:
                    degree = _DEGREES[word]
                elif (found := self.match(after, "adverb")) is not None:
                    adverbs.append(self.word(found[1]).text)
                elif (found := self.match(after, "adjective", forms=("ly",))) is not None:
                    adverbs.append(manner(self.word(found[1]), self.language))
                after += 1
            found = self.match(after, "adjective", forms=("", "more", "most"))
            if found is None:
                return place
            count, reading = found
            following = after + count
            noun_next = self._noun_at(following) or self.match(following, "adjective") is not None
            # "the light", "a German": an adjective only where a noun comes behind.
            if not noun_next and (made.determiner == "" or self._noun_at(after)):
                return place
            if not noun_next and self.finite(following, plural=False) and not made.determiner:
                return place
            made.adjectives.append(Described(self.word(reading), adverbs, degree or reading.form))
            place = following
            if not noun_next and not self._noun_at(place):
                made.nouns.append(Word("", feminine=False))
                return place

    def _noun_at(self, place: int) -> bool:
        return (
            self.match(place, "noun") is not None
            or self.low_at(place).startswith(KEPT)
            or self._named(place)
        )

    def _named(self, place: int) -> bool:
        """Whether a name stands at a place: capital letters, and no word of the dictionary."""
        if place >= len(self.tokens):
            return False
        token = self.tokens[place]
        if (
            token.mark
            or not token.text[:1].isupper()
            or token.low in PRONOUNS
            or token.low in DETERMINERS
        ):
            return False
        return token.low not in self._book.readings or (
            place > 0 and self.match(place, "noun", "verb", "adjective", "adverb") is None
            and self.match(place, "city", "place", "day", "month", "interjection", "preposition",
                           "conjunction", "pronoun") is None
        )  # fmt: skip

    def _nouns(self, made: Phrase, place: int, *, bare: bool) -> int:
        if made.nouns:  # an adjective alone
            return place
        token = self.low_at(place)
        if token.startswith(KEPT):
            made.nouns.append(Word(self.kept[int(token[1:])]))
            made.name = made.name or bare
            place += 1
            if bare or self.match(place, "noun") is None or self.is_verb(place, "s"):
                return place
        if (found := self.match(place, "city", "place", "day", "month")) is not None:
            word = self.word(found[1])
            if found[1].entry.kind == "place":
                made.place = True
            capital = self.tokens[place].text[:1].isupper()
            if capital and (not bare or self.low_at(place) != "may"):
                made.nouns.append(word)
                made.name = True
                made.plural = word.plural
                return place + found[0]
        if self._named(place) and (bare or made.determiner):
            names = []
            while self._named(place):
                names.append(self.tokens[place].text)
                place += 1
            made.nouns.append(Word(" ".join(names)))
            made.name = bare
            return place
        while (found := self.match(place, "noun")) is not None:
            count, reading = found
            if made.nouns and (
                made.plural
                or made.nouns[-1].text in _TIMES
                or self._ends_here(made, place, reading)
            ):
                break
            word = self.word(reading)
            made.nouns.append(word)
            made.plural = reading.form == "many"
            place += count
        unknown_subject = bare and self.finite(place + 1, plural=False)
        known = made.determiner and made.determiner not in _ALONE
        if not made.nouns and (known or unknown_subject) and place < len(self.tokens):
            unknown = self.tokens[place]
            if (
                not unknown.mark
                and unknown.low not in self._book.readings
                and unknown.low.isalpha()
            ):
                made.nouns.append(Word(unknown.text))
                place += 1
        return place

    def _ends_here(self, made: Phrase, place: int, reading: Reading) -> bool:
        """Whether a word behind a noun is the verb and no noun: "the train leaves"."""
        verb = self.match(place, "verb", forms=("s", "past", "base"))
        if verb is None:
            return False
        form = verb[1].form
        if form == "base":
            return made.plural
        del reading
        return not made.plural or form == "past"

    def _owned(self, owner: Phrase, place: int) -> tuple[Phrase, int]:
        owner.plural = owner.plural or bool(owner.nouns and owner.nouns[-1].plural)
        found = self.phrase(place + 1)
        if found is None:
            return owner, place + 1
        thing, behind = found
        thing.determiner = "the"
        thing.name = False
        thing.owner = ["de", *rendered(owner, self.language, "after")]
        return thing, behind
