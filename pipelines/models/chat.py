"""Thinking: streamed chat completions with tools: Mistral, vLLM, OpenRouter, OpenAI's and its like.

Protocol page §4 and §6. Lenient in what it takes, since servers of the same shape differ: tool
calls come whole or in pieces, with arguments as text or as an object, with or without an id or
index; content comes as text or as a list of chunks; usage under either pair of names. Strict in
what it sends: `Manner` says what each dialect wants.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from vivavoce.pipelines.models.errors import Kind, ModelError, kind_of_status
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
MAX_CALLS = 128
"""Tool calls of one answer that are taken; more is a broken answer."""
MAX_BLANK = 20_000
"""Chunks without a word or a tool call that may come in a row: a model that thinks aloud first
writes some thousand. More is an answer that never begins."""

MOST_IDS = 4096
"""Ids of tool calls that are kept as their server knows them: a long call's, many times over."""
_NO_SYSTEM = re.compile(r"Voxtral-(Small-24B|Mini-3B)-2507", re.IGNORECASE)


def new_id() -> str:
    """Return an id that every Mistral tokenizer accepts: nine alphanumerics."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=9))


def is_id(given: str) -> bool:
    """Whether every Mistral tokenizer accepts an id."""
    return len(given) == 9 and given.isalnum() and given.isascii()


@dataclass(frozen=True, slots=True)
class Manner:
    """What a dialect wants in a request.

    Attributes:
        own_ids: Tool calls go back under the ids that the server gave them.
        asks_usage: Usage comes only where it is asked for.
        names_results: A tool's result carries the tool's name.
        plain_audio: Audio is a plain base64 string; else an object with its format.
    """

    own_ids: bool = True
    asks_usage: bool = True
    names_results: bool = False
    plain_audio: bool = False


MANNERS: dict[str, Manner] = {
    "mistral": Manner(own_ids=False, asks_usage=False, names_results=True, plain_audio=True),
    "vllm": Manner(names_results=True),
}
"""By dialect; all others are OpenAI's."""


class Ids:
    """The ids of tool calls: nine alphanumerics here, whatever they are at a server."""

    def __init__(self) -> None:
        self._theirs: OrderedDict[str, str] = OrderedDict()

    def ours(self, given: str) -> str:
        """Return the id of a call under the one that the server gave; a new one if it is empty."""
        if is_id(given):
            return given
        made = new_id()
        if given:
            self._theirs[made] = given
            if len(self._theirs) > MOST_IDS:
                self._theirs.popitem(last=False)
        return made

    def theirs(self, ours: str) -> str:
        """Return what the server calls it; ours, where it comes from another one."""
        return self._theirs.get(ours, ours)


def request(
    messages: Sequence[dict[str, Any]], manner: Manner, ids: Ids, model: str
) -> list[dict[str, Any]]:
    """Return a history as a server of this manner takes it. Pure.

    Args:
        messages: In Mistral's shape; audio as an object (`vivavoce.pipelines.models.voice`).
        manner: What the dialect wants.
        ids: The ids of tool calls at this server.
        model: Whose; Voxtral's first open weights take no system message beside audio.
    """
    sent = [_message(message, manner, ids) for message in messages]
    first = next(iter(sent), None)
    if first is None or first["role"] != "system" or not _NO_SYSTEM.search(model):
        return sent
    user = next((each for each in sent if each["role"] == "user"), None)
    if user is None or not any(isinstance(each.get("content"), list) for each in sent):
        return sent
    content = user["content"]
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    user["content"] = [{"type": "text", "text": first["content"]}, *parts]
    return sent[1:]


def _message(message: dict[str, Any], manner: Manner, ids: Ids) -> dict[str, Any]:
    made = dict(message)
    content = made.get("content")
    if isinstance(content, list) and manner.plain_audio:
        made["content"] = [
            {**part, "input_audio": part["input_audio"]["data"]}
            if part.get("type") == "input_audio"
            else part
            for part in content
        ]
    if made["role"] == "tool" and not manner.names_results:
        made.pop("name", None)
    if manner.own_ids:
        if "tool_call_id" in made:
            made["tool_call_id"] = ids.theirs(made["tool_call_id"])
        if "tool_calls" in made:
            made["tool_calls"] = [
                {**call, "id": ids.theirs(call["id"])} for call in made["tool_calls"]
            ]
    return made


