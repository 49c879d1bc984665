from __future__ import annotations

import asyncio
import gc
import json
import socket
from contextlib import aclosing

import psutil
import pytest

from vivavoce.pipelines.models.chat import ChatModel
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, ToolCallDelta

pytestmark = pytest.mark.usefixtures("no_task_is_left")

HISTORY = [{"role": "user", "content": "Is there a table?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "free",
        "description": "Find the free tables.",
        "parameters": {"type": "object", "properties": {"people": {"type": "integer"}}},
    },
}
CALL = {"name": "free", "arguments": {"people": 4, "name": "Zoë"}}


@pytest.fixture
async def http(quick):
    made = Http(quick)
    yield made
    await made.close()
    await made.close()


@pytest.fixture
def ask(http, endpoint):
    """Have a model under a profile answer; return its text, its calls and its end."""

    async def answer(where=None, tools=(TOOL,), **given):
        model = ChatModel(http, where or endpoint("think", **given))
        async with aclosing(model.stream(HISTORY, tools)) as thoughts:
            found = [thought async for thought in thoughts]
        text = "".join(each.text for each in found if isinstance(each, TextDelta))
        calls = [each for each in found if isinstance(each, ToolCallDelta)]
        assert isinstance(found[-1], Finished)
        return text, [(call.name, call.arguments) for call in calls], found[-1]

    return answer


async def failure(answer) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await answer
    assert "\n" not in str(caught.value)
    assert caught.value.stage == "thinking"
    return caught.value


async def test_an_answer_streams(ask):
    text, calls, end = await ask(script={"think": ["Yes, two are free."]})
    assert (text, calls, end.reason) == ("Yes, two are free.", [], "stop")


async def test_it_comes_word_by_word(http, endpoint):
    where = endpoint("think", script={"think": ["one two three four"]})
    async with aclosing(ChatModel(http, where).stream(HISTORY, ())) as thoughts:
        texts = [each.text async for each in thoughts if isinstance(each, TextDelta)]
    assert len(texts) >= 4


@pytest.mark.parametrize(
    "kind", [None, "object_arguments", "split_arguments", "text_before_call", "no_call_ids"]
)
async def test_tool_calls_in_every_shape(ask, kind):
    faults = {"think": [{"kind": kind}]} if kind else {}
    text, calls, end = await ask(script={"think": [CALL]}, faults=faults)
    assert [name for name, _ in calls] == ["free"]
    assert json.loads(calls[0][1]) == CALL["arguments"]
    assert bool(text) == (kind == "text_before_call")
    assert end.reason == "tool_calls"


async def test_parallel_calls(ask):
    _, calls, _ = await ask(script={"think": [[CALL, CALL]]})
    assert [name for name, _ in calls] == ["free", "free"]


async def test_characters_cut_between_packets(ask):
    text, _, _ = await ask(
        script={"think": ["Crème brûlée 🍮, s'il vous plaît."]},
        faults={"think": [{"kind": "split_bytes"}]},
    )
    assert text == "Crème brûlée 🍮, s'il vous plaît."


async def test_what_is_sent_is_what_the_protocol_says(ask, endpoint):
    where = endpoint("think", script={"think": ["Yes.", "No."]})
    await ask(where)
    await ask(where, tools=())
    with_tools, without = [each["body"] for each in endpoint.keys[where].report["bodies"]]
    assert with_tools["stream"] is True
    assert with_tools["model"] == where.model
    assert with_tools["messages"] == HISTORY
    assert with_tools["tools"] == [TOOL]
    assert with_tools["tool_choice"] == "auto"
    assert not {"tools", "tool_choice"} & set(without)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"kind": "status", "status": 401}, "auth", "check the API key"),
        ({"kind": "status", "status": 402}, "auth", "402"),
        ({"kind": "status", "status": 403}, "refused", "403"),
        ({"kind": "status", "status": 404}, "refused", "404"),
        ({"kind": "status", "status": 422}, "refused", "422"),
        ({"kind": "status", "status": 429}, "busy", "rate limit"),
        ({"kind": "status", "status": 500}, "broken", "500"),
        ({"kind": "status", "status": 503}, "broken", "503"),
        ({"kind": "status", "status": 504}, "timeout", "504"),
        ({"kind": "slow", "ms": 3000}, "timeout", "gave no answer within 0.5 s"),
        ({"kind": "stall"}, "timeout", "gave no answer within 0.5 s"),
        ({"kind": "stall", "after": 2}, "timeout", "stopped answering within 0.4 s"),
        # A byte now and then is no answer.
        (
            {"kind": "trickle", "ms": 20, "after": 1},
            "timeout",
            "stopped answering within 0.4 s",
        ),
        ({"kind": "reset"}, "broken", "broke off"),
        ({"kind": "reset", "after": 2}, "broken", "broke off"),
        ({"kind": "close", "after": 2}, "broken", "broke off"),
        ({"kind": "error", "after": 2, "message": "out of memory"}, "broken", "out of memory"),
    ],
    ids=lambda part: "-".join(map(str, part.values())) if isinstance(part, dict) else "",
)
async def test_what_goes_wrong_is_told_in_one_line(ask, fault, kind, words):
    error = await failure(ask(script={"think": ["one two three four"]}, faults={"think": [fault]}))
    assert error.kind == kind
    assert words in str(error)
    assert error.lasting == (kind in {"auth", "refused"})


