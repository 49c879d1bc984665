from __future__ import annotations

import asyncio
import base64
import json

import numpy as np
import psutil
import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError
from mistralai.client.models import AudioFormat
from mistralai.extra.exceptions import RealtimeTranscriptionException, RealtimeTranscriptionWSError
from websockets import ConnectionClosed

from vivavoce.sandbox import pcm

MODEL = "voxtral-mini-transcribe-realtime-2602"
PATH = "/v1/audio/transcriptions/realtime"
SILENCE = np.zeros(24_000, np.float32)
TONE = pcm.tone(1.0)


def socket_url(key, model: str = MODEL) -> str:
    return f"{key.url.replace('http', 'ws')}{PATH}?model={model}"


@pytest.fixture
async def raw(profile):
    """A factory: a bare socket, for what the SDK would never send."""
    async with ClientSession() as session:
        sockets = []

        async def connect(**given):
            key = profile(**given)
            headers = {"Authorization": f"Bearer {key.key}"}
            socket = await session.ws_connect(socket_url(key), headers=headers)
            sockets.append(socket)
            created = await socket.receive_json(timeout=5)
            assert created["type"] == "session.created"
            return socket

        yield connect
        for socket in sockets:
            await socket.close()


async def ask(socket, message) -> dict:
    await socket.send_json(message)
    return await socket.receive_json(timeout=5)


def append(samples: np.ndarray) -> dict:
    audio = base64.b64encode(pcm.encode_s16(samples)).decode()
    return {"type": "input_audio.append", "audio": audio}


# -- the conversation, with the engines


async def test_utterances_are_heard_one_after_the_other(client, ears, say):
    sdk = await client()
    session = await ears(sdk)
    for text in ("What time do you open tomorrow?", "Thank you very much."):
        before = len(session.deltas())
        await session.feed(await say(sdk, text))
        done = await session.flush()
        assert done.text.lower().rstrip(".?") == text.lower().rstrip(".?")
        assert session.deltas()[before:] == done.text
        assert [s.text for s in done.segments] == [done.text]
        assert done.usage.prompt_audio_seconds in {1, 2, 3}
    await session.connection.end_audio()
    assert (await session.next("transcription.done")).text == ""
    with pytest.raises(StopAsyncIteration):
        await anext(session._source)
    counted = sdk.sandbox_key.report
    assert counted["connections"] == 1
    assert counted["turns"]["hear"] == 2
    assert counted["heard_s"] == pytest.approx(counted["spoken_s"], abs=0.1)


async def test_words_come_while_the_caller_still_speaks(client, ears, say):
    sdk = await client()
    session = await ears(sdk)
    speech = await say(sdk, "I would like to book a room for the first week of next month.")

    async def speak() -> None:
        for start in range(0, len(speech), 2400):
            await session.feed(speech[start : start + 2400])
            await asyncio.sleep(0.1)

    speaking = asyncio.create_task(speak())
    first = await session.next("transcription.text.delta")
    assert not speaking.done()
    assert first.text.startswith("I")
    await speaking
    done = await session.flush()
    assert done.text.startswith(first.text)


async def test_silence_and_noise_are_no_words(client, ears):
    sdk = await client()
    session = await ears(sdk)
    noise = np.random.default_rng(1).normal(0, 0.02, 48_000).astype(np.float32)
    for sound in (SILENCE, noise, TONE, noise * 10):
        await session.feed(sound)
        assert (await session.flush()).text == ""
    assert session.deltas() == ""


@pytest.mark.parametrize(
    ("encoding", "rate", "encode"),
    [
        ("pcm_s16le", 8_000, pcm.encode_s16),
        ("pcm_f32le", 48_000, pcm.encode_f32),
        ("pcm_f16le", 24_000, lambda s: s.astype("<f2").tobytes()),
        ("pcm_s32le", 44_100, lambda s: (s.astype(np.float64) * 2**31).astype("<i4").tobytes()),
    ],
)
async def test_every_encoding_is_understood(client, ears, say, encoding, rate, encode):
    sdk = await client()
    session = await ears(sdk, encoding, rate)
    updated = await session.next("session.updated")
    assert updated.session.audio_format == AudioFormat(encoding=encoding, sample_rate=rate)
    data = encode(pcm.resample(await say(sdk, "Where is the station?"), 24_000, rate))
    for start in range(0, len(data), 20_001):  # odd: chunks may cut samples
        await session.connection.send_audio(data[start : start + 20_001])
    assert (await session.flush()).text.lower() == "where is the station?"


