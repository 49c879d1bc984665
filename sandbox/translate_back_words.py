"""French and Spanish taken apart, to be put into English: small words, and what stands where."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vivavoce.sandbox.dictionary import Language, dictionary
from vivavoce.sandbox.translate_forms import Forms, Meaning, forms
from vivavoce.sandbox.translate_words import KEPT

SUBJECTS = {
    "fr": {"je": ("I", 0), "j'": ("I", 0), "tu": ("you", 1), "il": ("he", 2), "elle": ("she", 2),
    "on": ("we", 2),
           "nous": ("we", 3), "vous": ("you", 4), "ils": ("they", 5), "elles": ("they", 5),
           "ce": ("it", 2),
           "c'": ("it", 2), "ça": ("it", 2), "cela": ("that", 2), "qui": ("who", 2)},
    "es": {"yo": ("I", 0), "tú": ("you", 1), "él": ("he", 2), "ella": ("she", 2), "usted": ("you",
    2),
           "nosotros": ("we", 3), "nosotras": ("we", 3), "ellos": ("they", 5), "ellas": ("they", 5),
           "ustedes": ("you", 5), "eso": ("that", 2), "esto": ("this", 2)},
}  # fmt: skip
CLITICS = {
    "fr": {"me": "me", "m'": "me", "te": "you", "t'": "you", "le": "it", "la": "it", "l'": "it",
    "lui": "him",
           "nous": "us", "vous": "you", "les": "them", "leur": "them", "se": "", "s'": "",
           "y": "there", "en": ""},
    "es": {"me": "me", "te": "you", "le": "you", "lo": "it", "la": "it", "nos": "us",
    "los": "them", "las": "them",
           "les": "them", "se": "", "os": "you"},
}  # fmt: skip
DETERMINERS = {
    "fr": {"le": "the", "la": "the", "les": "the", "l'": "the", "un": "a", "une": "a",
    "des": "some", "mon": "my",
           "ma": "my", "mes": "my", "votre": "your", "vos": "your", "ton": "your", "ta": "your",
           "tes": "your",
           "son": "his", "sa": "his", "ses": "his", "notre": "our", "nos": "our", "leur": "their",
           "leurs": "their", "ce": "this", "cet": "this", "cette": "this", "ces": "these",
           "quel": "what",
           "quelle": "what", "quels": "what", "quelles": "what", "chaque": "every",
           "plusieurs": "several",
           "tous": "all", "toutes": "all", "tout": "all", "toute": "all", "aucun": "no",
           "aucune": "no"},
    "es": {"el": "the", "la": "the", "los": "the", "las": "the", "un": "a", "una": "a",
    "unos": "some",
           "unas": "some", "mi": "my", "mis": "my", "su": "your", "sus": "your", "tu": "your",
           "tus": "your",
           "nuestro": "our", "nuestra": "our", "nuestros": "our", "nuestras": "our", "este": "this",
           "esta": "this", "estos": "these", "estas": "these", "ese": "that", "esa": "that",
           "esos": "those",
           "esas": "those", "cada": "every", "qué": "what", "todo": "all", "toda": "all",
           "todos": "all",
           "todas": "all", "mucho": "much", "mucha": "much", "muchos": "many", "muchas": "many"},
}  # fmt: skip
SMALL = {
    "fr": {"à": "to", "de": "of", "d'": "of", "en": "in", "dans": "in", "chez": "at", "sur": "on",
    "pour": "for",
           "avec": "with", "sans": "without", "par": "by", "et": "and", "ou": "or", "mais": "but",
           "où": "where",
           "quand": "when", "comment": "how", "pourquoi": "why", "combien": "how much",
           "que": "that",
           "qu'": "that", "qui": "who", "si": "if", "oui": "yes", "non": "no", "moi": "me",
           "lui": "him",
           "eux": "them", "toi": "you", "y": "there", "voici": "here is", "voilà": "here is",
           "très": "very",
           "pas": "not",
        "plus": "more",
        "mieux": "better", "depuis": "for", "vers": "around", "heures": "o'clock",
        "heure": "o'clock",
           "h": "o'clock", "ici": "here", "là": "there", "donc": "so", "alors": "so",
           "parce": "because",
           "quoi": "what", "deux": "two", "an": "year", "ans": "years"},
    "es": {"a": "to", "de": "of", "en": "in", "por": "by", "para": "for", "con": "with",
    "sin": "without",
           "y": "and", "e": "and", "o": "or", "u": "or", "pero": "but", "dónde": "where",
           "donde": "where",
           "cuándo": "when", "cuando": "when", "cómo": "how", "como": "like", "cuánto": "how much",
           "que": "that", "quien": "who", "quién": "who", "si": "if", "sí": "yes", "no": "not",
           "mí": "me",
           "conmigo": "with me", "nada": "nothing", "nadie": "nobody", "algo": "something",
           "salvo": "except", "aquí": "here", "allí": "there", "muy": "very", "más": "more",
           "desde": "since",
           "hace": "ago", "entonces": "so", "porque": "because", "cuántos": "how many",
           "cuántas": "how many"},
}  # fmt: skip
NEGATIONS = {"pas": "not", "jamais": "never", "plus": "no longer", "rien": "nothing",
"personne": "nobody",
              "no": "not", "nunca": "never", "guère": "hardly"}  # fmt: skip
_SPLIT = {
    "du": ("de", "le"),
    "au": ("à", "le"),
    "aux": ("à", "les"),
    "del": ("de", "el"),
    "al": ("a", "el"),
}
_TOKEN = re.compile(
    rf"{KEPT}\d+"
    r"|(?:\d{1,3}(?:[\u202f\u00a0 ]\d{3})+(?:,\d+)?|\d+(?:[.,:]\d+)*)\s?(?:%|€|\$)?"
    r"|aujourd['’]hui|[^\W\d_]+['’](?=\w)|[^\W\d_]+(?:-[^\W\d_]+)*|[^\w\s]",
    re.IGNORECASE,
)
_HYPHEN = re.compile(
    r"-t-(?=ils?\b|elles?\b|on\b)"
    r"|-(?=(?:vous|nous|je|tu|ils?|elles?|on|moi|le|la|les|lui|leur|ce)\b)"
)
_CLOCK = re.compile(r"(\d{1,2})\s?h(?:\s?(\d\d))?\b")
NUMBERS = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen"
    " fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty".split(),
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze"
    " quinze seize"
    " dix-sept dix-huit dix-neuf vingt".split(),
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce"
    " quince dieciséis"
    " diecisiete dieciocho diecinueve veinte".split(),
}


class BackWords:
    """What is known of a sentence while it is translated back.

    Args:
        language: "fr" or "es".
        kept: The glossary's translations, by the number in their tokens.
    """

    def __init__(self, language: Language, kept: Sequence[str]) -> None:
        self._language: Language = language
        self._kept = kept
        self._forms: Forms = forms(language)
        self._book = dictionary()
        self._words: list[str] = []
        self._lows: list[str] = []
        self._at = 0
        self._out: list[str] = []
        self._subject: tuple[str, int] | None = None
        self._subject_at = -1  # where it is in what is out
        self._question = False
        self._negation = ""
        self._clitics: list[str] = []
        self._verb = ""

    def _read(self, text: str) -> None:
        text = _CLOCK.sub(lambda m: f"{m[1]}:{m[2] or '00'}", text)
        text = _HYPHEN.sub(" ", text)
        for word in _TOKEN.findall(text):
            low = word.lower().replace("’", "'")
            parts = _SPLIT.get(low)
            if low in {"del", "al"} or (self._language == "fr" and parts):
                assert parts is not None
                self._words += parts
                self._lows += parts
            else:
                for piece in self._enclitics(low):
                    self._words.append(word if piece == low else piece)
                    self._lows.append(piece)

    def _enclitics(self, low: str) -> list[str]:
        """Take a Spanish verb and its pronouns apart: "ayudarme" is "me ayudar"."""
        if self._language != "es" or len(low) < 6 or self._forms.find(low):
            return [low]
        match = re.fullmatch(
            r"(.+?(?:r|ndo|e|a))(me|te|se|le|lo|la|nos|les|los|las)(lo|la|los|las)?", low
        )
        if match is None:
            return [low]
        base = match[1].translate(str.maketrans("áéíóú", "aeiou"))
        for stem in (match[1], base):
            found = self._forms.find(stem, "verb")
            if found is not None and found.tense in {
                "infinitive",
                "gerund",
                "imperative",
                "present",
            }:
                return [piece for piece in (match[2], match[3], stem) if piece]
        return [low]

    def _low(self, ahead: int = 0) -> str:
        place = self._at + ahead
        return self._lows[place] if 0 <= place < len(self._lows) else ""

    def _match(self, place: int, *kinds: str) -> tuple[int, Meaning] | None:
        for count in range(min(5, len(self._lows) - place), 0, -1):
            words = " ".join(self._lows[place : place + count]).replace("' ", "'")
            found = self._forms.find(words, *kinds)
            if found is not None:
                return count, found
        return None

    def _leave(self) -> None:
        """Say the pronouns that no verb took."""
        self._out += [word for word in self._clitics if word]
        self._clitics = []

    def _number(self) -> bool:
        word = self._words[self._at]
        if not word[0].isdigit():
            return False
        plain = (
            re.sub(r"(?<=\d)[\u202f\u00a0 .](?=\d{3})", "", word)
            if not re.match(r"\d+\.\d{1,2}$", word)
            else word
        )
        self._out.append(re.sub(r"(?<=\d),(?=\d)", ".", plain).replace(" ", ""))
        self._at += 1
        return True

    def _value(self, word: str) -> int | None:
        if word.isdigit():
            return int(word)
        names = NUMBERS[self._language]
        return names.index(word) if word in names else None

    def _time(self) -> bool:
        """For "À 15:30", "a las tres": at."""
        if self._low() in {"à", "a"}:
            skip = 2 if self._low(1) in {"las", "la"} else 1
            following = self._low(skip)
            hours = self._low(skip + 1) in {"heures", "heure"}
            clock = re.fullmatch(r"\d{1,2}:\d\d", following) is not None
            if clock or hours or (skip == 2 and self._value(following) is not None):
                self._out.append("at")
                self._at += skip
                if not clock:
                    self._out += [str(self._value(following) or following), "o'clock"]
                    self._at += 1 + hours
                return True
        value = self._value(self._low())
        if value is not None and value > 1 and not self._low().isdigit():
            self._out.append(NUMBERS["en"][value])
            self._at += 1
            return True
        return False

    def _many(self, place: int) -> bool:
        """Whether a plural stands at a place."""
        low = self._lows[place] if place < len(self._lows) else ""
        if low in {
            "des",
            "unos",
            "unas",
            "beaucoup",
            "plusieurs",
            "muchos",
            "muchas",
            "les",
            "los",
            "las",
        }:
            return True
        if (value := self._value(low)) is not None:
            return value > 1
        found = self._match(place, "noun")
        return found is not None and found[1].plural

    def _verb_ahead(self, ahead: int) -> Meaning | None:
        """Return the finite verb behind pronouns and "ne"; of a reflexive one with its "se"."""
        place = self._at + ahead
        clitics = CLITICS[self._language]
        while place < len(self._lows) and (
            self._lows[place] in clitics or self._lows[place] in {"ne", "n'", "no"}
        ):
            following = self._match(place, "verb")
            if following is not None and following[0] > 1:
                break
            place += 1
        found = self._match(place, "verb") if place < len(self._lows) else None
        return found[1] if found is not None else None

    def _nounish(self, place: int) -> bool:
        found = self._match(place, "noun", "adjective", "city", "place", "day", "month")
        verb = self._match(place, "verb")
        if found is not None:
            return verb is None or found[1].kind == "noun"
        if verb is not None or place >= len(self._lows):
            return False
        low = self._lows[place]
        small = low in CLITICS[self._language] or low in {"ne", "n'", "no", "y", "en"}
        return low.isalpha() and not small

    def _finite(self, ahead: int) -> bool:
        found = self._match(self._at + ahead, "verb")
        return found is not None and found[1].tense not in {"infinitive", "participle", "gerund"}

    def _person_at(self, place: int) -> bool:
        place += place < len(self._lows) and self._lows[place] in DETERMINERS["es"]
        found = self._match(place, "noun")
        reading = dictionary().find(found[1].english.lower(), "noun") if found is not None else None
        return reading is not None and reading.entry.es.link in {"who", "job"}
