"""What may be asked of a model that transcribes files, and what it refuses.

What a server would refuse, or what would be paid for and then be of no use, is refused here first,
in one line that names the limit. Features follow what the server's own list of models says
(`GET /v1/models`); what no list tells (protocol page, §5) stands here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from vivavoce.pipelines.models.capabilities import UNKNOWN, Capabilities

Times = Literal["none", "segment", "word"]
Dialect = Literal["mistral", "vllm", "openrouter"]
DIALECTS: tuple[Dialect, ...] = ("mistral", "vllm", "openrouter")

MOST_TERMS = 100
MOST_SPEAKERS = 8
SAMPLE = (3.0, 15.0)
"""Seconds that a sample of a speaker's voice may last."""
LONGEST_URL = 2083

_HOUR = 3600.0
_MB = 1_000_000


class RefusedError(ValueError):
    """A request that the model would refuse; one line says why and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for.

    Attributes:
        language: ISO 639-1 code of what is spoken; None lets the model find it.
        times: Which times the segments come with.
        diarize: Tell speakers apart.
        bias: Words to listen for: names, products. One word each.
        speakers: Samples of voices by name, 3 to 15 s each (audio file bytes); their names
            are the labels then.
        temperature: Of the model's sampling; None leaves it to the server.
    """

    language: str | None = None
    times: Times = "none"
    diarize: bool = False
    bias: tuple[str, ...] = ()
    speakers: Mapping[str, bytes] = field(default_factory=dict)
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a model takes, in its dialect.

    Attributes:
        model: Its id.
        dialect: Its server's wire protocol.
        times: The kinds of times it gives.
        diarize: Whether it tells speakers apart.
        bias: Whether it listens for words.
        speakers: Whether it takes samples of voices.
        languages: Those it may be told; empty: not known.
        language_with_times: Whether it takes a language and gives times at once.
        by_url: Whether it fetches recordings itself.
        by_id: Whether it takes files that were uploaded before.
        longest: Seconds of a recording in one request.
        largest: Bytes of it.
        live: Whether it is for live audio only.
    """

    model: str
    dialect: Dialect
    times: frozenset[str] = frozenset()
    diarize: bool = False
    bias: bool = False
    speakers: bool = False
    languages: frozenset[str] = frozenset()
    language_with_times: bool = True
    by_url: bool = False
    by_id: bool = False
    longest: float = 10 * 60.0
    largest: int = 25 * _MB
    live: bool = False

    @classmethod
    def of(cls, dialect: str, model: str, card: Capabilities = UNKNOWN) -> Abilities:
        """Return what a model takes.

        Args:
            dialect: Its server's.
            model: Its id.
            card: What the server says of it, which counts more than what is known here.

        Raises:
            RefusedError: If the dialect transcribes no files.
        """
        if dialect == "vllm":
            # vLLM times segments for Whisper only. Its limit is 25 MB of file
            # (VLLM_MAX_AUDIO_CLIP_FILESIZE_MB), and its memory that of a 4B model's context.
            return cls(model, "vllm")
        if dialect == "openrouter":
            return cls(
                model,
                "openrouter",
                times=frozenset({"segment", "word"}),
                diarize=True,
                bias=True,
                by_url=True,
                longest=15 * 60.0,
                largest=20 * _MB,
            )
        if dialect != "mistral":
            raise RefusedError(
                f"{dialect} transcribes no files: choose {', '.join(DIALECTS)} (transcribe.dialect)"
            )
        third = re.search(r"-3(-0)?$", model) is not None
        oldest = "2507" in model
        found = cls(
            model,
            "mistral",
            times=frozenset({"segment"} if third or oldest else {"segment", "word"}),
            diarize=not oldest,
            bias=not oldest,
            speakers=third,
            language_with_times=third,
            by_url=True,
            by_id=True,
            # The third generation's 65,536 tokens, at 12.5 a second, are shared with the bias.
            longest=15 * 60.0 if oldest else _HOUR if third else 3 * _HOUR,
            largest=500 * _MB,
            live="realtime" in model,
        )
        return _told(found, card)


def _told(known: Abilities, card: Capabilities) -> Abilities:
    """Take over what a model's card says."""
    changes: dict[str, Any] = {}
    if card.files is not None:
        changes["live"] = not card.files
    if card.modes:
        changes["live"] = set(card.modes) == {"realtime"}
    if card.diarization is not None:
        changes["diarize"] = card.diarization
        changes["speakers"] = card.diarization and known.speakers
    if card.context_bias is not None:
        changes["bias"] = card.context_bias
    if card.granularities is not None:
        changes["times"] = frozenset(card.granularities)
    if card.languages:
        changes["languages"] = frozenset(card.languages)
    return replace(known, **changes)


