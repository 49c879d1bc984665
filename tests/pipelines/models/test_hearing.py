from __future__ import annotations

import asyncio
import contextlib
import gc
import socket

import numpy as np
import psutil
import pytest

from tests.speech import speak
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.hearing import MistralHearing
from vivavoce.pipelines.models.hearing_socket import LOST, RATE
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.models.wishes import Wishes

pytestmark = pytest.mark.usefixtures("no_task_is_left")


class Listener:
    """Keeps what it is told."""

    def __init__(self):
        self.partials: list[tuple[int, str]] = []
        self.finals: list[tuple[int, str]] = []
        self.troubles: list = []
        self._told = asyncio.Event()

    def on_partial(self, segment, text):
        self.partials.append((segment, text))
        self._told.set()

    def on_final(self, segment, text):
        self.finals.append((segment, text))
        self._told.set()

    def on_turn(self, kind, seconds_ago):
        raise AssertionError(kind)  # nobody asked

    def on_trouble(self, error, *, lost):
        assert lost
        self.troubles.append(error)
        self._told.set()

    async def until(self, condition, seconds: float = 10):
        async with asyncio.timeout(seconds):
            while not condition(self):
                self._told.clear()
                await self._told.wait()


@contextlib.asynccontextmanager
async def opened(endpoint, timeouts, **options):
    hearing, listener = MistralHearing(endpoint, timeouts, Wishes(**options)), Listener()
    await hearing.open(listener)
    try:
        yield hearing, listener
    finally:
        await hearing.close()


def voice(seconds: float) -> bytes:
    """Something that counts as speech for a scripted ear."""
    return (6_000 * np.sin(np.arange(round(seconds * RATE)) / 9)).astype(np.int16).tobytes()


def say(hearing, pcm: bytes, *, block: int = 640) -> None:
    for at in range(0, len(pcm), block):
        hearing.send(pcm[at : at + block])


async def connections(key, count: int) -> None:
    """Wait for a new connection; a scripted ear on the old one would eat the next line."""
    async with asyncio.timeout(5):
        while key.report["connections"] < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def finals(count: int):
    return lambda listener: len(listener.finals) >= count


# -- hearing


async def test_words_arrive_and_a_flush_gives_the_final_text(endpoint, quick):
    patient = Timeouts(connect=quick.connect, final=8)
    async with opened(endpoint("hear"), patient) as (hearing, listener):
        speech = speak("I would like a table for four people this evening.")
        say(hearing, np.concatenate([speech, np.zeros(16_000, np.int16)]).tobytes())
        await listener.until(lambda each: each.partials)
        assert hearing.flush() == 0
        await listener.until(finals(1))
    number, text = listener.finals[0]
    assert number == 0
    assert "table for four people" in text.lower()
    assert all(segment == 0 for segment, _ in listener.partials)
    assert not listener.troubles


async def test_utterances_are_numbered_and_told_in_order(endpoint, quick):
    texts = ["Hello there.", "A table for four.", "", "Goodbye."]
    where = endpoint("hear", script={"hear": texts})
    async with opened(where, quick) as (hearing, listener):
        for number in range(len(texts)):
            say(hearing, voice(0.5))
            assert hearing.flush() == number
        await listener.until(finals(len(texts)))
    assert listener.finals == list(enumerate(texts))
    assert endpoint.keys[where].report["connections"] == 1


async def test_audio_and_a_flush_may_come_before_the_connection(endpoint, quick):
    where = endpoint(
        "hear",
        script={"hear": ["Hello."]},
        faults={"hear": [{"kind": "slow", "ms": 300}]},
    )
    async with opened(where, quick) as (hearing, listener):
        say(hearing, voice(1.0))
        hearing.flush()
        await listener.until(finals(1))
        assert hearing.backlog == 0
    assert listener.finals == [(0, "Hello.")]
    assert not listener.troubles


