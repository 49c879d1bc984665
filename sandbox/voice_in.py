"""``input_audio`` in a chat's messages: what the caller says, written down by the recogniser."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
from collections import OrderedDict
from typing import Any

from vivavoce.sandbox import media, pcm
from vivavoce.sandbox.files import segments
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.manners import Manner
from vivavoce.sandbox.pcm import HEARING_RATE, Samples
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.wire import invalid, problem

_LONGEST_S = 20 * 60
_KEPT = 256  # texts; a history brings the same audio again with every turn
_LISTENS = re.compile(r"voxtral-(small|mini)|embedded-rules", re.IGNORECASE)
_FORMATS = ("wav", "mp3", "flac", "m4a", "ogg", "webm", "aac", "pcm")


class VoiceIn:
    """Writes down the audio in messages; remembers what it has heard before."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def written(
        self, messages: Any, model: str, manner: Manner, profile: Profile
    ) -> tuple[Any, float]:
        """Put text in the place of audio; give the messages and the seconds of audio in them.

        Raises:
            Problem: For audio that a server of this dialect would refuse.
        """
        if not isinstance(messages, list):
            return messages, 0.0
        seconds = 0.0
        found = []
        for position, message in enumerate(messages):
            content = message.get("content") if isinstance(message, dict) else None
            if not isinstance(content, list):
                found.append(message)
                continue
            chunks = []
            for place, chunk in enumerate(content):
                if isinstance(chunk, dict) and chunk.get("type") == "input_audio":
                    if message.get("role") != "user":
                        raise problem(400, "Audio can only stand in a user's message")
                    where = ("messages", position, "content", place, "input_audio")
                    text, length = await self._heard(chunk, where, model, manner, profile)
                    seconds += length
                    chunks.append({"type": "text", "text": text})
                else:
                    chunks.append(chunk)
            found.append({**message, "content": chunks})
        return found, seconds

    async def _heard(
        self,
        chunk: dict[str, Any],
        where: tuple[str | int, ...],
        model: str,
        manner: Manner,
        profile: Profile,
    ) -> tuple[str, float]:
        if not _LISTENS.search(model):
            raise problem(400, f"Model {model} does not take audio: use a Voxtral model")
        samples, digest = await asyncio.to_thread(_read, chunk.get("input_audio"), where, manner)
        seconds = len(samples) / HEARING_RATE
        if seconds > _LONGEST_S:
            raise problem(400, f"Audio of {seconds:.0f} s is longer than {_LONGEST_S} s")
        known = (profile.key, digest)
        if known not in self._known:
            profile.counters.heard_s += seconds
            if profile.script.hear is not None:
                text = profile.next_heard()
            else:
                texts = [text async for text, _, _ in segments(samples, self._hearing) if text]
                text = " ".join(texts)
            self._known[known] = text
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[known], seconds


def _read(given: Any, where: tuple[str | int, ...], manner: Manner) -> tuple[Samples, str]:
    """Decode the audio; give 16 kHz samples and a digest of what was sent."""
    if manner.plain_audio:
        if not isinstance(given, str):
            raise invalid("Input should be a valid string", *where, kind="string_type")
        data = given
    else:
        if not isinstance(given, dict) or not isinstance(given.get("data"), str):
            raise invalid("Input should be an object with data and format", *where)
        if given.get("format") not in _FORMATS:
            raise invalid(f"format should be one of {', '.join(_FORMATS)}", *where)
        data = given["data"]
    if data.startswith(("http://", "https://")):
        raise problem(400, "The sandbox fetches nothing: send the audio itself, in base64")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Audio should be base64, without a data URI", *where) from None
    digest = hashlib.sha256(raw).hexdigest()
    if isinstance(given, dict) and given.get("format") == "pcm":
        raw = pcm.wav_header(HEARING_RATE, len(raw) // 2) + raw
    try:
        samples = media.read(raw)
    except pcm.AudioError as error:
        raise problem(400, str(error)) from error
    return samples, digest
