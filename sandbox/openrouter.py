"""OpenRouter's ``/api/v1/audio/transcriptions``: audio in JSON, or a form with a file."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import tempfile
from typing import Any

from aiohttp import web

from vivavoce.sandbox import files
from vivavoce.sandbox import form as forms
from vivavoce.sandbox.diarize import Speakers
from vivavoce.sandbox.form import Form
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.manners import MANNERS
from vivavoce.sandbox.pcm import AudioError, wav_header
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.recording import Listened, Stretch
from vivavoce.sandbox.wire import Problem, Strikes, problem, read_json

LARGEST_FILE = 25_000_000  # bytes
LONGEST = 60 * 60  # seconds
_PER_MINUTE = 0.003  # US dollars, what Mistral's model costs there
_MANNER = MANNERS["/api/v1"]
_FORMATS = ("wav", "mp3", "flac", "m4a", "ogg", "webm", "aac", "pcm")
_HEARS = re.compile(r"mistralai/voxtral-[\w.-]+")


async def transcribe(
    request: web.Request, profile: Profile, hearing: Hearing
) -> web.StreamResponse:
    """Answer ``POST /api/v1/audio/transcriptions``.

    Raises:
        Problem: For a request that OpenRouter would refuse, and for faults.
    """
    form = Form()
    try:
        if request.content_type.startswith("multipart/"):
            form = await forms.read(request, LARGEST_FILE)
            body: dict[str, Any] = {name: values[-1] for name, values in form.fields.items()}
            body["timestamp_granularities"] = form.fields.get("timestamp_granularities", [])
            body["diarize"] = form.flag("diarize")
        else:
            body = await read_json(request)
            _read_audio(body, form)
        return await _answer(request, body, form, profile, hearing)
    except AudioError as error:
        raise _MANNER.refusal(problem(400, str(error))) from error
    except Problem as refused:
        raise _MANNER.refusal(refused) from None
    finally:
        form.close()


async def _answer(
    request: web.Request, body: dict[str, Any], form: Form, profile: Profile, hearing: Hearing
) -> web.StreamResponse:
    audio = body.get("input_audio")
    kept = (
        {**body, "input_audio": {"format": audio.get("format"), "url": audio.get("url")}}
        if (isinstance(audio, dict))
        else body
    )
    profile.request("openrouter/audio/transcriptions", {**kept, "file": form.size})
    verbose = _check(body)
    strikes = Strikes(request, profile, "hear")
    await strikes.door()
    if form.file is None:
        form.file = tempfile.TemporaryFile(prefix="vivavoce-sandbox-")  # noqa: SIM115
        await files.download(str(body["input_audio"]["url"]), form.file)
    listened = Listened()
    speakers = Speakers() if body.get("diarize") else None
    source = files.listen(profile, form.file, hearing, listened, speakers, longest=LONGEST)
    heard = [] if strikes.find("empty") else [one async for one in source if one.text]
    profile.counters.heard_s += listened.seconds
    seconds = round(listened.seconds, 2)
    answer: dict[str, Any] = {
        "text": " ".join(one.text for one in heard),
        "usage": {"seconds": seconds, "cost": round(seconds / 60 * _PER_MINUTE, 6)},
    }
    if verbose:
        answer |= {
            "task": "transcribe",
            "language": body.get("language") or "en",
            "duration": seconds,
            "segments": [_segment(number, one) for number, one in enumerate(heard)],
        }
        if "word" in (body.get("timestamp_granularities") or []) or speakers is not None:
            answer["words"] = [_word(one, *word) for one in heard for word in one.words]
    headers = {"X-Generation-Id": f"gen-stt-{secrets.token_hex(12)}"}
    return web.json_response(answer, headers=headers)


def _check(body: dict[str, Any]) -> bool:
    """Check a request; tell whether it asks for times."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise problem(400, "model is required")
    if not _HEARS.fullmatch(model):
        raise problem(404, f"No endpoints found that support transcription with {model}")
    shape = body.get("response_format") or "json"
    if shape not in {"json", "verbose_json"}:
        raise problem(400, "response_format must be json or verbose_json")
    if body.get("diarize") and shape != "verbose_json":
        raise problem(400, "diarize needs response_format verbose_json")
    if set(body.get("timestamp_granularities") or []) - {"segment", "word"}:
        raise problem(400, "timestamp_granularities must be segment or word")
    return shape == "verbose_json"


def _read_audio(body: dict[str, Any], form: Form) -> None:
    """Take the audio out of the body, into a file."""
    audio = body.get("input_audio")
    if not isinstance(audio, dict):
        raise problem(400, "input_audio is required: an object with data and format, or url")
    if isinstance(audio.get("url"), str):
        return
    data, shape = audio.pop("data", None), audio.get("format")
    if not isinstance(data, str) or data.startswith("data:"):
        raise problem(400, "input_audio.data must be base64, without a data URI")
    if shape not in _FORMATS:
        raise problem(400, f"input_audio.format must be one of {', '.join(_FORMATS)}")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise problem(400, "input_audio.data is not valid base64") from None
    if len(raw) > LARGEST_FILE:
        raise problem(413, f"The audio is larger than {LARGEST_FILE // 1_000_000} MB")
    form.size = len(raw)
    form.file = tempfile.TemporaryFile(prefix="vivavoce-sandbox-")  # noqa: SIM115
    if shape == "pcm":
        form.file.write(wav_header(16_000, len(raw) // 2))
    form.file.write(raw)


def _segment(number: int, one: Stretch) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": number, "start": one.start, "end": one.end, "text": one.text}
    if one.speaker is not None:
        entry["speaker_label"] = one.speaker
    return entry


def _word(one: Stretch, word: str, start: float, end: float) -> dict[str, Any]:
    entry: dict[str, Any] = {"word": word, "start": start, "end": end}
    if one.speaker is not None:
        entry["speaker_label"] = one.speaker
    return entry
