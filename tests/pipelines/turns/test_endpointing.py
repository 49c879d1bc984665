from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vivavoce.agent import Turns
from vivavoce.pipelines.turns.endpointing import (
    PATIENT_FOR,
    RESUMED,
    AskVoice,
    Drop,
    Endpointing,
    Flush,
    Guess,
    Nothing,
    TurnOver,
)

FINISHED = "I would like to book a table."
OPEN = "I would like to book a"
TICK = 0.01  # seconds between two ticks: a call's are 20 ms apart


class Caller:
    """Drives the machine as ears do: what was decided, with its time."""

    def __init__(self, turns: Turns | None = None, language: str = "en"):
        self.machine = Endpointing(turns or Turns(), language)
        self.now = 0.0
        self.decided: list[tuple[float, object]] = []

    def note(self, decisions) -> list:
        self.decided += [(round(self.now, 3), decision) for decision in decisions]
        return list(decisions)

    def wait(self, seconds: float) -> list:
        """Let time pass; what was decided meanwhile."""
        found = []
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            found += self.note(self.machine.tick(self.now))
        return found

    def speak(self, seconds: float) -> list:
        self.machine.speech_started(self.now)
        found = self.wait(seconds)
        self.machine.speech_stopped(self.now)
        return found

    def hear(self, text: str) -> list:
        return self.note(self.machine.understood(text, self.now))

    def judge(self, probability: float) -> None:
        self.machine.judged(probability, self.machine.stopped)

    def say(self, text: str, seconds: float = 1.0, final: float = 0.06) -> list:
        """Speak, and have it understood `final` behind the flush."""
        found = self.speak(seconds)
        while not self.machine.waiting:
            found += self.wait(TICK)
        return found + self.wait(final) + self.hear(text)

    def until(self, kind: type, within: float = 5.0):
        """Wait for a decision; it and the silence by then."""
        for _ in range(round(within / TICK)):
            for decision in self.wait(TICK):
                if isinstance(decision, kind):
                    return decision, self.now - self.machine.stopped
        raise AssertionError(f"no {kind.__name__} within {within} s: {self.decided}")


def kinds(decisions) -> list[type]:
    return [type(decision) for decision in decisions]


# -- one pause


def test_a_short_silence_asks_for_the_text_and_for_an_opinion_once():
    caller = Caller()
    assert caller.speak(1.0) == []
    decided = caller.wait(0.15)
    assert kinds(decided) == [Flush, AskVoice]
    assert caller.decided[0][0] == pytest.approx(1.0 + Turns().flush_after, abs=2 * TICK)
    assert caller.machine.waiting


def test_a_voice_model_that_doubts_is_asked_again_at_its_silences():
    caller = Caller(Turns(min_silence=1.0, unsure_silence=1.0, max_silence=2.0))
    caller.say(FINISHED)
    for _ in range(7):
        caller.judge(0.1)
        caller.wait(0.1)
    asked = [at for at, decision in caller.decided if isinstance(decision, AskVoice)]
    silences = [at - 1.0 for at in asked]
    assert silences == pytest.approx([Turns().flush_after, 0.2, 0.4], abs=2 * TICK)


def test_a_question_that_is_not_answered_yet_is_not_asked_again():
    caller = Caller(Turns(min_silence=1.0, unsure_silence=1.0, max_silence=2.0))
    caller.say(FINISHED)
    assert AskVoice not in kinds(caller.wait(0.5))
    caller.machine.unanswered(stopped=0.5)  # another pause's
    assert AskVoice not in kinds(caller.wait(0.05))
    caller.machine.unanswered(caller.machine.stopped)
    assert kinds(caller.wait(0.05)) == [AskVoice]


def test_nobody_is_asked_twice_while_the_caller_speaks_on():
    caller = Caller()
    assert caller.speak(30.0) == []


def test_the_reply_is_begun_as_soon_as_the_text_is_known():
    caller = Caller()
    assert caller.say(FINISHED)[-1] == Guess(1, FINISHED)


def test_without_eagerness_or_guesses_none_is_made():
    for turns in (Turns(eager=False), Turns(guesses=0)):
        caller = Caller(turns)
        caller.say(FINISHED)
        over, _ = caller.until(TurnOver)
        assert over.guess is None
        assert Guess not in kinds(decision for _, decision in caller.decided)


