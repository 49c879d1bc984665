"""The spoken engine: a call in which both sides really speak and are really listened to."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from vivavoce.agent.agent import Agent
from vivavoce.agent.settings import load
from vivavoce.agent.testing.engine import SimulationError
from vivavoce.agent.testing.steps import Replies
from vivavoce.agent.transcript import Reply
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.models.interfaces import Samples, Speaking
from vivavoce.pipelines.simulation.engine import TextEngine
from vivavoce.pipelines.simulation.track import RATE
from vivavoce.pipelines.turns.heard import boundaries, words
from vivavoce.pipelines.turns.playout import AUDIBLE

VOICE = "en_paul_neutral"
"""The caller's voice."""
SANDBOX = "vivavoce.sandbox.launch"
"""Where the sandbox is started from; a room that this one may not know."""
MODELS = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "embedded-rules",
    "speak": "voxtral-mini-tts-2603",
}
LATE = 20.0
"""Seconds that speech may take to be made."""


@dataclass(slots=True)
class Spoken:
    """A clause that was synthesised: its text, and its audio so far."""

    text: str
    chunks: list[Samples] = field(default_factory=list)
    complete: bool = False


class Tap:
    """A voice that keeps what it has spoken. Implements `Speaking`.

    Args:
        voice: The voice.
        spoken: Told when a clause is whole.
    """

    def __init__(self, voice: Speaking, spoken: Callable[[], None]) -> None:
        self._voice = voice
        self._spoken = spoken
        self.clauses: list[Spoken] = []

    @property
    def rate(self) -> int:
        """Sample rate (Hz)."""
        return self._voice.rate

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text."""
        clause = Spoken(text)
        self.clauses.append(clause)
        async with aclosing(self._voice.stream(text, voice=voice, language=language)) as chunks:
            async for chunk in chunks:
                clause.chunks.append(chunk)
                yield chunk
        clause.complete = True
        self._spoken()


class SpokenEngine(TextEngine):
    """A call through real models, at the speed that they allow. Implements `Engine`.

    Args:
        agent: Who is called.
        replies: What its model answers; None leaves that to the models'.
        deps: What its tools need, instead of what the agent makes.
        models: What the call is carried with; None starts the sandbox, once in a process.
        call_id: Names the call.
    """

    virtual = False
    reaction = 0.15

    _sandbox: ClassVar[Any] = None
    _starting: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        agent: Agent[Any],
        replies: Replies | None,
        *,
        deps: Any,
        models: object | None,
        call_id: str,
    ) -> None:
        super().__init__(agent, replies, deps=deps, models=models, call_id=call_id)
        self._tap: Tap | None = None
        self._voices: Models | None = None

    async def _open(self) -> Models:
        models = self._models
        if models is None:
            models = await self._stack.enter_async_context(await self._embedded())
        self._voices = models
        self._tap = Tap(models.speaking, self._pulse)
        return dataclasses.replace(
            models,
            speaking=self._tap,
            thinking=self._thinking if self._scripted else models.thinking,
        )

    @classmethod
    async def _embedded(cls) -> Models:
        settings = load({"models": "sandbox"})
        if settings.needs_sandbox:
            await asyncio.to_thread(cls._start_sandbox)
            url, key = cls._sandbox.url, cls._sandbox.key
        else:
            url = settings.sandbox_url or ""
            key = settings.sandbox_key.get_secret_value() if settings.sandbox_key else ""
        return Models.connect(
            hear=Endpoint(url, key, MODELS["hear"]),
            think=Endpoint(url, key, MODELS["think"]),
            speak=Endpoint(url, key, MODELS["speak"]),
            smart_turn=SmartTurn(),
        )

    @classmethod
    def _start_sandbox(cls) -> None:
        """Start the sandbox if it does not run; it is kept for the next calls of this process.

        Raises:
            SimulationError: If it does not start.
        """
        with cls._starting:
            if cls._sandbox is None:
                launch = importlib.import_module(SANDBOX)
                sandbox = launch.Sandbox()
                try:
                    sandbox.start()
                except launch.SandboxError as error:
                    raise SimulationError(
                        f"simulate(audio=True) needs the sandbox, or models=: {error}"
                    ) from error
                SpokenEngine._sandbox = sandbox

    async def _say(self, text: str, at: Callable[[], int]) -> None:
        assert self._voices is not None
        # Made before the moment is looked at: the call waits for nobody.
        self._line.waited_for = True
        try:
            clip = await self._voices.clip(text, voice=VOICE, language="en")
        finally:
            self._line.waited_for = False
        if clip is None:
            raise SimulationError(f"the caller's voice failed: nothing can speak {text!r}")
        self._track.play(resample(clip, self._voices.speaking.rate, RATE), at())

    def _rustle(self, seconds: float, at: int) -> None:
        # A burst that dies away: what a cough is to a voice detector.
        dice = np.random.default_rng(7)
        count = max(1, round(seconds * RATE))
        fall = np.exp(-np.linspace(0, 4, count))
        self._track.play((dice.normal(0, 6_000, count) * fall).clip(-3e4, 3e4).astype(np.int16), at)

    async def _spoken(self, target: Reply, count: int) -> float:
        end = words(target.generated)[count - 1][1]
        await self._until(lambda: self._clauses(target, end) is not None, "speak", LATE)
        clauses = self._clauses(target, end) or []
        assert self._tap is not None
        rate = self._tap.rate
        at, cursor = 0.0, 0
        for number, clause in enumerate(clauses):
            audio = np.concatenate(clause.chunks)
            if number == 0:
                loud = np.flatnonzero(np.abs(audio.astype(np.int32)) >= AUDIBLE)
                at -= float(loud[0]) if len(loud) else 0.0
            cursor = target.generated.find(clause.text, cursor)
            if end <= cursor + len(clause.text):
                ends = boundaries(clause.text, audio, rate)
                inside = sum(stop <= end - cursor for _, stop in words(clause.text))
                return (at + float(ends[max(inside, 1) - 1])) / rate
            at += len(audio)
            cursor += len(clause.text)
        return at / rate

    def _clauses(self, target: Reply, end: int) -> list[Spoken] | None:
        """Return the clauses of a reply up to a place in it; None while one is missing."""
        assert self._tap is not None
        spoken = self._tap.clauses
        for first in range(len(spoken) - 1, -1, -1):
            found: list[Spoken] = []
            cursor = 0
            for clause in spoken[first:]:
                place = target.generated.find(clause.text, cursor)
                if place < 0 or target.generated[cursor:place].strip():
                    break
                cursor = place + len(clause.text)
                found.append(clause)
                if cursor >= end:
                    return found if all(each.complete for each in found) else None
        return None
