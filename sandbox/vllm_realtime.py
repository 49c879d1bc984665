"""The hearing socket of vLLM: ``/v1/realtime``, as its own RealtimeConnection behaves.

Audio goes into a queue. A commit starts a generation that takes it from there, one step of 80 ms
at a time, and sends a delta for each, mostly an empty one; a final commit puts an end mark into the
queue. Behind the mark come the steps of the right padding and ``transcription.done``, and what was
queued meanwhile is thrown away. A commit during a generation is ignored; neither is told. The
delay is the server's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web

from vivavoce.sandbox.dialogue import IDLE_S, Dialogue, Over
from vivavoce.sandbox.ear import Ear, EngineEar, ScriptedEar
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.pcm import Intake
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.wire import Page, pause_until, refusal, reset

log = logging.getLogger("vivavoce.sandbox")

MODELS = ("mistralai/Voxtral-Mini-4B-Realtime-2602",)
RATE = 16_000
STEP_S = 0.08
"""One token."""
DELAY_MS = 480
"""``transcription_delay_ms`` of the model's tekken.json."""
LARGEST = 25 << 20
"""Samples of one append, at most: ``VLLM_MAX_AUDIO_CLIP_FILESIZE_MB`` counts samples."""
_AHEAD_S = 0.0825  # a step and its look-ahead: what the first step waits for behind the delay


