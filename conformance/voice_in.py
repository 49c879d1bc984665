"""Hearing in the chat model: the caller's voice as `input_audio`, with tools, at every provider."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from conformance.frame import Cell, Lab, Outcome, prove, same_words, words
from vivavoce.agent.history import messages
from vivavoce.agent.transcript import Reply, Utterance
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.models.interfaces import TextDelta, ToolCallDelta
from vivavoce.pipelines.voice import wav

CAPABILITY = "hearing in the chat model"
PROVIDERS = {
    "mistral": "voxtral-small-latest",
    "vllm": "mistralai/Voxtral-Mini-3B-2507",
    "openrouter": "mistralai/voxtral-small-24b-2507",
    "openai": "voxtral-small",
}
SAID = "Is there a free table for four people?"
ANSWER = "Yes, two tables are free tonight, and one of them is by the window."
TOOL = {
    "type": "function",
    "function": {
        "name": "free_tables",
        "description": "Find the free tables for a number of people.",
        "parameters": {
            "type": "object",
            "properties": {"people": {"type": "integer", "description": "How many people come."}},
            "required": ["people"],
        },
    },
}
INSTRUCTIONS = "You take reservations."


async def recording(lab: Lab) -> bytes:
    """Have the sandbox speak what the caller says; return it as a WAV file."""
    where = lab.endpoint("speak")
    async with Models.connect(hear=where, think=where, speak=where) as models:
        stream = models.speaking.stream(SAID, voice=None, language="en")
        async with aclosing(stream) as chunks:
            audio = np.concatenate([chunk async for chunk in chunks])
        return wav(resample(audio, models.speaking.rate, 16_000).tobytes(), 16_000)


async def ask(
    lab: Lab, where: list[Endpoint], history: list[dict[str, Any]]
) -> tuple[str, list[ToolCallDelta]]:
    """Ask; return the text and the calls."""
    rest = replace(where[0], dialect="mistral")
    waits = replace(lab.timeouts, first=20.0, switch=15.0)  # the recogniser needs its time
    async with (
        Models.connect(hear=rest, think=where, speak=rest, timeouts=waits) as models,
        aclosing(models.thinking.stream(history, (TOOL,))) as thoughts,
    ):
        found = [each async for each in thoughts]
    text = "".join(each.text for each in found if isinstance(each, TextDelta))
    return text, [each for each in found if isinstance(each, ToolCallDelta)]


def kinds(lab: Lab, where: Endpoint) -> set[str]:
    """Return how audio was sent: "plain", or "object"."""
    body = lab.report(where)["bodies"][-1]["body"]
    sent = [
        part["input_audio"]
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "input_audio"
    ]
    return {"plain" if isinstance(each, str) else "object" for each in sent}


async def calls(lab: Lab, provider: str) -> Outcome:
    """A tool is called straight from the voice."""
    where = lab.endpoint("think", provider, model=PROVIDERS[provider])
    said = Utterance("(3 s of speech)", 0, 3, audio=await recording(lab), written=False)
    _, made = await ask(lab, [where], messages(INSTRUCTIONS, [said]))
    prove(len(made) == 1 and '"people"' in made[0].arguments, f"it called {made}")
    prove("4" in made[0].arguments, f"it understood {made[0].arguments}")
    encoding = kinds(lab, where)
    prove(encoding == {"plain" if provider == "mistral" else "object"}, f"sent as {encoding}")
    seconds = (len(said.audio or b"") - 44) / 32_000
    return Outcome(
        "what was asked is done, without a transcriber",
        f"free_tables(people=4) from {seconds:.1f} s of voice, sent as {encoding.pop()}",
    )


async def history(lab: Lab, provider: str) -> Outcome:
    """A conversation goes on: unwritten voice is heard again, written voice is told as text."""
    where = lab.endpoint(
        "think", provider, model=PROVIDERS[provider], script={"hear": [""] * 9, "think": [ANSWER]}
    )
    audio = await recording(lab)
    entries = [
        Utterance("(3 s of speech)", 0, 3, audio=audio, written=False),
        Reply("Two are free.", "Two are", interrupted=True, closed=True),
        Utterance("For four, please.", 4, 5, audio=audio),
        Reply("Good.", "Good.", closed=True),
        Utterance("(3 s of speech)", 6, 9, audio=audio, written=False),
    ]
    text, _ = await ask(lab, [where], messages(INSTRUCTIONS, entries))
    proof = same_words(ANSWER, text)
    body = lab.report(where)["bodies"][-1]["body"]
    heard = sum(
        part["type"] == "input_audio"
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
    )
    prove(heard == 2, f"{heard} recordings were sent")
    return Outcome("a conversation, cut and gone on with", f"2 of 3 turns as voice; {proof}")


async def refused(lab: Lab, provider: str) -> Outcome:
    """A model that takes no audio says so, in a line."""
    where = lab.endpoint("think", provider, model="mistral-small-latest")
    said = Utterance("(speech)", 0, 1, audio=wav(bytes(16_000), 16_000), written=False)
    try:
        await ask(lab, [where], messages("", [said]))
    except ModelError as error:
        line = str(error)
        prove("use a Voxtral model" in line and "\n" not in line, line)
        return Outcome("an apology; the log says which models hear", "one line, without secrets")
    raise AssertionError("it was not refused")


async def fails(lab: Lab, provider: str, fault: dict[str, Any]) -> Outcome:
    """A failure: the voice goes to the next one."""
    script = {"hear": [""] * 9, "think": [ANSWER]}
    model = PROVIDERS[provider]
    one = lab.endpoint("think", provider, model=model, script=script, faults={"think": [fault]})
    two = lab.endpoint("think", model=PROVIDERS["mistral"], script=script)
    audio = wav(bytes(32_000), 16_000)
    said = Utterance("(1 s of speech)", 0, 1, audio=audio, written=False)
    text, _ = await ask(lab, [one, two], messages("", [said]))
    proof = same_words(ANSWER, text)
    # The second one has its own encoding: the voice was made anew for it, from the same bytes.
    prove(kinds(lab, two) == {"plain"}, "the second one was not sent the voice as it takes it")
    body = lab.report(two)["bodies"][-1]["body"]["messages"][0]["content"][0]["input_audio"]
    prove(base64.b64decode(body) == audio, "the voice is another one")
    prove(len(words(text)) == len(words(ANSWER)), "words")
    return Outcome("the answer, of another model", f"{proof}; the same voice, byte for byte")


FAILURES: dict[str, dict[str, Any]] = {
    "401": {"kind": "status", "status": 401},
    "429, Retry-After": {"kind": "status", "status": 429, "retry_after": 30},
    "503": {"kind": "status", "status": 503},
    "reset": {"kind": "reset"},
    "reset mid-answer": {"kind": "reset", "after": 6},
    "error mid-answer": {"kind": "error", "after": 6, "message": "Out of memory."},
}


def cells() -> Iterable[Cell]:
    """Return all cells."""
    for provider in PROVIDERS:
        yield Cell(provider, "works", partial(calls, provider=provider))
        yield Cell(provider, "a long conversation", partial(history, provider=provider))
        yield Cell(provider, "a model without ears", partial(refused, provider=provider))
        for name, fault in FAILURES.items():
            yield Cell(provider, name, partial(fails, provider=provider, fault=fault))
