"""Voices: who speaks, which language, and how."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vivavoce.agent.languages import base, check

_MOODS = {
    "gb_jane": "confident confused curious frustrated jealousy neutral sad sarcasm shameful",
    "fr_marie": "angry curious excited happy neutral sad",
    "gb_oliver": "angry cheerful confident curious excited neutral sad",
    "en_paul": "angry cheerful confident excited frustrated happy neutral sad",
}
PRESETS = tuple(f"{name}_{mood}" for name, moods in _MOODS.items() for mood in moods.split())
"""Mistral's preset voices, by slug. Other servers have others, and you may have your own."""

# What looks like a preset of Mistral's, and no server of another kind: "en_paul_sad".
_SLUG = re.compile(r"[a-z]{2}_[a-z]+_[a-z]+")


class VoiceError(ValueError):
    """A voice does not exist; the message names the nearest that do."""


SPEEDS = (0.25, 4.0)
"""What `Speaker.speed` may be, from slowest to fastest."""

_TAG_VALUE = re.compile(r"[a-z][a-z_-]{1,30}")


class VoiceSample:
    """A recording of a voice that is in memory only, and can be forgotten at any time.

    Whoever still holds it then holds nothing: a request that is made afterwards is spoken with
    the neutral voice. What it holds is never shown.

    Args:
        wav: As a mono 16-bit WAV file.
        seconds: How long it is.
        speaker: Whose voice it is.
    """

    __slots__ = ("_wav", "seconds", "speaker")

    def __init__(self, wav: bytes, seconds: float, speaker: str) -> None:
        self._wav: bytes | None = wav
        self.seconds = seconds
        self.speaker = speaker

    def __repr__(self) -> str:
        state = "forgotten" if self._wav is None else f"{self.seconds:.1f} s"
        return f"<VoiceSample of {self.speaker}: {state}>"

    def __reduce__(self) -> str:
        raise TypeError("a voice sample is not written down")

    @property
    def wav(self) -> bytes | None:
        """The file; None once it is forgotten."""
        return self._wav

    def forget(self) -> None:
        """Forget it; idempotent."""
        self._wav = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks, and how.

    What a provider does not have is left out of the request, and said once in the log: speed is
    for vLLM-Omni and voxtral.com; expressiveness, emotion and pace for Voxtral 3 at Mistral.

    Attributes:
        voice: A preset's slug or a voice's id; None with a file. With a `VoiceSample`, who speaks
            where the provider cannot copy a voice, and once the sample is forgotten.
        sample: A recording of the voice to speak with: one person, 3 to 25 s, any format. It is
            sent along with what is spoken, and no voice is kept of it. The person must have
            agreed.
        speed: How fast, 1.0 being as usual (0.25–4).
        expressiveness: How far the delivery leaves the neutral one (1.0 or more).
        emotion: How it is said: "happy", "calm" (docs/voices.md).
        pace: "slow" or "fast", as a manner of speaking.
    """

    voice: str | None = None
    sample: Path | VoiceSample | None = None
    speed: float | None = None
    expressiveness: float | None = None
    emotion: str | None = None
    pace: str | None = None

    def __post_init__(self) -> None:
        held = isinstance(self.sample, VoiceSample)
        if self.voice is not None and self.sample is not None and not held:
            raise VoiceError("Speaker: give a voice or a sample, not both")
        if self.voice is not None:
            _check_name(self.voice)
        if self.sample is not None and not isinstance(self.sample, VoiceSample):
            object.__setattr__(self, "sample", Path(self.sample))
        _check_number("speed", self.speed, *SPEEDS)
        _check_number("expressiveness", self.expressiveness, 1.0, 100.0)
        for name in ("emotion", "pace"):
            value = getattr(self, name)
            if value is not None and not _TAG_VALUE.fullmatch(str(value)):
                raise VoiceError(f'Speaker({name}={value!r}): one word, as in {name}="calm"')


def _check_number(name: str, value: object, low: float, high: float) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type,operator]
        raise VoiceError(f"Speaker({name}={value!r}): must be within {low:g} and {high:g}")


Voice = str | Speaker | Mapping[str, str | Speaker]
"""A voice of the speech model, or one for each language."""


def check_voice(voice: object) -> None:
    """Refuse what can be no voice.

    Raises:
        VoiceError: If it is no text or mapping, or is named as the presets are and is none.
        LanguageError: If it is for a language that cannot be spoken.
    """
    if isinstance(voice, Mapping):
        for language, each in voice.items():
            check(language)
            if isinstance(each, Mapping):
                raise VoiceError(f"voice {each!r}: give the name of a voice for {language!r}")
            check_voice(each)
        if not voice:
            raise VoiceError("voice={}: give one for a language, or leave it out")
        return
    if isinstance(voice, Speaker):
        return  # it has checked itself
    _check_name(voice)


def _check_name(voice: object) -> None:
    if not isinstance(voice, str) or not voice.strip():
        raise VoiceError(f"voice={voice!r}: give a text, or leave it out")
    if _SLUG.fullmatch(voice) and voice not in PRESETS:
        near = difflib.get_close_matches(voice, PRESETS, 3, 0.5) or PRESETS[:3]
        raise VoiceError(f"there is no preset voice {voice!r}: did you mean {', '.join(near)}?")


def voice_for(voice: Voice | None, language: str) -> str | Speaker | None:
    """Return the voice for a language; None leaves it to the server."""
    if voice is None or isinstance(voice, str | Speaker):
        return voice
    return voice.get(language) or next(
        (each for code, each in voice.items() if base(code) == base(language)), None
    )
