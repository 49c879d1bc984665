"""Dates, times and durations as callers say them, relative to a given now."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from vivavoce.sandbox.brain_numbers import digits, number_at, ordinal_at
from vivavoce.sandbox.brain_words import row

WEEKDAYS = {
    name: i
    for i, name in enumerate(row("monday tuesday wednesday thursday friday saturday sunday"))
}
_MONTHS = {
    name: i
    for i, name in enumerate(
        row(
            "january february march april may june july august september october november december"
        ),
        1,
    )
}
_SHORT = {n[:3]: i for n, i in _MONTHS.items()} | {"sept": 9}
UNITS = {
    "second": 1, "minute": 60, "min": 60, "hour": 3600, "day": 86400, "night": 86400,
    "week": 604800, "fortnight": 1209600, "month": 2592000, "year": 31536000,
}  # fmt: skip
"""Seconds in each unit; a month counts 30 days, a year 365."""
_MOST = 315360000.0  # ten years, s: beyond it the words were misheard
DAYPARTS = {"morning": False, "afternoon": True, "evening": True, "night": True, "tonight": True}
_FEASTS = {
    ("christmas", "eve"): (12, 24), ("christmas", "day"): (12, 25), ("christmas",): (12, 25),
    ("new", "year's", "eve"): (12, 31), ("new", "year's", "day"): (1, 1),
    ("valentine's", "day"): (2, 14), ("halloween",): (10, 31),
}  # fmt: skip


def shift(day: date, days: int) -> date:
    """`day` plus `days`, held inside the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return day


def date_at(words: Sequence[str], i: int, today: date) -> tuple[int, date, float] | None:
    """Read a date that begins at word `i`.

    A weekday means its next occurrence, never today unless said with `this`; `next friday`
    means the Friday of the coming week (weeks begin on Monday). A date without a year lies
    within the next twelve months.

    Returns:
        One past the last token, the date and a weight from 0 to 1 (how surely it is a date),
        or None.
    """
    word = words[i]
    following = tuple(words[i : i + 4])
    if following == ("the", "day", "after", "tomorrow"):
        return i + 4, shift(today, 2), 1.0
    if following[:3] == ("day", "after", "tomorrow"):
        return i + 3, shift(today, 2), 1.0
    near = {"today": 0, "tonight": 0, "tomorrow": 1, "tomorrow's": 1, "yesterday": -1}.get(word)
    if near is not None:
        return i + 1, shift(today, near), 1.0
    if following[:2] == ("this", "weekend") or following[:2] == ("the", "weekend"):
        return i + 2, shift(today, (5 - today.weekday()) % 7), 0.9
    if following[:2] == ("next", "week"):
        return i + 2, shift(today, 7 - today.weekday()), 0.8
    if following[:2] == ("next", "weekend"):
        return i + 2, shift(today, 12 - today.weekday()), 0.9
    for feast, (month, day) in _FEASTS.items():
        if following[: len(feast)] == feast:
            made = _dated(today, month, day)
            return None if made is None else (i + len(feast), made, 0.95)
    return (
        _weekday(words, i, today)
        or _iso(words, i, today)
        or _in_days(words, i, today)
        or _monthly(words, i, today)
    )


def _weekday(words: Sequence[str], i: int, today: date) -> tuple[int, date, float] | None:
    lead, j = words[i], i
    if lead in {"this", "next", "coming"} and i + 1 < len(words):
        j += 1
    day = WEEKDAYS.get(words[j].removesuffix("'s").removesuffix("s"))
    if day is None:
        return None
    ahead = (day - today.weekday()) % 7
    if lead == "next":
        ahead = 7 - today.weekday() + day
    elif ahead == 0 and lead != "this":
        ahead = 7
    j += 1
    if tuple(words[j : j + 2]) == ("next", "week"):
        ahead, j = 7 - today.weekday() + day, j + 2
    elif words[j : j + 1] == ["week"] or tuple(words[j : j + 1]) == ("week",):
        ahead, j = ahead + 7, j + 1
    return j, shift(today, ahead), 1.0


