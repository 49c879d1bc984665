from __future__ import annotations

import asyncio
import gc

import pytest

from vivavoce.pipelines.models.http import Endpoint, Timeouts

MODELS = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "mistral-small-latest",
    "speak": "voxtral-mini-tts-2603",
}


@pytest.fixture
def quick() -> Timeouts:
    """Time-outs that a test can wait for."""
    return Timeouts(connect=1.0, final=0.4, first=0.5, stall=0.4)


@pytest.fixture
def endpoint(profile):
    """A factory: where a stage's model is, under a key with this profile."""

    def make(stage: str, **given) -> Endpoint:
        key = profile(**given)
        made = Endpoint(key.url, key.key, MODELS[stage])
        keys[made] = key
        return made

    keys: dict[Endpoint, object] = {}
    make.keys = keys
    return make


@pytest.fixture
async def no_task_is_left():
    """Fail when a test leaves a task running."""
    # What earlier tests left to the collector (an SDK's client closes in a task) is not this one's.
    gc.collect()
    before = asyncio.all_tasks()
    yield
    gc.collect()
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left
