"""Capabilities: what a model says it can do, from its card in `GET /v1/models` (protocol page §1).

Names tell nothing: an alias has pointed at models of two generations. A server without cards, or
whose cards say less, leaves a question open (None), and then the server itself is asked by trying.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from vivavoce.pipelines.models.http import Endpoint

VALID = 3600.0
"""Seconds that a card is believed."""
LONGEST = 4 << 20
"""Bytes of a list of cards, at most."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do; None where its card does not say.

    Attributes:
        realtime: Transcribe live.
        files: Transcribe files.
        speech: Speak.
        tools: Call functions.
        modes: The modes of transcription.
        diarization: Tell speakers apart.
        context_bias: Take words to expect.
        turn_detection: Follow turns.
        granularities: Of times, in transcripts of files.
        languages: Codes that it may be told; empty: none.
        delays_ms: Target delays that it takes (ms), as ranges with their ends.
        speech_modes: The modes of speech.
        speech_formats: Formats of speech.
    """

    realtime: bool | None = None
    files: bool | None = None
    speech: bool | None = None
    tools: bool | None = None
    modes: tuple[str, ...] | None = None
    diarization: bool | None = None
    context_bias: bool | None = None
    turn_detection: bool | None = None
    granularities: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    delays_ms: tuple[tuple[int, int], ...] | None = None
    speech_modes: tuple[str, ...] | None = None
    speech_formats: tuple[str, ...] | None = None

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Capabilities:
        """Read a card; what it does not say, or says in a shape of its own, stays open."""
        flags = _object(card.get("capabilities"))
        hear = _object(card.get("audio_transcription_capabilities")) or _object(
            flags.get("audio_transcription_capabilities")
        )
        speak = _object(card.get("audio_speech_capabilities")) or _object(
            flags.get("audio_speech_capabilities")
        )
        return cls(
            realtime=_flag(flags.get("audio_transcription_realtime")),
            files=_flag(flags.get("audio_transcription")),
            speech=_flag(flags.get("audio_speech")),
            tools=_flag(flags.get("function_calling")),
            modes=_texts(hear.get("modes")),
            diarization=_flag(hear.get("diarization")),
            context_bias=_flag(hear.get("context_bias")),
            turn_detection=_flag(hear.get("turn_detection")),
            granularities=_texts(hear.get("timestamp_granularities")),
            languages=_texts(hear.get("languages")),
            delays_ms=_ranges(hear.get("streaming_delays_ms")),
            speech_modes=_texts(speak.get("modes")),
            speech_formats=_texts(speak.get("response_formats")),
        )


UNKNOWN = Capabilities()
"""Of a server that tells nothing."""

_known: dict[tuple[str, str, str], tuple[float, Capabilities]] = {}


async def capabilities(where: Endpoint, *, timeout: float = 5.0) -> Capabilities:  # noqa: ASYNC109
    """Ask what an endpoint's model can do; remembered for an hour. Safe to cancel.

    Args:
        where: The model.
        timeout: Seconds that the server may take.

    Returns:
        What its card says; all open if there is no such card, or the server does not answer:
        whoever connects then learns why, in better words.
    """
    identity = (where.url, hashlib.sha256(where.key.encode()).hexdigest(), where.model)
    now = time.monotonic()
    found = _known.get(identity)
    if found is not None and now - found[0] < VALID:
        return found[1]
    card = await _card(where, timeout)
    if card is None:
        return UNKNOWN
    _known[identity] = (now, Capabilities.of(card))
    return _known[identity][1]


async def _card(where: Endpoint, timeout: float) -> Mapping[str, Any] | None:  # noqa: ASYNC109
    """Fetch a model's card: by its id, and where that is not known, from the list of all."""
    headers = {"Authorization": f"Bearer {where.key}"} if where.key else {}
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:
            for path in (f"/v1/models/{quote(where.model, safe='')}", "/v1/models"):
                async with session.get(where.at(path)) as answer:
                    if answer.status != 200:
                        continue
                    body = json.loads(await answer.content.read(LONGEST))
                for card in map(_object, (body, *_list(_object(body).get("data")))):
                    if where.model in (card.get("id"), *_list(card.get("aliases"))):
                        return card
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return None
    return None


def _object(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}


def _list(given: Any) -> Sequence[Any]:
    return given if isinstance(given, list) else []


def _flag(given: Any) -> bool | None:
    return given if isinstance(given, bool) else None


def _texts(given: Any) -> tuple[str, ...] | None:
    if isinstance(given, list) and all(isinstance(each, str) for each in given):
        return tuple(given)
    return None


def _ranges(given: Any) -> tuple[tuple[int, int], ...] | None:
    if not isinstance(given, list):
        return None
    found = []
    for each in given:
        low, high = _object(each).get("min"), _object(each).get("max")
        if type(low) is not int or type(high) is not int:
            return None
        found.append((low, high))
    return tuple(found)
