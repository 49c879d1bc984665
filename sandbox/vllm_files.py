"""vLLM's ``/vllm/v1/audio/transcriptions``: OpenAI's form, ``verbose_json``, its own stream.

As vLLM does, it gives times only for models that have them: Whisper's names, not Voxtral's.
"""

from __future__ import annotations

import math
import re
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from vivavoce.sandbox import form as forms
from vivavoce.sandbox.files import listen
from vivavoce.sandbox.form import Form
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.manners import MANNERS
from vivavoce.sandbox.pcm import AudioError
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.recording import Listened, Stretch
from vivavoce.sandbox.wire import Ended, EventStream, Problem, Strikes, problem

LARGEST_FILE = 25_000_000  # bytes: VLLM_MAX_AUDIO_CLIP_FILESIZE_MB
LONGEST = 45 * 60  # seconds: what fits into the 32k tokens that Voxtral Mini is served with
_MANNER = MANNERS["/vllm/v1"]
_TIMED = re.compile(r"whisper", re.IGNORECASE)
_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")


async def transcribe(
    request: web.Request, profile: Profile, hearing: Hearing
) -> web.StreamResponse:
    """Answer ``POST /vllm/v1/audio/transcriptions``.

    Raises:
        Problem: For a request that vLLM would refuse, and for faults.
    """
    try:
        form = await forms.read(request, LARGEST_FILE)
    except Problem as refused:
        raise _MANNER.refusal(refused) from None
    try:
        return await _answer(request, form, profile, hearing)
    except AudioError as error:
        raise _MANNER.refusal(
            problem(400, f"Invalid or unsupported audio file: {error}")
        ) from error
    except Problem as refused:
        raise _MANNER.refusal(refused) from None
    finally:
        form.close()


async def _answer(
    request: web.Request, form: Form, profile: Profile, hearing: Hearing
) -> web.StreamResponse:
    profile.request("vllm/audio/transcriptions", {**form.fields, "file": form.size})
    model, shape = _check(form)
    strikes = Strikes(request, profile, "hear")
    await strikes.door()
    assert form.file is not None
    listened = Listened()
    source = listen(profile, form.file, hearing, listened, longest=LONGEST)
    if form.flag("stream"):
        return await _stream(request, form, profile, strikes, model, source, listened)
    heard = [] if strikes.find("empty") else [one async for one in source if one.text]
    profile.counters.heard_s += listened.seconds
    text = " ".join(one.text for one in heard)
    if shape == "text":
        return web.Response(text=text)
    seconds = math.ceil(listened.seconds)
    if shape == "json":
        usage = {"type": "duration", "seconds": seconds}
        return web.json_response({"text": text, "usage": usage})
    return web.json_response(
        {
            "duration": str(listened.seconds),  # a string, as vLLM has it
            "language": form.one("language") or "en",
            "text": text,
            "segments": [_segment(number, one) for number, one in enumerate(heard)],
            "words": None,
        }
    )


def _check(form: Form) -> tuple[str, str]:
    if form.file is None:
        raise problem(422, "Expected 'file' to be a file-like object, not 'str'.")
    model = form.one("model") or "mistralai/Voxtral-Mini-3B-2507"
    shape = form.one("response_format") or "json"
    if shape not in _FORMATS:
        raise problem(400, f"Input should be {', '.join(_FORMATS)}", param="response_format")
    if shape not in {"json", "text", "verbose_json"}:
        raise problem(
            400, "Currently only support response_format: `text`, `json` or `verbose_json`"
        )
    if shape == "verbose_json" and not _TIMED.search(model):
        raise problem(400, f"Currently do not support verbose_json for {model}")
    if shape == "verbose_json" and form.flag("stream"):
        raise problem(400, "verbose_json format doesn't support streaming case")
    if form.flag("stream_include_usage") and not form.flag("stream"):
        raise problem(400, "Stream options can only be defined when `stream=True`.")
    return model, shape


def _segment(number: int, one: Stretch) -> dict[str, Any]:
    return {
        "id": number,
        "avg_logprob": -0.2,
        "compression_ratio": 1.0,
        "start": one.start,
        "end": one.end,
        "no_speech_prob": None,
        "seek": 0,
        "temperature": 0.0,
        "text": f" {one.text}",
        "tokens": [],
    }


async def _stream(
    request: web.Request,
    form: Form,
    profile: Profile,
    strikes: Strikes,
    model: str,
    source: AsyncIterator[Stretch],
    listened: Listened,
) -> web.StreamResponse:
    stream = EventStream(request)
    head = {
        "id": f"trsc-{uuid.uuid4().hex}",
        "object": "transcription.chunk",
        "created": int(time.time()),
        "model": model,
    }
    stream.error = lambda status, body: _MANNER.broken(status, body, head)
    cut = strikes.find("split_bytes") is not None
    words = 0

    async def send(delta: dict[str, Any], reason: str | None = None) -> None:
        choice = {"delta": delta, "finish_reason": reason, "stop_reason": None}
        await stream.send({**head, "choices": [choice]}, cut=cut)
        await strikes.chunk(stream)

    silent = strikes.find("empty") is not None
    try:
        async for one in source:
            for word in [] if silent else one.text.split():
                await send({"content": f" {word}" if words else word})
                words += 1
        profile.counters.heard_s += listened.seconds
        if not strikes.find("lost_done"):
            await send({"content": ""}, "stop")
            if form.flag("stream_include_usage"):
                # As vLLM: tokens of 80 ms of audio, and of the text.
                prompt = math.ceil(listened.seconds * 12.5)
                usage = {
                    "prompt_tokens": prompt,
                    "completion_tokens": words,
                    "total_tokens": prompt + words,
                }
                await stream.send({**head, "choices": [], "usage": usage})
            await stream.send("[DONE]")
        await stream.close()
    except AudioError as error:
        if not stream.response.prepared:
            raise
        body = problem(400, str(error)).body
        await stream.send(_MANNER.broken(400, body, head))
        await stream.close()
    except Ended:
        pass
    return stream.response