def test_what_cannot_stand_is_not_guessed_at_until_it_is_late():
    caller = Caller()
    assert Guess not in kinds(caller.say(OPEN))
    guess, silence = caller.until(Guess)
    assert guess.text == OPEN
    assert silence >= Turns().max_silence - 0.5 - 2 * TICK
    over, _ = caller.until(TurnOver)
    assert over.guess == guess.number


# -- when it is over, and why

CASES = [
    (FINISHED, 0.9, Turns().min_silence, "semantic"),
    (FINISHED, 0.1, Turns().unsure_silence, "threshold"),
    (FINISHED, None, Turns().unsure_silence, "threshold"),
    ("Could I book a table?", 0.9, Turns().min_silence, "semantic"),
    # All of Voxtral's transcribers end a sentence with a full stop.
    ("Could I book a table", 0.9, Turns().max_silence, "timeout"),
    ("A table near the window", 0.9, Turns().max_silence, "timeout"),
    (OPEN, 0.9, Turns().max_silence, "timeout"),
    (OPEN, 0.1, Turns().max_silence, "timeout"),
    ("If you have a table,", 0.9, Turns().max_silence, "timeout"),
    ("My number is zero six one two", 0.9, Turns().max_silence, "timeout"),
    ("It is marie at gmail", 0.9, Turns().max_silence, "timeout"),
    ("My name is m a r", 0.9, Turns().max_silence, "timeout"),
]


@pytest.mark.parametrize(("text", "voice", "silence", "why"), CASES)
def test_how_long_is_waited(text, voice, silence, why):
    caller = Caller()
    caller.say(text)
    if voice is not None:
        caller.judge(voice)
    over, real = caller.until(TurnOver)
    assert over.why == why
    assert over.text == text
    assert real == pytest.approx(silence, abs=2 * TICK)
    assert over.silence == pytest.approx(real)
    assert over.started == 0.0
    assert over.stopped == pytest.approx(1.0)
    assert over.stopped <= over.flushed <= over.final <= caller.now
    assert over.reason.startswith(f"{why}: silence {over.silence * 1000:.0f} ms")
    assert not caller.machine.open


def test_a_number_that_is_complete_is_not_waited_for():
    caller = Caller()
    caller.say("zero six one two three four five six seven eight")
    caller.judge(0.9)
    _, silence = caller.until(TurnOver)
    assert silence < Turns().max_silence / 2


def test_the_highest_opinion_of_a_pause_counts():
    caller = Caller()
    caller.say(FINISHED)
    caller.judge(0.8)
    caller.judge(0.2)
    over, _ = caller.until(TurnOver)
    assert over.voice == 0.8
    assert over.why == "semantic"


def test_an_opinion_on_an_earlier_pause_is_ignored():
    caller = Caller()
    caller.say(FINISHED)
    earlier = caller.machine.stopped
    caller.say("And a cake")
    caller.machine.judged(0.9, earlier)
    over, _ = caller.until(TurnOver)
    assert over.voice is None


def test_an_opinion_that_comes_while_the_caller_speaks_is_ignored():
    caller = Caller()
    caller.say(FINISHED)
    earlier = caller.machine.stopped
    caller.machine.speech_started(caller.now)
    caller.machine.judged(0.9, earlier)
    caller.wait(0.1)
    caller.machine.speech_stopped(caller.now)
    while not caller.machine.waiting:
        caller.wait(TICK)
    caller.hear("")
    over, _ = caller.until(TurnOver)
    assert over.voice is None


def test_a_late_text_is_waited_for_however_long_it_takes():
    caller = Caller()
    caller.speak(1.0)
    assert TurnOver not in kinds(caller.wait(5.0))
    # It is decided at once then: the silence was long enough.
    assert isinstance(caller.hear(FINISHED)[-1], TurnOver)


@pytest.mark.parametrize("language", ["en", "fr-CA", "xx"])
def test_silence_without_words_is_no_turn(language):
    caller = Caller(language=language)
    assert caller.say("")[-1] == Nothing()
    assert not caller.machine.open
    assert caller.wait(3.0) == []


def test_what_held_no_words_does_not_reach_into_the_next_turn():
    caller = Caller()
    caller.say("  ")
    caller.say(FINISHED)
    over, _ = caller.until(TurnOver)
    assert over.text == FINISHED
    assert over.started > 1.0


# -- guesses that come true, and others


