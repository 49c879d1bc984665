"""HTML that is safe by construction, and how times are written.

A page shows what callers said and what tools returned: text from strangers. Nothing here turns
text into markup but `Html`, and only this package's own constants are made `Html` by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from html import escape

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
_BARE = re.compile(r"[\w#%.:;,()-]+", re.ASCII)  # attribute values that need no quotes
# Characters that HTML forbids even as references; a browser would stop at NUL.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Html(str):
    """Markup that is ready for the page; a plain `str` is text and gets escaped."""

    __slots__ = ()


Child = str | Iterable[str | None] | None
Attribute = str | float | bool | None


def text(value: str) -> Html:
    """Escape text for an element's content or a quoted attribute.

    Control characters and lone surrogates, which no page can hold, become U+FFFD.
    """
    if isinstance(value, Html):
        return value
    return Html(escape(_CONTROLS.sub("\ufffd", value), quote=True))


def join(parts: Iterable[str | None], separator: str = "") -> Html:
    """Join parts, escaping those that are text; None is left out."""
    return Html(text(separator).join(text(part) for part in parts if part is not None))


def el(tag: str, *children: Child, **attributes: Attribute) -> Html:
    """Make one element.

    Args:
        tag: Its name; a constant, never data.
        children: Text (escaped), `Html`, iterables of both, or None for nothing.
        attributes: By name; `cls` stands for `class`, other underscores for hyphens. None and
            False leave the attribute out, True gives it without a value.
    """
    opening = [tag]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = "class" if key == "cls" else key.replace("_", "-")
        opening.append(name if value is True else f"{name}={_quoted(str(value))}")
    start = f"<{' '.join(opening)}>"
    if tag in _VOID:
        return Html(start)
    inner = "".join(
        text(child) if isinstance(child, str) else join(child)
        for child in children
        if child is not None
    )
    return Html(f"{start}{inner}</{tag}>")


def _quoted(value: str) -> str:
    """Write an attribute's value; without quotes where HTML allows it, since pages hold many."""
    return value if _BARE.fullmatch(value) else f'"{text(value)}"'


def percent(part: float, whole: float) -> str:
    """Write a share as CSS takes it ("12.34%"), within 0 and 100 %; 0 % of nothing."""
    share = 100 * part / whole if whole > 0 else 0.0
    return f"{min(max(share, 0.0), 100.0):.2f}".rstrip("0").rstrip(".") + "%"


def clock(seconds: float, digits: int = 1) -> str:
    """Write a moment of the call: "0:07.2", "12:34.0", "1:02:03.4"."""
    unit = 10**digits
    total = round(max(0.0, seconds) * unit)
    whole, part = divmod(total, unit)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    fraction = f".{part:0{digits}d}" if digits else ""
    if hours:
        return f"{hours}:{minutes:02d}:{left:02d}{fraction}"
    return f"{minutes}:{left:02d}{fraction}"


def duration(seconds: float) -> str:
    """Write a length of time: "31.4 s", "4 min 12 s", "1 h 02 min"."""
    if round(seconds, 1) < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def milliseconds(ms: float) -> str:
    """Write a delay for a reader, without its unit: "742", "1,204", "38.2", "0.4"."""
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.1f}".removesuffix(".0")


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number of things: "1 reply", "3 replies"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def when(at: str, clock: str) -> Html:
    """Write a moment, with its day.

    Args:
        at: As ISO 8601 has it; anything else is written as it is.
        clock: Which part of the time of day is written, for `strftime`.
    """
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return text(at)
    shown = f"{moment.day} {moment:%B %Y}, {moment.strftime(clock)} {moment:%Z}".strip()
    return el("time", shown, datetime=moment.isoformat())