async def test_a_flush_of_nothing_is_answered_with_nothing(endpoint, quick):
    async with opened(endpoint("hear", script={"hear": []}), quick) as (hearing, listener):
        hearing.flush()
        await listener.until(finals(1))
    assert listener.finals == [(0, "")]


async def test_every_byte_arrives_whatever_the_blocks(endpoint, quick):
    where = endpoint("hear", script={"hear": ["Hi."]})
    async with opened(where, quick) as (hearing, listener):
        say(hearing, voice(1.0), block=222)
        hearing.flush()
        await listener.until(finals(1))
    assert endpoint.keys[where].report["heard_s"] == pytest.approx(1.0, abs=1e-6)


async def test_the_delay_is_set_for_the_session(endpoint, quick):
    where = endpoint("hear", script={"hear": ["one two three"]}, latency={"hear_word_ms": 100})
    async with opened(where, quick, delay_ms=80) as (hearing, listener):
        say(hearing, voice(0.5))
        await listener.until(lambda each: each.partials and "three" in each.partials[-1][1])


# -- what goes wrong


async def test_a_final_that_is_lost_is_asked_for_again(endpoint, quick):
    where = endpoint(
        "hear",
        script={"hear": ["one two three", "one two three", "Goodbye."]},
        latency={"hear_word_ms": 100, "hear_delay_ms": 0},
        faults={"hear": [{"kind": "lost_done", "on": [1]}]},
    )
    async with opened(where, quick) as (hearing, listener):
        for number in range(2):
            say(hearing, voice(1.0))
            hearing.flush()
            await listener.until(finals(number + 1))
    assert listener.finals == [(0, "one two three"), (1, "Goodbye.")]
    # A late answer would be taken for the next one's, so the connection is another one.
    assert endpoint.keys[where].report["connections"] == 2
    assert not listener.troubles


async def test_finals_that_never_come_are_made_up_from_what_was_understood(endpoint, quick):
    # What Mistral's service was seen to do from the second utterance on.
    where = endpoint(
        "hear",
        script={"hear": ["one two three"] * 2},
        latency={"hear_word_ms": 100, "hear_delay_ms": 0},
        faults={"hear": [{"kind": "lost_done"}]},
    )
    async with opened(where, quick) as (hearing, listener):
        say(hearing, voice(1.0))
        hearing.flush()
        await listener.until(finals(1))
    assert listener.finals == [(0, "one two three")]


async def test_a_server_that_stops_in_the_middle_of_a_sentence_is_not_believed(endpoint, quick):
    # The line is heard twice: by the connection that stops behind "one", and by the next.
    where = endpoint(
        "hear",
        script={"hear": ["one two three", "one two three"]},
        latency={"hear_word_ms": 300, "hear_delay_ms": 0},
        faults={"hear": [{"kind": "stall", "at": "audio", "after": 0.7, "on": [1]}]},
    )
    async with opened(where, quick) as (hearing, listener):
        say(hearing, voice(0.5))
        await listener.until(lambda each: each.partials)
        say(hearing, voice(0.5))
        hearing.flush()
        await listener.until(finals(1))
    assert listener.partials[0] == (0, "one")
    assert listener.finals == [(0, "one two three")]
    assert not listener.troubles


async def test_whom_nobody_hears_is_told_so_within_five_times_the_time_out():
    hearing, listener = (
        MistralHearing(Endpoint("http://127.0.0.1:1", "", "m"), Timeouts(final=1.0)),
        Listener(),
    )
    hearing._listener = listener
    hearing.flush()
    waited = []
    for _ in range(3):
        hearing._segments.reconnected()
        while hearing._segments.pending:
            hearing._segments.next()
        began = hearing._flushed_at[0] = asyncio.get_running_loop().time()
        tenths = 0
        with contextlib.suppress(ModelError):
            for tenths in range(100):
                hearing._judge_answers(began + tenths / 10)
        waited.append(tenths / 10)
    assert waited == pytest.approx([1, 2, 2], abs=0.11)
    assert listener.finals == [(0, "")]
    (trouble,) = listener.troubles
    assert "asked 3 times" in str(trouble)


