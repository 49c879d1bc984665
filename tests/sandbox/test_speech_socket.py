"""The speech socket, with the unmodified SDK as client; any event that it does not know fails."""

from __future__ import annotations

import asyncio
import base64

import numpy as np
import pytest
from mistralai.client.models import SpeechStreamAudioDelta, SpeechStreamDone
from mistralai.extra.exceptions import RealtimeSpeechException, RealtimeSpeechWSError
from mistralai.extra.realtime import UnknownRealtimeEvent
from mistralai.extra.realtime.speech import audio_bytes

from tests.sandbox.conftest import SPEECH
from vivavoce.sandbox import pcm

MODEL = "voxtral-mini-tts-realtime-3-0"
VOICE = "en_paul_neutral"


async def generation(connection) -> tuple[bytes, SpeechStreamDone]:
    """Read one generation; gives its bytes and its end."""
    audio = b""
    async with asyncio.timeout(10):
        async for event in connection:
            assert not isinstance(event, UnknownRealtimeEvent), event
            if isinstance(event, SpeechStreamAudioDelta):
                audio += audio_bytes(event)
            if isinstance(event, SpeechStreamDone):
                return audio, event
    raise AssertionError("no end")


class Reader:
    """The SDK closes a connection when its events are no longer read: here they are read on."""

    def __init__(self, connection) -> None:
        self.events = connection.events()

    async def generation(self) -> bytes:
        audio = b""
        async with asyncio.timeout(10):
            while True:
                event = await anext(self.events)
                assert not isinstance(event, UnknownRealtimeEvent), event
                if isinstance(event, SpeechStreamAudioDelta):
                    audio += audio_bytes(event)
                if isinstance(event, SpeechStreamDone):
                    assert event.usage.completion_tokens == len(audio) // 4
                    return audio


async def test_several_generations_in_one_session(client):
    sdk = await client(script={"speak": "tone"})
    async with await sdk.audio.realtime_speech.connect(
        MODEL, voice_id=VOICE, response_format="pcm", streaming_mode="responsive"
    ) as connection:
        reader = Reader(connection)
        await connection.send_text("Hello, ")
        await connection.send_text("who is ")
        await connection.flush("there?")
        first = await reader.generation()
        await connection.flush("Yes.")
        second = await reader.generation()
        await connection.update_session(expressiveness=3.0)
        await connection.flush()  # nothing was appended
        assert await reader.generation() == b""
        assert connection.session.expressiveness == 3.0
        assert connection.session.voice == VOICE
        await connection.send_text("Bye.")
        await connection.end()
        await reader.generation()
        with pytest.raises(StopAsyncIteration):
            await anext(reader.events)
    assert len(first) / 4 == pytest.approx(20 * 0.06 * 24_000, abs=2)
    assert len(second) / 4 == pytest.approx(4 * 0.06 * 24_000, abs=2)
    assert sdk.sandbox_key.report["speech_connections"] == 1
    assert sdk.sandbox_key.report["turns"]["speak"] == 3


async def test_a_text_that_is_still_written(client):
    sdk = await client()

    async def written():
        for word in "Where is the station ?".split():
            yield word + " "

    audio = b""
    events = sdk.audio.realtime_speech.speak_stream(
        written(), MODEL, voice_id=VOICE, response_format="pcm"
    )
    async for event in events:
        assert not isinstance(event, UnknownRealtimeEvent), event
        if isinstance(event, SpeechStreamAudioDelta):
            audio += audio_bytes(event)
    rest = await sdk.audio.speech.complete_async(
        input="Where is the station ? ", model=SPEECH, voice_id=VOICE, response_format="pcm"
    )
    assert audio == base64.b64decode(rest.audio_data)


