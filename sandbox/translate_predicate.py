"""Subjects and their verbs in a sentence, orders, and clauses that hang on a noun."""

from __future__ import annotations

from vivavoce.sandbox import translate_spanish as spanish
from vivavoce.sandbox.dictionary import Word
from vivavoce.sandbox.translate_group import Group, read_group
from vivavoce.sandbox.translate_nouns import Nouns
from vivavoce.sandbox.translate_parts import (
    PRONOUNS,
    Subject,
    rendered,
    subject_pronoun,
)
from vivavoce.sandbox.translate_reader import AUXILIARIES, BE
from vivavoce.sandbox.translate_verbs import Verbal, infinitive_negation, verb_words

_FEELINGS = {
    "hungry": ("faim", "hambre"), "thirsty": ("soif", "sed"), "cold": ("froid", "frío"),
    "hot": ("chaud", "calor"), "warm": ("chaud", "calor"), "afraid": ("peur", "miedo"),
    "scared": ("peur", "miedo"), "sleepy": ("sommeil", "sueño"), "right": ("raison", "razón"),
}  # fmt: skip
_WEATHER = {
    "cold": ("froid", "frío"), "hot": ("chaud", "calor"), "warm": ("chaud", "calor"),
    "sunny": ("du soleil", "sol"), "windy": ("du vent", "viento"), "nice": ("beau", "buen tiempo"),
    "cool": ("frais", "fresco"), "dark": ("nuit", "oscuro"),
}  # fmt: skip
_ONE_WORD = frozenset(
    "this that everything nothing everyone everybody someone somebody nobody something".split()
)
_STATES = frozenset(
    "tired sick ill happy glad sad ready busy closed open broken lost full empty angry"
    " worried available free"
    " alive dead nervous calm bored surprised well fine okay sure married pregnant clean"
    " dirty hidden near"
    " close far alone scared afraid hungry thirsty delicious cold hot late early sorry"
    " interested excited proud"
    " seated missing damaged cancelled delayed included reserved occupied confirmed".split()
)
_WHERE = frozenset(
    "in at on near behind under between inside outside here there where opposite".split()
)
_LIKING = frozenset("like love hate prefer enjoy adore".split())
_SAYING = frozenset(
    "think know believe hope say see hear understand suppose guess feel mean tell promise"
    " doubt realize"
    " realise imagine remember forget wish explain notice".split()
)


