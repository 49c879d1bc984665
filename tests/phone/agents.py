"""Agents on the telephone for tests, with the models of the sandbox."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.phone.peers import HERE
from vivavoce.agent import Call
from vivavoce.phone import Exposure, Phone, Trunk
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Timeouts

MODELS = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "embedded-rules",
    "speak": "voxtral-mini-tts-2603",
}


@pytest.fixture
def key(profile):
    return profile()


@pytest.fixture
async def models(key):
    where = {stage: Endpoint(key.url, key.key, model) for stage, model in MODELS.items()}
    async with Models.connect(
        **where, timeouts=Timeouts(5, 5, 10, 5), smart_turn=SmartTurn()
    ) as made:
        yield made


class Seen:
    """The calls of a phone."""

    def __init__(self) -> None:
        self.begun: list = []
        self.over = asyncio.Event()

    def began(self, conversation, line) -> None:
        self.begun.append((conversation, line))

    def ended(self, conversation, line) -> None:
        self.over.set()

    @property
    def call(self) -> Call:
        return self.begun[0][0].call


@asynccontextmanager
async def phone(agents, models, **options):
    """A phone on a free port; what it carries is kept."""
    seen = Seen()
    exposure = Exposure(
        **{"listen": ("udp:127.0.0.1:0",), "rtp": range(40_000, 48_000)}
        | options.pop("exposure", {})
    )
    lab = Trunk("lab", HERE, transport=None, allow=("127.0.0.0/8",), codecs=("PCMU",))
    options.setdefault("trunks", [lab])
    async with Phone(
        agents, models, exposure=exposure, began=seen.began, ended=seen.ended, **options
    ) as made:
        seen.phone = made
        seen.port = made.station.local[0].port
        yield seen
