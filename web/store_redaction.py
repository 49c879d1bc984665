"""Redaction: what no record keeps, however it came to be said. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SEPARATED = r"[ \t\u00a0\u202f.,\-–]{0,3}"


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _iban(text: str) -> bool:
    if not (text[:2].isalpha() and text[2:4].isdigit()):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(each, 36)) for each in moved)) % 97 == 1


@dataclass(frozen=True, slots=True)
class Kind:
    """What is looked for.

    Attributes:
        pattern: What it looks like; with `holds`, what it may be a part of.
        mark: What takes its place.
        holds: Whether letters and digits, without what separates them, are one.
        lengths: How many of these it has, from and to.
    """

    pattern: re.Pattern[str]
    mark: str
    holds: Callable[[str], bool] | None = None
    lengths: tuple[int, int] = (0, 0)

    def redact(self, text: str) -> str:
        """Return a text without it."""
        if self.holds is None:
            return self.pattern.sub(self.mark, text)
        return self.pattern.sub(lambda found: self._within(found[0]), text)

    def _within(self, run: str) -> str:
        """Replace it where it stands among others: "4111 1111 1111 1111, 2 times"."""
        groups = list(_GROUP.finditer(run))
        kept, done, first = [], 0, 0
        while first < len(groups):
            last = self._longest(groups, first)
            if last is not None:
                kept += [run[done : groups[first].start()], self.mark]
                done = groups[last].end()
                first = last
            first += 1
        return "".join([*kept, run[done:]])

    def _longest(self, groups: list[re.Match[str]], first: int) -> int | None:
        """Return the last group of the longest one that begins with a group."""
        assert self.holds is not None
        low, high = self.lengths
        plain, found = "", None
        for place in range(first, len(groups)):
            plain += groups[place][0].upper()
            if len(plain) > high:
                break
            if len(plain) >= low and self.holds(plain):
                found = place
        return found


_GROUP = re.compile("[0-9A-Za-z]+")
KINDS = {
    "cards": Kind(
        re.compile(rf"(?<![0-9])[0-9](?:{_SEPARATED}[0-9]){{12,}}"), "[card]", _luhn, (13, 19)
    ),
    "ibans": Kind(
        re.compile(r"\b[A-Za-z]{2}[0-9]{2}(?:[ \-]?[0-9A-Za-z]){11,}"), "[iban]", _iban, (15, 34)
    ),
    "emails": Kind(re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}"), "[email]"),
    "phones": Kind(
        re.compile(rf"(?<![\w.])(?:\+|00|0)[0-9](?:{_SEPARATED}[0-9]){{6,13}}(?![0-9])"), "[phone]"
    ),
    "digits": Kind(re.compile(rf"(?<![0-9])[0-9](?:{_SEPARATED}[0-9]){{3,}}(?![0-9])"), "[digits]"),
}
"""What can be named in the settings, in the order in which it is looked for."""
USUAL = ("cards", "ibans")
"""What is looked for unless something else is asked for."""
_LONG = 1000  # numbers of fewer digits are no secrets
KEY = "•"
"""Stands where a key was pressed."""
_STRUCTURE = frozenset(
    {"call", "agent", "began", "ended", "kind", "event", "models", "served", "id", "caller",
     "called", "stage", "providers"}
)  # fmt: skip


class Redaction:
    """Takes out of records what they may not hold.

    The words of both sides, arguments and results of tools, and events are gone through; who
    called, when, and with which models is not. It is by pattern: a number told in words, or in
    pieces over several turns, stays.

    Args:
        kinds: Names out of `KINDS`.
        patterns: Regular expressions of your own; "[redacted]" takes the place of what they find.
        keys: Whether it is kept which keys a caller pressed.

    Raises:
        ValueError: A name is unknown, or a pattern is none, or finds nothingness.
    """

    def __init__(
        self, kinds: Iterable[str] = USUAL, patterns: Iterable[str] = (), *, keys: bool = False
    ) -> None:
        wanted = list(kinds)
        for name in wanted:
            if name not in KINDS:
                raise ValueError(f"redact: there is no {name!r}; known: {', '.join(KINDS)}")
        self._kinds = [each for name, each in KINDS.items() if name in wanted]
        for pattern in patterns:
            try:
                made = re.compile(pattern)
            except re.error as error:
                raise ValueError(f"redact: {pattern!r} is no pattern: {error}") from None
            if made.search("") is not None:
                raise ValueError(
                    f"redact: {pattern!r} finds nothingness: it would stand everywhere"
                )
            self._kinds.append(Kind(made, "[redacted]"))
        self._keys = keys

    def text(self, text: str) -> str:
        """Return a text as it may be kept."""
        for kind in self._kinds:
            text = kind.redact(text)
        return text

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event (`Event.to_dict`) as it may be kept or shown."""
        if event.get("event") == "key_pressed" and not self._keys:
            return {**event, "key": KEY}
        return {name: self._part(name, value) for name, value in event.items()}

    def record(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record as it may be kept; the one given stays as it is."""
        found = {
            name: self._part(name, value)
            for name, value in record.items()
            if name not in {"events", "revival"}
        }
        if "revival" in record:
            found["revival"] = self._revival(record["revival"])
        if "events" in record:
            found["events"] = [self.event(each) for each in record["events"]]
        return found

    def _revival(self, revival: Mapping[str, Any]) -> dict[str, Any]:
        """What a call is gone on with: a state of the user's own may have names as ours are."""
        return {
            name: self._deep(value) if name in {"state", "memory"} else value
            for name, value in revival.items()
        }

    def _deep(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int) and abs(value) >= _LONG:
            # A number that is a card's: no number may take its place.
            text = self.text(str(value))
            return value if text == str(value) else text
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._deep(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._deep(part) for part in value]
        return value

    def _part(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return value if name in _STRUCTURE else self.text(value)
        if isinstance(value, Mapping):
            return {key: self._part(str(key), part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._part(name, part) for part in value]
        return value
