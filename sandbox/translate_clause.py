"""A sentence from English: each place is put over by the first rule that fits."""

from __future__ import annotations

from vivavoce.sandbox import translate_french as french
from vivavoce.sandbox import translate_spanish as spanish
from vivavoce.sandbox.translate_parts import (
    PRONOUNS,
    Phrase,
    Subject,
    rendered,
    subject_pronoun,
)
from vivavoce.sandbox.translate_predicate import Predicates
from vivavoce.sandbox.translate_reader import AUXILIARIES, BE, DO
from vivavoce.sandbox.translate_words import Token

_WH = {
    "where": ("où", "dónde"), "when": ("quand", "cuándo"), "why": ("pourquoi", "por qué"),
    "how": ("comment", "cómo"), "who": ("qui", "quién"), "what": ("que", "qué"),
    "how much": ("combien", "cuánto"), "how long": ("combien de temps", "cuánto tiempo"),
    "how far": ("à quelle distance", "a qué distancia"), "how often": ("combien de fois",
    "con qué frecuencia"),
    "how many": ("combien", "cuántos"), "which": ("lequel", "cuál"),
    "what time": ("à quelle heure", "a qué hora"),
    "how old": ("quel âge", "cuántos años"),
}  # fmt: skip


class Clause(Predicates):
    """Translates one sentence; see `words`."""

    def words(self) -> list[str]:
        """Return its words, with articles marked for the contraction (see `joined`)."""
        steps = (
            self._mark,
            self._glossary,
            self._ask,
            self._there,
            self._idiom,
            self._said,
            self._joint,
            self._relative,
            self._begin,
            self._to,
            self._preposition,
            self._object,
            self._adjective,
            self._noun,
            self._finite,
            self._alone,
            self._adverb,
        )
        while (left := len(self.read.tokens) - self.read.at) > 0:
            done = any(step() for step in steps)
            if not done or len(self.read.tokens) - self.read.at >= left:
                # No rule fits, or one that took nothing: the word stays as it is.
                self.out.append(self.read.tokens[self.read.at].text)
                self.read.at += 1
        return [*self.out, *self._deferred]

    def _ask(self) -> bool:
        if not self._fresh or self._last:
            return False
        place, prefix = self.read.at, ""
        asked = self.read.low(1) in {"what", "how", "where", "which", "who", "whom"}
        if asked and self.read.low() in {"at", "for", "from", "with", "to", "in", "on"}:
            found = self.read.match(place, "preposition")
            assert found is not None
            prefix = self.read.word(found[1]).text
            place += 1
        if self.read.low(-1) == "," and self.read.low() in {"which", "who"}:
            return False  # "bread, which is old"
        wh, place, noun = self._wh(place)
        if prefix and not wh:
            return False
        if not wh and not self._question:
            return False
        auxiliary = self.read.low_at(place)
        if wh == "how old" and auxiliary in {"is", "are"}:
            # French and Spanish have an age.
            auxiliary = "has" if auxiliary == "is" else "have"
            self.read.tokens[place] = Token(auxiliary, auxiliary)
        if auxiliary not in AUXILIARIES:
            return self._asked_of_subject(wh, place, prefix, noun)
        negative = self.read.low_at(place + 1) == "not"
        start = place + 1 + negative
        if wh == "how much" and auxiliary in {"is", "are"} and not noun:
            return self._price(start)
        subject_words, subject, behind = self._asked_subject(start)
        if subject is None:
            return self._asked_of_subject(wh, place, prefix, noun)
        if not subject.pronoun and self.read.low_at(start) == "there":
            return False
        rest = self.read.tokens[behind:]
        helper = self.read.tokens[place:start]
        copula = auxiliary in BE and not self._acts(behind)
        if auxiliary in DO:
            helper[0] = Token(auxiliary, auxiliary)
        self.read.tokens = [*helper, *rest]
        self.read.at = 0
        self._subject = subject
        if wh == "what" and copula and not noun:
            return self._what_is(subject, subject_words)
        self.out += self._wh_words(wh, prefix, noun)
        if self._spanish or (
            wh and copula and not subject.pronoun and wh in {"where", "how", "who", "when"}
        ):
            self._deferred = subject_words
        else:
            if wh == "what" and not noun and not prefix:
                self.out[-1:] = ["qu'est-ce", "que"]
            elif True:
                self.out += ["est-ce", "que"]
            self.out += subject_words
        self._group(subject, wh=wh)
        return True

    def _wh(self, place: int) -> tuple[str, int, Phrase | None]:
        two = f"{self.read.low_at(place)} {self.read.low_at(place + 1)}"
        if two in _WH:
            if two in {"how many", "how much"} and (found := self.read.phrase(place)) is not None:
                return two, found[1], found[0]
            return two, place + 2, None
        word = self.read.low_at(place)
        if word in {"what", "which"} and (found := self.read.phrase(place)) is not None:
            return word, found[1], found[0]
        return (word, place + 1, None) if word in _WH else ("", place, None)

    def _wh_words(self, wh: str, prefix: str, noun: Phrase | None) -> list[str]:
        if not wh:
            return []
        lead = [prefix] if prefix else []
        if noun is not None:
            return [*lead, *rendered(noun, self.language, "with")]
        if wh == "what" and prefix and not self._spanish:
            return [*lead, "quoi"]
        word = self._pick(_WH[wh])
        return [
            *lead,
            *word.removeprefix("à " if prefix else "\0")
            .removeprefix("a " if prefix else "\0")
            .split(" "),
        ]

    def _asked_subject(self, place: int) -> tuple[list[str], Subject | None, int]:
        word = self.read.low_at(place)
        if word in PRONOUNS:
            person, feminine, plural = PRONOUNS[word]
            pronoun = subject_pronoun(word, self.language)
            return [pronoun] if pronoun else [], Subject(person, feminine, plural, word), place + 1
        if word in {"this", "that"} and self.read.phrase(place) is None:
            return (
                [("esto" if word == "this" else "eso") if self._spanish else "cela"],
                Subject(pronoun="this"),
                place + 1,
            )
        found = self.read.phrase(place)
        one = self.read.match(place, "pronoun")
        if found is None and one is not None:
            return self.read.word(one[1]).text.split(" "), Subject(who=True), place + one[0]
        if found is None:
            return [], None, place
        phrase, behind = found
        return rendered(phrase, self.language, "subject"), phrase.subject, behind

    def _acts(self, place: int) -> bool:
        """Whether a form of be is followed by a doing word: "are you going"."""
        place = self.read.skip_adverbs(place)
        return (
            self.read.is_verb(place, "ing", "participle")
            and self.read.match(place, "adjective") is None
        )

    def _asked_of_subject(self, wh: str, place: int, prefix: str, noun: Phrase | None) -> bool:
        """For "Who is coming", "what happened", "which train leaves first"."""
        if (
            not wh
            or prefix
            or not (self.read.finite(place, plural=False) or self.read.finite(place, plural=True))
        ):
            if wh and not self._question and not prefix:
                return False
            if not wh:
                return False
            self.out += self._wh_words(wh, prefix, noun)
            self.read.at = place
            return True
        self._subject = noun.subject if noun is not None else Subject()
        self.out += self._wh_words(wh, prefix, noun)
        if wh == "what" and noun is None and not self._spanish:
            self.out[-1:] = ["qu'est-ce", "qui"]
        self.read.at = place
        self._group(self._subject, wh=wh)
        return True

    def _what_is(self, subject: Subject, words: list[str]) -> bool:
        tense = "imperfect" if self.read.low() in {"was", "were"} else "present"
        self.read.at = 1
        if subject.pronoun in {"this", "it"}:
            self.out += ["qué", "es", *words] if self._spanish else ["qu'est-ce", "que", "c'est"]
        elif self._spanish:
            person = 5 if subject.plural else 2
            which = "cuáles" if subject.plural else "cuál"
            self.out += [which, spanish.conjugated("ser", tense, person), *words]
        else:
            which = french.adjective(
                "quel", "quelle", feminine=subject.feminine, plural=subject.plural
            )
            person = 5 if subject.plural else 2
            self.out += [which, french.conjugated("être", tense, person), *words]
        self._fresh, self._role, self._last = False, "after", "noun"
        return True

    def _price(self, place: int) -> bool:
        words, subject, behind = self._asked_subject(place)
        if subject is None:
            return False
        person = 5 if subject.plural else 2
        if self._spanish:
            self.out += ["cuánto", spanish.conjugated("costar", "present", person, "ue"), *words]
        else:
            if subject.pronoun in {"it", "this"}:
                words = ["cela"]
            self.out += ["combien", french.conjugated("coûter", "present", person), *words]
        self.read.at = behind
        self._fresh, self._last = False, "noun"
        return True

    def _there(self) -> bool:
        """For "There is", "are there", "there was", "there will be"."""
        words = [self.read.low(ahead) for ahead in range(4)]
        if words[0] in {"is", "are", "was", "were"} and words[1] == "there" and self._fresh:
            verb, count, no = words[0], 2, False
        elif words[0] == "there" and words[1] in {"is", "are", "was", "were"}:
            verb, count, no = words[1], 2, words[2] == "not"
        elif words[0] == "there" and words[1] == "will" and "be" in words[2:4]:
            verb, count, no = "will", 3 + (words[2] == "not"), words[2] == "not"
        else:
            return False
        if no and verb != "will":
            count += 1
        following = self.read.low(count)
        none = following in {"nothing", "nobody"}
        no = no or none
        if following == "no":
            no = True
            count += 1
        tense = {"was": 1, "were": 1, "will": 2}.get(verb, 0)
        if self._spanish:
            self.out += [*(["no"] if no else []), ("hay", "había", "habrá")[tense]]
        else:
            form = ("a", "avait", "aura")[tense]
            ask = ["est-ce", "qu'il"] if words[1] == "there" else ["il"]
            self.out += [
                *ask,
                *(["n'y"] if no else ["y"]),
                form,
                *(["pas"] if no and not none else []),
            ]
        self.read.at += count
        self._fresh, self._negated, self._role, self._last = False, no, "object", "verb"
        self._subject = Subject()
        return True
