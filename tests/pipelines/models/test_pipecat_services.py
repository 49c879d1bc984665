"""pipecat's own Mistral services as models of a stage, alone and behind one that fails."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import numpy as np
import pytest
from openai import AsyncOpenAI
from pipecat.services.mistral.llm import MistralLLMService
from pipecat.services.mistral.stt import MistralSTTService
from pipecat.services.mistral.tts import MistralTTSService

from tests.speech import speak
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Timeouts
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, ToolCallDelta
from vivavoce.pipelines.models.pipecat_services import (
    PipecatHearing,
    PipecatSpeaking,
    PipecatThinking,
)
from vivavoce.pipelines.models.succession import Provider
from vivavoce.pipelines.models.wishes import Wishes

HISTORY = [{"role": "user", "content": "Is there a table?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "free",
        "description": "Find the free tables.",
        "parameters": {"type": "object", "properties": {"people": {"type": "integer"}}},
    },
}
CALL = {"name": "free", "arguments": {"people": 4}}
PATIENT = Timeouts(first=15, stall=15, final=8)


MADE = []


@pytest.fixture(autouse=True)
async def _clients_are_closed():
    """pipecat's services do not close their own SDK clients."""
    yield
    while MADE:
        client = MADE.pop()
        if isinstance(client, AsyncOpenAI):
            await client.close()
        else:
            await client.__aexit__(None, None, None)


def llm(where):
    def make():
        service = MistralLLMService(
            api_key=where.key,
            base_url=f"{where.url}/v1",
            settings=MistralLLMService.Settings(model=where.model),
        )
        MADE.append(service._client)
        return service

    return make


def tts(where):
    def make():
        service = MistralTTSService(
            api_key=where.key, settings=MistralTTSService.Settings(voice="en_paul_neutral")
        )
        # It takes no base_url: the address goes where its own SDK client keeps it.
        service._client.sdk_configuration.server_url = where.url
        MADE.append(service._client)
        return service

    return make


def stt(where):
    return lambda: MistralSTTService(api_key=where.key, base_url=where.url, sample_rate=16_000)


class Listener:
    def __init__(self):
        self.finals, self.troubles, self.partials = [], [], []
        self._told = asyncio.Event()

    def on_partial(self, segment, text):
        self.partials.append((segment, text))

    def on_final(self, segment, text):
        self.finals.append((segment, text))
        self._told.set()

    def on_turn(self, kind, seconds_ago):
        raise AssertionError(kind)

    def on_trouble(self, error, *, lost):
        self.troubles.append(error)
        self._told.set()

    async def until(self, condition):
        async with asyncio.timeout(30):
            while not condition():
                self._told.clear()
                await self._told.wait()


async def ask(model, history=HISTORY):
    async with aclosing(model.stream(history, [TOOL])) as thoughts:
        found = [each async for each in thoughts]
    text = "".join(each.text for each in found if isinstance(each, TextDelta))
    return text, [each for each in found if isinstance(each, ToolCallDelta)], found[-1]


async def test_a_pipecat_model_answers_and_calls_tools(endpoint):
    where = endpoint("think", script={"think": ["Yes, two are free.", [CALL], "Two."]})
    model = PipecatThinking(llm(where), PATIENT)
    try:
        text, calls, end = await ask(model)
        assert (text, calls) == ("Yes, two are free.", [])
        assert isinstance(end, Finished)
        assert end.usage.prompt > 0
        _, (call,), end = await ask(model)
        assert (call.name, json.loads(call.arguments)) == ("free", {"people": 4})
        assert end.reason == "tool_calls"
        assert len(call.id) == 9
        history = [
            *HISTORY,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": call.id, "name": "free", "content": "two"},
        ]
        assert (await ask(model, history))[0] == "Two."
        # One service did all of it.
        assert len(model._pool._idle) == 1
    finally:
        await model.close()
        await model.close()


async def test_a_pipecat_model_that_is_interrupted_stops_and_serves_again(endpoint):
    where = endpoint("think", script={"think": ["word " * 300, "Fine."]},
                     latency={"think_tokens_per_s": 20})  # fmt: skip
    model = PipecatThinking(llm(where), PATIENT)
    try:
        async with aclosing(model.stream(HISTORY, [])) as thoughts:
            assert isinstance(await anext(thoughts), TextDelta)
        assert (await ask(model))[0] == "Fine."
    finally:
        await model.close()


