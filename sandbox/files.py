"""``/v1/audio/transcriptions``: a whole file at once, as JSON or as server-sent events."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from aiohttp import BodyPartReader, web

from vivavoce.sandbox import pcm
from vivavoce.sandbox.catalog import accepts
from vivavoce.sandbox.ear import Heard
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.pcm import HEARING_RATE, Samples
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.realtime import done
from vivavoce.sandbox.segment import WINDOW, Segment, Segmenter
from vivavoce.sandbox.wire import Ended, EventStream, Strikes, invalid, problem

LARGEST_FILE = 64 << 20  # bytes: half an hour of 16-bit 16 kHz
_MOST_BIAS = 100
_DECODE_S = 60.0
_STEP = HEARING_RATE * 10  # samples looked at per turn of the thread


async def _form(request: web.Request) -> tuple[dict[str, list[str]], bytes | None]:
    """Read the multipart body: its fields, repeated ones in order, and the file's bytes."""
    fields: dict[str, list[str]] = {}
    if request.content_type == "application/x-www-form-urlencoded":  # the SDK's, without a file
        form = await request.post()
        return {name: [str(v) for v in form.getall(name)] for name in form}, None
    if not request.content_type.startswith("multipart/"):
        raise invalid("Input should be multipart/form-data", kind="value_error")
    file: bytes | None = None
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise invalid("Every part needs a name", kind="value_error")
        data = bytearray()
        while chunk := await part.read_chunk(1 << 16):
            data += chunk
            if len(data) > LARGEST_FILE:
                raise problem(413, f"The file is larger than {LARGEST_FILE >> 20} MiB")
        if part.name == "file":
            file = bytes(data)
        else:
            name = part.name.removesuffix("[]")
            fields.setdefault(name, []).append(data.decode(errors="replace"))
    return fields, file


def _check(fields: dict[str, list[str]], file: bytes | None) -> tuple[str, bytes]:
    model = fields.get("model", [""])[-1]
    if not model:
        raise invalid("Field required", "model", kind="missing")
    if not accepts("file", model):
        raise problem(400, f"Invalid model: {model}", kind="invalid_model", code="1500")
    given = [name for name in ("file_url", "file_id") if fields.get(name)]
    if (file is not None) + len(given) != 1:
        raise problem(400, "Exactly one of file, file_url and file_id must be given", param="file")
    if file is None:
        raise problem(400, f"The sandbox fetches nothing: send file instead of {given[0]}")
    language = fields.get("language", [None])[-1]
    if language is not None and not re.fullmatch(r"\w{2}", language):
        raise invalid("String should match pattern '^\\w{2}$'", "language")
    granularities = fields.get("timestamp_granularities", [])
    if set(granularities) - {"segment", "word"}:
        raise invalid("Input should be 'segment' or 'word'", "timestamp_granularities")
    if language and granularities:
        raise problem(400, "timestamp_granularities and language cannot be combined")
    if "word" in granularities:
        raise problem(400, "The sandbox times segments, not words", param="timestamp_granularities")
    if fields.get("turn_detection"):
        raise problem(400, "turn_detection is for realtime transcription only")
    bias = fields.get("context_bias", [])
    if len(bias) > _MOST_BIAS or any(re.search(r"[,\s]", item) for item in bias):
        raise invalid(f"At most {_MOST_BIAS} items without commas or spaces", "context_bias")
    return model, file


def _read(file: bytes) -> Samples:
    try:
        samples, rate = pcm.read_wav(file)
    except pcm.AudioError as error:
        raise problem(
            400, f"{error}. The sandbox reads WAV files: convert it first.", param="file"
        ) from error
    return pcm.resample(samples, rate, HEARING_RATE)


async def segments(samples: Samples, hearing: Hearing) -> AsyncIterator[tuple[str, float, float]]:
    """Transcribe 16 kHz samples: each stretch of speech with its start and end in seconds."""
    loop = asyncio.get_running_loop()
    segmenter, probability = Segmenter(), hearing.probability()
    missing = -len(samples) % WINDOW
    samples = np.concatenate((samples, np.zeros(missing, np.float32)))

    def look(part: Samples) -> list[Segment]:
        windows = part.reshape(-1, WINDOW)
        return [s for w in windows if (s := segmenter.push(w, probability(w))) is not None]

    async def decoded(segment: Segment) -> tuple[str, float, float]:
        job = hearing.decode(segment.samples, urgent=False)
        try:
            async with asyncio.timeout(_DECODE_S):
                text = await job.text
        finally:
            job.cancel()
        return text, round(segment.start / HEARING_RATE, 2), round(segment.end / HEARING_RATE, 2)

    step = _STEP - _STEP % WINDOW
    for start in range(0, len(samples), step):
        part = samples[start : start + step]
        for segment in await loop.run_in_executor(hearing.vad_threads, look, part):
            yield await decoded(segment)
    if last := segmenter.close():
        yield await decoded(last)


async def _scripted(profile: Profile, samples: Samples) -> AsyncIterator[tuple[str, float, float]]:
    yield profile.next_heard(), 0.0, round(len(samples) / HEARING_RATE, 2)


async def transcribe(
    request: web.Request, profile: Profile, hearing: Hearing
) -> web.StreamResponse:
    """Answer ``POST /v1/audio/transcriptions``.

    Raises:
        Problem: For a request that Mistral would refuse, and for faults.
    """
    fields, file = await _form(request)
    profile.request("audio/transcriptions", dict(fields))
    model, file = _check(fields, file)
    strikes = Strikes(request, profile, "hear")
    await strikes.door()
    loop = asyncio.get_running_loop()
    samples = await loop.run_in_executor(hearing.vad_threads, _read, file)
    seconds = len(samples) / HEARING_RATE
    profile.counters.heard_s += seconds
    if profile.script.hear is not None:
        source = _scripted(profile, samples)
    else:
        source = segments(samples, hearing)
    if fields.get("stream", ["false"])[-1].lower() in {"true", "1"}:
        return await _stream(request, strikes, model, source, seconds)
    heard = Heard()
    async for text, start, end in source:
        _add(heard, text, start, end)
    if strikes.find("empty"):
        heard = Heard()
    body = _body(model, heard, seconds)
    if "segment" not in fields.get("timestamp_granularities", []):
        body["segments"] = []
    return web.json_response(body)


def _add(heard: Heard, text: str, start: float, end: float) -> str:
    """Add a stretch to what was heard; give the delta that it makes."""
    if not text:
        return ""
    delta = f" {text}" if heard.text else text
    heard.text += delta
    heard.segments.append((text, start, end))
    return delta


def _body(model: str, heard: Heard, seconds: float) -> dict[str, Any]:
    body = done(model, heard, seconds)
    del body["type"]
    body["usage"]["prompt_audio_seconds"] = math.ceil(seconds)
    return body


async def _stream(
    request: web.Request,
    strikes: Strikes,
    model: str,
    source: AsyncIterator[tuple[str, float, float]],
    seconds: float,
) -> web.StreamResponse:
    stream = EventStream(request)
    heard = Heard()

    async def send(event: dict[str, Any]) -> None:
        await stream.send(event, event=event["type"])
        await strikes.chunk(stream)

    try:
        await stream.open()
        async for text, start, end in source:
            if strikes.find("empty"):
                continue
            if delta := _add(heard, text, start, end):
                await send({"type": "transcription.text.delta", "text": delta})
                where = {"start": start, "end": end, "speaker_id": None}
                await send({"type": "transcription.segment", "text": text, **where})
        await stream.send(done(model, heard, seconds), event="transcription.done")
        await stream.close()
    except Ended:
        pass
    return stream.response
