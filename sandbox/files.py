"""``/v1/audio/transcriptions``: a whole file at once, as JSON or as server-sent events."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import math
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any

import aiohttp
from aiohttp import web

from vivavoce.sandbox import form as forms
from vivavoce.sandbox import media
from vivavoce.sandbox.catalog import accepts, file_fields
from vivavoce.sandbox.diarize import Speakers
from vivavoce.sandbox.form import Form
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.pcm import HEARING_RATE, AudioError, Samples
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.recording import Listened, Stretch, scripted, stretches
from vivavoce.sandbox.stored import Files
from vivavoce.sandbox.wire import Ended, EventStream, Strikes, invalid, problem

LARGEST_FILE = 500_000_000  # bytes
LONGEST = 3 * 3600 + 60  # seconds: "about three hours"
_MOST_BIAS = 100
_MOST_SPEAKERS = 8
_SAMPLE_S = (3.0, 15.0)
_LONGEST_URL = 2083
_FETCH_S = 60.0


async def segments(samples: Samples, hearing: Hearing) -> AsyncIterator[tuple[str, float, float]]:
    """Transcribe 16 kHz samples: each stretch of speech with its start and end in seconds."""
    step = HEARING_RATE * 10
    blocks = (samples[start : start + step] for start in range(0, len(samples), step))
    async for one in stretches(blocks, hearing):
        yield one.text, one.start, one.end


def limited(source: Iterator[Samples], longest: float) -> Iterator[Samples]:
    """Give a recording's blocks, as long as it is not too long (s).

    Raises:
        AudioError: Where it is.
    """
    seconds = 0.0
    for block in source:
        seconds += len(block) / HEARING_RATE
        if seconds > longest:
            raise AudioError(f"the audio is longer than {longest:.0f} s")
        yield block


def listen(
    profile: Profile,
    file: IO[bytes],
    hearing: Hearing,
    listened: Listened,
    speakers: Speakers | None = None,
    *,
    longest: float = LONGEST,
) -> AsyncIterator[Stretch]:
    """Hear a file by the engines, or by the key's script."""
    source = limited(media.blocks(file), longest)
    if profile.script.hear is not None:
        return scripted(profile, source, hearing, listened)
    return stretches(source, hearing, listened, speakers)


async def transcribe(
    request: web.Request, profile: Profile, hearing: Hearing, stored: Files
) -> web.StreamResponse:
    """Answer ``POST /v1/audio/transcriptions``.

    Raises:
        Problem: For a request that Mistral would refuse, and for faults.
    """
    form = await forms.read(request, LARGEST_FILE)
    try:
        profile.request("audio/transcriptions", {**form.fields, "file": form.size})
        model = _check(form)
        strikes = Strikes(request, profile, "hear")
        await strikes.door()
        await _fetch(form, profile, stored)
        assert form.file is not None
        speakers = None
        if form.flag("diarize"):
            speakers = Speakers(await asyncio.to_thread(_references, form))
        listened = Listened()
        source = listen(profile, form.file, hearing, listened, speakers)
        if form.flag("stream"):
            return await _stream(request, profile, strikes, form, model, source, listened)
        heard = [] if strikes.find("empty") else [one async for one in source if one.text]
        profile.counters.heard_s += listened.seconds
        body = _body(model, form, heard, listened.seconds)
        if not form.fields.get("timestamp_granularities") and speakers is None:
            body["segments"] = []
        return web.json_response(body)
    except AudioError as error:
        raise problem(400, f"{error}", param="file") from error
    finally:
        form.close()


def _check(form: Form) -> str:
    model = form.one("model")
    if not model:
        raise invalid("Field required", "model", kind="missing")
    if not accepts("file", model):
        raise problem(400, f"Invalid model: {model}", kind="invalid_model", code="1500")
    given = [name for name in ("file_url", "file_id") if form.fields.get(name)]
    if (form.file is not None) + len(given) != 1:
        raise problem(400, "Exactly one of file, file_url and file_id must be given", param="file")
    takes = file_fields(model)
    for name in ("diarize", "context_bias", "speaker_references"):
        if form.fields.get(name) and form.one(name) != "false" and name not in takes:
            raise problem(400, f"{name} is not supported by {model}", param=name)
    language = form.one("language")
    if language is not None and not re.fullmatch(r"\w{2}", language):
        raise invalid("String should match pattern '^\\w{2}$'", "language")
    granularities = set(form.fields.get("timestamp_granularities", []))
    if granularities - {"segment", "word"}:
        raise invalid("Input should be 'segment' or 'word'", "timestamp_granularities")
    if language and granularities and "language_with_times" not in takes:
        raise problem(400, "timestamp_granularities and language cannot be combined")
    if "word" in granularities and "word" not in takes:
        raise problem(
            400, f"word timestamps are not supported by {model}", param="timestamp_granularities"
        )
    if form.fields.get("turn_detection"):
        raise problem(400, "turn_detection is for realtime transcription only")
    bias = form.fields.get("context_bias", [])
    if len(bias) > _MOST_BIAS or any(re.search(r"[,\s]", item) for item in bias):
        raise invalid(f"At most {_MOST_BIAS} items without commas or spaces", "context_bias")
    if form.fields.get("speaker_references") and not form.flag("diarize"):
        raise problem(400, "speaker_references requires diarize")
    return model


