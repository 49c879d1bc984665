"""Answers that no protocol allows: what a broken server, or a proxy in between, sends."""

from __future__ import annotations

import asyncio
import base64
import json

import aiohttp
import numpy as np
import pytest

from vivavoce.sandbox import pcm
from vivavoce.sandbox.wire import HUGE

CHAT = {"model": "mistral-small-latest", "stream": True}
SPEECH = {"model": "voxtral-mini-tts-2603", "response_format": "pcm", "stream": True}
BODIES = {
    "think": ("chat/completions", CHAT | {"messages": [{"role": "user", "content": "Hello"}]}),
    "speak": ("audio/speech", SPEECH | {"input": "Hello there.", "voice_id": "en_paul_neutral"}),
}


async def ask(key, stage: str, most: int = 1 << 30) -> tuple[str, bytes]:
    """Ask; return the type of what is answered, and all of it, or the first bytes."""
    path, body = BODIES[stage]
    headers = {"Authorization": f"Bearer {key.key}"}
    async with (
        asyncio.timeout(20),
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{key.url}/v1/{path}", json=body) as answer,
    ):
        found = b""
        async for data in answer.content.iter_any():
            found += data
            if len(found) >= most:
                break
        return answer.content_type, found


def struck(profile, stage: str, **fault):
    return profile(script={"speak": "tone"}, faults={stage: [fault]})


@pytest.mark.parametrize("stage", BODIES)
async def test_one_event_is_no_json_and_the_stream_goes_on(profile, stage):
    _, found = await ask(struck(profile, stage, kind="garbage", after=1), stage)
    events = [e.removeprefix("data: ") for line in found.decode().split("\n\n")
              for e in line.split("\n") if e.startswith("data: ")]  # fmt: skip
    wrong = 0
    for event in events:
        if event != "[DONE]":
            try:
                json.loads(event)
            except ValueError:
                wrong += 1
    assert (wrong, len(events) > 2) == (1, True)


@pytest.mark.parametrize("stage", BODIES)
async def test_the_connection_ends_within_an_event(profile, stage):
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask(struck(profile, stage, kind="cut", after=2), stage)


@pytest.mark.parametrize("stage", BODIES)
async def test_a_web_page_with_status_200(profile, stage):
    kind, found = await ask(struck(profile, stage, kind="page"), stage)
    assert kind == "text/html"
    assert b"proxy" in found


CHAT_ELSEWHERE = CHAT | {"messages": [{"role": "user", "content": "Hello"}]}
ELSEWHERE = {
    "/vllm/v1/chat/completions": ("think", CHAT_ELSEWHERE),
    "/vllm/v1/audio/speech": ("speak", {"input": "Hello there."}),
    "/api/tts/generate": ("speak", {"input": "Hello there."}),
}


async def post(key, path: str, data) -> tuple[str, str]:
    """Ask another dialect; return the type of what is answered, and its text."""
    async with (
        asyncio.timeout(20),
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key.key}"}) as http,
        http.post(f"{key.url}{path}", data=data) as answer,
    ):
        return answer.content_type, await answer.text()


@pytest.mark.parametrize("path", ["/vllm/v1/chat/completions", "/vllm/v1/audio/speech"])
async def test_a_web_page_is_one_in_every_dialect(profile, path):
    stage, body = ELSEWHERE[path]
    kind, found = await post(struck(profile, stage, kind="page"), path, json.dumps(body))
    assert kind == "text/html"
    assert "proxy" in found


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_what_is_no_json_is_told_in_each_dialects_shape(profile, path):
    _, found = await post(profile(), path, "{")
    answer = json.loads(found)
    error = answer.get("error", answer)
    assert set(answer) in ({"error"}, {"code", "message", "data"})
    assert error["message"].startswith("JSON decode error: ")


@pytest.mark.parametrize(("kind", "more"), [("huge", HUGE), ("endless", 20_000)])
async def test_more_than_anybody_wants(profile, kind, more):
    _, found = await ask(struck(profile, "think", kind=kind, after=1), "think", more)
    assert len(found) >= more


async def test_bytes_that_trickle(profile):
    _, found = await ask(struck(profile, "think", kind="trickle", ms=1, after=1), "think", 300)
    assert len(found) >= 300


async def test_sound_at_twice_the_rate(profile):
    async def samples(key) -> int:
        _, found = await ask(key, "speak")
        parts = [json.loads(line.removeprefix("data: ")) for line in found.decode().split("\n")
                 if line.startswith("data: {")]  # fmt: skip
        return sum(len(base64.b64decode(each.get("audio_data", ""))) for each in parts)

    plain = await samples(profile(script={"speak": "tone"}))
    assert await samples(struck(profile, "speak", kind="octave")) == 2 * plain


async def test_a_text_is_told_by_its_pitch(profile):
    _, found = await ask(profile(script={"speak": "pitch"}), "speak")
    first = next(line for line in found.decode().split("\n") if "audio_data" in line)
    data = json.loads(first.removeprefix("data: "))["audio_data"]
    sound = np.frombuffer(base64.b64decode(data), "<f4")
    peak = np.abs(np.fft.rfft(sound, 1 << 16)).argmax() * pcm.SPEECH_RATE / (1 << 16)
    assert abs(peak - pcm.pitch("Hello there.")) < 5
    assert pcm.pitch("Hello there.") != pcm.pitch("Good bye.")


HEAR = "/v1/audio/transcriptions/realtime?model=voxtral-mini-transcribe-realtime-2602"


@pytest.mark.parametrize("path", [HEAR, "/v1/realtime"])
async def test_a_web_page_instead_of_a_socket(profile, path):
    key = struck(profile, "hear", kind="page")
    headers = {"Authorization": f"Bearer {key.key}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect(f"{key.url}{path}")
    assert caught.value.status == 200


@pytest.mark.parametrize("kind", ["garbage", "huge", "cut"])
async def test_a_socket_that_sends_what_is_no_message(profile, kind):
    key = struck(profile, "hear", kind=kind, at="open")
    headers = {"Authorization": f"Bearer {key.key}"}
    async with (
        asyncio.timeout(20),
        aiohttp.ClientSession(headers=headers) as http,
        http.ws_connect(f"{key.url}{HEAR}", max_msg_size=0) as socket,
    ):
        message = await socket.receive()
        if kind == "cut":
            assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
            return
        assert len(message.data) == (HUGE if kind == "huge" else len(message.data))
        with pytest.raises(ValueError, match="Expecting"):
            json.loads(message.data)
        assert json.loads((await socket.receive()).data)["type"] == "session.created"
