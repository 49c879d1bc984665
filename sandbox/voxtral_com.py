"""voxtral.com's speech and voices, under ``/api/tts``.

What is published (protocol page §6): answers are ``{"code":0,"data":…}``, a stream's events have
names and no type, and its end is ``{}``. Neither its error codes nor its PCM are: errors here
have the HTTP status as code, as JSON with status 200 or with the status itself
(``error`` and ``status`` faults), and the PCM is Mistral's.
"""

from __future__ import annotations

import asyncio
import base64
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from aiohttp import web

from vivavoce.sandbox import pcm
from vivavoce.sandbox.espeak import SpeechError
from vivavoce.sandbox.pcm import SPEECH_RATE
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.speaking import Speaker, Speaking
from vivavoce.sandbox.speech import source_of
from vivavoce.sandbox.wire import (
    Ended,
    EventStream,
    Handler,
    Own,
    Strikes,
    pause_until,
    read_json,
    shaped,
)

PREFIX = "/api/tts"
LONGEST = 5_000  # characters
_CHUNK = 1_000  # characters from which `generate` cuts the text
_MOST_VOICES = 20
_LENGTHS = (5.0, 30.0)  # s of a sample
_FORMATS = ("pcm", "wav", "mp3", "opus", "flac")
_SPOKEN = ("pcm", "wav")

_JANE = "confident confused curious frustrated jealousy neutral sad sarcasm shameful"
_PAUL = "angry cheerful confident excited frustrated happy neutral sad"


def _preset(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"voxtral.com:{name}"))


PRESETS = {
    **{_preset(f"jane {mood}"): ("en-gb", True) for mood in _JANE.split()},
    **{_preset(f"paul {mood}"): ("en-us", False) for mood in _PAUL.split()},
}
"""Its 17 voices by id (not its real ones), each with language and whether it is a woman's."""


def refused(status: int, message: str) -> Own:
    """Make an error: its shape is not published."""
    return Own(status, {"code": status, "message": message, "data": None})


@dataclass
class _Mine:
    """A voice of the account's."""

    id: str
    name: str
    language: str
    gender: str
    created_at: str

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "mistral_voice_id": _preset(self.id),
            "language": self.language,
            "gender": self.gender,
            "created_at": self.created_at,
        }


