"""Failover: models in the order in which they are preferred, as one.

What one fails at is asked of the next, and the caller notices a pause at most. A broken-off answer
is continued: the next chat model is shown what was said and its repetitions are taken out; the next
voice goes on with the first word that was not heard to its end. Whom to ask is decided by a circuit
breaker for each (`vivavoce.pipelines.models.breaker`), kept for the calls of a process together.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.models import joint, served
from vivavoce.pipelines.models.breaker import Order, State
from vivavoce.pipelines.models.delivery import Abilities
from vivavoce.pipelines.models.errors import ModelError, StageName
from vivavoce.pipelines.models.interfaces import (
    Finished,
    Samples,
    Speaking,
    TextDelta,
    Thinking,
    Thought,
    ToolCallDelta,
)
from vivavoce.pipelines.turns.heard import heard

log = logging.getLogger("vivavoce")

SWITCH = 4.0
"""Seconds to the first piece of an answer after which the next provider is asked instead."""

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Provider(Generic[Model]):
    """One that can serve a stage.

    Attributes:
        name: What it is, for records and logs.
        model: Its client.
        voice: Speaking only: the voice that stands for the agent's there; None: the agent's.
    """

    name: str
    model: Model
    voice: str | None = None


class _Line(Generic[Model]):
    """The providers of a stage, and what became of them."""

    def __init__(
        self,
        stage: StageName,
        providers: Sequence[Provider[Model]],
        switch: float,
        now: Callable[[], float],
    ) -> None:
        if not providers:
            raise ValueError(f"{stage}: give at least one provider")
        self.providers = tuple(providers)
        self.order = Order(len(self.providers))
        self._stage = stage
        self._switch = switch
        self._now = now

    async def next(self, tried: set[int], failed: ModelError | None) -> int | None:
        """Return whom to ask, when it may be asked; None if nobody is left."""
        step = self.order.next(tried, self._now())
        if step is None:
            return None
        if step.wait:
            await asyncio.sleep(step.wait)
        tried.add(step.index)
        self.order.breakers[step.index].begin()
        name = self.providers[step.index].name
        if failed is not None:
            log.warning("%s; %s serves instead", failed, name)
        served.tell(self._stage, name, failed)
        return step.index

    def patience(self, tried: set[int]) -> float | None:
        """Return how long the first piece may take: no limit of ours where nobody is left."""
        left = set(range(len(self.providers))) - tried
        now = self._now()
        return self._switch if any(self.order.breakers[i].ready(now) for i in left) else None

    def succeeded(self, index: int) -> None:
        """A provider answers."""
        self.order.breakers[index].succeeded()
        served.answered()

    def abandoned(self, index: int) -> None:
        """Nobody waits for a provider any more; no effect once it is known how it does."""
        self.order.breakers[index].abandoned()
        served.ended()

    def failed(self, index: int, error: ModelError) -> None:
        """A provider failed."""
        self.order.breakers[index].failed(error, self._now())
        served.ended(error)

    def states(self) -> dict[str, State]:
        """Return how each provider's breaker stands, by the provider's name."""
        now = self._now()
        pairs = zip(self.providers, self.order.breakers, strict=True)
        return {provider.name: breaker.state(now) for provider, breaker in pairs}

    def late(self, index: int) -> ModelError:
        """Make the error of a first piece that did not come."""
        name = self.providers[index].name
        return ModelError(self._stage, "timeout", f"{name} gave no answer in {self._switch:g} s")

    def broken(self, index: int, what: str) -> ModelError:
        """Make the error of an answer that is none."""
        return ModelError(self._stage, "broken", f"{self.providers[index].name} {what}")

    def exhausted(self) -> ModelError:
        """Make the error where nobody could be asked."""
        now = self._now()
        wait = min(each.forbidden(now) for each in self.order.breakers)
        names = " and ".join(each.name for each in self.providers)
        return ModelError(
            self._stage, "busy", f"{names} asked to wait {wait:.0f} s more", retry_after=wait
        )


class FailoverThinking:
    """Chat models as one. Implements `Thinking`."""

    def __init__(
        self,
        providers: Sequence[Provider[Thinking]],
        *,
        switch: float = SWITCH,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare it.

        Args:
            providers: In the order of preference.
            switch: Seconds to the first piece after which the next one is asked.
            now: The clock (s).

        Raises:
            ValueError: If there is none.
        """
        self._line = _Line("thinking", providers, switch, now)

    def states(self) -> dict[str, State]:
        """Return how each provider's breaker stands, by the provider's name."""
        return self._line.states()

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer a history; see `Thinking.stream`."""
        tried: set[int] = set()
        said = ""
        error: ModelError | None = None
        while (index := await self._line.next(tried, error)) is not None:
            calls: list[ToolCallDelta] = []
            seam = joint.Joint(said)
            asked = joint.history(messages, said) if said.strip() else messages
            model = self._line.providers[index].model
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
                                    raise self._line.broken(index, "answered with nothing")
                                for call in calls:
                                    yield call
                                yield thought
                                return
                raise self._line.broken(index, "broke off")
            except ModelError as failure:
                self._line.failed(index, failure)
                error = failure
            finally:
                self._line.abandoned(index)
        raise error or self._line.exhausted()

    async def _watched(
        self, index: int, thoughts: AsyncGenerator[Thought], tried: set[int]
    ) -> AsyncGenerator[Thought]:
        """Iterate over an answer whose first piece must not be late."""
        patience = self._line.patience(tried)
        try:
            async with asyncio.timeout(patience):
                thought = await anext(thoughts, None)
        except TimeoutError as late:
            raise self._line.late(index) from late
        if thought is None:
            return
        if not isinstance(thought, Finished):
            self._line.succeeded(index)
        yield thought
        async for later in thoughts:
            yield later


class FailoverSpeaking:
    """Speech models as one. Implements `Speaking`; the first one's rate is its own."""

    def __init__(
        self,
        providers: Sequence[Provider[Speaking]],
        *,
        switch: float = SWITCH,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare it.

        Args:
            providers: In the order of preference.
            switch: Seconds to the first audio after which the next one is asked.
            now: The clock (s).

        Raises:
            ValueError: If there is none.
        """
        self._line = _Line("speaking", providers, switch, now)

    def states(self) -> dict[str, State]:
        """Return how each provider's breaker stands, by the provider's name."""
        return self._line.states()

    @property
    def abilities(self) -> Abilities | None:
        """What the first one has that speaks with samples of voices; else the first of all.

        Behind one with a voice of its own nobody's is copied.
        """
        those = [
            found
            for each in self._line.providers
            if each.voice is None
            and isinstance(found := getattr(each.model, "abilities", None), Abilities)
        ]
        return next((each for each in those if each.samples is True), those[0] if those else None)

    @property
    def rate(self) -> int:
        """Sample rate of what `stream` gives (Hz)."""
        return self._line.providers[0].model.rate

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text; see `Speaking.stream`."""
        tried: set[int] = set()
        error: ModelError | None = None
        rest = text
        while (index := await self._line.next(tried, error)) is not None:
            provider = self._line.providers[index]
            parts: list[Samples] = []
            resampler: Resampler | None = None
            if provider.model.rate != self.rate:
                resampler = Resampler(provider.model.rate, self.rate)
            stream = provider.model.stream(rest, voice=provider.voice or voice, language=language)
            patience = self._line.patience(tried)
            try:
                async with aclosing(stream) as chunks:
                    while True:
                        try:
                            async with asyncio.timeout(None if parts else patience):
                                chunk = await anext(chunks, None)
                        except TimeoutError as late:
                            raise self._line.late(index) from late
                        if chunk is None:
                            break
                        if not len(chunk):
                            continue
                        if not parts:
                            self._line.succeeded(index)
                        parts.append(chunk)
                        yield chunk if resampler is None else resampler.feed(chunk)
                if parts or not any(char.isalnum() for char in rest):
                    if resampler is not None and len(tail := resampler.flush()):
                        yield tail
                    return
                raise self._line.broken(index, "sent no audio")
            except ModelError as failure:
                self._line.failed(index, failure)
                error = failure
            finally:
                self._line.abandoned(index)
            if parts:
                audio = np.concatenate(parts)
                rate = provider.model.rate
                rest = rest[heard(rest, audio, rate, len(audio), complete=False) :].lstrip()
                if not any(char.isalnum() for char in rest):
                    return  # it broke off behind the last word
        raise error or self._line.exhausted()
