"""One object of a key's settings, as it was given: read field by field, and refused with why."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard


class ProfileError(ValueError):
    """A profile that makes no sense, with what to change."""


class Given:
    """What was given for one part of a profile.

    Args:
        where: What the part is called, for messages ("script").
        kind: The dataclass that it becomes: its fields are those that may be given.
        given: What was given.

    Attributes:
        fields: By name, as they were given, or as reading them made them.

    Raises:
        ProfileError: It is no object, or has other fields.
    """

    def __init__(self, where: str, kind: type, given: Any) -> None:
        if not isinstance(given, Mapping):
            raise ProfileError(f"{where} must be an object, not {type(given).__name__}")
        known = {field.name for field in dataclasses.fields(kind)}
        if unknown := sorted(set(given) - known):
            raise ProfileError(
                f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}"
            )
        self._where = where
        self.fields = dict(given)

    def durations(self, *names: str, open_: str = "") -> None:
        """Check fields that are numbers of at least 0.

        Args:
            *names: Theirs.
            open_: The one that may be None.

        Raises:
            ProfileError: One of them is not.
        """
        for name in names:
            value = self.fields.get(name, 0)
            if value is None and name == open_:
                continue
            if not finite(value) or value < 0:
                raise ProfileError(
                    f"{self._where}.{name} must be a number of at least 0, not {value!r}"
                )

    def within(self, name: str, least: float, most: float) -> None:
        """Check a field that is a number between two, where it was given.

        Raises:
            ProfileError: It is not.
        """
        value = self.fields.get(name, least)
        if not finite(value) or not least <= value <= most:
            raise ProfileError(f"{self._where}.{name} must be {least}-{most}, not {value!r}")

    def places(self, name: str) -> tuple[int, ...]:
        """Read which ones are meant: a number from 1, or several; none where it was not given.

        Raises:
            ProfileError: It is something else.
        """
        given = self.fields.get(name, ())
        numbers = (given,) if isinstance(given, int) else given
        if not isinstance(numbers, Iterable) or not all(type(n) is int and n > 0 for n in numbers):
            raise ProfileError(f"{self._where}.{name} must be numbers from 1, not {given!r}")
        return tuple(numbers)


def finite(value: Any) -> TypeGuard[float]:
    """Whether a value of JSON is a number that one can count with."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
