"""Dates: the day that somebody means, in English, French, Spanish and German."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta

from vivavoce.agent.languages import base
from vivavoce.agent.numerals import numbers, ordinal

_MONTHS = {
    "en": "january february march april may june july august september october november december",
    "fr": "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre"
    " diciembre",
    "de": "januar februar marz april mai juni juli august september oktober november dezember",
}
_DAYS = {
    "en": "monday tuesday wednesday thursday friday saturday sunday",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miercoles jueves viernes sabado domingo",
    "de": "montag dienstag mittwoch donnerstag freitag samstag sonntag",
}
# The longest first: "day after tomorrow" is no "tomorrow".
_RELATIVE: dict[str, dict[str, int]] = {
    "en": {"day after tomorrow": 2, "tomorrow": 1, "today": 0, "tonight": 0},
    "fr": {"apres-demain": 2, "apres demain": 2, "demain": 1, "aujourd'hui": 0, "ce soir": 0},
    "es": {"pasado manana": 2, "manana": 1, "hoy": 0, "esta noche": 0},
    "de": {"ubermorgen": 2, "morgen": 1, "heute": 0},
}
_NEXT = {
    "en": r"\bnext\b",
    "fr": r"\bprochaine?\b",
    "es": r"\b(?:proximo|proxima|que viene)\b",
    "de": r"\b(?:nachste[nrs]?|kommende[nrs]?)\b",
}
# "I may come" names no month.
_NO_MONTH = r"(?<!\bi )(?<!we )(?<!you )(?<!they )(?<!it )"
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_FIGURES = re.compile(r"\b(\d{1,2})\s?[./]\s?(\d{1,2})(?:\s?[./]\s?(\d{4}|\d{2}))?(?=\D|$)")


def find_date(text: str, language: str, today: date) -> date | None:
    """Return the day that a text names, or None.

    A day without a year is the next such day; a weekday is the next one, never today. "5/6" is
    the 5th of June everywhere, as the caller's country is not known; a month above 12 is read the
    other way round.

    Args:
        text: What was said.
        language: Its language.
        today: The day that "tomorrow" follows.
    """
    code = base(language)
    plain = _plain(text)
    if match := _ISO.search(plain):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if (named := _named(plain, text, code, today)) is not None:
        return named
    if match := _FIGURES.search(plain):
        return _figures(match, today)
    for words, days in _RELATIVE.get(code, {}).items():
        if words in plain:
            return today + timedelta(days=days)
    return _weekday(plain, code, today)


def _plain(text: str) -> str:
    """Lower case, without accents."""
    split = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    return "".join(char for char in split if not unicodedata.combining(char))


def _named(plain: str, text: str, code: str, today: date) -> date | None:
    """Find "the 5th of May", "le cinq mai 2027", "May 5th"."""
    found = [
        (match.start(), match.end(), number)
        for number, name in enumerate(_MONTHS.get(code, "").split(), 1)
        if (match := re.search(rf"{_NO_MONTH}\b(?:{name}|{name[:3]}\.)", plain)) is not None
    ]
    if not found:
        day = ordinal(text, code)
        return None if day is None else _next_day(day, today)
    start, end, month = found[0]
    before, behind = text[:start], text[end:]
    rest = [int(number) for number in numbers(_bare(behind), code) if len(number) <= 4]
    ahead = [int(number) for number in numbers(_bare(before), code) if len(number) <= 2]
    day = ordinal(before, code) or (ahead[-1] if ahead else None)
    if day is None:
        day = ordinal(behind, code) or next((each for each in rest if 1 <= each <= 31), None)
    if day is None:
        return None
    years = [number for number in rest if 1900 <= number <= 2200]
    return _day(years[0], month, day) if years else _next(month, day, today)


def _bare(text: str) -> str:
    """Take the endings off figures: "5th" is 5."""
    return re.sub(r"(\d)(?:st|nd|rd|th|er|e|\.)(?=\W|$)", r"\1", text.lower())


def _next_day(day: int, today: date) -> date | None:
    """Return the next day with that number."""
    for month in range(today.month, today.month + 4):
        year, number = today.year + (month - 1) // 12, (month - 1) % 12 + 1
        found = _day(year, number, day)
        if found is not None and found >= today:
            return found
    return None


def _figures(match: re.Match[str], today: date) -> date | None:
    day, month = int(match[1]), int(match[2])
    if month > 12:
        day, month = month, day
    if match[3]:
        year = int(match[3])
        return _day(year + 2000 if year < 100 else year, month, day)
    return _next(month, day, today)


def _weekday(plain: str, code: str, today: date) -> date | None:
    for number, name in enumerate(_DAYS.get(code, "").split()):
        if re.search(rf"\b{name}", plain):
            ahead = (number - today.weekday()) % 7 or 7
            # "Next Friday" on a Monday is the one of the week after, "Friday" is this week's.
            later = re.search(_NEXT[code], plain) is not None and code == "en"
            same_week = number > today.weekday()
            return today + timedelta(days=ahead + (7 if later and same_week else 0))
    return None


def _next(month: int, day: int, today: date) -> date | None:
    for year in range(today.year, today.year + 9):  # the 29th of February may be eight years off
        found = _day(year, month, day)
        if found is not None and found >= today:
            return found
    return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
