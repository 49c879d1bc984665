"""Everything in an utterance that could be a number, date, time, sum, phone number or address."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, Literal

from vivavoce.sandbox.brain_numbers import HOMOPHONES, digit_run, number_at, ordinal_at, plain
from vivavoce.sandbox.brain_when import after, date_at, duration_at, time_at
from vivavoce.sandbox.brain_words import Utterance, bag, listen

ValueKind = Literal[
    "number", "ordinal", "money", "percent", "date", "time", "moment", "duration", "phone",
    "code", "email",
]  # fmt: skip

_CURRENCY = bag(
    "euro euros dollar dollars pound pounds quid bucks francs franc yen pesos rupees € $ £"
)
_CENTS = bag("cent cents pence penny")
_TLD = bag("com org net fr uk de es it eu io ai edu gov co ch be nl info")
_CORRECTION = (
    ("i", "mean"), ("i", "meant"), ("make", "that"), ("make", "it"), ("sorry",), ("actually",),
    ("no",), ("rather",), ("correction",), ("scratch", "that"), ("wait",),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A possible value.

    Attributes:
        start: First token.
        end: One past the last token.
        kind: What it is.
        value: int or float for numbers, money and percent; `date`, `time`, `datetime`; seconds
            for a duration; str for phone, code and e-mail.
        weight: 0 to 1, how surely the words mean this.
        later: True when the words follow a self-correction ("four, no, five").
    """

    start: int
    end: int
    kind: ValueKind
    value: Any
    weight: float
    later: bool = False


def find_values(heard: Utterance, *, now: datetime, late: bool | None = None) -> tuple[Found, ...]:
    """All possible values, overlapping ones included: who needs which decides.

    Args:
        heard: The utterance.
        now: What relative dates refer to.
        late: Whether an hour without am or pm means the evening; see `brain_when.time_at`.
    """
    return _find_values(heard.raw, now, late)


@lru_cache(maxsize=256)
def _find_values(text: str, now: datetime, late: bool | None) -> tuple[Found, ...]:
    # Routing and every tool that is tried read the same utterance.
    heard, out = listen(text), list[Found]()
    words = heard.words
    mended = correction_at(words)

    def add(start: int, end: int, kind: ValueKind, value: Any, weight: float) -> None:
        later = mended is not None and start >= mended
        out.append(Found(start, end, kind, value, weight, later))

    skip: dict[str, int] = {}  # per kind: do not begin again inside what was read
    for i in range(len(words)):
        if i >= skip.get("date", 0) and (day := date_at(words, i, now.date())) is not None:
            add(i, day[0], "date", day[1], day[2])
            skip["date"] = day[0]
        if i >= skip.get("duration", 0) and (span := duration_at(words, i)) is not None:
            add(i, span[0], "duration", span[1], 0.95)
            skip["duration"] = span[0]
            if i and words[i - 1] == "in":
                add(i - 1, span[0], "moment", after(now, span[1]), 1.0)
        if i >= skip.get("time", 0) and (clock := time_at(words, i, late=late)) is not None:
            add(i, clock[0], "time", clock[1], clock[2])
            skip["time"] = clock[0]
        if i >= skip.get("code", 0) and (run := digit_run(words, i)) is not None:
            size = len(run[1].lstrip("+"))
            if size >= 3 or (size and words[i].isdecimal()):
                add(i, run[0], "code", run[1], min(1.0, 0.4 + 0.15 * (run[0] - i)))
                skip["code"] = run[0]
            if size >= 6:
                add(i, run[0], "phone", run[1], 1.0)
        if i >= skip.get("number", 0):
            end = _numeric(heard, i, add)
            skip["number"] = end
        if (rank := ordinal_at(words, i)) is not None:
            add(i, rank[0], "ordinal", rank[1], 0.6)
        if words[i : i + 2] == ("for", "for"):
            add(i + 1, i + 2, "number", 4, 0.8)
    out += _emails(heard, mended)
    return tuple(out)


