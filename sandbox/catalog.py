"""What the server says it has: models with their capabilities, and voices."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from vivavoce.sandbox.speaking import Speaker

Kind = Literal["realtime", "file", "speech", "speech_socket", "chat"]

THINKER = "embedded-rules"
VOXTRAL_3_REALTIME = "voxtral-mini-transcribe-realtime-3-0"
VOXTRAL_3_FILES = "voxtral-mini-transcribe-3-0"

# Any of Mistral's ids is taken for its kind of endpoint, so that a client's settings need no
# change.
_IDS: dict[Kind, re.Pattern[str]] = {
    "realtime": re.compile(r"voxtral-mini-(transcribe-)?realtime-(2602|3|3-0|latest)"),
    "file": re.compile(r"voxtral-mini-(transcribe-)?(2507|2602|3|3-0|latest)"),
    "speech": re.compile(r"voxtral-mini-tts-(2603|3|3-0|latest)"),
    # Which of the two names the socket goes by differs by page.
    "speech_socket": re.compile(r"voxtral-mini-tts-(realtime-)?(3|3-0|latest)"),
    "chat": re.compile(
        rf"{THINKER}|((open-)?(mi|mini|magi)stral|mixtral|codestral|devstral|voxtral-small"
        r"|open-mi[sx]tral)(-[a-z0-9]+)+"
    ),
}

_NOTE = "Embedded stand-in on this machine, not Mistral's model: "


def accepts(kind: Kind, model: str) -> bool:
    """Whether ``model`` is an id for this kind of endpoint."""
    return _IDS[kind].fullmatch(model) is not None


# Whether an alias such as -latest names the third generation differs by page and month.
_VOXTRAL_3 = re.compile(r".*-3(-0)?")


def session_fields(model: str) -> frozenset[str]:
    """Give what a realtime session of this model takes besides format and delay."""
    if _VOXTRAL_3.fullmatch(model) is None:
        return frozenset()
    return frozenset(
        {"language", "context_bias", "diarize", "speaker_references", "turn_detection"}
    )


def file_fields(model: str) -> frozenset[str]:
    """Give what a file's transcription by this model takes besides a language or times.

    ``word`` is times of words; ``language_with_times`` a language together with times.
    """
    if _VOXTRAL_3.fullmatch(model) is not None:
        return frozenset({"diarize", "context_bias", "speaker_references", "language_with_times"})
    if "2507" in model:
        return frozenset()
    return frozenset({"diarize", "context_bias", "word"})


def _card(name: str, about: str, aliases: list[str], **capabilities: Any) -> dict[str, Any]:
    flags = {
        "completion_chat": False,
        "function_calling": False,
        "completion_fim": False,
        "fine_tuning": False,
        "vision": False,
        "classification": False,
        "audio": False,
        "audio_transcription": False,
        "audio_transcription_realtime": False,
        "audio_speech": False,
    }
    details = {k: v for k, v in capabilities.items() if k not in flags}
    flags.update({k: v for k, v in capabilities.items() if k in flags})
    return {
        "id": name,
        "object": "model",
        "created": 1_790_000_000,
        "owned_by": "vivavoce",
        "name": name,
        "description": about,
        "max_context_length": 32_768,
        "aliases": aliases,
        "type": "base",
        "capabilities": flags,
        **details,
    }


_FILES = (
    " Tells speakers apart by the height of their voices. Takes a context bias and hears the same."
)
_FILE_CAPABILITIES = {
    "modes": ["offline"],
    "diarization": True,
    "context_bias": True,
    "turn_detection": False,
    "languages": ["en"],
}


def _cards() -> list[dict[str, Any]]:
    english = {"diarization": False, "context_bias": False, "languages": []}
    think = (
        "A handful of rules that route to the request's tools and fill their slots. It is no "
        "language model: it is deterministic and says so when it cannot answer. Told to interpret, "
        "it translates English, French and Spanish by a phrase book and a dictionary; what is not "
        "in them stays as it is."
    )
    hear = _NOTE + "Moonshine tiny, English only."
    return [
        _card(THINKER, think, [], completion_chat=True, function_calling=True),
        _card(
            "mistral-small-latest",
            f"{_NOTE}an alias of {THINKER}. {think}",
            [],
            completion_chat=True,
            function_calling=True,
        ),
        _card(
            "voxtral-mini-transcribe-realtime-2602",
            hear,
            ["voxtral-mini-transcribe-realtime-latest"],
            audio_transcription_realtime=True,
            audio_transcription_capabilities={
                **english,
                "modes": ["realtime"],
                "turn_detection": False,
                "streaming_delays_ms": [{"min": 80, "max": 1200}, {"min": 2400, "max": 2400}],
            },
        ),
        _card(
            "voxtral-mini-2602",
            hear + _FILES + " Its times of words are estimates.",
            ["voxtral-mini-latest", "voxtral-mini-transcribe-2602"],
            audio_transcription=True,
            audio_transcription_capabilities={
                **_FILE_CAPABILITIES,
                "timestamp_granularities": ["segment", "word"],
            },
        ),
        _card(
            "voxtral-mini-tts-2603",
            _NOTE + "flite or espeak-ng.",
            ["voxtral-mini-tts-latest"],
            audio_speech=True,
            audio_speech_capabilities={
                "modes": ["offline"],
                "instruction": False,
                "response_formats": ["pcm", "wav"],
            },
        ),
        _card(
            VOXTRAL_3_REALTIME,
            f"{hear} Follows turns by silence and by whether the words can stand. Takes a"
            " language and a context bias and hears the same; hears one speaker.",
            [VOXTRAL_3_REALTIME.removesuffix("-0")],
            audio_transcription_realtime=True,
            audio_transcription_capabilities={
                "modes": ["realtime"],
                "diarization": True,
                "context_bias": True,
                "turn_detection": True,
                "languages": ["en"],
                "streaming_delays_ms": [{"min": 80, "max": 1200}, {"min": 2400, "max": 2400}],
            },
        ),
        *(
            _card(
                name,
                _NOTE + "flite or espeak-ng. Takes expressiveness and tags, and speaks the same.",
                [name.removesuffix("-0")],
                audio_speech=True,
                audio_speech_capabilities={
                    "modes": [mode],
                    "instruction": False,
                    "response_formats": ["pcm", "wav"],
                },
            )
            for name, mode in (
                ("voxtral-mini-tts-3-0", "offline"),
                ("voxtral-mini-tts-realtime-3-0", "realtime"),
            )
        ),
        _card(
            VOXTRAL_3_FILES,
            hear + _FILES,
            [VOXTRAL_3_FILES.removesuffix("-0"), "voxtral-mini-3-0"],
            audio_transcription=True,
            audio_transcription_capabilities={
                **_FILE_CAPABILITIES,
                "timestamp_granularities": ["segment"],
            },
        ),
    ]


CARDS = _cards()


def card(model: str) -> dict[str, Any] | None:
    """Give one model's card; an id that is only accepted gets its kind's card."""
    for one in CARDS:
        if model == one["id"] or model in one["aliases"]:
            return {**one, "id": model}
    if accepts("realtime", model) and session_fields(model):
        return {**CARDS[5], "id": model, "name": model}
    if accepts("file", model) and "2507" in model:
        told = CARDS[3]["audio_transcription_capabilities"]
        less = {
            **told,
            "diarization": False,
            "context_bias": False,
            "timestamp_granularities": ["segment"],
        }
        named = {"id": model, "name": model, "aliases": []}
        return {**CARDS[3], "audio_transcription_capabilities": less, **named}
    for kind, position in (("realtime", 2), ("file", 3), ("speech", 4), ("chat", 1)):
        if accepts(kind, model):  # type: ignore[arg-type]
            return {**CARDS[position], "id": model, "name": model}
    return None


@dataclass
class Voice:
    """One voice, as the API shows it, and who speaks for it here."""

    slug: str
    name: str
    languages: list[str]
    gender: str
    tags: list[str]
    type: Literal["preset", "custom"] = "preset"
    id: str = ""
    user_id: str | None = None
    sample: bytes | None = None
    created_at: str = "2026-03-23T00:00:00Z"
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give presets an id that stays the same from start to start."""
        self.id = self.id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"voice:{self.slug}"))

    @property
    def speaker(self) -> Speaker:
        """Who speaks for it."""
        tag = (self.languages or ["en"])[0].lower().replace("_", "-")
        tag = {"en": "en-us", "zh": "cmn", "fr-fr": "fr", "en-uk": "en-gb"}.get(tag, tag)
        return Speaker(tag, self.gender == "female")

    def json(self) -> dict[str, Any]:
        """Give it as the API's VoiceResponse."""
        return {
            "id": self.id,
            "name": self.name,
            "slug": self.slug,
            "type": self.type,
            "kind": "ivc",
            "languages": self.languages,
            "gender": self.gender,
            "age": None,
            "tags": self.tags,
            "color": None,
            "description": None,
            "retention_notice": 30,
            "trimmed_seconds": None,
            "created_at": self.created_at,
            "user_id": self.user_id,
            **self.extra,
        }


