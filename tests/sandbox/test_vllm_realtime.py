"""vLLM's hearing socket: its messages, its order, and what it does not tell."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest
import websockets
from openai import AsyncOpenAI
from websockets.asyncio.client import connect

from tests.speech import speak

MODEL = "mistralai/Voxtral-Mini-4B-Realtime-2602"
COMMIT = {"type": "input_audio_buffer.commit"}
FINAL = {"type": "input_audio_buffer.commit", "final": True}
UPDATE = {"type": "session.update", "model": MODEL}


def append(pcm: bytes) -> dict:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


def tone(seconds: float) -> bytes:
    wave = 6_000 * np.sin(np.arange(round(seconds * 16_000)) / 9)
    return wave.astype(np.int16).tobytes()


class Session:
    """A bare socket."""

    def __init__(self, socket, key):
        self.socket = socket
        self.key = key

    async def send(self, *events) -> None:
        for event in events:
            await self.socket.send(event if isinstance(event, str) else json.dumps(event))

    async def next(self) -> dict:
        async with asyncio.timeout(10):
            return json.loads(await self.socket.recv())

    async def until_done(self) -> tuple[list[str], dict]:
        deltas = []
        while (event := await self.next())["type"] == "transcription.delta":
            deltas.append(event["delta"])
        return deltas, event

    async def error(self) -> tuple[str, str]:
        event = await self.next()
        assert event["type"] == "error"
        return event["code"], event["error"]


@pytest.fixture
def opened(profile):
    @contextlib.asynccontextmanager
    async def make(**given) -> AsyncIterator[Session]:
        key = profile(**given)
        url = key.url.replace("http", "ws") + "/vllm/v1/realtime"
        headers = {"Authorization": f"Bearer {key.key}"}
        async with connect(url, additional_headers=headers) as socket:
            session = Session(socket, key)
            created = await session.next()
            assert created["type"] == "session.created"
            assert created["id"].startswith("sess-")
            assert isinstance(created["created"], int)
            yield session

    return make


def scripted(*texts: str, **more) -> dict:
    return {"script": {"hear": list(texts)}, **more}


# -- hearing


async def test_speech_becomes_text_utterance_by_utterance(opened):
    async with opened() as session:
        await session.send(UPDATE)
        for text in ("Can we sit outside, please?", "Where is the station?"):
            await session.send(COMMIT, append(speak(text).tobytes()), FINAL)
            deltas, done = await session.until_done()
            assert done["type"] == "transcription.done"
            assert done["text"] == text
            assert "".join(deltas) == text
            usage = done["usage"]
            assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
            assert usage["prompt_tokens_details"] is None


@pytest.mark.parametrize(("delay", "first", "padding"), [(240, 330, 14), (480, 570, 17)])
async def test_one_delta_for_each_step_of_80_ms(opened, delay, first, padding):
    async with opened(**scripted("one two", latency={"hear_delay_ms": delay})) as session:
        await session.send(UPDATE, COMMIT)
        await session.send(*[append(tone(0.01))] * (first // 10 - 1))
        # One step less and there is none: the end comes with the padding's alone.
        await session.send(FINAL)
        deltas, _ = await session.until_done()
        assert len(deltas) == padding
        await session.send(COMMIT, append(tone(first / 1000 + 0.8)), FINAL)
        deltas, _ = await session.until_done()
        assert len(deltas) == 1 + 10 + padding
        assert deltas.count("") > padding - 2


async def test_audio_may_come_before_the_commit(opened):
    async with opened(**scripted("Hello.")) as session:
        await session.send(UPDATE, append(tone(0.5)), FINAL, COMMIT)
        _, done = await session.until_done()
        assert done["text"] == "Hello."


# -- what it does not tell


async def test_a_commit_during_a_generation_is_ignored(opened):
    async with opened(**scripted("One.", "Two.")) as session:
        await session.send(UPDATE, COMMIT, append(tone(0.5)), COMMIT, append(tone(0.5)), FINAL)
        _, done = await session.until_done()
        assert done["text"] == "One."
        assert session.key.report["turns"]["hear"] == 1


async def test_audio_between_the_end_and_done_is_dropped(opened):
    async with opened(**scripted("One.", "Two."), latency={"hear_final_ms": 500}) as session:
        await session.send(UPDATE, COMMIT, append(tone(0.5)), FINAL)
        await asyncio.sleep(0.1)
        await session.send(append(tone(0.5)))
        _, done = await session.until_done()
        assert done["text"] == "One."
        # Of the second utterance nothing is left.
        await session.send(COMMIT, FINAL)
        _, done = await session.until_done()
        assert done["text"] == ""


async def test_a_full_context_ends_with_a_done_that_nobody_asked_for(opened):
    full = {"hear": [{"kind": "full", "after": 1}]}
    async with opened(**scripted("One two three.", faults=full)) as session:
        await session.send(UPDATE, COMMIT, *[append(tone(0.5))] * 3)
        _, done = await session.until_done()
        assert done["type"] == "transcription.done"


# -- what it refuses


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ("{", "invalid_json", "Invalid JSON"),
        ({"type": "foo"}, "unknown_event", "Unknown event type: foo"),
        (COMMIT, "model_not_validated", "Model not validated"),
        (
            {"type": "session.update", "session": {"model": MODEL}},
            "invalid_event",
            "Missing required field: model",
        ),
        ({"type": "session.update", "model": "gpt"}, "model_not_found", "`gpt` does not exist"),
        (append(b""), "invalid_audio", "Invalid audio data"),
        (append(b"odd"), "invalid_audio", "Invalid audio data"),
    ],
)
async def test_errors_have_codes_that_are_words(opened, message, code, text):
    async with opened() as session:
        await session.send(message)
        got, told = await session.error()
        assert got == code
        assert text in told
        # The session goes on.
        await session.send({"type": "bar"})
        assert (await session.error())[0] == "unknown_event"


async def test_a_binary_frame_kills_the_connection_without_a_close_frame(opened):
    async with opened() as session:
        await session.socket.send(b"\0\0")
        with pytest.raises(websockets.ConnectionClosedError) as raised:
            await session.next()
        assert raised.value.rcvd is None


async def test_a_wrong_key_is_401(sandbox):
    url = sandbox.url.replace("http", "ws") + "/v1/realtime"
    with pytest.raises(websockets.InvalidStatus) as raised:
        async with connect(url, additional_headers={"Authorization": "Bearer wrong"}):
            pass
    assert raised.value.response.status_code == 401


# -- a client that we did not write


async def test_openais_sdk_hears(profile):
    key = profile()
    base = key.url.replace("http", "ws") + "/vllm/v1"
    async with (
        AsyncOpenAI(
            api_key=key.key, base_url=f"{key.url}/vllm/v1", websocket_base_url=base
        ) as client,
        client.realtime.connect(model=MODEL) as connection,
    ):
        # Its own session.update nests the model: vLLM wants it at the top.
        await connection.send(UPDATE)
        await connection.input_audio_buffer.commit()
        pcm = speak("Where is the station?").tobytes()
        for at in range(0, len(pcm), 4_096):
            audio = base64.b64encode(pcm[at : at + 4_096]).decode()
            await connection.input_audio_buffer.append(audio=audio)
        await connection.send(FINAL)
        text, kinds = "", []
        async with asyncio.timeout(10):
            async for event in connection:
                kinds.append(event.type)
                if event.type == "transcription.delta":
                    text += event.delta
                if event.type == "transcription.done":
                    break
    assert kinds[0] == "session.created"
    assert text == event.text == "Where is the station?"