def test_a_guess_that_comes_true_is_named():
    caller = Caller()
    guess = caller.say(FINISHED)[-1]
    over, _ = caller.until(TurnOver)
    assert over.guess == guess.number
    assert over.reason.endswith(", guessed")
    assert Drop not in kinds(decision for _, decision in caller.decided)


def test_new_words_drop_a_guess_and_begin_another():
    caller = Caller()
    first = caller.say(FINISHED)[-1]
    # Less speech than drops a guess by itself: only the words can.
    assert Drop not in kinds(caller.speak(RESUMED - 0.1))
    caller.wait(0.1)
    assert caller.hear("For four.") == [Drop(first.number), Guess(2, f"{FINISHED} For four.")]
    over, _ = caller.until(TurnOver)
    assert over.guess == 2
    assert over.text == f"{FINISHED} For four."


def test_new_speech_drops_a_guess_before_a_word_is_understood():
    caller = Caller()
    guess = caller.say(FINISHED)[-1]
    caller.machine.speech_started(caller.now)
    began = caller.now
    decided = caller.wait(1.0)
    assert decided == [Drop(guess.number)]
    assert caller.decided[-1][0] - began == pytest.approx(RESUMED, abs=2 * TICK)


def test_a_short_noise_without_words_keeps_the_guess():
    caller = Caller()
    guess = caller.say(FINISHED)[-1]
    caller.speak(RESUMED - 0.1)
    caller.wait(0.1)
    assert caller.hear("") == []
    over, _ = caller.until(TurnOver)
    assert over.guess == guess.number


def test_a_turn_costs_no_more_guesses_than_allowed():
    caller = Caller(Turns(guesses=2))
    for number in range(5):
        caller.say(f"This is sentence number {number} of mine.")
        caller.say("", seconds=0.4)
    made = [decision for _, decision in caller.decided if isinstance(decision, Guess)]
    dropped = [decision for _, decision in caller.decided if isinstance(decision, Drop)]
    assert [guess.number for guess in made] == [1, 2]
    assert len(dropped) == 2
    over, _ = caller.until(TurnOver)
    assert over.guess is None
    # The next turn has its own.
    assert caller.say(FINISHED)[-1] == Guess(3, FINISHED)


def test_the_texts_of_a_turn_are_joined():
    caller = Caller()
    caller.say("I would like")
    caller.say(" a table ")
    caller.say("for four.")
    over, _ = caller.until(TurnOver)
    assert over.text == "I would like a table for four."
    assert over.started == 0.0


def test_both_texts_of_two_quick_pauses_are_waited_for():
    caller = Caller()
    caller.speak(1.0)
    caller.wait(0.1)
    caller.speak(0.2)
    caller.wait(0.1)
    assert [kinds([d])[0] for _, d in caller.decided].count(Flush) == 2
    assert TurnOver not in kinds(caller.hear("I would like a table"))
    assert caller.machine.waiting
    assert TurnOver not in kinds(caller.wait(3.0))
    over = caller.hear("for four.")[-1]
    assert over.text == "I would like a table for four."


# -- habits


def test_a_caller_who_was_cut_off_is_waited_for_longer():
    caller = Caller()
    caller.say(FINISHED)
    caller.judge(0.9)
    caller.until(TurnOver)
    caller.wait(0.2)
    for _ in range(PATIENT_FOR):
        caller.say(FINISHED)
        caller.judge(0.9)
        _, silence = caller.until(TurnOver)
        expected = Turns().min_silence + Turns().patience
        assert silence == pytest.approx(expected, abs=2 * TICK)
        caller.wait(3.0)
    caller.say(FINISHED)
    caller.judge(0.9)
    _, silence = caller.until(TurnOver)
    assert silence == pytest.approx(Turns().min_silence, abs=2 * TICK)


def test_who_speaks_long_after_was_not_cut_off():
    caller = Caller()
    for _ in range(2):
        caller.say(FINISHED)
        caller.judge(0.9)
        _, silence = caller.until(TurnOver)
        assert silence == pytest.approx(Turns().min_silence, abs=2 * TICK)
        caller.wait(1.5)


def test_a_transcriber_that_punctuates_is_believed_when_it_does_not():
    caller = Caller()
    caller.say(FINISHED)
    caller.until(TurnOver)
    caller.wait(2.0)
    assert Guess not in kinds(caller.say("A table near the window"))
    over, _ = caller.until(TurnOver)
    assert over.why == "timeout"


