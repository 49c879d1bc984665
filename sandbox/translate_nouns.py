"""Nouns in a sentence: with prepositions, as objects, and what is said of a subject."""

from __future__ import annotations

from dataclasses import replace

from vivavoce.sandbox import translate_french as french
from vivavoce.sandbox import translate_spanish as spanish
from vivavoce.sandbox.dictionary import Word
from vivavoce.sandbox.translate_group import CHAINED
from vivavoce.sandbox.translate_parts import (
    OBJECTS,
    PRONOUNS,
    Phrase,
    Role,
    Subject,
    rendered,
    stressed_pronoun,
)
from vivavoce.sandbox.translate_sentence import Sentence
from vivavoce.sandbox.translate_verbs import Verbal, infinitive_negation, verb_words

_ADVERBS = frozenset("off over inside outside before after near about".split())
_ABOUT = frozenset("talk speak think ask know hear tell read write".split())
_LASTING = frozenset(
    "heure minute jour semaine mois an hora día semana mes año minuto siècle".split()
)
# What one does for some time, and not during it: a room is booked for two weeks.
_FOR = frozenset("want book reserve need be rent".split())
_MADE_DO = frozenset({"let", "help", "make"})
_BARE = frozenset("with without as by of per like than".split())
_LANGUAGES_FR = frozenset("anglais français espagnol allemand italien portugais".split())
_LIKING = frozenset("like love hate prefer enjoy adore".split())