_PRESETS = {
    "gb_jane": "confident confused curious frustrated jealousy neutral sad sarcasm shameful",
    "fr_marie": "angry curious excited happy neutral sad",
    "gb_oliver": "angry cheerful confident curious excited neutral sad",
    "en_paul": "angry cheerful confident excited frustrated happy neutral sad",
}
_TAGS = {"gb": "en_gb", "fr": "fr_fr", "en": "en_us"}
# The third generation's have numbers for slugs.
_NUMBERED = (("voice_478", "Sheila", "en_us"), ("voice_592", "Marie", "fr_fr"))


def _presets() -> list[Voice]:
    voices = []
    for person, moods in _PRESETS.items():
        country, name = person.split("_")
        gender = "female" if name in {"jane", "marie"} else "male"
        for mood in moods.split():
            title = f"{name.title()} - {mood.title()}"
            tags = [_TAGS[country]]
            voices.append(Voice(f"{person}_{mood}", title, tags, gender, [mood]))
    for slug, name, tag in _NUMBERED:
        voices.append(Voice(slug, name, [tag], "female", []))
    return voices


class Voices:
    """All voices: the presets, and the custom ones made since the server started."""

    def __init__(self) -> None:
        self._voices = {voice.id: voice for voice in _presets()}

    def all(self) -> list[Voice]:
        """Give every voice, presets first."""
        return list(self._voices.values())

    def find(self, name: str) -> Voice | None:
        """Find a voice by id or slug."""
        if name in self._voices:
            return self._voices[name]
        return next((v for v in self._voices.values() if v.slug == name), None)

    def create(
        self, name: str, languages: list[str], gender: str | None, sample: bytes, **extra: Any
    ) -> Voice:
        """Add a custom voice; a preset of its gender speaks for it."""
        slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "voice"
        voice = Voice(
            slug,
            name,
            languages,
            gender or "neutral",
            list(extra.pop("tags", None) or []),
            "custom",
            str(uuid.uuid4()),
            "sandbox",
            sample,
            datetime.now(UTC).isoformat(),
            extra,
        )
        self._voices[voice.id] = voice
        return voice

    def remove(self, voice: Voice) -> None:
        """Forget a custom voice."""
        self._voices.pop(voice.id, None)
