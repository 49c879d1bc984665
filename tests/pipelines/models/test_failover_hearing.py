from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.speech import speak
from vivavoce.pipelines.models import providers
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.failover_hearing import BYTES_PER_SECOND, HearingLine, Journal
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.models.succession import Provider
from vivavoce.pipelines.models.wishes import Wishes

pytestmark = pytest.mark.usefixtures("no_task_is_left")


# -- the journal


def test_what_has_its_final_text_is_not_kept():
    journal = Journal()
    journal.audio(b"aa")
    journal.flush(0)
    journal.audio(b"bb")
    journal.flush(1)
    journal.audio(b"cc")
    assert journal.entries == (b"aa", 0, b"bb", 1, b"cc")
    journal.settle(0)
    assert journal.entries == (b"bb", 1, b"cc")
    assert (len(journal), journal.owed) == (4, [1])


def test_the_oldest_audio_is_given_up_but_never_a_flush():
    journal = Journal(keep=4)
    for number in range(3):
        journal.audio(b"aaa")
        journal.flush(number)
    assert journal.entries == (0, 1, b"aaa", 2)


def test_a_final_text_that_nobody_asked_for_settles_what_lies_before_the_turns_end():
    journal = Journal()
    for _ in range(10):
        journal.audio(bytes(BYTES_PER_SECOND // 10))
    journal.turn_ended(0.25)
    journal.audio(bytes(BYTES_PER_SECOND // 10))
    journal.settle(0)
    # Never too much: a block that lies across the mark is kept.
    assert len(journal) == pytest.approx(0.4 * BYTES_PER_SECOND)
    journal.settle(1)
    assert len(journal) == 0


@given(st.lists(st.sampled_from(["audio", "flush", "final"]), max_size=40))
def test_all_audio_behind_the_last_answered_flush_is_kept_in_order(steps):
    journal, sent, asked, answered = Journal(), [], 0, 0
    for number, step in enumerate(steps):
        if step == "audio":
            sent.append(b"%4d" % number)
            journal.audio(sent[-1])
        elif step == "flush":
            sent.append(asked)
            journal.flush(asked)
            asked += 1
        elif answered < asked:
            journal.settle(answered)
            answered += 1
    place = sent.index(answered - 1) + 1 if answered else 0
    assert list(journal.entries) == sent[place:]


# -- lines of transcribers


@pytest.fixture
def quick() -> Timeouts:
    """Time-outs that a test can wait for, and a busy machine can keep."""
    return Timeouts(connect=1.0, final=1.0)


class Listener:
    def __init__(self):
        self.partials, self.finals, self.troubles = [], [], []
        self._told = asyncio.Event()

    def on_partial(self, segment, text):
        self.partials.append((segment, text))

    def on_final(self, segment, text):
        self.finals.append((segment, text))
        self._told.set()

    def on_turn(self, kind, seconds_ago):
        raise AssertionError(kind)

    def on_trouble(self, error, *, lost):
        self.troubles.append((error, lost))
        self._told.set()

    async def until(self, condition, seconds=20):
        async with asyncio.timeout(seconds):
            while not condition():
                self._told.clear()
                await self._told.wait()

    async def heard(self, count):
        await self.until(lambda: len(self.finals) >= count)


def voice(seconds: float) -> bytes:
    return (6_000 * np.sin(np.arange(round(seconds * 16_000)) / 9)).astype(np.int16).tobytes()


def say(hearing, pcm: bytes) -> None:
    for at in range(0, len(pcm), 640):
        hearing.send(pcm[at : at + 640])


@contextlib.asynccontextmanager
async def opened(wheres, quick, wishes=None):
    line = HearingLine(
        [Provider(each.name, providers.hearing(each, quick)) for each in wheres],
        final=quick.final,
    )
    hearing, listener = line(wishes or Wishes()), Listener()
    await hearing.open(listener)
    try:
        yield hearing, listener
    finally:
        await hearing.close()
        await hearing.close()


@pytest.fixture
def nowhere() -> Endpoint:
    """A server that is not there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return Endpoint(f"http://127.0.0.1:{taken.getsockname()[1]}", "k", "gone")


TEXTS = ["Hello there.", "A table for four.", "At eight.", "Goodbye."]


async def talk(hearing, listener, texts):
    for number in range(len(texts)):
        say(hearing, voice(0.5))
        assert hearing.flush() == number
        await listener.heard(number + 1)


async def test_a_transcriber_that_is_not_there_is_replaced(nowhere, endpoint, quick):
    two = endpoint("hear", script={"hear": TEXTS})
    async with opened([nowhere, two], quick) as (hearing, listener):
        await talk(hearing, listener, TEXTS)
        assert hearing.provider == two.name
    assert listener.finals == list(enumerate(TEXTS))
    assert not listener.troubles


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 503},
        {"kind": "stall", "at": "open"},
        {"kind": "reset", "at": "done"},
        {"kind": "lost_done"},
    ],
    ids=lambda fault: "-".join(map(str, list(fault.values())[:2])),
)
async def test_no_word_is_lost_or_doubled_whichever_way_it_fails(fault, endpoint, quick):
    one = endpoint("hear", script={"hear": [""] * 20}, faults={"hear": [fault]})
    two = endpoint("hear", script={"hear": TEXTS})
    async with opened([one, two], quick) as (hearing, listener):
        await talk(hearing, listener, TEXTS)
        assert hearing.provider == two.name
    assert listener.finals == list(enumerate(TEXTS))
    assert not listener.troubles


@pytest.mark.parametrize("kind", ["stall", "reset", "lost_done"])
async def test_what_the_first_one_has_told_for_good_is_not_said_again(kind, endpoint, quick):
    said = ["Where is the station?", "I would like a table for four people."]
    pause = bytes(2 * 16_000 // 2)
    pcm = [pause + np.asarray(speak(text), np.int16).tobytes() + pause for text in said]
    slow = dataclasses.replace(quick, final=2.0)

    async def transcript(*wheres):
        async with opened(wheres, slow) as (hearing, listener):
            for number, each in enumerate(pcm):
                say(hearing, each)
                hearing.flush()
                await listener.heard(number + 1)
            assert not listener.troubles
        return listener.finals

    fault = {"kind": kind, "on": list(range(2, 40))}
    undisturbed = await transcript(endpoint("hear"))
    assert all(text for _, text in undisturbed)
    found = await transcript(endpoint("hear", faults={"hear": [fault]}), endpoint("hear"))
    assert found == undisturbed


async def test_a_call_stays_with_the_second_and_the_next_call_begins_with_it(
    nowhere, endpoint, quick
):
    two = endpoint("hear", script={"hear": TEXTS})
    line = HearingLine(
        [Provider(each.name, providers.hearing(each, quick)) for each in (nowhere, two)]
    )
    for number in range(2):
        hearing, listener = line(Wishes()), Listener()
        await hearing.open(listener)
        if number:
            assert hearing.provider == two.name
        say(hearing, voice(0.4))
        hearing.flush()
        await listener.heard(1)
        assert listener.finals == [(0, TEXTS[number])]
        await hearing.close()


async def test_when_nobody_is_left_it_is_told_once_and_flushes_are_answered(nowhere, quick):
    other = dataclasses.replace(nowhere, model="gone too")
    async with opened([nowhere, other], quick) as (hearing, listener):
        say(hearing, voice(0.3))
        hearing.flush()
        await listener.until(lambda: listener.troubles and listener.finals)
    assert [lost for _, lost in listener.troubles] == [True]
    assert listener.finals == [(0, "")]


async def test_one_behind_the_first_is_asked_without_wishes_that_it_does_not_take(
    nowhere, endpoint, quick
):
    two = endpoint("hear", script={"hear": TEXTS})
    two = dataclasses.replace(two, dialect="vllm", model="mistralai/Voxtral-Mini-4B-Realtime-2602")
    async with opened([nowhere, two], quick, Wishes(language="en")) as (hearing, listener):
        say(hearing, voice(0.4))
        hearing.flush()
        await listener.heard(1)
    assert listener.finals == [(0, TEXTS[0])]
    assert not listener.troubles


class Slow:
    """A transcriber that takes a moment to open, and tells what it was sent."""

    backlog = 0.0

    def __init__(self, after: float = 0.05, fails: bool = False) -> None:
        self.after, self.fails = after, fails
        self.got = []
        self.closed = False

    async def open(self, listener):
        self.listener = listener
        await asyncio.sleep(self.after)
        if self.fails:
            listener.on_trouble(ModelError("hearing", "auth", "no"), lost=True)

    def send(self, pcm):
        self.got.append(pcm)

    def flush(self):
        self.got.append(None)
        return self.got.count(None) - 1

    async def close(self):
        self.closed = True


async def test_what_is_said_while_another_one_opens_is_sent_once_and_in_order():
    one, two = Slow(fails=True), Slow(0.1)
    line = HearingLine([Provider("a", lambda _: one), Provider("b", lambda _: two)])
    hearing, listener = line(Wishes()), Listener()
    opening = asyncio.create_task(hearing.open(listener))
    for number in range(40):
        hearing.send(b"%4d" % number)
        if number == 20:
            assert hearing.flush() == 0
        await asyncio.sleep(0.01)
    await opening
    await asyncio.sleep(0.3)
    sent = [b"%4d" % number for number in range(40)]
    assert two.got == [*sent[:21], None, *sent[21:]]
    assert one.closed
    # Whoever was replaced is not heard any more.
    one.listener.on_final(0, "too late")
    assert listener.finals == []
    two.listener.on_final(0, "in time")
    assert listener.finals == [(0, "in time")]
    await hearing.close()
    assert two.closed
