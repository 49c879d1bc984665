"""Numerals: the numbers in what somebody said, in English, French, Spanish and German."""

from __future__ import annotations

import re

from vivavoce.agent.languages import base

_TOKEN = re.compile(r"\d+|[^\W\d_]+")

_UNITS = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze"
    " seize",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince"
    " dieciséis diecisiete dieciocho diecinueve",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn"
    " fünfzehn sechzehn siebzehn achtzehn neunzehn",
}
_TENS = {
    "en": {"twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60}
    | {"seventy": 70, "eighty": 80, "ninety": 90},
    "fr": {"vingt": 20, "vingts": 20, "trente": 30, "quarante": 40, "cinquante": 50}
    | {"soixante": 60, "septante": 70, "huitante": 80, "octante": 80, "nonante": 90},
    "es": {"veinte": 20, "treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60}
    | {"setenta": 70, "ochenta": 80, "noventa": 90},
    "de": {"zwanzig": 20, "dreißig": 30, "dreissig": 30, "vierzig": 40, "fünfzig": 50}
    | {"sechzig": 60, "siebzig": 70, "achtzig": 80, "neunzig": 90},
}
_OTHERS = {
    "en": {"oh": 0, "o": 0, "nought": 0, "nil": 0},
    "fr": {"une": 1},
    "es": {"un": 1, "una": 1, "dieciseis": 16, "veintidos": 22, "veintitres": 23, "veintiseis": 26},
    "de": {"ein": 1, "eine": 1, "einen": 1, "zwo": 2},
}
_HUNDRED = {
    "en": {"hundred"},
    "fr": {"cent", "cents"},
    "es": {"cien", "ciento"},
    "de": {"hundert"},
}
_THOUSAND = {"en": "thousand", "fr": "mille", "es": "mil", "de": "tausend"}
_AND = {"en": "and", "fr": "et", "es": "y", "de": "und"}
_ORDINALS = {
    "en": dict(
        zip(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
            " thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
            " twentieth".split(),
            range(1, 21),
            strict=True,
        )
    )
    | {"thirtieth": 30},
    "fr": {"premier": 1, "première": 1, "deuxième": 2, "second": 2, "seconde": 2, "troisième": 3}
    | {"quatrième": 4, "cinquième": 5, "sixième": 6},
    "es": {"primero": 1, "primera": 1, "primer": 1, "segundo": 2, "segunda": 2, "tercero": 3}
    | {"tercera": 3, "tercer": 3, "cuarto": 4, "cuarta": 4, "quinto": 5, "quinta": 5},
    "de": {
        word: number
        for number, word in enumerate(
            "erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft dreizehnt"
            " vierzehnt fünfzehnt sechzehnt siebzehnt achtzehnt neunzehnt zwanzigst".split(),
            1,
        )
    },
}
_FIGURE_ORDINAL = {
    "en": r"(\d{1,2})(?:st|nd|rd|th)\b",
    "fr": r"(\d{1,2})(?:er|ère|ème|e)\b",
    "es": r"(\d{1,2})[ºª]",
    "de": r"(\d{1,2})\.(?=\s|$)",
}
_REPEAT = {
    "en": {"double": 2, "triple": 3},
    "fr": {"double": 2, "triple": 3},
    "es": {"doble": 2, "triple": 3},
    "de": {"doppel": 2, "doppelt": 2},
}


def _words() -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for language, units in _UNITS.items():
        simple = {word: value for value, word in enumerate(units.split())}
        table[language] = simple | _OTHERS[language]
    spanish, german = table["es"], table["de"]
    for word in "uno dos tres cuatro cinco seis siete ocho nueve".split():
        spanish[f"veinti{word}"] = 20 + spanish[word]
    spanish |= {"veintiún": 21, "veintidós": 22, "veintitrés": 23, "veintiséis": 26}
    low = [(word, german[word]) for word in "zwei drei vier fünf sechs sieben acht neun".split()]
    for ten, value in _TENS["de"].items():
        for unit, more in [("ein", 1), *low]:
            german[f"{unit}und{ten}"] = value + more
    hundreds = "doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos"
    for number, word in enumerate([*hundreds.split(), "novecientos"], 2):
        spanish[word] = spanish[word.replace("tos", "tas")] = number * 100
    return table


_SIMPLE = _words()


def numbers(text: str, language: str) -> list[str]:
    """Return the numbers in a text, each as its digits, in order ("06" keeps its zero).

    "twenty one" is 21, "double five" is 5 and 5, "quatre-vingt-douze" is 92.

    Args:
        text: What was said.
        language: Its language; those without a table are read as digits only.
    """
    found: list[str] = []
    reader = _Reader(base(language))
    text = text.lower()
    if base(language) == "de":
        text = re.sub(r"(hundert|tausend)(?:und)?", r" \1 ", text)
    for token in _TOKEN.findall(text):
        found += reader.feed(token)
    return [*found, *reader.flush()]


def ordinal(text: str, language: str) -> int | None:
    """Return the last ordinal in a text ("the twenty first", "5th", "le premier"), or None."""
    code = base(language)
    words = _ORDINALS.get(code, {})
    found: int | None = None
    ten = 0
    pattern = _FIGURE_ORDINAL.get(code)
    for match in re.finditer(pattern, text.lower()) if pattern else ():
        found = int(match[1])
    for word in re.findall(r"[^\W\d_]+", text.lower()):
        # German inflects them: "dritter", "dritten"; and joins them: "einundzwanzigste".
        stem = re.sub(r"e[nrsm]?$", "", word) if code == "de" else word
        joined = re.fullmatch(r"(\w+)und(zwanzig|dreißig)st", stem) if code == "de" else None
        if joined and (unit := _SIMPLE["de"].get(joined[1])) is not None:
            found = unit + (20 if joined[2] == "zwanzig" else 30)
        elif stem == "dreißigst":
            found = 30
        elif stem in words and (code != "de" or stem != word):
            found = ten + words[stem] if words[stem] < 10 else words[stem]
        ten = {"twenty": 20, "thirty": 30}.get(word, 0)
    return found


class _Reader:
    """Puts a number together word by word."""

    def __init__(self, language: str) -> None:
        self._simple = _SIMPLE.get(language, {})
        self._tens = _TENS.get(language, {})
        self._hundred = _HUNDRED.get(language, set())
        self._thousand = _THOUSAND.get(language, "")
        self._and = _AND.get(language, "")
        self._repeat = _REPEAT.get(language, {})
        self._french = language == "fr"
        self._german = language == "de"
        self._times = 1
        self._above = 0
        self._value: int | None = None
        self._room = 0

    def feed(self, word: str) -> list[str]:
        """Take a word; return the numbers that are complete with it."""
        if word.isdigit():
            return [*self.flush(), *self._told(word)]
        if word in self._repeat:
            done = self.flush()
            self._times = self._repeat[word]
            return done
        if word == self._and and self._value is not None and self._room:
            return []
        if word in self._simple:
            value = self._simple[word]
            return self._add(value, 99 if value >= 100 else 0)
        if word in self._tens:
            ten = self._tens[word]
            if self._french and ten == 20 and self._value is not None and self._value % 100 == 4:
                # quatre-vingt
                self._value += 76
                self._room = 19
                return []
            room = 19 if self._french and ten == 60 else 9
            return self._add(ten, room)
        if word in self._hundred:
            many = self._value if self._value is not None and 1 <= self._value <= 9 else None
            done = [] if many or self._value is None else self.flush()
            self._value, self._room = (many or 1) * 100, 99
            return done
        if word == self._thousand:
            self._above += (self._value or 1) * 1000
            self._value, self._room = 0, 999
            return []
        return self.flush()

    def _add(self, value: int, room: int = 0) -> list[str]:
        """Take a part of a number: below 100, with room for `room` behind it."""
        if self._value is not None and 0 < value <= self._room:
            self._value += value
            if self._french and value == 10 and self._value in {70, 90}:
                room = 9  # soixante-dix-sept
            self._room = min(room, self._room) if room else 0
            return []
        done = self.flush()
        self._value, self._room = value, room
        if self._french and value == 10:
            self._room = 9  # dix-sept
        return done

    def flush(self) -> list[str]:
        """End the number."""
        if self._value is None:
            return []
        number = str(self._above + self._value)
        self._value, self._room, self._above = None, 0, 0
        return self._told(number)

    def _told(self, number: str) -> list[str]:
        times, self._times = self._times, 1
        return [number] * times
