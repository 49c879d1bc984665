"""A recording of two voices, and clients of it in every dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import soxr

from tests.speech import speak
from vivavoce.pipelines.audio.media import RATE, Encoder
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.transcription.clients import connect
from vivavoce.pipelines.models.transcription.request import Waits

LINES = (
    ("low", "The station is behind the market."),
    ("high", "The weather is very nice today."),
    ("low", "Please wait for me at the bridge."),
    ("high", "He is waiting for you in the kitchen."),
)
PAUSE = 1.0
MODELS = {
    "mistral": "voxtral-mini-2602",
    "vllm": "mistralai/Voxtral-Mini-3B-2507",
    "openrouter": "mistralai/voxtral-mini-transcribe",
}
BASES = {"mistral": "", "vllm": "/vllm", "openrouter": "/api"}


def voice(kind: str, text: str) -> np.ndarray:
    """Say a line; the high voice is the low one, four semitones up and faster."""
    spoken = speak(text, RATE)
    return soxr.resample(spoken, RATE * 5 / 4, RATE) if kind == "high" else spoken


def together(lines=LINES, pause: float = PAUSE) -> np.ndarray:
    gap = np.zeros(round(pause * RATE), np.int16)
    return np.concatenate([part for kind, text in lines for part in (voice(kind, text), gap)])


def save(path: Path, samples: np.ndarray) -> Path:
    with path.open("wb") as file, Encoder(file, "wav") as encoder:
        encoder.write(samples)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Four lines, two voices in turn."""
    return save(tmp_path / "talk.wav", together())


@pytest.fixture
async def files(profile) -> AsyncIterator[Callable]:
    """A factory: client, abilities and key of a dialect in the sandbox."""
    pools: list[Http] = []

    async def make(dialect="mistral", *, model=None, stream=True, waits=None, **given):
        key = profile(**given)
        where = Endpoint(key.url + BASES[dialect], key.key, model or MODELS[dialect], dialect)
        pools.append(Http())
        waits = waits or Waits(answer=20, stall=20)
        client, abilities = await connect(pools[-1], where, waits, stream=stream)
        return client, abilities, key

    yield make
    for http in pools:
        await http.close()