async def test_a_server_that_never_answers_leaves_what_was_understood(endpoint, quick):
    where = endpoint(
        "hear",
        script={"hear": ["one two three"]},
        latency={"hear_word_ms": 100, "hear_delay_ms": 0},
        faults={"hear": [{"kind": "stall", "at": "audio", "after": 0.6}]},
    )
    async with opened(where, quick) as (hearing, listener):
        say(hearing, voice(0.5))
        await listener.until(lambda each: each.partials and "three" in each.partials[-1][1])
        say(hearing, voice(0.5))
        hearing.flush()
        await listener.until(finals(1))
    assert listener.finals == [(0, "one two three")]


@pytest.mark.parametrize("at", ["delta", "done"])
@pytest.mark.parametrize(
    "fault", [{"kind": "reset"}, {"kind": "close", "code": 1011}, {"kind": "error", "code": 3804}]
)
async def test_a_lost_connection_loses_no_word(endpoint, fault, at):
    where = endpoint("hear", faults={"hear": [{**fault, "on": [1], "at": at}]})
    broken = endpoint.keys[where]
    async with opened(where, Timeouts(connect=2, final=8)) as (hearing, listener):
        speech = speak("I would like a table for four people this evening.")
        say(hearing, np.concatenate([speech, np.zeros(16_000, np.int16)]).tobytes())
        hearing.flush()
        await listener.until(finals(1), 8)
    if at == "done":
        assert "table for four people" in listener.finals[0][1].lower()
        assert broken.report["connections"] == 2
        assert not listener.troubles
    else:
        # Not counted yet, it is struck at each attempt: given up and told, not tried for ever.
        assert listener.finals[0][0] == 0
        assert len(listener.troubles) == 1


async def test_a_server_that_stops_answering_is_replaced(endpoint, quick):
    where = endpoint(
        "hear",
        script={"hear": ["Hello.", "Hello.", "Goodbye."]},
        faults={"hear": [{"kind": "stall", "on": [1]}]},
    )
    async with opened(where, quick) as (hearing, listener):
        for number in range(2):
            say(hearing, voice(1.0))
            hearing.flush()
            await listener.until(finals(number + 1))
            await connections(endpoint.keys[where], 2)
    assert listener.finals == [(0, "Hello."), (1, "Goodbye.")]
    assert not listener.troubles


async def test_an_utterance_of_which_nothing_ever_comes_is_told_as_trouble(endpoint, quick):
    """Whoever said it waits for an answer, and an operator for a reason."""
    faults = {"hear": [{"kind": "stall", "at": "delta"}, {"kind": "stall", "at": "done"}]}
    where = endpoint("hear", script={"hear": [""] * 9}, faults=faults)
    async with opened(where, quick) as (hearing, listener):
        say(hearing, voice(0.5))
        hearing.flush()
        await listener.until(lambda it: it.finals, 20)
    assert listener.finals == [(0, "")]
    (error,) = listener.troubles
    assert (error.kind, "asked 3 times" in str(error)) == ("timeout", True)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "auth"), (403, "refused"), (402, "auth"), (422, "refused")]
)
async def test_a_refusal_is_told_once_and_nobody_waits(endpoint, quick, status, kind):
    where = endpoint("hear", faults={"hear": [{"kind": "status", "status": status}]})
    async with opened(where, quick) as (hearing, listener):
        await listener.until(lambda each: each.troubles, 2)
        error = listener.troubles[0]
        assert (error.stage, error.kind, error.lasting) == ("hearing", kind, True)
        assert str(status) in str(error)
        assert "\n" not in str(error)
        assert where.key not in str(error)
        # Whoever speaks later gets an answer at once, and not in half a minute.
        for number in range(2):
            say(hearing, voice(0.2))
            hearing.flush()
            await listener.until(finals(number + 1), 1)
        assert len(listener.troubles) == 1
    assert listener.finals == [(0, ""), (1, "")]