def check(options: Options, abilities: Abilities) -> None:
    """Check what is asked for against what a model takes.

    Raises:
        RefusedError: With the limit, and what to do.
    """
    who = abilities.model
    if abilities.live:
        raise RefusedError(
            f"{who} is for live audio: choose a model for files, such as voxtral-mini-2602"
            " (--model, or transcribe.model)"
        )
    if options.diarize and not abilities.diarize:
        raise RefusedError(f"{who} does not tell speakers apart: leave out --diarize")
    _check_times(options, abilities)
    if options.language is not None:
        _check_language(options.language, abilities)
    _check_bias(options.bias, abilities)
    _check_speakers(options, abilities)
    if options.temperature is not None and not 0 <= options.temperature <= 2:
        raise RefusedError(f"a temperature is from 0 to 2, not {options.temperature:g}")


def _check_times(options: Options, abilities: Abilities) -> None:
    who, times = abilities.model, options.times
    if times == "none":
        return
    if times not in abilities.times:
        if times == "word" and "segment" in abilities.times:
            raise RefusedError(
                f"{who} gives the times of segments, not of words: leave out --words"
            )
        raise RefusedError(f"{who} at {abilities.dialect} gives no times of {times}s")
    if options.language is not None and not abilities.language_with_times:
        raise RefusedError(
            f"{who} gives no times when it is told the language: leave out --language (it finds it"
            " by itself), or take --format text without --diarize"
        )


def _check_language(language: str, abilities: Abilities) -> None:
    if not re.fullmatch(r"[a-z]{2}", language):
        raise RefusedError(f"a language is two letters, such as en or fr, not {language!r}")
    if abilities.languages and language not in abilities.languages:
        known = ", ".join(sorted(abilities.languages))
        raise RefusedError(f"{abilities.model} does not take the language {language}: {known}")


def _check_bias(bias: tuple[str, ...], abilities: Abilities) -> None:
    if not bias:
        return
    if not abilities.bias:
        raise RefusedError(f"{abilities.model} does not listen for given words: leave out --bias")
    if len(bias) > MOST_TERMS:
        raise RefusedError(f"{len(bias)} terms to listen for: {MOST_TERMS} is the most")
    for term in bias:
        if not term:
            raise RefusedError("an empty term to listen for")
        if abilities.dialect == "mistral" and (found := re.search(r"[,\s]", term)):
            what = "a comma" if found[0] == "," else "a space"
            raise RefusedError(
                f"the term {term!r} has {what} in it: give each word as a term of its own"
            )


def _check_speakers(options: Options, abilities: Abilities) -> None:
    if not options.speakers:
        return
    if not abilities.speakers:
        raise RefusedError(f"{abilities.model} takes no samples of voices: leave out --speaker")
    if not options.diarize:
        raise RefusedError("samples of voices need --diarize: without it nobody is told apart")
    if len(options.speakers) > MOST_SPEAKERS:
        raise RefusedError(
            f"{len(options.speakers)} samples of voices: {MOST_SPEAKERS} is the most"
        )


def check_sample(name: str, seconds: float) -> None:
    """Check the length of a sample of a speaker's voice (s).

    Raises:
        RefusedError: If it is too short or too long.
    """
    least, most = SAMPLE
    if not least <= seconds <= most:
        raise RefusedError(
            f"the sample of {name}'s voice lasts {seconds:.1f} s: {least:g} to {most:g} s are taken"
        )


def check_remote(where: str, abilities: Abilities, *, url: bool) -> None:
    """Check a recording that the server is to fetch (`url`), or has already.

    Raises:
        RefusedError: If the server does not do that.
    """
    if not url:
        if not abilities.by_id:
            raise RefusedError(
                f"{abilities.dialect} keeps no files: give the recording instead of the id {where}"
            )
        return
    if not abilities.by_url:
        raise RefusedError(f"{abilities.dialect} fetches no URLs: download {where} first")
    if not where.startswith(("http://", "https://")):
        raise RefusedError(f"{where} is no http URL")
    if len(where) > LONGEST_URL:
        raise RefusedError(f"a URL of {len(where)} characters: {LONGEST_URL} is the most")


def check_size(name: str, seconds: float, size: int, abilities: Abilities) -> None:
    """Check a recording that goes out in one request: its length (s) and its size (bytes).

    Raises:
        RefusedError: If the model does not take so much at once.
    """
    if seconds > abilities.longest:
        raise RefusedError(
            f"{name} lasts {seconds / 60:.0f} min: {abilities.model} takes"
            f" {abilities.longest / 60:.0f} min at once"
        )
    if size > abilities.largest:
        raise RefusedError(
            f"{name} has {size / _MB:.0f} MB: {abilities.dialect} takes"
            f" {abilities.largest / _MB:.0f} MB at once"
        )
