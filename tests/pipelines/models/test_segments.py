from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vivavoce.pipelines.models.segments import Segments

# -- a server that writes down one word per piece of audio, over connections that break

VOCABULARY = ["no", "yes", "table", "four", "no-no"]


class Conversation(RuleBasedStateMachine):
    """A client and a server, in any order of events."""

    def __init__(self):
        super().__init__()
        self.segments = Segments()
        self.said: list[list[str]] = [[]]  # per segment, what the caller really said
        self.finals: list[tuple[int, str]] = []
        self.given_up: set[int] = set()
        self.asked: list[bool] = []  # what was asked for and not answered; whether by a flush
        self.settled: list[str] = []  # words of the oldest segment that are settled already
        self.connect()

    def connect(self):
        self.received: list[list[str]] = [[]]  # per final text that is asked for here
        self.told = 0  # of them those that were answered
        self.base = [*self.settled]  # what is settled already of the first of them
        self.first = len(self.finals)
        self.written = 0  # words of the next one that went out as deltas

    @rule(word=st.sampled_from(VOCABULARY))
    def audio(self, word):
        self.said[-1].append(word)
        self.segments.audio(word.encode())

    @rule()
    def flush(self):
        assert self.segments.flush() == len(self.said) - 1
        self.said.append([])
        self.asked.append(True)

    @precondition(lambda self: not self.segments.asked)
    @rule()
    def checkpoint(self):
        self.segments.checkpoint()
        self.asked.append(False)

    @precondition(lambda self: self.segments.pending)
    @rule()
    def send(self):
        item = self.segments.next()
        if item is None:
            self.received.append([])
        else:
            self.received[-1].append(item.decode())

    @precondition(lambda self: self.written < len(self.received[self.told]))
    @rule(data=st.data())
    def delta(self, data):
        word = self.received[self.told][self.written]
        self.written += 1
        number, text = self.segments.delta(word + " ")
        assert number == len(self.finals)
        assert text.split() == self.said[number][: len(self.settled) + self.written]

    @precondition(lambda self: self.told < len(self.received) - 1)
    @rule(whole_session=st.booleans())
    def done(self, whole_session):
        words = self.received[self.told]
        # Some servers answer with the whole session; deltas of all words have come by then.
        if whole_session and self.written == len(words):
            words = [word for segment in self.received[: self.told + 1] for word in segment]
            if self.lossless:
                self.settle(" ".join(words))
                return
        self.settle(" ".join(self.received[self.told]))

    @property
    def lossless(self) -> bool:
        """Whether this connection has carried all that was told."""
        return not self.given_up and not self.reconnects

    reconnects = 0

    def settle(self, text):
        found = self.segments.done(text)
        words = self.received[self.told]
        self.told += 1
        self.written = 0
        if self.asked.pop(0):
            assert found is not None
            self.finals.append(found)
            self.settled = []
        else:
            assert found is None
            self.settled += words

    @rule()
    def reconnect(self):
        self.reconnects += 1
        self.segments.reconnected()
        self.connect()

    @precondition(lambda self: self.segments.owed)
    @rule()
    def give_up_and_reconnect(self):
        found = self.segments.give_up()
        assert found is not None
        self.given_up.add(found[0])
        self.finals.append(found)
        self.settled = []
        while not self.asked.pop(0):
            pass
        self.reconnect()

    @invariant()
    def finals_come_in_order_and_once(self):
        assert [number for number, _ in self.finals] == list(range(len(self.finals)))
        owed = range(len(self.finals), len(self.said) - 1)
        assert self.segments.owed == tuple(owed)
        assert self.segments.current == len(self.said) - 1

    @invariant()
    def no_word_is_lost_or_doubled(self):
        for number, text in self.finals:
            words = text.split()
            if number in self.given_up:
                assert words == self.said[number][: len(words)]
            else:
                assert words == self.said[number]

    @invariant()
    def what_waits_is_what_the_server_lacks(self):
        everything = [word for segment in self.said[self.first :] for word in segment]
        everything = everything[len(self.base) :]
        sent = [word for segment in self.received for word in segment]
        assert everything[: len(sent)] == sent
        assert self.segments.unsent == sum(len(word) for word in everything[len(sent) :])