def test_a_transcriber_that_does_not_punctuate_is_found_out_by_one_turn():
    caller = Caller()
    whys = []
    for _ in range(4):
        caller.say("A table near the window")
        caller.judge(0.9)
        whys.append(caller.until(TurnOver)[0].why)
        caller.wait(2.0)
    assert whys == ["timeout", "semantic", "semantic", "semantic"]


def test_one_turn_without_a_full_stop_does_not_undo_what_many_showed():
    caller = Caller()
    whys = []
    for text in (FINISHED, FINISHED, "A table near the window", "A table near the window"):
        caller.say(text)
        caller.judge(0.9)
        whys.append(caller.until(TurnOver)[0].why)
        caller.wait(2.0)
    assert whys == ["semantic", "semantic", "timeout", "timeout"]


# -- any order of events


class AnyOrder(RuleBasedStateMachine):
    """Voice, texts and opinions come as they like; the promises hold all the same."""

    def __init__(self):
        super().__init__()
        self.turns = Turns()
        self.machine = Endpointing(self.turns)
        self.now = 0.0
        self.speaking = False
        self.owed = 0
        self.words = ""  # of the turn in progress
        self.open = False
        self.guess: int | None = None
        self.numbers: list[int] = []
        self.asked_about: list[float] = []

    def take(self, decisions):
        for decision in decisions:
            match decision:
                case Flush():
                    assert not self.speaking
                    self.owed += 1
                case AskVoice():
                    assert not self.speaking
                    self.asked_about.append(self.machine.stopped)
                case Guess():
                    assert self.guess is None, "two guesses at once"
                    assert not self.speaking
                    assert decision.number not in self.numbers
                    assert decision.text == self.words
                    self.guess = decision.number
                    self.numbers.append(decision.number)
                case Drop():
                    assert decision.number == self.guess, "dropped what is no guess"
                    self.guess = None
                case Nothing():
                    assert not self.speaking
                    assert not self.words
                    assert self.guess is None
                    self.open = False
                case TurnOver():
                    assert not self.speaking, "committed while the caller speaks"
                    assert self.open
                    assert not self.owed, "committed before all was understood"
                    assert decision.text == self.words
                    assert decision.guess == self.guess, "a guess must be dropped or come true"
                    times = (decision.started, decision.stopped, decision.flushed, decision.final)
                    assert list(times) == sorted(times), "times go back"
                    assert decision.final <= self.now
                    assert decision.silence >= self.turns.min_silence
                    assert decision.silence == pytest.approx(self.now - decision.stopped)
                    self.guess, self.words, self.open = None, "", False

    @rule(seconds=st.sampled_from([0.01, 0.02, 0.05, 0.11, 0.31, 0.7]))
    def passes(self, seconds):
        # Ears tick at every block, whatever else happens.
        for _ in range(max(1, round(seconds / 0.02))):
            self.now += min(seconds, 0.02)
            self.take(self.machine.tick(self.now))

    @precondition(lambda self: not self.speaking)
    @rule()
    def starts(self):
        self.machine.speech_started(self.now)
        self.speaking = self.open = True

    @precondition(lambda self: self.speaking)
    @rule()
    def stops(self):
        self.machine.speech_stopped(self.now)
        self.speaking = False

    @precondition(lambda self: self.owed)
    @rule(text=st.sampled_from(["", " ", "Hello.", "I want", "for four", "zero six one", "Yes."]))
    def is_understood(self, text):
        self.owed -= 1
        self.words = f"{self.words} {text.strip()}".strip()
        self.take(self.machine.understood(text, self.now))

    @precondition(lambda self: self.asked_about)
    @rule(probability=st.floats(0, 1), data=st.data())
    def is_judged(self, probability, data):
        place = data.draw(st.integers(0, len(self.asked_about) - 1))
        self.machine.judged(probability, self.asked_about.pop(place))
        self.take(self.machine.tick(self.now))

    @invariant()
    def it_knows_who_speaks(self):
        assert self.machine.speaking == self.speaking
        assert self.machine.open == self.open
        assert self.machine.waiting == (self.owed > 0)

    def teardown(self):
        """Whatever happened: once it is silent for long and all is told, the turn ends once."""
        if self.speaking:
            self.stops()
        said = self.words
        was_open = self.open
        ended = []
        take = self.take

        def count(decisions):
            ended.extend(d for d in decisions if isinstance(d, TurnOver | Nothing))
            take(decisions)

        self.take = count
        for _ in range(round((self.turns.max_silence + self.turns.patience + 0.5) / 0.02)):
            self.now += 0.02
            self.take(self.machine.tick(self.now))
            while self.owed:
                self.owed -= 1
                self.take(self.machine.understood("", self.now))
        assert len(ended) == was_open
        if was_open:
            assert isinstance(ended[0], TurnOver) == bool(said)
        assert not self.machine.open
        assert self.guess is None, "a guess was left behind"


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


