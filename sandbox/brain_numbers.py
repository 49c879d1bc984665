"""Numbers as callers say them: `twenty-five`, `a couple`, `two point five`."""

from collections.abc import Sequence

from vivavoce.sandbox.brain_words import bag, row

ONES = {
    w: i
    for i, w in enumerate(
        row(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
            "fifteen sixteen seventeen eighteen nineteen"
        )
    )
}
TENS = {
    w: 10 * i for i, w in enumerate(row("twenty thirty forty fifty sixty seventy eighty ninety"), 2)
} | {"fourty": 40}
_SCALES = {"hundred": 100, "thousand": 1000, "grand": 1000, "million": 10**6, "billion": 10**9}
_GROUPS = {"couple": 2, "pair": 2, "dozen": 12, "single": 1}
_ORDINALS = {
    w: i
    for i, w in enumerate(
        row(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
            "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
        ),
        1,
    )
} | {"twentieth": 20, "thirtieth": 30}

HOMOPHONES = {
    "for": 4, "fore": 4, "to": 2, "too": 2, "ate": 8, "won": 1, "tree": 3, "free": 3, "sex": 6,
    "sicks": 6, "tin": 10, "fife": 5, "heaven": 7, "tu": 2,
}  # fmt: skip
"""What recognisers write for a lone number; only trusted when a number was asked for."""

# "one" after these is a pronoun: "that one", "the first one".
_PRONOUN_BEFORE = bag(
    "that this the which any no some another other each every first second third last next "
    "cheap cheaper early earlier late later best good big small other"
)


def digits(word: str) -> float | int | None:
    """The number a digit token writes (`1,200.50`), None for anything else or > 15 digits."""
    bare = word.replace(",", "")
    if not bare or not bare[0].isdigit() or not bare.isascii() or len(bare) > 15:
        return None
    if not bare.replace(".", "", 1).isdigit():
        return None
    return float(bare) if "." in bare else int(bare)


def number_at(words: Sequence[str], i: int) -> tuple[int, float | int] | None:
    """Read the longest number that begins at word `i`.

    Args:
        words: Lower-case tokens.
        i: Index of the first one to read.

    Returns:
        One past the last token read, and the value; None when no number begins there.
    """
    start, sign = i, 1
    if words[i] in {"minus", "negative"} and i + 1 < len(words):
        sign, i = -1, i + 1
    got = _half(words, i) or _whole(words, i)
    if got is None:
        return None
    end, value = got
    if words[start] == "one" and end == start + 1 and start and words[start - 1] in _PRONOUN_BEFORE:
        return None
    if end + 1 < len(words) and words[end] == "point":
        tail, j = "", end + 1
        while j < len(words) and (words[j] in ONES or words[j] == "oh" or words[j].isdecimal()):
            tail += "0" if words[j] == "oh" else str(ONES.get(words[j], words[j]))
            j += 1
        if tail.isascii() and 0 < len(tail) <= 12:
            end, value = j, float(f"{int(value)}.{tail}")
    for phrase, extra in ((("and", "a", "half"), 0.5), (("and", "a", "quarter"), 0.25)):
        if tuple(words[end : end + 3]) == phrase:
            end, value = end + 3, value + extra
    return end, sign * value


def _half(words: Sequence[str], i: int) -> tuple[int, float | int] | None:
    head = tuple(words[i : i + 3])
    if head == ("half", "a", "dozen"):
        return i + 3, 6
    if head[:1] == ("a",) and len(head) > 1:
        if head[1] in _GROUPS:
            return i + (3 if head[2:] == ("of",) else 2), _GROUPS[head[1]]
        if head[1] in _SCALES:
            return _scaled(words, i + 1, 1)
    if head[:1] in {("couple",), ("pair",), ("dozen",)}:
        return i + (2 if head[1:2] == ("of",) else 1), _GROUPS[head[0]]
    return None


def _whole(words: Sequence[str], i: int) -> tuple[int, float | int] | None:
    written = digits(words[i])
    if written is not None:
        return _scaled(words, i + 1, written)
    got = _below_hundred(words, i)
    if got is None:
        return None
    return _scaled(words, *got)


def _below_hundred(words: Sequence[str], i: int) -> tuple[int, int] | None:
    if i >= len(words):
        return None
    if words[i] in TENS:
        if i + 1 < len(words) and 0 < ONES.get(words[i + 1], 0) < 10:
            return i + 2, TENS[words[i]] + ONES[words[i + 1]]
        return i + 1, TENS[words[i]]
    return (i + 1, ONES[words[i]]) if words[i] in ONES else None


def _scaled(words: Sequence[str], i: int, value: float | int) -> tuple[int, float | int]:
    """Go on after a first group: `two | thousand three hundred and fifty`."""
    total: float | int = 0
    group = value
    while i < len(words) and i < 400:
        if words[i] in _SCALES:
            scale = _SCALES[words[i]]
            if scale == 100:
                group = (group or 1) * scale
            else:
                total, group = total + (group or 1) * scale, 0
            i += 1
            continue
        j = i + 1 if words[i] == "and" else i
        # "hundred and fifty" goes on; "two and four" and "twenty thirty" are two numbers.
        if words[i - 1] in _SCALES and j < len(words):
            more = _below_hundred(words, j)
            if more is None and (plain := digits(words[j])) is not None and plain < 100:
                more = (j + 1, int(plain))
            if more is not None:
                i, group = more[0], group + more[1]
                continue
        break
    return i, total + group


def ordinal_at(words: Sequence[str], i: int) -> tuple[int, int] | None:
    """Read an ordinal (`third`, `twenty first`, `3rd`) at word `i`: end and value, or None."""
    word = words[i]
    after = words[i + 1] if i + 1 < len(words) else ""
    if word in _ORDINALS:
        return i + 1, _ORDINALS[word]
    if word in {"twenty", "thirty"} and 0 < _ORDINALS.get(after, 0) < 10:
        return i + 2, TENS[word] + _ORDINALS[after]
    if word.isascii() and word.isdecimal() and len(word) < 3 and after in {"st", "nd", "rd", "th"}:
        return i + 2, int(word)
    return None


def digit_run(words: Sequence[str], i: int) -> tuple[int, str] | None:
    """Read digits said one after another (`oh seven double five 1234`): end and the digits."""
    out, j = "", i
    while j < len(words) and len(out) < 24:
        word = words[j]
        times = {"double": 2, "triple": 3}.get(word, 0)
        if times and j + 1 < len(words):
            digit = _digit(words[j + 1])
            if digit is None or len(digit) != 1:
                break
            out, j = out + digit * times, j + 2
            continue
        digit = _digit(word)
        if digit is None:
            break
        out, j = out + digit, j + 1
    return (j, out) if (out and out[:1] != "+") or len(out) > 1 else None


def _digit(word: str) -> str | None:
    if word in {"oh", "o", "nought"}:
        return "0"
    if word in {"+", "plus"}:
        return "+"
    if word in ONES and ONES[word] < 10:
        return str(ONES[word])
    return word if word.isascii() and word.isdecimal() else None


def plain(value: float) -> float | int:
    """Whole floats as ints, so that `2.0` is said and sent as `2`."""
    return int(value) if value == int(value) else round(value, 6)
