"""The embedded interpreter: what an interpreter's prompt asks for, by phrase book and dictionary.

A system message that begins "You are a simultaneous interpreter from English (en) to French (fr)."
makes the rules translate the last user's message. Lines "term = translation" are its glossary; a
line
that begins "Be brief:" leaves out what can be missed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vivavoce.sandbox.brain_history import text_of
from vivavoce.sandbox.translate import translate

_OPENING = re.compile(
    r"\s*You are a simultaneous interpreter from"
    r" [^()\n]* ?\(([A-Za-z-]+)\) to [^()\n]* ?\(([A-Za-z-]+)\)\."
)
_TERM = re.compile(r"^[-*\s]*(\S.{0,200}?) = (.{0,200})$", re.MULTILINE)
_BRIEF = re.compile(r"^\s*Be brief:", re.MULTILINE)


def interpreted(system: str, messages: Any) -> str | None:
    """Return the translation of the last user's message; None where nobody is to interpret.

    Args:
        system: All system texts.
        messages: The request's messages, of any shape.
    """
    found = _OPENING.match(system)
    if found is None:
        return None
    source, target = (code.split("-")[0].lower() for code in found.groups())
    behind = system[found.end() :]
    glossary = {match[1].strip(): match[2].strip() for match in _TERM.finditer(behind)}
    text = ""
    for message in messages if isinstance(messages, list | tuple) else ():
        if isinstance(message, Mapping) and message.get("role") == "user":
            text = text_of(message.get("content"))
    brief = _BRIEF.search(behind) is not None
    return translate(text.strip(), source, target, glossary=glossary, brief=brief)
