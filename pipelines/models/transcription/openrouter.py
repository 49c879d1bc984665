"""OpenRouter's `POST /api/v1/audio/transcriptions`: JSON with audio in it (protocol page, §6)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.transcription.mistral import PATH, Heard
from vivavoce.pipelines.models.transcription.openai import read
from vivavoce.pipelines.models.transcription.options import Options
from vivavoce.pipelines.models.transcription.request import Request, Waits
from vivavoce.pipelines.models.transcription.sound import Body, Sound, json_with_audio
from vivavoce.pipelines.models.transcription.text import Transcript


class OpenRouterFiles:
    """Transcribes files in OpenRouter's dialect; takes what `MistralFiles` takes.

    Times and speakers come as `verbose_json`, from the models that have them. What a request
    cost, and its `X-Generation-Id`, are in the transcript.
    """

    def __init__(
        self, http: Http, where: Endpoint, waits: Waits | None = None, *, stream: bool = True
    ) -> None:
        del stream  # there is none
        self.where = where
        self._request = Request(http, where, waits)

    async def transcribe(self, sound: Sound, options: Options, heard: Heard) -> Transcript:
        """Transcribe a recording in one request; see `MistralFiles.transcribe`."""
        del heard
        request: dict[str, Any] = {"model": self.where.model, "response_format": "json"}
        if options.language is not None:
            request["language"] = options.language
        if options.temperature is not None:
            request["temperature"] = options.temperature
        if options.bias:
            request["keyterms"] = list(options.bias)
        if options.times != "none" or options.diarize:
            request["response_format"] = "verbose_json"
        if options.times != "none":
            request["timestamp_granularities"] = [options.times]
        if options.diarize:
            request["diarize"] = True
        if sound.url is not None:
            body = _body({**request, "input_audio": {"url": sound.url}})
        else:
            body = json_with_audio(request, sound)
        answer, headers = await self._request.whole(PATH, body, sound.seconds)
        return read(self.where, answer, headers, options)


def _body(request: dict[str, Any]) -> Body:
    data = json.dumps(request).encode()

    async def pieces() -> AsyncGenerator[bytes]:
        yield data

    return Body("application/json", len(data), pieces())
