from __future__ import annotations

import asyncio
import base64
import json

import numpy as np
import pytest
from aiohttp import ClientPayloadError, ClientSession, ServerDisconnectedError
from mistralai.client.errors import HTTPValidationError, SDKError

from vivavoce.sandbox import pcm

MODEL = "voxtral-mini-tts-2603"
REQUEST = {
    "input": "Hello.",
    "model": MODEL,
    "voice_id": "en_paul_neutral",
    "response_format": "pcm",
}


async def post(key, **change):
    async with ClientSession() as session:
        headers = {"Authorization": f"Bearer {key.key}"}
        body = {k: v for k, v in {**REQUEST, **change}.items() if v is not None}
        async with session.post(f"{key.url}/v1/audio/speech", json=body, headers=headers) as answer:
            return answer.status, answer.headers, await answer.read()


async def events(sdk, **change):
    async with asyncio.timeout(10):
        async with await sdk.audio.speech.complete_async(**REQUEST | change, stream=True) as source:
            return [event async for event in source]


def chunks_of(found) -> list[bytes]:
    return [base64.b64decode(e.data.audio_data) for e in found if e.event == "speech.audio.delta"]


async def test_stream_and_whole_are_the_same_speech(client):
    sdk = await client()
    found = await events(sdk)
    assert found[-1].event == "speech.audio.done"
    streamed = np.frombuffer(b"".join(chunks_of(found)), "<f4")
    assert found[-1].data.usage.completion_tokens == len(streamed)
    assert all(len(chunk) % 4 == 0 for chunk in chunks_of(found))
    whole = await sdk.audio.speech.complete_async(**REQUEST)
    assert np.array_equal(np.frombuffer(base64.b64decode(whole.audio_data), "<f4"), streamed)
    assert sdk.sandbox_key.report["spoken_s"] == pytest.approx(2 * len(streamed) / 24_000)


async def test_jitter_delays_chunks_and_keeps_their_order(client):
    plain, late = await client(), await client(latency={"jitter_ms": 60})
    straight = b"".join(chunks_of(await events(plain)))
    assert b"".join(chunks_of(await events(late))) == straight


async def test_wav_whole_and_streamed(client):
    sdk = await client()
    whole = await sdk.audio.speech.complete_async(**REQUEST | {"response_format": "wav"})
    samples, rate = pcm.read_wav(base64.b64decode(whole.audio_data))
    streamed = b"".join(chunks_of(await events(sdk, response_format="wav")))
    assert streamed.count(b"RIFF") == 1
    other, other_rate = pcm.read_wav(streamed)
    assert rate == other_rate == 24_000
    assert np.array_equal(samples, other)


async def test_a_voice_by_reference(client):
    sdk = await client()
    reference = base64.b64encode(pcm.wav(pcm.tone(4.0), 24_000)).decode()
    request = {**REQUEST, "ref_audio": reference}
    del request["voice_id"]
    assert (await sdk.audio.speech.complete_async(**request)).audio_data


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        ({"input": None}, 422, "Field required"),
        ({"input": "  "}, 422, "at least 1 character"),
        ({"model": "voxtral-mini-tts-realtime-3-0"}, 400, "Invalid model"),
        ({"expressiveness": 0.5}, 422, "greater than or equal"),
        ({"voice_id": "nobody"}, 404, "Voice 'nobody' not found."),
        ({"voice_id": None}, 400, "required"),
        ({"ref_audio": "AAAA"}, 400, "Only one"),
        ({"voice_id": None, "ref_audio": "%%"}, 422, "base64"),
        ({"response_format": "aac"}, 422, "pcm"),
    ],
)
async def test_requests_that_are_refused(profile, change, status, why):
    got, _, body = await post(profile(), **change)
    assert got == status
    assert why in body.decode()


async def test_a_reference_of_the_wrong_length(profile):
    short = base64.b64encode(pcm.wav(pcm.tone(1.0), 24_000)).decode()
    status, _, body = await post(profile(), voice_id=None, ref_audio=short)
    assert status == 400
    assert "3 to 25 s" in body.decode()


async def test_the_sdk_reads_refusals(client):
    sdk = await client()
    with pytest.raises(HTTPValidationError):
        await sdk.audio.speech.complete_async(**REQUEST | {"input": " "})
    with pytest.raises(SDKError) as caught:
        await sdk.audio.speech.complete_async(**REQUEST | {"voice_id": "nobody"})
    assert caught.value.status_code == 404


# -- scripts, pace, faults


async def test_a_tone_of_known_length_at_a_known_pace(client):
    sdk = await client(
        script={"speak": "tone"},
        latency={"speak_first_audio_ms": 120, "speak_realtime_factor": 0.5},
    )
    loop = asyncio.get_running_loop()
    begun, times, sent = loop.time(), [], 0
    request = REQUEST | {"input": "0123456789", "stream": True}
    async with await sdk.audio.speech.complete_async(**request) as source:
        async for event in source:
            if event.event == "speech.audio.delta":
                times.append(loop.time() - begun)
                sent += len(base64.b64decode(event.data.audio_data)) // 4
    assert sent == 24_000 * 6 // 10
    assert 0.12 <= times[0] < 10
    assert 0.4 <= times[-1] < 10  # 7 gaps of 80 ms of audio, at half


def faulty(*faults: dict) -> dict:
    return {"script": {"speak": "tone"}, "faults": {"speak": list(faults)}}


async def test_chunks_that_cut_samples_lose_none(client):
    plain = b"".join(chunks_of(await events(await client(**faulty()))))
    found = chunks_of(await events(await client(**faulty({"kind": "odd_chunks"}))))
    assert any(len(chunk) % 4 for chunk in found)
    assert b"".join(found) == plain


@pytest.mark.parametrize("status", [401, 403, 422, 429, 500])
async def test_any_status(profile, status):
    key = profile(**faulty({"kind": "status", "status": status, "retry_after": 5, "on": 1}))
    got, headers, _ = await post(key)
    assert (got, headers["Retry-After"]) == (status, "5")
    assert (await post(key))[0] == 200


@pytest.mark.parametrize("after", [0, 3])
async def test_a_stall_before_or_within_the_stream(client, after):
    sdk = await client(**faulty({"kind": "stall", "after": after}))
    seen = []

    async def read() -> None:
        async with await sdk.audio.speech.complete_async(**REQUEST, stream=True) as source:
            async for event in source:
                seen.append(event)  # noqa: PERF401 - one by one: it will be cut off

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 0.4)
    assert len(seen) == after


@pytest.mark.parametrize("kind", ["reset", "close"])
async def test_a_connection_that_ends_early(profile, kind):
    key = profile(**faulty({"kind": kind, "after": 2}))
    with pytest.raises((ClientPayloadError, ServerDisconnectedError, ConnectionResetError)):
        await post(key, stream=True)


async def test_an_error_within_the_stream(profile):
    status, _, body = await post(profile(**faulty({"kind": "error", "after": 1})), stream=True)
    assert status == 200
    assert body.count(b"event: speech.audio.delta") == 1
    error = next(line for line in body.splitlines() if b'"error"' in line)
    assert json.loads(error.removeprefix(b"data: "))["error"]["message"]
    assert b"speech.audio.done" not in body


async def test_a_slow_first_byte_and_no_audio(client):
    sdk = await client(**faulty({"kind": "slow", "ms": 300}, {"kind": "empty"}))
    begun = asyncio.get_running_loop().time()
    (done,) = await events(sdk)
    assert asyncio.get_running_loop().time() - begun >= 0.3
    assert done.event == "speech.audio.done"
