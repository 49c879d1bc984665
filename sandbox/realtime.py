"""The hearing socket: ``/v1/audio/transcriptions/realtime`` as Voxtral Realtime speaks it.

Messages are JSON text. After the first audio the session's fields are locked; a flush ends an
utterance with ``transcription.done`` and the session goes on; an end gives the last one and
closes. 2602 has no turn events: the client's own VAD decides when to flush. 3-0 has them, where
the session asks for them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from vivavoce.sandbox.catalog import accepts
from vivavoce.sandbox.dialogue import IDLE_S, TIMED_OUT, Dialogue
from vivavoce.sandbox.ear import Ear, EngineEar, Heard, ScriptedEar
from vivavoce.sandbox.fields import Fields, Refused
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.pcm import BYTES_PER_SAMPLE, Intake
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.turns import Event
from vivavoce.sandbox.wire import Page, dumps, pause_until, refusal

LARGEST_CHUNK = 262_144  # decoded bytes of one input_audio.append
_DEFAULT_DELAY_MS = 480

INVALID = 1500  # seen with "Invalid model"; the full list is not published

_SPEAKER = "speaker_0"  # one for all: there is no diarizer here

_SLICE_S = 0.1  # where turns are followed, audio is heard in pieces as clients send it


class Session(Dialogue):
    """One socket's conversation."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        profile: Profile,
        model: str,
        hearing: Hearing,
        number: int,
    ) -> None:
        super().__init__(request, socket, profile)
        self._number = number  # of the connection, under its key
        self._model, self._hearing = model, hearing
        self._fields = Fields()
        self._ear: Ear | None = None
        self._unflushed = False  # audio came behind the last done
        self._unflushed_s = 0.0
        self._spoke = False  # a delta went out in this utterance
        self._all = ""  # the texts of the whole session

    async def _begin(self) -> None:
        await self._send({"type": "session.created", "session": self._session()})

    async def _close(self) -> None:
        if self._ear is not None:
            await self._ear.close()

    def _session(self) -> dict[str, Any]:
        return {"request_id": self.id, "model": self._model, **self._fields.json()}

    async def _error(self, code: int | str, message: str) -> None:
        await self._send({"type": "error", "error": {"message": message, "code": code}})

    async def _receive(self) -> bool:
        idle_s = self._profile.latency.hear_idle_s if self._unflushed else IDLE_S
        try:
            async with asyncio.timeout(idle_s):
                message = await self._message()
        except TimeoutError:
            if self._unflushed:
                await self._error(
                    TIMED_OUT, "Timeout waiting for response from streaming transcription."
                )
            # That the socket closes behind it is our reading: not established.
            await self._socket.close(code=WSCloseCode.OK)
            return False
        if message is None:
            return False
        if message.type is WSMsgType.TEXT:
            try:
                return await self._handle(message.data)
            except Refused as refusal:
                await self._error(INVALID, str(refusal))
                return True
        await self._error(INVALID, "Messages must be JSON text")
        return True

    async def _handle(self, text: str) -> bool:
        try:
            event = json.loads(text)
        except json.JSONDecodeError as error:
            raise Refused(f"Message is not valid JSON: {error}") from error
        kind = event.get("type") if isinstance(event, dict) else None
        if kind == "session.update":
            await self._update(event.get("session"))
        elif kind == "input_audio.append":
            await self._append(event.get("audio"))
        elif kind == "input_audio.flush":
            await self._finish()
        elif kind == "input_audio.end":
            await self._finish()
            await self._socket.close(code=WSCloseCode.OK)
            return False
        else:
            raise Refused(f"Unknown message type: {kind!r}")
        return True

    async def _update(self, given: Any) -> None:
        if self._ear is not None:
            raise Refused("Session fields cannot be changed after audio has started")
        self._fields = self._fields.updated(given, self._model)
        await self._send({"type": "session.updated", "session": self._session()})

    async def _append(self, given: Any) -> None:
        try:
            data = base64.b64decode(given, validate=True)
        except (TypeError, ValueError) as error:
            raise Refused(f"audio is not valid base64: {error}") from error
        if len(data) > LARGEST_CHUNK:
            raise Refused(f"Audio chunk too large: {len(data)} bytes, at most {LARGEST_CHUNK}")
        if self._ear is None:
            self._ear = self._make_ear()
        self._unflushed = True
        fields = self._fields
        pace = BYTES_PER_SAMPLE[fields.encoding] * fields.rate
        step = max(1, len(data)) if fields.turns is None else round(_SLICE_S * pace)
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            self._unflushed = True  # an end of a turn may have come in the piece before
            self._unflushed_s += len(piece) / pace
            await self._heard(len(piece) / pace)
            await self._ear.push(piece)

    def _make_ear(self) -> Ear:
        fields, profile = self._fields, self._profile
        intake = Intake(fields.encoding, fields.rate)
        lines = profile.lines(self._number, fields.language)
        if profile.script.hear is None and lines is None:
            return EngineEar(self._hearing, intake, self._delta, fields.turns, self._turn)
        delay_ms = profile.latency.hear_delay_ms
        if delay_ms is None:
            delay_ms = fields.delay_ms or _DEFAULT_DELAY_MS
        return ScriptedEar(profile, intake, delay_ms, self._delta, fields.turns, self._turn, lines)

    async def _turn(self, event: Event) -> None:
        """Tell what became of the turn, and give its text where the profile says so."""
        order = self._profile.turns.done if event.kind == "end" else "none"
        if order == "before":
            await self._finish(asked=False)
        await self._send(event.json())
        if order == "after":
            await self._finish(asked=False)

    async def _delta(self, text: str) -> None:
        number = self._profile.counters.turns["hear"] + 1
        if self._rut or self._profile.fault("hear", number, "empty"):
            return
        if not self._spoke:
            self._spoke = True
            await self._strike("delta", number)
        await self._send({"type": "transcription.text.delta", "text": text})

    async def _finish(self, *, asked: bool = True) -> None:
        due = asyncio.get_running_loop().time() + self._profile.latency.hear_final_ms / 1000
        heard = await self._ear.flush() if self._ear is not None else Heard()
        # A flush without audio behind the last one is answered, but is no utterance; nor is the
        # end of a turn whose words a flush has had.
        counted = self._unflushed and (asked or bool(heard.text))
        self._unflushed = self._spoke = False
        seconds, self._unflushed_s = self._unflushed_s, 0.0
        await pause_until(due + self._profile.late())
        if counted:
            number = self._profile.begin("hear")
            if self._rut or self._profile.fault("hear", number, "empty"):
                heard = Heard()
            await self._strike("done", number)
            if self._profile.fault("hear", number, "lost_done"):
                return
            self._profile.counters.texts.append(heard.text)
            self._all = f"{self._all} {heard.text}".strip()
            if self._profile.fault("hear", number, "cumulative"):
                heard = Heard(self._all, heard.segments)
        await self._tell(heard, seconds)

    async def _tell(self, heard: Heard, seconds: float) -> None:
        answer = done(self._model, heard, seconds)
        answer["language"] = self._fields.language
        if self._fields.diarize:
            for segment in answer["segments"]:
                segment["speaker_id"] = _SPEAKER
                await self._send({**segment, "type": "transcription.segment"})
        await self._send(answer)


