"""vLLM's file dialect, with the unmodified openai SDK as its client."""

from __future__ import annotations

import io
import math

import pytest
from aiohttp import ClientSession, FormData
from openai import AsyncOpenAI, BadRequestError, InternalServerError, RateLimitError

from tests.speech import speak
from vivavoce.sandbox import pcm

MODEL = "mistralai/Voxtral-Mini-3B-2507"
WHISPER = "openai/whisper-large-v3"
LINE = "The station is behind the market."


@pytest.fixture(scope="module")
def recording() -> bytes:
    return pcm.wav(speak(LINE, 16_000) / 32768.0, 16_000)


@pytest.fixture
async def openai(profile):
    opened = []

    def make(**given) -> AsyncOpenAI:
        key = profile(**given)
        sdk = AsyncOpenAI(
            api_key=key.key, base_url=f"{key.url}/vllm/v1", max_retries=0, timeout=20.0
        )
        sdk.sandbox_key = key
        opened.append(sdk)
        return sdk

    yield make
    for sdk in opened:
        await sdk.close()


async def test_json(openai, recording):
    got = await openai().audio.transcriptions.create(model=MODEL, file=("a.wav", recording))
    assert got.text == LINE
    assert got.usage.type == "duration"
    assert got.usage.seconds == math.ceil(len(speak(LINE, 16_000)) / 16_000)


async def test_verbose_json(openai, recording):
    got = await openai().audio.transcriptions.create(
        model=WHISPER,
        file=("a.wav", recording),
        response_format="verbose_json",
        timestamp_granularities=["segment"],
        language="en",
    )
    assert got.text == LINE
    assert got.language == "en"
    (one,) = got.segments
    assert one.text.strip() == LINE
    assert 0 <= one.start < one.end <= float(got.duration)


async def test_text(openai, recording):
    got = await openai().audio.transcriptions.create(
        model=MODEL, file=("a.wav", recording), response_format="text"
    )
    assert got == LINE


async def test_a_stream(openai, recording):
    stream = await openai().audio.transcriptions.create(
        model=MODEL, file=("a.wav", recording), stream=True
    )
    async with stream:
        chunks = [chunk async for chunk in stream]
    assert {chunk.object for chunk in chunks} == {"transcription.chunk"}
    choices = [chunk.choices[0] for chunk in chunks]
    assert "".join(choice["delta"]["content"] for choice in choices) == LINE
    assert choices[-1]["finish_reason"] == "stop"


async def test_usage_of_a_stream_comes_when_asked_for(profile, recording):
    key = profile()
    form = FormData({"model": MODEL, "stream": "true", "stream_include_usage": "true"})
    form.add_field("file", recording, filename="a.wav")
    headers = {"Authorization": f"Bearer {key.key}"}
    async with (
        ClientSession(headers=headers) as session,
        session.post(f"{key.url}/vllm/v1/audio/transcriptions", data=form) as answer,
    ):
        text = await answer.text()
    assert '"prompt_tokens":' in text
    assert text.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"response_format": "verbose_json"}, "Currently do not support verbose_json for"),
        ({"response_format": "srt"}, "Currently only support response_format"),
        (
            {"model": WHISPER, "response_format": "verbose_json", "stream": True},
            "doesn't support streaming",
        ),
        ({"file": ("a.wav", b"no audio at all")}, "unsupported audio file"),
    ],
)
async def test_what_vllm_refuses(openai, recording, more, why):
    request = {"model": MODEL, "file": ("a.wav", recording), **more}
    with pytest.raises(BadRequestError, match=why):
        await openai().audio.transcriptions.create(**request)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 429, "retry_after": 3}, RateLimitError),
        ({"kind": "status", "status": 503}, InternalServerError),
    ],
)
async def test_faults_strike(openai, recording, fault, error):
    sdk = openai(faults={"hear": [fault]})
    with pytest.raises(error) as caught:
        await sdk.audio.transcriptions.create(model=MODEL, file=("a.wav", recording))
    assert caught.value.response.headers.get("Retry-After") == (
        "3" if "retry_after" in fault else None
    )


async def test_a_file_that_is_too_large(profile):
    key = profile()
    form = FormData({"model": MODEL})
    form.add_field("file", io.BytesIO(bytes(26_000_000)), filename="a.wav")
    headers = {"Authorization": f"Bearer {key.key}"}
    async with (
        ClientSession(headers=headers) as session,
        session.post(f"{key.url}/vllm/v1/audio/transcriptions", data=form) as answer,
    ):
        assert answer.status == 413
        assert "larger than" in (await answer.json())["error"]["message"]
