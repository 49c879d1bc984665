from __future__ import annotations

import unicodedata

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vivavoce.agent import Turns
from vivavoce.pipelines.turns.bargein import Action, BargeIn, is_backchannel

AFTER = Turns().interrupt_after


def speaking(turns: Turns | None = None, *, at: float = 10.0) -> BargeIn:
    """One whose caller began to speak at `at`."""
    machine = BargeIn(turns or Turns())
    machine.speech_started(at)
    return machine


def held() -> BargeIn:
    machine = speaking()
    assert machine.tick(10.0 + AFTER, busy=True) is Action.HOLD
    return machine


# -- what asks for nothing

BACKCHANNELS = {
    "en": ["Mm-hm.", "mm", "Hmm.", "Uh-huh.", "Yeah", "Yeah, right.", "Okay.", "OK", "I see.",
           "Right", "Sure.", "Got it.", "Oh, wow", "Yes", "Alright.", "All right."],
    "fr": ["Oui.", "Ouais", "D'accord.", "D’accord", "Hum", "Bien sûr.", "Je vois", "Voilà."],
    "es": ["Sí.", "Vale", "Claro.", "Ya", "Ajá", "Sí, sí."],
    "de": ["Ja.", "Genau", "Ach so.", "Klar.", "Stimmt"],
    "it": ["Sì.", "Certo", "Capito.", "Va bene", "Già"],
    "pt": ["Sim.", "Tá", "Pois é."],
    "nl": ["Ja hoor.", "Oké", "Precies.", "Juist"],
    "hi": ["हाँ", "हां।", "जी", "अच्छा", "ठीक है।"],
    "ar": ["نعم", "أيوه", "تمام،", "طيب."],
}  # fmt: skip
MEANT = [
    "Stop.", "No.", "No, no.", "Wait", "Hang on.", "Okay, but I have a question.", "Yes, I do.",
    "Right now?", "Sorry?", "What?", "Yeah yeah yeah yeah yeah", "Hello?", "Five",
    "Non.", "Attendez", "D'accord, mais", "Nein", "Warte mal", "No, espera", "Espera.", "Aspetta",
    "Não", "Nee", "नहीं", "रुकिए", "لا", "انتظر",
]  # fmt: skip


@pytest.mark.parametrize("text", [text for texts in BACKCHANNELS.values() for text in texts])
def test_a_listeners_words_ask_for_nothing(text):
    assert is_backchannel(text)
    assert is_backchannel(text.upper())
    assert is_backchannel(f" {text} ")


@pytest.mark.parametrize("text", MEANT)
def test_what_is_meant_for_the_agent_is_not_a_listeners_word(text):
    assert not is_backchannel(text)


@pytest.mark.parametrize("text", ["", " ", "...", "—", "?!", "- -"])
def test_nothing_is_no_backchannel(text):
    assert not is_backchannel(text)


@pytest.mark.parametrize("text", ["Sí.", "Bien sûr", "Voilà", "Oké"])
def test_accents_may_be_written_either_way(text):
    assert is_backchannel(unicodedata.normalize("NFC", text))
    assert is_backchannel(unicodedata.normalize("NFD", text))


# -- hold


def test_speech_of_some_length_holds_the_reply():
    machine = speaking()
    assert machine.tick(10.0 + AFTER - 0.01, busy=True) is None
    assert not machine.held
    assert machine.tick(10.0 + AFTER, busy=True) is Action.HOLD
    assert machine.held
    assert machine.began == 10.0


def test_it_is_held_once():
    machine = held()
    assert machine.tick(11.0, busy=True) is None
    assert machine.tick(12.0, busy=False) is None


def test_a_click_does_not_hold():
    machine = speaking()
    machine.speech_stopped()
    assert machine.tick(12.0, busy=True) is None


def test_where_there_is_no_reply_nothing_is_held():
    machine = speaking()
    assert machine.tick(11.0, busy=False) is None
    # But one that begins while the caller speaks is.
    assert machine.tick(11.5, busy=True) is Action.HOLD
    assert machine.began == 10.0


def test_a_reply_that_may_not_be_cut_is_not_held():
    machine = speaking(Turns(interruptible=False))
    assert machine.tick(20.0, busy=True) is None
    assert machine.words("stop it now") is None
    assert machine.over("stop it now") is None


# -- resume or stop


@pytest.mark.parametrize("text", ["Stop", "No.", "Sorry, what?", "मुझे"])
def test_the_first_word_stops_it(text):
    machine = held()
    assert machine.words(text) is Action.STOP
    assert not machine.held
    assert machine.words(text) is None
    assert machine.over(text) is None
    assert machine.began == 10.0


@pytest.mark.parametrize("text", ["", "  ", "...", "Mm-hm", "Yeah,"])
def test_what_is_no_word_of_weight_does_not_stop_it(text):
    machine = held()
    assert machine.words(text) is None
    assert machine.held


@pytest.mark.parametrize("text", ["", " ", "Mm-hm.", "Okay."])
def test_after_a_cough_or_a_listeners_word_it_goes_on(text):
    machine = held()
    machine.speech_stopped()
    assert machine.over(text) is Action.RESUME
    assert not machine.held
    assert machine.over(text) is None