def _iso(words: Sequence[str], i: int, today: date) -> tuple[int, date, float] | None:
    word = words[i]
    if len(word) == 10 and word[4] == "-":
        try:
            return i + 1, date.fromisoformat(word), 1.0
        except ValueError:
            return None
    if "/" in word and word[0].isdigit():
        parts = [int(p) for p in word.split("/")]
        day, month = (parts[1], parts[0]) if parts[1] > 12 else (parts[0], parts[1])
        year = parts[2] + (2000 if parts[2] < 100 else 0) if len(parts) == 3 else None
        made = _dated(today, month, day, year)
        return None if made is None else (i + 1, made, 0.8)
    return None


def _in_days(words: Sequence[str], i: int, today: date) -> tuple[int, date, float] | None:
    if words[i] != "in" or i + 1 >= len(words):
        return None
    got = duration_at(words, i + 1)
    if got is None or got[1] < 86400 or got[1] % 86400:
        return None
    return got[0], shift(today, int(got[1] // 86400)), 1.0


def _monthly(words: Sequence[str], i: int, today: date) -> tuple[int, date, float] | None:
    """`the third of may`, `3 may 2026`, `may the third`, `the third`."""
    count = len(words)
    j = i + 1 if words[i] == "the" else i
    if j >= count:
        return None
    month = _month(words[j])
    if month is not None and j == i:
        k = j + 2 if j + 1 < count and words[j + 1] == "the" else j + 1
        got = _day_number(words, k) if k < count else None
        if got is None:
            return None
        return _with_year(words, got[0], today, month, got[1])
    got = ordinal_at(words, j)
    bare = got is not None
    if got is None:
        got = _day_number(words, j)
    if got is None:
        return None
    k = got[0] + 1 if got[0] < count and words[got[0]] == "of" else got[0]
    month = _month(words[k]) if k < count else None
    if month is not None:
        return _with_year(words, k + 1, today, month, got[1])
    if not bare or words[i] != "the" or got[1] > 31:
        return None
    # "the third" alone: the next such day of a month; weak, for it may be an item of a list.
    for ahead in range(62):
        candidate = shift(today, ahead)
        if candidate.day == got[1]:
            followed = words[got[0]] if got[0] < count else ""
            return got[0], candidate, 0.3 if followed in {"one", "option", "table"} else 0.7
    return None


def _month(word: str) -> int | None:
    return _MONTHS.get(word) or _SHORT.get(word)


def _day_number(words: Sequence[str], i: int) -> tuple[int, int] | None:
    got = ordinal_at(words, i) or number_at(words, i)
    if got is None or got[1] != int(got[1]) or not 1 <= got[1] <= 31:
        return None
    return got[0], int(got[1])


def _with_year(
    words: Sequence[str], end: int, today: date, month: int, day: int
) -> tuple[int, date, float] | None:
    year = None
    if end < len(words):
        said = digits(words[end])
        if isinstance(said, int) and 1900 <= said <= 2200:
            year, end = said, end + 1
        elif words[end] == "twenty" and end + 1 < len(words):
            got = number_at(words, end + 1)
            if got is not None and 20 <= got[1] <= 99 and got[1] == int(got[1]):
                year, end = 2000 + int(got[1]), got[0]
    made = _dated(today, month, day, year)
    return None if made is None else (end, made, 1.0)


def _dated(today: date, month: int, day: int, year: int | None = None) -> date | None:
    try:
        if year is not None:
            return date(year, month, day)
        made = date(today.year, month, day)
        return made if made >= today else date(today.year + 1, month, day)
    except ValueError:
        return None


def time_at(words: Sequence[str], i: int, *, late: bool | None) -> tuple[int, time, float] | None:
    """Read a time of day that begins at word `i`.

    Args:
        words: Lower-case tokens.
        i: Index of the first.
        late: How to read an hour said without am or pm: True, in the evening; False, in the
            morning; None, one to seven in the afternoon and eight to twelve before noon.

    Returns:
        One past the last token, the time and a weight from 0 to 1, or None.
    """
    word, count = words[i], len(words)
    if word in {"noon", "midday"}:
        return i + 1, time(12), 1.0
    if word == "midnight":
        return i + 1, time(0), 1.0
    if ":" in word:
        parts = [int(p) for p in word.split(":")]
        return _meridiem(words, i + 1, parts[0], parts[1], late, 1.0, written=word[0] == "0")
    past = _past(words, i, late)
    if past is not None:
        return past
    got = _hour(words, i)
    if got is None:
        return None
    end, hour = got
    before = words[i - 1] if i else ""
    weight = 0.8 if before in {"at", "around", "by", "about", "till", "until", "from"} else 0.4
    minute = 0
    if end < count:
        oh = words[end] in {"oh", "o", "zero"} and end + 1 < count
        more = number_at(words, end + 1 if oh else end)
        if (
            more is not None
            and more[1] == int(more[1])
            and (
                (0 < more[1] < 10)
                if oh
                else (10 <= more[1] < 60 and not words[end].startswith("0"))
            )
        ):
            end, minute, weight = more[0], int(more[1]), 0.9
    if "." in word and minute == 0:
        return None
    return _meridiem(words, end, hour, minute, late, weight)


def _hour(words: Sequence[str], i: int) -> tuple[int, int] | None:
    got = digits(words[i])
    if got is None:
        one = number_at([words[i]], 0)
        # "twenty two thirty" is 22:30, but "eight thirty" is 8:30.
        if one is not None and words[i] == "twenty":
            one = number_at(words[i : i + 2], 0)
            return None if one is None or one[1] > 24 else (i + one[0], int(one[1]))
        got = one[1] if one is not None else None
    if got is None or got != int(got) or not 0 <= got <= 24:
        return None
    return i + 1, int(got)


def _past(words: Sequence[str], i: int, late: bool | None) -> tuple[int, time, float] | None:
    """`half past seven`, `half seven`, `quarter to nine`, `ten past six`, `twenty to eight`."""
    j = i + 1 if words[i] == "a" else i
    if j + 1 >= len(words):
        return None
    if words[j] == "half":
        k = j + 2 if words[j + 1] == "past" else j + 1
        minute = 30
        got = _hour(words, k) if k < len(words) else None
        return (
            None if got is None or got[1] > 12 else _meridiem(words, got[0], got[1], 30, late, 0.95)
        )
    if words[j] == "quarter":
        k, minute = j + 1, 15
    else:
        said = number_at(words, j)
        if said is None or said[1] != int(said[1]) or not 0 < said[1] < 30:
            return None
        k, minute = said[0], int(said[1])
        if k < len(words) and words[k] in {"minutes", "minute"}:
            k += 1
    if k + 1 >= len(words) or words[k] not in {"past", "after", "to", "before"}:
        return None
    # "two to four" is a range or a route: only round minutes make a clock of "to".
    if words[k] in {"to", "before", "after"} and minute % 5:
        return None
    got = _hour(words, k + 1)
    if got is None or got[1] > 12:
        return None
    hour = got[1]
    if words[k] in {"to", "before"}:
        hour, minute = (hour - 1) % 24 or 12, 60 - minute
    return _meridiem(words, got[0], hour, minute, late, 0.95 if words[j] == "quarter" else 0.85)


def _meridiem(
    words: Sequence[str],
    end: int,
    hour: int,
    minute: int,
    late: bool | None,
    weight: float,
    *,
    written: bool = False,
) -> tuple[int, time, float] | None:
    count = len(words)
    if not 0 <= hour <= 24 or not 0 <= minute < 60:
        return None
    if end < count and words[end] in {"o'clock", "oclock"}:
        end, weight = end + 1, 1.0
    marked: bool | None = None
    if end < count and words[end] in {"am", "pm"}:
        marked, end = words[end] == "pm", end + 1
    elif end + 1 < count and (words[end] in {"a", "p"}) and words[end + 1] == "m":
        marked, end = words[end] == "p", end + 2
    elif tuple(words[end : end + 2]) == ("in", "the") and end + 2 < count:
        if words[end + 2] in DAYPARTS:
            marked, end = DAYPARTS[words[end + 2]], end + 3
    elif tuple(words[end : end + 2]) == ("at", "night"):
        marked, end = True, end + 2
    if marked is not None:
        if not 0 < hour <= 12:
            return None if hour == 0 or not marked else (end, time(hour % 24, minute), 1.0)
        return end, time(hour % 12 + (12 if marked else 0), minute), 1.0
    if 0 < hour < 12 and not written:
        parts = {DAYPARTS[w] for w in words if w in DAYPARTS}
        chosen = parts.pop() if len(parts) == 1 else late
        if chosen or (chosen is None and hour < 8):
            hour += 12
    return end, time(hour % 24, minute), weight


def duration_at(words: Sequence[str], i: int) -> tuple[int, float] | None:
    """Read a length of time (`an hour and a half`, `90 minutes`, `half an hour`) at word `i`.

    Returns:
        One past the last token, and seconds; None when none begins there or it passes ten years.
    """
    count, total, j = len(words), 0.0, i
    while j < count:
        got = _one_duration(words, j)
        if got is None:
            break
        j, total = got[0], total + got[1]
        if tuple(words[j : j + 3]) == ("and", "a", "half"):
            j, total = j + 3, total + got[2] / 2
        if j + 1 < count and words[j] == "and" and _one_duration(words, j + 1):
            j += 1
        if total > _MOST:
            return None
    return (j, total) if j > i else None


def _one_duration(words: Sequence[str], i: int) -> tuple[int, float, float] | None:
    head = tuple(words[i : i + 4])
    if head[:3] == ("half", "an", "hour"):
        return i + 3, 1800.0, 3600.0
    if head[:4] == ("quarter", "of", "an", "hour"):
        return i + 4, 900.0, 3600.0
    j, amount = i, 1.0
    if head[:1] in {("a",), ("an",), ("one",)} and len(head) > 1 and _unit(head[1]):
        j = i + 1
    else:
        got = number_at(words, i)
        if got is None or abs(got[1]) > 1e7:
            return None
        j, amount = got[0], float(got[1])
    unit = _unit(words[j]) if j < len(words) else None
    return None if unit is None or amount < 0 else (j + 1, amount * unit, unit)


def _unit(word: str) -> float | None:
    return UNITS.get(word.removesuffix("s"))


def iso_duration(seconds: float) -> str:
    """ISO 8601 duration: 5400 gives `PT1H30M`."""
    left = round(seconds)
    days, left = divmod(left, 86400)
    hours, left = divmod(left, 3600)
    minutes, secs = divmod(left, 60)
    clock = "".join(f"{n}{u}" for n, u in ((hours, "H"), (minutes, "M"), (secs, "S")) if n)
    whole = f"{days}D" if days else ""
    return f"P{whole}T{clock}" if clock else f"P{whole or 'T0S'}"


def spoken_time(clock: time) -> str:
    """A time for the ear: `7:30 pm`, `noon`."""
    if clock.minute == 0 and clock.hour in {0, 12}:
        return "noon" if clock.hour else "midnight"
    hour = clock.hour % 12 or 12
    minutes = f":{clock.minute:02d}" if clock.minute else ""
    return f"{hour}{minutes} {'pm' if clock.hour >= 12 else 'am'}"


def spoken_date(day: date, today: date | None = None) -> str:
    """A date for the ear: `today`, `tomorrow`, `Friday the 3rd of May`, with the year if far."""
    if today is not None and day == today:
        return "today"
    if today is not None and day == shift(today, 1) != today:
        return "tomorrow"
    ending = "th" if 11 <= day.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    weekday = list(WEEKDAYS)[day.weekday()].capitalize()
    month = list(_MONTHS)[day.month - 1].capitalize()
    year = f" {day.year}" if today is not None and abs((day - today).days) > 330 else ""
    return f"{weekday} the {day.day}{ending} of {month}{year}"


def after(now: datetime, seconds: float) -> datetime:
    """`now` plus seconds, held inside the calendar."""
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return now
