"""Thinking: streamed chat completions with tools, in Mistral's dialect.

Protocol page §4. Lenient in what it takes, since servers of the same shape differ: tool calls
come whole or in pieces, with arguments as text or as an object, with or without an id or index;
content comes as text or as a list of chunks.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http, explain
from vivavoce.pipelines.models.interfaces import (
    Finished,
    TextDelta,
    Thought,
    ToolCallDelta,
    Usage,
)

MAX_ARGUMENTS = 1_000_000
"""Characters of a tool call's arguments that are taken; more is a broken answer."""


def new_id() -> str:
    """Return an id that every Mistral tokenizer accepts: nine alphanumerics."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=9))


@dataclass(slots=True)
class _Draft:
    id: str = ""
    name: str = ""
    arguments: str = ""


class Answer:
    """Puts a streamed answer together; pure."""

    def __init__(self) -> None:
        self._drafts: dict[int, _Draft] = {}
        self._usage = Usage()
        self._reason = ""

    def feed(self, chunk: dict[str, Any]) -> list[TextDelta]:
        """Take one chunk and return the text in it.

        Raises:
            ValueError: If the chunk reports an error, or is none.
        """
        if chunk.get("error") or chunk.get("object") == "error":
            raise ValueError(explain(json.dumps(chunk)))
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._usage = Usage(
                int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
            )
        texts: list[TextDelta] = []
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            text = _text(delta.get("content"))
            if text:
                texts.append(TextDelta(text))
            for position, call in enumerate(delta.get("tool_calls") or []):
                self._take(position, call)
            self._reason = choice.get("finish_reason") or self._reason
        return texts

    @property
    def ended(self) -> bool:
        """Whether the model said that it has finished."""
        return bool(self._reason)

    def finish(self) -> list[Thought]:
        """Return the tool calls and the end, once the stream is over."""
        calls: list[Thought] = []
        for draft in self._drafts.values():
            if draft.name:
                given = draft.id if draft.id != "null" else ""
                fits = len(given) == 9 and given.isalnum() and given.isascii()
                calls.append(
                    ToolCallDelta(given if fits else new_id(), draft.name, draft.arguments)
                )
        return [*calls, Finished(self._reason or "stop", self._usage)]

    def _take(self, position: int, call: dict[str, Any]) -> None:
        index = call.get("index")
        function = call.get("function") or {}
        name = function.get("name") or ""
        if not isinstance(index, int):
            index = position
        draft = self._drafts.setdefault(index, _Draft())
        given = str(call.get("id") or "")
        if name and draft.name and given and draft.id not in {"", given}:
            # A second call under the index of the first (servers that never count up).
            draft = self._drafts.setdefault(max(self._drafts) + 1, _Draft())
        draft.id = draft.id or given
        draft.name = draft.name or str(name)
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            draft.arguments += arguments
        elif arguments is not None:
            draft.arguments = json.dumps(arguments)
        if len(draft.arguments) > MAX_ARGUMENTS:
            raise ValueError(f"tool arguments of more than {MAX_ARGUMENTS} characters")


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            str(part.get("text") or "")
            for part in content
            if isinstance(part, dict) and part.get("type", "text") == "text"
        )
    return ""


class ChatModel:
    """A model behind `POST /v1/chat/completions`."""

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer a history; see `Thinking.stream`."""
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "messages": list(messages),
            "stream": True,
        }
        if tools:
            body["tools"] = list(tools)
            body["tool_choice"] = "auto"
        answer = Answer()
        complete = False
        stream = self._http.events("thinking", self._endpoint, "/v1/chat/completions", body)
        async with aclosing(stream) as events:
            async for event in events:
                if event.data.strip() == "[DONE]":
                    complete = True
                    break
                try:
                    chunk = json.loads(event.data)
                    if not isinstance(chunk, dict):
                        raise ValueError("a chunk that is no object")  # noqa: TRY004, TRY301
                    texts = answer.feed(chunk)
                except (ValueError, TypeError, AttributeError, KeyError) as error:
                    raise ModelError(
                        "thinking", "broken", f"{self._endpoint.url} sent an error: {error}"
                    ) from error
                for text in texts:
                    yield text
        if not (complete or answer.ended):
            raise ModelError("thinking", "broken", f"{self._endpoint.url} broke off mid-answer")
        for thought in answer.finish():
            yield thought