def test_what_was_not_understood_in_time_stops_it_at_the_end():
    machine = held()
    machine.speech_stopped()
    assert machine.over("I have a question.") is Action.STOP
    assert not machine.held


def test_a_listeners_word_that_goes_on_to_be_more_stops_it():
    machine = held()
    assert machine.words("Yeah") is None
    assert machine.words("Yeah, but") is Action.STOP


def test_words_where_nothing_is_held_are_nothing():
    machine = BargeIn(Turns())
    assert machine.words("stop") is None
    assert machine.over("stop") is None
    assert machine.over("") is None
    assert machine.began is None


def test_it_can_be_held_again():
    machine = held()
    machine.speech_stopped()
    assert machine.over("") is Action.RESUME
    machine.speech_started(20.0)
    assert machine.tick(20.01 + AFTER, busy=True) is Action.HOLD
    assert machine.began == 20.0


def test_speech_that_resumed_it_does_not_hold_it_again_once_it_is_over():
    machine = held()
    machine.speech_stopped()
    machine.over("")
    assert machine.tick(30.0, busy=True) is None


def test_a_cough_after_a_cough_keeps_it_held_since_the_first():
    machine = held()
    machine.speech_stopped()
    machine.speech_started(10.5)
    assert machine.tick(10.9, busy=True) is None
    assert machine.held
    assert machine.began == 10.0


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order: hold, then one of resume and stop, and so on."""

    def __init__(self):
        super().__init__()
        self.machine = BargeIn(Turns())
        self.now = 0.0
        self.since: float | None = None
        self.held = False

    def take(self, action):
        if action is Action.HOLD:
            assert not self.held
            assert self.since is not None
            assert self.now - self.since >= AFTER
            assert self.machine.began == self.since
            self.held = True
        elif action is not None:
            assert self.held, f"{action} of what was not held"
            self.held = False

    @rule(seconds=st.floats(0, 1), busy=st.booleans())
    def passes(self, seconds, busy):
        self.now += seconds
        action = self.machine.tick(self.now, busy=busy)
        assert action in {None, Action.HOLD}
        assert busy or action is None
        self.take(action)

    @precondition(lambda self: self.since is None)
    @rule()
    def starts(self):
        self.since = self.now
        self.machine.speech_started(self.now)

    @precondition(lambda self: self.since is not None)
    @rule()
    def stops(self):
        self.since = None
        self.machine.speech_stopped()

    @rule(text=st.sampled_from(["", "mm-hm", "yeah", "stop", "yeah stop"]))
    def words(self, text):
        before = self.held
        action = self.machine.words(text)
        assert (action is Action.STOP) == (before and "stop" in text)
        self.take(action)

    @rule(text=st.sampled_from(["", "mm-hm", "yeah", "stop", "yeah stop"]))
    def over(self, text):
        expected = Action.STOP if "stop" in text else Action.RESUME
        action = self.machine.over(text)
        assert action is (expected if self.held else None)
        self.take(action)

    @invariant()
    def it_knows(self):
        assert self.machine.held == self.held


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=100, deadline=None)


# -- at once, when the final text is there


def test_a_listeners_word_gives_the_floor_back_at_once():
    machine = held()
    assert machine.settled("Mm-hm.", asked=False) is Action.RESUME
    assert not machine.held
    assert machine.over("Mm-hm.") is None


def test_what_may_be_meant_waits_for_the_end_of_the_turn():
    machine = held()
    assert machine.settled("Wait", asked=False) is None
    assert machine.held


def test_a_yes_to_a_question_is_an_answer():
    machine = held()
    assert machine.settled("Yes.", asked=True) is None
    assert machine.over("Yes.", asked=True) is Action.STOP


def test_silence_after_a_question_is_no_answer():
    machine = held()
    assert machine.over("", asked=True) is Action.RESUME


def test_fewer_words_than_the_agent_wants_do_not_end_a_reply():
    machine = speaking(Turns(min_words=3))
    assert machine.tick(10.0 + AFTER, busy=True) is Action.HOLD
    assert machine.words("Wait wait") is None
    assert machine.over("Wait wait") is Action.RESUME
    machine = speaking(Turns(min_words=3))
    machine.tick(10.0 + AFTER, busy=True)
    assert machine.words("Wait a moment") is Action.STOP


# -- our own voice, heard back


def test_an_echo_does_not_hold_a_reply_and_is_looked_at_again():
    machine = speaking()
    asked = []

    def echo():
        asked.append(1)
        return True

    now = 10.0
    while now < 11.0:
        now += 0.02
        assert machine.tick(now, busy=True, echo=echo) is None
    assert 10 <= len(asked) <= 14
    assert machine.tick(now + 0.1, busy=True, echo=lambda: False) is Action.HOLD
    # The caller began behind the last moment at which there was nothing but the echo.
    assert now - 0.1 <= machine.began <= now


def test_nobody_is_asked_about_an_echo_where_nothing_would_be_held():
    def echo():
        raise AssertionError

    machine = speaking()
    assert machine.tick(10.0 + AFTER, busy=False, echo=echo) is None
    assert machine.tick(10.0 + AFTER / 2, busy=True, echo=echo) is None