async def test_a_wrong_key(endpoint, quick):
    where = endpoint("hear")
    wrong = Endpoint(where.url, "wrong-key", where.model)
    async with opened(wrong, quick) as (_, listener):
        await listener.until(lambda each: each.troubles, 2)
    assert listener.troubles[0].kind == "auth"
    assert "wrong-key" not in str(listener.troubles[0])


async def test_a_model_that_does_not_exist(endpoint, quick):
    where = endpoint("hear")
    wrong = Endpoint(where.url, where.key, "voxtral-nope")
    async with opened(wrong, quick) as (_, listener):
        await listener.until(lambda each: each.troubles, 2)
    assert listener.troubles[0].kind == "refused"
    assert "voxtral-nope" in str(listener.troubles[0])


async def test_a_server_that_is_not_there(quick):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        where = Endpoint(f"http://127.0.0.1:{taken.getsockname()[1]}", "k", "m")
        async with opened(where, quick) as (hearing, listener):
            hearing.flush()
            await listener.until(finals(1), 5)
            assert [error.kind for error in listener.troubles] == ["unreachable"]
            assert where.url in str(listener.troubles[0])
    assert listener.finals == [(0, "")]


async def test_a_server_that_accepts_and_says_nothing(quick):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        where = Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", "k", "m")
        impatient = Timeouts(connect=0.1, final=0.1)
        async with opened(where, impatient) as (hearing, listener):
            hearing.flush()
            await listener.until(lambda each: each.troubles, 5)
    assert listener.troubles[0].kind == "timeout"


async def test_an_url_that_is_none(quick):
    async with opened(Endpoint("ftp//nowhere", "k", "m"), quick) as (_, listener):
        await listener.until(lambda each: each.troubles, 2)
    assert listener.troubles[0].kind == "refused"


async def test_it_comes_back_when_the_server_does(endpoint, quick):
    failing = list(range(1, LOST))
    where = endpoint(
        "hear",
        script={"hear": ["Hello."]},
        faults={"hear": [{"kind": "status", "status": 503, "on": failing}]},
    )
    async with opened(where, quick) as (hearing, listener):
        say(hearing, voice(1.0))
        hearing.flush()
        await listener.until(finals(1), 8)
    assert listener.finals == [(0, "Hello.")]
    assert not listener.troubles


# -- ending


async def test_closing_is_idempotent_at_any_time(endpoint, quick):
    never = MistralHearing(endpoint("hear"), quick)
    await never.close()
    await never.close()
    hearing = MistralHearing(endpoint("hear"), quick)
    await hearing.open(Listener())
    await hearing.close()
    await hearing.close()
    # What comes late does no harm.
    hearing.send(voice(0.1))
    hearing.flush()


async def test_cancelling_who_closes_is_not_swallowed(endpoint, quick):
    hearing, listener = MistralHearing(endpoint("hear"), quick), Listener()
    await hearing.open(listener)
    hearing.flush()
    await listener.until(finals(1))
    closing = asyncio.create_task(hearing.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await hearing.close()


async def test_many_calls_leak_nothing(endpoint, quick):
    where = endpoint("hear", script={"hear": []})
    process = psutil.Process()

    async def cycle():
        async with opened(where, quick) as (hearing, listener):
            hearing.flush()
            await listener.until(finals(1))

    for _ in range(5):
        await cycle()
    gc.collect()
    files, tasks = process.num_fds(), len(asyncio.all_tasks())
    for _ in range(10):
        await asyncio.gather(*(cycle() for _ in range(20)))
    gc.collect()
    assert process.num_fds() <= files + 2
    assert len(asyncio.all_tasks()) == tasks
