"""Numbers, times, dates and money in English text, as French and Spanish write and say them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from vivavoce.sandbox.dictionary import Language, dictionary

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: value for value, word in enumerate(_UNITS)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_FIGURES = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d\d))?(am|pm|a\.m\.|p\.m\.|a\.m|p\.m)?")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")
_SIGNS = {"$": "$", "€": "€", "£": "£"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was found.

    Attributes:
        count: How many tokens it takes.
        text: What is written for it.
        kind: "number", "money", "time", "date" or "percent".
        value: What it is worth; dates and times have none.
    """

    count: int
    text: str
    kind: str
    value: float = 0


def find(words: Sequence[str], language: Language) -> Number | None:
    """Return the number that some words begin with, the longest; None where there is none.

    Args:
        words: Lower-case tokens from a place on.
        language: Of the translation.
    """
    return (
        _date(words, language)
        or _time(words, language)
        or _money(words, language)
        or _percent(words, language)
        or _plain(words, language)
    )


def figures(text: str, language: Language) -> str:
    """Write English figures with the signs of another language: 1,234.5 is 1 234,5."""
    whole, point, fraction = text.replace(",", "").partition(".")
    if len(whole) > (3 if language == "fr" else 4):
        separator = "\u202f" if language == "fr" else "."
        groups = []
        while whole:
            groups.append(whole[-3:])
            whole = whole[:-3]
        whole = separator.join(reversed(groups))
    return whole + ("," + fraction if point else "")


@functools.lru_cache(maxsize=1024)
def spelled(value: int, language: Language, *, feminine: bool = False) -> str:
    """Spell a number out; "une" and "una" where it counts something feminine."""
    from unicode_rbnf import FormatPurpose, RbnfEngine

    engine = RbnfEngine.for_language(language)
    text = engine.format_number(value, FormatPurpose.CARDINAL).text
    text = text.replace("\u00ad", "")
    if feminine:
        return re.sub(r"\bun$", "une" if language == "fr" else "una", text.replace("uno", "un"))
    if language == "es" and text.endswith("uno"):
        return text[:-1] if value != 21 else "veintiún"
    return text


def value_of(words: Sequence[str]) -> tuple[int, int] | None:
    """Read English number words: how many they are, and their value."""
    if "-" in words[0]:
        ten, _, unit = words[0].partition("-")
        if ten in _TENS and 0 < _VALUES.get(unit, 0) < 10:
            rest = value_of([ten, unit, *words[1:]])
            return None if rest is None else (rest[0] - 1, rest[1])
        return None
    total = current = 0
    taken = 0
    last = ""
    for place, word in enumerate(words):
        if word in _VALUES:
            if last == "unit" or (last == "ten" and not 0 < _VALUES[word] < 10):
                break
            current += _VALUES[word]
            last = "ten" if word in _TENS else "unit"
        elif word == "hundred" and (taken or _next_is_hundred(words)):
            current = (current or 1) * 100
            last = "hundred"
        elif word in _SCALES and taken:
            total += (current or 1) * _SCALES[word]
            current, last = 0, "scale"
        elif word == "and" and last in {"hundred", "scale"} and place + 1 < len(words):
            if words[place + 1] not in _VALUES:
                break
            continue
        else:
            break
        taken = place + 1
    return (taken, total + current) if taken else None


def _next_is_hundred(words: Sequence[str]) -> bool:
    return words[0] == "hundred"


def _plain(words: Sequence[str], language: Language) -> Number | None:
    head = words[0]
    if _FIGURES.fullmatch(head):
        following = words[1] if len(words) > 1 else ""
        plain = float(head.replace(",", ""))
        if following in {"million", "billion"}:
            name = {"million": ("million", "millón"), "billion": ("milliard", "mil millón")}
            word = name[following][language == "es"]
            many = plain >= 2
            word = word.replace("ón", "ones") if language == "es" and many else word + "s" * many
            return Number(2, f"{figures(head, language)} {word} de", "number", plain * 10**6)
        # Years and codes keep their figures together.
        year = head.isdigit() and len(head) == 4
        return Number(1, head if year else figures(head, language), "number", plain)
    found = value_of(words)
    if found is None:
        return None
    count, value = found
    if value == 1 and count == 1:
        return None  # "one" is an article or a pronoun
    return Number(count, spelled(value, language), "number", value)


def _money(words: Sequence[str], language: Language) -> Number | None:
    sign, rest = words[0][:1], words[0][1:]
    if sign in _SIGNS and _FIGURES.fullmatch(rest):
        return Number(1, f"{figures(rest, language)} {sign}", "money", float(rest.replace(",", "")))
    return None


def _percent(words: Sequence[str], language: Language) -> Number | None:
    head = words[0].removesuffix("%")
    following = words[1] if len(words) > 1 else ""
    if words[0].endswith("%") and _FIGURES.fullmatch(head):
        return Number(1, f"{figures(head, language)} %", "percent", float(head.replace(",", "")))
    if following == "percent":
        found = _plain(words, language)
        if found is not None and found.count == 1:
            return Number(
                2,
                f"{found.text} {'pour cent' if language == 'fr' else 'por ciento'}",
                "percent",
                found.value,
            )
    return None