class VllmSession(Dialogue):
    """One socket's conversation."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        profile: Profile,
        hearing: Hearing,
    ) -> None:
        super().__init__(request, socket, profile)
        self._hearing = hearing
        self._validated = False
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._generation: asyncio.Task[None] | None = None
        self._ear: Ear | None = None
        self._words = ""  # what the next step writes
        self._text = ""  # what this generation has written
        self._steps = 0
        self._audio_s = 0.0  # of this generation
        self._spoke = False
        self._ended = False  # the context is full

    async def _begin(self) -> None:
        created = {"id": f"sess-{self.id}", "created": int(time.time())}
        await self._send({"type": "session.created", **created})

    async def _error(self, code: int | str, message: str) -> None:
        # Its codes are words; a fault's number is of the other dialect.
        word = code if isinstance(code, str) else "processing_error"
        await self._send({"type": "error", "error": message, "code": word})

    async def _receive(self) -> bool:
        try:
            async with asyncio.timeout(IDLE_S):
                message = await self._message()
        except TimeoutError:
            await self._socket.close()
            return False
        if message is None:
            return False
        if message.type is not WSMsgType.TEXT:
            # Its reader wants text: anything else kills the connection, without a close frame.
            reset(self._request)
            raise Over
        try:
            event = json.loads(message.data)
        except json.JSONDecodeError:
            await self._error("invalid_json", "Invalid JSON")
        else:
            await self._handle(event if isinstance(event, dict) else {})
        return True

    async def _handle(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind == "session.update":
            await self._validate(event.get("model"))
        elif kind == "input_audio_buffer.append":
            await self._append(event.get("audio"))
        elif kind != "input_audio_buffer.commit":
            await self._error("unknown_event", f"Unknown event type: {kind}")
        elif not self._validated:
            await self._error(
                "model_not_validated",
                "Model not validated. Make sure to validate the model by sending a session.update"
                " event.",
            )
        elif event.get("final"):
            self._queue.put_nowait(None)
        elif self._generation is None or self._generation.done():
            self._generation = asyncio.create_task(self._generate(), name="vllm generation")

    async def _validate(self, model: Any) -> None:
        if model is None:
            await self._error("invalid_event", "Missing required field: model")
        elif model not in MODELS:
            await self._error("model_not_found", f"The model `{model}` does not exist.")
        else:
            self._validated = True

    async def _append(self, given: Any) -> None:
        try:
            data = base64.b64decode(given)
            samples = np.frombuffer(data, "<i2")
        except (TypeError, ValueError):
            samples = np.zeros(0, "<i2")
        if not 0 < len(samples) <= LARGEST:
            await self._error("invalid_audio", "Invalid audio data")
            return
        self._queue.put_nowait(data)
        await self._heard(len(samples) / RATE)

    # -- a generation

    async def _generate(self) -> None:
        """Hear what is queued until the end mark; then say all that was written."""
        self._words = self._text = ""
        self._steps, self._audio_s = 0, 0.0
        self._spoke = self._ended = False
        self._ear = self._make_ear()
        try:
            while not self._ended and (data := await self._queue.get()) is not None:
                self._audio_s += len(data) / (2 * RATE)
                await self._ear.push(data)
                await self._write()
            await self._finish(self._ear)
            while not self._queue.empty():
                self._queue.get_nowait()
        except Over:
            self._stored.put_nowait(None)  # nothing is read any more
        except Exception as error:
            # As vLLM does, for whatever it was: the connection stays, the generation is over.
            log.exception("a generation failed")
            await self._error("processing_error", str(error) or type(error).__name__)
        finally:
            await self._ear.close()

    def _make_ear(self) -> Ear:
        intake = Intake("pcm_s16le", RATE)
        if self._profile.script.hear is None:
            return EngineEar(self._hearing, intake, self._delta)
        return ScriptedEar(self._profile, intake, self._delay_ms, self._delta)

    @property
    def _delay_ms(self) -> float:
        given = self._profile.latency.hear_delay_ms
        return DELAY_MS if given is None else given

    async def _delta(self, text: str) -> None:
        number = self._profile.counters.turns["hear"] + 1
        if not self._spoke:
            self._spoke = True
            await self._strike("delta", number)
        if not self._rut and not self._profile.fault("hear", number, "empty"):
            self._words += text

    async def _write(self, more: int = 0) -> None:
        """Take the steps that are due, and `more`."""
        due = self._audio_s - self._delay_ms / 1000 - _AHEAD_S
        steps = (0 if due < 0 else int(due / STEP_S) + 1) + more
        while self._steps < steps:
            self._steps += 1
            delta, self._words = self._words, ""
            self._text += delta
            await self._send({"type": "transcription.delta", "delta": delta})

    async def _finish(self, ear: Ear) -> None:
        due = asyncio.get_running_loop().time() + self._profile.latency.hear_final_ms / 1000
        heard = await ear.flush()
        await pause_until(due + self._profile.late())
        number = self._profile.begin("hear")
        await self._write(round(self._delay_ms / 1000 / STEP_S) + 11)
        # Moonshine may take a word back that it was sure of, which Voxtral cannot: the text that
        # is true is told, where vLLM tells the sum of its deltas.
        text = self._text
        if not self._rut and not self._profile.fault("hear", number, "empty"):
            text = heard.text
        await self._strike("done", number)
        if self._profile.fault("hear", number, "lost_done"):
            return
        self._profile.counters.texts.append(text)
        prompt = 39 + self._steps
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": self._steps,
            "total_tokens": prompt + self._steps,
            "prompt_tokens_details": None,
            "completion_tokens_details": None,
        }
        await self._send({"type": "transcription.done", "text": text, "usage": usage})

    async def _full(self) -> None:
        """Stop writing and say so with a done that nobody asked for, as at ``max_model_len``."""
        self._ended = True
        self._queue.put_nowait(None)

    async def _close(self) -> None:
        generation, self._generation = self._generation, None
        if generation is not None:
            generation.cancel()
            await asyncio.wait([generation])


async def serve(request: web.Request, profile: Profile, hearing: Hearing) -> web.StreamResponse:
    """Upgrade an authorised request and converse; returns when the socket is closed.

    Raises:
        Problem: For a ``status`` fault, in place of the upgrade.
    """
    profile.counters.connections += 1
    if fault := profile.fault("hear", profile.counters.connections, "status"):
        raise refusal(fault)
    if profile.fault("hear", profile.counters.connections, "page"):
        raise Page
    socket = web.WebSocketResponse(heartbeat=30.0, max_msg_size=128 << 20)
    await socket.prepare(request)
    profile.request("realtime")
    await VllmSession(request, socket, profile, hearing).run()
    return socket
