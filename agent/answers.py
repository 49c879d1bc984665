"""Answers: what kinds of answer a question has, and how they are read from what was said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 (`date` is the kind of answer, below)
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeVar, overload

from vivavoce.agent.dates import find_date
from vivavoce.agent.languages import base
from vivavoce.agent.numerals import numbers, ordinal
from vivavoce.agent.phrases import phrase

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class AnswerError(ValueError):
    """A kind of answer is defined wrongly; the message says what to change."""


class Part(Enum):
    """The answer has begun, and there is more to come."""

    PART = "part"


PART: Final = Part.PART
"""The answer has begun, and there is more to come: two digits of four."""


class Answer(Protocol[T_co]):
    """A kind of answer."""

    def read(self, text: str, language: str) -> T_co | Part | None:
        """Return what the words mean; `PART` if more must come, None if they mean nothing."""

    def read_keys(self, keys: str) -> T_co | Part | None:
        """Return what the pressed keys mean, likewise."""

    def hint(self, language: str) -> str:
        """Return what is said to a caller who was not understood."""


def _hints(**sentences: str) -> dict[str, str]:
    return sentences


_DIGITS = _hints(
    en="Sorry, please give me the digits one by one, or type them.",
    fr="Pardon, pouvez-vous me donner les chiffres un par un, ou les taper ?",
    es="Perdón, dígame los números uno por uno, o márquelos.",
    de="Entschuldigung, bitte nennen Sie die Ziffern einzeln, oder tippen Sie sie ein.",
)
_YES_NO = _hints(
    en="Sorry, is that a yes or a no?",
    fr="Pardon, c'est oui ou non ?",
    es="Perdón, ¿sí o no?",
    de="Entschuldigung, ja oder nein?",
)
_DATE = _hints(
    en="Sorry, which day and month?",
    fr="Pardon, quel jour et quel mois ?",
    es="Perdón, ¿qué día y qué mes?",
    de="Entschuldigung, welcher Tag und welcher Monat?",
)
_CHOICE = _hints(
    en="Sorry, please choose: {}?",
    fr="Pardon, veuillez choisir : {} ?",
    es="Perdón, elija: ¿{}?",
    de="Entschuldigung, bitte wählen Sie: {}?",
)
_SPELLING = _hints(
    en="Sorry, please spell it letter by letter.",
    fr="Pardon, pouvez-vous l'épeler lettre par lettre ?",
    es="Perdón, deletréelo letra por letra.",
    de="Entschuldigung, bitte buchstabieren Sie es.",
)
_TEXT = _hints(
    en="Sorry, could you say that again?",
    fr="Pardon, pouvez-vous répéter ?",
    es="Perdón, ¿puede repetirlo?",
    de="Entschuldigung, können Sie das wiederholen?",
)
_OR = {"en": "or", "fr": "ou", "es": "o", "de": "oder"}


@dataclass(frozen=True, slots=True)
class _Digits:
    least: int
    most: int

    def read(self, text: str, language: str) -> str | Part | None:
        return self._fit("".join(numbers(text, language)), ended=False)

    def read_keys(self, keys: str) -> str | Part | None:
        ended = keys.endswith("#") or sum(key.isdigit() for key in keys) >= self.most
        return self._fit("".join(key for key in keys if key.isdigit()), ended=ended, keys=True)

    def _fit(self, digits: str, *, ended: bool, keys: bool = False) -> str | Part | None:
        if self.least <= len(digits) <= self.most:
            # More keys may follow where the number's length is open; a "#" ends it.
            open_end = keys and not ended and len(digits) < self.most
            return PART if open_end else digits
        if len(digits) < self.least and not ended and (digits or keys):
            return PART
        return None

    def hint(self, language: str) -> str:
        return phrase(_DIGITS, language)


_YES = {
    "en": "yes|yeah|yep|yup|sure|correct|right|exactly|of course|absolutely|please do|ok|okay"
    "|go ahead|that's it|fine",
    "fr": "oui|ouais|d'accord|bien sûr|exactement|tout à fait|c'est ça|volontiers|ok|parfait"
    "|absolument|si",
    "es": "sí|si|claro|vale|de acuerdo|exacto|correcto|por supuesto|perfecto|ok|eso es",
    "de": "ja|jawohl|genau|klar|gerne|richtig|stimmt|natürlich|einverstanden|ok|okay|in ordnung",
}
_NO = {
    "en": "no|nope|nah|not|don't|never|wrong|incorrect",
    "fr": "non|pas|jamais|faux|nan",
    "es": "no|nunca|tampoco|incorrecto",
    "de": "nein|nee|nicht|nie|falsch|kein|keine|keinen",
}
# Where a "no" says yes: "no problem", "why not".
_NOT_NO = {
    "en": "no problem|why not|no worries",
    "fr": "pas de problème|pourquoi pas|pas de souci",
    "es": "no hay problema|por qué no|cómo no",
    "de": "kein problem|warum nicht|nichts dagegen",
}


@dataclass(frozen=True, slots=True)
class _YesNo:
    def read(self, text: str, language: str) -> bool | None:
        code = base(language) if base(language) in _YES else "en"
        said = text.lower().replace("’", "'")
        turned, found = re.subn(rf"\b(?:{_NOT_NO[code]})\b", " ", said)
        no = re.search(rf"\b(?:{_NO[code]})\b", turned)
        yes = found or re.search(rf"\b(?:{_YES[code]})\b", turned)
        if no and yes and not found:
            # "No, that's right" and "yes, no, wait": the first word decides, unless the no
            # belongs to the yes ("not right", "that is not correct").
            first = re.search(rf"\b(?:{_YES[code]})\b", turned)
            return first is not None and first.start() < no.start()
        return bool(yes) if yes or no else None

    def read_keys(self, keys: str) -> bool | None:
        return {"1": True, "2": False}.get(keys[-1:])

    def hint(self, language: str) -> str:
        return phrase(_YES_NO, language)


@dataclass(frozen=True, slots=True)
class _Date:
    today: Callable[[], Date]

    def read(self, text: str, language: str) -> Date | None:
        return find_date(text, language, self.today())

    def read_keys(self, keys: str) -> Date | Part | None:
        digits = keys.rstrip("#")
        if not digits.isdigit() or len(digits) > 8:
            return None
        if len(digits) == 8:
            return find_date(f"{digits[4:]}-{digits[2:4]}-{digits[:2]}", "en", self.today())
        return None if keys.endswith("#") else PART

    def hint(self, language: str) -> str:
        return phrase(_DATE, language)


@dataclass(frozen=True, slots=True)
class _Choice(Generic[T]):
    options: tuple[tuple[T, tuple[str, ...]], ...]

    def read(self, text: str, language: str) -> T | None:
        said = f" {_plain(text)} "
        # The longest word that was said wins: "sea bass" over "sea".
        hits = [
            (len(word), value)
            for value, words in self.options
            for word in words
            if f" {_plain(word)} " in said
        ]
        if hits:
            longest = max(size for size, _ in hits)
            best = [value for size, value in hits if size == longest]
            named = [value for _, value in hits]
            others = [value for value in named if value not in best]
            covered = any(_within(value, best[0], self.options) for value in others)
            if all(value == best[0] for value in best) and (not others or covered):
                return best[0]
            return None
        return self._by_number(text, language)

    def _by_number(self, text: str, language: str) -> T | None:
        if (place := ordinal(text, language)) is not None:
            return self._nth(place)
        said = numbers(text, language)
        if len(said) == 1 and len(_plain(text).split()) <= 3:
            return self._nth(int(said[0]) if len(said[0]) < 4 else 0)
        return None

    def _nth(self, number: int) -> T | None:
        return self.options[number - 1][0] if 1 <= number <= len(self.options) else None

    def read_keys(self, keys: str) -> T | Part | None:
        digits = keys.rstrip("#")
        if not digits.isdigit():
            return None
        if len(self.options) > 9 and len(digits) == 1 and not keys.endswith("#"):
            return PART
        return self._nth(int(digits))

    def hint(self, language: str) -> str:
        names = [words[0] for _, words in self.options]
        joint = f" {phrase(_OR, language)} "
        listed = joint.join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        return phrase(_CHOICE, language).format(listed)


def _within(value: Any, other: Any, options: Sequence[tuple[Any, tuple[str, ...]]]) -> bool:
    """Whether one choice's words are a part of another's."""
    mine = next(names for key, names in options if key == value)
    theirs = next(names for key, names in options if key == other)
    return any(_plain(word) in _plain(name) for word in mine for name in theirs)


_ALPHABET = {
    word: word[0]
    for word in (
        "alpha bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike"
        " november oscar papa quebec romeo sierra tango uniform victor whiskey yankee zulu"
        " anton berta caesar dora emil friedrich gustav heinrich ida julius kaufmann ludwig martha"
        " nordpol otto paula quelle richard samuel theodor ulrich viktor wilhelm xanthippe"
        " ypsilon zacharias anatole berthe celestin désiré eugène françois gaston henri irma"
        " joseph kléber louis marcel nicolas oscar pierre quintal raoul suzanne thérèse ursule"
        " william xavier yvonne zoé"
    ).split()
} | {"alfa": "a", "x-ray": "x", "xray": "x", "whisky": "w"}
_LETTERS = {
    "en": {"ay": "a", "bee": "b", "cee": "c", "see": "c", "dee": "d", "ee": "e", "ef": "f"}
    | {"gee": "g", "aitch": "h", "jay": "j", "kay": "k", "el": "l", "em": "m", "en": "n"}
    | {"pee": "p", "cue": "q", "ar": "r", "ess": "s", "tee": "t", "you": "u", "vee": "v"}
    | {"ex": "x", "why": "y", "zee": "z", "zed": "z"},
    "fr": {"bé": "b", "cé": "c", "dé": "d", "effe": "f", "gé": "g", "hache": "h", "ji": "j"}
    | {"ka": "k", "elle": "l", "emme": "m", "enne": "n", "pé": "p", "ku": "q", "erre": "r"}
    | {"esse": "s", "té": "t", "vé": "v", "ixe": "x", "zède": "z"},
    "es": {"be": "b", "ce": "c", "de": "d", "efe": "f", "ge": "g", "hache": "h", "jota": "j"}
    | {"ka": "k", "ele": "l", "eme": "m", "ene": "n", "eñe": "ñ", "pe": "p", "cu": "q"}
    | {"erre": "r", "ese": "s", "te": "t", "uve": "v", "equis": "x", "zeta": "z"},
    "de": {"be": "b", "ce": "c", "de": "d", "ef": "f", "ge": "g", "ha": "h", "jot": "j"}
    | {"ka": "k", "el": "l", "em": "m", "en": "n", "pe": "p", "ku": "q", "er": "r", "es": "s"}
    | {"te": "t", "vau": "v", "we": "w", "ix": "x", "zett": "z", "eszett": "ß"},
}
_AS_IN = {
    "en": r"\b(?:as in|for|like)\s+\w+",
    "fr": r"\bcomme\s+\w+",
    "es": r"\bde\s+\w{3,}|\bcomo\s+\w+",
    "de": r"\bwie\s+\w+",
}
_SIGNS = {"dash": "-", "hyphen": "-", "dot": ".", "at": "@", "underscore": "_", "point": "."} | {
    "tiret": "-", "arobase": "@", "guion": "-", "arroba": "@", "punto": ".", "bindestrich": "-",
    "punkt": ".",
}  # fmt: skip
_WORDS_BEFORE, _WORDS_BEHIND = 4, 1
_DOUBLE = {"double", "doble", "doppel", "deux", "zwei"}


@dataclass(frozen=True, slots=True)
class _Spelling:
    least: int
    most: int

    def read(self, text: str, language: str) -> str | Part | None:
        spelled = _spelled(text, base(language))
        if spelled is None:
            return None
        if len(spelled) > self.most:
            return None
        return spelled if len(spelled) >= self.least else PART

    def read_keys(self, keys: str) -> None:
        del keys

    def hint(self, language: str) -> str:
        return phrase(_SPELLING, language)


def _spelled(text: str, code: str) -> str | None:
    """Return the letters that were spelled; None if these were words."""
    said = text.lower().replace("’", "'")
    said = re.sub(_AS_IN.get(code, _AS_IN["en"]), " ", said)
    names = _LETTERS.get(code, {})
    letters: list[str] = []
    before = behind = 0
    times = 1
    for word in re.findall(r"x-ray|[^\W_]+(?:'[^\W_]+)*", said):
        plain = _plain(word)
        if word in _DOUBLE:
            times = 2
            continue
        if len(word) == 1 or word.isdigit():
            found = word
        elif word in names:
            found = names[word]
        elif word in _ALPHABET or plain in _ALPHABET:
            found = (_ALPHABET.get(word) or _ALPHABET[plain])[0]
        elif word in _SIGNS:
            found = _SIGNS[word]
        elif digits := "".join(numbers(word, code)):
            found = digits
        else:
            if letters:
                behind += 1
            else:
                before += 1
            times = 1
            continue
        letters += [found] * times
        times = 1
    # "My name is Benn, B E N N" has words before it; what goes on in words is a sentence, in which
    # "why" and "you" are no letters.
    if not letters or before > _WORDS_BEFORE or behind > _WORDS_BEHIND:
        return None
    return "".join(letters)


@dataclass(frozen=True, slots=True)
class _Text:
    def read(self, text: str, language: str) -> str | None:
        del language
        return text.strip() or None

    def read_keys(self, keys: str) -> str | Part:
        return keys[:-1] if keys.endswith("#") else PART

    def hint(self, language: str) -> str:
        return phrase(_TEXT, language)


def _plain(text: str) -> str:
    """Lower case, without accents and punctuation."""
    split = unicodedata.normalize("NFKD", text.lower())
    kept = "".join(char for char in split if not unicodedata.combining(char))
    return " ".join(re.findall(r"\w+", kept))


def digits(count: int | tuple[int, int]) -> Answer[str]:
    """A number given digit by digit, spoken or typed: `digits(4)`, `digits((6, 8))`.

    Args:
        count: How many digits, or the least and the most; a "#" ends a typed one.

    Returns:
        The kind of answer; its value is text, so that leading zeros stay.

    Raises:
        AnswerError: If the counts make no sense.
    """
    least, most = (count, count) if isinstance(count, int) else count
    if not 1 <= least <= most <= 40:
        raise AnswerError(f"digits({count!r}): give a count of 1 to 40, or the least and the most")
    return _Digits(least, most)


def yes_no() -> Answer[bool]:
    """Yes (True) or no (False); the keys 1 and 2."""
    return _YesNo()


def date(*, today: Callable[[], Date] = Date.today) -> Answer[Date]:
    """A day: "tomorrow", "next Friday", "the 5th of May", 2026-05-05; the keys DDMMYYYY.

    Args:
        today: Gives the day that "tomorrow" follows.
    """
    return _Date(today)


@overload
def choice(options: Sequence[str]) -> Answer[str]: ...


@overload
def choice(options: Mapping[T, str | Sequence[str]]) -> Answer[T]: ...


def choice(options: Any) -> Answer[Any]:
    """One of several: `choice(["red", "white"])`, or `choice({Wine.RED: ["red", "rouge"]})`.

    A caller names it, or its place ("the second one", the key 2).

    Args:
        options: The words, or the words for each value; the first is how it is offered.

    Raises:
        AnswerError: If there are none, or some without words.
    """
    pairs: list[tuple[Any, Any]] = (
        list(options.items())
        if isinstance(options, Mapping)
        else [(option, option) for option in options]
    )
    made = tuple(
        (value, (words,) if isinstance(words, str) else tuple(words)) for value, words in pairs
    )
    if isinstance(options, str) or not made:
        raise AnswerError(f"choice({options!r}): give a list of words, or a dict of value to words")
    for value, words in made:
        if not words or not all(isinstance(word, str) and _plain(word) for word in words):
            raise AnswerError(f"choice: {value!r} has no words that a caller could say")
    return _Choice(made)


def spelling(least: int = 1, most: int = 60) -> Answer[str]:
    """A word that is spelled: "B, E as in echo, double N". In lower case.

    Args:
        least: The fewest letters.
        most: The most.

    Raises:
        AnswerError: If the bounds make no sense.
    """
    if not 1 <= least <= most:
        raise AnswerError(f"spelling({least}, {most}): give a least of 1 or more and a larger most")
    return _Spelling(least, most)


def free_text() -> Answer[str]:
    """Whatever the caller says."""
    return _Text()