class Nouns(Sentence):
    """Rules for nouns and infinitives."""

    def _preposition(self) -> bool:
        found = self.read.match(self.read.at, "preposition")
        if found is None:
            return False
        count, reading = found
        english = reading.entry.english
        word = self.read.word(reading).text.removesuffix(":q")
        place = self.read.at + count
        if english == "like" and self._fresh:
            return False
        if (
            english in {"about", "over", "around"}
            and self.read.number(place)
            and self._verb not in _ABOUT
        ):
            word = "environ" if not self._spanish else "unos"
        following = self.read.low_at(place)
        if following in PRONOUNS and self.read.finite(place + 1, plural=True):
            self.out += word.split(" ")  # "as you can see": a clause
            self.read.at = place
            self._begins()
            return True
        owner = following == "her" and self.read.match(place + 1, "noun", "adjective")
        if following in OBJECTS and not owner:
            self._flush()
            self.out += [*word.split(" "), stressed_pronoun(following, self.language)]
            self.read.at = place + 1
            self._last = "noun"
            return True
        ing = self.read.match(place, "verb", forms=("ing",))
        if ing is not None and self.read.match(place, "noun") is None:
            return self._doing(
                english, word, place, ing[0], self.read.word(ing[1]), ing[1].entry.english
            )
        phrase = self.read.phrase(place)
        self._flush()
        if phrase is None:
            if english in _ADVERBS and self.read.match(self.read.at, "adverb") is not None:
                return False
            self.out += word.split(" ")
            self.read.at = place
            self._last = "preposition"
            return True
        made, behind = phrase
        self.out += self._prepositional(english, word, made, place)
        self.read.at = behind
        self._noun_subject = made.subject
        self._last = "noun"
        return True

    def _doing(
        self, english: str, word: str, place: int, count: int, verb: Word, base: str
    ) -> bool:
        verbal = Verbal(verb, "infinitive")
        self.read.at = place + count
        self._object_of(verbal)
        if self._spanish:
            lead = [] if english == "by" else ["por"] if english == "for" else word.split(" ")
            verbal.tense = "gerund" if english == "by" else "infinitive"
        elif english in {"by", "in", "while", "on"}:
            lead, verbal.tense = [], "gerund"
        elif english == "before":
            lead = ["avant", "de"]
        elif english == "after":
            lead = ["après"]
        else:
            lead = word.split(" ")
            if english == "for" and self.out[-1:] in (["merci"], ["beaucoup"]):
                lead = ["de"]
        self.out += [*lead, *verb_words(verbal, self._subject or Subject(), self.language)]
        self._after_infinitive(base, verbal)
        return True

    def _prepositional(self, english: str, word: str, made: Phrase, place: int) -> list[str]:
        """Put a preposition and its noun; time and place have their own."""
        first = self.read.match(place, "city", "place", "day", "month")
        kind = first[1].entry.kind if first is not None and made.name else ""
        number = self.read.number(place)
        if not self._spanish:
            special = _french_place(english, kind, made, number.kind if number else "")
        else:
            special = _spanish_place(english, kind, made, number.kind if number else "", self._verb)
        if special is not None:
            return [*special[0], *rendered(made, self.language, special[1])]
        if english == "at" and made.number and not made.nouns and made.value and made.value <= 24:
            if self._spanish:
                return ["a", "la" if made.value == 1 else "las", made.number.replace("un", "una")]
            return ["à", made.number, "heures" if made.value > 1 else "heure"]
        lasts = bool(made.nouns) and made.nouns[-1].text in _LASTING
        doing = bool(self._verb) and self._verb not in _FOR and not self._lasting
        if english == "for" and lasts and made.number and doing:
            during = "durante" if self._spanish else "pendant"
            return [during, *rendered(made, self.language, "with")]
        if english == "for" and self._lasting and made.number:
            lead = ["desde", "hace"] if self._spanish else ["depuis"]
            return [*lead, *rendered(made, self.language, "with")]
        if word == "mucho":
            forms = spanish.adjective("mucho", feminine=made.feminine, plural=made.plural)
            return [forms, *rendered(made, "es", "with")]
        if word == "unos" and english == "a few":
            made.number = ""
            some = spanish.article(definite=False, feminine=made.feminine, plural=True)
            return [some, *rendered(made, "es", "with")]
        role: Role = (
            "with" if english in _BARE or word.endswith(" de") or english == "a few" else "after"
        )
        if english == "of" and not made.determiner and made.nouns:
            role = "with"
        return [*word.split(" "), *rendered(made, self.language, role)]

    def _object(self) -> bool:
        """A pronoun that is no subject, behind a verb that is out already."""
        word = self.read.low()
        if word not in OBJECTS or (word == "her" and self._noun_ahead(1)):
            return False
        lead = ["a"] if self._spanish else []
        self.out += [*lead, stressed_pronoun(word, self.language)]
        self.read.at += 1
        self._last = "noun"
        return True

    def _adjective(self) -> bool:
        """An adjective that is said of the subject."""
        place = self.read.at
        adverbs: list[str] = []
        degree = ""
        while (
            (found := self.read.match(place, "adverb")) is not None
            and found[0] == 1
            and (self.read.match(place + 1, "adjective", "adverb") is not None)
        ):
            if self.read.low_at(place) in {"more", "most"}:
                degree = "more"
                adverbs.append("plus" if not self._spanish else "más")
            else:
                adverbs.append(self.read.word(found[1]).text)
            place += 1
        adjective = self.read.match(place, "adjective", forms=("", "more", "most"))
        if adjective is None or (self._last not in {"be", "verb", "adjective"} and not self._fresh):
            return False
        if (
            self._fresh
            and self.read.is_verb(self.read.at, "base")
            and self._orders(self.read.at + 1)
        ):
            return False
        count, reading = adjective
        if self.read.match(place + count, "noun") is not None or (
            self.read.phrase(self.read.at) is not None and self._last != "be"
        ):
            return False
        if self._last == "verb" and self._verb not in {
            "seem",
            "look",
            "feel",
            "become",
            "appear",
            "get",
            "stay",
            "remain",
            "taste",
            "smell",
            "sound",
        }:
            return False
        subject = self._subject or Subject()
        if subject.pronoun in {"it", "this"}:
            subject = Subject()
        word = self.read.word(reading)
        if self._spanish:
            text = spanish.adjective(word.text, feminine=subject.feminine, plural=subject.plural)
        else:
            text = french.adjective(
                word.text, word.other, feminine=subject.feminine, plural=subject.plural
            )
        more = []
        if reading.form in {"more", "most"} and not degree:
            more = ["plus" if not self._spanish else "más"]
        if reading.form == "most" and not self._spanish:
            more = [
                french.article(definite=True, feminine=subject.feminine, plural=subject.plural),
                "plus",
            ]
        self.out += [*adverbs, *more, text]
        self.read.at = place + count
        if self.read.low() == "than":
            self.out.append("que")
            self.read.at += 1
        self._last, self._fresh = "adjective", False
        return True

    def _noun(self) -> bool:
        found = self.read.phrase(self.read.at)
        if found is None:
            return False
        phrase, behind = found
        verb = self.read.match(self.read.at, "verb", forms=("base", "past"))
        if (
            not phrase.determiner
            and (len(phrase.nouns) == 1 or (verb and self.read.at + verb[0] >= behind))
            and verb is not None
            and not phrase.adjectives
        ):
            taken = self._fresh and (self._orders(behind) or behind > self.read.at + 1)
            if self._verb in _MADE_DO and self._last in {"verb", "noun"}:
                return False
            if taken or (self._infinitive and self._last == "joint"):
                return False
        if self.read.low() in {"one", "second"} and not phrase.nouns:
            return False
        if self.read.low_at(behind) == "ago":
            lead = ["hace"] if self._spanish else ["il", "y", "a"]
            self.out += [*lead, *rendered(phrase, self.language, "with")]
            self.read.at = behind + 1
            return True
        role: Role = self._role if not self._fresh else "subject"
        if self._last == "preposition":
            role = "after"
        who = bool(phrase.nouns) and phrase.nouns[-1].link in {"who", "job"}
        if (
            self._spanish
            and role == "object"
            and who
            and self._last == "verb"
            and self._verb != "have"
        ) and phrase.determiner not in {"", "a", "an", "some", "any", "no", "many"}:
            self.out.append("a")
        if who and role == "predicate" and self._subject is not None and self._subject.feminine:
            phrase.nouns[-1] = self._female(phrase.nouns[-1])
        self.out += rendered(
            phrase, self.language, role, negated=self._negated and role == "object"
        )
        self._noun_subject = phrase.subject
        if self._fresh or self._subject is None:
            self._subject = phrase.subject
        self.read.at = behind
        self._last = "noun"
        return True

    def _female(self, word: Word) -> Word:
        """Return a profession's feminine: profesora, musicienne."""
        if self._spanish:
            return replace(
                word, text=spanish.adjective(word.text, feminine=True, plural=False), feminine=True
            )
        if word.text.endswith(("ien", "er", "teur", "ant")):
            return replace(
                word,
                text=french.adjective(word.text, "", feminine=True, plural=False),
                feminine=True,
            )
        return word

    def _orders(self, behind: int) -> bool:
        """Whether a word that may be a noun gives an order: "call me", "book a table"."""
        following = self.read.low_at(behind)
        determined = following in OBJECTS or self.read.phrase(behind) is not None
        return bool(following) and (
            determined or self.read.match(behind, "preposition", "adverb") is not None
        )

    def _object_of(self, verbal: Verbal) -> None:
        """Take the object pronouns that stand here."""
        word = self.read.low()
        if word in OBJECTS and not (word == "her" and self._noun_ahead(1)):
            if word in PRONOUNS and self.read.finite(self.read.at + 1, plural=True):
                return
            verbal.direct = word
            self.read.at += 1
        if self.read.low() == "to" and self.read.low(1) in OBJECTS and verbal.word.dative:
            verbal.indirect = self.read.low(1)
            self.read.at += 2

    def _noun_ahead(self, ahead: int) -> bool:
        return self.read.match(self.read.at + ahead, "noun", "adjective") is not None

    def _after_infinitive(self, english: str, verbal: Verbal) -> None:
        self._fresh, self._last, self._verb = False, "verb", english
        self._link = verbal.word.link or None
        self._role = "liked" if english in _LIKING else "object"
        self._infinitive = verbal.tense == "infinitive"

    def _bare(self, word: Word, english: str) -> bool:
        verbal = Verbal(word, "infinitive")
        self._object_of(verbal)
        self.out += verb_words(verbal, self._subject or Subject(), self.language)
        self._after_infinitive(english, verbal)
        return True

    def _to(self) -> bool:
        """For "To" and an infinitive."""
        negation = self.read.low() == "not" and self.read.low(1) == "to"
        start = 1 if negation else 0
        if self.read.low(start) != "to":
            return False
        found = self.read.match(self.read.at + start + 1, "verb", forms=("base",))
        if found is None:
            return False
        count, reading = found
        if self._last == "adjective" or (
            self._last == "noun" and self._verb in {"be", "have"} and not self._spanish
        ):
            link = "de"
        elif self._link and self._last in {"verb", "noun"}:
            link = self._link
        elif self._last == "verb" and self._verb in CHAINED | {"can", "know"}:
            link = ""
        else:
            link = "" if self._fresh else ("para" if self._spanish else "pour")
        if self._spanish and self._verb in {"ask", "tell"}:
            link = "para"
        elif self._spanish and self._verb in {"come", "go"} and self._last == "verb":
            link = "a"
        of_it = self._subject is not None and self._subject.pronoun in {"it", "this"}
        if self._spanish and self._last == "adjective" and of_it:
            link = ""
        if not self._spanish and self.out[-1:] in (["chose"], ["rien"]):
            link = "à"
        self.out += [link] if link else []
        self.out += infinitive_negation("not" if negation else "", self.language)
        self.read.at += start + 1 + count
        return self._bare(self.read.word(reading), reading.entry.english)


