"""The dictionary: English words with their French and Spanish, and English's forms of them.

A file of some 2,600 entries (dictionary.txt), read when the first sentence is translated. It is no
model: a word that is not in it stays as it is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

Language = Literal["fr", "es"]
Kind = Literal["noun", "verb", "adjective", "adverb", "preposition", "conjunction", "pronoun"]
Form = Literal["base", "s", "past", "participle", "ing", "one", "many", "more", "most", "ly", ""]

LONGEST = 5
"""Words of the longest entry."""

_FILE = Path(__file__).with_name("dictionary.txt")
_VOWEL = "aeiou"
# Verbs whose last consonant is doubled: stressed on the last syllable.
_DOUBLED = frozenset(
    "stop plan drop cancel travel chat jog shop hug rob dig run swim sit get put cut shut win begin"
    " forget hit set let fit prefer refer occur regret admit commit permit control beg step"
    " slip trip"
    " skip wrap clap nap tap zip pat bet spin grab rub plug ban scan".split()
)
_BE = {"am": "s", "are": "s", "is": "s", "was": "past", "were": "past"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a foreign language.

    Attributes:
        text: Its dictionary form: singular, masculine, infinitive.
        feminine: A noun's gender.
        other: An odd plural of a noun, or an odd feminine of an adjective; "" follows the rules.
        before: The adjective stands before its noun.
        link: What joins an infinitive to the verb: "de", "à", "a", "en"; "" is nothing.
        dative: A person is the verb's indirect object.
        stem: How Spanish bends the verb's stem: "ie", "ue", "i" or "".
        plural: The word is a plural: the name of a country.
    """

    text: str
    feminine: bool = False
    other: str = ""
    before: bool = False
    link: str = ""
    dative: bool = False
    stem: str = ""
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the dictionary.

    Attributes:
        kind: Its section: a part of speech, or "interjection", "place", "city", "day", "month".
        english: As the file has it.
        fr: Its French.
        es: Its Spanish.
    """

    kind: str
    english: str
    fr: Word
    es: Word

    def of(self, language: Language) -> Word:
        """Return it in one of the two languages."""
        return self.fr if language == "fr" else self.es


@dataclass(frozen=True, slots=True)
class Reading:
    """What an English word may be: an entry, and which form of it."""

    entry: Entry
    form: Form = ""


@dataclass(slots=True)
class Dictionary:
    """All entries, and what to find them by.

    Attributes:
        entries: As the file has them.
        readings: By English form, lower case, words joined by one space.
        irregular: English verbs' past and participle.
        plurals: Odd English plurals.
    """

    entries: list[Entry] = field(default_factory=list)
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    irregular: dict[str, tuple[str, str]] = field(default_factory=dict)
    plurals: dict[str, str] = field(default_factory=dict)

    def find(self, words: str, kind: str = "") -> Reading | None:
        """Return the first reading of an English form, or the first of a kind."""
        for reading in self.readings.get(words, ()):
            if not kind or reading.entry.kind == kind:
                return reading
        return None

    def verb(self, english: str, form: Form, *, person: int = 2) -> str:
        """Return a form of an English verb; person 0 is "I", 2 "he", 5 "they"."""
        head, _, tail = english.partition(" ")
        if head == "be" and form in {"s", "past"}:
            now = {0: "am", 2: "is"}.get(person, "are")
            form_of = now if form == "s" else "was" if person in {0, 2} else "were"
        elif form == "s":
            form_of = _third(head) if person == 2 else head
        else:
            form_of = dict(self._forms(head)).get(form, head)
        return f"{form_of} {tail}".strip()

    def noun(self, english: str, *, many: bool) -> str:
        """Return an English noun in the singular or the plural."""
        return self._plural(english) if many else english

    def _forms(self, head: str) -> Iterator[tuple[Form, str]]:
        yield "base", head
        yield "s", _third(head)
        yield "ing", _ing(head)
        past, participle = self.irregular.get(head, ("", ""))
        yield "past", past or _past(head)
        yield "participle", participle or _past(head)

    def _plural(self, noun: str) -> str:
        if noun in self.plurals:
            return self.plurals[noun]
        first, space, last = noun.rpartition(" ")
        return first + space + self.plurals.get(last, _third(last))

    def index(self) -> None:
        """Find every form of every entry."""
        for entry in self.entries:
            english = entry.english.lower()
            if entry.kind == "verb":
                head, _, tail = english.partition(" ")
                forms = [*self._forms(head)]
                if head == "be":
                    forms += [(form, word) for word, form in _BE.items()]  # type: ignore[misc]
                for form, word in forms:
                    self._add(f"{word} {tail}".strip(), Reading(entry, form))
                if english in {"learn", "burn", "dream", "spell", "smell"}:
                    for form in ("past", "participle"):
                        self._add(_past(english), Reading(entry, form))
            elif entry.kind == "noun":
                self._add(english, Reading(entry, "one"))
                if (many := self._plural(entry.english).lower()) != english:
                    self._add(many, Reading(entry, "many"))
            elif entry.kind == "adjective":
                self._add(english, Reading(entry))
                if len(english) <= 7 and " " not in english:
                    self._add(_compared(english, "er"), Reading(entry, "more"))
                    self._add(_compared(english, "est"), Reading(entry, "most"))
                self._add(_adverb(english), Reading(entry, "ly"))
            else:
                self._add(english, Reading(entry))

    def _add(self, english: str, reading: Reading) -> None:
        found = self.readings.setdefault(english, [])
        if not any(r.entry.kind == reading.entry.kind and r.form == reading.form for r in found):
            found.append(reading)


@functools.cache
def dictionary() -> Dictionary:
    """Read the dictionary (some 30 ms, once)."""
    made = Dictionary()
    section = ""
    for raw in _FILE.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "irregular":
            base, past, participle = line.split()
            made.irregular[base] = (past, participle)
        elif section == "plural":
            words = line.split()
            half = len(words) // 2
            made.plurals[" ".join(words[:half])] = " ".join(words[half:])
        else:
            english, french, spanish = line.split("|")
            first, second = _word(section, "fr", french), _word(section, "es", spanish)
            # Who is told and given something is the same in both.
            second = replace(second, dative=first.dative)
            if section == "noun" and second.link:
                first = replace(first, link=second.link)  # who is a person
            made.entries.append(Entry(section, english, first, second))
    made.index()
    return made


_FLAG = re.compile(r" (f|m|p|<|!|ie|ue|i|\+\w+)$")
_FEMININE_ES = re.compile(r"(?:a|ión|dad|tad|tud|umbre)$")


def _word(section: str, language: str, text: str) -> Word:
    flags: set[str] = set()
    while (match := _FLAG.search(text)) is not None:
        flags.add(match[1])
        text = text[: match.start()]
    other = ""
    if section == "noun":
        text, _, other = text.partition(":")
        other_flags = other.rpartition(" ")
        if other_flags[2] in {"f", "m"}:
            other = other_flags[0]
    elif section == "adjective":
        text, _, other = text.partition("/")
    while (match := _FLAG.search(text)) is not None:
        flags.add(match[1])
        text = text[: match.start()]
    head = text.split(" ")[0]
    by_rule = language == "es" and _FEMININE_ES.search(head) is not None
    return Word(
        text,
        feminine="f" in flags or (by_rule and "m" not in flags),
        other=other,
        before="<" in flags,
        link=next((flag[1:] for flag in flags if flag.startswith("+")), ""),
        dative="!" in flags,
        stem=next((flag for flag in flags if flag in {"ie", "ue", "i"}), ""),
        plural="p" in flags,
    )


def _third(word: str) -> str:
    if word in {"have", "do", "go"}:
        return {"have": "has", "do": "does", "go": "goes"}[word]
    if re.search(r"(?:s|x|z|ch|sh)$", word) or (word.endswith("o") and word in _OES):
        return word + "es"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + "s"


_OES = frozenset({"potato", "tomato", "hero", "echo", "do", "go"})


def _ing(word: str) -> str:
    if word.endswith("ie"):
        return word[:-2] + "ying"
    if word.endswith("e") and not word.endswith(("ee", "ye", "oe")) and word != "be":
        return word[:-1] + "ing"
    return (word + word[-1] if word in _DOUBLED else word) + "ing"


def _past(word: str) -> str:
    if word.endswith("e"):
        return word + "d"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ied"
    return (word + word[-1] if word in _DOUBLED else word) + "ed"


def _compared(word: str, ending: str) -> str:
    if word.endswith("e"):
        return word + ending[1:]
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "i" + ending
    double = re.search(r"[^aeiou][aeiou][bdgmnpt]$", word) is not None
    return (word + word[-1] if double else word) + ending


def _adverb(word: str) -> str:
    """Make "easily" of "easy"; its French and Spanish are made of the adjective as well."""
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ily"
    if word.endswith("le"):
        return word[:-1] + "y"
    return word + ("ally" if word.endswith("ic") else "ly")
