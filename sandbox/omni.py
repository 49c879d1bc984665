"""vLLM-Omni's speech, under ``/vllm``: OpenAI-shaped, int16, with voices of its own.

What its own source says (protocol page §3): ``stream: true`` is server-sent events and raw bytes
need ``stream_format: "audio"``; the first piece is 0.4 s long and later ones 2 s; streams are PCM
or WAV; errors are OpenAI-shaped; the open checkpoint cannot clone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web

from vivavoce.sandbox import pcm
from vivavoce.sandbox.espeak import SpeechError
from vivavoce.sandbox.pcm import SPEECH_RATE, Samples
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

MODEL = "mistralai/Voxtral-4B-TTS-2603"
PREFIX = "/vllm"

_MOODS = ("casual_female", "casual_male", "cheerful_female", "neutral_female", "neutral_male")
_LANGUAGES = ("pt", "nl", "it", "fr", "es", "de", "hi")
VOICES = (*_MOODS, *(f"{c}_{g}" for c in _LANGUAGES for g in ("female", "male")), "ar_male")
"""The checkpoint's, by name."""

_FORMATS = ("pcm", "wav", "mp3", "flac", "aac", "opus")
_SPOKEN = ("pcm", "wav")
_FIRST = SPEECH_RATE * 5 * 2 // 25  # samples of the first piece: 5 frames at 12.5 Hz
_NEXT = SPEECH_RATE * 25 * 2 // 25
_LARGEST_SAMPLE = 10 << 20  # bytes
_LONGEST_SAMPLE = 30.0  # s
_MOST_TOKENS = 2048  # of output: about 164 s of audio
_TYPES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    404: "NotFoundError",
    429: "RateLimitError",
}


def refused(status: int, message: str, *, param: str | None = None) -> Own:
    """Make an error as vLLM writes it; what does not fit a form is a 400 there."""
    status = 400 if status == 422 else status
    kind = _TYPES.get(status, "InternalServerError")
    body = {"message": message, "type": kind, "param": param, "code": status}
    return Own(status, {"error": body})


@dataclass(frozen=True)
class _Uploaded:
    """A voice that was uploaded; it is in the server's memory."""

    name: str
    consent: str
    seconds: float
    about: str | None

    def json(self) -> dict[str, Any]:
        return {"name": self.name, "consent": self.consent, "speaker_description": self.about}


