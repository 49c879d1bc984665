"""Speaking: streamed speech over server-sent events, in Mistral's dialect.

Protocol page §3: `POST /v1/audio/speech` with `stream` and `response_format: pcm`, which is raw
float32 little-endian at 24 kHz, mono. PCM and not MP3, whose first audio takes seconds. Chunks
need not hold whole floats.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from vivavoce.agent.voices import Speaker, VoiceSample
from vivavoce.pipelines.models.delivery import deliver, mistral_abilities
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.sample import LENGTHS, Sample, SampleError, read_sample
from vivavoce.pipelines.models.sound import Encoding, Sound
from vivavoce.pipelines.models.sse import ServerSentEvent

RATE = 24_000
"""Sample rate of all Voxtral speech (Hz)."""

_VOICES = {"fr": "fr_marie_neutral"}
_VOICE = "en_paul_neutral"


def default_voice(language: str) -> str:
    """Return the preset that speaks where no voice is named: presets exist in two languages."""
    return _VOICES.get(language.split("-", maxsplit=1)[0].lower(), _VOICE)


async def sample_of(path: Path | VoiceSample, lengths: tuple[float, float] = LENGTHS) -> Sample:
    """Read a sample beside the event loop.

    Raises:
        ModelError: If it is not fit to be cloned: "refused", and nothing was sent.
    """
    try:
        return await asyncio.to_thread(read_sample, path, lengths)
    except SampleError as error:
        raise ModelError("speaking", "refused", str(error)) from error


def _last(event: ServerSentEvent) -> bool:
    return _kind(event) in {"speech.audio.done", "speech.audio.error"}


def _kind(event: ServerSentEvent) -> str:
    """Return an event's type: by its name, or else by its data, which is long."""
    if event.event:
        return event.event
    head = event.data[:200]
    for kind in ("speech.audio.delta", "speech.audio.done", "speech.audio.error"):
        if f'"{kind}"' in head:
            return kind
    return ""


async def stream_sound(
    http: Http,
    endpoint: Endpoint,
    path: str,
    body: dict[str, Any],
    *,
    encoding: Encoding = "f32",
    field: str = "audio_data",
    done: dict[str, Any] | None = None,
) -> AsyncGenerator[Samples]:
    """Send a speech request and give its sound as it comes, in whichever dialect of the stream.

    Closing the iterator ends the request.

    Args:
        http: The pool.
        endpoint: Where to.
        path: Behind its URL.
        body: The request.
        encoding: Of the sound.
        field: Where the sound is in a delta.
        done: Takes what came with the end (usage, credits).

    Raises:
        ModelError: If the server cannot be reached, refuses, stalls or breaks off. What was given
            before is whole samples, and is not given again.
    """
    sound = Sound(encoding)
    complete = False
    stream = http.events("speaking", endpoint, path, body, _last)
    async with aclosing(stream) as events:
        async for event in events:
            try:
                message = json.loads(event.data)
                kind = message.get("type") or event.event
                if kind == "speech.audio.delta":
                    chunk = sound.feed(base64.b64decode(message[field], validate=True))
                elif kind == "speech.audio.done":
                    complete = True
                    chunk = sound.finish()
                    if done is not None:
                        done.update(message)
                elif "error" in str(kind) or "error" in message:
                    raise ValueError(_reason(message))  # noqa: TRY301
                else:
                    continue
            except (ValueError, KeyError, AttributeError, TypeError, binascii.Error) as error:
                raise ModelError(
                    "speaking", "broken", f"{endpoint.url} sent an error: {error}"
                ) from error
            if sound.rate not in {None, RATE}:
                raise ModelError(
                    "speaking", "broken", f"{endpoint.url} speaks at {sound.rate} Hz, not {RATE}"
                )
            if len(chunk):
                yield chunk
    if not complete:
        raise ModelError("speaking", "broken", f"{endpoint.url} broke off mid-speech")


def _reason(message: dict[str, Any]) -> str:
    """Return an error event without the audio that some servers put into it."""
    return str({k: v for k, v in message.items() if "audio" not in k})[:200]


class SpeechModel:
    """A model behind Mistral's `POST /v1/audio/speech`."""

    rate = RATE

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint
        self.abilities = mistral_abilities(endpoint.model)

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text; see `Speaking.stream`.

        Mistral takes the language from the text, and wants a voice: without one, a preset of the
        language speaks.
        """
        asked = deliver(text, voice, language, self.abilities)
        body: dict[str, Any] = {"model": self._endpoint.model, "input": asked.text}
        if asked.sample is not None:
            body["ref_audio"] = (await sample_of(asked.sample)).base64
        else:
            body["voice_id"] = asked.voice or default_voice(language)
        body |= {"stream": True, "response_format": "pcm"}
        if asked.expressiveness is not None:
            body["expressiveness"] = asked.expressiveness
        sound = stream_sound(self._http, self._endpoint, "/v1/audio/speech", body)
        async with aclosing(sound) as chunks:
            async for chunk in chunks:
                yield chunk
