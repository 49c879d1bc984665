"""How servers of the chat completions' shape differ: ids, usage, errors, audio, comments.

Mistral's is at ``/v1``; the others have base paths of their own, so that one sandbox is them all.
"""

from __future__ import annotations

import secrets
import string
import uuid
from dataclasses import dataclass
from typing import Any, Literal

from vivavoce.sandbox.wire import Own, Problem, told

_LETTERS = string.ascii_letters + string.digits

Name = Literal["mistral", "vllm", "openai", "openrouter"]


def letters(count: int) -> str:
    """Make a random word of letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


@dataclass(frozen=True)
class Manner:
    """One dialect of chat completions.

    Attributes:
        name: Whose.
        strict_ids: Tool-call ids have nine alphanumerics, its own and those it is sent.
        plain_audio: ``input_audio`` is a string; else an object with ``data`` and ``format``.
        usage_when_asked: Usage comes with ``stream_options.include_usage``, in a chunk of its own
            without choices.
        any_model: It serves any model's name.
    """

    name: Name
    strict_ids: bool = False
    plain_audio: bool = False
    usage_when_asked: bool = True
    any_model: bool = True

    def call_id(self, *, foreign: bool = False) -> str:
        """Make a tool call's id; a ``foreign`` one is of a kind that Mistral would refuse."""
        if self.name == "vllm":
            return f"chatcmpl-tool-{uuid.uuid4().hex}"
        if self.strict_ids and not foreign:
            return letters(9)
        return f"call_{letters(24)}"

    def answer_id(self) -> str:
        """Make an answer's id."""
        head = {"vllm": "chatcmpl-", "openai": "chatcmpl-", "openrouter": "gen-"}
        return head.get(self.name, "") + uuid.uuid4().hex

    def refusal(self, problem: Problem) -> Problem:
        """Put an error into this dialect's shape; one that has a shape of its own keeps it."""
        if self.name == "mistral" or isinstance(problem, Own):
            return problem
        return Own(
            problem.status, {"error": self._error(problem.status, problem.body)}, problem.headers
        )

    def broken(self, status: int, body: dict[str, Any], head: dict[str, Any]) -> dict[str, Any]:
        """Make the chunk that tells an error in the middle of a stream."""
        error = self._error(status, body)
        if self.name == "openrouter":
            choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            return {**chunk, "error": error}
        return {"error": error}

    def _error(self, status: int, body: dict[str, Any]) -> dict[str, Any]:
        message = told(body)
        if self.name == "openrouter":
            return {"code": status, "message": message, "metadata": {}}
        kind = "BadRequestError" if self.name == "vllm" else "invalid_request_error"
        code = status if self.name == "vllm" else None
        return {"message": message, "type": kind, "param": None, "code": code}


MANNERS: dict[str, Manner] = {
    "/v1": Manner(
        "mistral", strict_ids=True, plain_audio=True, usage_when_asked=False, any_model=False
    ),
    "/vllm/v1": Manner("vllm"),
    "/openai/v1": Manner("openai"),
    "/api/v1": Manner("openrouter"),
}
"""By base path."""
