"""Providers: makes the client of a stage from where its model is and the dialect spoken there.

One line for each dialect. A dialect that is not listed is named "module:function", and the function
is called as those here are; docs/models.md adds one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

from vivavoce.pipelines.models.chat import ChatModel
from vivavoce.pipelines.models.hearing import MistralHearing
from vivavoce.pipelines.models.http import Endpoint, Http, Timeouts
from vivavoce.pipelines.models.interfaces import Hearing, Speaking, Thinking
from vivavoce.pipelines.models.omni_speech import OmniSpeech
from vivavoce.pipelines.models.speech import SpeechModel
from vivavoce.pipelines.models.speech_socket import RealtimeSpeech
from vivavoce.pipelines.models.unheard import Unheard
from vivavoce.pipelines.models.vllm_hearing import VllmHearing
from vivavoce.pipelines.models.voxtral_com_speech import VoxtralComSpeech
from vivavoce.pipelines.models.wishes import Wishes

MakeHearing = Callable[[Endpoint, Timeouts, Wishes], Hearing]
"""Makes one call's transcription: of where it is, how long to wait, and what is asked of it."""
MakeThinking = Callable[[Http, Endpoint], Thinking]
"""Makes a process's chat model. The pool of connections knows how long to wait."""
MakeSpeaking = Callable[[Http, Endpoint], Speaking]
"""Makes a process's speech model."""

HEARING: dict[str, MakeHearing] = {
    "mistral": MistralHearing,
    "vllm": VllmHearing,
    "none": lambda _where, _waits, _wishes: Unheard(),
}
THINKING: dict[str, MakeThinking] = {
    "mistral": ChatModel,
    "vllm": ChatModel,
    "openrouter": ChatModel,
    "openai": ChatModel,
}
SPEAKING: dict[str, MakeSpeaking] = {
    "mistral": SpeechModel,
    "mistral-realtime": RealtimeSpeech,
    "vllm": OmniSpeech,
    "voxtral": VoxtralComSpeech,
}

Made = TypeVar("Made")


class DialectError(ValueError):
    """A dialect is not known; the message says which are."""


def hearing(where: Endpoint, timeouts: Timeouts) -> Callable[[Wishes], Hearing]:
    """Return what makes a call's transcription.

    Args:
        where: Where it is.
        timeouts: How long to wait for it.

    Raises:
        DialectError: If the endpoint's dialect is not known for this stage.
    """
    make = _find("hear", HEARING, where.dialect)
    return lambda wishes: make(where, timeouts, wishes)


def thinking(http: Http, where: Endpoint) -> Thinking:
    """Return a chat model.

    Raises:
        DialectError: If the endpoint's dialect is not known for this stage.
    """
    return _find("think", THINKING, where.dialect)(http, where)


def speaking(http: Http, where: Endpoint) -> Speaking:
    """Return a speech model.

    Raises:
        DialectError: If the endpoint's dialect is not known for this stage.
    """
    return _find("speak", SPEAKING, where.dialect)(http, where)


def _find(stage: str, known: dict[str, Made], dialect: str) -> Made:
    if dialect in known:
        return known[dialect]
    module, colon, function = dialect.partition(":")
    if not colon:
        raise DialectError(
            f"{stage}: the dialect {dialect!r} is not known: choose {', '.join(known)}, or name"
            " one of your own as module:function"
        )
    try:
        found: Any = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise DialectError(f"{stage}: there is no {dialect} ({error})") from None
    if not callable(found):
        raise DialectError(f"{stage}: {dialect} is no function")
    made: Made = found
    return made
