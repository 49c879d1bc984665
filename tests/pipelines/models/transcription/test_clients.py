"""Each dialect's client against the sandbox, over real sockets: what works, and every fault."""

import io

import numpy as np
import pytest

from tests.pipelines.models.transcription.conftest import LINES, voice
from vivavoce.pipelines.audio import media
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.transcription.options import Options
from vivavoce.pipelines.models.transcription.request import Waits
from vivavoce.pipelines.models.transcription.sound import Sound

DIALECTS = ("mistral", "vllm", "openrouter")
SCRIPT = {"hear": ["Grüße aus Köln, sagte er."] * 4}
TEXT = SCRIPT["hear"][0]


def sound(samples=None):
    data = media.encode(voice(*LINES[0]) if samples is None else samples, "flac")
    return Sound(io.BytesIO(data), seconds=2.0)


def nothing(_seconds):
    pass


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_text_comes_through(files, dialect, stream):
    client, _, key = await files(dialect, stream=stream)
    found = await client.transcribe(sound(), Options(), nothing)
    assert found.text == LINES[0][1]
    assert found.seconds == pytest.approx(2.0, abs=1.5)
    body = key.report["bodies"][-1]["body"]
    if dialect != "openrouter":
        assert ("stream" in body) == stream


async def test_mistrals_features_reach_the_server(files):
    client, _, key = await files(model="voxtral-mini-transcribe-3-0")
    clip = media.encode(np.tile(voice(*LINES[3]), 2), "wav")
    options = Options(
        language="en",
        times="segment",
        diarize=True,
        bias=("Voxtral", "Köln"),
        speakers={"Ann": clip},
        temperature=0.25,
    )
    ends = []
    found = await client.transcribe(sound(voice(*LINES[3])), options, ends.append)
    body = key.report["bodies"][-1]["body"]
    assert body["context_bias"] == ["Voxtral", "Köln"]
    assert body["language"] == ["en"]
    assert body["temperature"] == ["0.25"]
    assert found.speakers == ("Ann",)
    assert found.language == "en"
    assert ends == [found.segments[-1].end]


@pytest.mark.parametrize("dialect", ["mistral", "openrouter"])
async def test_words_have_times(files, dialect):
    client, _, _ = await files(dialect, script={"hear": [[["Good", 0.4], ["day.", 0.9]]]})
    found = await client.transcribe(sound(), Options(times="word"), nothing)
    (one,) = found.segments
    assert [(word.text, word.end) for word in one.words] == [("Good", 0.4), ("day.", 0.9)]


async def test_openrouter_tells_the_price_and_the_id(files):
    client, _, _ = await files("openrouter", script=SCRIPT)
    found = await client.transcribe(sound(), Options(diarize=True), nothing)
    assert found.cost > 0
    assert found.ids[0].startswith("gen-")


async def test_a_whisper_at_vllm_has_segments(files):
    client, _, _ = await files("vllm", model="openai/whisper-large-v3")
    found = await client.transcribe(sound(), Options(times="segment"), nothing)
    assert [one.text for one in found.segments] == [LINES[0][1]]


async def test_voxtral_at_vllm_has_none_and_says_so(files):
    client, _, _ = await files("vllm")
    with pytest.raises(ModelError, match="do not support verbose_json") as caught:
        await client.transcribe(sound(), Options(times="segment"), nothing)
    assert caught.value.lasting


FAULTS = [
    ({"kind": "status", "status": 500}, "broken", "answered 500"),
    ({"kind": "status", "status": 429, "retry_after": 7}, "busy", "answered 429"),
    ({"kind": "status", "status": 401}, "auth", "answered 401"),
    ({"kind": "status", "status": 413}, "refused", "answered 413"),
    ({"kind": "status", "status": 422, "message": "no such voice"}, "refused", "no such voice"),
    ({"kind": "status", "status": 529}, "broken", "answered 529"),
    ({"kind": "error"}, "broken", "Injected"),
    ({"kind": "reset"}, "broken", "broke off"),
    ({"kind": "close"}, "broken", "broke off"),
    ({"kind": "stall"}, "timeout", "gave no answer"),
]
MIDDLE = [
    ({"kind": "error", "after": 2}, "broken", "sent an error"),
    ({"kind": "reset", "after": 2}, "broken", "broke off"),
    ({"kind": "close", "after": 2}, "broken", "broke off"),
    ({"kind": "stall", "after": 2}, "timeout", "stopped|no answer"),
    ({"kind": "lost_done"}, "broken", "before the end of the text"),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fault", "kind", "why"), FAULTS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_failure_is_told_for_what_it_is(files, dialect, fault, kind, why, stream):
    waits = Waits(answer=0.5, per_second=0, stall=0.5) if fault["kind"] == "stall" else None
    client, _, _ = await files(
        dialect, stream=stream, waits=waits, script=SCRIPT, faults={"hear": [fault]}
    )
    with pytest.raises(ModelError, match=why) as caught:
        await client.transcribe(sound(), Options(), nothing)
    assert caught.value.kind == kind
    assert caught.value.retry_after == fault.get("retry_after")


@pytest.mark.parametrize(("fault", "kind", "why"), MIDDLE)
@pytest.mark.parametrize("dialect", ["mistral", "vllm"])
async def test_a_text_that_breaks_off_is_no_text(files, dialect, fault, kind, why):
    waits = Waits(answer=5, per_second=0, stall=0.5) if fault["kind"] == "stall" else None
    client, _, _ = await files(dialect, waits=waits, script=SCRIPT, faults={"hear": [fault]})
    with pytest.raises(ModelError, match=why) as caught:
        await client.transcribe(sound(), Options(), nothing)
    assert caught.value.kind == kind


@pytest.mark.parametrize("dialect", ["mistral", "vllm"])
async def test_letters_split_between_packets_stay_whole(files, dialect):
    client, _, _ = await files(dialect, script=SCRIPT, faults={"hear": [{"kind": "split_bytes"}]})
    assert (await client.transcribe(sound(), Options(), nothing)).text == TEXT


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_text_is_an_empty_one(files, dialect):
    client, _, _ = await files(dialect, script=SCRIPT, faults={"hear": [{"kind": "empty"}]})
    found = await client.transcribe(sound(), Options(), nothing)
    assert (found.text, found.segments) == ("", ())


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_slow_answer_is_waited_for(files, dialect):
    client, _, _ = await files(
        dialect, script=SCRIPT, faults={"hear": [{"kind": "slow", "ms": 300}]}
    )
    assert (await client.transcribe(sound(), Options(), nothing)).text == TEXT


async def test_nobody_there(files):
    client, _, _ = await files()
    client.where = client._request.where = type(client.where)("http://127.0.0.1:9", "k", "m")
    with pytest.raises(ModelError, match="cannot connect") as caught:
        await client.transcribe(sound(), Options(), nothing)
    assert caught.value.kind == "unreachable"
