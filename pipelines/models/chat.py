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
from vivavoce.pipelines.models.sse import ServerSentEvent

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
        self._drafts: list[_Draft] = []
        # The latest call under each index.
        self._open: dict[int, _Draft] = {}
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
        for draft in self._drafts:
            if draft.name:
                given = draft.id
                fits = len(given) == 9 and given.isalnum() and given.isascii()
                calls.append(
                    ToolCallDelta(given if fits else new_id(), draft.name, draft.arguments)
                )
        return [*calls, Finished(self._reason or "stop", self._usage)]

    def _take(self, position: int, call: dict[str, Any]) -> None:
        index = call.get("index")
        function = call.get("function") or {}
        name = str(function.get("name") or "")
        given = str(call.get("id") or "")
        given = "" if given == "null" else given
        draft = self._draft(index if isinstance(index, int) else position, name, given)
        draft.id = draft.id or given
        draft.name = draft.name or name
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            draft.arguments += arguments
        elif arguments is not None:
            draft.arguments = json.dumps(arguments, ensure_ascii=False)
        if len(draft.arguments) > MAX_ARGUMENTS:
            raise ValueError(f"tool arguments of more than {MAX_ARGUMENTS} characters")

    def _draft(self, index: int, name: str, given: str) -> _Draft:
        """Return the call that a piece belongs to; a new one where it begins one.

        Some servers never count the index up, so a second id or name under it is a second call.
        """
        draft = self._open.get(index)
        if draft is not None and name and draft.name:
            if given and draft.id:
                again = given == draft.id
            else:
                # A name that is repeated with every piece, or the same tool once more.
                again = name == draft.name and not _complete(draft.arguments)
            draft = draft if again else None
        if draft is None:
            draft = self._open[index] = _Draft()
            self._drafts.append(draft)
        return draft


def _complete(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True


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


def _last(event: ServerSentEvent) -> bool:
    return event.data.strip() == "[DONE]"


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
        stream = self._http.events("thinking", self._endpoint, "/v1/chat/completions", body, _last)
        async with aclosing(stream) as events:
            async for event in events:
                if _last(event):
                    complete = True
                    for thought in answer.finish():
                        yield thought
                    continue
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
        if complete:
            return
        if not answer.ended:
            raise ModelError("thinking", "broken", f"{self._endpoint.url} broke off mid-answer")
        for thought in answer.finish():
            yield thought
