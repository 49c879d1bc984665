from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.pipelines.models import spoken
from tests.pipelines.models.spoken import TEXT, failure
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.http import Http
from vivavoce.pipelines.models.omni_speech import OmniSpeech, pick_voice
from vivavoce.sandbox.omni import VOICES

pytestmark = pytest.mark.usefixtures("no_task_is_left")

MODEL = "mistralai/Voxtral-4B-TTS-2603"
TONE = {"speak": "tone"}


@pytest.fixture
async def http(quick):
    made = Http(replace(quick, first=2.0))
    yield made
    await made.close()


@pytest.fixture
def model(http, endpoint):
    def make(**given):
        where = endpoint("speak", **given)
        made = replace(where, url=where.url + "/vllm", model=MODEL, dialect="vllm")
        return OmniSpeech(http, made), endpoint.keys[where]

    return make


said = partial(spoken.said, voice="casual_male")


async def test_it_speaks_int16_in_long_pieces(model):
    client, key = model()
    async with aclosing(client.stream(TEXT * 3, voice="fr_female", language="en")) as chunks:
        found = [chunk async for chunk in chunks]
    # 0.4 s first, then 2 s: a jitter buffer has to live with it.
    assert len(found[0]) == 9_600
    assert {len(chunk) for chunk in found[1:-1]} == {48_000}
    assert 3_000 < np.abs(np.concatenate(found).astype(int)).max() < 32_767
    (body,) = [each["body"] for each in key.report["bodies"]]
    assert body == {
        "model": MODEL,
        "input": TEXT * 3,
        "voice": "fr_female",
        "response_format": "pcm",
        "stream": True,
    }


async def test_chunks_that_cut_a_sample_change_nothing(model):
    whole = await said(model(script=TONE)[0])
    for kind in ("odd_chunks", "one_chunk", "no_usage"):
        client, _ = model(script=TONE, faults={"speak": [{"kind": kind}]})
        assert np.array_equal(await said(client), whole)


async def test_speed(model):
    client, key = model(script=TONE)
    usual, fast = await said(client), await said(client, voice=Speaker("casual_male", speed=2.0))
    assert len(fast) == pytest.approx(len(usual) / 2, rel=0.05)
    assert key.report["bodies"][-1]["body"]["speed"] == 2.0


async def test_a_voice_of_the_language_speaks_where_none_is_named(model):
    client, key = model(script=TONE)
    await said(client, voice=None, language="fr-CA")
    await said(client, voice=None, language="en")
    voices = [each["body"]["voice"] for each in key.report["bodies"]]
    assert voices == ["fr_female", "neutral_female"]


@pytest.mark.parametrize(
    ("language", "voice"),
    [("fr", "fr_female"), ("en-GB", "neutral_female"), ("ar", "ar_male"), ("ja", "neutral_female")],
)
def test_picked_voices(language: str, voice: str) -> None:
    assert pick_voice(VOICES, language) == voice


def test_a_voice_is_picked_from_what_there_is() -> None:
    assert pick_voice((), "en") is None
    assert pick_voice(("anna",), "en") == "anna"


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"kind": "status", "status": 401}, "auth", "check the API key"),
        ({"kind": "status", "status": 429, "retry_after": 3}, "busy", "429"),
        ({"kind": "status", "status": 503}, "broken", "503"),
        ({"kind": "slow", "ms": 9000}, "timeout", "gave no answer within 2 s"),
        ({"kind": "stall", "after": 1}, "timeout", "stopped answering"),
        ({"kind": "reset", "after": 1}, "broken", "broke off"),
        ({"kind": "close", "after": 1}, "broken", "broke off"),
        ({"kind": "no_done"}, "broken", "broke off mid-speech"),
        ({"kind": "error", "after": 1, "message": "no GPU left"}, "broken", "no GPU left"),
    ],
    ids=lambda part: "-".join(map(str, part.values())) if isinstance(part, dict) else "",
)
async def test_what_goes_wrong_is_told_in_one_line(model, fault, kind, words):
    client, _ = model(script=TONE, faults={"speak": [fault]})
    error = await failure(said(client))
    assert error.kind == kind
    assert words in str(error)
    assert error.retry_after == fault.get("retry_after")


@pytest.mark.parametrize(
    ("voice", "language", "says"),
    [
        ("nobody", "en", "Invalid voice 'nobody'. Supported: ar_male"),
        (Speaker(sample=Path("me.wav")), "en", "no encoder to clone with"),
        ("casual_male", "ja", "does not speak 'ja'"),
    ],
)
async def test_what_is_refused(model, voice, language: str, says: str):
    error = await failure(said(model()[0], voice=voice, language=language))
    assert error.kind == "refused"
    assert says in str(error)