def done(model: str, heard: Heard, seconds: float) -> dict[str, Any]:
    """Make ``transcription.done`` for an utterance of so many seconds of audio."""
    words = len(heard.text.split())
    return {
        "type": "transcription.done",
        "model": model,
        "text": heard.text,
        "language": None,
        "segments": [
            {"type": "transcription_segment", "text": text, "start": start, "end": end}
            for text, start, end in heard.segments
        ],
        "usage": {
            "prompt_tokens": 4,
            "completion_tokens": words,
            "total_tokens": 4 + words,
            "prompt_audio_seconds": math.ceil(seconds),
        },
    }


async def serve(request: web.Request, profile: Profile, hearing: Hearing) -> web.StreamResponse:
    """Upgrade an authorised request and converse; returns when the socket is closed.

    Raises:
        Problem: For a ``status`` fault, in place of the upgrade.
    """
    profile.counters.connections += 1
    number = profile.counters.connections
    if fault := profile.fault("hear", number, "status"):
        raise refusal(fault)
    if profile.fault("hear", number, "page"):
        raise Page
    # A browser cannot set headers: its key comes as a second subprotocol, and `realtime` is
    # what is echoed. Pings both ways keep dead peers from staying.
    socket = web.WebSocketResponse(protocols=("realtime",), heartbeat=30.0, max_msg_size=1 << 20)
    await socket.prepare(request)
    model = request.query.get("model", "")
    if not accepts("realtime", model):
        body = {"message": f"Invalid model: {model}", "code": INVALID}
        await socket.send_str(dumps({"type": "error", "error": body}))
        await socket.close(code=WSCloseCode.OK)
        return socket
    profile.request("audio/transcriptions/realtime")
    await Session(request, socket, profile, model, hearing, number).run()
    return socket
