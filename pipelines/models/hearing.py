"""Hearing: Mistral's realtime transcription socket (2602, 3-0), for the length of a call.

Protocol page §1. Voxtral 3 can follow the caller's turns too, and may then give final texts
unasked; it takes a language, words to expect, and tells speakers apart where the model's card says
so. What it does not take is refused before a connection is opened.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection

from vivavoce.pipelines.models.capabilities import capabilities
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.hearing_socket import RATE, HearingSocket
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.models.segments import Segments
from vivavoce.pipelines.models.watch import Watch
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.turns.endpointing import TurnEvent

_TURNS: dict[str, TurnEvent] = {
    "turn.start": "start",
    "turn.eager_end": "eager_end",
    "turn.resume": "resume",
    "turn.end": "end",
}


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one speaker said in one go, where speakers are told apart.

    Attributes:
        text: The words.
        speaker: Who; the model's name for them. None where it does not know.
        start: Where it begins, in seconds of audio since the connection's first sample.
        end: Where it ends.
    """

    text: str
    speaker: str | None
    start: float | None
    end: float | None


class MistralHearing(HearingSocket):
    """One call's live transcription; implements `Hearing`."""

    def __init__(
        self,
        endpoint: Endpoint,
        timeouts: Timeouts,
        wishes: Wishes | None = None,
        *,
        on_spoken: Callable[[int, Spoken], None] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            endpoint: Where the model is; `http` URLs become `ws`.
            timeouts: How long to wait.
            wishes: What is asked of it. What the model does not take is told as trouble, in a
                line, before a connection is opened; so is what the server refuses.
            on_spoken: Is told who said what, with the segment that it belongs to, before that
                segment's final text; on the event loop, and must not block.
        """
        self._wishes = wishes or Wishes()
        unasked = bool(self._wishes.turns)
        super().__init__(endpoint, timeouts, Segments(unasked=unasked), Watch())
        self._on_spoken = on_spoken

    @property
    def _path(self) -> str:
        return f"/v1/audio/transcriptions/realtime?model={quote(self._endpoint.model)}"

    async def _before(self) -> None:
        if not self._wishes.special:
            return
        able = await capabilities(self._endpoint, timeout=self._timeouts.connect)
        why = self._wishes.refusal(self._endpoint.model, able)
        if why is not None:
            raise ModelError("hearing", "refused", why)

    async def _greet(self, socket: ClientConnection) -> None:
        await self._first(socket)
        wishes = self._wishes
        session: dict[str, Any] = {
            "audio_format": {"encoding": "pcm_s16le", "sample_rate": RATE},
        }
        if wishes.delay_ms is not None:
            session["target_streaming_delay_ms"] = wishes.delay_ms
        if (detection := wishes.turn_detection) is not None:
            session["turn_detection"] = detection.json()
        if wishes.language is not None:
            session["language"] = wishes.language
        if wishes.context_bias:
            session["context_bias"] = list(wishes.context_bias)
        if wishes.diarize:
            session["diarize"] = True
        await socket.send(json.dumps({"type": "session.update", "session": session}))

    async def _give(self, socket: ClientConnection, pcm: bytes) -> None:
        data = base64.b64encode(pcm).decode("ascii")
        await socket.send(f'{{"type":"input_audio.append","audio":"{data}"}}')

    async def _ask(self, socket: ClientConnection) -> None:
        await socket.send('{"type":"input_audio.flush"}')

    def _take(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "transcription.text.delta":
                self._delta(str(message.get("text") or ""))
            case "transcription.done":
                self._done(str(message.get("text") or ""))
            case "turn.start" | "turn.eager_end" | "turn.resume" | "turn.end" as kind:
                self._turn(_TURNS[kind], message.get("time_s"))
            case "transcription.segment":
                self._spoken(message)
            case "error":
                raise self._refused(message)
            case _:
                pass

    def _turn(self, kind: TurnEvent, at: Any) -> None:
        self._useful = True
        when = _seconds(at)
        ago = self._segments.turn(kind, math.inf if when is None else when)  # not said: now
        if self._listener is not None:
            self._listener.on_turn(kind, ago)

    def _spoken(self, message: dict[str, Any]) -> None:
        text = str(message.get("text") or "").strip()
        if self._on_spoken is None or not text:
            return
        owed = self._segments.owed
        speaker = message.get("speaker_id")
        spoken = Spoken(
            text,
            None if speaker is None else str(speaker),
            _seconds(message.get("start")),
            _seconds(message.get("end")),
        )
        self._on_spoken(owed[0] if owed else self._segments.current, spoken)


def _seconds(given: Any) -> float | None:
    return float(given) if isinstance(given, int | float) and math.isfinite(given) else None
