"""A sentence from English, from left to right: what is out already, and what joins its clauses."""

from __future__ import annotations

from collections.abc import Sequence

from vivavoce.sandbox.dictionary import Language
from vivavoce.sandbox.translate_parts import (
    PRONOUNS,
    Role,
    Subject,
    manner,
)
from vivavoce.sandbox.translate_reader import BE, Reader
from vivavoce.sandbox.translate_words import KEPT, Token

_ASKING = frozenset("that which who what how both".split())
# Conjunctions only in front of a clause.
_ALSO_OTHER = frozenset("before after since until so once either".split())
_LINKS = {"and": ("et", "y"), "or": ("ou", "o"), "but": ("mais", "pero")}


class Sentence:
    """What is known of a sentence while it is translated.

    Args:
        tokens: Of the sentence, without the mark that ends it.
        language: Into which one.
        kept: The glossary's translations, by the number in their tokens.
        question: It ends with a question mark.
    """

    def __init__(
        self, tokens: Sequence[Token], language: Language, kept: Sequence[str], *, question: bool
    ) -> None:
        self.read = Reader(tokens, language, kept)
        self.language: Language = language
        self.out: list[str] = []
        self._spanish = language == "es"
        self._question = question
        self._subject: Subject | None = None
        self._fresh = True  # no verb yet since the clause began
        self._deferred: list[str] = []  # a subject that comes behind the verb
        self._negated = False
        self._link: str | None = None  # joins the next infinitive
        self._role: Role = "subject"
        self._last = ""  # what came last: "noun", "verb", "be", "adjective", "preposition" …
        self._verb = ""  # the English verb that came last
        self._infinitive = False  # that verb was one
        self._lasting = False  # it has been going on for some time
        self._waiting: Subject | None = None  # it has a clause before its verb
        self._subject_at = -1  # where its words begin
        self._noun_subject: Subject | None = None  # the noun that came last

    def _pick(self, pair: tuple[str, str]) -> str:
        return pair[1] if self._spanish else pair[0]

    def _begins(self) -> None:
        """A clause begins here."""
        self._fresh, self._negated, self._link, self._role = True, False, None, "subject"
        self._last = ""
        self._flush()

    def _flush(self) -> None:
        self.out += self._deferred
        self._deferred = []

    def _mark(self) -> bool:
        token = self.read.tokens[self.read.at]
        if not token.mark:
            return False
        self._flush()
        self.out.append("," if token.text == "," else token.text)
        self.read.at += 1
        listed = token.text == "," and self._last == "noun" and bool(self._verb)
        if listed and self.read.phrase(self.read.at) and not self._starts(self.read.at):
            return True  # another of the same
        subject, infinitive = self._subject, self._infinitive
        if token.text != "-":
            self._begins()
        self._subject, self._infinitive = subject, infinitive
        return True

    def _glossary(self) -> bool:
        """A term of the glossary that is not the head of a noun phrase or a subject."""
        token = self.read.low()
        if not token.startswith(KEPT) or self._fresh:
            return False
        self.out.append(self.read.kept[int(token[1:])])
        self.read.at += 1
        self._last = "noun"
        return True

    def _said(self) -> bool:
        """A greeting, a yes, a please."""
        if not self._fresh and self.read.low() not in {"please", "thanks", "sir", "madam"}:
            return False
        found = self.read.match(self.read.at, "interjection")
        if found is None:
            return False
        count, reading = found
        word = self.read.low()
        following = self.read.low_at(self.read.at + count)
        if word in {"well", "no", "great", "welcome", "miss", "like", "sorry"} and count == 1:
            mark = (
                self.read.at + 1 >= len(self.read.tokens) or self.read.tokens[self.read.at + 1].mark
            )
            if not mark:
                return False
        if count == 1 and word in {"mr", "mrs", "ms", "dr", "miss"} and following:
            self.out += [self.read.word(reading).text, self.read.tokens[self.read.at + 1].text]
            self.read.at += 2
            self._subject, self._last = Subject(), "noun"
            return True
        self.out += self.read.word(reading).text.split(" ")
        self.read.at += count
        return True

    def _idiom(self) -> bool:
        """Adverbs of several words, and time and place: "tomorrow morning", "at home"."""
        found = self.read.match(self.read.at, "adverb")
        if found is None or found[0] < 2:
            return False
        if self.read.low() == "a" and self.read.low_at(self.read.at + found[0]) == "of":
            return False
        text = self.read.word(found[1]).text
        self._flush()
        self.out += text.split(" ")
        self.read.at += found[0]
        return True

    def _joint(self) -> bool:
        """A conjunction: another clause begins, or another of the same."""
        word = self.read.low()
        if word in _LINKS:
            self.out.append(self._pick(_LINKS[word]))
            self.read.at += 1
            infinitive, role, subject, last = (
                self._infinitive,
                self._role,
                self._subject,
                self._last,
            )
            starts = self._starts(self.read.at)
            if starts or word == "but" or last != "noun":
                if last == "adjective" and not starts:
                    self._last = "be"
                    return True
                self._begins()
                self._subject, self._infinitive = subject, infinitive
            else:
                self._role = role
            return True
        found = self.read.match(self.read.at, "conjunction")
        if found is None:
            return False
        count, reading = found
        if word in _ASKING or word in _ALSO_OTHER:
            clause = self._starts(self.read.at + count)
            if word in _ALSO_OTHER and not clause:
                return False
            if word in _ASKING and not (word == "how" and count == 1 and clause):
                return False
        self.out += self.read.word(reading).text.split(" ")
        self.read.at += count
        self._begins()
        return True

    def _starts(self, place: int) -> bool:
        """Whether a clause with a subject of its own begins at a place."""
        place = self.read.skip_adverbs(place)
        if self.read.low_at(place) in PRONOUNS:
            after = self.read.skip_adverbs(place + 1)
            return self.read.finite(after, plural=True) or self.read.finite(after, plural=False)
        if self.read.low_at(place) == "there" and self.read.low_at(place + 1) in BE | {"will"}:
            return True
        found = self.read.phrase(place)
        one = self.read.match(place, "pronoun")
        if found is None and one is not None:
            return self.read.finite(self.read.skip_adverbs(place + one[0]), plural=False)
        if found is None:
            return False
        phrase, behind = found
        return self.read.finite(self.read.skip_adverbs(behind), plural=phrase.plural)

    def _alone(self) -> bool:
        """A pronoun or a number by itself."""
        word = self.read.low()
        if word in {"this", "that"}:
            self.out.append(("esto" if word == "this" else "eso") if self._spanish else "cela")
            self.read.at += 1
            return True
        if word in {"these", "those"}:
            self.out.append("estos" if self._spanish else "ceux-ci")
            self.read.at += 1
            return True
        found = self.read.match(self.read.at, "pronoun")
        if found is None:
            return False
        self.out += self.read.word(found[1]).text.split(" ")
        self.read.at += found[0]
        self._last = "noun"
        return True

    def _adverb(self) -> bool:
        found = self.read.match(self.read.at, "adverb", "interjection", "conjunction")
        if found is not None:
            self._flush()
            self.out += self.read.word(found[1]).text.split(" ")
            self.read.at += found[0]
            return True
        made = self.read.match(self.read.at, "adjective", forms=("ly",))
        if made is not None:
            self.out.append(manner(self.read.word(made[1]), self.language))
            self.read.at += made[0]
            return True
        other = self.read.match(self.read.at, "adjective", "verb", "preposition")
        if other is None:
            return False
        self.out += self.read.word(other[1]).text.removesuffix(":q").split(" ")
        self.read.at += other[0]
        return True
