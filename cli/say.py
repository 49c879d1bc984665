"""`vivavoce say`: a text spoken, to a file or at this machine's speaker."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vivavoce.agent.languages import LanguageError, check
from vivavoce.agent.settings import Settings
from vivavoce.agent.voices import Speaker, VoiceError, check_voice
from vivavoce.cli.models import endpoints, open_sandbox, timeouts
from vivavoce.pipelines.audio.wav import WavWriter
from vivavoce.pipelines.microphone import portaudio
from vivavoce.pipelines.models import providers
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Http
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.voxtral_com_speech import VoxtralComSpeech
from vivavoce.pipelines.narration import clauses_of, narrate

LATENCY = 0.2
"""Seconds that the speaker is asked to buffer: nobody answers it, so it may be calm."""


class SayError(ValueError):
    """What was to be said cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to say, and how.

    Attributes:
        text: It.
        speaker: Who.
        language: Its code.
        out: A WAV file; None plays it.
    """

    text: str
    speaker: Speaker
    language: str = "en"
    out: Path | None = None


def order(text: str, *, language: str, out: Path | None, **speaker: Any) -> Order:
    """Check what was given.

    Raises:
        SayError: If a part of it cannot be.
    """
    if not text.strip():
        raise SayError("there is nothing to say: give a text, or - to read it from a pipe")
    try:
        made = Speaker(**speaker)
        check_voice(made)
        return Order(text, made, check(language), out)
    except (VoiceError, LanguageError) as error:
        raise SayError(str(error)) from None


class _Sink(Protocol):
    async def write(self, samples: Samples) -> None: ...

    async def close(self) -> None: ...


class _File:
    def __init__(self, path: Path, rate: int) -> None:
        self._wav = WavWriter(path, rate)

    async def write(self, samples: Samples) -> None:
        self._wav.write(samples)

    async def close(self) -> None:
        self._wav.close()


class _Loudspeaker:
    """Plays on the system's speaker; writing waits for it."""

    def __init__(self, rate: int) -> None:
        self._stream = portaudio().RawOutputStream(
            samplerate=rate, channels=1, dtype="int16", latency=LATENCY
        )
        self._stream.start()

    async def write(self, samples: Samples) -> None:
        await asyncio.to_thread(self._stream.write, samples.tobytes())

    async def close(self) -> None:
        await asyncio.to_thread(self._stream.stop)
        self._stream.close()


class _Opened:
    """A sink that is closed, whatever happens."""

    def __init__(self, given: Order, rate: int) -> None:
        self._given, self._rate = given, rate
        self._sink: _Sink | None = None

    async def __aenter__(self) -> Self:
        out = self._given.out
        self._sink = _Loudspeaker(self._rate) if out is None else _File(out, self._rate)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sink is not None:
            await self._sink.close()

    async def write(self, samples: Samples) -> None:
        assert self._sink is not None
        await self._sink.write(samples)


async def say(given: Order, settings: Settings, console: Console) -> int:
    """Speak a text with the model that the settings name for speech.

    Args:
        given: What, and how.
        settings: Where the models are.
        console: For progress, and for what came of it.

    Returns:
        The exit code: 1 when the model failed, which is told in one line.

    Raises:
        SandboxMissingError: If the sandbox is needed and cannot be started.
        MicrophoneError: If there is no speaker to play on.
        AudioFileError: If the file cannot be written.
    """
    clauses = clauses_of(given.text, given.language)
    if not clauses:
        raise SayError("there is nothing in it that can be said")
    async with open_sandbox(settings, "speak") as (url, key):
        where = endpoints(settings, url, key)["speak"][0]
        http = Http(timeouts(settings))
        if given.speaker.voice is None and given.speaker.sample is None:
            given = replace(given, speaker=replace(given.speaker, voice=where.voice))
        try:
            return await _speak(given, clauses, providers.speaking(http, where), console)
        except ModelError as error:
            print(f"vivavoce: {error}", file=sys.stderr)
            return 1
        finally:
            await http.close()


async def _speak(given: Order, clauses: list[str], speaking: Any, console: Console) -> int:
    began, first, samples = time.monotonic(), None, 0
    progress = Progress(
        TextColumn("speaking"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("clauses"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    async with _Opened(given, speaking.rate) as sink:
        with progress:
            task = progress.add_task("speaking", total=len(clauses))
            voice = given.speaker
            stream = narrate(speaking, clauses, voice=voice, language=given.language)
            async with aclosing(stream) as chunks:
                async for number, chunk in chunks:
                    if first is None:
                        first = time.monotonic() - began
                    samples += len(chunk)
                    progress.update(task, completed=number)
                    await sink.write(chunk)
            progress.update(task, completed=len(clauses))
    told = [
        f"{samples / speaking.rate:.1f} s of speech",
        f"{sum(map(len, clauses)):,} characters",
        f"first sound after {(first or 0) * 1000:.0f} ms",
    ]
    if isinstance(speaking, VoxtralComSpeech) and speaking.credits:
        told.append(f"{speaking.credits:g} credits")
    console.print(", ".join(told) + (f": {given.out}" if given.out else ""), highlight=False)
    return 0
