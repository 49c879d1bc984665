"""A set-up file: TOML that a person wrote, of which nothing is passed over in silence."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

Wrong = Callable[[str], Exception]
"""Makes the error to raise of a message for the person."""


def read_toml(path: Path | None, wrong: Wrong) -> dict[str, Any]:
    """Read a file; None is an empty one.

    Raises:
        Exception: What `wrong` makes: it cannot be read, or is no TOML.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise wrong(f"cannot read {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise wrong(f"{path} is not valid TOML: {error}") from None


def check_known(given: Mapping[str, Any], known: Iterable[str], where: str, wrong: Wrong) -> None:
    """Refuse a key that nobody knows: most are misspelt, and would have no effect.

    Args:
        given: What stands there.
        known: The keys that there are.
        where: The place, for the message: "[web]".
        wrong: Makes the error.

    Raises:
        Exception: What `wrong` makes.
    """
    names = sorted(known)
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise wrong(f"{where}: there is no {unknown[0]!r}; known: {', '.join(names)}")
