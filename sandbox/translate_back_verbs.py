"""French and Spanish verbs in English: tense, negation and questions, and subjects left out."""

from __future__ import annotations

from collections.abc import Sequence

from vivavoce.sandbox.translate_back_words import (
    NEGATIONS,
    NUMBERS,
    SMALL,
    SUBJECTS,
    BackWords,
)
from vivavoce.sandbox.translate_forms import Meaning

_HELPERS_ES = frozenset(
    "he has ha hemos han había habían habíamos habrá está estoy estamos están fue fueron es"
    " son".split()
)
_MODALS = {
    ("can", "conditional"): "could",
    ("must", "conditional"): "should",
    ("can", "imperfect"): "could",
    ("must", "imperfect"): "had to",
    ("can", "past"): "could",
    ("must", "past"): "had to",
}
# What a clause of its own may begin behind.
_BEGINNINGS = frozenset(", . and but that if when because where how what so not".split())
_FELT = {
    "faim": "hungry", "soif": "thirsty", "froid": "cold", "chaud": "hot", "peur": "afraid",
    "raison": "right",
    "sommeil": "sleepy", "hambre": "hungry", "sed": "thirsty", "frío": "cold", "calor": "hot",
    "miedo": "afraid",
    "razón": "right", "sueño": "sleepy",
}  # fmt: skip


