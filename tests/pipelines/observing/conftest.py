"""Whole calls that are observed: their ledger, what was counted of it, and their trace."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import pytest

from tests.pipelines.conftest import MODELS, Said
from vivavoce.agent import Agent, Call
from vivavoce.pipelines.caller import ScriptedCaller
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.local import LocalTransport
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.observing.observer import Observer


@dataclass
class Observed:
    call: Call[Any]
    began: float  # on the call's clock
    origin: float  # s since 1970, to a second or so


@pytest.fixture
def observe(profile, smart_turn):
    """Hold a call that an observer follows: ``await observe(observer, agent, lines, script=…)``.

    `behind` gives a key's profile for a second provider of each stage named.
    """

    async def run(observer: Observer, agent: Agent, lines, *, behind=(), **given) -> Call[Any]:
        def place(key, stage: str) -> Endpoint:
            return Endpoint(key.url, key.key, MODELS[stage])

        key = profile(**given)
        where: dict[str, Any] = {stage: [place(key, stage)] for stage in MODELS}
        for stage, other in dict(behind).items():
            spare = profile(**other)
            where[stage].append(Endpoint(f"{spare.url}/", spare.key, MODELS[stage]))
        said = [Said(*each) if isinstance(each, tuple) else Said(each) for each in lines]
        waits = Timeouts(connect=3, final=3, first=10, stall=5, switch=5)
        async with Models.connect(**where, timeouts=waits, smart_turn=smart_turn) as models:
            caller = ScriptedCaller([each.line() for each in said], patience=6.0)
            conversation = Conversation(
                agent, models, LocalTransport(caller, None, fast=True), call_id="observed",
                caller="+33123456789",
            )  # fmt: skip
            observer.open()
            observer.began(conversation, "file", agent=agent.name)
            looking = asyncio.create_task(_look(observer))
            try:
                async with asyncio.timeout(60):
                    await conversation.run()
            finally:
                looking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await looking
                observer.ended(conversation)
                observer.ended(conversation)  # once more does nothing
                await observer.close()
        return conversation.call

    return run


async def _look(observer: Observer) -> None:
    """Collect while the call goes on, as a scrape does."""
    while True:
        await asyncio.sleep(0.05)
        observer.collect()
