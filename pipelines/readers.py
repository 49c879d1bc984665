"""Readers: what each kind of figure, sign and markup is read out as.

One pattern for each language finds them; a reader says what each is in words, or None where it
is to stay as it is written.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from vivavoce.pipelines import spelled
from vivavoce.pipelines.lexicon import (
    CURRENCIES,
    FEMININE_ENDINGS,
    FRACTIONS,
    LEXICONS,
    UNITS,
    Lexicon,
    feminine,
)
from vivavoce.pipelines.spelled import Gender

MARKUP = (
    r"(?P<tag>\[(?:emotion|pace)=[^\]\n]{0,40}\]\s*)"
    r"|(?P<link>!?\[[^\]\n]*\]\([^)\n]*\))"
    r"|(?P<bullet>(?m:^)[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]+(?=\S))"
)
BARE = re.compile(MARKUP)
"""What a language without a lexicon is freed of."""


def read_bare(match: re.Match[str]) -> str | None:
    """Return what is said for a match of `BARE`; None is what is written."""
    return _link(match) if match.lastgroup == "link" else None


@functools.lru_cache(maxsize=16)
def pattern(language: str) -> re.Pattern[str]:
    """Return the pattern of everything that a language reads otherwise."""
    words = LEXICONS[language]
    separators = re.escape(words.thousands)
    decimal = re.escape(words.decimal)
    number = rf"\d{{1,3}}(?:[{separators}]\d{{3}})+(?:{decimal}\d+)?(?![\d])|\d+(?:{decimal}\d+)?"
    signs = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True))
    units = "|".join(re.escape(name) for name in sorted(UNITS, key=len, reverse=True))
    names = "|".join(
        re.escape(name) for name in sorted(spelled.months(language), key=len, reverse=True)
    )
    of = r"(?:\s+(?:de|of))?" if language in {"es", "pt", "en"} else ""
    blank = "[ \u00a0\u202f]?"
    hours = r"(?:[01]?\d|2[0-4])"
    clock = {"fr": r"(?:\s?h\s?|:)", "pt": "[h:]", "de": "[:.]", "it": "[:.]", "nl": "[:.]"}
    tail = {
        "de": r"(?:\s?Uhr)",
        "nl": r"(?:\s?uur)",
        "en": r"(?:\s?[ap]\.?m\b\.?)",
        "hi": r"(?:\s?बजे)",
    }.get(language, r"(?!)")
    minute = clock.get(language, ":")
    # A dot between hours and minutes means a time only before its word.
    dotted = rf"{hours}\.[0-5]\d{tail}" if "." in minute else r"(?!)"
    whole_hour = {
        "fr": rf"{hours}\s?h(?:eures?)?(?![\w])",
        "de": rf"{hours}\s?Uhr(?!\w)",
        "nl": rf"{hours}\s?uur(?!\w)",
        "en": r"(?:1[0-2]|0?\d)\s?[ap]\.?m\b\.?",
    }.get(language, r"(?!)")
    sixty = r"[0-5]\d"
    colon = minute if "." not in minute else ":"
    time = rf"{hours}{colon}{sixty}(?::{sixty})?{tail}?|{dotted}|{whole_hour}"
    groups = r"\d[\d\s().-]{5,}\d"
    phone = rf"\+{groups}|\(?0{groups}|\(?\d{{3}}\)?[-. ]\d{{3}}[-. ]\d{{4}}|\d{{3}}-\d{{4}}"
    days = r"(?:[0-2]?\d|3[01])"
    alone = r"(?<![\w.,])"  # no part of a word or of another number
    english = "" if language == "en" else r"(?!)"
    parts = {
        "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        "url": r"(?:https?://|www\.)[^\s<>()]+[\w/]",
        "iso": r"(?<!\d)\d{4}-\d\d-\d\d(?!\w)",
        "dmy": r"(?<![\d/.])\d{1,2}(?P<mark>[./])\d{1,2}(?P=mark)(?:\d{4}|\d\d)(?![\d/])",
        "money": rf"(?:{signs}){blank}(?:{number})(?!\w)"
        rf"|{alone}(?:{number}){blank}(?:{signs})(?!\w)",
        "phone": rf"{alone}(?:{phone})(?!\w)",
        "time": rf"(?<![\w.,:])(?:{time})(?![\w:])",
        "day": rf"{alone}{days}(?:\.|{words.suffix})?(?=\s?{of}\s(?i:{names})(?!\w))",
        "monthday": rf"{english}(?<=\w\s){days}(?:{words.suffix})?(?=[\s?!]|[,.](?!\d)|$)",
        "year": r"(?<=[\w,]\s)(?:1[1-9]|20)\d\d(?![\w.,]\d|\w)",
        "ordinal": rf"{alone}\d{{1,4}}{words.suffix}",
        "percent": rf"{alone}(?:{number}){blank}%",
        "unit": rf"{alone}[-−]?(?:{number}){blank}(?:{units})(?![\w/])",
        "fraction": r"(?<![\d/])(?:[1-3]/[2-4](?![\d/])|[½¼¾])",
        "range": r"(?<=\d)\s?[–-]\s?(?=\d)",
        "code": r"(?<![\d.,])(?:0\d+|\d{7,})(?![\d.,]\d|\d)",
        "number": rf"(?<![\w.,\d])[-−]?(?:{number})|(?<=[^\W\d_])\d+|\d+",
        "sign": r"-{2,}|(?<!\w)(?:[Nn]°|[Nn]r\.|No\.|n\.?º)(?=\s?\d)|&|(?<=\w)\+(?=\w)"
        r"|(?<=\w\s)\+(?=\s\w)|#(?=\d)|°|%|(?<=\d)\s?[×x*]\s?(?=\d)|(?<=\d)/(?=\d)",
    }
    named = (f"(?P<{name}>{part})" for name, part in parts.items())
    return re.compile("|".join((MARKUP, *named)))


Reader = Callable[[re.Match[str], str, Lexicon], str | None]


def _figures(text: str, words: Lexicon) -> tuple[str, str]:
    """Return the figures before and behind the decimal sign."""
    plain = "".join(char for char in text if char.isdecimal() or char == words.decimal)
    whole, _, fraction = plain.partition(words.decimal)
    return whole or "0", fraction


def _link(match: re.Match[str]) -> str:
    return match[0].partition("[")[2].partition("]")[0]


def _read_link(match: re.Match[str], language: str, words: Lexicon) -> str:
    del language, words
    return _link(match)


def _bullet(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    del words
    figures = "".join(char for char in match[0] if char.isdecimal())
    if not figures:
        return " "
    return f"{spelled.cardinal(language, int(figures))}, "


def _email(match: re.Match[str], language: str, words: Lexicon) -> str:
    return _address(match[0], language, words)


def _address(text: str, language: str, words: Lexicon) -> str:
    """Read an address: its signs by name, its figures as numbers."""
    names = {
        "@": words.at,
        ".": words.dot,
        "-": words.dash,
        "_": words.underscore,
        "+": words.plus,
        "/": words.slash,
    }
    spoken = re.sub(r"[@._+/-]", lambda sign: f" {names[sign[0]]} ", text)
    return re.sub(r"\d+", lambda found: f" {_plain_number(found[0], language)} ", spoken).strip()


def _url(match: re.Match[str], language: str, words: Lexicon) -> str:
    address = re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0]).rstrip("/")
    return _address(re.sub(r"[?#].*", "", address), language, words)


def read_plainly(text: str, language: str) -> str:
    """Read what no reader could: its figures as numbers, the rest as it stands."""
    return re.sub(r"\d+", lambda found: f" {_plain_number(found[0], language)} ", text).strip()


def _fraction(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    del words
    signs = {"½": "1/2", "¼": "1/4", "¾": "3/4"}
    return FRACTIONS.get(language, {}).get(signs.get(match[0], match[0]))


def _plain_number(figures: str, language: str) -> str:
    if len(figures) > 6 or (len(figures) > 1 and figures[0] == "0"):
        return spelled.digits(language, figures)
    return spelled.cardinal(language, int(figures))


def _full_date(day: int, month: int, year: int, language: str, words: Lexicon) -> str | None:
    name = spelled.month_names(language).get(month)
    if name is None or not 1 <= day <= 31:
        return None
    between = " de " if language in {"es", "pt"} else " "
    return between.join(
        (_day_words(day, language, words, of=True), name, spelled.year(language, year))
    )


def _day_words(day: int, language: str, words: Lexicon, *, of: bool = False) -> str:
    if language == "en":
        spoken = spelled.ordinal(language, day)
        return words.day.format(day=spoken) if of else spoken
    if language == "de":
        return spelled.ordinal(language, day, ending="r")
    return words.first if day == 1 and words.first else spelled.cardinal(language, day)


def _iso(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    year, month, day = (int(part) for part in match[0].split("-"))
    return _full_date(day, month, year, language, words)


def _dmy(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    day, month, year = (int(part) for part in re.split("[./]", match[0]))
    if month > 12:
        day, month = month, day
    return _full_date(day, month, year + 2000 if year < 100 else year, language, words)


def _money(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    sign = re.sub(r"[\d\s\u00a0\u202f]|(?<=\d)[.,]|[.,](?=\d)", "", match[0])
    code = CURRENCIES.get(sign) or CURRENCIES.get(f"{sign}.")
    if code is None:
        return None
    whole, fraction = _figures(match[0].replace(sign, ""), words)
    if len(fraction) > 2 or int(whole) >= spelled.LARGEST:
        return None
    # "5.50" with a comma's language: two figures behind a dot are cents everywhere.
    return spelled.money(language, int(whole), int(fraction.ljust(2, "0")) if fraction else 0, code)


def _phone(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    figures = sum(char.isdecimal() for char in match[0])
    if figures < 7 or figures > 15:
        return None
    plus = f"{words.plus} " if match[0].startswith("+") else ""
    groups = re.findall(r"\d+", match[0])
    # A pause between the groups, as people make one.
    return plus + ", ".join(spelled.digits(language, group) for group in groups)


def _time(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    figures = [int(part) for part in re.findall(r"\d+", match[0])]
    hour, minute = figures[0], figures[1] if len(figures) > 1 else 0
    if hour > 24 or minute > 59:
        return None
    if language == "en":
        half = re.search(r"[ap]", match[0].lower())
        told = _english_time(hour, minute, half[0] if half else "")
        # A sentence that ends with "p.m." ends with one dot.
        return told.removesuffix(".") if match.string[match.end() :].startswith(".") else told
    gender: Gender = "f" if {"time", "hour"} & words.feminine and language != "de" else "m"
    spoken = spelled.cardinal(language, hour, gender)
    if minute:
        told = words.time[0].format(h=spoken, m=spelled.cardinal(language, minute))
    else:
        told = words.time[1].format(h=spoken)
    if hour == 1 and language in {"fr", "pt"}:
        told = told.replace("heures", "heure").replace("horas", "hora")
    return told


def _english_time(hour: int, minute: int, half: str) -> str:
    if not half and (hour > 12 or hour == 0):
        half = "p" if 12 <= hour < 24 else "a"
    spoken = spelled.cardinal("en", hour - 12 if hour > 12 else hour or 12)
    if minute:
        low = f"oh {spelled.cardinal('en', minute)}" if minute < 10 else None
        spoken = f"{spoken} {low or spelled.cardinal('en', minute)}"
    elif not half:
        return f"{spoken} o'clock"
    return f"{spoken} {half}.m." if half else spoken


def _day(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    day = int(re.match(r"\d+", match[0])[0])  # type: ignore[index]
    if not 1 <= day <= 31:
        return None
    ahead = match.string[: match.start()].rstrip().lower()
    if language == "en":
        article = re.search(r"\b(?:the|a|this|next|last)$", ahead)
        of = re.match(r"\s+of\b", match.string[match.end() :])
        spoken = spelled.ordinal(language, day)
        return spoken if article else f"the {spoken}" + ("" if of else " of")
    if language == "de":
        weak = re.search(r"\b(?:am|dem|den|vom|zum|beim|bis|ab|seit|des)$", ahead)
        article = re.search(r"\bder$", ahead)
        return spelled.ordinal(language, day, ending="n" if weak else "" if article else "r")
    return _day_words(day, language, words)


# What may follow a day: "May 5 at noon"; "May 5 people come?" has none of them.
_AFTER_A_DAY = "at|from|until|till|or|and|in|is|was|to|we|for|with|between|after|before|will|works?"


def _month_day(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    """Read "May 5" in English; elsewhere, and behind other words, it is a number."""
    ahead = re.search(r"(\w+)\s$", match.string[: match.start()])
    behind = match.string[match.end() :]
    known = language == "en" and ahead is not None
    if not known or ahead[1].lower() not in spelled.months(language):  # type: ignore[index]
        return _counted(match, language, words)
    # "I may 5 ..." is no date, nor is "May 5 people".
    people = ahead[1] == "May" and re.match(rf"\s(?!(?:{_AFTER_A_DAY})\b)[a-z]", behind)  # type: ignore[index]
    if ahead[1][0].islower() or people:  # type: ignore[index]
        return _counted(match, language, words)
    day = int(re.match(r"\d+", match[0])[0])  # type: ignore[index]
    return spelled.ordinal(language, day) if 1 <= day <= 31 else None


def _year(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    """Read a year as one where something says that it is: a month, or a word for it."""
    ahead = re.search(r"([^\W\d_]+|\d{1,2}(?:st|nd|rd|th)?)[\s,]+$", match.string[: match.start()])
    before = ahead[1].lower() if ahead else ""
    dated = before in spelled.months(language) or before in _YEARLY or before[:1].isdigit()
    return spelled.year(language, int(match[0])) if dated else _number(match, language, words)


_YEARLY = frozenset(
    "in since until of year by en année depuis im jahr seit bis año desde in jaar sinds em ano"
    " nel anno dal del वर्ष सन عام سنة".split()
)


def _ordinal(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    del words
    number = int(re.match(r"\d+", match[0])[0])  # type: ignore[index]
    return spelled.ordinal(language, number, "f" if match[0].endswith(FEMININE_ENDINGS) else "m")


def _counted(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    """Read what might have been the day of a month."""
    read = _number if match[0].isdecimal() else _ordinal
    return read(match, language, words)


def _percent(match: re.Match[str], language: str, words: Lexicon) -> str:
    return f"{spelled.decimal(language, *_figures(match[0], words))} {words.percent}"


def _unit(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    found = re.match(r"([-−]?)([\d.,\s\u00a0\u202f٬]*\d)\s*(.+)", match[0])
    assert found is not None
    whole, fraction = _figures(found[2], words)
    if int(whole) >= spelled.LARGEST:
        return None
    figures = f"{int(whole)}.{fraction}" if fraction else str(int(whole))
    spoken = spelled.unit(language, figures, found[3])
    if spoken is None:
        return None
    return f"{words.minus} {spoken}" if found[1] else spoken


def _range(match: re.Match[str], language: str, words: Lexicon) -> str:
    del match, language
    return f" {words.to} "


def _code(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    if match[0].endswith("000") and match[0][0] != "0":
        return _number(match, language, words)  # a million is no code
    return spelled.digits(language, match[0])


def _number(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    whole, fraction = _figures(match[0], words)
    if len(whole) > 15:
        return spelled.digits(language, whole)
    ahead = match.string[: match.start()]
    if len(whole) > 2 and ahead[-1:].isalpha():
        return spelled.digits(language, whole)  # a flight, a part, a licence plate
    # What is counted follows: "un" and not "uno", "ein" and not "eins".
    noun = re.match(r"\s([^\W\d_]+)", match.string[match.end() :])
    gender: Gender = "" if noun is None else "f" if feminine(language, noun[1]) else "m"
    spoken = spelled.decimal(language, whole, fraction, gender)
    return f"{words.minus} {spoken}" if match[0][0] in "-−" else spoken


def _sign(match: re.Match[str], language: str, words: Lexicon) -> str | None:
    del language
    sign = match[0].strip()
    spoken = {"&": words.conjunction, "+": words.plus, "#": words.number, "%": words.percent}
    if sign in spoken:
        return f" {spoken[sign]} "
    if sign.startswith("--"):
        return ", "
    return f"{words.number} " if len(sign) > 1 else " "


READERS: dict[str, Reader] = {
    "link": _read_link,
    "bullet": _bullet,
    "email": _email,
    "url": _url,
    "iso": _iso,
    "dmy": _dmy,
    "money": _money,
    "phone": _phone,
    "time": _time,
    "day": _day,
    "monthday": _month_day,
    "year": _year,
    "ordinal": _ordinal,
    "percent": _percent,
    "unit": _unit,
    "fraction": _fraction,
    "range": _range,
    "code": _code,
    "number": _number,
    "sign": _sign,
}
