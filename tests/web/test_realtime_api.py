"""OpenAI's Realtime protocol, spoken with their own SDK."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from typing import Any

import numpy as np
import openai
import pytest
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter

from tests.speech import speak
from tests.web.calls import host, request, sandboxed, serving
from vivavoce.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.events import AgentSaid, AgentStarted, CallerSaid, CallerStarted, CallerStopped
from vivavoce.agent.transcript import Reply, Utterance
from vivavoce.phone.media.codec import Pcmu
from vivavoce.web.exposure import Exposure
from vivavoce.web.realtime import Session
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
WEATHER = {
    "type": "function",
    "name": "get_time",
    "description": "Tell the time in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "The city"}},
        "required": ["city"],
    },
}
EVENT = TypeAdapter(RealtimeServerEvent)


class Client:
    """What a client of the SDK's has been told."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[Any] = []
        self.sound = b""
        self._task = asyncio.create_task(self._read())
        self._news = asyncio.Event()

    async def _read(self) -> None:
        async for event in self.connection:
            if event.type == "response.output_audio.delta":
                self.sound += base64.b64decode(event.delta)
            # As strictly as the SDK's own types are: it reads leniently.
            EVENT.validate_python(event.model_dump())
            self.events.append(event)
            self._news.set()

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]

    async def until(self, kind: str, count: int = 1, within: float = 30.0) -> Any:
        async with asyncio.timeout(within):
            while len(self.of(kind)) < count:
                if self._task.done():
                    self._task.result()
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await self._news.wait()
        return self.of(kind)[count - 1]

    async def say(self, text: str) -> None:
        pcm = speak(text, 24_000)
        for at in range(0, len(pcm), 4_800):
            audio = base64.b64encode(pcm[at : at + 4_800].tobytes()).decode()
            await self.connection.input_audio_buffer.append(audio=audio)

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.gather(self._task, return_exceptions=True)


@contextlib.asynccontextmanager
async def connected(server, key: str = "none", model: str = "gpt-realtime"):
    async with (
        openai.AsyncOpenAI(api_key=key, base_url=f"{server.url}/v1") as client,
        client.realtime.connect(model=model) as connection,
    ):
        session = Client(connection)
        try:
            yield session
        finally:
            await session.close()


async def test_the_sdks_client_holds_a_conversation(profile):
    key = profile()
    agent = Agent("You help.", name="host", greeting="Good evening.")
    async with serving(agent, models=sandboxed(key)) as server, connected(server) as session:
        await session.connection.session.update(
            session={"type": "realtime", "tools": [WEATHER], "instructions": "Be brief."}
        )
        assert (await session.until("session.updated")).session.tools[0].name == "get_time"
        greeting = (await session.until("response.done")).response
        assert greeting.output[0].content[0].transcript == "Good evening."
        assert greeting.status == "completed"
        # All at once, as a script would: it is heard as fast as it was spoken.
        for count in range(1, 4):
            await session.say("What time is it in Paris?")
            kind = "conversation.item.input_audio_transcription.completed"
            heard = await session.until(kind, count)
            if "time" in heard.transcript.lower():
                break
            await session.until("response.done", 1 + count)
        assert session.of("input_audio_buffer.speech_started")
        assert session.of("input_audio_buffer.committed")[-1].item_id == heard.item_id
        asked = await session.until("response.function_call_arguments.done")
        assert asked.name == "get_time"
        output = {
            "type": "function_call_output",
            "call_id": asked.call_id,
            "output": '{"time": "12:30"}',
        }
        await session.connection.conversation.item.create(item=output)
        await session.connection.response.create()
        async with asyncio.timeout(30):
            while not any(  # noqa: ASYNC110 (looks at what was told)
                "12:30" in (part.transcript or "")
                for event in session.of("response.done")
                for item in event.response.output
                if item.type == "message"
                for part in item.content
            ):
                await asyncio.sleep(0.1)
        live = next(iter(server.desk.calls.values()))
        assert live.conversation.call.memory["the application's wish"] == "Be brief."
        assert "get_time" not in agent.tools  # it was this call's alone
        assert np.abs(np.frombuffer(session.sound, "<i2").astype(int)).max() > 2_000
        assert not session.of("error")


