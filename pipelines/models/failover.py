"""Failover: models in the order in which they are preferred, as one.

What one fails at is asked of the next, and the caller notices a pause at most. A broken-off answer
is continued: the next chat model is shown what was said and its repetitions are taken out; the next
voice goes on with the first word that was not heard to its end. Whom to ask is decided by a circuit
breaker for each (`vivavoce.pipelines.models.breaker`), kept for the calls of a process together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import numpy as np

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.models import joint
from vivavoce.pipelines.models.delivery import Abilities
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import (
    Finished,
    Samples,
    Speaking,
    TextDelta,
    Thinking,
    Thought,
    ToolCallDelta,
)
from vivavoce.pipelines.models.succession import Failover, Model, Provider
from vivavoce.pipelines.turns.heard import heard

Piece = TypeVar("Piece")

SWITCH = 4.0
"""Seconds to the first piece of an answer after which the next provider is asked instead."""


class _Answering(Failover[Model]):
    """Models that answer requests, each of which may be taken over by the next.

    Args:
        providers: In the order of preference.
        switch: Seconds to the first piece after which the next one is asked.
        now: The clock (s).

    Raises:
        ValueError: If there is none.
    """

    def __init__(
        self,
        providers: Sequence[Provider[Model]],
        *,
        switch: float = SWITCH,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(providers, now=now)
        self._switch = switch

    async def _first(
        self, index: int, pieces: AsyncGenerator[Piece], tried: set[int]
    ) -> Piece | None:
        """Return the first piece of an answer, which must not be late; None: there is none.

        How long it may take is no business of ours where nobody is left.

        Raises:
            ModelError: It did not come in time, or as the pieces say.
        """
        try:
            async with asyncio.timeout(self._switch if self._succession.another(tried) else None):
                return await anext(pieces, None)
        except TimeoutError as late:
            raise self._succession.error(
                index, "timeout", f"gave no answer in {self._switch:g} s"
            ) from late


class FailoverThinking(_Answering[Thinking]):
    """Chat models as one. Implements `Thinking`."""

    stage = "thinking"

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer a history; see `Thinking.stream`."""
        tried: set[int] = set()
        said = ""
        error: ModelError | None = None
        while (index := await self._succession.next(tried, error)) is not None:
            calls: list[ToolCallDelta] = []
            seam = joint.Joint(said)
            asked = joint.history(messages, said) if said.strip() else messages
            model = self._succession.providers[index].model
            try:
                async with (
                    aclosing(model.stream(asked, tools)) as answer,
                    aclosing(self._watched(index, answer, tried)) as thoughts,
                ):
                    async for thought in thoughts:
                        match thought:
                            case TextDelta():
                                if text := seam.feed(thought.text):
                                    said += text
                                    yield TextDelta(text)
                            case ToolCallDelta():
                                # Kept until the answer is whole: half of them must not run.
                                calls.append(thought)
                            case Finished():
                                if text := seam.finish():
                                    said += text
                                    yield TextDelta(text)
                                if not said.strip() and not calls:
                                    raise self._succession.error(
                                        index, "broken", "answered with nothing"
                                    )
                                for call in calls:
                                    yield call
                                yield thought
                                return
                raise self._succession.error(index, "broken", "broke off")
            except ModelError as failure:
                self._succession.failed(index, failure)
                error = failure
            finally:
                self._succession.abandoned(index)
        raise error or self._succession.exhausted()

    async def _watched(
        self, index: int, thoughts: AsyncGenerator[Thought], tried: set[int]
    ) -> AsyncGenerator[Thought]:
        """Iterate over an answer whose first piece must not be late."""
        thought = await self._first(index, thoughts, tried)
        if thought is None:
            return
        if not isinstance(thought, Finished):
            self._succession.succeeded(index)
        yield thought
        async for later in thoughts:
            yield later


class FailoverSpeaking(_Answering[Speaking]):
    """Speech models as one. Implements `Speaking`; the first one's rate is its own."""

    stage = "speaking"

    @property
    def abilities(self) -> Abilities | None:
        """What the first one has that speaks with samples of voices; else the first of all.

        Behind one with a voice of its own nobody's is copied.
        """
        those = [
            found
            for each in self._succession.providers
            if each.voice is None
            and isinstance(found := getattr(each.model, "abilities", None), Abilities)
        ]
        return next((each for each in those if each.samples is True), those[0] if those else None)

    @property
    def rate(self) -> int:
        """Sample rate of what `stream` gives (Hz)."""
        return self._succession.providers[0].model.rate

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text; see `Speaking.stream`."""
        tried: set[int] = set()
        error: ModelError | None = None
        rest = text
        while (index := await self._succession.next(tried, error)) is not None:
            provider = self._succession.providers[index]
            parts: list[Samples] = []
            resampler: Resampler | None = None
            if provider.model.rate != self.rate:
                resampler = Resampler(provider.model.rate, self.rate)
            stream = provider.model.stream(rest, voice=provider.voice or voice, language=language)
            try:
                async with aclosing(stream) as chunks:
                    while True:
                        if parts:
                            chunk = await anext(chunks, None)
                        else:
                            chunk = await self._first(index, chunks, tried)
                        if chunk is None:
                            break
                        if not len(chunk):
                            continue
                        if not parts:
                            self._succession.succeeded(index)
                        parts.append(chunk)
                        yield chunk if resampler is None else resampler.feed(chunk)
                if parts or not any(char.isalnum() for char in rest):
                    if resampler is not None and len(tail := resampler.flush()):
                        yield tail
                    return
                raise self._succession.error(index, "broken", "sent no audio")
            except ModelError as failure:
                self._succession.failed(index, failure)
                error = failure
            finally:
                self._succession.abandoned(index)
            if parts:
                audio = np.concatenate(parts)
                rate = provider.model.rate
                rest = rest[heard(rest, audio, rate, len(audio), complete=False) :].lstrip()
                if not any(char.isalnum() for char in rest):
                    return  # it broke off behind the last word
        raise error or self._succession.exhausted()