async def test_audio_faster_than_it_can_be_heard_waits_outside(client, ears, say, sandbox):
    sdk = await client()
    session = await ears(sdk)
    process = psutil.Process(sandbox.pid)
    speech = await say(sdk, "Is there anything else that I can do for you today?")
    sizes = []
    for _ in range(3):  # at first the recogniser's arena grows, by tens of megabytes
        await session.feed(np.tile(speech, 10), chunk_s=4)
        done = await session.flush()
        assert done.text.lower().count("anything else") >= 9
        sizes.append(process.memory_info().rss)
    assert sizes[2] - sizes[1] < 48 << 20


# -- the protocol


async def test_session_fields_lock_with_the_first_audio(raw):
    socket = await raw()
    update = {"type": "session.update", "session": {"target_streaming_delay_ms": 240}}
    updated = await ask(socket, update)
    assert updated["type"] == "session.updated"
    assert updated["session"]["target_streaming_delay_ms"] == 240
    await socket.send_json(append(SILENCE))
    error = await ask(socket, update)
    assert error["error"]["message"] == "Session fields cannot be changed after audio has started"
    assert isinstance(error["error"]["code"], int)
    assert (await ask(socket, {"type": "input_audio.flush"}))["type"] == "transcription.done"


@pytest.mark.parametrize("delay", [80, 81, 1200, 2400])
async def test_delays_that_are_taken(raw, delay):
    socket = await raw()
    update = {"type": "session.update", "session": {"target_streaming_delay_ms": delay}}
    assert (await ask(socket, update))["type"] == "session.updated"


@pytest.mark.parametrize(
    "fields",
    [
        {"target_streaming_delay_ms": 79},
        {"target_streaming_delay_ms": 1201},
        {"target_streaming_delay_ms": 240.5},
        {"target_streaming_delay_ms": "240"},
        {"audio_format": {"encoding": "mp3", "sample_rate": 16_000}},
        {"audio_format": {"encoding": "pcm_s16le", "sample_rate": 4_000}},
        {"audio_format": {"encoding": "pcm_s16le"}},
        {"audio_format": "pcm_s16le"},
        {"diarize": True},
        {"turn_detection": {}},
    ],
)
async def test_fields_that_are_refused_leave_the_session_open(raw, fields):
    socket = await raw()
    error = await ask(socket, {"type": "session.update", "session": fields})
    assert error["type"] == "error"
    assert (await ask(socket, {"type": "input_audio.flush"}))["type"] == "transcription.done"


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "[]",
        '{"type":"input_audio_buffer.append"}',
        '{"type":"input_audio.append","audio":"%%%"}',
        '{"type":"input_audio.append"}',
        '{"type":"session.update"}',
    ],
)
async def test_messages_that_make_no_sense_get_an_error_event(raw, message):
    socket = await raw()
    await socket.send_str(message)
    answer = await socket.receive_json(timeout=5)
    assert answer["type"] == "error"
    assert answer["error"]["message"]


async def test_binary_frames_are_refused(raw):
    socket = await raw()
    await socket.send_bytes(b"\0" * 640)
    assert "JSON text" in (await socket.receive_json(timeout=5))["error"]["message"]


async def test_chunks_are_capped_at_256_kib(raw):
    socket = await raw()
    allowed = {"type": "input_audio.append", "audio": base64.b64encode(bytes(262_144)).decode()}
    await socket.send_json(allowed)
    over = {"type": "input_audio.append", "audio": base64.b64encode(bytes(262_145)).decode()}
    assert "too large" in (await ask(socket, over))["error"]["message"]
    done = await ask(socket, {"type": "input_audio.flush"})
    assert done["usage"]["prompt_audio_seconds"] == 9


