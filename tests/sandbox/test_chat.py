from __future__ import annotations

import asyncio
import json
import re

import pytest
from aiohttp import ClientPayloadError, ClientSession, ServerDisconnectedError
from mistralai.client.errors import HTTPValidationError, SDKError
from mistralai.client.utils import BackoffStrategy, RetryConfig

MODEL = "mistral-small-latest"
TOOL = {
    "type": "function",
    "function": {
        "name": "free_tables",
        "description": "Find the free tables.",
        "parameters": {
            "type": "object",
            "properties": {"people": {"type": "integer", "description": "How many will come."}},
            "required": ["people"],
        },
    },
}
HELLO = [{"role": "user", "content": "Hello"}]
CALL = {"name": "free_tables", "arguments": {"people": 4, "name": "José"}}


def called(call_id: str = "D681PevKs") -> dict:
    function = {"name": "free_tables", "arguments": '{"people": 4}'}
    return {"role": "assistant", "tool_calls": [{"id": call_id, "function": function}]}


async def stream(sdk, messages=HELLO, **more):
    async with asyncio.timeout(10):
        async with await sdk.chat.stream_async(model=MODEL, messages=messages, **more) as events:
            return [event.data async for event in events]


def text_of(chunks) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks)


async def post(key, body, headers=None):
    """A bare request, for what the SDK would not send; give status, headers and body."""
    headers = headers or {"Authorization": f"Bearer {key.key}"}
    async with ClientSession() as session:
        url = f"{key.url}/v1/chat/completions"
        async with session.post(url, json=body, headers=headers) as answer:
            return answer.status, answer.headers, await answer.read()


# -- answers


async def test_the_rules_answer_whole_and_word_by_word(client):
    sdk = await client()
    whole = await sdk.chat.complete_async(model="embedded-rules", messages=HELLO)
    assert whole.choices[0].finish_reason == "stop"
    assert whole.choices[0].message.content
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    chunks = await stream(sdk)
    assert text_of(chunks) == whole.choices[0].message.content
    words = [c.choices[0].delta.content for c in chunks[1:-1]]
    assert len(words) == len(whole.choices[0].message.content.split())
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens > 0
    assert len({c.id for c in chunks}) == 1
    bodies = sdk.sandbox_key.report["bodies"]
    assert bodies[0]["body"]["messages"] == HELLO
    assert bodies[1]["body"]["stream"] is True


