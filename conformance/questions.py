"""Questions to recordings: heard by the chat model, whole and part by part, at every provider."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from conformance.frame import Cell, Lab, Outcome, prove, same_words
from conformance.transcription import sound
from vivavoce.pipelines.audio.media import encode
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.providers import thinking
from vivavoce.pipelines.models.questions import Questions, Recording
from vivavoce.pipelines.models.transcription.retry import Backoff

CAPABILITY = "questions to recordings"
PROVIDERS = {
    "mistral": "voxtral-small-2507",
    "vllm": "mistralai/Voxtral-Small-24B-2507",
    "openrouter": "mistralai/voxtral-small-24b-2507",
}
ANSWER = "Someone waits at the bridge, and another in the kitchen."
MORE = "Nobody says when."


@asynccontextmanager
async def bench(
    lab: Lab, provider: str, *, longest: float = 60.0, **profile: Any
) -> AsyncIterator[tuple[Questions, Endpoint, Recording]]:
    """Give a conversation about the recording."""
    where = lab.endpoint("ask", provider, model=PROVIDERS[provider], **profile)
    http = Http(replace(lab.timeouts, first=20.0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "talk.mp3")
        path.write_bytes(encode(await sound(lab), "mp3"))  # noqa: ASYNC240 (nobody else waits)
        try:
            async with await Recording.open(path, longest=longest) as recording:
                backoff = Backoff(attempts=3, first=0.05)
                yield Questions(thinking(http, where), recording, backoff=backoff), where, recording
        finally:
            await http.close()


async def ask(questions: Questions, question: str) -> str:
    """Return a whole answer."""
    return "".join([text async for text in questions.ask(question)])


async def works(lab: Lab, provider: str) -> Outcome:
    """A question, and one that leans on it."""
    script = {"think": [ANSWER, MORE]}
    async with bench(lab, provider, script=script) as (questions, where, recording):
        proof = same_words(ANSWER, await ask(questions, "Who waits?"))
        same_words(MORE, await ask(questions, "Until when?"))
        report = lab.report(where)
        prove(report["heard_s"] > recording.seconds - 1.5, f"{report['heard_s']} s were heard")
        roles = [one["role"] for one in report["bodies"][-1]["body"]["messages"]]
        prove(roles == ["user", "assistant", "user"], f"{roles}")
        return Outcome(
            "an answer, and one that follows", f"{report['heard_s']:.0f} s heard; {proof}"
        )


async def in_parts(lab: Lab, provider: str) -> Outcome:
    """A recording that is longer than one request."""
    notes = [f"Note {number}." for number in range(4)]
    script = {"think": [*notes, ANSWER]}
    async with bench(lab, provider, longest=4.5, script=script) as (questions, where, recording):
        prove(len(recording.clips) == len(notes), f"{len(recording.clips)} parts")
        proof = same_words(ANSWER, await ask(questions, "Who waits?"))
        last = lab.report(where)["bodies"][-1]["body"]["messages"][0]["content"]
        prove(all(note in last for note in notes), "a note is missing")
        return Outcome("an answer from the notes of 4 parts", f"4 of 4 notes; {proof}")


async def again(lab: Lab, provider: str, fault: dict[str, Any]) -> Outcome:
    """A failure before the first word."""
    script = {"think": [ANSWER] * 3}
    faults = {"think": [{**fault, "on": 1}]}
    async with bench(lab, provider, script=script, faults=faults) as (questions, _, _recording):
        proof = same_words(ANSWER, await ask(questions, "Who waits?"))
        return Outcome("the answer, a moment later", proof)


async def told(lab: Lab, provider: str, fault: dict[str, Any]) -> Outcome:
    """A failure that lasts, or comes in the middle: one line, and the next question works."""
    script = {"think": [ANSWER, MORE, MORE]}
    faults = {"think": [{**fault, "on": 1}]}
    async with bench(lab, provider, script=script, faults=faults) as (questions, where, _):
        try:
            await ask(questions, "Who waits?")
        except ModelError as error:
            line = str(error)
        else:
            raise AssertionError("it was not told")
        prove("\n" not in line and where.key not in line, line)
        text = await ask(questions, "Until when?")
        prove(text in {ANSWER, MORE}, text)
        messages = lab.report(where)["bodies"][-1]["body"]["messages"]
        prove(len(messages) == 1, "what failed is in the conversation")
        return Outcome("one line; the next question is answered", "no half answer is remembered")


AGAIN: dict[str, dict[str, Any]] = {
    "429, Retry-After": {"kind": "status", "status": 429, "retry_after": 0.2},
    "503": {"kind": "status", "status": 503},
    "reset": {"kind": "reset"},
}
TOLD: dict[str, dict[str, Any]] = {
    "401": {"kind": "status", "status": 401},
    "reset mid-answer": {"kind": "reset", "after": 4},
    "error mid-answer": {"kind": "error", "after": 4},
}


def cells() -> Iterable[Cell]:
    """Return all cells."""
    for provider in PROVIDERS:
        yield Cell(provider, "works", partial(works, provider=provider))
        yield Cell(provider, "in parts", partial(in_parts, provider=provider))
        for name, fault in AGAIN.items():
            yield Cell(provider, name, partial(again, provider=provider, fault=fault))
        for name, fault in TOLD.items():
            yield Cell(provider, name, partial(told, provider=provider, fault=fault))
