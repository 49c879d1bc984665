"""Thinking: streamed chat with tools at every provider, and what breaks it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from conformance.frame import Cell, Lab, Outcome, prove, same_words
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, ToolCallDelta

CAPABILITY = "thinking"
PROVIDERS = ("mistral", "vllm", "openrouter", "openai")
ASKED = [{"role": "user", "content": "Is a table free tonight?"}]
ANSWER = "Yes, two tables are free tonight, and one of them is by the window."
TOOL = {
    "type": "function",
    "function": {
        "name": "free_tables",
        "description": "Find the free tables.",
        "parameters": {"type": "object", "properties": {"people": {"type": "integer"}}},
    },
}
CALLS = [
    {"name": "free_tables", "arguments": {"people": 4, "name": "Zoë"}},
    {"name": "free_tables", "arguments": {"people": 2}},
]

# What changes an answer's shape and not what it says.
SHAPES = {
    "characters split over packets": "split_bytes",
    "text as a list of chunks": "content_chunks",
    "usage in a chunk of its own": "usage_last",
    "usage under other names": "usage_names",
    "no [DONE]": "no_done",
}
CALL_SHAPES = {
    "a call in one chunk": None,
    "split arguments": "split_arguments",
    "object arguments": "object_arguments",
    "text before a call": "text_before_call",
    "calls without ids": "no_call_ids",
    "ids of another kind": "foreign_ids",
    "parallel calls under one index": "same_index",
}
# What ends an answer before it begins, or in the middle.
FAILURES: dict[str, dict[str, Any]] = {
    "401": {"kind": "status", "status": 401},
    "403 (moderation)": {"kind": "status", "status": 403},
    "422": {"kind": "status", "status": 422},
    "429, Retry-After": {"kind": "status", "status": 429, "retry_after": 30},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "slow first byte": {"kind": "slow", "ms": 5000},
    "stall": {"kind": "stall"},
    "reset": {"kind": "reset"},
    "an answer of nothing": {"kind": "empty"},
    "stall mid-answer": {"kind": "stall", "after": 6},
    "reset mid-answer": {"kind": "reset", "after": 6},
    "closed mid-answer": {"kind": "close", "after": 6},
    "error mid-answer": {"kind": "error", "after": 6, "message": "Out of memory."},
    "finish_reason error": {"kind": "finish_error"},
}


@dataclass(slots=True)
class Heard:
    """One answer, as a call would take it."""

    text: str = ""
    calls: list[ToolCallDelta] = field(default_factory=list)
    end: Finished | None = None
    began: float = 0.0
    longest: float = 0.0


async def ask(
    lab: Lab,
    where: Endpoint | list[Endpoint],
    tools: tuple[dict[str, Any], ...] = (),
    messages: list[dict[str, Any]] | None = None,
) -> Heard:
    """Ask, and take the answer to its end; know its longest silence."""
    rest = replace(where[0] if isinstance(where, list) else where, dialect="mistral")
    heard, last = Heard(), time.monotonic()
    began = last
    async with (
        Models.connect(hear=rest, think=where, speak=rest, timeouts=lab.timeouts) as models,
        aclosing(models.thinking.stream(messages or ASKED, tools)) as thoughts,
    ):
        async for thought in thoughts:
            now = time.monotonic()
            heard.longest, last = max(heard.longest, now - last), now
            match thought:
                case TextDelta():
                    heard.began = heard.began or now - began
                    heard.text += thought.text
                case ToolCallDelta():
                    heard.calls.append(thought)
                case Finished():
                    heard.end = thought
    return heard


async def works(lab: Lab, provider: str, kind: str | None = None) -> Outcome:
    """An answer, whatever its shape."""
    faults = {"think": [{"kind": kind}]} if kind else {}
    where = lab.endpoint("think", provider, script={"think": [ANSWER]}, faults=faults)
    heard = await ask(lab, where)
    proof = same_words(ANSWER, heard.text)
    prove(heard.end is not None and heard.end.reason == "stop", "it did not end with stop")
    usage = heard.end.usage if heard.end else None
    prove(usage is not None and usage.prompt and usage.completion, "there is no usage")
    return Outcome("the answer, as it is written", f"{proof}; tokens counted")


async def calls(lab: Lab, provider: str, kind: str | None) -> Outcome:
    """Tool calls in a shape; then their results, in a history that the server takes."""
    faults = {"think": [{"kind": kind, "on": [1]}]} if kind else {}
    where = lab.endpoint("think", provider, script={"think": [CALLS, ANSWER]}, faults=faults)
    rest = replace(where, dialect="mistral")
    async with Models.connect(hear=rest, think=where, speak=rest, timeouts=lab.timeouts) as models:
        async with aclosing(models.thinking.stream(ASKED, (TOOL,))) as thoughts:
            found = [each async for each in thoughts]
        made = [each for each in found if isinstance(each, ToolCallDelta)]
        given = [json.loads(call.arguments) for call in made]
        prove(given == [call["arguments"] for call in CALLS], f"the arguments are {given}")
        ids = {call.id for call in made}
        prove(len(ids) == len(CALLS), "two calls have one id")
        prove(all(len(each) == 9 and each.isalnum() for each in ids), f"ids are {ids}")
        text = "".join(each.text for each in found if isinstance(each, TextDelta))
        history = [*ASKED, _message(text, made), *map(_result, made)]
        async with aclosing(models.thinking.stream(history, (TOOL,))) as thoughts:
            texts = [each.text async for each in thoughts if isinstance(each, TextDelta)]
    proof = same_words(ANSWER, "".join(texts))
    said = "hears the words before them, then the answer" if text else "hears the answer"
    return Outcome(
        f"{said} made of the tools' results",
        f"2 of 2 calls, arguments whole, ids of nine alphanumerics; {proof}",
    )


def _message(text: str, made: list[ToolCallDelta]) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": text,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in made
        ],
    }


def _result(call: ToolCallDelta) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": "two"}


async def fails(lab: Lab, provider: str, fault: dict[str, Any]) -> Outcome:
    """A failure: told in a line where nobody stands behind, else made good by who does."""
    one = lab.endpoint("think", provider, script={"think": [ANSWER]}, faults={"think": [fault]})
    two = lab.endpoint("think", script={"think": [ANSWER]})
    try:
        await ask(lab, one)
    except ModelError as error:
        line = str(error)
        prove("\n" not in line and one.key not in line, f"not one line without secrets: {line}")
    else:
        prove(False, "alone, it did not fail")
    one = replace(
        one,
        key=lab.endpoint(
            "think", provider, script={"think": [ANSWER]}, faults={"think": [fault]}
        ).key,
    )
    heard = await ask(lab, [one, two])
    proof = same_words(ANSWER, heard.text)
    asked = lab.report(one)["turns"]["think"], lab.report(two)["turns"]["think"]
    prove(asked == (1, 1), f"asked {asked} times")
    pause = f"a pause of {heard.longest:.1f} s" if heard.longest >= 0.05 else "no pause"
    where = "before the answer" if "after" not in fault else "within the answer"
    return Outcome(
        f"{pause} {where}; with nobody behind: an apology",
        f"{proof}; each asked once",
    )


def cells() -> Iterable[Cell]:
    """Return all cells."""
    for provider in PROVIDERS:
        yield Cell(provider, "works", partial(works, provider=provider))
        for name, kind in CALL_SHAPES.items():
            yield Cell(provider, name, partial(calls, provider=provider, kind=kind))
        for name, kind in SHAPES.items():
            yield Cell(provider, name, partial(works, provider=provider, kind=kind))
        for name, fault in FAILURES.items():
            yield Cell(provider, name, partial(fails, provider=provider, fault=fault))
