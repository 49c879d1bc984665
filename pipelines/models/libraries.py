"""Libraries: makes the face of a provider's voices from where its speech is."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.voices import VoiceLibrary
from vivavoce.pipelines.models.voices_elsewhere import OmniVoices, VoxtralComVoices
from vivavoce.pipelines.models.voices_mistral import MistralVoices

LIBRARIES: dict[str, Callable[[Http, Endpoint], VoiceLibrary]] = {
    "mistral": MistralVoices,
    "mistral-realtime": MistralVoices,
    "vllm": OmniVoices,
    "voxtral": VoxtralComVoices,
}
"""By the dialect of speech."""


def library(http: Http, where: Endpoint) -> VoiceLibrary:
    """Return the voices of whoever speaks.

    Raises:
        ModelError: If nothing is known of the voices behind a dialect.
    """
    make = LIBRARIES.get(where.dialect)
    if make is None:
        raise ModelError(
            "speaking",
            "refused",
            f"nothing is known of the voices of {where.dialect!r}: only of {', '.join(LIBRARIES)}",
        )
    return make(http, where)