@dataclass
class Omni:
    """The state of the dialect: its uploaded voices."""

    speaking: Speaking
    uploaded: dict[str, _Uploaded] = field(default_factory=dict)

    def routes(self) -> Iterator[tuple[str, str, Handler]]:
        """Give every route as method, path and handler."""
        yield "POST", f"{PREFIX}/v1/audio/speech", shaped(self._speak, refused)
        yield "GET", f"{PREFIX}/v1/audio/voices", shaped(self._list, refused)
        yield "POST", f"{PREFIX}/v1/audio/voices", shaped(self._upload, refused)

    async def _list(self, _request: web.Request, _profile: Profile) -> web.StreamResponse:
        return web.json_response(
            {
                "voices": [*VOICES, *self.uploaded],
                "uploaded_voices": [voice.json() for voice in self.uploaded.values()],
            }
        )

    async def _upload(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        form = await request.post()
        sample = form.get("audio_sample")
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        profile.request("vllm/audio/voices", dict(texts))
        if not isinstance(sample, web.FileField):
            raise refused(400, "audio_sample is required", param="audio_sample")
        for name in ("consent", "name"):
            if not texts.get(name, "").strip():
                raise refused(400, f"{name} is required", param=name)
        data = sample.file.read(_LARGEST_SAMPLE + 1)
        if len(data) > _LARGEST_SAMPLE:
            raise refused(400, "audio_sample is larger than 10 MB", param="audio_sample")
        try:
            samples, rate = pcm.read_wav(data)
        except pcm.AudioError as error:
            raise refused(400, f"audio_sample: {error}", param="audio_sample") from error
        if len(samples) / rate > _LONGEST_SAMPLE:
            raise refused(400, "audio_sample is longer than 30 s", param="audio_sample")
        name = texts["name"].strip()
        if name in VOICES or name in self.uploaded:
            raise refused(400, f"Voice '{name}' already exists", param="name")
        voice = _Uploaded(
            name, texts["consent"], len(samples) / rate, texts.get("speaker_description")
        )
        self.uploaded[name] = voice
        return web.json_response({"success": True, "voice": voice.json()})

    def _speaker(self, name: str) -> Speaker:
        if name in self.uploaded:
            return Speaker()
        if name not in VOICES:
            known = ", ".join(sorted((*VOICES, *self.uploaded)))
            raise refused(400, f"Invalid voice '{name}'. Supported: {known}", param="voice")
        code, _, gender = name.partition("_")
        return Speaker(code if code in {*_LANGUAGES, "ar"} else "en-us", gender == "female")

    async def _speak(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        begun = asyncio.get_running_loop().time()
        body = await read_json(request)
        profile.request("vllm/audio/speech", body)
        text = body.get("input")
        if not isinstance(text, str) or not text.strip():
            raise refused(400, "Input text cannot be empty", param="input")
        if body.get("model") not in {None, MODEL}:
            raise refused(404, f"The model `{body['model']}` does not exist.", param="model")
        if body.get("ref_audio") is not None:
            told = "ref_audio requires the full Voxtral checkpoint with encoder weights"
            raise refused(400, told, param="ref_audio")
        form = body.get("response_format") or "wav"
        speed = body.get("speed", 1.0)
        number = isinstance(speed, int | float) and not isinstance(speed, bool)
        if not number or not 0.25 <= speed <= 4:
            raise refused(400, "speed must be between 0.25 and 4.0", param="speed")
        if form not in _FORMATS:
            raise refused(400, f"response_format must be one of {', '.join(_FORMATS)}")
        sse = bool(body.get("stream")) or body.get("stream_format") == "sse"
        streamed = sse or body.get("stream_format") == "audio"
        if streamed and form not in _SPOKEN:
            raise refused(400, f"Streaming supports pcm and wav, not {form}")
        if form not in _SPOKEN:
            raise refused(400, f"The sandbox gives pcm and wav, not {form}")
        if body.get("stream_format") == "audio":
            sse = False
        speaker = self._speaker(str(body.get("voice") or "neutral_male"))
        strikes = Strikes(request, profile, "speak")
        await strikes.door()
        source = _pieces(
            source_of(text, speaker, profile, strikes.number, self.speaking, float(speed))
        )
        first = begun + profile.latency.speak_first_audio_ms / 1000
        sending = _Sending(profile, strikes, source, first, form)
        try:
            if sse:
                return await sending.events(request, text)
            if streamed:
                return await sending.bytes(request)
            return await sending.whole()
        except SpeechError as error:
            raise refused(500, str(error)) from error
        finally:
            await source.aclose()


async def _pieces(source: AsyncGenerator[Samples, None]) -> AsyncGenerator[Samples, None]:
    """Give what the engine gives in pieces as long as the server's."""
    held = np.zeros(0, np.float32)
    wanted = _FIRST
    try:
        async for samples in source:
            held = np.concatenate((held, samples))
            while len(held) >= wanted:
                yield held[:wanted]
                held, wanted = held[wanted:], _NEXT
        if len(held):
            yield held
    finally:
        await source.aclose()


@dataclass
class _Sending:
    """One answer."""

    profile: Profile
    strikes: Strikes
    source: AsyncGenerator[Samples, None]
    first: float
    form: str
    sent: int = 0

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        """Give the bytes of each piece, when it is due."""
        factor = self.profile.latency.speak_realtime_factor
        odd = self.strikes.find("odd_chunks") is not None
        carried = pcm.wav_header(SPEECH_RATE, None) if self.form == "wav" else b""
        async for samples in self.source:
            # A piece goes out when the last of it is made.
            self.sent += len(samples)
            made = max(0, self.sent - _FIRST)
            await pause_until(self.first + factor * made / SPEECH_RATE + self.profile.late())
            self.profile.counters.spoken_s += len(samples) / SPEECH_RATE
            data, carried = carried + pcm.encode_s16(samples), b""
            if odd:
                data, carried = data[:-1], data[-1:]
            yield data
        if carried and self.sent:
            yield carried

    async def events(self, request: web.Request, text: str) -> web.StreamResponse:
        stream = EventStream(request)
        try:
            async for data in self._chunks():
                await stream.send(
                    {
                        "type": "speech.audio.delta",
                        "audio": base64.b64encode(data).decode(),
                        "response_format": self.form,
                    }
                )
                if fault := self._failing():
                    await stream.send(
                        {
                            "type": "speech.audio.error",
                            "error": {"message": fault, "type": "server_error"},
                            "partial_audio": True,
                            "action": "discard",
                        }
                    )
                    await stream.close()
                    return stream.response
                await self.strikes.chunk()
            await pause_until(self.first)
            if not self.strikes.find("no_done"):
                done: dict[str, Any] = {"type": "speech.audio.done"}
                if not self.strikes.find("no_usage"):
                    asked, made = (len(text) + 3) // 4, self.sent * 25 // (2 * SPEECH_RATE)
                    done["usage"] = {
                        "input_tokens": asked,
                        "output_tokens": made,
                        "total_tokens": asked + made,
                    }
                await stream.send(done)
            await stream.close()
        except SpeechError as error:
            await stream.send({"type": "speech.audio.error", "error": {"message": str(error)}})
            await stream.close()
        except Ended:
            pass
        return stream.response

    def _failing(self) -> str | None:
        """Give what an ``error`` fault says when it is its turn: it looks different here."""
        fault = self.strikes.find("error")
        if fault is None or fault.after != self.strikes.chunks + 1:
            return None
        return fault.message

    async def bytes(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "audio/pcm" if self.form == "pcm" else "audio/wav"}
        )
        await response.prepare(request)
        try:
            async for data in self._chunks():
                await response.write(data)
                await self.strikes.chunk()
            await response.write_eof()
        except Ended:
            pass
        return response

    async def whole(self) -> web.Response:
        parts = [samples async for samples in self.source]
        samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        seconds = len(samples) / SPEECH_RATE
        await pause_until(self.first + seconds * self.profile.latency.speak_realtime_factor)
        self.profile.counters.spoken_s += seconds
        data = pcm.encode_s16(samples) if self.form == "pcm" else pcm.wav(samples, SPEECH_RATE)
        kind = "audio/pcm" if self.form == "pcm" else "audio/wav"
        return web.Response(body=data, content_type=kind)
