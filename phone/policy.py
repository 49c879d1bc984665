"""Whom we may call, when, and how often: pure rules for calls of ours."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_PATTERN = re.compile(r"(?:sips?:)?\+?[0-9A-Za-z_.@:\-]*\*?\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Rules for calls of ours. What a model may dial is somebody's money, or somebody's night.

    Attributes:
        numbers: Numbers (or users, or whole `sip:` URIs) that may be called; one that ends in
            `*` stands for all that begin so. Empty: any number that the application dials.
        per_minute: Most calls within any 60 s.
        hours: From and to, as local time of `zone`; None: at any time.
        days: Days of the week, 0 is Monday.
        zone: An IANA time zone, such as "Europe/Paris".

    Raises:
        ValueError: A rule says nothing sensible.
    """

    numbers: Sequence[str] = ()
    per_minute: int = 30
    hours: tuple[time, time] | None = None
    days: Sequence[int] = (0, 1, 2, 3, 4, 5, 6)
    zone: str = "UTC"
    _zone: tzinfo = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for pattern in self.numbers:
            if not pattern or not _PATTERN.match(pattern):
                raise ValueError(f"numbers: {pattern!r}: write +33123456789, or +33* for all of it")
        if self.per_minute < 1:
            raise ValueError(f"per_minute={self.per_minute}: at least 1")
        if not self.days or any(day not in range(7) for day in self.days):
            raise ValueError(f"days={list(self.days)}: 0 (Monday) to 6 (Sunday)")
        if self.hours is not None and self.hours[0] >= self.hours[1]:
            raise ValueError("hours: the first is before the second; a night is no time to call")
        try:
            # UTC needs no database of zones, which a small container may lack.
            zone = UTC if self.zone == "UTC" else ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"zone={self.zone!r}: give one such as Europe/Paris (a machine without a database"
                " of time zones needs the package tzdata)"
            ) from error
        object.__setattr__(self, "_zone", zone)

    def forbids(self, number: str, moment: datetime) -> str:
        """Return why a number may not be called at a moment (with its zone); "" if it may."""
        if self.numbers and not allows(self.numbers, number):
            return f"{number} is not among the numbers that may be called"
        local = moment.astimezone(self._zone)
        if local.weekday() not in self.days:
            return f"it is {local:%A}, and no day to call on"
        if self.hours is not None and not self.hours[0] <= local.time() < self.hours[1]:
            begin, end = self.hours
            return f"it is {local:%H:%M}; calls are made from {begin:%H:%M} to {end:%H:%M}"
        return ""

    def opens(self, moment: datetime) -> float:
        """Return the seconds until calls are made, of a moment (with its zone); 0 for now."""
        local = moment.astimezone(self._zone)
        begin, end = self.hours or (time.min, time.max)
        for offset in range(9):  # a week, and the rest of the first day
            day = local.date() + timedelta(days=offset)
            if day.weekday() not in self.days:
                continue
            opens = max(local, datetime.combine(day, begin, self._zone))
            if opens < datetime.combine(day, end, self._zone):
                # Both in UTC: a night in which the clocks change is longer or shorter.
                return (opens.astimezone(UTC) - local.astimezone(UTC)).total_seconds()
        return 0.0  # some day is always among them


@dataclass(frozen=True, kw_only=True, slots=True)
class Retries:
    """When a call that did not come about is tried again.

    Who is not there for good (404, 410, 484, 604) or said no (603) is not called again, and what
    our policy forbids is not either. Each wait is twice the one before.

    Attributes:
        attempts: Calls in all; 1 never tries again.
        busy: Seconds to wait when they are busy (486, 600).
        no_answer: Seconds to wait when nobody answered (408, 480, 487).
        trouble: Seconds to wait when a server or the network failed (5xx).
        longest: Longest wait (s).

    Raises:
        ValueError: A figure makes no sense.
    """

    attempts: int = 1
    busy: float = 120.0
    no_answer: float = 900.0
    trouble: float = 15.0
    longest: float = 7_200.0

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 20:
            raise ValueError(f"attempts={self.attempts}: 1 to 20")
        if min(self.busy, self.no_answer, self.trouble, self.longest) < 0:
            raise ValueError("busy, no_answer, trouble and longest are seconds, 0 or more")

    def after(self, code: int, attempt: int) -> float | None:
        """Return how long to wait after an attempt; None: it is not tried again.

        Args:
            code: The SIP status it failed with.
            attempt: Which one it was, from 1.
        """
        if attempt >= self.attempts:
            return None
        if code in {486, 600}:
            first = self.busy
        elif code in {408, 480, 487}:
            first = self.no_answer
        elif 500 <= code < 600:
            first = self.trouble
        else:
            return None
        return float(min(self.longest, first * 2 ** (attempt - 1)))


class Pace:
    """Counts calls against a policy's rate.

    Args:
        per_minute: Most calls within any 60 s.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._made: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Return in how many seconds a call may be made; 0 for now."""
        while self._made and self._made[0] <= now - 60.0:
            self._made.popleft()
        if len(self._made) < self._per_minute:
            return 0.0
        return self._made[0] + 60.0 - now

    def made(self, now: float) -> None:
        """Count a call."""
        self._made.append(now)


def allows(patterns: Sequence[str], number: str) -> bool:
    """Whether a number, user or URI is among some patterns, as `Policy.numbers` has them."""
    bare = number.removeprefix("tel:")
    if bare[:1] in "+0123456789(":
        bare = re.sub(r"[ ()./-]", "", bare)
    return any(_fits(pattern, bare) for pattern in patterns)


def _fits(pattern: str, number: str) -> bool:
    if pattern.endswith("*"):
        return number.startswith(pattern[:-1])
    return number == pattern
