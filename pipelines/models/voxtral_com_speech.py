"""Speaking with voxtral.com: streamed, or generated whole.

Protocol page §6. Its stream's events have no type within and its PCM is not documented, so it is
found out from the sound. Errors come as a status or as a `code` other than 0. Longer texts than
it takes are spoken in pieces.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.delivery import Abilities, Delivery, deliver
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http, explain
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.speech import RATE, sample_of, stream_sound

LONGEST = 5_000
"""Characters that one request may have."""
SAMPLE_LENGTHS = (5.0, 30.0)
"""Seconds that a sample may last there, from shortest to longest."""

log = logging.getLogger("vivavoce")

_SENTENCE = re.compile(r"(?<=[.!?…।。！？؟])\s+|\n+")


def pieces(text: str, longest: int = LONGEST) -> list[str]:
    """Cut a text into pieces of so many characters at most: at sentences, else at spaces.

    Joined by spaces, they are the text but for its white space.
    """
    found: list[str] = []
    part = ""
    for sentence in _SENTENCE.split(text.strip()):
        rest = sentence
        while len(rest) > longest:
            cut = rest.rfind(" ", 1, longest + 1)
            cut = cut if cut > 0 else longest
            if part:
                found.append(part)
                part = ""
            found.append(rest[:cut].rstrip())
            rest = rest[cut:].lstrip()
        if part and len(part) + 1 + len(rest) > longest:
            found.append(part)
            part = rest
        else:
            part = f"{part} {rest}" if part and rest else part or rest
    return [*found, part] if part else found


@dataclass(frozen=True, slots=True)
class Generated:
    """A text, generated whole.

    Attributes:
        audio: The file.
        format: "mp3", "wav" ...
        credits: What it cost.
        id: The generation's.
        url: Where it can be had again.
        chunks: In how many pieces the server made it.
    """

    audio: bytes
    format: str
    credits: float
    id: str
    url: str
    chunks: int


class VoxtralComSpeech:
    """Speech from voxtral.com (`https://voxtral.com/api/tts`), which has one model.

    Attributes:
        credits: What the requests have cost until now, as far as they told: streams may not.
    """

    rate = RATE

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint
        self.abilities = Abilities("voxtral.com", speed=True, shortest=SAMPLE_LENGTHS[0])
        self.credits = 0.0

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text; see `Speaking.stream`. One of any length, in pieces of `LONGEST`."""
        asked = deliver(text, voice, language, self.abilities)
        body = await self._body(asked)
        for piece in pieces(asked.text):
            done: dict[str, Any] = {}
            sound = stream_sound(
                self._http,
                self._endpoint,
                "/stream",
                {"input": piece, **body, "response_format": "pcm"},
                encoding="unknown",
                done=done,
            )
            async with aclosing(sound) as chunks:
                async for chunk in chunks:
                    yield chunk
            self._count(done)

    async def generate(
        self, text: str, *, voice: str | Speaker | None, language: str, form: str = "mp3"
    ) -> Generated:
        """Generate a text whole.

        Args:
            text: At most `LONGEST` characters; beyond 1,000 the server cuts it.
            voice: Who speaks.
            language: Its code.
            form: The file's format.

        Raises:
            ModelError: If it is too long, or the server cannot be reached, refuses or fails.
        """
        if len(text) > LONGEST:
            raise ModelError(
                "speaking",
                "refused",
                f"voxtral.com generates at most {LONGEST:,} characters at once, not"
                f" {len(text):,}: cut the text, or stream it",
            )
        asked = deliver(text, voice, language, self.abilities)
        body = {"input": asked.text, **await self._body(asked), "response_format": form}
        answer = await self._http.request(
            "speaking", self._endpoint, "POST", "/generate", body=body
        )
        data = opened(self._endpoint, answer.data)
        self._count(data)
        try:
            return Generated(
                base64.b64decode(data["audio_data"], validate=True),
                str(data.get("format") or form),
                float(data.get("credits_used") or 0),
                str(data.get("generation_id") or ""),
                str(data.get("audio_url") or ""),
                int(data.get("chunks") or 1),
            )
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise ModelError(
                "speaking", "broken", f"{self._endpoint.url} sent no audio ({error})"
            ) from error

    async def _body(self, asked: Delivery) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if asked.sample is not None:
            body["ref_audio"] = (await sample_of(asked.sample, SAMPLE_LENGTHS)).base64
        elif asked.voice is not None:
            body["voice_id"] = asked.voice
        else:
            raise ModelError(
                "speaking",
                "refused",
                "voxtral.com wants a voice: name one by its id (`vivavoce voices list`)",
            )
        if asked.speed is not None:
            body["speed"] = asked.speed
        return body

    def _count(self, told: dict[str, Any]) -> None:
        used = told.get("credits_used")
        if isinstance(used, int | float) and not isinstance(used, bool):
            self.credits += used
            log.info("voxtral.com: %g credits, %g in all", used, self.credits)


def opened(endpoint: Endpoint, body: bytes) -> Any:
    """Return what is in an answer of voxtral.com's.

    Raises:
        ModelError: If its code tells an error, or it is none of the kind.
    """
    try:
        message = json.loads(body)
        code, data = message["code"], message.get("data")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            "speaking", "broken", f"{endpoint.url} sent no answer that can be read"
        ) from error
    if code != 0:
        raise ModelError(
            "speaking",
            "refused",
            f"{endpoint.url} answered code {code}: {explain(body.decode('utf-8', 'replace'))}",
        )
    return data
