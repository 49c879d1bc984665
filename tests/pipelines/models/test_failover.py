from __future__ import annotations

import asyncio
import dataclasses
import logging
from contextlib import aclosing

import numpy as np
import pytest

from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.failover import FailoverSpeaking, FailoverThinking
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, ToolCallDelta
from vivavoce.pipelines.models.succession import Provider

pytestmark = pytest.mark.usefixtures("no_task_is_left")

HISTORY = [{"role": "user", "content": "Is there a table?"}]
TOOL = {
    "type": "function",
    "function": {"name": "free", "parameters": {"type": "object", "properties": {}}},
}
ANSWER = "Yes, two tables are free tonight."


class Scripted:
    """A model of which each request goes as told: pieces of text, calls, errors, waits (s)."""

    rate = 16_000

    def __init__(self, *goes) -> None:
        self.goes = list(goes)
        self.asked = []

    async def stream(self, asked, tools=(), **given):
        self.asked.append(asked)
        for each in self.goes.pop(0):
            if isinstance(each, Exception):
                raise each
            if isinstance(each, float):
                await asyncio.sleep(each)
            else:
                yield TextDelta(each) if isinstance(each, str) else each


class Watch:
    """A clock that stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def error(kind="broken", retry_after=None):
    return ModelError("thinking", kind, "it failed", retry_after=retry_after)


async def answer(model, history=HISTORY):
    told = []
    with served.listening(lambda stage, name, failed: told.append((name, failed is not None))):
        async with aclosing(model.stream(history, [TOOL])) as thoughts:
            found = [each async for each in thoughts]
    text = "".join(each.text for each in found if isinstance(each, TextDelta))
    assert isinstance(found[-1], Finished)
    return text, [each for each in found if isinstance(each, ToolCallDelta)], told


def line(*models, **given):
    return FailoverThinking(
        [Provider(name, model) for name, model in zip("abc", models, strict=False)], **given
    )


END = Finished("stop")


async def test_the_first_serves_while_it_can():
    one, two = Scripted([ANSWER, END]), Scripted()
    assert await answer(line(one, two)) == (ANSWER, [], [("a", False)])


async def test_what_one_fails_at_is_asked_of_the_next_and_the_failed_one_rests():
    clock = Watch()
    one = Scripted([error()], [ANSWER, END])
    two = Scripted([ANSWER, END], [ANSWER, END])
    model = line(one, two, now=clock)
    assert (await answer(model))[2] == [("a", False), ("b", True)]
    assert (await answer(model))[2] == [("b", False)]
    clock.now = 3
    assert (await answer(model))[2] == [("a", False)]


async def test_a_broken_answer_is_continued_without_a_word_lost_or_doubled():
    one = Scripted(["Yes, two tables", " are", error()])
    two = Scripted(["Yes, two tables are", " free tonight.", END])
    text, _, told = await answer(line(one, two))
    assert text == ANSWER
    assert told == [("a", False), ("b", True)]
    # What was said is shown to the second, behind the history, in an order that every server takes.
    assert [m["role"] for m in two.asked[0]] == ["user", "assistant", "user"]
    assert two.asked[0][1]["content"] == "Yes, two tables are"


async def test_calls_of_an_answer_that_broke_off_never_run():
    call = ToolCallDelta("abcdefghi", "pay", "{}")
    again = ToolCallDelta("jklmnopqr", "pay", "{}")
    _, calls, _ = await answer(line(Scripted([call, error()]), Scripted([again, END])))
    assert calls == [again]


async def test_an_answer_of_nothing_is_a_failure():
    assert (await answer(line(Scripted([END]), Scripted([ANSWER, END]))))[0] == ANSWER


async def test_a_slow_first_piece_is_not_waited_for_where_another_stands_behind():
    slow = Scripted([5.0, "late", END])
    text, _, told = await answer(line(slow, Scripted([ANSWER, END]), switch=0.05))
    assert (text, told) == (ANSWER, [("a", False), ("b", True)])
    # Alone it is waited for.
    assert (await answer(line(Scripted([0.2, ANSWER, END]), switch=0.05)))[0] == ANSWER


async def test_when_all_fail_the_last_error_is_told():
    with pytest.raises(ModelError, match="it failed") as caught:
        await answer(line(Scripted([error()]), Scripted([error("busy", 60)])))
    assert caught.value.kind == "busy"


async def test_a_server_that_said_when_to_come_back_is_not_asked_before():
    clock = Watch()
    one = Scripted([error("busy", 60)], [ANSWER, END])
    model = line(one, now=clock)
    for _ in range(3):
        with pytest.raises(ModelError) as caught:
            await answer(model)
        assert caught.value.kind == "busy"
        clock.now += 10
    assert len(one.asked) == 1
    clock.now = 61
    assert (await answer(model))[0] == ANSWER


async def test_cancelling_ends_the_request_and_the_breaker_is_as_before():
    slow = Scripted([ANSWER, END], [60.0])
    model = line(slow, Scripted())
    await answer(model)
    task = asyncio.create_task(answer(model))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model._succession.order.breakers[0].state(0) == "closed"


def test_nobody_is_no_line():
    for kind in (FailoverThinking, FailoverSpeaking):
        with pytest.raises(ValueError, match="at least one"):
            kind([])


# -- over sockets


@pytest.fixture
def waits() -> Timeouts:
    """Short for whoever has another behind, patient with the last one: the machine may be busy."""
    return Timeouts(connect=2, final=2, first=10, stall=1.5, switch=0.7)


FAULTS = {
    "401": {"kind": "status", "status": 401},
    "429": {"kind": "status", "status": 429, "retry_after": 30},
    "500": {"kind": "status", "status": 500},
    "slow": {"kind": "slow", "ms": 5000},
    "stall": {"kind": "stall"},
    "reset": {"kind": "reset"},
    "empty": {"kind": "empty"},
    "stall later": {"kind": "stall", "after": 3},
    "reset later": {"kind": "reset", "after": 3},
    "close later": {"kind": "close", "after": 3},
    "error later": {"kind": "error", "after": 3, "message": "Out of memory."},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_chat_model_that_fails_is_replaced(fault, endpoint, waits, caplog):
    one = endpoint("think", script={"think": [ANSWER]}, faults={"think": [FAULTS[fault]]})
    two = endpoint("think", script={"think": [ANSWER]})
    two = dataclasses.replace(two, url=f"{two.url}/vllm", dialect="vllm", model="other")
    with caplog.at_level(logging.WARNING, "vivavoce"):
        async with Models.connect(hear=one, think=(one, two), speak=one, timeouts=waits) as models:
            text, _, told = await answer(models.thinking)
    assert text == ANSWER
    assert told == [(one.name, False), (two.name, True)]
    assert f"{two.name} serves instead" in caplog.text


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_voice_that_fails_is_replaced(fault, endpoint, waits):
    text = "Yes, two tables are free tonight, and one of them is by the window."
    script = {"speak": "tone"}
    one = endpoint("speak", script=script, faults={"speak": [FAULTS[fault]]})
    two = endpoint("speak", script=script)
    async with Models.connect(hear=one, think=one, speak=(one, two), timeouts=waits) as models:
        stream = models.speaking.stream(text, voice=None, language="en")
        async with aclosing(stream) as chunks:
            audio = np.concatenate([chunk async for chunk in chunks])
    whole = len(text) * 0.06  # s: a tone of 60 ms a character
    asked = [
        body["body"]["input"]
        for key in (endpoint.keys[two],)
        for body in key.report["bodies"]
        if body["endpoint"] == "audio/speech"
    ]
    if "later" in fault:
        # It goes on with the first word that was not heard, at the first one's place.
        assert len(asked) == 1
        assert text.endswith(asked[0])
        assert 0 < len(asked[0]) < len(text)
    else:
        assert asked == [text]
        assert len(audio) / models.speaking.rate == pytest.approx(whole, abs=0.3)


async def test_a_voice_has_its_own_name_at_another_server(endpoint, waits):
    one = endpoint("speak", faults={"speak": [FAULTS["500"]]})
    two = endpoint("speak", script={"speak": "tone"})
    two = dataclasses.replace(two, voice="gb_jane_sad")
    endpoint.keys[two] = endpoint.keys[dataclasses.replace(two, voice=None)]
    async with Models.connect(hear=one, think=one, speak=(one, two), timeouts=waits) as models:
        stream = models.speaking.stream("Hello.", voice="en_paul_sad", language="en")
        async with aclosing(stream) as chunks:
            assert [chunk async for chunk in chunks]
    assert endpoint.keys[two].report["bodies"][0]["body"]["voice_id"] == "gb_jane_sad"


async def test_a_voice_of_another_rate_is_resampled():
    class Voice(Scripted):
        rate = 48_000

        def stream(self, text, *, voice, language):
            return super().stream(text)

    class First(Voice):
        rate = 24_000

    tone = np.full(48_000, 5_000, np.int16)
    model = FailoverSpeaking(
        [Provider("a", First([error()])), Provider("b", Voice([tone[:20_000], tone[20_000:]]))]
    )
    async with aclosing(model.stream("Hello.", voice=None, language="en")) as chunks:
        audio = np.concatenate([chunk async for chunk in chunks])
    assert model.rate == 24_000
    assert len(audio) == pytest.approx(24_000, abs=50)


async def test_no_endpoint_is_refused():
    here = Endpoint("http://127.0.0.1:9", "k", "m")
    with pytest.raises(ValueError, match="hearing: give at least one"):
        Models.connect(hear=(), think=here, speak=here)