async def test_a_tool_is_called_and_its_result_spoken(client):
    sdk = await client()
    messages = [{"role": "user", "content": "Find the free tables for four people."}]
    chunks = await stream(sdk, messages, tools=[TOOL])
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    (call,) = chunks[-1].choices[0].delta.tool_calls
    assert call.function.name == "free_tables"
    assert json.loads(call.function.arguments) == {"people": 4}
    assert re.fullmatch(r"[a-zA-Z0-9]{9}", call.id)
    messages += [
        {"role": "assistant", "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "name": "free_tables", "content": "[7, 9]"},
    ]
    after = await sdk.chat.complete_async(model=MODEL, messages=messages, tools=[TOOL])
    assert after.choices[0].finish_reason == "stop"
    assert after.choices[0].message.content


async def test_tool_choice_is_obeyed(client):
    sdk = await client()
    messages = [{"role": "user", "content": "Find the free tables for four people."}]
    none = await sdk.chat.complete_async(
        model=MODEL, messages=messages, tools=[TOOL], tool_choice="none"
    )
    assert none.choices[0].message.tool_calls is None
    forced = await sdk.chat.complete_async(
        model=MODEL, messages=HELLO, tools=[TOOL], tool_choice="any"
    )
    assert forced.choices[0].message.tool_calls[0].function.name == "free_tables"


async def test_content_may_be_chunks(client):
    sdk = await client()
    chunks = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    one = await sdk.chat.complete_async(model=MODEL, messages=[{"role": "user", "content": chunks}])
    other = await sdk.chat.complete_async(model=MODEL, messages=HELLO)
    assert one.choices[0].message.content == other.choices[0].message.content


# -- refusals


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "at least one message"),
        ([{"role": "assistant", "content": "Hi"}], "first role"),
        ([*HELLO, {"role": "assistant", "content": "Hi"}], "Expected last role"),
        ([*HELLO, {"role": "tool", "tool_call_id": "D681PevKs", "content": ""}], "Unexpected role"),
        ([*HELLO, called()], "Not the same number"),
        ([*HELLO, called(), *HELLO], "Not the same number"),
        ([*HELLO, called("call_1"), *HELLO], "must be a-z, A-Z, 0-9, with a length of 9"),
        (
            [*HELLO, called(), {"role": "tool", "tool_call_id": "aaaaaaaaa", "content": ""}],
            "Unexpected tool call id",
        ),
        (
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}],
            "either content",
        ),
        ([*HELLO, {"role": "system", "content": "x"}], "Expected last role"),
    ],
)
async def test_histories_that_mistral_refuses_are_400(client, messages, why):
    sdk = await client()
    with pytest.raises(SDKError, match=why) as caught:
        await sdk.chat.complete_async(model=MODEL, messages=messages)
    assert caught.value.status_code == 400
    body = json.loads(caught.value.body)
    assert body["object"] == "error"
    assert set(body) == {"object", "message", "type", "param", "code"}


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "Be brief."}, *HELLO],
        [*HELLO, *HELLO],
        [*HELLO, {"role": "assistant", "content": "Hi"}, *HELLO],
        [*HELLO, {"role": "assistant", "content": "Hi", "prefix": True}],
        [*HELLO, called(), {"role": "tool", "tool_call_id": "D681PevKs", "content": "[]"}],
        [*HELLO, called(), {"role": "tool", "content": "[]"}],
    ],
)
async def test_histories_that_mistral_takes(client, messages):
    sdk = await client()
    assert (await sdk.chat.complete_async(model=MODEL, messages=messages)).choices


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        ({"model": "gpt-9"}, 400, "Invalid model: gpt-9"),
        ({"model": "voxtral-mini-tts-2603"}, 400, "Invalid model"),
        ({"model": None}, 422, "Field required"),
        ({"messages": "Hello"}, 422, "valid list"),
        ({"messages": [{"role": "narrator", "content": ""}]}, 422, "'user'"),
        ({"messages": [{"role": "user", "content": 3}]}, 422, "string or list"),
        ({"tools": [{"type": "function"}]}, 422, "Field required"),
        ({"tools": [TOOL] * 129}, 400, "at most 128"),
        ({"tool_choice": "maybe"}, 422, "auto"),
        ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, 400, "no tool"),
    ],
)
async def test_requests_of_the_wrong_form(profile, change, status, why):
    got, _, body = await post(profile(), {"model": MODEL, "messages": HELLO, **change})
    assert got == status
    assert why in body.decode()
    detail = json.loads(body).get("detail")
    assert bool(detail) == (status == 422)


async def test_the_sdk_reads_a_422_as_a_validation_error(client):
    sdk = await client(faults={"think": [{"kind": "status", "status": 422}]})
    with pytest.raises(HTTPValidationError) as caught:
        await sdk.chat.complete_async(model=MODEL, messages=HELLO)
    assert caught.value.data.detail[0].msg == "Injected by the sandbox."


async def test_no_json_is_422_and_a_wrong_key_401(profile):
    key = profile()
    assert (await post(key, "text"))[0] == 422
    assert (await post(key, {}, {"Authorization": "Bearer nobody"}))[0] == 401
    assert (await post(key, {}, {"X-Nothing": "1"}))[0] == 401


# -- scripts and pace


async def test_a_script_answers_in_order_and_then_the_rules_do(client):
    sdk = await client(script={"think": ["One.", CALL, {"content": "Two.", "tool_calls": [CALL]}]})
    assert text_of(await stream(sdk)) == "One."
    (call,) = (await stream(sdk))[-1].choices[0].delta.tool_calls
    assert json.loads(call.function.arguments) == CALL["arguments"]
    both = await stream(sdk)
    assert text_of(both) == "Two."
    assert both[-1].choices[0].delta.tool_calls
    assert text_of(await stream(sdk)) not in {"", "One.", "Two."}


async def test_tokens_come_at_the_pace_of_the_profile(client):
    sdk = await client(
        script={"think": ["one two three four five"]},
        latency={"think_first_token_ms": 150, "think_tokens_per_s": 20},
    )
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with await sdk.chat.stream_async(model=MODEL, messages=HELLO) as events:
        times = [loop.time() - begun async for e in events if e.data.choices[0].delta.content]
    assert 0.15 <= times[0] < 10
    assert 0.35 <= times[-1] < 10  # four gaps of 50 ms


# -- faults


def faulty(*faults: dict, think=("Très bien, merci.",)) -> dict:
    return {"script": {"think": list(think)}, "faults": {"think": list(faults)}}


