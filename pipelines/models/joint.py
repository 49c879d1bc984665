"""The joint between an answer that broke off and its continuation by another model. Pure.

The second model is shown what was said and asked to go on. Models like to begin again, wholly or
with their last words; what was said already is taken out of the continuation, so that no word is
said twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

GO_ON = (
    "(Your answer was cut off here by a technical fault. Go on exactly where it stops: give only"
    " the words that are missing, and repeat none.)"
)
"""Stands behind what was said, where a model is to continue."""

_WORD = re.compile(r"\S+")


def history(messages: Sequence[dict[str, Any]], said: str) -> list[dict[str, Any]]:
    """Return a history that asks for the rest of an answer: valid wherever the first one was."""
    return [
        *messages,
        {"role": "assistant", "content": said.strip()},
        {"role": "user", "content": GO_ON},
    ]


class Joint:
    """Takes a continuation piece by piece and gives what is new in it."""

    def __init__(self, said: str) -> None:
        """Begin.

        Args:
            said: What was said before it broke off.
        """
        self._said = said
        self._tails = [said[match.start() :].rstrip() for match in _WORD.finditer(said)]
        self._held = ""
        self._open = bool(self._tails)

    def feed(self, text: str) -> str:
        """Take a piece; return what is certainly new."""
        if not self._open:
            return text
        self._held += text
        new = self._held.lstrip()
        for place, tail in enumerate(self._tails):
            if tail.startswith(new):
                return ""  # too early to tell
            # Within a word only where all of the answer began again: one syllable is no proof.
            if new.startswith(tail) and (_ends(new, len(tail)) or (not place and " " in tail)):
                rest = new[len(tail) :]
                return self._close(rest.lstrip() if self._said[-1:].isspace() else rest)
        return self._close(self._spaced(new))

    def finish(self) -> str:
        """Return what was held back, once the continuation is over."""
        new = self._held.lstrip()
        repeated = not new or new in self._tails
        return self._close("" if repeated or not self._open else self._spaced(new))

    def _close(self, new: str) -> str:
        self._open, self._held = False, ""
        return new

    def _spaced(self, new: str) -> str:
        return f" {new}" if new[:1].isalnum() and not self._said[-1:].isspace() else new


def _ends(text: str, at: int) -> bool:
    """Whether a word ends there."""
    return not (text[at - 1].isalnum() and text[at].isalnum())