Conversation.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestConversation = Conversation.TestCase


# -- single cases


def sent_all(segments):
    items = []
    while segments.pending:
        items.append(segments.next())
    return items


def test_there_is_nothing_to_send_at_first():
    segments = Segments()
    assert not segments.pending
    with pytest.raises(IndexError):
        segments.next()


def test_what_has_no_final_text_is_sent_again_and_nothing_else():
    segments = Segments()
    segments.audio(b"one")
    segments.flush()
    segments.audio(b"two")
    sent_all(segments)
    assert segments.done("One.") == (0, "One.")
    segments.reconnected()
    assert sent_all(segments) == [b"two"]


def test_an_empty_final_leaves_what_the_deltas_said():
    segments = Segments()
    segments.audio(b"one")
    segments.delta("One")
    segments.delta(" two")
    segments.flush()
    assert segments.done("") == (0, "One two")


def test_a_final_of_the_whole_session_is_cut_to_the_segment():
    segments = Segments()
    for number, (text, final) in enumerate((("Hello.",) * 2, ("A table.", "Hello. A table."))):
        segments.flush()
        segments.delta(text)
        assert segments.done(final) == (number, text)
    segments.flush()
    segments.delta("Bye.")
    assert segments.done("Hello. A table. Bye.") == (2, "Bye.")


def test_a_segment_that_repeats_the_one_before_is_kept_whole():
    segments = Segments()
    segments.flush()
    segments.delta("no")
    segments.done("no")
    segments.flush()
    segments.delta("no no")
    assert segments.done("no no") == (1, "no no")


def test_a_final_that_nobody_asked_for_is_kept_for_the_segment_in_progress():
    segments = Segments()
    segments.audio(b"x")
    segments.delta("One")
    assert segments.done("One.") is None
    assert segments.delta("Two") == (0, "One. Two")
    segments.flush()
    assert segments.give_up() == (0, "One. Two")
    assert segments.give_up() is None


def test_what_is_settled_is_not_sent_again_and_is_told_with_the_rest():
    segments = Segments()
    segments.audio(b"one")
    segments.checkpoint()
    sent_all(segments)
    segments.audio(b"two")
    segments.delta("One,")
    assert segments.done("One,") is None
    assert segments.kept == 3
    segments.reconnected()
    assert sent_all(segments) == [b"two"]
    assert segments.delta("two") == (0, "One, two")
    segments.flush()
    assert segments.done("two.") == (0, "One, two.")
    assert not segments.asked


def test_a_checkpoint_is_settled_before_the_turn_ends_unasked():
    segments = Segments(unasked=True)
    segments.audio(b"one")
    segments.checkpoint()
    sent_all(segments)
    assert segments.done("One,") is None
    segments.delta("two.")
    segments.turn("end", 1.0)
    assert segments.done("two.") == (0, "One, two.")
    assert segments.current == 1


def test_memory_is_bounded_whether_or_not_a_flush_is_owed():
    for flushed in (False, True):
        segments = Segments(keep=100)
        for number in range(50):
            segments.audio(bytes(10))
            if flushed and number == 20:
                segments.flush()
        assert segments.unsent == 100
        kept = sent_all(segments)
        # The flush is kept: somebody waits for its answer.
        assert kept.count(None) == (1 if flushed else 0)


def test_what_is_given_up_after_it_was_sent_is_not_sent_twice():
    segments = Segments(keep=20)
    for letter in b"abcd":
        segments.audio(bytes([letter]) * 10)
        assert segments.next() == bytes([letter]) * 10
    assert not segments.pending
    segments.reconnected()
    assert sent_all(segments) == [b"c" * 10, b"d" * 10]
