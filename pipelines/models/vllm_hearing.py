"""Hearing: vLLM's `/v1/realtime`, for the length of a call (protocol page §2).

Its messages look like OpenAI's and their order matters. A commit starts a generation, audio
follows, a final commit asks for its end. Until its final text has come nothing may be sent: a
commit would be ignored and audio dropped, both without a word. The delay is the server's; a
session has no other settings. It writes one delta for every 80 ms of audio, mostly an empty one.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from websockets.asyncio.client import ClientConnection

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.hearing_socket import HearingSocket
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.models.segments import Segments
from vivavoce.pipelines.models.watch import Watch
from vivavoce.pipelines.models.wishes import Wishes

LIFETIME = 2.5 * 3600
"""Seconds of audio after which a generation is ended in the next pause. The model's context is full
after 2 h 54 min (131,072 tokens of 80 ms); the server then stops writing."""


class VllmHearing(HearingSocket):
    """One call's live transcription; implements `Hearing`."""

    def __init__(
        self,
        endpoint: Endpoint,
        timeouts: Timeouts,
        wishes: Wishes | None = None,
        *,
        lifetime: float = LIFETIME,
    ) -> None:
        """Prepare it.

        Args:
            endpoint: Where the model is; `http` URLs become `ws`.
            timeouts: How long to wait.
            wishes: What is asked of it. A session takes none of them: any is told as trouble, in
                a line, and nothing is sent.
            lifetime: Seconds of audio after which a generation is ended in the next pause.
        """
        super().__init__(endpoint, timeouts, Segments(), Watch(steady=True, lifetime=lifetime))
        self._wishes = wishes or Wishes()
        self._generating = False
        self._ending = False

    @property
    def _path(self) -> str:
        return "/v1/realtime"

    @property
    def _open(self) -> bool:
        return not self._ending

    async def _before(self) -> None:
        wishes = self._wishes
        asked = {
            "turn detection": bool(wishes.turns),
            "language": wishes.language is not None,
            "words to expect (context_bias)": bool(wishes.context_bias),
            "speakers (diarize)": wishes.diarize,
            "delay": wishes.delay_ms is not None,
        }
        if unable := [name for name, wanted in asked.items() if wanted]:
            told = f"a session of vLLM's /v1/realtime takes no {' and no '.join(unable)}"
            if wishes.delay_ms is not None:
                told += ": transcription_delay_ms in the model's tekken.json is the server's"
            raise ModelError("hearing", "refused", told)

    async def _greet(self, socket: ClientConnection) -> None:
        self._generating = self._ending = False
        await self._first(socket)
        # At the top level, and never acknowledged.
        await socket.send(json.dumps({"type": "session.update", "model": self._endpoint.model}))

    async def _give(self, socket: ClientConnection, pcm: bytes) -> None:
        if not self._generating:
            self._generating = True
            await socket.send('{"type":"input_audio_buffer.commit"}')
        data = base64.b64encode(pcm).decode("ascii")
        await socket.send(f'{{"type":"input_audio_buffer.append","audio":"{data}"}}')

    async def _ask(self, socket: ClientConnection) -> None:
        if not self._generating:
            # Nothing was sent since the last final text: the server has nothing to end.
            self._done("")
            return
        self._ending = True
        await socket.send('{"type":"input_audio_buffer.commit","final":true}')

    def _take(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "transcription.delta":
                self._delta(str(message.get("delta") or ""))
            case "transcription.done":
                if not self._ending:
                    # The context is full. What it did not hear is sent over a new connection.
                    url = self._endpoint.url
                    raise ModelError(
                        "hearing", "broken", f"{url} ended the transcription by itself"
                    )
                self._generating = self._ending = False
                self._done(str(message.get("text") or ""))
                self._wake.set()
            case "error":
                raise self._refused(message)
            case _:
                pass
