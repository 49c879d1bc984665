"""Every fault that transcription services are known for, in both dialects, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import random

import numpy as np
import pytest

from benchmarks.hearing.cutter import Cutter
from benchmarks.hearing.passage import DIALECTS, Passage, play
from benchmarks.hearing.passage import Listener as Witness
from tests.pipelines.models.test_hearing import Listener, finals, say, voice
from tests.speech import speak
from vivavoce.pipelines.models import watch
from vivavoce.pipelines.models.http import Endpoint, Timeouts

pytestmark = pytest.mark.usefixtures("no_task_is_left")

SAID = ("I would like a table for four people this evening.", "Can we sit outside, please?")
PATIENT = Timeouts(connect=5, final=8)
QUICK = Timeouts(connect=5, final=1.5)


@pytest.fixture(params=list(DIALECTS))
def opened(request, profile):
    """A factory: a hearing in each dialect, under a key with this profile."""

    @contextlib.asynccontextmanager
    async def make(*, timeouts=PATIENT, **given):
        key = profile(**given)
        client, model, base = DIALECTS[request.param]
        hearing, listener = client(Endpoint(key.url + base, key.key, model), timeouts), Listener()
        listener.key = key
        listener.dialect = request.param
        await hearing.open(listener)
        try:
            yield hearing, listener
        finally:
            await hearing.close()

    return make


def utterance(text: str) -> bytes:
    # Pauses long enough for each to be a sentence of its own.
    return np.concatenate([speak(text), np.zeros(16_000, np.int16)]).tobytes()


async def converse(hearing, listener) -> None:
    for number, text in enumerate(SAID):
        hearing.send(bytes(32_000))
        say(hearing, utterance(text))
        assert hearing.flush() == number
        await listener.until(finals(number + 1), 20)


def fault(kind: str, **more) -> dict:
    return {"faults": {"hear": [{"kind": kind, "on": 1, **more}]}}


# -- nothing is lost, and nobody notices


@pytest.mark.parametrize(
    ("given", "connections"),
    [
        pytest.param(fault("reset", at="audio", after=2), 2, id="1006"),
        pytest.param(fault("close", code=1008, at="audio", after=5), 2, id="1008"),
        pytest.param(fault("error", code=3804, at="audio", after=2), 2, id="3804"),
        pytest.param(fault("rut", after=0), 2, id="rut"),
    ],
)
async def test_no_word_is_lost_or_doubled(opened, given, connections):
    async with opened(**given) as (hearing, listener):
        await converse(hearing, listener)
        assert listener.finals == list(enumerate(SAID))
        assert not listener.troubles
        assert listener.key.report["connections"] == connections


@pytest.mark.parametrize("opened", ["mistral"], indirect=True)
async def test_an_answer_in_an_odd_shape_is_understood(opened):
    odd = [{"kind": "cumulative", "on": 2}, {"kind": "split_bytes"}]
    async with opened(faults={"hear": odd}) as (hearing, listener):
        await converse(hearing, listener)
        assert listener.finals == list(enumerate(SAID))
        assert not listener.troubles
        assert listener.key.report["connections"] == 1


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(fault("stall", at="audio", after=5.5), id="stall"),
        pytest.param(fault("lost_done"), id="done-missing"),
    ],
)
async def test_an_answer_that_does_not_come_is_not_waited_for(opened, given):
    async with opened(timeouts=Timeouts(connect=5, final=2.5), **given) as (hearing, listener):
        await converse(hearing, listener)
        assert listener.finals == list(enumerate(SAID))
        assert not listener.troubles
        assert listener.key.report["connections"] == 2


async def test_a_rut_without_a_flush_is_noticed(opened, monkeypatch):
    monkeypatch.setattr(watch, "RUT", 1.0)
    async with opened(**fault("rut", after=0)) as (hearing, listener):
        say(hearing, utterance(SAID[0]))
        async with asyncio.timeout(20):
            while listener.key.report["connections"] < 2:
                hearing.send(bytes(3_200))
                # It is judged when audio is sent; a caller's never stops.
                say(hearing, voice(0.1))
                await asyncio.sleep(0.1)
        assert not listener.troubles


async def test_a_long_utterance_is_settled_in_parts_and_told_whole(opened, monkeypatch):
    monkeypatch.setattr(watch, "SETTLE_AFTER", 2.0)
    # Behind the words that were settled already; and it is one utterance all the same.
    async with opened(**fault("reset", at="audio", after=7)) as (hearing, listener):
        for text in SAID:
            say(hearing, utterance(text))
            await asyncio.sleep(0.6)
        assert hearing.flush() == 0
        await listener.until(finals(1), 20)
        assert listener.finals == [(0, " ".join(SAID))]
        report = listener.key.report
        assert report["connections"] == 2
        # What was settled was not sent again.
        assert report["heard_s"] < 7 + 4


# -- what is refused


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(fault("status", status=401), "auth", id="401"),
        pytest.param(
            fault("error", at="open", code=401, message="Unauthorized"), "auth", id="event"
        ),
        pytest.param(
            fault("close", at="open", code=1008, message="Invalid API key"), "auth", id="1008-key"
        ),
        pytest.param(
            fault("close", on=[1, 2, 3], at="open", code=1008, message="No."),
            "refused",
            id="1008-at-once",
        ),
    ],
)
async def test_a_refusal_is_told_in_one_line(opened, given, kind):
    async with opened(timeouts=QUICK, **given) as (hearing, listener):
        await listener.until(lambda each: each.troubles, 10)
        hearing.flush()
        await listener.until(finals(1), 10)
    error = listener.troubles[0]
    assert (error.kind, error.lasting) == (kind, True)
    assert "\n" not in str(error)
    assert listener.key.key not in str(error)


# -- a wire that is cut


# `python -m benchmarks.hearing` cuts both of them in both ways, many times.
@pytest.mark.parametrize(
    ("opened", "how"), [("mistral", "reset"), ("vllm", "close")], indirect=["opened"]
)
async def test_a_wire_that_is_cut_at_any_moment(opened, how):
    passage = Passage.of([speak(text) for text in SAID], 2.0)
    dice = random.Random(how)
    pace = 8
    async with opened() as (_, listener):
        key, (client, model, base) = listener.key, DIALECTS[listener.dialect]
    cuts = [dice.uniform(0.1, passage.seconds / pace) for _ in range(2)]
    async with Cutter(key.url + base, cuts, how) as cutter:
        hearing, listener = client(Endpoint(cutter.url, key.key, model), PATIENT), Witness()
        await hearing.open(listener)
        try:
            await play(passage, hearing, listener, pace)
        finally:
            await hearing.close()
    assert cutter.done == 2
    assert cutter.connections > 1
    assert listener.finals == list(enumerate(SAID))
    assert not listener.troubles