async def test_a_pipecat_voice_speaks(endpoint):
    where = endpoint("speak", script={"speak": "tone"})
    model = PipecatSpeaking(tts(where), PATIENT)
    try:
        for _ in range(2):
            async with aclosing(model.stream("Hello there.", voice=None, language="en")) as chunks:
                audio = np.concatenate([chunk async for chunk in chunks])
            assert len(audio) / model.rate == pytest.approx(12 * 0.06, abs=0.2)
    finally:
        await model.close()


async def test_a_pipecat_transcriber_hears(endpoint):
    hearing, listener = PipecatHearing(stt(endpoint("hear")), PATIENT), Listener()
    await hearing.open(listener)
    try:
        pause = bytes(16_000)
        for number, text in enumerate(["Where is the station?", "A table for four people."]):
            hearing.send(np.asarray(speak(text), np.int16).tobytes() + pause)
            assert hearing.flush() == number
            await listener.until(lambda number=number: len(listener.finals) > number)
    finally:
        await hearing.close()
        await hearing.close()
    assert [number for number, _ in listener.finals] == [0, 1]
    assert listener.finals[0][1].lower() == "where is the station?"
    assert "table for" in listener.finals[1][1].lower()
    assert listener.partials
    assert not listener.troubles


@pytest.mark.parametrize("status", [401, 503])
async def test_what_a_pipecat_service_fails_at_is_told_in_a_line(endpoint, status):
    fault = {"kind": "status", "status": status}
    faults = {stage: [fault] for stage in ("hear", "think", "speak")}
    quick = Timeouts(first=10, stall=5, final=1)
    model = PipecatThinking(llm(endpoint("think", faults=faults)), quick)
    voice = PipecatSpeaking(tts(endpoint("speak", faults=faults)), quick)
    hearing, listener = PipecatHearing(stt(endpoint("hear", faults=faults)), quick), Listener()
    await hearing.open(listener)
    try:
        with pytest.raises(ModelError) as thought:
            await ask(model)
        with pytest.raises(ModelError) as spoken:
            async with aclosing(voice.stream("Hello.", voice=None, language="en")) as chunks:
                assert [chunk async for chunk in chunks]
        hearing.send(bytes(6_400))
        hearing.flush()
        await listener.until(lambda: listener.troubles and listener.finals)
    finally:
        await asyncio.gather(model.close(), voice.close(), hearing.close())
    for error in (thought.value, spoken.value, listener.troubles[0]):
        assert "\n" not in str(error)
        assert "sandbox-" not in str(error)
    assert thought.value.kind == ("auth" if status == 401 else "broken")


async def test_pipecat_services_stand_behind_others_and_in_front_of_them(endpoint, quick):
    refused = {"kind": "status", "status": 503}
    faults = {stage: [refused] for stage in ("hear", "think", "speak")}
    ours = endpoint("think", faults=faults)
    theirs = endpoint(
        "think", script={"think": ["Yes.", "Sure."], "speak": "tone", "hear": ["Hi."]}
    )
    heard = endpoint("hear", script={"hear": ["Hello."]})
    thinking = PipecatThinking(llm(theirs), PATIENT)
    speaking = PipecatSpeaking(tts(theirs), PATIENT)
    broken = Provider("pipecat's", lambda _: PipecatHearing(stt(ours), PATIENT))
    async with Models.connect(
        hear=[broken, heard],
        think=[ours, Provider("pipecat", thinking)],
        speak=[ours, Provider("pipecat", speaking)],
        timeouts=quick,
    ) as models:
        assert (await ask(models.thinking))[0] == "Yes."
        stream = models.speaking.stream("Hello there.", voice=None, language="en")
        async with aclosing(stream) as chunks:
            assert sum([len(chunk) async for chunk in chunks]) > 10_000
        hearing, listener = models.hearing(Wishes()), Listener()
        await hearing.open(listener)
        hearing.send((6_000 * np.sin(np.arange(8_000) / 9)).astype(np.int16).tobytes())
        hearing.flush()
        await listener.until(lambda: listener.finals)
        await hearing.close()
        assert listener.finals == [(0, "Hello.")]
        assert "pipecat" in models.names["thinking"]
