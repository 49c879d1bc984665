"""The probe: whether the models can be reached just now, asked cheaply and seldom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import StageName
from vivavoce.pipelines.models.http import Endpoint

WITHIN = 15.0
"""Seconds that an answer counts."""
STAGES: tuple[StageName, ...] = ("hearing", "thinking", "speaking")
LOOKING = 3.0
"""Seconds that a server may take to answer."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a stage can be served.

    Attributes:
        ok: Whether one of its providers answers, and is not resting after failures.
        why: Why not, by provider and in a word each; "" if it can.
    """

    ok: bool
    why: str = ""


class Probe:
    """Looks whether the models are there: one small request to each, and how the breakers stand.

    Nothing is asked unless somebody wants to know, and then not again for `within` seconds.

    Args:
        models: The models of the process. Where clients of your own serve a stage, only its
            breakers tell.
        within: Seconds that an answer counts.
        looking: Seconds that a server may take.
        now: The clock (s), monotonic.
    """

    def __init__(
        self,
        models: Models,
        *,
        within: float = WITHIN,
        looking: float = LOOKING,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models, self._within, self._looking, self._now = models, within, looking, now
        self._found: dict[Endpoint, str] = {}
        self._at = float("-inf")
        self._asking = asyncio.Lock()

    async def look(self) -> dict[StageName, Reach]:
        """Return how each stage stands; safe to cancel."""
        async with self._asking:
            if self._now() - self._at >= self._within:
                places = list(
                    dict.fromkeys(
                        each
                        for stage in self._models.endpoints.values()
                        for each in stage
                        if each.dialect != "none"
                    )
                )
                answers = await asyncio.gather(*(self._ask(each) for each in places))
                self._found = dict(zip(places, answers, strict=True))
                self._at = self._now()
        return self._judge()

    def _judge(self) -> dict[StageName, Reach]:
        breakers = self._models.breakers()
        reached: dict[StageName, Reach] = {}
        for stage in STAGES:
            states = breakers.get(stage, {})
            found = dict.fromkeys(states, "")
            for where in self._models.endpoints.get(stage, ()):
                found[where.name] = self._found.get(where, "")
            wrong = {
                name: why or "rests after failures"
                for name, why in found.items()
                if why or states.get(name) == "open"
            }
            ok = not found or len(wrong) < len(found)
            told = "; ".join(f"{name} {why}" for name, why in wrong.items())
            reached[stage] = Reach(ok, "" if ok else told)
        return reached

    async def _ask(self, where: Endpoint) -> str:
        """Return what is wrong with a server; "" for nothing."""
        http = self._models.http
        if http is None or not where.url:
            return ""
        headers = {"Authorization": f"Bearer {where.key}"} if where.key else {}
        limit = aiohttp.ClientTimeout(total=self._looking)
        try:
            # What it answers does not matter: who refuses a list of models is there as well.
            async with http.session.get(
                where.at("/v1/models"), headers=headers, timeout=limit
            ) as answer:
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return f"cannot be reached ({type(error).__name__})"
        if status in {401, 402}:
            return f"refuses the key ({status})"
        return f"fails ({status})" if status >= 500 else ""
