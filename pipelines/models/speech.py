"""Speaking: streamed speech over server-sent events, in Mistral's dialect.

Protocol page §3: `POST /v1/audio/speech` with `stream` and `response_format: pcm`, which is raw
float32 little-endian at 24 kHz, mono. PCM and not MP3, whose first audio takes seconds. Chunks
need not hold whole floats.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from vivavoce.pipelines.audio.convert import FloatStream
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.sse import ServerSentEvent

_VOICES = {"fr": "fr_marie_neutral"}
_VOICE = "en_paul_neutral"


def default_voice(language: str) -> str:
    """Return the preset that speaks where no voice is named: presets exist in two languages."""
    return _VOICES.get(language.split("-", maxsplit=1)[0].lower(), _VOICE)


def _last(event: ServerSentEvent) -> bool:
    return event.event == "speech.audio.done" or '"speech.audio.done"' in event.data[:200]


class SpeechModel:
    """A model behind Mistral's `POST /v1/audio/speech`."""

    rate = 24_000

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint

    async def stream(
        self, text: str, *, voice: str | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text; see `Speaking.stream`.

        Mistral takes the language from the text, and wants a voice: without one, a preset of the
        language speaks.
        """
        body = {
            "model": self._endpoint.model,
            "input": text,
            "voice_id": voice or default_voice(language),
            "stream": True,
            "response_format": "pcm",
        }
        floats = FloatStream()
        complete = False
        stream = self._http.events("speaking", self._endpoint, "/v1/audio/speech", body, _last)
        async with aclosing(stream) as events:
            async for event in events:
                try:
                    message = json.loads(event.data)
                    kind = message.get("type") or event.event
                    if kind == "speech.audio.delta":
                        chunk = floats.feed_int16(
                            base64.b64decode(message["audio_data"], validate=True)
                        )
                    elif kind == "speech.audio.done":
                        complete = True
                        continue
                    elif "error" in str(kind) or "error" in message:
                        raise ValueError(str(message)[:200])  # noqa: TRY301
                    else:
                        continue
                except (ValueError, KeyError, AttributeError, TypeError, binascii.Error) as error:
                    raise ModelError(
                        "speaking", "broken", f"{self._endpoint.url} sent an error: {error}"
                    ) from error
                if len(chunk):
                    yield chunk
        if not complete:
            raise ModelError("speaking", "broken", f"{self._endpoint.url} broke off mid-speech")
