"""The transcriber follows the caller's turns: Voxtral 3's events, and final texts unasked."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.pipelines.models.test_hearing import Listener as Silent
from tests.pipelines.models.test_hearing import say, voice
from vivavoce.pipelines.models.hearing import MistralHearing
from vivavoce.pipelines.models.hearing_socket import RATE
from vivavoce.pipelines.models.segments import BYTES_PER_SECOND, Segments
from vivavoce.pipelines.models.wishes import TurnDetection, Wishes

pytestmark = pytest.mark.usefixtures("no_task_is_left")

MODEL = "voxtral-mini-transcribe-realtime-3-0"
CHUNK = BYTES_PER_SECOND // 10


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


class Listener(Silent):
    """Keeps the turns too, and the order of everything."""

    def __init__(self):
        super().__init__()
        self.turns: list[tuple[str, float]] = []
        self.order: list = []

    def on_final(self, segment, text):
        self.order.append(text)
        super().on_final(segment, text)

    def on_turn(self, kind, seconds_ago):
        self.turns.append((kind, seconds_ago))
        self.order.append(kind)
        self._told.set()

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.turns]


@pytest.fixture
def opened(endpoint, quick):
    """A factory: a hearing on Voxtral 3, under a key with this profile."""

    @contextlib.asynccontextmanager
    async def make(*, timeouts=quick, detect=True, options=None, **profile):
        where = endpoint("hear", **profile)
        third = dataclasses.replace(where, model=MODEL)
        hearing, listener = (
            MistralHearing(third, timeouts, Wishes(turns=detect, **(options or {}))),
            Listener(),
        )
        listener.key = endpoint.keys[where]
        await hearing.open(listener)
        try:
            yield hearing, listener
        finally:
            await hearing.close()

    return make


def scripted(*texts, done="after", faults=(), **turns) -> dict:
    return {
        "script": {"hear": list(texts)},
        "latency": {"hear_delay_ms": 0, "hear_word_ms": 50},
        "turns": {"done": done, **turns},
        "faults": {"hear": list(faults)},
    }


# -- over real sockets


@pytest.mark.parametrize("done", ["after", "before"])
async def test_turns_and_their_texts_come_unasked(opened, done):
    async with opened(**scripted("A table.", "For four.", done=done)) as (hearing, listener):
        for number in range(2):
            say(hearing, voice(0.5) + silence(1))
            await listener.until(
                lambda each, number=number: (
                    len(each.finals) > number and each.kinds().count("end") > number
                )
            )
    assert listener.finals == [(0, "A table."), (1, "For four.")]
    end = ["end", "A table."] if done == "after" else ["A table.", "end"]
    assert listener.order[:4] == ["start", "eager_end", *end]
    assert all(segment in (0, 1) for segment, _ in listener.partials)
    assert not listener.troubles
    assert listener.key.report["connections"] == 1


async def test_without_texts_of_its_own_a_flush_gives_them(opened):
    async with opened(**scripted("A table.", "For four.", done="none")) as (hearing, listener):
        for number in range(2):
            say(hearing, voice(0.5) + silence(1))
            await listener.until(lambda each, number=number: each.kinds().count("end") > number)
            assert len(listener.finals) == number
            assert hearing.flush() == number
            await listener.until(lambda each, number=number: len(each.finals) > number)
    assert listener.finals == [(0, "A table."), (1, "For four.")]


@pytest.mark.parametrize("done", ["after", "before", "none"])
async def test_a_flush_at_the_eager_end_has_the_words_and_the_end_adds_none(opened, done):
    async with opened(**scripted("A table.", "For four.", done=done)) as (hearing, listener):
        for number in range(2):
            say(hearing, voice(0.5) + silence(0.3))
            await listener.until(
                lambda each, number=number: each.kinds().count("eager_end") > number
            )
            hearing.flush()
            await listener.until(lambda each, number=number: len(each.finals) > number)
            say(hearing, silence(0.5))
            await listener.until(lambda each, number=number: each.kinds().count("end") > number)
    assert listener.finals == [(0, "A table."), (1, "For four.")]
    assert not listener.troubles


@pytest.mark.parametrize("done", ["after", "before", "none"])
async def test_a_flush_at_the_end_is_answered_whoever_was_first(opened, done):
    async with opened(**scripted("A table.", "For four.", done=done)) as (hearing, listener):
        flushes = []
        heard = listener.on_turn

        def on_turn(kind, ago):
            heard(kind, ago)
            if kind == "end":
                flushes.append(hearing.flush())

        listener.on_turn = on_turn
        for number in range(2):
            say(hearing, voice(0.5) + silence(1))
            await listener.until(
                lambda each, number=number: (
                    len(flushes) > number and len(each.finals) > flushes[number]
                )
            )
    assert " ".join(text for _, text in listener.finals if text) == "A table. For four."
    assert [number for number, _ in listener.finals] == list(range(len(listener.finals)))
    assert not listener.troubles


async def test_how_long_ago_is_measured_in_audio(opened):
    plan = scripted("One.", eager_end_ms=100, end_ms=300)
    async with opened(**plan) as (hearing, listener):
        # All of it went out before the first event can have come back.
        hearing.send(voice(0.5) + silence(1.5))
        await listener.until(lambda each: "end" in each.kinds())
    ago = dict(listener.turns)
    assert ago == {
        "start": pytest.approx(1.94, abs=0.03),
        "eager_end": pytest.approx(1.4, abs=0.03),
        "end": pytest.approx(1.2, abs=0.03),
    }


async def test_a_turn_goes_on(opened):
    async with opened(**scripted("One two three.")) as (hearing, listener):
        say(hearing, voice(0.5) + silence(0.3) + voice(0.5) + silence(1))
        await listener.until(lambda each: each.finals)
    assert listener.kinds() == ["start", "eager_end", "resume", "eager_end", "end"]
    assert listener.finals == [(0, "One two three.")]


async def test_a_connection_lost_at_the_text_of_a_turn_loses_and_doubles_no_word(opened, quick):
    plan = scripted("One.", "Two.", "Two.", faults=[{"kind": "reset", "on": [2], "at": "done"}])
    async with opened(**plan) as (hearing, listener):
        say(hearing, voice(0.5) + silence(1))
        await listener.until(lambda each: each.finals)
        say(hearing, voice(0.5) + silence(1))
        await listener.until(lambda each: len(each.finals) > 1)
        # The second turn was judged twice, the first only once.
        assert listener.kinds().count("start") == 3
        ago = listener.turns[-1][1]
    assert listener.finals == [(0, "One."), (1, "Two.")]
    assert 0 <= ago < 2  # counted on the new connection
    assert listener.key.report["connections"] == 2


async def test_words_whose_final_text_never_comes_are_told_with_the_next(opened):
    plan = scripted("One two.", "Three.", faults=[{"kind": "lost_done", "on": [1]}])
    async with opened(**plan) as (hearing, listener):
        for count in (1, 2):
            say(hearing, voice(0.5) + silence(1))
            await listener.until(
                lambda each, count=count: (
                    each.kinds().count("end") == count and len(each.finals) == count - 1
                )
            )
    assert [(n, text.replace(" ", "")) for n, text in listener.finals] == [(0, "Onetwo.Three.")]


async def test_what_is_asked_for_is_sent(opened):
    tuned = TurnDetection(min_silence_ms=200, end_timeout_ms=900)
    options = {"language": "en", "context_bias": ["levain"], "delay_ms": 240}
    plan = scripted("a table for")
    async with opened(detect=tuned, options=options, **plan) as (hearing, listener):
        say(hearing, voice(0.5) + silence(1.5))
        await listener.until(lambda each: "end" in each.kinds())
    assert listener.kinds() == ["start", "end"]  # by the tuned time-out
    assert not listener.troubles


async def test_a_model_without_turns_says_so(endpoint, quick):
    listener = Listener()
    hearing = MistralHearing(endpoint("hear"), quick, Wishes(turns=True))
    await hearing.open(listener)
    try:
        await listener.until(lambda each: each.troubles)
    finally:
        await hearing.close()
    error = listener.troubles[0]
    assert (error.kind, error.lasting) == ("refused", True)
    assert "voxtral-mini-transcribe-realtime-2602 does not follow turns" in str(error)


async def test_nobody_who_asked_for_no_turns_gets_any(opened):
    async with opened(detect=False, **scripted("One.")) as (hearing, listener):
        say(hearing, voice(0.5) + silence(1))
        hearing.flush()
        await listener.until(lambda each: each.finals)
    assert listener.turns == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"start_threshold": 0.4}, "start_threshold >= eager_end_threshold > end_threshold"),
        ({"end_threshold": 0.5}, "got 0.5, 0.5 and 0.5"),
        ({"end_threshold": -0.1}, "end_threshold must be from 0 to 1"),
        ({"min_silence_ms": -1}, "from 0 to inf"),
        ({"end_timeout_ms": 100}, "at least min_silence_ms; got 100 and 500"),
    ],
)
async def test_tuning_that_the_server_would_refuse(fields, why):
    with pytest.raises(ValueError, match=why):
        TurnDetection(**fields)


# -- a server that follows turns, in any order of events


class Turns(RuleBasedStateMachine):
    """A client and a server whose turns end where they like.

    One word per chunk of audio, silence between turns. Flushes and the server's own texts may
    cross; connections break whenever no such crossing is under way, nor a final text or an end.
    """

    def __init__(self):
        super().__init__()
        self.segments = Segments(unasked=True)
        self.said: list[str] = []
        self.finals: list[tuple[int, str]] = []
        self.flushed = 0
        self.order = "after"
        self.connect()

    def connect(self):
        self.sent: list[str | None] = []  # the socket: words, "" for silence, None for a flush
        self.taken = 0  # of it, what the server has
        self.at = 0  # chunks that it has
        self.written: list[str] = []  # words since its last final text
        self.unwritten = 0  # of these, without a delta yet
        self.events: list[tuple] = []  # on the way to the client
        self.turn = False
        self.crossed = False

    @rule(order=st.sampled_from(["after", "before", "none"]))
    def change_order(self, order):
        self.order = order

    @rule(count=st.integers(1, 3))
    def speak(self, count):
        for _ in range(count):
            word = f"w{len(self.said)}"
            self.said.append(word)
            self.segments.audio(word.encode().ljust(CHUNK))

    @rule(count=st.integers(1, 3))
    def be_still(self, count):
        for _ in range(count):
            self.segments.audio(b"".ljust(CHUNK))

    @rule()
    def flush(self):
        self.flushed = self.segments.flush()

    @precondition(lambda self: self.segments.pending)
    @rule(count=st.integers(1, 6))
    def send(self, count):
        for _ in range(count):
            if self.segments.pending:
                item = self.segments.next()
                self.sent.append(None if item is None else item.decode().strip())

    @precondition(lambda self: self.taken < len(self.sent))
    @rule(count=st.integers(1, 6), eager=st.booleans())
    def hear(self, count, eager):
        for item in self.sent[self.taken : self.taken + count]:
            self.taken += 1
            if item is None:
                self.events.append(("done", self.final()))
                continue
            self.at += 1
            if item:
                self.written.append(item)
                if not self.turn:
                    self.events.append(("start", self.at / 10))
                self.events.append(("delta", f"{item} "))
                self.turn = True
            elif self.turn:
                if eager:
                    self.events.append(("eager_end", (self.at - 0.5) / 10))
                self.turn = False
                end = [("end", self.at / 10)]
                if self.order == "none":
                    self.events += end
                    continue
                done = [("done", self.final())]
                self.crossed |= None in self.sent[self.taken :] or bool(self.segments.owed)
                self.events += end + done if self.order == "after" else done + end

    def final(self) -> str:
        words, self.written = " ".join(self.written), []
        return words

    @precondition(lambda self: self.events)
    @rule(count=st.integers(1, 4))
    def receive(self, count):
        for _ in range(min(count, len(self.events))):
            kind, what = self.events.pop(0)
            if kind == "delta":
                number, text = self.segments.delta(what)
                assert number == len(self.finals)
                assert text.split()[-1] == what.strip()
            elif kind == "done":
                self.crossed |= len(self.segments.owed) > 0 and self.unasked_on_the_way
                settled = self.segments.done(what)
                if settled is not None:
                    self.finals.append(settled)
            else:
                ago = self.segments.turn(kind, what)
                went = sum(item is not None for item in self.sent) / 10
                assert ago == pytest.approx(went - what, abs=1e-6)

    @property
    def unasked_on_the_way(self) -> bool:
        answers = sum(item is None for item in self.sent[: self.taken])
        return sum(kind == "done" for kind, _ in self.events) + 1 > answers

    @precondition(lambda self: not self.crossed and not {"done", "end"} & dict(self.events).keys())
    @rule()
    def reconnect(self):
        self.segments.reconnected()
        self.connect()

    @invariant()
    def finals_are_numbered_in_order_and_hold_the_words_in_order(self):
        assert [number for number, _ in self.finals] == list(range(len(self.finals)))
        words = [word for _, text in self.finals for word in text.split()]
        assert words == self.said[: len(words)]

    def teardown(self):
        """All that is on the way arrives; a last flush brings every word, none twice."""
        self.segments.flush()
        self.order = "none"
        for _ in range(1000):
            if self.segments.pending:
                self.send(6)
            if self.taken < len(self.sent):
                self.hear(6, eager=True)
            if not self.events and not self.segments.pending and self.taken == len(self.sent):
                break
            if self.events:
                self.receive(4)
        assert [word for _, text in self.finals for word in text.split()] == self.said
        assert self.segments.owed == ()


Turns.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestTurns = Turns.TestCase


# -- single cases of what is kept


def sent_all(segments):
    items = []
    while segments.pending:
        items.append(segments.next())
    return items


def heard(*, order):
    """One turn of one second, of which the last half is silence, and 0.3 s behind it."""
    segments = Segments(unasked=True)
    for number in range(13):
        segments.audio(bytes([number]) * CHUNK)
    sent_all(segments)
    segments.turn("start", 0.1)
    segments.delta("One")
    segments.turn("eager_end", 0.7)
    found = []
    for what in order:
        if what == "end":
            assert segments.turn("end", 1.0) == pytest.approx(0.3)
        else:
            found.append(segments.done("One."))
    assert found == [(0, "One.")]
    return segments


@pytest.mark.parametrize("order", [["end", "done"], ["done", "end"]])
def test_what_went_out_behind_the_end_is_sent_again(order):
    segments = heard(order=order)
    segments.reconnected()
    assert [item[0] for item in sent_all(segments)] == [10, 11, 12]
    assert segments.current == 1


def test_a_connection_lost_between_text_and_end_doubles_only_silence():
    segments = heard(order=["done"])
    segments.reconnected()
    assert [item[0] for item in sent_all(segments)] == list(range(7, 13))


def test_an_end_whose_text_is_lost_with_the_connection_is_sent_again():
    segments = heard(order=["end", "done"])
    for number in range(13, 20):
        segments.audio(bytes([number]) * CHUNK)
    sent_all(segments)
    segments.turn("start", 1.4)
    segments.delta("Two")
    segments.turn("eager_end", 1.7)
    segments.turn("end", 1.8)
    segments.reconnected()
    assert [item[0] for item in sent_all(segments)] == list(range(10, 20))


def test_a_text_without_words_ends_nothing():
    segments = Segments(unasked=True)
    segments.audio(bytes(CHUNK))
    sent_all(segments)
    segments.turn("start", 0.0)
    segments.turn("end", 0.1)
    assert segments.done("") is None
    assert segments.current == 0
    segments.reconnected()
    assert not segments.pending  # the server is done with it


@pytest.mark.parametrize(("final", "told"), [("Two.", "One. Two."), ("One. Two!", "One. Two!")])
def test_a_text_that_skips_a_turn_without_one_of_its_own(final, told):
    segments = Segments(unasked=True)
    segments.turn("start", 0.0)
    segments.delta("One.")
    segments.turn("end", 0.0)
    segments.turn("start", 0.0)
    segments.delta(" Two")
    segments.turn("end", 0.0)
    segments.delta(".")
    assert segments.done(final) == (0, told)
    segments.delta("Two")
    assert segments.done("Two") == (1, "Two")


def test_a_flush_that_waits_to_be_sent_takes_a_text_that_came_before_it():
    segments = Segments(unasked=True)
    segments.audio(b"1" * CHUNK)
    sent_all(segments)
    segments.turn("start", 0.0)
    segments.audio(b"2" * CHUNK)
    segments.flush()
    segments.turn("end", 0.1)
    assert segments.done("One.") is None
    assert segments.delta(" Tw") == (0, "One. Tw")
    segments.reconnected()
    assert [item and item[:1] for item in sent_all(segments)] == [b"2", None]
    assert segments.done("Two.") == (0, "One. Two.")


def test_an_event_from_the_future_is_now():
    segments = Segments(unasked=True)
    assert segments.turn("start", 3.0) == 0
    assert segments.turn("end", float("inf")) == 0


def test_how_long_ago_starts_anew_with_the_connection():
    segments = Segments(unasked=True)
    segments.audio(bytes(BYTES_PER_SECOND))
    segments.audio(bytes(BYTES_PER_SECOND))
    segments.next()
    assert segments.turn("start", 0.25) == pytest.approx(0.75)
    segments.next()
    assert segments.turn("eager_end", 0.25) == pytest.approx(1.75)
    segments.reconnected()
    assert segments.turn("start", 0.0) == 0