@dataclass
class VoxtralCom:
    """The state of the dialect: the account's voices."""

    speaking: Speaking
    mine: dict[str, _Mine] = field(default_factory=dict)

    def routes(self) -> Iterator[tuple[str, str, Handler]]:
        """Give every route as method, path and handler."""
        yield "POST", f"{PREFIX}/generate", shaped(self._generate, refused)
        yield "POST", f"{PREFIX}/stream", shaped(self._stream, refused)
        yield "POST", f"{PREFIX}/voices/clone", shaped(self._clone, refused)
        yield "GET", f"{PREFIX}/voices/mine", shaped(self._list, refused)
        yield "PATCH", f"{PREFIX}/voices/{{voice}}", shaped(self._change, refused)
        yield "DELETE", f"{PREFIX}/voices/{{voice}}", shaped(self._remove, refused)

    def _asked(self, body: dict[str, Any], default: str) -> tuple[str, Speaker, float, str]:
        """Check a request; give text, speaker, speed and format."""
        text = body.get("input")
        if not isinstance(text, str) or not text.strip():
            raise refused(400, "input is required")
        if len(text) > LONGEST:
            raise refused(400, f"input must be at most {LONGEST} characters, not {len(text)}")
        speed = body.get("speed", 1.0)
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
            raise refused(400, "speed must be between 0.25 and 4")
        form = body.get("response_format") or default
        if form not in _FORMATS:
            raise refused(400, f"response_format must be one of {', '.join(_FORMATS)}")
        return text, self._speaker(body), float(speed), form

    def _speaker(self, body: dict[str, Any]) -> Speaker:
        name, sample = body.get("voice_id"), body.get("ref_audio")
        if sample is not None:
            _check_sample(sample)
            return Speaker()
        if name in PRESETS:
            language, female = PRESETS[name]
            return Speaker(language, female)
        if name in self.mine:
            voice = self.mine[name]
            return Speaker(voice.language or "en-us", voice.gender == "female")
        raise refused(404, f"voice {name!r} not found")

    async def _generate(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        begun = asyncio.get_running_loop().time()
        body = await read_json(request)
        profile.request("tts/generate", body)
        text, speaker, speed, form = self._asked(body, "mp3")
        if form == "mp3" and "response_format" not in body:
            form = "wav"  # its default cannot be made here; the answer says what it is
        if form not in _SPOKEN:
            raise refused(400, f"the sandbox gives {' and '.join(_SPOKEN)}, not {form}")
        strikes = Strikes(request, profile, "speak")
        if fault := strikes.find("error"):
            return web.json_response({"code": fault.code or 1, "message": fault.message})
        await strikes.door()
        source = source_of(text, speaker, profile, strikes.number, self.speaking, speed)
        try:
            parts = [samples async for samples in source]
        except SpeechError as error:
            raise refused(500, str(error)) from error
        finally:
            await source.aclose()
        samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        seconds = len(samples) / SPEECH_RATE
        latency = profile.latency
        await pause_until(
            begun + latency.speak_first_audio_ms / 1000 + seconds * latency.speak_realtime_factor
        )
        profile.counters.spoken_s += seconds
        data = pcm.encode_f32(samples) if form == "pcm" else pcm.wav(samples, SPEECH_RATE)
        name = uuid.uuid4().hex
        answer = {
            "audio_data": base64.b64encode(data).decode(),
            "format": form,
            "generation_id": name,
            "audio_url": f"https://voxtral.com/audio/{name}.{form}",
            "chunks": math.ceil(len(text) / _CHUNK),
            "credits_used": len(text),
        }
        return web.json_response({"code": 0, "data": answer})

    async def _stream(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        begun = asyncio.get_running_loop().time()
        body = await read_json(request)
        profile.request("tts/stream", body)
        text, speaker, speed, form = self._asked(body, "pcm")
        if form not in _SPOKEN:
            raise refused(400, f"the sandbox gives {' and '.join(_SPOKEN)}, not {form}")
        strikes = Strikes(request, profile, "speak")
        fault = strikes.find("error")
        if fault is not None and fault.after == 0:
            return web.json_response({"code": fault.code or 1, "message": fault.message})
        await strikes.door()
        first = begun + profile.latency.speak_first_audio_ms / 1000
        factor = profile.latency.speak_realtime_factor
        stream = EventStream(request)
        source = source_of(text, speaker, profile, strikes.number, self.speaking, speed)
        odd = strikes.find("odd_chunks") is not None
        carried = b"" if form == "pcm" else pcm.wav_header(SPEECH_RATE, None)
        encode = pcm.encode_f32 if form == "pcm" else pcm.encode_s16
        sent = 0

        async def send(data: bytes) -> None:
            audio = base64.b64encode(data).decode()
            await stream.send({"audio_data": audio}, event="speech.audio.delta")
            await strikes.chunk(stream)

        try:
            async for samples in source:
                await pause_until(first + factor * sent / SPEECH_RATE + profile.late())
                sent += len(samples)
                profile.counters.spoken_s += len(samples) / SPEECH_RATE
                data, carried = carried + encode(samples), b""
                if odd and len(data) > 3:
                    data, carried = data[:-3], data[-3:]
                await send(data)
            if carried and sent:
                await send(carried)
            await pause_until(first)
            if not strikes.find("no_done"):
                await stream.send({}, event="speech.audio.done")
            await stream.close()
        except SpeechError as error:
            await stream.send({"code": 500, "message": str(error)}, event="error")
            await stream.close()
        except Ended:
            pass
        finally:
            await source.aclose()
        return stream.response

    async def _clone(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        body = await read_json(request)
        profile.request("tts/voices/clone", body)
        name = body.get("name")
        if not isinstance(name, str) or not name.strip():
            raise refused(400, "name is required")
        _check_sample(body.get("ref_audio"))
        if len(self.mine) >= _MOST_VOICES:
            raise refused(403, f"at most {_MOST_VOICES} voices: delete one first")
        voice = _Mine(
            str(uuid.uuid4()),
            name,
            str(body.get("language") or "en"),
            str(body.get("gender") or "neutral"),
            datetime.now(UTC).isoformat(),
        )
        self.mine[voice.id] = voice
        return web.json_response({"code": 0, "data": voice.json()})

    async def _list(self, request: web.Request, _profile: Profile) -> web.StreamResponse:
        page, limit = (
            int(given) if (given := request.query.get(name, str(default))).isdecimal() else 0
            for name, default in (("page", 1), ("limit", 50))
        )
        if page < 1 or not 1 <= limit <= 100:
            raise refused(400, "page must be at least 1, and limit 1 to 100")
        voices = list(self.mine.values())[(page - 1) * limit : page * limit]
        listed = [voice.json() for voice in voices]
        answer = {"voices": listed, "total": len(self.mine), "page": page, "limit": limit}
        return web.json_response({"code": 0, "data": answer})

    def _named(self, request: web.Request) -> _Mine:
        voice = self.mine.get(request.match_info["voice"])
        if voice is None:
            raise refused(404, f"voice {request.match_info['voice']!r} not found")
        return voice

    async def _change(self, request: web.Request, _profile: Profile) -> web.StreamResponse:
        voice = self._named(request)
        for name, value in (await read_json(request)).items():
            if name not in {"name", "language", "gender"} or not isinstance(value, str):
                raise refused(400, f"{name} cannot be changed to {value!r}")
            setattr(voice, name, value)
        return web.json_response({"code": 0, "data": voice.json()})

    async def _remove(self, request: web.Request, _profile: Profile) -> web.StreamResponse:
        voice = self._named(request)
        del self.mine[voice.id]
        return web.json_response({"code": 0, "data": None})


def _check_sample(given: Any) -> None:
    try:
        samples, rate = pcm.read_wav(base64.b64decode(given, validate=True))
    except (TypeError, ValueError, pcm.AudioError) as error:
        raise refused(400, f"ref_audio cannot be read: {error}") from error
    seconds = len(samples) / rate
    if not _LENGTHS[0] <= seconds <= _LENGTHS[1]:
        raise refused(400, f"ref_audio must be 5 to 30 seconds, not {seconds:.1f}")
