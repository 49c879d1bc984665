"""vLLM-Omni's speech, with OpenAI's own SDK as client."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest
from aiohttp import ClientSession, FormData
from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError, RateLimitError

from vivavoce.sandbox import pcm
from vivavoce.sandbox.omni import MODEL, VOICES

REQUEST = {"model": MODEL, "voice": "casual_male", "input": "Hello, who is there?"}


@pytest.fixture
async def openai(profile) -> AsyncIterator:
    opened: list[AsyncOpenAI] = []

    def make(**given) -> AsyncOpenAI:
        key = profile(**given)
        sdk = AsyncOpenAI(api_key=key.key, base_url=f"{key.url}/vllm/v1", max_retries=0)
        sdk.sandbox_key = key
        opened.append(sdk)
        return sdk

    yield make
    for each in opened:
        await each.close()


async def events(key, **change) -> list[dict]:
    async with ClientSession() as session:
        headers = {"Authorization": f"Bearer {key.key}"}
        body = {**REQUEST, "response_format": "pcm", "stream": True, **change}
        url = f"{key.url}/vllm/v1/audio/speech"
        async with session.post(url, json=body, headers=headers) as answer:
            text = (await answer.read()).decode()
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line]


async def test_whole_and_streamed_are_the_same_int16(openai):
    sdk = openai()
    whole = await sdk.audio.speech.create(**REQUEST, response_format="pcm")
    async with sdk.audio.speech.with_streaming_response.create(
        **REQUEST, response_format="pcm", stream_format="audio"
    ) as answer:
        streamed = b"".join([chunk async for chunk in answer.iter_bytes()])
    assert whole.content == streamed
    samples = np.frombuffer(streamed, "<i2")
    assert 12_000 < len(samples) < 100_000
    assert pcm.level(samples / np.float32(32768)) == pytest.approx(-20, abs=3)
    found = await events(sdk.sandbox_key)
    assert b"".join(base64.b64decode(e["audio"]) for e in found[:-1]) == streamed
    assert found[-1]["type"] == "speech.audio.done"
    assert set(found[-1]["usage"]) == {"input_tokens", "output_tokens", "total_tokens"}


async def test_its_default_is_wav(openai):
    whole = await openai().audio.speech.create(**REQUEST)
    samples, rate = pcm.read_wav(whole.content)
    assert (rate, len(samples) > 12_000) == (24_000, True)


async def test_a_wav_header_comes_in_the_first_chunk_only(openai):
    sdk = openai(script={"speak": "tone"})
    found = await events(sdk.sandbox_key, response_format="wav", input="word " * 20)
    data = b"".join(base64.b64decode(e["audio"]) for e in found[:-1])
    assert data.count(b"RIFF") == 1
    assert len(pcm.read_wav(data)[0]) == pytest.approx(100 * 0.06 * 24_000, abs=2)


async def test_speed(openai):
    sdk = openai()
    usual = await sdk.audio.speech.create(**REQUEST, response_format="pcm")
    fast = await sdk.audio.speech.create(**REQUEST, response_format="pcm", speed=1.6)
    assert len(fast.content) == pytest.approx(len(usual.content) / 1.6, rel=0.12)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"voice": "nobody"}, BadRequestError, "Invalid voice 'nobody'"),
        ({"input": " "}, BadRequestError, "cannot be empty"),
        ({"model": "other"}, NotFoundError, "does not exist"),
        ({"speed": 9}, BadRequestError, "between 0.25 and 4.0"),
        ({"response_format": "mp3", "stream_format": "sse"}, BadRequestError, "pcm and wav"),
        ({"extra_body": {"ref_audio": "AAAA"}}, BadRequestError, "encoder weights"),
    ],
)
async def test_requests_that_are_refused(openai, change, error, says):
    with pytest.raises(error, match=says):
        await openai().audio.speech.create(**{**REQUEST, **change})


async def test_the_sdk_reads_a_key_that_is_none_and_a_limit(openai):
    sdk = openai(faults={"speak": [{"kind": "status", "status": 429, "retry_after": 2}]})
    with pytest.raises(RateLimitError) as caught:
        await sdk.audio.speech.create(**REQUEST)
    assert caught.value.response.headers["Retry-After"] == "2"
    async with sdk.copy(api_key="wrong") as stranger:
        with pytest.raises(AuthenticationError):
            await stranger.audio.speech.create(**REQUEST)


async def test_an_error_within_the_stream_says_to_discard(openai):
    sdk = openai(
        script={"speak": "tone"},
        faults={"speak": [{"kind": "error", "after": 1, "message": "no GPU left"}]},
    )
    delta, error = await events(sdk.sandbox_key)
    assert delta["type"] == "speech.audio.delta"
    assert error["type"] == "speech.audio.error"
    assert (error["partial_audio"], error["action"]) == (True, "discard")


async def test_voices_and_uploads(openai):
    sdk = openai()
    key = sdk.sandbox_key
    url = f"{key.url}/vllm/v1/audio/voices"
    headers = {"Authorization": f"Bearer {key.key}"}

    def form(seconds: float = 4.0, **texts: str) -> FormData:
        made = FormData(texts)
        data = pcm.wav(pcm.tone(seconds), 24_000)
        made.add_field("audio_sample", io.BytesIO(data), filename="a.wav", content_type="audio/wav")
        return made

    async with ClientSession(headers=headers) as session:
        async with session.get(url) as answer:
            assert (await answer.json())["voices"][: len(VOICES)] == list(VOICES)
        name = f"uploaded-{key.key[-6:]}"
        async with session.post(url, data=form(name=name, consent="Me, in writing")) as answer:
            assert answer.status == 200
        async with session.get(url) as answer:
            listed = await answer.json()
        assert name in listed["voices"]
        assert {"name": name, "consent": "Me, in writing", "speaker_description": None} in listed[
            "uploaded_voices"
        ]
        for data, says in (
            (form(name="x"), "consent is required"),
            (form(31, name="x", consent="y"), "longer than 30 s"),
            (form(name=name, consent="y"), "already exists"),
        ):
            async with session.post(url, data=data) as answer:
                assert answer.status == 400
                assert says in (await answer.json())["error"]["message"]
    assert (await sdk.audio.speech.create(**{**REQUEST, "voice": name})).content
