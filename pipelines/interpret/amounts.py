"""Amounts: the numbers of a text by their value, in figures and in words, of nine languages.

What is read is compared with a translation's: numbers must not get lost. It is lenient where
languages differ (times of day, "one", ordinals) and where a word is something else as well
(French "neuf"): a doubt costs a second request. Pure.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from vivavoce.agent import numerals
from vivavoce.pipelines import spelled
from vivavoce.pipelines.lexicon import LEXICONS

_READ = frozenset({"en", "fr", "es", "de"})
# Words that are numbers only among other numbers.
_DOUBTFUL = {
    "en": {"second", "o", "oh", "nil", "double", "triple"},
    "fr": {"neuf", "second", "seconde", "double", "un", "une"},
    "es": {"segundo", "segunda", "cuarto", "cuarta", "doble", "un", "una", "uno"},
    "de": {"acht", "ein", "eine", "einen", "eins"},
    "it": {"sei", "un", "uno", "una"},
    "pt": {"um", "uma"},
    "nl": {"een", "één"},
    "hi": {"दो", "एक", "सौ"},
    "ar": {"واحد"},
}
_JOINS = {"en": {"and"}, "fr": {"et"}, "es": {"y"}, "de": {"und"}, "pt": {"e"}, "ar": {"و"}}
_SCALES = {
    "en": {"million": 10**6, "millions": 10**6, "billion": 10**9, "billions": 10**9},
    "fr": {"million": 10**6, "millions": 10**6, "milliard": 10**9, "milliards": 10**9},
    "es": {"millón": 10**6, "millones": 10**6, "billón": 10**12, "billones": 10**12},
    "de": {"million": 10**6, "millionen": 10**6, "milliarde": 10**9, "milliarden": 10**9},
    "it": {"milione": 10**6, "milioni": 10**6, "miliardo": 10**9, "miliardi": 10**9, "mila": 1000},
    "pt": {"milhão": 10**6, "milhões": 10**6, "bilhão": 10**9, "bilhões": 10**9, "mil": 1000},
    "nl": {"miljoen": 10**6, "miljard": 10**9, "duizend": 1000},
    "hi": {"हज़ार": 1000, "हजार": 1000, "लाख": 10**5, "करोड़": 10**7, "मिलियन": 10**6},
    "ar": {"مليون": 10**6, "ملايين": 10**6, "مليار": 10**9, "ألف": 1000, "آلاف": 1000},
}  # fmt: skip
# Times in words: the hour is a group, and how many minutes are added to it.
_SPOKEN = {
    "en": (
        (r"half past (\w+)", 30), (r"(?:a )?quarter past (\w+)", 15),
        (r"(?:a )?quarter to (\w+)", -15),
    ),
    "fr": (
        (r"(\w+) heures? et demie?", 30), (r"(\w+) heures? et quart", 15),
        (r"(\w+) heures? moins le quart", -15),
    ),
    "es": (
        (r"las? (\w+) y media", 30), (r"las? (\w+) y cuarto", 15),
        (r"las? (\w+) menos cuarto", -15),
    ),
    "de": ((r"halb (\w+)", -30), (r"viertel nach (\w+)", 15), (r"viertel vor (\w+)", -15)),
    "nl": ((r"half (\w+)", -30), (r"kwart over (\w+)", 15), (r"kwart voor (\w+)", -15)),
    "it": (
        (r"le (\w+) e mezza", 30), (r"le (\w+) e un quarto", 15),
        (r"le (\w+) meno un quarto", -15),
    ),
    "pt": ((r"às (\w+) e meia", 30),),
}  # fmt: skip
_CLOCK = re.compile(
    r"(?<![\d.,:])(\d{1,2})(?:\s?h\s?|:)(\d\d)(?!\d)(\s?[ap]\.?m\b\.?)?"
    r"|(?<![\d.,:])(\d{1,2})(?:\s?([ap])\.?m\b\.?|\s?(?:h|heures?|Uhr|uur|o'clock)(?!\w))",
    re.IGNORECASE,
)
_NOON = {"noon", "midday", "midi", "mediodía", "mittags", "mezzogiorno"}
_LONGEST_NAME = 6
"""Words of the name of a number."""
_LONGEST_RUN = 16
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_DIGITS = re.compile(r"\d[\d.,\u066b\u066c\u00a0\u202f' ]*\d|\d")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number in a text.

    Attributes:
        value: What it is worth; of a time of day, minutes since midnight, by twelve hours.
        said: In figures.
        time: It is a time of day.
        needed: It must be in a translation.
        words: How it was said, where it was in words.
    """

    value: Fraction
    said: str
    time: bool = False
    needed: bool = True
    words: str = ""


