"""Voices: which one speaks which language."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

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


Voice = str | Mapping[str, str]
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
    if not isinstance(voice, str) or not voice.strip():
        raise VoiceError(f"voice={voice!r}: give a text, or leave it out")
    if _SLUG.fullmatch(voice) and voice not in PRESETS:
        near = difflib.get_close_matches(voice, PRESETS, 3, 0.5) or PRESETS[:3]
        raise VoiceError(f"there is no preset voice {voice!r}: did you mean {', '.join(near)}?")


def voice_for(voice: Voice | None, language: str) -> str | None:
    """Return the voice for a language; None leaves it to the server."""
    if voice is None or isinstance(voice, str):
        return voice
    return voice.get(language) or next(
        (each for code, each in voice.items() if base(code) == base(language)), None
    )
