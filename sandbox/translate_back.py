"""French and Spanish into English, by the same books: forms looked up, put in the English order."""

from __future__ import annotations

import re

from vivavoce.sandbox.translate_back_verbs import BackVerbs
from vivavoce.sandbox.translate_back_words import (
    CLITICS,
    DETERMINERS,
    NEGATIONS,
    NUMBERS,
    SMALL,
    SUBJECTS,
)
from vivavoce.sandbox.translate_words import KEPT

_TIMES = frozenset("second minute hour day week month year".split())
_ARTICLE_LESS = frozenset({"like", "love", "hate", "prefer"})
_TO = frozenset(
    "go come come back return travel drive fly walk run move give say tell speak talk"
    " explain send show arrive offer"
    " bring sell lend write go home belong".split()
)


class Back(BackVerbs):
    """Translates sentences of one language into English; see `english`."""

    def english(self, text: str, *, question: bool = False) -> str:
        """Return a sentence in English.

        Args:
            text: The sentence, or a piece of one.
            question: It ends with a question mark.
        """
        self._read(text)
        self._question = question
        steps = (
            *(self._mark, self._time, self._asked, self._there, self._number, self._negative),
            *(
                self._liked,
                self._pronoun,
                self._verbal,
                self._fixed,
                self._noun_phrase,
                self._alone,
            ),
        )
        while self._at < len(self._words):
            before = self._at
            if not any(step() for step in steps) or self._at == before:
                self._out.append(self._words[before])
                self._at = before + 1
        self._leave()
        return _spelled(self._out)

    def _mark(self) -> bool:
        word = self._words[self._at]
        if word.startswith(KEPT):
            self._out.append(self._kept[int(word[1:])])
            self._at += 1
            return True
        if word[0].isalnum():
            return False
        if word not in "¿¡«»":
            self._leave()
            self._out.append(word)
            self._subject, self._negation = None, ""
        self._at += 1
        return True

    def _asked(self) -> bool:
        if [self._low(ahead) for ahead in range(3)] == ["est", "ce", "que"] or self._lows[
            self._at
        ] == "est-ce":
            self._at += 3 if self._low() == "est" else 2
            self._question = True
            return True
        if (
            self._low() in {"qu'", "que"}
            and self._low(1) in {"est", "est-ce"}
            and self._low(2) in {"ce", "que", "qu'"}
        ):
            self._out.append("what")
            self._at += 1
            return True
        if self._question and self._low() in {"que", "qu'"} and not self._out:
            self._out.append("what")
            self._at += 1
            return True
        return False

    def _there(self) -> bool:
        """For "Il y a", "hay"."""
        words = [self._low(ahead) for ahead in range(4)]
        if self._ago():
            return True
        count = 0
        if self._language == "es" and words[0] in {"hay", "había"}:
            count, tense = 1, "is" if words[0] == "hay" else "was"
        elif words[:2] == ["il", "y"] and words[2] in {"a", "avait", "aura"}:
            count, tense = 3, {"a": "is", "avait": "was", "aura": "will be"}[words[2]]
        elif words[:2] == ["y", "a"] and self._question:
            count, tense = 2, "is"
            if words[2] == "il" or words[2] == "t":
                count = 3 + (words[2] == "t")
        elif words[0] == "il" and words[1] in {"n'", "ne"} and words[2] == "y":
            count, tense = 4 + (self._low(4) == "pas"), "is no"
        else:
            return False
        no = ["no"] if self._negation and self._language == "es" else []
        self._negation = ""
        if self._many(self._at + count):
            tense = tense.replace("is", "are").replace("was", "were")
        said = f"there {tense}" if not self._question or " " in tense else f"{tense} there"
        self._out += [*said.split(), *no]
        self._at += count
        if "no" in tense and self._low() in {"de", "d'"}:
            self._at += 1
        return True

    def _ago(self) -> bool:
        """For "il y a trois ans", "hace tres años"."""
        start = 1 if self._low() == "hace" else 3
        words = [self._low(ahead) for ahead in range(3)]
        if start == 3 and words != ["il", "y", "a"]:
            return False
        value = self._value(self._low(start))
        noun = self._match(self._at + start + 1, "noun")
        if value is None or noun is None or noun[1].english not in _TIMES:
            return False
        number = self._low(start) if self._low(start).isdigit() else NUMBERS["en"][value]
        self._out += [number, self._book.noun(noun[1].english, many=value > 1), "ago"]
        self._at += start + 1 + noun[0]
        return True

    def _negative(self) -> bool:
        low = self._low()
        if low in {"ne", "n'"} and self._language == "fr":
            self._negation = "not"
            self._at += 1
            return True
        verb = self._finite(1) or self._low(1) in CLITICS["es"] or self._low(1) == "hay"
        if low in {"no", "nunca"} and self._language == "es" and verb:
            self._negation = NEGATIONS[low]
            self._at += 1
            return True
        return False

    def _liked(self) -> bool:
        """For "Me gusta el café": I like the coffee."""
        if self._language != "es":
            return False
        who = {"me": 0, "te": 1, "le": 2, "nos": 3, "les": 5}.get(self._low())
        if who is None or not re.match("gust(?:a|an|aría|arían|ó|aron|aba|aban)$", self._low(1)):
            return False
        word = "would like" if self._low(1).startswith("gustaría") else "like"
        self._out += [{0: "I", 1: "you", 2: "you", 3: "we", 5: "they"}[who]]
        self._out += (["do", "not"] if self._negation else []) + [word]
        self._negation, self._verb = "", "like"
        self._at += 2
        return True

    def _pronoun(self) -> bool:
        low = self._low()
        subjects, clitics = SUBJECTS[self._language], CLITICS[self._language]
        determined = low in DETERMINERS[self._language] and self._nounish(self._at + 1)
        if low in subjects and not determined:
            verb = self._verb_ahead(1)
            person = subjects[low][1]
            agreed = verb is not None and (
                person in verb.persons or low in {"c'", "ce", "ça", "qui", "usted", "ustedes"}
            )
            if agreed or (verb is None and low not in clitics):
                self._leave()
                self._say_subject(*subjects[low])
                return True
        if low in clitics and not determined and self._verb_ahead(1) is not None:
            if low not in {"se", "s'"} and low != "en":
                self._clitics.append(clitics[low])
            elif low in {"se", "s'"}:
                self._clitics.append("")
            self._at += 1
            return True
        return False

    def _noun_phrase(self) -> bool:
        place = self._at
        determiner, before, low = "", [], self._low()
        table = DETERMINERS[self._language]
        if (
            low == "de"
            and self._low(1) in {"le", "la", "l'"}
            and self._verb
            and self._out
            and self._out[-1] != "the"
        ) and (
            self._out[-1] in self._verb.split() or self._book.find(self._out[-1].lower(), "verb")
        ):
            place += 2  # "du pain": bread
            found = self._match(place, "noun")
            if found is None:
                return False
            low = ""
        if low in table:
            if low in SUBJECTS[self._language] and not self._nounish(place + 1):
                return False
            determiner = table[low]
            place += 1
            if determiner == "all" and self._lows[place : place + 1] and self._lows[place] in table:
                place += 1
        value = self._value(self._lows[place]) if place < len(self._lows) else None
        if value is not None and value > 1 and place > self._at:
            before.append(
                NUMBERS["en"][value] if not self._lows[place].isdigit() else self._lows[place]
            )
            place += 1
        while (found := self._match(place, "adjective")) is not None and self._match(
            place + found[0], "noun", "adjective"
        ):
            if self._match(place, "noun") and not self._match(place + found[0], "noun"):
                break
            before.append(found[1].english)
            place += found[0]
        noun = self._match(place, "noun", "city", "place", "day", "month")
        if noun is None and not determiner:
            return False
        if not determiner and not before and self._match(place, "adverb"):
            return False
        if noun is None:
            if place < len(self._words) and self._words[place].startswith(KEPT):
                self._out.append(determiner)
                self._at = place
                return True
            if (
                place >= len(self._words)
                or not self._words[place][0].isalpha()
                or self._match(place, "verb")
            ):
                return False
            adjective = self._match(place, "adjective")
            words = [adjective[1].english if adjective else self._words[place]]
            place += adjective[0] if adjective else 1
        else:
            many = noun[1].plural and noun[1].kind == "noun"
            words = [self._book.noun(noun[1].english, many=many)]
            place += noun[0]
        behind = []
        while (found := self._match(place, "adjective")) is not None and not self._match(
            place, "noun"
        ):
            if self._lows[place] in {"est", "sur"}:
                break
            behind.append(found[1].english)
            place += found[0]
        if determiner == "some" or (determiner == "the" and self._verb in _ARTICLE_LESS):
            determiner = ""
        phrase = [*before, *reversed(behind), *words]
        if determiner == "a" and re.match("[aeiou]|hour|honest", phrase[0], re.IGNORECASE):
            determiner = "an"
        self._leave()
        self._out += [*([determiner] if determiner else []), *" ".join(phrase).split()]
        if self._subject is None or self._verb:
            self._subject = None
        if self._at == 0 or not self._verb:
            many = noun is not None and noun[1].plural
            self._subject = (self._out[-1], 5 if many else 2)
            self._subject_at = len(self._out) - len(phrase) - bool(determiner)
        self._at = place
        return True

    def _fixed(self) -> bool:
        """Words of several words, then small ones."""
        found = self._match(
            self._at, "adverb", "interjection", "preposition", "conjunction", "pronoun"
        )
        if found is not None and found[0] > 1:
            self._out += found[1].english.split()
            self._at += found[0]
            return True
        return False

    def _alone(self) -> bool:
        low = self._low()
        if (
            self._language == "es"
            and low == "a"
            and self._person_at(self._at + 1)
            and self._verb not in _TO
        ):
            self._at += 1  # "llamar a mi médico": Spanish marks a person that is an object
            return True
        if low in {"à", "en", "a"} and self._out:
            here = self._match(self._at + 1, "city", "place", "month")
            word = (
                "to"
                if self._verb in _TO
                else "in"
                if here or low == "en"
                else "to"
                if low == "a"
                else "at"
            )
            self._out.append(word)
            self._at += 1
            return True
        if low in SMALL[self._language]:
            word = SMALL[self._language][low]
            if word in {"that", "and", "but", "if", "when", "because", "where", "so"}:
                self._subject, self._negation = None, ""
            self._out += word.split()
            self._at += 1
            return True
        found = self._match(self._at, "adverb") or self._match(self._at)
        if found is None:
            return False
        self._out += found[1].english.split()
        self._at += found[0]
        return True


def _spelled(words: list[str]) -> str:
    text = " ".join(word for word in words if word)
    text = re.sub(r"\s+([,.;:!?%)])", r"\1", text)
    return re.sub(r"\bi\b", "I", text)