async def test_what_it_begins_with_and_a_wav_header_in_the_first_chunk_only(client):
    sdk = await client(script={"speak": "tone"})
    async with await sdk.audio.realtime_speech.connect(MODEL, voice_id="voice_478") as connection:
        assert connection.session.response_format == "wav"
        assert connection.session.is_ref_audio is False
        await connection.flush("0123456789")
        audio, _ = await generation(connection)
    samples, rate = pcm.read_wav(audio)
    assert (rate, len(samples), audio.count(b"RIFF")) == (24_000, 14_400, 1)


async def test_a_one_off_clone(client):
    sdk = await client(script={"speak": "tone"})
    sample = base64.b64encode(pcm.wav(pcm.tone(4.0), 24_000)).decode()
    async with await sdk.audio.realtime_speech.connect(MODEL, ref_audio=sample) as connection:
        await connection.flush("Hello.")
        audio, _ = await generation(connection)
        assert connection.session.is_ref_audio is True
    assert audio


async def test_an_unknown_voice_closes_without_an_event(client):
    sdk = await client()
    async with await sdk.audio.realtime_speech.connect(MODEL, voice_id="nope") as connection:
        with pytest.raises(RealtimeSpeechException) as caught:
            await generation(connection)
    assert caught.value.code == 1008
    assert str(caught.value).startswith("Voice 'nope' not found.")


async def test_a_model_that_is_none(client):
    sdk = await client()
    with pytest.raises(RealtimeSpeechWSError, match="Invalid model"):
        await sdk.audio.realtime_speech.connect(SPEECH, voice_id=VOICE)


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        (['{"type": "input_text.flush", "text": "Hi."}'], "One of voice and ref_audio"),
        (["{"], "not valid JSON"),
        (['{"type": "input_text.cancel"}'], "Unknown message type: 'input_text.cancel'"),
        (['{"type": "input_text.append", "text": 5}'], "text must be a string"),
        (['{"type": "session.update", "session": {"speed": 2}}'], "Unknown session fields: speed"),
        (['{"type": "session.update", "session": {"streaming_mode": "x"}}'], "responsive or"),
        (['{"type": "session.update", "session": {"expressiveness": 0.5}}'], "at least 1.0"),
        (['{"type": "session.update", "session": {"ref_audio": "%%"}}'], "base64"),
        (['{"type": "session.update", "session": {"response_format": "mp3"}}'], "pcm and wav"),
    ],
)
async def test_a_rejected_message_gives_an_error_event_and_the_session_goes_on(
    client, messages, says
):
    sdk = await client(script={"speak": "tone"})
    async with await sdk.audio.realtime_speech.connect(MODEL) as connection:
        reader = Reader(connection)
        assert (await anext(reader.events)).type == "session.created"
        for message in messages:
            await connection._websocket.send(message)
        event = await anext(reader.events)
        assert event.type == "error"
        assert says in event.error.message
        await connection.update_session(voice_id=VOICE, response_format="pcm")
        await connection.flush("Hello.")
        assert await reader.generation()


async def test_a_client_that_leaves_stops_it(client):
    sdk = await client(script={"speak": "tone"}, latency={"speak_realtime_factor": 0.5})
    async with await sdk.audio.realtime_speech.connect(MODEL, voice_id=VOICE) as connection:
        await connection.flush("word " * 200)
        async for event in connection:
            if isinstance(event, SpeechStreamAudioDelta):
                break
    await asyncio.sleep(0.2)
    spoken = sdk.sandbox_key.report["spoken_s"]
    await asyncio.sleep(0.4)
    assert sdk.sandbox_key.report["spoken_s"] == spoken < 10


async def test_chunks_that_cut_samples_lose_none(client):
    found = []
    for faults in ([], [{"kind": "odd_chunks"}], [{"kind": "one_chunk"}]):
        sdk = await client(script={"speak": "tone"}, faults={"speak": faults})
        async with await sdk.audio.realtime_speech.connect(
            MODEL, voice_id=VOICE, response_format="pcm"
        ) as connection:
            await connection.flush("Hello, who is there?")
            found.append((await generation(connection))[0])
    assert found[0] == found[1] == found[2]
    assert len(np.frombuffer(found[0], "<f4"))