def western(text: str) -> str:
    """Return a text with the figures 0 to 9 in the place of those of other scripts."""
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() and not char.isascii() else char
        for char in text
    )


def missing(said: str, source: str, translation: str, target: str) -> list[str]:
    """List the numbers of a text that are not in its translation; see `rendering.check`."""
    wanted = [amount for amount in amounts(said, source) if amount.needed]
    if not wanted:
        return []
    there = amounts(translation, target)
    left = Counter(_keys(there))
    lost = []
    for amount in wanted:
        found = next((key for key in _meanings(amount) if left[key] > 0), None)
        if found is None:
            lost.append(amount)
        else:
            left[found] -= 1
    # One that was left in the other language is there; that it is, is another fault.
    copied = {word[0].lower() for word in _WORD.finditer(translation)}
    lost = [each for each in lost if not each.words or not copied.issuperset(each.words.split())]
    # A number that is spelled out figure by figure is another number, in figures.
    told = "".join(amount.said for amount in amounts(said, source))
    written = "".join(amount.said for amount in there)
    if lost and len(told) > 2 and told in written:
        return []
    return [amount.said for amount in lost]


def _keys(there: list[Amount]) -> Iterator[tuple[bool, Fraction]]:
    for amount in there:
        yield (amount.time, amount.value)


def _meanings(amount: Amount) -> Iterator[tuple[bool, Fraction]]:
    """Give what may stand for an amount in a translation, the likeliest first."""
    yield (amount.time, amount.value)
    if amount.time:
        hours, minutes = divmod(int(amount.value), 60)
        if not minutes:
            yield (False, Fraction(hours or 12))
            yield (False, Fraction(hours + 12))
        return
    if amount.value.denominator == 1 and 0 < amount.value <= 24:
        yield (True, Fraction(int(amount.value) % 12 * 60))
    if 1000 < amount.value < 2100 and amount.value.denominator == 1:
        yield (False, amount.value % 100)  # "les années 90"


def amounts(text: str, language: str) -> list[Amount]:
    """Return the numbers of a text, in their order; times of day come first.

    Args:
        text: Words and figures.
        language: One of `LEXICONS`.
    """
    text = western(text)
    found, text = _times(text, language)
    rest: list[tuple[int, Amount]] = []
    masked = list(text)
    for match in _DIGITS.finditer(text):
        rest += [(match.start(), amount) for amount in _figures(match, text, language)]
        masked[match.start() : match.end()] = "0" * (match.end() - match.start())
    rest += _spelled_out("".join(masked), language)
    return found + [amount for _, amount in sorted(rest, key=lambda each: each[0])]


def _times(text: str, language: str) -> tuple[list[Amount], str]:
    found: list[Amount] = []

    def taken(match: re.Match[str]) -> str:
        hour = int(match[1] or match[4])
        minute = int(match[2] or 0)
        if hour > 24 or minute > 59:
            return match[0]
        found.append(_time(hour, minute))
        return " " * len(match[0])

    def spoken(match: re.Match[str], minutes: int) -> str:
        hours = [int(each) for each in _numbers(match[1], language) if each.isdigit()]
        if len(hours) != 1 or not 0 < hours[0] <= 24:
            return match[0]
        found.append(_time(hours[0], minutes))
        return " " * len(match[0])

    text = _CLOCK.sub(taken, text)
    for pattern, minutes in _SPOKEN.get(language, ()):
        text = re.sub(
            rf"(?<!\w){pattern}(?!\w)",
            lambda match, more=minutes: spoken(match, more),  # type: ignore[misc]
            text,
            flags=re.IGNORECASE,
        )
    return found, text


def _time(hour: int, minute: int) -> Amount:
    total = (hour * 60 + minute) % 720
    return Amount(Fraction(total), f"{hour}:{minute % 60:02d}", time=True)


def _figures(match: re.Match[str], text: str, language: str) -> list[Amount]:
    """Read figures, grouped by whichever signs the language has."""
    words = LEXICONS[language]
    separators, decimal = re.escape(words.thousands + "'"), re.escape(words.decimal)
    number = rf"\d{{1,3}}(?:[{separators}]\d{{2,3}})+(?:{decimal}\d+)?(?!\d)|\d+(?:{decimal}\d+)?"
    listed = []
    for part in re.finditer(number, match[0]):
        whole, _, fraction = part[0].partition(words.decimal)
        plain = "".join(char for char in whole if char.isdecimal())
        value = Fraction(int(plain)) + (
            Fraction(int(fraction), 10 ** len(fraction)) if fraction else 0
        )
        shown = plain + (f".{fraction}" if fraction else "")
        after = _WORD.match(text, match.end() + (text[match.end() : match.end() + 1] == " "))
        scale = _SCALES[language].get(after[0].lower()) if after else None
        if scale is not None and part.end() == len(match[0]):
            value *= scale
        listed.append(Amount(value, shown, needed=value != 1))
    return listed


