"""``/v1/audio/speech``: Mistral's speech, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import numpy as np
from aiohttp import web

from vivavoce.sandbox import pcm
from vivavoce.sandbox.catalog import Voices, accepts
from vivavoce.sandbox.espeak import SpeechError
from vivavoce.sandbox.pcm import SPEECH_RATE, Samples
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.speaking import CHUNK, Speaker, Speaking
from vivavoce.sandbox.wire import (
    Ended,
    EventStream,
    Strikes,
    dumps,
    invalid,
    pause_until,
    problem,
    read_json,
)

_FORMATS = ("pcm", "wav", "mp3", "flac", "opus")
SPOKEN = ("pcm", "wav")
_LARGEST_SAMPLE = 10 << 20  # bytes
_REFERENCE_S = (3.0, 25.0)  # length of ref_audio


def _speaker(body: dict[str, Any], voices: Voices) -> Speaker:
    name, reference = body.get("voice_id"), body.get("ref_audio")
    if name is not None and reference is not None:
        raise problem(400, "Only one of voice_id and ref_audio may be given", param="voice_id")
    if reference is not None:
        check_reference(reference)
        return Speaker()
    if name is None:
        raise problem(400, "One of voice_id and ref_audio is required", param="voice_id")
    if not isinstance(name, str):
        raise invalid("Input should be a valid string", "voice_id", kind="string_type")
    voice = voices.find(name)
    if voice is None:
        raise problem(404, f"Voice '{name}' not found.", param="voice_id")
    return voice.speaker


def check_reference(given: Any, param: str = "ref_audio") -> bytes:
    """Check a voice sample: base64, and when it is a WAV file 3 to 25 s long.

    Raises:
        Problem: 422 when it is no base64, 400 when its length is wrong.
    """
    try:
        data = base64.b64decode(given, validate=True)
    except (TypeError, ValueError) as error:
        raise invalid(f"Input should be base64-encoded audio: {error}", param) from error
    if len(data) > _LARGEST_SAMPLE:
        raise problem(413, f"{param} is larger than {_LARGEST_SAMPLE >> 20} MiB", param=param)
    if not data:
        raise invalid("Input should be base64-encoded audio: it is empty", param)
    if data[:4] != b"RIFF":  # other containers are taken on trust: nothing here reads them
        return data
    try:
        samples, rate = pcm.read_wav(data)
    except pcm.AudioError as error:
        raise problem(400, f"{param} cannot be read: {error}", param=param) from error
    seconds = len(samples) / rate
    if not _REFERENCE_S[0] <= seconds <= _REFERENCE_S[1]:
        raise problem(
            400,
            f"{param} must be {_REFERENCE_S[0]:g} to {_REFERENCE_S[1]:g} s long, not {seconds:.1f}",
            param=param,
        )
    return data


def _check_expressiveness(given: Any) -> None:
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not math.isfinite(given) or given < 1:
        raise invalid(
            "Input should be greater than or equal to 1",
            "expressiveness",
            kind="greater_than_equal",
        )


async def _tone(seconds: float, hertz: float = 220.0) -> AsyncGenerator[Samples, None]:
    samples = await asyncio.to_thread(pcm.tone, seconds, SPEECH_RATE, hertz)
    for start in range(0, len(samples), CHUNK):
        yield samples[start : start + CHUNK]


async def _doubled(source: AsyncGenerator[Samples, None]) -> AsyncGenerator[Samples, None]:
    """Give twice as many samples, as a server does that speaks at 48 kHz and says 24."""
    try:
        async for samples in source:
            yield np.repeat(samples, 2)
    finally:
        await source.aclose()


async def _joined(source: AsyncGenerator[Samples, None]) -> AsyncGenerator[Samples, None]:
    try:
        parts = [samples async for samples in source]
    finally:
        await source.aclose()
    if parts:
        yield np.concatenate(parts)


def source_of(
    text: str,
    speaker: Speaker,
    profile: Profile,
    number: int,
    speaking: Speaking,
    speed: float = 1.0,
) -> AsyncGenerator[Samples, None]:
    """Give the sound of a text: float32 at 24 kHz, in chunks; close it.

    Args:
        text: What is said.
        speaker: Who says it.
        profile: The key's, whose script and faults count.
        number: The request's, for the faults.
        speaking: The engines.
        speed: How fast, for the dialects that have it.
    """
    if profile.fault("speak", number, "empty"):
        return _tone(0)
    if profile.script.speak is not None:
        high = {"hertz": pcm.pitch(text)} if profile.script.speak == "pitch" else {}
        source = _tone(len(text) * profile.latency.speak_char_ms / 1000 / speed, **high)
    else:
        source = speaking.stream(text, speaker, speed=speed)
    if profile.fault("speak", number, "octave"):
        source = _doubled(source)
    return _joined(source) if profile.fault("speak", number, "one_chunk") else source


def usage_of(text: str, samples: int) -> dict[str, int]:
    """Give what a generation costs: Mistral counts samples as completion tokens."""
    asked = (len(text) + 3) // 4
    return {
        "prompt_tokens": asked,
        "completion_tokens": samples,
        "total_tokens": asked + samples,
    }


async def speak(
    request: web.Request, profile: Profile, voices: Voices, speaking: Speaking
) -> web.StreamResponse:
    """Answer ``POST /v1/audio/speech``.

    Raises:
        Problem: For a request that Mistral would refuse, and for faults.
    """
    begun = asyncio.get_running_loop().time()
    body = await read_json(request)
    profile.request("audio/speech", body)
    text, model = body.get("input"), body.get("model")
    if not isinstance(text, str):
        raise invalid("Field required", "input", kind="missing")
    if not text.strip():
        raise invalid("String should have at least 1 character", "input", kind="string_too_short")
    if model is not None and not (isinstance(model, str) and accepts("speech", model)):
        raise problem(400, f"Invalid model: {model}", kind="invalid_model", code="1500")
    form = body.get("response_format") or "mp3"
    if form not in _FORMATS:
        raise invalid(f"Input should be {', '.join(_FORMATS)}", "response_format", kind="enum")
    if form not in SPOKEN:
        raise problem(
            400,
            f"The sandbox gives {' and '.join(SPOKEN)}, not {form}: ask for response_format=pcm",
            param="response_format",
        )
    if body.get("expressiveness") is not None:
        _check_expressiveness(body["expressiveness"])
    speaker = _speaker(body, voices)
    strikes = Strikes(request, profile, "speak")
    await strikes.door()
    source = source_of(text, speaker, profile, strikes.number, speaking)
    first = begun + profile.latency.speak_first_audio_ms / 1000
    usage = usage_of(text, 0)
    try:
        if body.get("stream"):
            return await _stream(request, profile, strikes, source, first, usage, form)
        return await _whole(profile, source, first, usage, form)
    except SpeechError as error:
        raise problem(500, str(error)) from error
    finally:
        await source.aclose()


def _count(usage: dict[str, int], samples: int) -> dict[str, int]:
    spent = samples  # Mistral counts samples as completion tokens
    return {**usage, "completion_tokens": spent, "total_tokens": usage["prompt_tokens"] + spent}


async def _whole(
    profile: Profile,
    source: AsyncIterator[Samples],
    first: float,
    usage: dict[str, int],
    form: str,
) -> web.Response:
    parts = [chunk async for chunk in source]
    length = sum(len(part) for part in parts)
    seconds = length / SPEECH_RATE
    await pause_until(first + seconds * profile.latency.speak_realtime_factor)
    profile.counters.spoken_s += seconds

    def body() -> bytes:  # minutes of audio are megabytes: not on the loop
        samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        data = pcm.encode_f32(samples) if form == "pcm" else pcm.wav(samples, SPEECH_RATE)
        encoded = base64.b64encode(data).decode()
        return dumps({"audio_data": encoded, "usage": _count(usage, length)}).encode()

    return web.Response(body=await asyncio.to_thread(body), content_type="application/json")


async def _stream(
    request: web.Request,
    profile: Profile,
    strikes: Strikes,
    source: AsyncIterator[Samples],
    first: float,
    usage: dict[str, int],
    form: str,
) -> web.StreamResponse:
    stream = EventStream(request)
    odd = strikes.find("odd_chunks") is not None
    factor = profile.latency.speak_realtime_factor
    sent = 0
    carried = b"" if form == "pcm" else pcm.wav_header(SPEECH_RATE, None)

    async def send(data: bytes) -> None:
        event = {
            "type": "speech.audio.delta",
            "audio_data": base64.b64encode(data).decode(),
        }
        await stream.send(event, event="speech.audio.delta")
        await strikes.chunk(stream)

    try:
        async for samples in source:
            await pause_until(first + factor * sent / SPEECH_RATE + profile.late())
            sent += len(samples)
            profile.counters.spoken_s += len(samples) / SPEECH_RATE
            encode = pcm.encode_f32 if form == "pcm" else pcm.encode_s16
            data, carried = carried + encode(samples), b""
            if odd and len(data) > 3:
                data, carried = data[:-3], data[-3:]
            await send(data)
        if carried and sent:
            await send(carried)
        await pause_until(first)
        done: dict[str, Any] = {"type": "speech.audio.done"}
        if not strikes.find("no_usage"):
            done["usage"] = _count(usage, sent)
        if not strikes.find("no_done"):
            await stream.send(done, event="speech.audio.done")
        await stream.close()
    except SpeechError as error:
        body = problem(500, str(error)).body
        await stream.send({"type": "error", "error": body, **body}, event="error")
        await stream.close()
    except Ended:
        pass
    return stream.response