# -- what asks for no answer


def test_a_turn_that_is_dismissed_never_was():
    caller = Caller()
    caller.say("Mm-hm.")
    assert kinds(caller.machine.dismiss()) in ([], [Drop])
    assert not caller.machine.open
    assert caller.wait(2.0) == []
    caller.say(FINISHED)
    over, _ = caller.until(TurnOver)
    assert over.text == FINISHED


def test_a_guess_on_what_is_dismissed_is_dropped():
    caller = Caller()
    found = caller.say(FINISHED)
    assert Guess in kinds(found)
    assert kinds(caller.machine.dismiss()) == [Drop]


def test_nothing_is_dismissed_while_the_caller_goes_on():
    caller = Caller()
    caller.say("Mm-hm.")
    caller.machine.speech_started(caller.now)
    assert caller.machine.dismiss() == []
    assert caller.machine.open


# -- a transcriber that follows the turn


def test_an_end_told_while_the_detector_still_hears_a_voice_is_believed():
    caller = Caller()
    caller.machine.speech_started(caller.now)
    caller.wait(1.0)
    assert kinds(caller.note(caller.machine.told("end", caller.now))) == [Flush]
    caller.wait(0.06)
    (over,) = [each for each in caller.hear(FINISHED) if isinstance(each, TurnOver)]
    assert over.why == "semantic"


def test_an_eager_end_told_before_the_stop_is_kept_for_it():
    caller = Caller()
    caller.machine.speech_started(caller.now)
    caller.wait(1.0)
    assert caller.note(caller.machine.told("eager_end", caller.now)) == []
    caller.wait(0.02)
    caller.machine.speech_stopped(caller.now)
    assert kinds(caller.wait(TICK)) == [Flush]  # at once, and nobody else is asked
    caller.wait(0.06)
    caller.hear(FINISHED)
    over, silence = caller.until(TurnOver)
    assert over.voice == 1.0
    assert silence == pytest.approx(Turns().min_silence, abs=2 * TICK)


def test_a_turn_told_to_go_on_is_decided_without_what_was_told_before():
    caller = Caller()
    caller.machine.speech_started(caller.now)
    caller.wait(1.0)
    caller.machine.told("eager_end", caller.now)
    caller.machine.told("resume", caller.now)
    caller.machine.speech_stopped(caller.now)
    assert kinds(caller.wait(0.15)) == [Flush, AskVoice]
    assert caller.machine.stopped == caller.now - 0.15 or caller.machine.waiting


def test_an_end_that_was_told_ends_the_turn_with_its_text():
    caller = Caller()
    caller.say(FINISHED)
    found = caller.note(caller.machine.told("end", caller.now))
    (over,) = [each for each in found if isinstance(each, TurnOver)]
    assert over.text == FINISHED
    assert over.why == "eager_hit"


def test_an_end_told_of_what_cannot_stand_is_not_believed():
    caller = Caller()
    caller.say(OPEN)
    assert caller.note(caller.machine.told("end", caller.now)) == []
    over, silence = caller.until(TurnOver)
    assert over.why == "timeout"
    assert silence == pytest.approx(Turns().max_silence, abs=2 * TICK)


def test_words_are_judged_in_the_language_of_the_moment():
    caller = Caller(language="en")
    caller.machine.language = "fr"
    caller.say("Je voudrais une table pour")
    caller.judge(1.0)
    over, silence = caller.until(TurnOver)
    assert over.why == "timeout"
    assert silence == pytest.approx(Turns().max_silence, abs=2 * TICK)


def test_nobody_is_asked_again_about_words_that_cannot_stand():
    caller = Caller()
    caller.say(OPEN)
    for _ in range(12):
        caller.judge(0.1)
        caller.wait(0.1)
    asked = [decision for _, decision in caller.decided if isinstance(decision, AskVoice)]
    assert len(asked) == 1