def _spelled_out(text: str, language: str) -> list[tuple[int, Amount]]:
    """Read number words; runs of them are one number or several."""
    listed: list[tuple[int, Amount]] = []
    words = list(_WORD.finditer(text))
    at = 0
    while at < len(words):
        end, values = _run(words, at, language)
        if end == at:
            if (value := _ordinal(words[at][0], language)) is not None:
                listed.append(
                    (words[at].start(), Amount(Fraction(value), str(value), needed=False))
                )
            at += 1
            continue
        run = [word[0].lower() for word in words[at:end]]
        doubtful = len(run) == 1 and run[0] in _DOUBTFUL[language]
        scale = _SCALES[language].get(words[end][0].lower()) if end < len(words) else None
        for place, each in enumerate(values):
            value = int(each) * (scale if scale and place == len(values) - 1 else 1)
            needed = not doubtful and value != 1
            amount = Amount(Fraction(value), str(value), needed=needed, words=" ".join(run))
            listed.append((words[at].start(), amount))
        at = end + (scale is not None)
    return listed


def _run(words: list[re.Match[str]], at: int, language: str) -> tuple[int, list[str]]:
    """Return where a run of number words ends, and the numbers that it is."""
    end = at
    joins = _JOINS.get(language, set())
    low = [word[0].lower() for word in words[at : at + _LONGEST_RUN]]
    while end - at < len(low):
        here = end - at
        if taken := _numeral(low[here:], language):
            end += taken
        elif low[here] in joins and end > at and _numeral(low[here + 1 :], language):
            end += 1
        else:
            break
    return end, (_numbers(" ".join(low[: end - at]), language) if end > at else [])


def _numeral(words: list[str], language: str) -> int:
    """Return how many words from here on are the name of a number; 0 where none are."""
    if not words or words[0] in {"o", "oh"}:
        return 0
    if language in _READ and numerals.numbers(words[0], language):
        return 1
    table = _table(language)
    longest = 1 if language in _READ else min(_LONGEST_NAME, len(words))
    return next((n for n in range(longest, 0, -1) if " ".join(words[:n]) in table), 0)


@functools.lru_cache(maxsize=4096)
def _numbers(words: str, language: str) -> list[str]:
    found: list[str] = []
    if language in _READ:
        found = numerals.numbers(words, language)
        hundreds = language == "en" and words.endswith(" hundred") and found[-1:] == ["100"]
        if hundreds and len(found) > 1 and 10 < int(found[-2]) < 100:
            found[-2:] = [found[-2] + "00"]  # "fifteen hundred"
        if found:
            return found
    table = _table(language)
    tokens = words.split()
    at = 0
    while at < len(tokens):
        for count in range(min(_LONGEST_NAME, len(tokens) - at), 0, -1):
            value = table.get(" ".join(tokens[at : at + count]))
            if value is not None:
                if (
                    found
                    and 100 <= int(found[-1]) < 1000
                    and int(found[-1]) % 100 == 0 > value - 100
                ):
                    value += int(found.pop())  # "cento venti"
                found.append(str(value))
                at += count
                break
        else:
            at += 1
    return found


@functools.cache
def _table(language: str) -> dict[str, int]:
    """Return the names of the numbers, by CLDR's rules of spelling them out."""
    table: dict[str, int] = {}
    numbers = [*range(101), *range(110, 1000, 10), *range(125, 1000, 25), *range(1000, 10_000, 500)]
    for value in [*numbers, *range(101, 110)]:
        for gender in ("", "m", "f"):
            text = spelled.cardinal(language, value, gender)
            plain = re.sub("[\u00ad\u200b]", "", text).replace("-", " ")
            table.setdefault(plain, value)
    return table


@functools.cache
def _ordinals(language: str) -> dict[str, int]:
    table: dict[str, int] = {}
    for value in range(1, 32):
        for gender in ("m", "f"):
            text = spelled.ordinal(language, value, gender)
            table.setdefault(re.sub("[\u00ad\u200b]", "", text).lower(), value)
    return table


def _ordinal(word: str, language: str) -> int | None:
    return _ordinals(language).get(word.lower())
