"""Lexicon: what each language says for what is written in signs."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language's words.

    Attributes:
        point: The decimal sign, read out.
        decimal: How it is written.
        thousands: What may separate thousands.
        minus: Before a number.
        percent: Behind one.
        to: Between the ends of a range.
        at: In an e-mail address; then `dot`, `dash`, `underscore`, `slash`.
        plus: Before a telephone number, or between numbers.
        conjunction: "&".
        number: "#", "No.".
        time: A time of day with minutes, from {h} and {m}; then one without.
        cents: The hundredth of a currency, one and many.
        money: Currency and hundredths: {whole} and {cents}.
        feminine: What is counted in the feminine.
        day: A day before a month, from {day}; with `first` for the 1st.
        first: The 1st of a month.
        digitwise: Decimals are read digit by digit.
        suffix: Endings of figures that make ordinals, as a regular expression.
    """

    point: str
    decimal: str
    thousands: str
    minus: str
    percent: str
    to: str
    at: str
    dot: str
    dash: str
    underscore: str
    slash: str
    plus: str
    conjunction: str
    number: str
    time: tuple[str, str]
    cents: tuple[str, str]
    money: str
    feminine: frozenset[str]
    day: str
    first: str
    digitwise: bool
    suffix: str


_SPACES = " \u00a0\u202f"

LEXICONS: dict[str, Lexicon] = {
    "en": Lexicon(
        "point", ".", ",", "minus", "percent", "to", "at", "dot", "dash", "underscore", "slash",
        "plus", "and", "number", ("{h} {m}", "{h} o'clock"), ("cent", "cents"),
        "{whole} and {cents}", frozenset(), "the {day} of", "", True, r"(?:st|nd|rd|th)\b",
    ),
    "fr": Lexicon(
        "virgule", ",", "." + _SPACES, "moins", "pour cent", "à", "arobase", "point", "tiret",
        "tiret bas", "barre oblique", "plus", "et", "numéro", ("{h} heures {m}", "{h} heures"),
        ("centime", "centimes"), "{whole} {cents}",
        frozenset({"hour", "minute", "second", "GBP", "INR", "tonne"}), "{day}", "premier", False,
        r"(?:er|ère|re|ème|e)\b",
    ),
    "de": Lexicon(
        "Komma", ",", "." + _SPACES, "minus", "Prozent", "bis", "ät", "Punkt", "Bindestrich",
        "Unterstrich", "Schrägstrich", "plus", "und", "Nummer", ("{h} Uhr {m}", "{h} Uhr"),
        ("Cent", "Cent"), "{whole} {cents}", frozenset({"hour", "minute", "second", "tonne"}),
        "{day}", "", True, r"(?!)",
    ),
    "es": Lexicon(
        "coma", ",", "." + _SPACES, "menos", "por ciento", "a", "arroba", "punto", "guion",
        "guion bajo", "barra", "más", "y", "número", ("{h} y {m}", "{h} en punto"),
        ("céntimo", "céntimos"), "{whole} con {cents}",
        frozenset({"hour", "GBP", "INR", "tonne", "time"}), "{day}", "uno", False,
        r"\.?[ºoª](?!\w)",
    ),
    "nl": Lexicon(
        "komma", ",", "." + _SPACES, "min", "procent", "tot", "apenstaartje", "punt", "streepje",
        "laag streepje", "schuine streep", "plus", "en", "nummer", ("{h} uur {m}", "{h} uur"),
        ("cent", "cent"), "{whole} {cents}", frozenset(), "{day}", "", True, r"(?:ste|de|e)\b",
    ),
    "pt": Lexicon(
        "vírgula", ",", "." + _SPACES, "menos", "por cento", "a", "arroba", "ponto", "hífen",
        "underline", "barra", "mais", "e", "número", ("{h} horas e {m}", "{h} horas"),
        ("cêntimo", "cêntimos"), "{whole} e {cents}",
        frozenset({"hour", "GBP", "INR", "tonne", "time"}), "{day}", "primeiro", False,
        r"\.?[ºoª](?!\w)",
    ),
    "it": Lexicon(
        "virgola", ",", "." + _SPACES, "meno", "per cento", "a", "chiocciola", "punto",
        "trattino", "trattino basso", "barra", "più", "e", "numero", ("{h} e {m}", "{h}"),
        ("centesimo", "centesimi"), "{whole} e {cents}",
        frozenset({"hour", "GBP", "INR", "tonne", "time"}), "{day}", "primo", False,
        r"[º°ª](?!\w)",
    ),
    "hi": Lexicon(
        "दशमलव", ".", ",", "ऋण", "प्रतिशत", "से", "ऐट", "डॉट", "डैश", "अंडरस्कोर", "स्लैश", "प्लस",
        "और", "नंबर", ("{h} बजकर {m} मिनट", "{h} बजे"), ("सेंट", "सेंट"), "{whole} {cents}",
        frozenset(), "{day}", "", True, r"(?:वाँ|वां|वीं)(?!\w)",
    ),
    "ar": Lexicon(
        "فاصلة", ".", ",٬", "ناقص", "بالمئة", "إلى", "آت", "نقطة", "شرطة", "شرطة سفلية",
        "شرطة مائلة", "زائد", "و", "رقم", ("{h} و {m}", "{h}"), ("سنت", "سنتات"),
        "{whole} و {cents}", frozenset({"time", "hour", "minute", "second"}), "{day}", "", False,
        r"(?!)",
    ),
}  # fmt: skip

