"""Speaking with vLLM-Omni: the open weights on one's own GPU.

Protocol page §3. It looks like Mistral's and is not: `voice`, `audio`, int16 instead of float32,
a speed, and voices of its own. `stream: true` gives server-sent events. The open weights cannot
clone: a voice has to be one of the checkpoint's, or uploaded where the server takes uploads.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from vivavoce.agent.languages import base
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.delivery import LANGUAGES_2, Abilities, deliver
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.speech import RATE, stream_sound


def pick_voice(voices: Sequence[str], language: str) -> str | None:
    """Return the voice that speaks a language where none is named.

    The checkpoint's voices are named by language ("fr_female") where they have one, and by mood
    ("neutral_female") where they speak English.

    Args:
        voices: The server's, by name.
        language: A code.
    """
    code = base(language)
    moods = ("neutral", "casual", "cheerful")
    wanted = moods if code == "en" else (code,)
    for beginning in (*wanted, "neutral"):
        for each in voices:
            if each.startswith(f"{beginning}_"):
                return each
    return voices[0] if voices else None


class OmniSpeech:
    """A model behind vLLM-Omni's `POST /v1/audio/speech`."""

    rate = RATE

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint
        self.abilities = Abilities(
            endpoint.model,
            speed=True,
            samples="its open weights have no encoder to clone with; name one of its voices",
            languages=LANGUAGES_2 if "TTS-26" in endpoint.model.upper() else (),
        )
        self._voices: tuple[str, ...] | None = None

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text; see `Speaking.stream`.

        Where no voice is named, the server is asked once which it has, and one of the language
        speaks.
        """
        asked = deliver(text, voice, language, self.abilities)
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "input": asked.text,
            "voice": asked.voice or await self._default(language),
            "response_format": "pcm",
            "stream": True,
        }
        if asked.speed is not None:
            body["speed"] = asked.speed
        sound = stream_sound(
            self._http, self._endpoint, "/v1/audio/speech", body, encoding="s16", field="audio"
        )
        async with aclosing(sound) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _default(self, language: str) -> str:
        if self._voices is None:
            answer = await self._http.request("speaking", self._endpoint, "GET", "/v1/audio/voices")
            try:
                self._voices = tuple(str(each) for each in answer.json()["voices"])
            except (ValueError, KeyError, TypeError) as error:
                raise ModelError(
                    "speaking", "broken", f"{self._endpoint.url} lists no voices"
                ) from error
        found = pick_voice(self._voices, language)
        if found is None:
            raise ModelError(
                "speaking", "refused", f"{self._endpoint.url} has no voice: upload one, or name it"
            )
        return found