def _references(form: Form) -> dict[str, Samples]:
    """Read the samples of voices. Blocks."""
    given = form.one("speaker_references")
    if given is None:
        return {}
    try:
        listed = json.loads(given)
        found = {
            str(name): media.read(base64.b64decode(data, validate=True))
            for name, data in listed.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise invalid(f"Input should be names with audio: {error}", "speaker_references") from error
    if len(found) > _MOST_SPEAKERS:
        raise invalid(f"At most {_MOST_SPEAKERS} speakers", "speaker_references")
    for name, samples in found.items():
        seconds = len(samples) / HEARING_RATE
        if not _SAMPLE_S[0] <= seconds <= _SAMPLE_S[1]:
            raise problem(
                400,
                f"The reference of {name} has {seconds:.1f} s: 3 to 15 s are taken",
                param="speaker_references",
            )
    return found


async def _fetch(form: Form, profile: Profile, stored: Files) -> None:
    """Put the file there where the request only names it."""
    if form.file is not None:
        return
    file = tempfile.TemporaryFile(prefix="vivavoce-sandbox-")  # noqa: SIM115
    form.file = file
    name = form.one("file_id")
    if name is not None:
        # A copy: two requests may read the same file at once.
        kept = stored.find(name, profile).file
        kept.seek(0)
        shutil.copyfileobj(kept, file)
        return
    await download(form.one("file_url") or "", file)


async def download(url: str, file: IO[bytes]) -> None:
    """Fetch a URL on this machine: the sandbox is no way into other networks.

    Raises:
        Problem: For any other URL, and where nothing comes.
    """
    if len(url) > _LONGEST_URL:
        raise invalid(f"URL should have at most {_LONGEST_URL} characters", "file_url")
    try:
        parts = urllib.parse.urlsplit(url)
        local = parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = False
    if not local:
        raise problem(400, "The sandbox fetches nothing but http://127.0.0.1/: send file instead")
    size = 0
    try:
        async with (
            asyncio.timeout(_FETCH_S),
            aiohttp.ClientSession() as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise problem(400, f"file_url answered {answer.status}", param="file_url")
            async for chunk in answer.content.iter_chunked(1 << 16):
                file.write(chunk)
                size += len(chunk)
                if size > LARGEST_FILE:
                    raise problem(413, "The file is too large")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise problem(400, f"file_url could not be fetched: {error}", param="file_url") from error


def _entries(form: Form, heard: list[Stretch]) -> list[dict[str, Any]]:
    entries = []
    words = "word" in form.fields.get("timestamp_granularities", [])
    for one in heard:
        rows = one.words if words else [(one.text, one.start, one.end)]
        for text, start, end in rows:
            entry = {"type": "transcription_segment", "text": text, "start": start, "end": end}
            if one.speaker is not None:
                entry["speaker_id"] = one.speaker
            entries.append(entry)
    return entries


def _body(model: str, form: Form, heard: list[Stretch], seconds: float) -> dict[str, Any]:
    text = " ".join(one.text for one in heard)
    words = len(text.split())
    return {
        "model": model,
        "text": text,
        "language": form.one("language"),
        "segments": _entries(form, heard),
        "usage": {
            "prompt_tokens": 4,
            "completion_tokens": words,
            "total_tokens": 4 + words,
            "prompt_audio_seconds": math.ceil(seconds),
        },
    }


async def _stream(
    request: web.Request,
    profile: Profile,
    strikes: Strikes,
    form: Form,
    model: str,
    source: AsyncIterator[Stretch],
    listened: Listened,
) -> web.StreamResponse:
    stream = EventStream(request)
    heard: list[Stretch] = []
    cut = strikes.find("split_bytes") is not None

    async def send(event: dict[str, Any]) -> None:
        await stream.send(event, event=event["type"], cut=cut)
        await strikes.chunk(stream)

    silent = strikes.find("empty") is not None
    told = form.one("language") is not None
    try:
        async for one in source:
            if not one.text or silent:
                continue
            if not told:
                told = True
                await send({"type": "transcription.language", "audio_language": "en"})
            delta = f" {one.text}" if heard else one.text
            heard.append(one)
            await send({"type": "transcription.text.delta", "text": delta})
            for entry in _entries(form, [one]):
                await send({"speaker_id": None, **entry, "type": "transcription.segment"})
        profile.counters.heard_s += listened.seconds
        if not strikes.find("lost_done"):
            body = _body(model, form, heard, listened.seconds)
            await stream.send({"type": "transcription.done", **body}, event="transcription.done")
        await stream.close()
    except AudioError as error:
        if not stream.response.prepared:
            raise
        refused = problem(400, str(error), param="file")
        await stream.send({"type": "error", "error": refused.body}, event="error")
        await stream.close()
    except Ended:
        pass
    return stream.response