async def test_an_unknown_model_is_an_error_event_in_place_of_the_session(client):
    sdk = await client()
    for model in ("gpt-9", "mistral-small-latest", "voxtral-mini-transcribe-realtime-4-0"):
        with pytest.raises(RealtimeTranscriptionWSError, match="Invalid model") as caught:
            await sdk.audio.realtime.connect(model)
        assert caught.value.code == 1500


async def test_without_flush_the_session_times_out(client, ears):
    sdk = await client(latency={"hear_idle_s": 0.2})
    session = await ears(sdk)
    await session.feed(SILENCE)
    error = await session.next("error")
    assert error.error.code == 3804
    assert "Timeout waiting" in error.error.message


async def test_a_flushed_session_may_rest(client, ears):
    sdk = await client(latency={"hear_idle_s": 0.2})
    session = await ears(sdk)
    await session.feed(SILENCE)
    await session.flush()
    await asyncio.sleep(0.4)
    assert (await session.flush()).text == ""


async def test_a_wrong_key_is_401(sandbox):
    async with ClientSession() as session:
        for headers in ({}, {"Authorization": "Bearer nobody"}):
            with pytest.raises(WSServerHandshakeError) as caught:
                await session.ws_connect(
                    f"{sandbox.url.replace('http', 'ws')}{PATH}?model={MODEL}", headers=headers
                )
            assert caught.value.status == 401


async def test_a_browser_comes_in_by_subprotocol(client):
    sdk = await client()
    made = await sdk.realtime.sessions.create_async(request={"model": MODEL})
    secret = made.client_secret.value
    assert secret.startswith("rt_")
    async with ClientSession() as session:
        url = socket_url(sdk.sandbox_key)
        async with session.ws_connect(url, protocols=("realtime", secret)) as socket:
            assert socket.protocol == "realtime"
            assert (await socket.receive_json(timeout=5))["type"] == "session.created"
        with pytest.raises(WSServerHandshakeError) as caught:
            await session.ws_connect(url, protocols=("realtime", "rt_wrong"))
        assert caught.value.status == 401
    assert sdk.sandbox_key.report["connections"] == 1


# -- scripts and their timing