class Predicates(Nouns):
    """Rules for subjects and verbs."""

    def _relative(self) -> bool:
        """For "The man who", "the book that", "I know that"."""
        word = self.read.low()
        comma = word in {"who", "which"} and self.read.low(-1) == "," and self._noun_subject
        if comma:
            self._last = "noun"
        if word == "what" and (
            self._last in {"verb", "be"} or (self._last == "noun" and self._verb)
        ):
            return self._what()
        if word not in {"who", "which", "that", "whom"} or self._last not in {
            "noun",
            "verb",
            "adjective",
        }:
            return False
        place = self.read.skip_adverbs(self.read.at + 1)
        clause = self._starts(place)
        if not clause and (word == "that" or self._last != "noun") and self._last != "noun":
            return False
        if not clause and not (
            self.read.finite(place, plural=True) or self.read.finite(place, plural=False)
        ):
            return False
        if self._spanish or clause:
            self.out.append("que")
        else:
            self.out.append("qui")
        subject = self._subject
        if self._fresh:
            self._waiting = self._noun_subject  # its own verb is still to come
        self.read.at += 1
        self._begins()
        if not clause:
            self._subject = self._noun_subject or subject or Subject()
            self._group(self._subject)
        return True

    def _what(self) -> bool:
        """Put "what" within a sentence: that which."""
        clause = self._starts(self.read.at + 1)
        self.out += ["lo", "que"] if self._spanish else ["ce", "que" if clause else "qui"]
        self.read.at += 1
        self._begins()
        if not clause:
            self._subject = Subject()
            self._group(self._subject)
        return True

    def _begin(self) -> bool:
        """A subject, and its verb."""
        word = self.read.low()
        place = self.read.at
        if word in PRONOUNS:
            behind = self.read.skip_adverbs(place + 1)
            verbal = self.read.finite(behind, plural=True) or self.read.finite(behind, plural=False)
            if not verbal and word in {"you", "it"} and not self._fresh:
                return False
            if not verbal and word not in {"i", "he", "she", "we", "they", "you", "it"}:
                return False
            if self._verb in _SAYING and self._last == "verb" and not self._fresh:
                self.out.append("que")
            person, feminine, plural = PRONOUNS[word]
            self._subject = Subject(person, feminine, plural, word)
            pronoun = subject_pronoun(word, self.language)
            self.read.at += 1
            return self._predicate([pronoun] if pronoun else [])
        if word in _ONE_WORD:
            following = self.read.skip_adverbs(place + 1)
            if self.read.finite(following, plural=False) and (
                word not in {"this", "that"} or not self._noun_verb(place)
            ):
                return self._one_word_subject(word)
        found = self.read.phrase(place)
        if found is None:
            return False
        phrase, behind = found
        ordered = self._fresh and not self._last and self.read.is_verb(place, "base")
        if ordered and not phrase.determiner and self._orders(place + 1):
            return False  # "turn left"
        verb_at = self.read.skip_adverbs(behind)
        if self._last == "preposition" or (not self._fresh and self._last == "noun" and self._verb):
            return False
        if not self.read.finite(verb_at, plural=phrase.plural or self._coordinated(behind)):
            return False
        if not self._fresh and self._verb in _SAYING and self._last == "verb":
            self.out.append("que")
        elif not self._fresh and self._verb:
            return False
        self._flush()
        self._subject = phrase.subject
        self.read.at = behind
        return self._predicate(rendered(phrase, self.language, "subject"))

    def _noun_verb(self, place: int) -> bool:
        found = self.read.phrase(place)
        return found is not None and self.read.finite(found[1], plural=found[0].plural)

    def _coordinated(self, behind: int) -> bool:
        del behind
        return bool(self.out) and self.out[-1] in {"et", "y", "e"}

    def _one_word_subject(self, word: str) -> bool:
        following = self.read.low(1)
        if not self._fresh and self._verb in _SAYING and self._last == "verb":
            self.out.append("que")
        self.read.at += 1
        pronoun = "this" if word in {"this", "that"} else ""
        self._subject = Subject(pronoun=pronoun)
        if pronoun:
            text = "cela" if following not in BE else "ce"
            if self._spanish:
                said = self.read.phrase(self.read.at + 1) if following in BE else None
                text = "esto" if word == "this" else "eso"
                if said is not None:
                    these = {
                        "this": ("este", "esta", "estos", "estas"),
                        "that": ("ese", "esa", "esos", "esas"),
                    }
                    text = these[word][said[0].feminine + 2 * said[0].plural]
            return self._predicate([text])
        found = self.read.match(self.read.at - 1, "pronoun")
        assert found is not None
        words = self.read.word(found[1]).text.split(" ")
        if word in {"nobody", "nothing"} and not self._spanish:
            words.append("ne")
        return self._predicate(words)

    def _predicate(self, words: list[str]) -> bool:
        """Put a subject and the verb behind it."""
        assert self._subject is not None
        subject = self._subject
        if subject.pronoun == "it":
            group = read_group(self.read, self.read.at, subject)
            if group is not None and group.copula and not self._spanish:
                after = self.read.low_at(group.behind)
                if after in _WEATHER and self._weather(group):
                    return True
                found = self.read.number(group.behind)
                if found is None or found.kind not in {"time", "noon"}:
                    words = ["ce"]
            elif group is not None and group.copula and self._weather(group):
                return True
        self._subject_at = len(self.out)
        self.out += words
        self._group(subject)
        return True

    def _weather(self, group: Group) -> bool:
        word = self.read.low_at(group.behind)
        if word not in _WEATHER or (
            group.behind + 1 < len(self.read.tokens) and self.read.match(group.behind + 1, "noun")
        ):
            return False
        make = Word("faire" if not self._spanish else "hacer")
        verbal = Verbal(make, group.verbals[0].tense, group.verbals[0].negation)
        subject = ["il"] if not self._spanish else []
        self.out += [
            *subject,
            *verb_words(verbal, Subject(), self.language),
            *self._pick(_WEATHER[word]).split(" "),
        ]
        self.read.at = group.behind + 1
        self._fresh = False
        return True

    def _group(self, subject: Subject, *, wh: str = "") -> bool:
        """Put the verbs that stand here, for a subject; nothing where there are none."""
        group = read_group(self.read, self.read.at, subject)
        if group is None:
            return False
        first = group.verbals[0]
        if not self._spanish and first.tense == "conditional" and "si" in self.out[-4:]:
            first.tense = "imperfect"
        if group.copula:
            return self._copula(group, subject, wh)
        if self._spanish and self._likes(group, subject):
            return True
        self.out += verb_words(first, subject, self.language)
        self._flush()
        for link, verbal in zip(group.links, group.verbals[1:], strict=True):
            self.out += [*([link] if link else [])]
            self.out += (
                [*infinitive_negation(verbal.negation, self.language)]
                if verbal.negation and not self._spanish
                else []
            )
            bare = verbal if self._spanish else _without_negation(verbal)
            self.out += verb_words(bare, subject, self.language)
        last = group.verbals[-1]
        self._negated = any(verbal.negation for verbal in group.verbals)
        self._lasting = group.lasting
        self._link = last.word.link or None
        self._verb = group.english
        self._infinitive = len(group.verbals) > 1 or last.tense == "infinitive"
        self._role = "liked" if group.english in _LIKING else "object"
        if not self._spanish and self.out[-1:] == ["de"]:
            self._role = "with"  # "avoir besoin de"
        self._fresh, self._last = False, "verb"
        self.read.at = group.behind
        return True

    def _likes(self, group: Group, subject: Subject) -> bool:
        """For "I like coffee": a mí me gusta el café."""
        first = group.verbals[0]
        if first.word.text != "gustar" or first.tense not in {
            "present",
            "past",
            "imperfect",
            "conditional",
        }:
            return False
        person = 2 if subject.pronoun == "you" else subject.person
        liked = self.read.phrase(group.behind)
        many = liked is not None and liked[0].plural and len(group.verbals) == 1
        pronoun = ("me", "te", "le", "nos", "os", "les")[person]
        form = spanish.conjugated("gustar", first.tense, 5 if many else 2)
        if len(self.out) > self._subject_at >= 0 and not self._deferred:
            self.out.insert(self._subject_at, "a")
        self._deferred = ["a", *self._deferred] if self._deferred else []
        self.out += [*(["no"] if first.negation else []), pronoun, form]
        self._flush()
        for verbal in group.verbals[1:]:
            self.out += verb_words(verbal, subject, "es")
        self._fresh, self._last, self._role, self._verb = False, "verb", "liked", group.english
        self.read.at = group.behind
        if len(group.verbals) > 1:
            self._role, self._infinitive = "object", True
        return True

    def _copula(self, group: Group, subject: Subject, wh: str) -> bool:
        """Be with what is said of the subject."""
        place = self.read.skip_adverbs(group.behind)
        intense = self.read.low_at(group.behind) in {"very", "really", "so", "too"}
        feeling = self.read.low_at(group.behind + intense)
        first = group.verbals[0]
        number = self.read.number(group.behind)
        person = (
            subject.pronoun in {"i", "you", "he", "she", "we", "they"} and len(group.verbals) == 1
        )
        after = group.behind + intense + 1
        alone = not (feeling == "cold" and self.read.match(after, "noun"))
        have = Word("avoir") if not self._spanish else Word("tener")
        if person and feeling in _FEELINGS and alone:
            very = (
                []
                if not intense
                else [
                    "très"
                    if not self._spanish
                    else "mucha"
                    if feeling in {"hungry", "thirsty"}
                    else "mucho"
                ]
            )
            self._put(Verbal(have, first.tense, first.negation, adverbs=first.adverbs), subject)
            self.out += [*very, self._pick(_FEELINGS[feeling])]
            self.read.at = after
        elif (
            number is not None
            and self.read.low_at(group.behind + number.count) in {"years", "year"}
            and (self.read.low_at(group.behind + number.count + 1) == "old")
        ):
            self._put(Verbal(have, first.tense, first.negation), subject)
            self.out += [number.text, "ans" if not self._spanish else "años"]
            self.read.at = group.behind + number.count + 2
        else:
            word = self.read.low_at(place)
            adjective = self.read.match(place, "adjective")
            if self._spanish:
                there = word in _WHERE or wh == "where" or (wh == "how" and not adjective)
                is_there = there or (
                    self.read.match(place, "adverb") is not None
                    and word in {"here", "there", "home"}
                )
                at_home = self.read.low_at(group.behind) in _WHERE | {"home"}
                event = adjective is not None and word in _STATES
                state = is_there or at_home or event or word in {"well", "fine", "on"}
                if number is not None and number.kind in {"time", "noon"}:
                    state = False
                    subject = Subject(
                        2 if number.text.startswith("la ") or number.kind == "noon" else 5
                    )
                group.verbals[-1].word = Word("estar" if state else "ser")
            self._put(first, subject)
            for link, verbal in zip(group.links, group.verbals[1:], strict=True):
                self.out += [*([link] if link else []), *verb_words(verbal, subject, self.language)]
            self.read.at = group.behind
        self._flush()
        self._negated = bool(first.negation)
        self._fresh, self._last, self._role, self._link = False, "be", "predicate", None
        self._verb, self._infinitive = "be", False
        return True

    def _put(self, verbal: Verbal, subject: Subject) -> None:
        self.out += verb_words(verbal, subject, self.language)
        self._flush()

    def _finite(self) -> bool:
        """A verb without a subject before it: an order, or one that goes on."""
        word = self.read.low()
        if word == "left" and self._verb in {"turn", "go", "look", "keep", "drive"}:
            return False  # which way
        base = self.read.match(self.read.at, "verb", forms=("base",))
        orders = (
            base is not None or (word == "do" and self.read.low(1) == "not") or word == "please"
        )
        goes_on = self._last == "noun" and bool(self.out)
        if self._fresh and orders and not goes_on and word not in AUXILIARIES - {"do", "have"}:
            return self._order()
        ing = self.read.match(self.read.at, "verb", forms=("ing",))
        if ing is not None and self._last != "preposition":
            verbal = Verbal(self.read.word(ing[1]), "infinitive")
            linked = self._last in {"verb", ""} or self._fresh
            if not linked:
                verbal.tense = "gerund"
            elif self._link:
                self.out.append(self._link)
            self.read.at += ing[0]
            self._object_of(verbal)
            self.out += verb_words(verbal, self._subject or Subject(), self.language)
            self._after_infinitive(ing[1].entry.english, verbal)
            return True
        subject = self._subject or self._noun_subject or Subject()
        if word == "left" and self._last == "noun" and self._verb == "have":
            self.read.at += 1  # "ten minutes left": they are had
            return True
        if self._verb in {"let", "help", "make"} and self._last == "noun" and base is not None:
            self._subject, self._infinitive = self._noun_subject, True
        if self._infinitive and base is not None:
            self.read.at += base[0]
            return self._bare(self.read.word(base[1]), base[1].entry.english)
        past = self.read.match(self.read.at, "verb", forms=("past",))
        if past is not None and self._waiting is not None and self._last != "verb":
            self._subject, self._waiting = self._waiting, None
            return self._group(self._subject)
        if past is not None and self.out[-1:] in (["et"], ["y"]):
            return self._group(subject)  # "they sold it and bought"
        participle = self.read.match(self.read.at, "verb", forms=("participle",))
        if (
            participle is not None
            and self._last == "noun"
            and self._verb
            and word not in AUXILIARIES
        ):
            done = Verbal(self.read.word(participle[1]), "infinitive", passive=True)
            self.out.append(verb_words(done, subject, self.language)[-1])
            self.read.at += participle[0]
            self._last, self._fresh = "adjective", False
            return True
        self._subject = subject
        return self._group(subject)

    def _order(self) -> bool:
        subject = Subject(4, pronoun="you")
        negation = ""
        if self.read.low() == "do" and self.read.low(1) == "not":
            negation = "not"
            self.read.at += 2
        found = self.read.match(self.read.at, "verb", forms=("base",))
        if found is None:
            return False
        count, reading = found
        english = reading.entry.english
        if english == "let" and self.read.low(1) == "us":
            subject = Subject(3)
            self.read.at += 2
            again = self.read.match(self.read.at, "verb", forms=("base",))
            if again is None:
                return False
            count, reading = again
            english = reading.entry.english
        self.read.at += count
        verbal = Verbal(self.read.word(reading), "imperative", negation)
        self._object_of(verbal)
        self.out += verb_words(verbal, subject, self.language)
        self._subject = Subject(4, pronoun="you")
        self._after_infinitive(english, verbal)
        self._infinitive = english == "let"
        self._negated = bool(negation)
        return True


def _without_negation(verbal: Verbal) -> Verbal:
    return Verbal(
        verbal.word,
        verbal.tense,
        "",
        verbal.passive,
        verbal.direct,
        verbal.indirect,
        verbal.adverbs,
    )