CURRENCIES = {
    "€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "zł": "PLN",
    "US$": "USD", "R$": "BRL", "kr": "SEK", "Fr.": "CHF",
    **{code: code for code in (
        "EUR USD GBP JPY INR CHF CNY CAD AUD BRL MXN SEK NOK DKK PLN CZK AED SAR KRW"
    ).split()},
}  # fmt: skip
"""Signs and codes."""

WHOLE = frozenset({"JPY", "KRW"})
"""What has no hundredths."""

# Of "$" a caller knows whose it is; CLDR's "US dollars" is for tables.
SHORT = {
    "USD": {
        "en": ("dollar", "dollars"), "fr": ("dollar", "dollars"), "de": ("Dollar", "Dollar"),
        "es": ("dólar", "dólares"), "nl": ("dollar", "dollar"), "pt": ("dólar", "dólares"),
        "it": ("dollaro", "dollari"), "hi": ("डॉलर", "डॉलर"), "ar": ("دولار", "دولار"),
    },
    "GBP": {"en": ("pound", "pounds"), "de": ("Pfund", "Pfund"), "nl": ("pond", "pond")},
    "INR": {"en": ("rupee", "rupees"), "hi": ("रुपया", "रुपए")},
    "BRL": {"pt": ("real", "reais")},
}  # fmt: skip
"""What is said of a currency, one and many, where it is shorter than its full name."""

UNITS = {
    "km/h": "speed-kilometer-per-hour", "km/u": "speed-kilometer-per-hour",
    "mph": "speed-mile-per-hour", "km": "length-kilometer", "m": "length-meter",
    "cm": "length-centimeter", "mm": "length-millimeter", "mi": "length-mile",
    "ft": "length-foot", "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram",
    "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce", "t": "mass-tonne",
    "l": "volume-liter", "L": "volume-liter", "ml": "volume-milliliter",
    "mL": "volume-milliliter", "°C": "temperature-celsius", "°F": "temperature-fahrenheit",
    "m²": "area-square-meter", "m2": "area-square-meter", "h": "duration-hour",
    "min": "duration-minute", "s": "duration-second", "GB": "digital-gigabyte",
    "MB": "digital-megabyte", "kW": "power-kilowatt", "kWh": "energy-kilowatt-hour",
    "W": "power-watt",
}  # fmt: skip
"""What stands behind a number, and CLDR's name of it."""

FRACTIONS = {
    "en": {"1/2": "one half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter",
           "3/4": "three quarters"},
    "fr": {"1/2": "un demi", "1/3": "un tiers", "2/3": "deux tiers", "1/4": "un quart",
           "3/4": "trois quarts"},
    "de": {"1/2": "ein halb", "1/3": "ein Drittel", "2/3": "zwei Drittel", "1/4": "ein Viertel",
           "3/4": "drei Viertel"},
    "es": {"1/2": "medio", "1/3": "un tercio", "2/3": "dos tercios", "1/4": "un cuarto",
           "3/4": "tres cuartos"},
    "nl": {"1/2": "een half", "1/3": "een derde", "2/3": "twee derde", "1/4": "een kwart",
           "3/4": "drie kwart"},
    "pt": {"1/2": "meio", "1/3": "um terço", "2/3": "dois terços", "1/4": "um quarto",
           "3/4": "três quartos"},
    "it": {"1/2": "mezzo", "1/3": "un terzo", "2/3": "due terzi", "1/4": "un quarto",
           "3/4": "tre quarti"},
    "hi": {"1/2": "आधा", "1/4": "चौथाई", "3/4": "तीन चौथाई"},
    "ar": {"1/2": "نصف", "1/3": "ثلث", "2/3": "ثلثان", "1/4": "ربع", "3/4": "ثلاثة أرباع"},
}  # fmt: skip

FEMININE_ENDINGS = ("ère", "re", "ª", "वीं")
"""Of figures."""

GENDERED = {
    "duration-hour": "hour",
    "duration-minute": "minute",
    "duration-second": "second",
    "mass-tonne": "tonne",
}
"""CLDR's names of what `Lexicon.feminine` may hold."""

_FEMININE = {
    "de": r"(?:e|ung|heit|keit|schaft|ion|tät|ik|in|person|nacht|uhr)",
    "es": r"(?:a|as|ción|ciones|dad|dades|noche|noches)",
    "pt": r"(?:a|as|ção|ções|dade|dades|noite|noites|vez|vezes)",
    "it": r"(?:a|zione|tà|notte)",
    "fr": r"(?:tion|té|ée|ette|ance|ence|ure|table|personne|chambre|place|nuit|heure|minute"
    r"|seconde|fois|semaine|adresse|ligne|page|demande|commande|année|journée|livre sterling)s?",
}
_ENDINGS = {language: re.compile(ending + "$") for language, ending in _FEMININE.items()}


def feminine(language: str, noun: str) -> bool:
    """Guess from its ending whether a noun is feminine, for what is counted: "una mesa"."""
    ending = _ENDINGS.get(language)
    return ending is not None and ending.search(noun.lower()) is not None