async def test_a_script_is_heard_word_by_word_behind_its_audio(raw):
    socket = await raw(script={"hear": ["one two three", "four"]}, latency={"hear_delay_ms": 200})
    heard: list[tuple[int, str]] = []

    async def listen() -> dict:
        while (event := await socket.receive_json(timeout=5))["type"] != "transcription.done":
            heard.append(event["text"])
        return event

    # Words are 300 ms long: at 0.5 s the first is due, at 0.8 s the second, at 1.1 s the third.
    tone = pcm.tone(2.0, 16_000)
    await socket.send_json(append(tone[: 16_000 * 48 // 100]))
    await socket.send_json({"type": "nothing"})  # its error marks where the deltas stand
    assert (await socket.receive_json(timeout=5))["type"] == "error"
    await socket.send_json(append(tone[16_000 * 48 // 100 : 16_000 * 52 // 100]))
    assert (await socket.receive_json(timeout=5))["text"] == "one"
    await socket.send_json(append(tone[16_000 * 52 // 100 : 16_000 * 82 // 100]))
    assert (await socket.receive_json(timeout=5))["text"] == " two"
    await socket.send_json({"type": "input_audio.flush"})
    assert (await listen())["text"] == "one two three"
    assert heard == [" three"]
    heard.clear()
    await socket.send_json(append(SILENCE))
    await socket.send_json({"type": "input_audio.flush"})
    assert (await listen())["text"] == ""  # silence uses up no script
    for expected in ("four", ""):
        await socket.send_json(append(tone))
        await socket.send_json({"type": "input_audio.flush"})
        assert (await listen())["text"] == expected


async def test_the_final_comes_when_the_profile_says(client, ears):
    sdk = await client(script={"hear": ["hello"]}, latency={"hear_final_ms": 150})
    session = await ears(sdk)
    await session.feed(TONE)
    await session.next("transcription.text.delta")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await session.flush()
    assert 0.15 <= loop.time() - begun < 10


# -- faults


def scripted(*faults: dict) -> dict:
    return {"script": {"hear": ["one", "two", "three"]}, "faults": {"hear": list(faults)}}


async def test_a_lost_done_loses_one_turn_only(client, ears):
    sdk = await client(**scripted({"kind": "lost_done", "on": 2}))
    session = await ears(sdk)
    for _ in range(3):
        await session.feed(TONE)
        await session.connection.flush_audio()
    texts = [(await session.next("transcription.done")).text for _ in range(2)]
    assert texts == ["one", "three"]
    assert session.deltas() == "onetwothree"


@pytest.mark.parametrize("point", ["open", "delta", "done"])
async def test_a_stall_answers_nothing_and_stays_open(client, profile, point):
    key = profile(**scripted({"kind": "stall", "at": point}))
    async with ClientSession() as session:
        headers = {"Authorization": f"Bearer {key.key}"}
        async with session.ws_connect(socket_url(key), headers=headers) as socket:
            seen = []
            await socket.send_json(append(np.concatenate((TONE, TONE))))
            await socket.send_json({"type": "input_audio.flush"})
            with pytest.raises(TimeoutError):  # noqa: PT012 - whichever answer does not come
                while True:
                    seen.append((await socket.receive_json(timeout=0.3))["type"])
            assert not socket.closed
    assert (
        seen
        == {
            "open": [],
            "delta": ["session.created"],
            "done": ["session.created", "transcription.text.delta"],
        }[point]
    )


@pytest.mark.parametrize("point", ["delta", "done"])
async def test_a_reset_is_1006(client, ears, point):
    sdk = await client(**scripted({"kind": "reset", "at": point}))
    session = await ears(sdk)
    with pytest.raises(ConnectionClosed) as caught:  # noqa: PT012 - whichever notices it
        await session.feed(np.concatenate((TONE, TONE)))
        await session.flush()
    assert caught.value.rcvd is None  # no close frame came


async def test_a_close_frame_with_a_code(client, ears):
    sdk = await client(**scripted({"kind": "close", "code": 1008, "message": "Go away."}))
    session = await ears(sdk)
    await session.feed(TONE)
    with pytest.raises(ConnectionClosed) as caught:
        await session.flush()
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1008, "Go away.")


async def test_an_error_event_on_request(client, ears):
    sdk = await client(**scripted({"kind": "error", "code": 3804, "on": 1}))
    session = await ears(sdk)
    await session.feed(TONE)
    await session.connection.flush_audio()
    assert (await session.next("error")).error.code == 3804


async def test_an_error_at_the_handshake(client):
    sdk = await client(**scripted({"kind": "error", "at": "open", "code": 1500}))
    with pytest.raises(RealtimeTranscriptionWSError) as caught:
        await sdk.audio.realtime.connect(MODEL)
    assert caught.value.code == 1500


async def test_an_empty_text(client, ears):
    sdk = await client(**scripted({"kind": "empty", "on": 1}))
    session = await ears(sdk)
    texts = []
    for _ in range(2):
        await session.feed(TONE)
        texts.append((await session.flush()).text)
    assert texts == ["", "two"]
    assert session.deltas() == "two"


@pytest.mark.parametrize("status", [401, 403, 429, 500])
async def test_a_status_in_place_of_the_upgrade(profile, status):
    fault = {"kind": "status", "status": status, "retry_after": 2, "on": 1}
    key = profile(faults={"hear": [fault]})
    headers = {"Authorization": f"Bearer {key.key}"}
    async with ClientSession() as session:
        with pytest.raises(WSServerHandshakeError) as caught:
            await session.ws_connect(socket_url(key), headers=headers)
        assert caught.value.status == status
        assert caught.value.headers["Retry-After"] == "2"
        async with session.ws_connect(socket_url(key), headers=headers) as socket:
            assert (await socket.receive(timeout=5)).type is WSMsgType.TEXT


async def test_a_slow_handshake(client):
    sdk = await client(faults={"hear": [{"kind": "slow", "ms": 400}]})
    with pytest.raises(RealtimeTranscriptionException):
        await sdk.audio.realtime.connect(MODEL, timeout_ms=150)


async def test_deltas_are_json_with_letters_as_they_are(raw):
    socket = await raw(script={"hear": ["café"]}, latency={"hear_delay_ms": 0})
    await socket.send_json(append(TONE))
    message = await socket.receive(timeout=5)
    assert "café" in message.data
    assert json.loads(message.data)["text"] == "café"
