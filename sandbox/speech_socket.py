"""``/v1/audio/speech/realtime``: Voxtral 3's speech socket, text in and sound out.

A session speaks one generation after the other: text is appended, a flush ends it, and it is
spoken as its clauses stand. An unknown voice closes the socket with 1008 and no error event.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import uuid
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from vivavoce.sandbox import pcm
from vivavoce.sandbox.catalog import Voices, accepts
from vivavoce.sandbox.espeak import SpeechError
from vivavoce.sandbox.fields import Refused
from vivavoce.sandbox.pcm import SPEECH_RATE
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.realtime import INVALID
from vivavoce.sandbox.speaking import Speaker, Speaking
from vivavoce.sandbox.speech import SPOKEN, check_reference, source_of, usage_of
from vivavoce.sandbox.wire import Problem, dumps, pause_until, refusal, reset

_IDLE_S = 600.0
_SEND_S = 30.0
_LONGEST = 20_000  # characters of one generation; the API's own limit is not published
_MOST_STORED = 10_000  # messages that wait while a generation is spoken
_MESSAGES = (WSMsgType.TEXT, WSMsgType.BINARY)
_MODES = ("responsive", "long_form")
_FIELDS = ("voice", "ref_audio", "response_format", "streaming_mode", "expressiveness")


class _Over(Exception):  # noqa: N818
    """This connection has been ended on purpose."""


class Session:
    """One socket's conversation."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        profile: Profile,
        voices: Voices,
        speaking: Speaking,
    ) -> None:
        self._request, self._socket, self._profile = request, socket, profile
        self._voices, self._speaking = voices, speaking
        self._id = uuid.uuid4().hex
        self._model = request.query.get("model", "")
        self._settings: dict[str, Any] = {
            "voice": None,
            "is_ref_audio": False,
            "streaming_mode": "responsive",
            "response_format": "wav",
            "expressiveness": 2.0,
        }
        self._speaker: Speaker | None = None
        self._text = ""
        self._inbox: asyncio.Queue[WSMessage | None] = asyncio.Queue(_MOST_STORED)
        self._left = False

    async def run(self) -> None:
        """Converse until one side ends; cancelling it stops the engine."""
        reading = asyncio.create_task(self._read(), name="speech socket reader")
        try:
            await self._send({"type": "session.created", "session": self._session()})
            while await self._receive():
                pass
        except _Over:
            pass
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read(self) -> None:
        """Store what comes in while a generation is spoken, and see that the client leaves."""
        try:
            while (message := await self._socket.receive()).type in _MESSAGES:
                await self._inbox.put(message)
        finally:
            self._left = True
            with contextlib.suppress(asyncio.QueueFull):
                self._inbox.put_nowait(None)

    def _session(self) -> dict[str, Any]:
        return {"request_id": self._id, "model": self._model, **self._settings}

    async def _send(self, event: dict[str, Any]) -> None:
        if self._socket.closed or self._left:
            raise _Over
        try:
            async with asyncio.timeout(_SEND_S):
                await self._socket.send_str(dumps(event))
        except (ConnectionError, TimeoutError) as error:
            raise _Over from error

    async def _error(self, code: int, message: Any) -> None:
        await self._send({"type": "error", "error": {"message": message, "code": code}})

    async def _receive(self) -> bool:
        try:
            async with asyncio.timeout(_IDLE_S):
                message = await self._inbox.get()
        except TimeoutError:
            await self._socket.close(code=WSCloseCode.OK)
            return False
        if message is None:
            return False
        try:
            if message.type is WSMsgType.BINARY:
                raise Refused("Messages must be JSON text")  # noqa: TRY301
            return await self._handle(message.data)
        except Refused as refused:
            await self._error(INVALID, str(refused))
            return True

    async def _handle(self, data: str) -> bool:
        try:
            event = json.loads(data)
        except json.JSONDecodeError as error:
            raise Refused(f"Message is not valid JSON: {error}") from error
        kind = event.get("type") if isinstance(event, dict) else None
        if kind == "session.update":
            await self._update(event.get("session"))
        elif kind == "input_text.append":
            self._append(event.get("text"))
        elif kind == "input_text.flush":
            if event.get("text") is not None:
                self._append(event["text"])
            await self._speak()
        elif kind == "input_text.end":
            await self._speak()
            await self._socket.close(code=WSCloseCode.OK)
            return False
        else:
            raise Refused(f"Unknown message type: {kind!r}")
        return True

    def _append(self, text: Any) -> None:
        if not isinstance(text, str):
            raise Refused("text must be a string")
        if len(self._text) + len(text) > _LONGEST:
            raise Refused(f"A generation takes at most {_LONGEST} characters")
        self._text += text

    async def _update(self, given: Any) -> None:
        if not isinstance(given, dict):
            raise Refused("session must be an object")
        given = {name: value for name, value in given.items() if value is not None}
        if unknown := sorted(set(given) - set(_FIELDS)):
            raise Refused(f"Unknown session fields: {', '.join(unknown)}")
        self._profile.request("audio/speech/realtime", {"session.update": given})
        if "voice" in given and "ref_audio" in given:
            raise Refused("Only one of voice and ref_audio may be given")
        settings = dict(self._settings)
        form = given.get("response_format", settings["response_format"])
        if form not in SPOKEN:
            raise Refused(f"The sandbox gives {' and '.join(SPOKEN)}, not {form}")
        mode = given.get("streaming_mode", settings["streaming_mode"])
        if mode not in _MODES:
            raise Refused(f"streaming_mode must be {' or '.join(_MODES)}; got {mode!r}")
        settings |= {"response_format": form, "streaming_mode": mode}
        if "expressiveness" in given:
            settings["expressiveness"] = expressiveness(given["expressiveness"])
        if "ref_audio" in given:
            try:
                check_reference(given["ref_audio"])
            except Problem as problem:
                raise Refused(str(problem.body.get("message") or problem.body)) from problem
            self._speaker = Speaker()
            settings |= {"voice": None, "is_ref_audio": True}
        elif "voice" in given:
            await self._set_voice(given["voice"])
            settings |= {"voice": given["voice"], "is_ref_audio": False}
        self._settings = settings
        await self._send({"type": "session.updated", "session": self._session()})

    async def _set_voice(self, name: Any) -> None:
        voice = self._voices.find(name) if isinstance(name, str) else None
        if voice is None:
            # A close frame and no error event, whose reason may have 123 bytes.
            reason = f"Voice {name!r} not found.".encode()[:120]
            await self._socket.close(code=WSCloseCode.POLICY_VIOLATION, message=reason)
            raise _Over
        self._speaker = voice.speaker

    async def _speak(self) -> None:
        """Speak what was appended; an empty generation is answered, too."""
        begun = asyncio.get_running_loop().time()
        text, self._text = self._text, ""
        profile = self._profile
        if not text.strip():
            await self._send({"type": "speech.audio.done", "usage": usage_of(text, 0)})
            return
        if self._speaker is None:
            # What speaks without a voice is not published: we take the refusal that REST gives.
            raise Refused("One of voice and ref_audio is required")
        profile.request("audio/speech/realtime", {"text": text})
        number = profile.begin("speak")
        if fault := profile.fault("speak", number, "slow"):
            await asyncio.sleep(fault.ms / 1000)
        if fault := profile.fault("speak", number, "status", at="done"):
            # There is no status behind the upgrade: it comes as an error event.
            await self._error(fault.status, fault.message)
            return
        await self._strike(number, 0)
        try:
            await self._stream(text, number, begun)
        except SpeechError as error:
            await self._error(500, str(error))

    async def _stream(self, text: str, number: int, begun: float) -> None:
        profile, speaker = self._profile, self._speaker
        assert speaker is not None
        form = self._settings["response_format"]
        odd = profile.fault("speak", number, "odd_chunks") is not None
        first = begun + profile.latency.speak_first_audio_ms / 1000
        factor = profile.latency.speak_realtime_factor
        carried = b"" if form == "pcm" else pcm.wav_header(SPEECH_RATE, None)
        encode = pcm.encode_f32 if form == "pcm" else pcm.encode_s16
        sent = chunks = 0
        source = source_of(text, speaker, profile, number, self._speaking)
        try:
            async for samples in source:
                await pause_until(first + factor * sent / SPEECH_RATE + profile.late())
                sent += len(samples)
                profile.counters.spoken_s += len(samples) / SPEECH_RATE
                data, carried = carried + encode(samples), b""
                if odd and len(data) > 3:
                    data, carried = data[:-3], data[-3:]
                await self._delta(data)
                chunks += 1
                await self._strike(number, chunks)
            if carried and sent:
                await self._delta(carried)
        finally:
            await source.aclose()
        await pause_until(first)
        done: dict[str, Any] = {"type": "speech.audio.done", "usage": usage_of(text, sent)}
        if profile.fault("speak", number, "no_usage"):
            del done["usage"]
        if not profile.fault("speak", number, "no_done"):
            await self._send(done)

    async def _delta(self, data: bytes) -> None:
        audio = base64.b64encode(data).decode()
        await self._send({"type": "speech.audio.delta", "audio_data": audio})

    async def _strike(self, number: int, chunks: int) -> None:
        fault = self._profile.fault("speak", number, "stall", "reset", "close", "error")
        if fault is None or fault.after != chunks:
            return
        if fault.kind == "stall":
            while await self._inbox.get() is not None:
                pass
        elif fault.kind == "reset":
            reset(self._request)
        elif fault.kind == "error":
            await self._error(fault.code or fault.status, fault.message)
            await self._socket.close(code=WSCloseCode.OK)
        else:
            reason = fault.message.encode()[:120]
            await self._socket.close(code=fault.code or 1011, message=reason)
        raise _Over


def expressiveness(given: Any) -> float:
    """Check ``expressiveness``.

    Raises:
        Refused: Unless it is a number of at least 1.
    """
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not math.isfinite(given) or given < 1:
        raise Refused(f"expressiveness must be finite and at least 1.0; got {given!r}")
    return float(given)


async def serve(
    request: web.Request, profile: Profile, voices: Voices, speaking: Speaking
) -> web.StreamResponse:
    """Upgrade an authorised request and converse; returns when the socket is closed.

    Raises:
        Problem: For a ``status`` fault at the very first request, in place of the upgrade.
    """
    profile.counters.speech_connections += 1
    if fault := profile.fault("speak", profile.counters.speech_connections, "status", at="open"):
        raise refusal(fault)
    socket = web.WebSocketResponse(protocols=("realtime",), heartbeat=30.0, max_msg_size=8 << 20)
    await socket.prepare(request)
    model = request.query.get("model", "")
    if not accepts("speech_socket", model):
        body = {"message": f"Invalid model: {model}", "code": INVALID}
        await socket.send_str(dumps({"type": "error", "error": body}))
        await socket.close(code=WSCloseCode.OK)
        return socket
    await Session(request, socket, profile, voices, speaking).run()
    return socket