async def test_a_busy_server_says_when_to_come_back(ask):
    fault = {"kind": "status", "status": 429, "retry_after": 7}
    assert (await failure(ask(faults={"think": [fault]}))).retry_after == 7


async def test_a_wrong_key_is_told_without_it(ask, endpoint):
    where = endpoint("think")
    error = await failure(ask(Endpoint(where.url, "sk-very-wrong", where.model)))
    assert error.kind == "auth"
    assert "sk-very-wrong" not in str(error)
    assert "sk-very-wrong" not in repr(Endpoint(where.url, "sk-very-wrong", where.model))


async def test_a_server_that_is_not_there(ask):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = await failure(ask(Endpoint(url, "k", "m")))
    assert error.kind == "unreachable"
    assert url in str(error)


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1", "http://"])
async def test_an_url_that_is_none(ask, url):
    assert (await failure(ask(Endpoint(url, "k", "m")))).kind == "refused"


@pytest.fixture
async def raw():
    """A server that answers every request with these bytes, and keeps what it was sent."""
    servers = []

    async def serve(answer: bytes):
        async def handle(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        return Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "k", "m")

    yield serve
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    "body",
    [
        b"data: not JSON\n\n",
        b"data: [1, 2]\n\n",
        b'data: {"choices": [5]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [7]}}]}\n\n',
        b'data: {"choices": 5}\n\n',
        b"<html>Bad gateway</html>",
        b"",
    ],
)
async def test_what_is_no_answer_is_told(ask, raw, body):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    assert (await failure(ask(await raw(head + body)))).kind == "broken"


async def test_what_is_no_http_is_told(ask, raw):
    assert (await failure(ask(await raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")))).kind == "broken"


async def test_closing_early_ends_the_request_and_leaks_nothing(http, endpoint):
    where = endpoint(
        "think", script={"think": ["word " * 200] * 40}, latency={"think_tokens_per_s": 50}
    )
    model, process = ChatModel(http, where), psutil.Process()

    async def begin():
        async with aclosing(model.stream(HISTORY, ())) as thoughts:
            await anext(thoughts)

    await begin()
    gc.collect()
    files, tasks = process.num_fds(), len(asyncio.all_tasks())
    await asyncio.gather(*(begin() for _ in range(30)))
    await asyncio.sleep(0.05)
    assert process.num_fds() <= files + 1
    assert len(asyncio.all_tasks()) == tasks


async def test_cancelling_the_answer_is_not_swallowed(http, endpoint):
    where = endpoint("think", faults={"think": [{"kind": "stall"}]})

    async def run():
        async with aclosing(ChatModel(http, where).stream(HISTORY, ())) as thoughts:
            async for _ in thoughts:
                pass

    task = asyncio.create_task(run())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_connections_stay_warm(http, endpoint):
    where = endpoint("think", script={"think": ["Yes."] * 5})
    model = ChatModel(http, where)
    for _ in range(5):
        async with aclosing(model.stream(HISTORY, ())) as thoughts:
            assert [each async for each in thoughts]
    port = int(where.url.rsplit(":", 1)[1])
    mine = [
        connection
        for connection in psutil.Process().net_connections()
        if connection.raddr and connection.raddr.port == port
    ]
    assert len([each for each in mine if each.status == "ESTABLISHED"]) == 1
