"""The other dialects of chat: the unmodified OpenAI SDK as their client, and audio in messages."""

from __future__ import annotations

import base64

import numpy as np
import openai
import pytest

from tests.speech import speak
from vivavoce.sandbox import pcm

BASES = {"vllm": "/vllm/v1", "openai": "/openai/v1", "openrouter": "/api/v1"}


def recorded(text: str) -> str:
    """A spoken text as a WAV file, in base64."""
    samples = np.asarray(speak(text, 16_000), np.int16).tobytes()
    return base64.b64encode(pcm.wav_header(16_000, len(samples) // 2) + samples).decode()


HELLO = [{"role": "user", "content": "Is a table free?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "free_tables",
        "description": "Find the free tables.",
        "parameters": {"type": "object", "properties": {"people": {"type": "integer"}}},
    },
}
CALL = {"name": "free_tables", "arguments": {"people": 4}}


@pytest.fixture
async def client(profile):
    opened = []

    async def make(dialect: str, **given):
        key = profile(**given)
        opened.append(
            openai.AsyncOpenAI(api_key=key.key, base_url=key.url + BASES[dialect], max_retries=0)
        )
        return opened[-1]

    yield make
    for one in opened:
        await one.close()


@pytest.mark.parametrize("dialect", BASES)
async def test_the_openai_sdk_streams_text_usage_and_a_call(client, dialect):
    sdk = await client(dialect, script={"think": ["Yes, one is.", CALL]})
    texts, usage = [], None
    stream = await sdk.chat.completions.create(
        model="any", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    async for chunk in stream:
        texts += [choice.delta.content or "" for choice in chunk.choices]
        usage = chunk.usage or usage
    assert "".join(texts) == "Yes, one is."
    assert usage.prompt_tokens > 0
    whole = await sdk.chat.completions.create(model="any", messages=HELLO, tools=[TOOL])
    (call,) = whole.choices[0].message.tool_calls
    assert call.function.name == "free_tables"
    assert len(call.id) != 9
    # What it gave is taken back as it was.
    history = [
        *HELLO,
        {"role": "assistant", "content": "", "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "two"},
    ]
    answer = await sdk.chat.completions.create(model="any", messages=history, tools=[TOOL])
    assert answer.choices[0].message.content


async def test_usage_comes_only_where_it_is_asked_for(client):
    sdk = await client("openai", script={"think": ["Yes."]})
    stream = await sdk.chat.completions.create(model="any", messages=HELLO, stream=True)
    assert [chunk.usage async for chunk in stream if chunk.usage] == []


@pytest.mark.parametrize("dialect", BASES)
async def test_errors_have_the_shape_that_the_sdk_knows(client, dialect):
    fault = {"kind": "status", "status": 429, "retry_after": 3, "message": "Slow down."}
    sdk = await client(dialect, faults={"think": [fault]})
    with pytest.raises(openai.RateLimitError, match="Slow down") as caught:
        await sdk.chat.completions.create(model="any", messages=HELLO)
    assert caught.value.response.headers["Retry-After"] == "3"


@pytest.mark.parametrize("dialect", BASES)
async def test_an_error_within_the_stream_is_raised_by_the_sdk(client, dialect):
    fault = {"kind": "error", "after": 2, "message": "Out of memory."}
    sdk = await client(dialect, script={"think": ["one two three"]}, faults={"think": [fault]})
    stream = await sdk.chat.completions.create(model="any", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="Out of memory"):
        async for _ in stream:
            pass


@pytest.mark.parametrize("dialect", BASES)
async def test_audio_in_a_message_is_heard(client, dialect):
    data = recorded("Where is the station?")
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    sdk = await client(dialect)
    messages = [
        {"role": "system", "content": "You repeat."},
        {"role": "user", "content": [part]},
    ]
    answer = await sdk.chat.completions.create(model="voxtral-small", messages=messages)
    assert answer.choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="does not take audio"):
        await sdk.chat.completions.create(model="other", messages=messages)


async def test_audio_is_plain_for_mistral_and_an_object_for_the_others(client, profile):
    data = recorded("Hello.")
    part = {"type": "input_audio", "input_audio": data}
    messages = [{"role": "user", "content": [part]}]
    sdk = await client("vllm")
    with pytest.raises(openai.UnprocessableEntityError, match="data and format"):
        await sdk.chat.completions.create(model="voxtral-small", messages=messages)
    key = profile()
    async with openai.AsyncOpenAI(api_key=key.key, base_url=f"{key.url}/v1") as mistral:
        answer = await mistral.chat.completions.create(
            model="voxtral-small-latest", messages=messages
        )
    assert answer.choices[0].message.content
