"""Delivery: what is asked of a speech model, cut down to what it has.

Pure. Whoever asks names a voice or a `Speaker`; providers differ in what they take beside the
text. What one lacks is left out, so that a reply is spoken plainly rather than not at all; what
it would refuse is refused here first, in one line.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from vivavoce.agent.languages import base
from vivavoce.agent.voices import Speaker, VoiceSample
from vivavoce.pipelines.models.errors import ModelError

log = logging.getLogger("vivavoce")

TAG = re.compile(r"\[(?:emotion|pace)=[^\]\n]{0,40}\]\s*")
"""A tag of Voxtral 3's: how the text behind it is said (protocol page §3)."""

LANGUAGES_2 = ("ar", "de", "en", "es", "fr", "hi", "it", "nl", "pt")
"""What the second generation speaks."""

_THIRD = re.compile(r"voxtral-mini-tts(-realtime)?-3(-\d+)?")
_SECOND = re.compile(r".*tts-26\d\d", re.IGNORECASE)
_said: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a speech model takes beside the text.

    Attributes:
        name: What it is, for messages.
        tags: Emotion and pace, as tags in the text.
        expressiveness: Of the whole text.
        speed: Of the whole text.
        samples: A sample to speak with; else why there is none, in words.
        shortest: Seconds of a sample, at least.
        languages: What it speaks; empty where that is not known.
        longest: Characters of one request, at most; 0 where no limit is known.
    """

    name: str
    tags: bool = False
    expressiveness: bool = False
    speed: bool = False
    samples: bool | str = True
    shortest: float = 3.0
    languages: tuple[str, ...] = ()
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One text, as a model can be asked for it.

    Attributes:
        text: With tags, where the model has them, and without otherwise.
        voice: A slug or id; None leaves it to the client's default.
        sample: What to clone for this text.
        speed: How fast; None is as usual.
        expressiveness: None is as usual.
    """

    text: str
    voice: str | None = None
    sample: Path | VoiceSample | None = None
    speed: float | None = None
    expressiveness: float | None = None


def mistral_abilities(model: str) -> Abilities:
    """Return what a model of Mistral's has; the second generation has nothing but its voices.

    `GET /v1/models` tells modes, formats and style instructions, and neither of these two, so the
    generation is told by the name.
    """
    third = _THIRD.fullmatch(model) is not None
    second = _SECOND.fullmatch(model) is not None
    return Abilities(
        model, tags=third, expressiveness=third, languages=LANGUAGES_2 if second else ()
    )


def deliver(
    text: str, voice: str | Speaker | None, language: str, abilities: Abilities
) -> Delivery:
    """Return what to ask for.

    Args:
        text: What to say; may hold tags.
        voice: Who speaks.
        language: Its code.
        abilities: The model's.

    Raises:
        ModelError: If the model cannot: the language, a sample, the length.
    """
    name = abilities.name
    if abilities.languages and base(language) not in abilities.languages:
        raise ModelError(
            "speaking",
            "refused",
            f"{name} does not speak {language!r}: it speaks {', '.join(abilities.languages)}",
        )
    speaker = voice if isinstance(voice, Speaker) else Speaker(voice)
    sample = speaker.sample
    if isinstance(sample, VoiceSample):
        sample = _held(sample, abilities)
    elif sample is not None and abilities.samples is not True:
        raise ModelError(
            "speaking", "refused", f"{name} takes no sample of a voice: {abilities.samples}"
        )
    if not abilities.tags:
        text = TAG.sub("", text)
    else:
        # A tag in the text is nearer to it than the speaker's, and wins.
        ahead = "".join(
            f"[{kind}={value}]"
            for kind, value in (("emotion", speaker.emotion), ("pace", speaker.pace))
            if value is not None and not re.match(rf"\s*(?:\[\w+=[^\]]*\])*\[{kind}=", text)
        )
        text = ahead + text
    if abilities.longest and len(text) > abilities.longest:
        raise ModelError(
            "speaking",
            "refused",
            f"{name} takes at most {abilities.longest} characters at once, not {len(text)}",
        )
    for what, given, able in (
        ("speed", speaker.speed, abilities.speed),
        ("expressiveness", speaker.expressiveness, abilities.expressiveness),
        ("emotion", speaker.emotion, abilities.tags),
        ("pace", speaker.pace, abilities.tags),
    ):
        if given is not None and not able and (name, what) not in _said:
            _said.add((name, what))
            log.warning("%s has no %s: it speaks as usual", name, what)
    return Delivery(
        text,
        None if sample is not None else speaker.voice,
        sample,
        speaker.speed if abilities.speed else None,
        speaker.expressiveness if abilities.expressiveness else None,
    )


def _held(sample: VoiceSample, abilities: Abilities) -> VoiceSample | None:
    """Return a sample that can be sent; without one the neutral voice speaks."""
    if abilities.samples is not True:
        if (abilities.name, "sample") not in _said:
            _said.add((abilities.name, "sample"))
            log.warning(
                "%s takes no sample of a voice (%s): a neutral one speaks",
                abilities.name,
                abilities.samples,
            )
        return None
    return sample if sample.wav is not None and sample.seconds >= abilities.shortest else None


def clones(speaking: object) -> bool | str:
    """Return whether a speech model can speak with a sample; else why not, in words.

    Args:
        speaking: A client (`Speaking`): one of those here tells by its `abilities`.
    """
    abilities = getattr(speaking, "abilities", None)
    if not isinstance(abilities, Abilities):
        return "it is not known to take samples of voices"
    return abilities.samples