async def test_429_with_retry_after_is_retried_by_the_sdk(client):
    sdk = await client(**faulty({"kind": "status", "status": 429, "retry_after": 0, "on": [1, 2]}))
    retry = RetryConfig("backoff", BackoffStrategy(10, 50, 1.0, 5000), True)
    got = await sdk.chat.complete_async(model=MODEL, messages=HELLO, retries=retry)
    assert got.choices[0].message.content == "Très bien, merci."
    assert sdk.sandbox_key.report["turns"]["think"] == 3


@pytest.mark.parametrize("status", [401, 403, 422, 429, 500, 503])
async def test_any_status(profile, status):
    key = profile(**faulty({"kind": "status", "status": status, "retry_after": 3}))
    got, headers, body = await post(key, {"model": MODEL, "messages": HELLO})
    assert (got, headers["Retry-After"]) == (status, "3")
    assert b"Injected by the sandbox." in body


@pytest.mark.parametrize("after", [0, 2])
async def test_a_stall_before_or_within_the_stream(client, after):
    sdk = await client(**faulty({"kind": "stall", "after": after}))
    seen = []

    async def read() -> None:
        async with await sdk.chat.stream_async(model=MODEL, messages=HELLO) as events:
            async for event in events:
                seen.append(event)  # noqa: PERF401 - one by one: it will be cut off

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 0.4)
    assert len(seen) == after


@pytest.mark.parametrize("kind", ["reset", "close"])
async def test_a_connection_that_ends_early(profile, kind):
    key = profile(**faulty({"kind": kind, "after": 2}))
    with pytest.raises((ClientPayloadError, ServerDisconnectedError, ConnectionResetError)):
        await post(key, {"model": MODEL, "messages": HELLO, "stream": True})


async def test_an_error_within_the_stream(profile):
    key = profile(**faulty({"kind": "error", "after": 2, "message": "Out of memory."}))
    status, _, body = await post(key, {"model": MODEL, "messages": HELLO, "stream": True})
    assert status == 200
    assert body.count(b"chat.completion.chunk") == 2
    assert b"event: error" in body
    assert b"Out of memory." in body
    assert b"[DONE]" not in body


async def test_a_slow_first_byte(client):
    sdk = await client(**faulty({"kind": "slow", "ms": 300}))
    begun = asyncio.get_running_loop().time()
    await stream(sdk)
    assert asyncio.get_running_loop().time() - begun >= 0.3


async def test_an_empty_answer(client):
    sdk = await client(**faulty({"kind": "empty"}))
    chunks = await stream(sdk)
    assert text_of(chunks) == ""
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_multibyte_text_cut_between_packets(client, profile):
    given = faulty({"kind": "split_bytes"})
    assert text_of(await stream(await client(**given))) == "Très bien, merci."
    key = profile(**given)
    cut = 0
    async with ClientSession() as session:
        body = {"model": MODEL, "messages": HELLO, "stream": True}
        headers = {"Authorization": f"Bearer {key.key}"}
        url = f"{key.url}/v1/chat/completions"
        async with session.post(url, json=body, headers=headers) as answer:
            async for packet in answer.content.iter_any():
                try:
                    packet.decode()
                except UnicodeDecodeError:
                    cut += 1
    assert cut == 2  # the first packet lacks the end of the letter, the second its beginning


async def calls_of(sdk) -> list:
    return [call for chunk in await stream(sdk) for call in chunk.choices[0].delta.tool_calls or []]


async def test_object_arguments(client):
    sdk = await client(**faulty({"kind": "object_arguments"}, think=[CALL]))
    (call,) = await calls_of(sdk)
    assert call.function.arguments == CALL["arguments"]


async def test_split_arguments(client):
    sdk = await client(**faulty({"kind": "split_arguments"}, think=[[CALL, CALL]]))
    calls = await calls_of(sdk)
    assert len(calls) > 4
    for index in (0, 1):
        parts = [c for c in calls if c.index == index]
        assert json.loads("".join(c.function.arguments for c in parts)) == CALL["arguments"]
        assert len({c.id for c in parts}) == 1


async def test_text_before_a_call(client):
    sdk = await client(**faulty({"kind": "text_before_call"}, think=[CALL]))
    chunks = await stream(sdk)
    assert text_of(chunks) == "One moment."
    assert chunks[-1].choices[0].delta.tool_calls


async def test_calls_without_ids(client):
    sdk = await client(**faulty({"kind": "no_call_ids"}, think=[CALL]))
    (call,) = await calls_of(sdk)
    assert call.id == "null"
