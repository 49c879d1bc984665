"""``/v1/chat/completions``: chat over the rules in ``vivavoce.sandbox.brain``.

In Mistral's dialect, and in those of ``vivavoce.sandbox.manners`` at their base paths.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from vivavoce.sandbox import brain
from vivavoce.sandbox.catalog import accepts
from vivavoce.sandbox.fault import Fault
from vivavoce.sandbox.manners import MANNERS, Manner
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.voice_in import VoiceIn
from vivavoce.sandbox.wire import (
    Ended,
    EventStream,
    Problem,
    Strikes,
    dumps,
    invalid,
    pause_until,
    problem,
    read_json,
)

_THINKING_S = 10.0  # the rules take milliseconds
_MOST_TOOLS = 128
_ID = re.compile(r"[a-zA-Z0-9]{9}")
_CHOICES = ("auto", "none", "any", "required")
_WORD = re.compile(r"\s*\S+\s*$|\s*\S+")

# What may follow what, as mistral-common's validators have it.
_AFTER = {
    "system": {"user", "assistant", "system"},
    "user": {"assistant", "system", "user"},
    "assistant": {"assistant", "user", "tool"},
    "tool": {"assistant", "tool", "user"},
}


@dataclass(frozen=True)
class _Call:
    """One tool call of an answer, with the id it got."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class _Answer:
    text: str
    calls: tuple[_Call, ...]

    @property
    def finish_reason(self) -> str:
        return "tool_calls" if self.calls else "stop"


def _disorder(message: str) -> Problem:
    return problem(400, message, kind="invalid_request_message_order", code="3230")