class AnswerError(ValueError):
    """A chunk reports an error.

    Attributes:
        kind: What class of failure.
    """

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(slots=True)
class _Draft:
    id: str = ""
    name: str = ""
    arguments: str = ""


class Answer:
    """Puts a streamed answer together; pure."""

    def __init__(self, ids: Ids | None = None) -> None:
        """Begin an answer; `ids` knows tool calls by the server's ids, too."""
        self._ids = ids or Ids()
        self._drafts: list[_Draft] = []
        # The latest call under each index.
        self._open: dict[int, _Draft] = {}
        self._usage = Usage()
        self._reason = ""
        self._blank = 0

    def feed(self, chunk: dict[str, Any]) -> list[TextDelta]:
        """Take one chunk and return the text in it.

        Raises:
            AnswerError: If the chunk reports an error.
            ValueError: If it is no chunk.
        """
        try:
            return self._feed(chunk)
        except (AttributeError, TypeError) as error:  # a list where an object belongs
            raise ValueError(f"it is no piece of an answer: {error}") from error

    def _feed(self, chunk: dict[str, Any]) -> list[TextDelta]:
        if chunk.get("error") or chunk.get("object") == "error":
            raise AnswerError(_kind(chunk), explain(json.dumps(chunk)))
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self._usage = Usage(
                int(usage.get("prompt_tokens") or usage.get("input_tokens") or 0),
                int(usage.get("completion_tokens") or usage.get("output_tokens") or 0),
            )
        texts: list[TextDelta] = []
        called = False
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            text = _text(delta.get("content"))
            if text:
                texts.append(TextDelta(text))
            for position, call in enumerate(delta.get("tool_calls") or []):
                called = True
                self._take(position, call)
            self._reason = choice.get("finish_reason") or self._reason
            if self._reason == "error":
                raise AnswerError("broken", "the model failed in the middle of its answer")
        self._blank = 0 if texts or called else self._blank + 1
        if self._blank > MAX_BLANK:
            raise ValueError(f"{MAX_BLANK} pieces in a row that say nothing")
        return texts

    @property
    def ended(self) -> bool:
        """Whether the model said that it has finished."""
        return bool(self._reason)

    def finish(self) -> list[Thought]:
        """Return the tool calls and the end, once the stream is over."""
        calls: list[Thought] = []
        taken: set[str] = set()
        for draft in self._drafts:
            if draft.name:
                name = self._ids.ours(draft.id)
                if name in taken:
                    name = new_id()  # servers have been seen to give every call the same one
                taken.add(name)
                calls.append(ToolCallDelta(name, draft.name, draft.arguments))
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
            if len(self._drafts) > MAX_CALLS:
                raise ValueError(f"more than {MAX_CALLS} tool calls in one answer")
        return draft


def _kind(chunk: dict[str, Any]) -> Kind:
    """Return what class of failure a chunk reports: OpenRouter and vLLM send an HTTP status."""
    error = chunk.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    return kind_of_status(code) if isinstance(code, int) and 400 <= code <= 599 else "broken"


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
    """A model behind `POST /v1/chat/completions`, in the dialect of its endpoint."""

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._http = http
        self._endpoint = endpoint
        self._manner = MANNERS.get(endpoint.dialect, Manner())
        self._ids = Ids()

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer a history; see `Thinking.stream`."""
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "messages": request(messages, self._manner, self._ids, self._endpoint.model),
            "stream": True,
        }
        if self._manner.asks_usage:
            body["stream_options"] = {"include_usage": True}
        if tools:
            body["tools"] = list(tools)
            body["tool_choice"] = "auto"
        answer = Answer(self._ids)
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
                    kind: Kind = error.kind if isinstance(error, AnswerError) else "broken"
                    raise ModelError(
                        "thinking", kind, f"{self._endpoint.url} sent an error: {error}"
                    ) from error
                for text in texts:
                    yield text
        if complete:
            return
        if not answer.ended:
            raise ModelError("thinking", "broken", f"{self._endpoint.url} broke off mid-answer")
        for thought in answer.finish():
            yield thought