def _french_place(
    english: str, kind: str, made: Phrase, number: str
) -> tuple[list[str], Role] | None:
    """Return what French has in the place of a preposition, before a country, a city, a day."""
    if kind == "place" and english in {"in", "to", "from"}:
        head = made.nouns[-1]
        if not made.plural and (head.feminine or french.vowel(head.text)):
            made.place, made.name = False, True
            return (["en"] if english != "from" else ["de"]), "with"
        return (["à"] if english != "from" else ["de"]), "after"
    if kind == "city" and english == "in":
        return ["à"], "with"
    if english == "on" and (kind == "day" or number == "date"):
        if number == "date":
            return ["le"], "with"
        return [], "with"
    if number == "date" and english in {"from", "since", "until", "before", "after"}:
        lead = {
            "from": "à partir de",
            "since": "depuis",
            "until": "jusqu'à",
            "before": "avant",
            "after": "après",
        }
        return [*lead[english].split(), french.ARTICLE + "le"], "with"
    if english == "by" and number == "percent":
        return ["de"], "with"
    if english == "in" and kind == "month":
        return ["en"], "with"
    if english == "in" and made.number.isdigit() and len(made.number) == 4:
        return ["en"], "with"
    if number in {"time", "noon"} and english in {"at", "by", "around", "about"}:
        return (["à"] if english == "at" else ["vers"]), "with"
    if (
        english == "in"
        and not made.determiner
        and made.nouns
        and made.nouns[-1].text in _LANGUAGES_FR
    ):
        return ["en"], "with"
    if english == "for" and made.determiner == "" and not made.number:
        return ["pour"], "after"
    return None


def _spanish_place(
    english: str, kind: str, made: Phrase, number: str, verb: str
) -> tuple[list[str], Role] | None:
    if english == "at" and number == "time":
        return ["a"], "with"
    if english == "at" and number == "noon":
        return ["al" if made.number == "mediodía" else "a"], "with"
    if english == "by" and number == "percent":
        return ["un"], "with"
    if english in {"on", "to", "before", "after", "from", "until", "since"} and (
        kind == "day" or number == "date"
    ):
        lead = {
            "to": "a",
            "on": "",
            "before": "antes de",
            "after": "después de",
            "from": "desde",
            "until": "hasta",
            "since": "desde",
        }
        return [*lead[english].split(), "\x01el"], "with"
    if verb == "arrive" and english in {"in", "at"}:
        return ["a"], "with" if kind == "city" else "after"
    if english in {"in", "at"} and kind:
        return ["en"], "with"
    return None