def _time(words: Sequence[str], language: Language) -> Number | None:
    for reader in (_past_the_hour, _o_clock, _figures_of_time):
        if found := reader(words, language):
            return found
    head = words[0]
    if head in {"noon", "midday"}:
        return Number(1, "midi" if language == "fr" else "mediodía", "noon")
    if head == "midnight":
        return Number(1, "minuit" if language == "fr" else "medianoche", "noon")
    return None


def _hour(value: int, language: Language) -> str:
    if language == "fr":
        return {0: "minuit", 12: "midi"}.get(
            value
        ) or f"{spelled(value, 'fr', feminine=True)} heure" + ("s" if value > 1 else "")
    return f"{'la' if value == 1 else 'las'} {spelled(value, 'es', feminine=True)}"


def _past_the_hour(words: Sequence[str], language: Language) -> Number | None:
    joined = " ".join(words[:5])
    match = re.match(r"(?:a )?(half|quarter|ten|five|twenty) (past|to) (\w+)", joined)
    if match is None:
        return None
    hour = int(match[3]) if match[3].isdigit() else _VALUES.get(match[3], 0)
    if not 1 <= hour <= 12 or (match[1] == "half" and match[2] == "to"):
        return None
    count = len(match[0].split())
    if match[2] == "to":
        minutes = {"quarter": ("moins le quart", "menos cuarto")}
        less = minutes.get(match[1]) or tuple(
            f"{sign} {spelled(_VALUES[match[1]], to)}"
            for sign, to in (("moins", "fr"), ("menos", "es"))
        )
        return Number(count, f"{_hour(hour, language)} {less[language == 'es']}", "time")
    more = {"half": ("et demie", "y media"), "quarter": ("et quart", "y cuarto")}.get(match[1])
    if more is None:
        amount = _VALUES[match[1]]
        more = (spelled(amount, "fr"), f"y {spelled(amount, 'es')}")
    return Number(count, f"{_hour(hour, language)} {more[language == 'es']}", "time")


def _o_clock(words: Sequence[str], language: Language) -> Number | None:
    if len(words) < 2 or words[1] not in {"o'clock", "o’clock"}:
        return None
    hour = int(words[0]) if words[0].isdigit() else _VALUES.get(words[0], 0)
    return Number(2, _hour(hour, language), "time") if 1 <= hour <= 12 else None


_HALVES = {"am": "am", "a.m.": "am", "a.m": "am", "pm": "pm", "p.m.": "pm", "p.m": "pm"}


def _figures_of_time(words: Sequence[str], language: Language) -> Number | None:
    match = _CLOCK.fullmatch(words[0])
    if match is None or (match[2] and "." in words[0].split(match[2])[0] and not match[3]):
        return None
    count, half = 1, _HALVES.get(match[3] or "")
    if half is None and len(words) > 1 and words[1] in _HALVES:
        count, half = 2, _HALVES[words[1]]
    if half is None and match[2] is None:
        return None
    hour, minute = int(match[1]), match[2] or "00"
    if hour > (12 if half else 24) or int(minute) > 59:
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if language == "fr":
        return Number(count, f"{hour} h" + (f" {minute}" if minute != "00" else ""), "time")
    shown = f"{hour}:{minute}"
    return Number(count, f"{'la' if hour == 1 else 'las'} {shown}", "time")


def _date(words: Sequence[str], language: Language) -> Number | None:
    book = dictionary()

    def month(word: str) -> str:
        reading = book.find(word, "month")
        return "" if reading is None else reading.entry.of(language).text

    start = 1 if words[0] == "the" else 0
    if len(words) < start + 2:
        return None
    first, second = words[start], words[start + 1]
    day = _day(first)
    if day and second == "of" and len(words) > start + 2 and month(words[start + 2]):
        count, name = start + 3, month(words[start + 2])
    elif day and month(second) and (start or _ORDINAL.fullmatch(first) or first.isdigit()):
        count, name = start + 2, month(second)
    elif (not start and month(first) and first != "may" and _day(second)) or (
        not start and first == "may" and _day(second)
    ):
        day, count, name = _day(second), 2, month(first)
    else:
        return None
    year = ""
    rest = [word for word in words[count : count + 2] if word != ","]
    if rest and re.fullmatch(r"(?:1[89]|20)\d\d", rest[0]):
        year = rest[0]
        count += list(words[count : count + 2]).index(year) + 1
    if language == "fr":
        text = f"{'1er' if day == 1 else day} {name}" + (f" {year}" if year else "")
    else:
        text = f"{day} de {name}" + (f" de {year}" if year else "")
    return Number(count, text, "date")


def _day(word: str) -> int:
    match = _ORDINAL.fullmatch(word)
    if match is not None or word.isdigit():
        value = int(match[1] if match else word)
        return value if 1 <= value <= 31 else 0
    return _ORDINALS.get(word, 0)


_ORDINALS = {
    word: number
    for number, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
        " thirteenth"
        " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first"
        " twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh"
        " twenty-eighth twenty-ninth thirtieth thirty-first".split(),
        1,
    )
}