async def test_typing_cutting_in_and_mistakes():
    words = "one two three four five six seven eight nine ten " * 3
    async with serving(host(greeting=words)) as server:
        async with connected(server, model="host") as session:
            created = await session.until("session.created")
            assert created.session.model == "host"
            await session.until("response.output_audio.delta", 10)
            item = {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "hello"}],
            }
            await session.connection.conversation.item.create(item=item)
            await session.connection.response.create()
            cut = (await session.until("response.done")).response
            assert cut.status == "cancelled"
            assert cut.status_details.reason == "turn_detected"
            transcript = cut.output[0].content[0].transcript
            assert words.startswith(transcript)
            assert len(transcript) < len(words.strip())
            truncated = await session.until("conversation.item.truncated")
            assert truncated.item_id == cut.output[0].id
            done = (await session.until("response.done", 2)).response
            assert done.output[0].content[0].transcript == "you said hello"
            await session.connection.conversation.item.truncate(
                item_id=cut.output[0].id, content_index=0, audio_end_ms=500
            )
            await session.until("conversation.item.truncated", 2)
            await session.connection.input_audio_buffer.clear()
            await session.until("input_audio_buffer.cleared")
            for wrong in (
                {"type": "no.such.event", "event_id": "e1"},
                {"type": "input_audio_buffer.append", "audio": "not base64!"},
                {"type": "session.update", "session": {"tools": [{"type": "web"}]}},
                {"type": "session.update", "session": {"audio": {"input": {"format": {}}}}},
                {"type": "conversation.item.create", "item": {"type": "function_call_output"}},
            ):
                before = len(session.of("error"))
                await session.connection.send(wrong)
                error = (await session.until("error", before + 1)).error
                assert error.type == "invalid_request_error"
            assert session.of("error")[0].error.event_id == "e1"
        for _ in range(100):
            if not server.desk.calls:
                break
            await asyncio.sleep(0.05)
        assert not server.desk.calls  # the session is over with its socket


async def test_telephones_sound():
    async with serving() as server, connected(server) as session:
        kind = {"format": {"type": "audio/pcmu"}}
        await session.connection.session.update(
            session={"type": "realtime", "audio": {"input": kind, "output": kind}}
        )
        await session.until("session.updated")
        await session.connection.input_audio_buffer.append(
            audio=base64.b64encode(b"\xff" * 800).decode()
        )
        await session.until("response.done")
        before = len(session.sound)
        item = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "hello"}],
        }
        await session.connection.conversation.item.create(item=item)
        await session.connection.response.create()
        await session.until("response.done", 2)
        pcm = Pcmu().decode(session.sound[before:])
        assert 0.3 < len(pcm) / 8_000 < 1.5  # three words of a fifth of a second
        assert np.abs(pcm.astype(int)).max() > 4_000


async def test_keys_of_clients():
    exposure = Exposure(port=0, secret=SECRET, origins=("https://shop.example",))
    signer = Signer(SECRET)
    async with serving(exposure=exposure) as server:
        with pytest.raises(Exception, match="401"):
            async with connected(server, key="sk-none"):
                pass
        url = f"{server.url}/v1/realtime/client_secrets"
        assert (await request("POST", url, json={}))[0] == 401
        headers = {"Authorization": f"Bearer {signer.service_key}"}
        status, made = await request("POST", url, json={}, headers=headers)
        assert status == 200
        assert made["expires_at"] > time.time()
        async with connected(server, key=made["value"]) as session:
            await session.until("session.created")
        with pytest.raises(Exception, match="409"):
            async with connected(server, key=made["value"]):
                pass


# -- the translation, without a socket


def test_events_come_in_their_order_and_sound_waits_for_its_reply():
    session, call = Session("x"), Call(host())
    reply = Reply("Two are free.", "", started=1.0)
    assert session.sound(b"\0\0", 0.02, audible=False) == []
    assert session.sound(b"\1\1", 0.02, audible=True) == []  # nobody has told of the reply yet
    told = session.event(AgentStarted(1.0, reply), call)
    assert [each["type"] for each in told] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
    ]
    assert base64.b64decode(told[-1]["delta"]) == b"\1\1"
    assert session.sound(b"\2\2", 0.5, audible=True)[0]["type"] == "response.output_audio.delta"
    reply.generated += " At seven."
    assert [each["delta"] for each in session.watch()] == [" At seven."]
    assert session.watch() == []
    reply.heard, reply.interrupted, reply.closed = "Two are", True, True
    told = session.event(AgentSaid(2.0, reply), call)
    assert told[-1]["response"]["status"] == "cancelled"
    (cut,) = [each for each in told if each["type"] == "conversation.item.truncated"]
    assert cut["audio_end_ms"] == 520
    done = told[-1]["response"]["output"][0]
    assert done["content"][0]["transcript"] == "Two are"
    for number, each in enumerate(told):
        EVENT.validate_python({"event_id": str(number), **each})


def test_a_callers_turn():
    session, call = Session("x"), Call(host())
    events = [
        CallerStarted(0.5),
        CallerStopped(1.5),
        CallerSaid(1.8, Utterance("A table", 0.5, 1.5, "silence")),
    ]
    told = [each for event in events for each in session.event(event, call)]
    assert [each["type"] for each in told] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert len({each.get("item_id") or each["item"]["id"] for each in told}) == 1
    assert told[0]["audio_start_ms"] == 500
    for number, each in enumerate(told):
        EVENT.validate_python({"event_id": str(number), **each})


def test_without_sound_there_is_text():
    session, call = Session("x"), Call(host())
    session.update({"output_modalities": ["text"]})
    reply = Reply("Hello.", "Hello.", started=1.0, closed=True)
    told = session.event(AgentStarted(1.0, reply), call)
    told += session.event(AgentSaid(2.0, reply), call)
    assert session.sound(b"\1", 0.02, audible=True) == []
    kinds = [each["type"] for each in told]
    assert "response.output_text.delta" in kinds
    assert "response.output_text.done" in kinds
    assert not [each for each in kinds if "audio" in each]
