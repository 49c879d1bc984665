"""The models of one process: clients, the warm pool, and the clips they have spoken before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from vivavoce.agent.options import Listening
from vivavoce.agent.testing import guard
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.audio.vad import Vad
from vivavoce.pipelines.models import providers
from vivavoce.pipelines.models.breaker import State
from vivavoce.pipelines.models.errors import ModelError, StageName
from vivavoce.pipelines.models.failover import FailoverSpeaking, FailoverThinking
from vivavoce.pipelines.models.failover_hearing import HearingLine, MakeHearing
from vivavoce.pipelines.models.http import Endpoint, Http, Timeouts
from vivavoce.pipelines.models.interfaces import Hearing, Samples, Speaking, Thinking
from vivavoce.pipelines.models.succession import Failover, Provider
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.speakable import speakable

log = logging.getLogger("vivavoce")


@dataclass(slots=True)
class Models:
    """What the calls of a process hear, think and speak with.

    Use it as an async context manager, on the event loop of the calls.

    Attributes:
        hearing: Makes a call's transcription; told what is asked of it.
        thinking: The chat model.
        speaking: Text to speech.
        smart_turn: The end-of-turn model; None leaves the decision to silence and words.
        names: Which model serves each stage, for records.
        vad: Makes a call's voice detector, instead of the one that its agent chose.
        listening: What the transcriber is told, where an agent does not say it.
        endpoints: Where each stage's models are, to look whether they are there; clients of
            your own are not among them.
    """

    hearing: Callable[[Wishes], Hearing]
    thinking: Thinking
    speaking: Speaking
    smart_turn: SmartTurn | None = None
    names: dict[str, str] = field(default_factory=dict)
    vad: Callable[[], Vad] | None = None
    listening: Listening = field(default_factory=Listening)
    http: Http | None = None
    endpoints: dict[StageName, tuple[Endpoint, ...]] = field(default_factory=dict)
    _clips: dict[tuple[str, str | Speaker | None, str], Samples] = field(default_factory=dict)

    @classmethod
    def connect(
        cls,
        *,
        hear: Endpoint | Sequence[Endpoint | Provider[MakeHearing]],
        think: Endpoint | Sequence[Endpoint | Provider[Thinking]],
        speak: Endpoint | Sequence[Endpoint | Provider[Speaking]],
        timeouts: Timeouts | None = None,
        smart_turn: SmartTurn | None = None,
        listening: Listening | None = None,
    ) -> Models:
        """Connect to the servers of the three stages; nothing is sent yet.

        Args:
            hear: Where transcription is; with several, in the order in which they are tried. A
                `Provider` with a client of your own may stand among them, such as any pipecat
                service (`vivavoce.pipelines.models.pipecat_services`).
            think: Where the chat model is, likewise.
            speak: Where speech is, likewise.
            timeouts: How long to wait for them.
            smart_turn: The end-of-turn model.
            listening: What the transcriber is told, where an agent does not say it.

        Raises:
            vivavoce.agent.testing.ModelsBlockedError: If a test has blocked them.
            vivavoce.pipelines.models.providers.DialectError: If one's dialect is not known.
        """
        timeouts = timeouts or Timeouts()
        http = Http(timeouts)
        hears = [
            each
            if isinstance(each, Provider)
            else Provider(each.name, providers.hearing(_allowed(each), timeouts))
            for each in _several(hear)
        ]
        thinks = [
            each
            if isinstance(each, Provider)
            else Provider(each.name, providers.thinking(http, _allowed(each)))
            for each in _several(think)
        ]
        speaks = [
            each
            if isinstance(each, Provider)
            else Provider(each.name, providers.speaking(http, _allowed(each)), each.voice)
            for each in _several(speak)
        ]
        for own in (*_several(think), *_several(speak)):
            if isinstance(own, Provider) and (close := getattr(own.model, "close", None)):
                http.own(close)
        return cls(
            hearing=HearingLine(hears, final=timeouts.final),
            thinking=FailoverThinking(thinks, switch=timeouts.switch),
            speaking=FailoverSpeaking(speaks, switch=timeouts.switch),
            smart_turn=smart_turn,
            names={
                "hearing": names(hears),
                "thinking": names(thinks),
                "speaking": names(speaks),
            },
            http=http,
            listening=listening or Listening(),
            endpoints={
                "hearing": _asked(hear),
                "thinking": _asked(think),
                "speaking": _asked(speak),
            },
        )

    def breakers(self) -> dict[StageName, dict[str, State]]:
        """Return how each provider's circuit breaker stands, by stage and provider."""
        stages: dict[StageName, Any] = {
            "hearing": self.hearing,
            "thinking": self.thinking,
            "speaking": self.speaking,
        }
        return {
            stage: model.states() for stage, model in stages.items() if isinstance(model, Failover)
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; idempotent."""
        if self.http is not None:
            await self.http.close()

    async def clip(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> Samples | None:
        """Return a text spoken, from memory where it was spoken before; None if it cannot be."""
        key = (text, voice, language)
        if key not in self._clips:
            try:
                async with (
                    asyncio.timeout(20),
                    aclosing(
                        self.speaking.stream(
                            speakable(text, language).text, voice=voice, language=language
                        )
                    ) as chunks,
                ):
                    parts = [chunk async for chunk in chunks]
            except (ModelError, TimeoutError) as error:
                log.debug("no clip of %r: %s", text, error)
                return None
            if parts:
                self._clips[key] = np.concatenate(parts)
        return self._clips.get(key)


def connect_thinking(http: Http, think: Sequence[Endpoint]) -> Thinking:
    """Return the chat model, or several as one, in the order in which they are tried.

    Raises:
        vivavoce.pipelines.models.providers.DialectError: If one's dialect is not known.
    """
    return FailoverThinking(
        [Provider(each.name, providers.thinking(http, each)) for each in think],
        switch=http.timeouts.switch,
    )


def names(those: Sequence[Endpoint | Provider[Any]]) -> str:
    """Return what several are called together, for records."""
    return ", else ".join(each.name for each in those)


Model = TypeVar("Model")


def _several(
    where: Endpoint | Sequence[Endpoint | Provider[Model]],
) -> Sequence[Endpoint | Provider[Model]]:
    return (where,) if isinstance(where, Endpoint) else where


def _asked(where: Endpoint | Sequence[Endpoint | Provider[Any]]) -> tuple[Endpoint, ...]:
    return tuple(each for each in _several(where) if isinstance(each, Endpoint))


def _allowed(endpoint: Endpoint) -> Endpoint:
    if endpoint.dialect != "none":
        guard.check(endpoint.url)
    return endpoint
