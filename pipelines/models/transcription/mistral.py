"""Mistral's `POST /v1/audio/transcriptions` (protocol page, §5)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http, explain
from vivavoce.pipelines.models.transcription.options import Options
from vivavoce.pipelines.models.transcription.request import Request, Waits
from vivavoce.pipelines.models.transcription.sound import Sound, multipart
from vivavoce.pipelines.models.transcription.text import Segment, Transcript, Word, gather

PATH = "/v1/audio/transcriptions"

Heard = Callable[[float], None]
"""Told how far into the recording the text has come (s)."""


class MistralFiles:
    """Transcribes files in Mistral's dialect.

    Args:
        http: The pool of connections.
        where: The model.
        waits: How long it may take.
        stream: Take the text as it comes, so that progress is known and no gateway sees a
            connection on which nothing moves.
    """

    def __init__(
        self, http: Http, where: Endpoint, waits: Waits | None = None, *, stream: bool = True
    ) -> None:
        self.where = where
        self._request = Request(http, where, waits)
        self._stream = stream

    async def transcribe(self, sound: Sound, options: Options, heard: Heard) -> Transcript:
        """Transcribe a recording in one request. Cancelling it ends the request.

        Args:
            sound: The recording.
            options: As `check` let them pass.
            heard: Told of progress.

        Raises:
            ModelError: If the server cannot be reached, refuses, stalls or breaks off.
        """
        fields = _fields(self.where.model, sound, options)
        if self._stream:
            return await self._streamed(fields, sound, options, heard)
        body = multipart(fields, sound)
        answer, _ = await self._request.whole(PATH, body, sound.seconds)
        return self._read(answer, options)

    async def _streamed(
        self, fields: list[tuple[str, str]], sound: Sound, options: Options, heard: Heard
    ) -> Transcript:
        body = multipart([*fields, ("stream", "true")], sound)
        deltas: list[str] = []
        segments: list[dict[str, Any]] = []
        language: str | None = None
        stream = self._request.events(PATH, body, sound.seconds)
        async with aclosing(stream) as events:
            async for event in events:
                try:
                    data = json.loads(event.data)
                except ValueError:
                    data = None
                if not isinstance(data, dict):
                    raise self._broken("sent an event that is no JSON object")
                if event.event == "whole":
                    return self._read(data, options)
                kind = data.get("type") or event.event
                if kind == "transcription.text.delta":
                    deltas.append(str(data.get("text") or ""))
                elif kind == "transcription.segment":
                    segments.append(data)
                    end = data.get("end")
                    if isinstance(end, int | float):
                        heard(float(end))
                elif kind == "transcription.language":
                    language = data.get("audio_language") or language
                elif kind == "transcription.done":
                    # What the end tells counts; what it leaves out came before.
                    data["text"] = data.get("text") or "".join(deltas)
                    data["segments"] = data.get("segments") or segments
                    data["language"] = data.get("language") or language
                    return self._read(data, options)
                elif kind == "error" or "error" in data:
                    raise self._broken(f"sent an error: {explain(event.data)}")
        raise self._broken("broke off before the end of the text")

    def _broken(self, what: str) -> ModelError:
        return ModelError("hearing", "broken", f"{self.where.url} {what}")

    def _read(self, answer: dict[str, Any], options: Options) -> Transcript:
        try:
            entries = answer.get("segments") or []
            segments = _segments(entries, options) if options.times != "none" else ()
            if options.diarize and not segments:
                segments = _segments(entries, options)
            usage = answer.get("usage") or {}
            return Transcript(
                text=" ".join(str(answer["text"]).split()),
                segments=segments,
                language=answer.get("language"),
                model=str(answer.get("model") or self.where.model),
                seconds=float(usage.get("prompt_audio_seconds") or 0),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._broken(f"sent a transcript that cannot be read ({error!r})") from error


def _fields(model: str, sound: Sound, options: Options) -> list[tuple[str, str]]:
    fields = [("model", model)]
    if sound.url is not None:
        fields.append(("file_url", sound.url))
    if sound.id is not None:
        fields.append(("file_id", sound.id))
    if options.language is not None:
        fields.append(("language", options.language))
    if options.temperature is not None:
        fields.append(("temperature", f"{options.temperature:g}"))
    if options.diarize:
        fields.append(("diarize", "true"))
    fields += [("context_bias", term) for term in options.bias]
    if options.times != "none":
        fields.append(("timestamp_granularities", options.times))
    if options.speakers:
        clips = {name: base64.b64encode(data).decode() for name, data in options.speakers.items()}
        fields.append(("speaker_references", json.dumps(clips)))
    return fields


def _segments(entries: list[dict[str, Any]], options: Options) -> tuple[Segment, ...]:
    segments = []
    for entry in entries:
        text = " ".join(str(entry.get("text") or "").split())
        if not text:
            continue
        start = float(entry.get("start") or 0.0)
        end = max(float(entry.get("end") or start), start)
        speaker = entry.get("speaker_id")
        segments.append(Segment(text, start, end, None if speaker is None else str(speaker)))
    if options.times == "word":
        # With times of words each entry is one.
        return gather([Word(one.text, one.start, one.end, one.speaker) for one in segments])
    return tuple(segments)
