"""vLLM's rules of order, kept by the client."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest

from tests.pipelines.models.test_hearing import Listener, connections, finals, say, voice
from tests.speech import speak
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.models.vllm_hearing import VllmHearing
from vivavoce.pipelines.models.wishes import Wishes

pytestmark = pytest.mark.usefixtures("no_task_is_left")

MODEL = "mistralai/Voxtral-Mini-4B-Realtime-2602"
SAID = ("Can we sit outside, please?", "Where is the station?")
PATIENT = Timeouts(connect=5, final=8)


@pytest.fixture
def opened(profile):
    @contextlib.asynccontextmanager
    async def make(*, wishes=None, model=MODEL, lifetime=9_000.0, **given):
        key = profile(**given)
        where = Endpoint(f"{key.url}/vllm/v1", key.key, model)
        hearing, listener = VllmHearing(where, PATIENT, wishes, lifetime=lifetime), Listener()
        listener.key = key
        await hearing.open(listener)
        try:
            yield hearing, listener
        finally:
            await hearing.close()

    return make


def utterance(text: str) -> bytes:
    return np.concatenate([speak(text), np.zeros(16_000, np.int16)]).tobytes()


async def test_what_is_said_before_the_final_text_comes_is_held_and_heard(opened):
    async with opened(latency={"hear_final_ms": 600}) as (hearing, listener):
        for number, text in enumerate(SAID):
            say(hearing, utterance(text))
            assert hearing.flush() == number
        await asyncio.sleep(0.3)
        assert hearing.backlog > 1  # it is not sent into nothing
        await listener.until(finals(2))
        report = listener.key.report
    assert listener.finals == list(enumerate(SAID))
    assert report["connections"] == 1
    assert not listener.troubles


async def test_a_flush_of_nothing_is_answered_by_nobody(opened):
    async with opened(script={"hear": ["Hello."]}) as (hearing, listener):
        assert hearing.flush() == 0
        await listener.until(finals(1))
        assert listener.key.report["turns"]["hear"] == 0
        say(hearing, voice(1.0))
        hearing.flush()
        hearing.flush()
        await listener.until(finals(3))
    assert listener.finals == [(0, ""), (1, "Hello."), (2, "")]


async def test_a_context_that_is_full_loses_no_word(opened):
    full = {"hear": [{"kind": "full", "on": 1, "after": 1.5}]}
    async with opened(faults=full) as (hearing, listener):
        for text in SAID:
            say(hearing, utterance(text))
        # A done that is on its way when the last commit goes out is taken for its answer.
        await connections(listener.key, 2)
        hearing.flush()
        await listener.until(finals(1))
        assert listener.key.report["connections"] == 2
    assert listener.finals == [(0, " ".join(SAID))]
    assert not listener.troubles


async def test_a_generation_is_ended_in_a_pause_before_the_context_is_full(opened):
    async with opened(lifetime=1.0) as (hearing, listener):
        for text in SAID:
            say(hearing, utterance(text))
            await asyncio.sleep(0.5)
        hearing.flush()
        await listener.until(finals(1))
        report = listener.key.report
    assert listener.finals == [(0, " ".join(SAID))]
    # One connection, a generation for each sentence at least; and one utterance of the caller's.
    assert report["connections"] == 1
    assert report["turns"]["hear"] >= 2


async def test_a_model_that_is_not_there(opened):
    async with opened(model="gpt-4") as (hearing, listener):
        say(hearing, voice(0.5))
        await listener.until(lambda each: each.troubles)
    error = listener.troubles[0]
    assert (error.kind, error.lasting) == ("refused", True)
    assert "model_not_found" in str(error)


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes(delay_ms=240), "takes no delay: transcription_delay_ms in the model's tekken"),
        (Wishes(language="fr"), "takes no language"),
        (Wishes(context_bias=("Voxtral",)), "takes no words to expect (context_bias)"),
        (Wishes(turns=True), "takes no turn detection"),
        (Wishes(diarize=True, language="fr"), "no language and no speakers (diarize)"),
    ],
)
async def test_what_a_session_has_no_field_for_is_refused(opened, wishes, told):
    async with opened(wishes=wishes) as (_, listener):
        await listener.until(lambda each: each.troubles)
        assert listener.key.report["connections"] == 0
    assert told in str(listener.troubles[0])
    assert "\n" not in str(listener.troubles[0])