class BackVerbs(BackWords):
    """Rules for verbs."""

    def _verbal(self) -> bool:
        found = self._match(self._at, "verb")
        if found is None:
            return False
        count, meaning = found
        if meaning.persons == (1,) and (self._subject is None or self._subject[1] != 1):
            return False  # "livres" is "books" unless "tu" says otherwise
        if (
            count == 1
            and self._low() in SMALL[self._language]
            and self._subject_at != len(self._out) - 1
        ):
            return False  # "para", "entre", "sobre"
        noun = self._match(self._at, "noun")
        if noun is not None and (
            self._out and self._out[-1] in {"the", "a", "my", "your", "this", "of"}
        ):
            return False
        if noun is not None and meaning.tense != "infinitive" and not self._subject and self._verb:
            return False
        self._at += count
        if meaning.tense == "infinitive":
            self._infinitive(meaning)
            return True
        if meaning.tense == "gerund":
            self._put(self._book.verb(meaning.english, "ing"))
            return True
        if meaning.tense == "participle" and not (self._out and self._out[-1] in {"have", "has"}):
            self._put(self._book.verb(meaning.english, "participle"))
            return True
        self._conjugated(meaning)
        return True

    def _put(self, words: str) -> None:
        self._out += words.split()
        self._leave()

    def _infinitive(self, meaning: Meaning) -> None:
        last = self._out[-1] if self._out else ""
        helped = (
            self._verb in {"can", "must", "let"}
            or last in {"can", "must", "could", "should", "will", "would", "not"}
            or last == "to"
        )
        if last in {"of", "for"}:
            self._out[-1] = "to"
        elif self._verb and not helped:
            self._out.append("to")
        self._verb = meaning.english
        self._put(self._book.verb(meaning.english, "base"))

    def _conjugated(self, meaning: Meaning) -> None:
        english, tense, person = meaning.english, meaning.tense, self._person(meaning)
        negation = self._negation
        if self._language == "fr":
            while self._low() in NEGATIONS and (negation or self._low() in {"pas", "jamais"}):
                negation = NEGATIONS[self._low()]
                self._at += 1
        if self._question and self._low() in SUBJECTS[self._language] and self._subject is None:
            # "Avez-vous", "¿Tiene usted": the subject is behind.
            name, person = SUBJECTS[self._language][self._low()]
            if self._language == "es" and self._low() == "usted":
                person = 4
            self._say_subject(name, person)
            if self._language == "fr" and self._low() in {"pas", "jamais"}:
                negation = NEGATIONS[self._low()]
                self._at += 1
        adverbs: list[str] = []
        done = self._match(self._at, "verb")
        helper = english in {"have", "be"}
        if self._language == "es":
            helper = self._lows[self._at - 1] in _HELPERS_ES
        else:
            while (found := self._match(self._at, "adverb")) is not None and helper:
                then = self._match(self._at + found[0], "verb")
                if then is None or then[1].tense != "participle":
                    break
                adverbs.append(found[1].english)
                self._at += found[0]
            done = self._match(self._at, "verb")
        if (
            self._subject is not None
            and self._subject[0] == "he"
            and english == "do"
            and self._low() in _FELT
        ):
            # "Il fait froid": it is cold.
            self._out[self._subject_at], self._subject, english = "it", ("it", 2), "have"
        if english in {"rain", "snow"} and self._subject is not None and self._subject[0] == "he":
            self._out[self._subject_at], self._subject = "it", ("it", 2)
        if english == "be" and tense == "past" and self._language == "es" and self._low() == "a":
            english = "go"
        self._say_missing(person, tense, meaning)
        if english == "have" and (said := self._felt()) is not None:
            self._simple("be", tense, person, negation, tail=said)
            self._verb, self._negation = "be", ""
            return
        if (
            helper
            and done is not None
            and done[1].tense in {"participle", "gerund"}
            and not (
                english == "be"
                and self._match(self._at, "adjective") is not None
                and done[1].tense == "participle"
            )
        ):
            self._at += done[0]
            self._compound(english, done[1], tense, person, negation, adverbs)
            english = done[1].english
        elif english == "go" and self._going():
            self._at += self._low() == "a"
            self._simple("be", "present", person, negation, tail=["going", "to"])
            taken = self._match(self._at, "verb")
            assert taken is not None
            self._at += taken[0]
            self._out += self._book.verb(taken[1].english, "base").split()
            english = taken[1].english
        elif english == "have" and self._low() == "que" and self._language == "es":
            self._at += 1
            self._simple("have", tense, person, negation, tail=[])
        elif english == "want" and tense == "conditional":
            self._modal("would", "like", negation)
        elif english in {"can", "must"}:
            self._modal(_MODALS.get((english, tense), english), "", negation)
        elif tense == "imperative":
            self._out += [*(["do", "not"] if negation else []), *english.split()]
        else:
            self._simple(english, tense, person, negation, tail=[])
        if negation and self._low() in {"de", "d'"}:
            self._at += 1  # "pas de lait"
        self._verb, self._negation = english, ""
        self._leave()

    def _felt(self) -> list[str] | None:
        """For "J'ai faim", "tengo veinte años": English is what others have."""
        low = self._low()
        if low in _FELT:
            self._at += 1
            return [_FELT[low]]
        value = self._value(low)
        if value is not None and self._low(1) in {"ans", "años"}:
            self._at += 2
            return [low if low.isdigit() else NUMBERS["en"][value], "years", "old"]
        return None

    def _going(self) -> bool:
        place = self._at + (1 if self._low() == "a" else 0)
        found = self._match(place, "verb")
        return (
            found is not None
            and found[1].tense == "infinitive"
            and (self._language == "fr" or self._low() == "a")
        )

    def _person(self, meaning: Meaning) -> int:
        if self._subject is not None:
            name, person = self._subject
            return {"you": 4, "we": 3}.get(name, person)
        return meaning.persons[0] if meaning.persons else 2

    def _say_subject(self, english: str, person: int) -> None:
        self._subject = (english, person)
        self._subject_at = len(self._out)
        self._out.append(english)
        self._at += 1

    def _say_missing(self, person: int, tense: str, meaning: Meaning) -> None:
        """Say the subject that Spanish leaves out."""
        if self._subject is not None or tense == "imperative":
            return
        if self._language == "fr":
            # An order has no subject: "venez".
            return
        last = self._out[-1].lower() if self._out else ""
        if last and last not in _BEGINNINGS and (self._verb or len(self._out) > 1):
            return
        person = meaning.persons[0] if meaning.persons else 2
        if self._question and 2 in meaning.persons:
            person = 2
        formal = self._question or meaning.english in {"can", "must", "want"}
        name = ("I", "you", "you" if formal else "it", "we", "you", "they")[person]
        self._subject, self._subject_at = (name, 4 if name == "you" else person), len(self._out)
        self._out.append(name)

    def _compound(
        self,
        helper: str,
        meaning: Meaning,
        tense: str,
        person: int,
        negation: str,
        adverbs: list[str],
    ) -> None:
        english = meaning.english
        if meaning.tense == "gerund":
            self._simple(
                "be", tense, person, negation, tail=self._book.verb(english, "ing").split()
            )
        elif helper == "be" and (self._language == "es" or not _moves(english)):
            self._simple(
                "be", tense, person, negation, tail=self._book.verb(english, "participle").split()
            )
        elif tense == "present" and self._language == "fr":
            self._simple(english, "past", person, negation, tail=[], before=adverbs)
        else:
            have = "present" if tense == "present" else "past"
            self._simple("have", have, person, negation, before=adverbs, helping=True,
                         tail=self._book.verb(english, "participle").split())  # fmt: skip

    def _simple(
        self, english: str, tense: str, person: int, negation: str, *, tail: list[str],
        before: Sequence[str] = (), helping: bool = False,
    ) -> None:  # fmt: skip
        if tense in {"future", "conditional"}:
            self._modal("will" if tense == "future" else "would", english, negation)
            self._out += tail
            return
        past = tense in {"past", "imperfect"}
        asked = self._question and self._subject is not None and self._subject[0] != "who"
        who = 2 if person == 2 else 0 if person == 0 else 5
        if english == "be" or helping:
            form = self._book.verb(english, "past" if past else "s", person=who)
            if asked:
                self._out.insert(self._subject_at, form)
                self._out += [negation] if negation else []
            else:
                self._out += [form, *([negation] if negation else [])]
            self._out += [*before, *tail]
            return
        if asked or negation == "not":
            do = "did" if past else "does" if who == 2 else "do"
            if asked:
                self._out.insert(self._subject_at, do)
            else:
                self._out.append(do)
            self._out += [*([negation] if negation else []), *before, *english.split(), *tail]
            return
        form = self._book.verb(english, "past" if past else "s", person=who)
        self._out += [*([negation] if negation else []), *before, *form.split(), *tail]

    def _modal(self, word: str, english: str, negation: str) -> None:
        if self._question and self._subject is not None:
            self._out.insert(self._subject_at, word)
            self._out += [*([negation] if negation else []), *english.split()]
        else:
            self._out += [word, *([negation] if negation else []), *english.split()]


def _moves(english: str) -> bool:
    return english.split(maxsplit=1)[0] in {
        "go", "come", "leave", "arrive", "return", "enter", "stay", "fall", "become", "die", "be",
        "get", "remain",
        "rise", "pass", "sit", "stand", "wake", "rest", "hurry", "happen", "walk", "run",
    }  # fmt: skip