def _text_of(content: Any, *where: str | int) -> str:
    """Join a message's content, a string or a list of chunks."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid(
            "Input should be a valid string or list of chunks", *where, kind="string_type"
        )
    texts = []
    for position, chunk in enumerate(content):
        kind = chunk.get("type") if isinstance(chunk, dict) else None
        if kind == "text" and isinstance(chunk.get("text"), str):
            texts.append(chunk["text"])
        elif kind == "image_url":
            raise problem(400, "The rules read text and hear audio; they see no images.")
        else:
            raise invalid("Input should be a known content chunk", *where, position)
    return "".join(texts)


def check_messages(given: Any, *, strict_ids: bool = True) -> list[dict[str, Any]]:
    """Check a chat history as Mistral does; give it with every content as text.

    Args:
        given: The messages, audio in them written down already.
        strict_ids: Whether tool calls' ids must have nine alphanumerics.

    Raises:
        Problem: 422 for its form, 400 for the order of its messages and its tool-call ids.
    """
    if not isinstance(given, list):
        raise invalid("Input should be a valid list", "messages", kind="list_type")
    if not given:
        raise problem(400, "Expected at least one message", kind="invalid_request_message_order")
    messages: list[dict[str, Any]] = []
    open_calls: list[str] = []
    before: str | None = None
    for position, message in enumerate(given):
        here = ("messages", position)
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _AFTER:
            raise invalid(
                f"Input tag {role!r} does not match any of the expected tags: 'assistant', "
                "'system', 'tool', 'user'",
                *here,
                kind="union_tag_invalid",
            )
        if before is None and role not in {"system", "user"}:
            raise _disorder(f"Expected first role to be system or user but got {role}")
        if before is not None and role not in _AFTER[before]:
            raise _disorder(f"Unexpected role '{role}' after role '{before}'")
        checked = {**message, "content": _text_of(message.get("content"), *here, "content")}
        if role == "tool":
            _answered(message, open_calls)
        elif open_calls:
            raise _disorder("Not the same number of function calls and responses")
        if role == "assistant":
            calls = message.get("tool_calls") or []
            open_calls = [_call_id(call, *here, strict=strict_ids) for call in calls]
            if not checked["content"] and not open_calls and not message.get("prefix"):
                raise problem(400, "Assistant message must have either content or tool_calls.")
        messages.append(checked)
        before = role
    if open_calls:
        raise _disorder("Not the same number of function calls and responses")
    prefixed = before == "assistant" and bool(given[-1].get("prefix"))
    if before not in {"user", "tool"} and not prefixed:
        raise _disorder(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got "
            f"{before}"
        )
    return messages


def _call_id(call: Any, *where: str | int, strict: bool) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise invalid("Field required", *where, "tool_calls", "function", kind="missing")
    name = str(call.get("id"))
    if strict and not _ID.fullmatch(name):
        raise problem(
            400,
            f"Tool call id was {name} but must be a-z, A-Z, 0-9, with a length of 9.",
            kind="invalid_function_call",
            code="3280",
        )
    return name


def _answered(message: dict[str, Any], open_calls: list[str]) -> None:
    name = message.get("tool_call_id")
    if name is None and open_calls:  # older clients send results in order, without ids
        name = open_calls[0]
    if name not in open_calls:
        raise problem(
            400,
            f"Unexpected tool call id {name} in tool results",
            kind="invalid_request_message_order",
            code="3230",
        )
    open_calls.remove(str(name))


def check_tools(given: Any) -> list[dict[str, Any]]:
    """Check the request's tools.

    Raises:
        Problem: 422 or 400.
    """
    if given is None:
        return []
    if not isinstance(given, list):
        raise invalid("Input should be a valid list", "tools", kind="list_type")
    if len(given) > _MOST_TOOLS:
        raise problem(400, f"Too many tools: {len(given)}, at most {_MOST_TOOLS}", param="tools")
    for position, tool in enumerate(given):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise invalid("Field required", "tools", position, "function", "name", kind="missing")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", function["name"]):
            raise problem(
                400,
                f"Function name was {function['name']} but must be a-z, A-Z, 0-9, or contain "
                "underscores and dashes, with a maximum length of 64.",
                kind="invalid_function_call",
                code="3280",
            )
        if not isinstance(function.get("parameters", {}), dict):
            raise invalid("Input should be an object", "tools", position, "function", "parameters")
    return given


def check_choice(given: Any, tools: list[dict[str, Any]]) -> str | dict[str, Any]:
    """Check ``tool_choice``: one of four words, or a named function of the request's.

    Raises:
        Problem: 422 or 400.
    """
    if given is None:
        return "auto"
    if isinstance(given, str):
        if given not in _CHOICES:
            raise invalid(
                f"Input should be {', '.join(_CHOICES)} or a function", "tool_choice", kind="enum"
            )
        return given
    name = given.get("function", {}).get("name") if isinstance(given, dict) else None
    if name not in {tool["function"]["name"] for tool in tools}:
        raise problem(
            400, f"tool_choice names no tool of this request: {name}", param="tool_choice"
        )
    assert isinstance(given, dict)
    return given


def _tokens(text: str) -> int:
    """Estimate, as no tokenizer is at hand: about four characters each."""
    return (len(text) + 3) // 4


async def _think(
    profile: Profile,
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]],
    choice: str | dict[str, Any],
    make_id: Callable[[], str],
) -> _Answer:
    scripted = profile.next_thought(str(messages[-1]["content"]))
    if scripted is not None:
        text, calls = scripted
        return _Answer(text, tuple(_Call(make_id(), name, given) for name, given in calls))
    now = datetime.now().astimezone()
    async with asyncio.timeout(_THINKING_S):
        reply = await asyncio.to_thread(brain.reply, messages, tools, tool_choice=choice, now=now)
    made = tuple(_Call(make_id(), call.name, call.arguments) for call in reply.tool_calls)
    return _Answer(reply.content, made)


async def complete(request: web.Request, profile: Profile, voice_in: VoiceIn) -> web.StreamResponse:
    """Answer ``POST …/chat/completions``.

    Raises:
        Problem: For a request that the dialect's server would refuse, and for faults.
    """
    manner = MANNERS[request.path.removesuffix("/chat/completions")]
    try:
        return await _complete(request, profile, voice_in, manner)
    except Problem as refused:
        raise manner.refusal(refused) from None


async def _complete(
    request: web.Request, profile: Profile, voice_in: VoiceIn, manner: Manner
) -> web.StreamResponse:
    begun = asyncio.get_running_loop().time()
    body = await read_json(request)
    profile.request("chat/completions", body)
    model = body.get("model")
    if not isinstance(model, str):
        raise invalid("Field required", "model", kind="missing")
    if not manner.any_model and not accepts("chat", model):
        raise problem(400, f"Invalid model: {model}", kind="invalid_model", code="1500")
    if "messages" not in body:
        raise invalid("Field required", "messages", kind="missing")
    written, heard = await voice_in.written(body["messages"], model, manner, profile)
    messages = check_messages(written, strict_ids=manner.strict_ids)
    tools = check_tools(body.get("tools"))
    choice = check_choice(body.get("tool_choice"), tools)
    strikes = Strikes(request, profile, "think")
    await strikes.door()
    foreign = strikes.find("foreign_ids") is not None
    answer = await _think(profile, messages, tools, choice, lambda: manner.call_id(foreign=foreign))
    if strikes.find("empty"):
        answer = _Answer("", ())
    if answer.calls and not answer.text and strikes.find("text_before_call"):
        answer = _Answer("One moment.", answer.calls)
    prompt = _tokens(json.dumps(messages)) + _tokens(json.dumps(tools))
    spent = _tokens(answer.text) + sum(_tokens(dumps(c.arguments)) + 8 for c in answer.calls)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": spent,
        "total_tokens": prompt + spent,
    }
    if heard:
        usage["prompt_audio_seconds"] = math.ceil(heard)
    if strikes.find("usage_names"):
        usage = {
            "input_tokens": prompt,
            "output_tokens": spent,
            "total_tokens": prompt + spent,
        }
    head = {"id": manner.answer_id(), "created": int(time.time()), "model": model}
    first = begun + profile.latency.think_first_token_ms / 1000
    if not body.get("stream"):
        pace = profile.latency.think_tokens_per_s
        words = len(answer.text.split())
        await pause_until(first + (words / pace if pace else 0))
        return web.json_response(_whole(head, answer, usage, strikes), dumps=dumps)
    stream = EventStream(request)
    if manner.name != "mistral":
        stream.error = lambda status, error: manner.broken(status, error, head)
    options = body.get("stream_options")
    asked = isinstance(options, dict) and bool(options.get("include_usage"))
    apart = manner.usage_when_asked or strikes.find("usage_last") is not None
    told = _Told(
        apart=usage if apart and (asked or not manner.usage_when_asked) else None,
        within=None if apart else usage,
        comments=manner.name == "openrouter",
    )
    return await _stream(stream, profile, strikes, head, answer, told, first)


@dataclass(frozen=True)
class _Told:
    """What a stream tells beside the answer.

    Attributes:
        apart: Usage in a chunk of its own, without choices.
        within: Usage in the last chunk of the answer.
        comments: Whether comments keep the connection alive.
    """

    apart: dict[str, int] | None
    within: dict[str, int] | None
    comments: bool


def _arguments(call: _Call, strikes: Strikes) -> str | dict[str, Any]:
    return call.arguments if strikes.find("object_arguments") else dumps(call.arguments)


def _tool_call(call: _Call, index: int, arguments: Any, fault: Fault | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
        "index": index,
    }
    if fault is not None:
        del made["id"]
    return made


def _whole(
    head: dict[str, Any], answer: _Answer, usage: dict[str, int], strikes: Strikes
) -> dict[str, Any]:
    calls = [
        _tool_call(call, index, _arguments(call, strikes), strikes.find("no_call_ids"))
        for index, call in enumerate(answer.calls)
    ]
    message = {"role": "assistant", "content": answer.text, "tool_calls": calls or None}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage}


def _deltas(answer: _Answer, strikes: Strikes) -> Iterator[dict[str, Any]]:
    """Give what each chunk carries: a word, or a tool call (whole, unless a fault splits it)."""
    for match in _WORD.finditer(answer.text):
        yield {"content": match.group()}
    nameless = strikes.find("no_call_ids")
    still = strikes.find("same_index") is not None
    for position, call in enumerate(answer.calls):
        index = 0 if still else position
        arguments = _arguments(call, strikes)
        if not strikes.find("split_arguments") or isinstance(arguments, dict):
            yield {"tool_calls": [_tool_call(call, index, arguments, nameless)]}
            continue
        third = max(1, len(arguments) // 3)
        parts = [arguments[i : i + third] for i in range(0, len(arguments), third)]
        for part in parts:
            yield {"tool_calls": [_tool_call(call, index, part, nameless)]}


def _content(delta: dict[str, Any], strikes: Strikes) -> dict[str, Any]:
    """Put a text into a list of chunks, where a fault asks for that."""
    if "content" in delta and strikes.find("content_chunks"):
        return {**delta, "content": [{"type": "text", "text": delta["content"]}]}
    return delta


async def _stream(
    stream: EventStream,
    profile: Profile,
    strikes: Strikes,
    head: dict[str, Any],
    answer: _Answer,
    told: _Told,
    first: float,
) -> web.StreamResponse:
    cut = strikes.find("split_bytes") is not None

    async def send(delta: dict[str, Any], reason: str | None = None, **more: Any) -> None:
        delta = _content(delta, strikes)
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = {**head, "object": "chat.completion.chunk", "choices": [choice], **more}
        await stream.send(chunk, cut=cut)
        await strikes.chunk(stream)

    pace = profile.latency.think_tokens_per_s
    within = {} if told.within is None else {"usage": told.within}
    try:
        await stream.open()
        if told.comments:
            await stream.comment("OPENROUTER PROCESSING")
        await send({"role": "assistant", "content": ""})
        deltas = list(_deltas(answer, strikes))
        # The last tool call carries the finish reason and the usage, as Mistral's does.
        for n, delta in enumerate(deltas[:-1] if answer.calls else deltas):
            await pause_until(first + (n / pace if pace else 0) + profile.late())
            await send(delta)
        await pause_until(first + (max(len(deltas) - 1, 0) / pace if pace else 0))
        last = deltas[-1] if answer.calls else {"content": ""}
        failed = strikes.find("finish_error") is not None
        await send(last, "error" if failed else answer.finish_reason, **within)
        if told.apart is not None:
            chunk = {**head, "object": "chat.completion.chunk", "choices": []}
            await stream.send({**chunk, "usage": told.apart})
        if not strikes.find("no_done"):
            await stream.send("[DONE]")
        await stream.close()
    except Ended:
        pass
    return stream.response
