"""What a realtime session may be told before its audio, and which model takes what."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from vivavoce.sandbox.catalog import session_fields
from vivavoce.sandbox.pcm import AudioError, Intake
from vivavoce.sandbox.turns import Settings, TurnsError

_LANGUAGE = re.compile(r"[a-z]{2}")
_MOST_TERMS = 100
_MOST_SPEAKERS = 8
_VOXTRAL_3 = ("language", "context_bias", "diarize", "speaker_references", "turn_detection")


class Refused(Exception):  # noqa: N818 - a message of the protocol, not a failure
    """A client's message that gets an ``error`` event; the session goes on."""


@dataclass(frozen=True)
class Fields:
    """One session's settings; None is what the client left open."""

    encoding: str = "pcm_s16le"
    rate: int = 16_000
    delay_ms: int | None = None
    language: str | None = None
    context_bias: tuple[str, ...] = ()
    diarize: bool = False
    speakers: tuple[str, ...] = ()
    turns: Settings | None = None

    def updated(self, given: Any, model: str) -> Fields:
        """Take the ``session`` of a ``session.update``; what it leaves out stays.

        Raises:
            Refused: With what the model does not take.
        """
        if not isinstance(given, dict):
            raise Refused("session.update needs a session object")
        new = {name: value for name, value in given.items() if value is not None}
        takes = session_fields(model)
        for name in _VOXTRAL_3:
            if name in new and name not in takes:
                raise Refused(f"{name} is not supported by {model}")
        encoding, rate = self.encoding, self.rate
        if "audio_format" in new:
            encoding, rate = audio_format(new["audio_format"])
        fields = Fields(
            encoding,
            rate,
            _taken(new, "target_streaming_delay_ms", delay, self.delay_ms),
            _taken(new, "language", language, self.language),
            _taken(new, "context_bias", context_bias, self.context_bias),
            _taken(new, "diarize", diarize, self.diarize),
            _taken(new, "speaker_references", speakers, self.speakers),
            _taken(new, "turn_detection", turn_detection, self.turns),
        )
        if fields.turns is not None and fields.diarize:
            raise Refused("Diarization is not compatible with turn detection")
        if fields.speakers and not fields.diarize:
            raise Refused("speaker_references requires diarize")
        return fields

    def json(self) -> dict[str, Any]:
        """Give those that are set, as the session shows them."""
        shown: dict[str, Any] = {
            "audio_format": {"encoding": self.encoding, "sample_rate": self.rate}
        }
        if self.delay_ms is not None:
            shown["target_streaming_delay_ms"] = self.delay_ms
        if self.language is not None:
            shown["language"] = self.language
        if self.context_bias:
            shown["context_bias"] = list(self.context_bias)
        if self.diarize:
            shown["diarize"] = True
        if self.speakers:
            shown["speaker_references"] = list(self.speakers)
        if self.turns is not None:
            shown["turn_detection"] = self.turns.json()
        return shown


def _taken(new: dict[str, Any], name: str, check: Any, old: Any) -> Any:
    return check(new[name]) if name in new else old


def delay(given: Any) -> int:
    """Check ``target_streaming_delay_ms``.

    Raises:
        Refused: Unless it is an integer of 80 to 1200, or 2400.
    """
    if type(given) is not int or not (80 <= given <= 1200 or given == 2400):
        raise Refused(
            f"target_streaming_delay_ms must be an integer from 80 to 1200, or 2400; got {given!r}"
        )
    return given


def audio_format(given: Any) -> tuple[str, int]:
    """Check ``audio_format``: its encoding and its sample rate in Hz.

    Raises:
        Refused: When it is not one of the protocol's.
    """
    if not isinstance(given, dict):
        raise Refused("audio_format must be an object with encoding and sample_rate")
    encoding, rate = given.get("encoding"), given.get("sample_rate")
    if type(rate) is not int:
        raise Refused(f"audio_format.sample_rate must be an integer in Hz; got {rate!r}")
    try:
        Intake(str(encoding), rate)
    except AudioError as error:
        raise Refused(f"audio_format: {error}") from error
    return str(encoding), rate


def language(given: Any) -> str:
    """Check ``language``.

    Raises:
        Refused: Unless it looks like an ISO 639-1 code.
    """
    if not isinstance(given, str) or not _LANGUAGE.fullmatch(given):
        raise Refused(f"language must be an ISO 639-1 code such as 'en'; got {given!r}")
    return given


def context_bias(given: Any) -> tuple[str, ...]:
    """Check ``context_bias``.

    Raises:
        Refused: Unless it is a list of at most 100 texts.
    """
    if not isinstance(given, list) or not all(isinstance(term, str) and term for term in given):
        raise Refused("context_bias must be a list of words or phrases")
    if len(given) > _MOST_TERMS:
        raise Refused(f"context_bias takes at most {_MOST_TERMS} terms; got {len(given)}")
    return tuple(given)


def diarize(given: Any) -> bool:
    """Check ``diarize``.

    Raises:
        Refused: Unless it is true or false.
    """
    if not isinstance(given, bool):
        raise Refused(f"diarize must be true or false; got {given!r}")
    return given


def speakers(given: Any) -> tuple[str, ...]:
    """Check ``speaker_references``; give their names.

    Raises:
        Refused: Unless it is an object of at most eight names with base64 audio.
    """
    if not isinstance(given, dict) or len(given) > _MOST_SPEAKERS:
        raise Refused(f"speaker_references must be an object of at most {_MOST_SPEAKERS} names")
    for name, audio in given.items():
        try:
            base64.b64decode(audio, validate=True)
        except (TypeError, ValueError) as error:
            raise Refused(f"speaker_references: {name!r} is not valid base64: {error}") from error
    return tuple(given)


def turn_detection(given: Any) -> Settings:
    """Check ``turn_detection``.

    Raises:
        Refused: With what to change.
    """
    try:
        return Settings.parse(given)
    except TurnsError as error:
        raise Refused(str(error)) from error