def _numeric(heard: Utterance, i: int, add: Any) -> int:
    """Numbers, money, percent at token `i`; the token where the next number may begin."""
    words = heard.words
    if words[i] in {"€", "$", "£"} and i + 1 < len(words):
        got = number_at(words, i + 1)
        if got is not None:
            add(i, got[0], "money", plain(got[1]), 1.0)
            return got[0]
    got = number_at(words, i)
    if got is None:
        return i
    # Two numbers parted by punctuation are not one: "twenty, five".
    end, value = got[0], plain(got[1])
    if any(heard.tokens[k].stop for k in range(i, end - 1)):
        short = number_at(words[: i + 1], i)
        end, value = short if short is not None else got
    add(i, end, "number", value, 0.7 if words[i] in {"one", "a"} and end == i + 1 else 1.0)
    follows = words[end] if end < len(words) else ""
    if follows in _CURRENCY:
        stop, total = end + 1, float(value)
        cents = stop + 1 if stop < len(words) and words[stop] == "and" else stop
        more = number_at(words, cents) if cents < len(words) else None
        if more is not None and 0 < more[1] < 100:
            named = more[0] < len(words) and words[more[0]] in _CENTS
            if named or cents == stop:
                stop, total = more[0] + named, total + more[1] / 100
        add(i, stop, "money", plain(total), 1.0)
        return stop
    if follows in _CENTS:
        add(i, end + 1, "money", plain(value / 100), 1.0)
    if follows in {"percent", "%"} or words[end : end + 2] == ("per", "cent"):
        add(i, end + 1, "percent", value, 1.0)
    return end


def _emails(heard: Utterance, mended: int | None) -> list[Found]:
    """Addresses, written or spoken: `john dot smith at example dot com`."""
    words, out = heard.words, []
    for i, word in enumerate(words):
        if "@" in word:
            out.append(Found(i, i + 1, "email", word, 1.0, mended is not None and i >= mended))
        if word != "at" or i == 0:
            continue
        end, domain = i + 1, ""
        while end < len(words) and re.fullmatch(r"[a-z0-9.]+", words[end]):
            if words[end] == "dot" and domain and end + 1 < len(words):
                domain, end = f"{domain}.{words[end + 1]}", end + 2
                continue
            if domain:
                break
            domain, end = words[end], end + 1
        # The recogniser may have joined it already: "gmail.com" arrives as three tokens.
        if "." not in domain and heard.raw[heard.tokens[i].end :]:
            joined = re.match(
                r"\s*([a-z0-9-]+(?:\.[a-z0-9-]+)+)", heard.raw[heard.tokens[i].end :], re.IGNORECASE
            )
            if joined is not None:
                domain = joined[1].lower()
                limit = heard.tokens[i].end + joined.end()
                end = next((k for k, t in enumerate(heard.tokens) if t.start >= limit), len(words))
        if "." not in domain or domain.rsplit(".", 1)[-1] not in _TLD:
            continue
        start, local = i, ""
        while start > 0:
            piece = {"dot": ".", "underscore": "_", "dash": "-", "hyphen": "-"}.get(
                words[start - 1]
            )
            if piece is None:
                if (
                    local
                    and local[0] not in "._-"
                    and not (len(words[start - 1]) == 1 and len(local) < 40)
                ):
                    break
                if words[start - 1] in {"is", "it's", "address", "to", "mail", "email", "e"}:
                    break
                number = number_at(words[:start], start - 1)
                piece = str(plain(number[1])) if number is not None else words[start - 1]
            local, start = piece + local, start - 1
        if local.strip("._-"):
            later = mended is not None and start >= mended
            out.append(Found(start, end, "email", f"{local}@{domain}", 1.0, later))
    return out


def correction_at(words: tuple[str, ...]) -> int | None:
    """Where a self-correction's new words begin, None without one: `four, no | five`."""
    best = None
    for i in range(len(words)):
        for mark in _CORRECTION:
            if words[i : i + len(mark)] == mark and i + len(mark) < len(words):
                best = i + len(mark)
    return best


def lone_number(heard: Utterance) -> Found | None:
    """A number misheard as a short word (`for`, `ate`), when nothing else was said."""
    meaning = [(i, w) for i, w in enumerate(heard.words) if w in HOMOPHONES]
    if len(heard.words) > 3 or not meaning:
        return None
    at, word = meaning[-1]
    return Found(at, at + 1, "number", HOMOPHONES[word], 0.5)


def joined(day: date, clock: time, now: datetime) -> str:
    """ISO 8601 date-time without seconds' fractions, in `now`'s zone when it has one."""
    return datetime.combine(day, clock, tzinfo=now.tzinfo).isoformat()
