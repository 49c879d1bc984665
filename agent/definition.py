"""The definition of an agent: what it may be made of; anything else is refused with what to change.

Every function takes what was given for an option and returns what counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from vivavoce.agent.languages import LanguageError, check
from vivavoce.agent.voices import Voice, VoiceError, check_voice

Options = TypeVar("Options")
Maker = TypeVar("Maker", bound=Callable[[], object] | None)

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class AgentError(ValueError):
    """An agent is defined wrongly; the message says what to change."""


def named(name: object) -> str:
    """Return an agent's name.

    Raises:
        AgentError: It is none.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AgentError(
            f"Agent(name={name!r}): use 1 to 64 letters, digits, dots, dashes or underscores"
        )
    return name


def made(option: str, maker: Maker) -> Maker:
    """Return what makes something for each call.

    Raises:
        AgentError: It makes nothing.
    """
    if maker is not None and not callable(maker):
        raise AgentError(f"Agent({option}): give a function or class that makes them for each call")
    return maker


def tuned(option: str, given: Options | None, kind: type[Options]) -> Options:
    """Return options of a kind, those that hold unless told otherwise where none were given.

    Raises:
        AgentError: They are of another kind.
    """
    if given is None:
        return kind()
    if not isinstance(given, kind):
        raise AgentError(f"Agent({option}={given!r}): give {kind.__name__}(...)")
    return given


def spoken(languages: object) -> tuple[str, ...]:
    """Return the languages that an agent speaks, each once.

    Raises:
        AgentError: There is none, or one that Voxtral TTS does not speak.
    """
    codes = [languages] if isinstance(languages, str) else languages
    if not isinstance(codes, Sequence) or not codes:
        raise AgentError(f'Agent(languages={languages!r}): give a code such as "en", or several')
    try:
        return tuple(dict.fromkeys(check(code) for code in codes))
    except LanguageError as error:
        raise AgentError(f"Agent(languages): {error}") from None


def voiced(voice: Voice | None) -> Voice | None:
    """Return an agent's voice.

    Raises:
        AgentError: It is none.
    """
    if voice is not None:
        try:
            check_voice(voice)
        except (VoiceError, LanguageError) as error:
            raise AgentError(f"Agent(voice): {error}") from None
    return voice
