"""The providers of a stage, in the order in which they are preferred, and what became of them.

Whom to ask is decided by a circuit breaker for each (`vivavoce.pipelines.models.breaker`), kept for
the calls of a process together.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.breaker import Order, State
from vivavoce.pipelines.models.errors import Kind, ModelError, StageName

log = logging.getLogger("vivavoce")

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


class Succession(Generic[Model]):
    """The providers of a stage, and how each of them does.

    Args:
        stage: Which stage.
        providers: In the order of preference.
        now: The clock (s).

    Attributes:
        providers: They.
        order: Their breakers.
        now: The clock.

    Raises:
        ValueError: If there is no provider.
    """

    def __init__(
        self,
        stage: StageName,
        providers: Sequence[Provider[Model]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if not providers:
            raise ValueError(f"{stage}: give at least one provider")
        self.providers = tuple(providers)
        self.order = Order(len(self.providers))
        self.now = now
        self._stage: StageName = stage

    def states(self) -> dict[str, State]:
        """Return how each provider's breaker stands, by the provider's name."""
        now = self.now()
        pairs = zip(self.providers, self.order.breakers, strict=True)
        return {provider.name: breaker.state(now) for provider, breaker in pairs}

    async def next(self, tried: set[int], failed: ModelError | None) -> int | None:
        """Return whom to ask, when it may be asked; None if nobody is left.

        Args:
            tried: Who has failed with this request; whoever is asked now is added.
            failed: What the last of them failed with.
        """
        step = self.order.next(tried, self.now())
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

    def another(self, tried: set[int]) -> bool:
        """Whether somebody is left who may be asked now."""
        now = self.now()
        left = set(range(len(self.providers))) - tried
        return any(self.order.breakers[index].ready(now) for index in left)

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
        self.order.breakers[index].failed(error, self.now())
        served.ended(error)

    def error(self, index: int, kind: Kind, what: str) -> ModelError:
        """Make the error of what a provider did: "broke off", "gave no answer in 4 s"."""
        return ModelError(self._stage, kind, f"{self.providers[index].name} {what}")

    def exhausted(self) -> ModelError:
        """Make the error where nobody could be asked."""
        now = self.now()
        wait = min(each.forbidden(now) for each in self.order.breakers)
        names = " and ".join(each.name for each in self.providers)
        return ModelError(
            self._stage, "busy", f"{names} asked to wait {wait:.0f} s more", retry_after=wait
        )


class Failover(Generic[Model]):
    """Models in the order of preference, as one.

    Args:
        providers: In the order of preference.
        now: The clock (s).

    Raises:
        ValueError: If there is none.
    """

    stage: ClassVar[StageName]
    """Which stage they serve."""

    def __init__(
        self, providers: Sequence[Provider[Model]], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._succession = Succession(self.stage, providers, now)

    def states(self) -> dict[str, State]:
        """Return how each provider's breaker stands, by the provider's name."""
        return self._succession.states()
