"""Rendering: figures as the language of a translation writes them, and none of them lost.

Models copy figures as they were said: "1,234.50" stays in a French translation, where the comma
is the decimal sign. `mend` writes what was copied the other way; `render` does so with a whole
text; `check` lists the numbers that are not in a translation, so that it can be asked for again.
Units stay what was said: whether miles become kilometres is for the style, not for figures. Pure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from datetime import date

from babel import Locale
from babel.dates import format_date, format_skeleton

from vivavoce.agent.languages import base
from vivavoce.pipelines import spelled
from vivavoce.pipelines.interpret.amounts import missing, western
from vivavoce.pipelines.lexicon import CURRENCIES, LEXICONS

_NARROW = "\u202f"
# CLDR's minimum of figures in front of the first separator of thousands, where it is two.
_FOUR_TOGETHER = frozenset({"es"})
_BLANK = "[ \u00a0\u202f]?"
_HALVES = {"en": ("am", "pm"), "hi": ("am", "pm")}
_CLOCK_24 = {
    "fr": ("{h} h", "{h} h {m}"),
    "de": ("{h} Uhr", "{h}:{m} Uhr"),
    "nl": ("{h} uur", "{h}:{m} uur"),
    "pt": ("{h}h", "{h}h{m}"),
}


def prepare(languages: Iterable[str]) -> None:
    """Read what languages need, so that no piece waits for it: some 50 ms each, once.

    Args:
        languages: Their codes; those without a lexicon are passed over.
    """
    for language in {base(each) for each in languages} & {*LEXICONS}:
        _pattern(language)
        _locale(language)
        missing("2 x", language, "2 x", language)


def render(text: str, source: str, target: str) -> str:
    """Write a text's figures as another language does; its words stay as they are.

    Numbers with separators, decimals, sums of money, percentages, times of day and dates with a
    month's name: 1,234.5 is 1 234,5 in French, 3pm is 15 h, March 3rd is 3 mars, $5 is 5 $.
    Telephone numbers, codes and years stay, and so do dates in figures, whose order is not known.

    Args:
        text: What was said, written as `source` writes.
        source: Its code.
        target: The code of the language that is to read it.
    """
    source, target = base(source), base(target)
    if source == target or source not in LEXICONS or target not in LEXICONS:
        return text
    writer = _WRITERS

    def put(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        written = writer[kind](match[0], source, target)
        if written is None:
            return match[0]
        # "At 3 p.m." ends the sentence, too.
        return written + "." * (match[0].endswith(".") and not text[match.end() :].strip())

    return _pattern(source).sub(put, text)


def mend(translation: str, said: str, source: str, target: str) -> str:
    """Write figures of a translation that were copied from what was said as they should be.

    Only what stands in the translation exactly as it was said is touched: "1.234" of a German
    translation is what the model wrote, unless "1.234" was said.

    Args:
        translation: The model's, in the target language.
        said: What was translated.
        source: The code of the language that it was said in.
        target: The code of the translation's.
    """
    source, target = base(source), base(target)
    if source == target or source not in LEXICONS or target not in LEXICONS:
        return translation
    for match in _pattern(source).finditer(said):
        copied = match[0].strip()
        written = _WRITERS[match.lastgroup or ""](copied, source, target)
        if written is None or written == copied:
            continue
        alone = rf"(?<![\w.,]){re.escape(copied)}(?![\w]|[.,]\d)"
        again = re.escape(written)
        translation = re.sub(rf"{again}|{alone}", written.replace("\\", r"\\"), translation)
    return translation


def check(said: str, source: str, translation: str, target: str) -> list[str]:
    """List the numbers that were said and are not in a translation.

    Figures and words, times of day ("half past three" is 15:30), ordinals and thousands are read
    in both; "one" is not looked for, which most languages say with an article.

    Args:
        said: What was translated.
        source: The code of the language that it was said in.
        translation: What came of it.
        target: The code of the translation's.

    Returns:
        The numbers, in figures, in the order in which they were said; empty where all are there.
    """
    return missing(said, base(source), translation, base(target))


# -- what is found


@functools.lru_cache(maxsize=16)
def _pattern(language: str) -> re.Pattern[str]:
    words = LEXICONS[language]
    number = _number(language)
    signs = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True))
    months = "|".join(
        re.escape(name) for name in sorted(spelled.months(language), key=len, reverse=True)
    )
    day = r"(?:[0-2]?\d|3[01])"
    suffix = rf"(?:\.|{words.suffix})?"
    year = r"(?:,?\s(?:de\s|del\s)?(?:1\d|20)\d\d(?!\d))?"
    month_day = rf"(?i:{months})\s{day}{suffix}(?![\d:]){year}" if language == "en" else r"(?!)"
    of = r"(?:\s(?:of|de))?"
    minute = {"fr": r"\s?h\s?|:", "pt": r"[h:]", "de": r"[:.]", "nl": r"[:.]"}.get(language, ":")
    tail = {
        "de": r"\sUhr",
        "nl": r"\suur",
        "en": r"\s?[ap](?:m\b|\.m\b\.?)",
        "hi": r"\s?[ap]m\b",
    }.get(language, r"(?!)")
    hour = r"(?:[01]?\d|2[0-4])"
    whole = {"fr": r"\s?h(?:eures?)?(?!\w)", "pt": r"h(?!\w)"}.get(language, tail)
    dotted = "" if "." not in minute else rf"|{hour}\.[0-5]\d{tail}"
    colon = minute.replace("[:.]", ":")
    alone = r"(?<![\w.,:/+-])"
    parts = {
        "monthday": rf"(?<!\w){month_day}",
        "day": rf"{alone}(?:the\s)?{day}{suffix}{of}\s(?i:{months})(?!\w){year}",
        "money": rf"(?:(?<![\w])(?:{signs}){_BLANK}(?:{number})"
        rf"|{alone}(?:{number}){_BLANK}(?:{signs}))(?!\w)",
        "time": rf"{alone}(?:{hour}(?:{colon})[0-5]\d(?:{tail})?{dotted}"
        rf"|{hour}(?:{whole}))(?![\w:])",
        "percent": rf"{alone}(?:{number}){_BLANK}%",
        "number": rf"{alone}(?:{number})(?![\w/:]|[.,]\d|-\d)",
    }
    return re.compile("|".join(f"(?P<{name}>{part})" for name, part in parts.items()))


def _number(language: str) -> str:
    words = LEXICONS[language]
    separators, decimal = re.escape(words.thousands), re.escape(words.decimal)
    groups = r"\d{1,2}(?:,\d\d)*,\d{3}|" if language == "hi" else ""
    return rf"(?:{groups}\d{{1,3}}(?:[{separators}]\d{{3}})+|\d+)(?:{decimal}\d+)?"


# -- how it is written


def _number_written(text: str, source: str, target: str) -> str | None:
    words = LEXICONS[source]
    plain = western(text)
    whole, point, fraction = plain.partition(words.decimal)
    figures = "".join(char for char in whole if char.isdecimal())
    if len(figures) < len(whole):
        figures = _grouped(figures, target)
    elif not point:
        return None  # as it was said: a code, a year, a house's number
    return figures + (LEXICONS[target].decimal + fraction if point else "")


def _grouped(figures: str, language: str) -> str:
    if len(figures) < 4 or (len(figures) == 4 and language in _FOUR_TOGETHER):
        return figures
    separator = {"fr": _NARROW}.get(language) or str(
        _locale(language).number_symbols["latn"]["group"]
    )
    groups = [figures[-3:]]
    rest = figures[:-3]
    size = 2 if language == "hi" else 3
    while rest:
        groups.append(rest[-size:])
        rest = rest[:-size]
    return separator.join(reversed(groups))


def _percent_written(text: str, source: str, target: str) -> str:
    figures = text.rstrip("%").strip()
    number = _number_written(figures, source, target) or figures
    pattern = str(_locale(target).percent_formats[None].pattern)
    return f"{number}{_NARROW if pattern[-2] in (' ', chr(160), _NARROW) else ''}%"


def _money_written(text: str, source: str, target: str) -> str:
    found = re.search(rf"{_number(source)}", text)
    assert found is not None
    sign = (text[: found.start()] + text[found.end() :]).strip(" \u00a0\u202f")
    number = _number_written(found[0], source, target) or found[0]
    pattern = str(_locale(target).currency_formats["standard"].pattern).split(";")[0]
    pattern = re.sub("[\u200e\u200f\u061c]", "", pattern)
    if pattern.startswith("¤"):
        # A code or a sign that is a word stands apart.
        apart = pattern[1:2].isspace() or sign[-1:].isalpha()
        return f"{sign}{chr(160) if apart else ''}{number}"
    return f"{number}\u00a0{sign}"


def _time_written(text: str, source: str, target: str) -> str | None:
    del source
    found = re.match(r"(\d{1,2})(?:\D{1,3}(\d\d))?", text)
    if found is None:
        return None
    hour, minute = int(found[1]), found[2] or ""
    half = re.search(r"([ap])\.?m", text, re.IGNORECASE)
    if half is not None and not 1 <= hour <= 12:
        return None
    if half is not None:
        hour = hour % 12 + (12 if half[1].lower() == "p" else 0)
    if target in _HALVES:
        if half is None and hour < 13:
            return f"{hour}:{minute or '00'}"  # morning or afternoon was not said
        said = _HALVES[target][hour >= 12]
        shown = hour % 12 or 12
        return f"{shown}:{minute} {said}" if minute not in {"", "00"} else f"{shown} {said}"
    short, long = _CLOCK_24.get(target, ("{h}:00", "{h}:{m}"))
    pattern = long if minute not in {"", "00"} else short
    return pattern.format(h=hour, m=minute)


def _day_written(text: str, source: str, target: str) -> str | None:
    months = spelled.months(source)
    low = text.lower()
    name = next((each for each in sorted(months, key=len, reverse=True) if each in low), None)
    if name is None:
        return None
    figures = [int(each) for each in re.findall(r"\d+", western(low.replace(name, " ")))]
    if not figures or not 1 <= figures[0] <= 31:
        return None
    year = figures[1] if len(figures) > 1 else None
    try:
        day = date(year or 2024, months[name], figures[0])
    except ValueError:
        return None
    if year:
        written = format_date(day, "long", locale=_locale(target))
    else:
        written = format_skeleton("MMMMd", day, locale=_locale(target))
    if target == "fr" and figures[0] == 1:
        written = re.sub(r"^1\b", "1er", written)
    return western(written)


Writer = Callable[[str, str, str], str | None]
_WRITERS: dict[str, Writer] = {
    "monthday": _day_written,
    "day": _day_written,
    "money": _money_written,
    "time": _time_written,
    "percent": _percent_written,
    "number": _number_written,
}


@functools.lru_cache(maxsize=16)
def _locale(language: str) -> Locale:
    return Locale.parse(language)
