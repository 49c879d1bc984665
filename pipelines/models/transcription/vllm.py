"""vLLM's `POST /v1/audio/transcriptions`: OpenAI's form, its own stream (protocol page, §2)."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http, explain
from vivavoce.pipelines.models.transcription.mistral import PATH, Heard
from vivavoce.pipelines.models.transcription.openai import read
from vivavoce.pipelines.models.transcription.options import Options
from vivavoce.pipelines.models.transcription.request import Request, Waits
from vivavoce.pipelines.models.transcription.sound import Sound, multipart
from vivavoce.pipelines.models.transcription.text import Transcript


class VllmFiles:
    """Transcribes files in vLLM's dialect; takes what `MistralFiles` takes.

    Times are for the models that have them, asked for as `verbose_json`, which is not streamed.
    """

    def __init__(
        self, http: Http, where: Endpoint, waits: Waits | None = None, *, stream: bool = True
    ) -> None:
        self.where = where
        self._request = Request(http, where, waits)
        self._stream = stream

    async def transcribe(self, sound: Sound, options: Options, heard: Heard) -> Transcript:
        """Transcribe a recording in one request; see `MistralFiles.transcribe`."""
        del heard  # its stream has no times
        fields = [("model", self.where.model)]
        if options.language is not None:
            fields.append(("language", options.language))
        if options.temperature is not None:
            fields.append(("temperature", f"{options.temperature:g}"))
        if options.times == "none" and self._stream:
            fields += [("stream", "true"), ("stream_include_usage", "true")]
            return await self._streamed(fields, sound, options)
        if options.times == "none":
            fields.append(("response_format", "json"))
        else:
            fields.append(("response_format", "verbose_json"))
            fields.append(("timestamp_granularities[]", options.times))
        body = multipart(fields, sound)
        answer, headers = await self._request.whole(PATH, body, sound.seconds)
        return read(self.where, answer, headers, options)

    async def _streamed(
        self, fields: list[tuple[str, str]], sound: Sound, options: Options
    ) -> Transcript:
        texts: list[str] = []
        ended = done = False
        stream = self._request.events(PATH, multipart(fields, sound), sound.seconds)
        async with aclosing(stream) as events:
            async for event in events:
                if event.data.strip() == "[DONE]":
                    done = True
                    break
                try:
                    chunk = json.loads(event.data)
                    if not isinstance(chunk, dict):
                        raise ValueError("a chunk that is no object")  # noqa: TRY004, TRY301
                    if event.event == "whole":
                        return read(self.where, chunk, {}, options)
                    if chunk.get("error"):
                        raise ValueError(explain(event.data))  # noqa: TRY301
                    for choice in chunk.get("choices") or []:
                        texts.append(_text(choice))
                        ended = ended or bool(choice.get("finish_reason"))
                except (ValueError, AttributeError, TypeError) as error:
                    raise ModelError(
                        "hearing", "broken", f"{self.where.url} sent an error: {error}"
                    ) from error
        if not (done or ended):
            raise ModelError(
                "hearing", "broken", f"{self.where.url} broke off before the end of the text"
            )
        text = " ".join("".join(texts).split())
        return Transcript(text, model=self.where.model, seconds=sound.seconds)


def _text(choice: dict[str, Any]) -> str:
    return str((choice.get("delta") or {}).get("content") or "")
