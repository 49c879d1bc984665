from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vivavoce.pipelines.turns.playout import AUDIBLE, RESERVE, Clause, Playout

RATE = 1000
FADE = 10  # samples of the default fade at this rate


def ramp(start: int, count: int) -> np.ndarray:
    """Samples that are all different, never silent, and not silent when faded by 1/20 either."""
    return ((np.arange(start, start + count) % 30_000) + 2_000).astype(np.int16)


def clause(count: int, *, start: int = 0, interruptible: bool = True, complete: bool = True):
    made = Clause(object(), "text", interruptible=interruptible)
    made.add(ramp(start, count))
    made.complete = complete
    return made


# -- every sample is accounted for, whatever happens


class Accounts(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.playout = Playout(RATE)
        self.clauses: list[Clause] = []  # all there ever were, in order
        self.out: list[np.ndarray] = []
        self.made = 0
        self.fades = 0
        self.finished: list[Clause] = []
        self.dropped: list[Clause] = []

    @property
    def open(self) -> list[Clause]:
        gone = [*self.finished, *self.dropped]
        return [each for each in self.clauses if each not in gone and not each.complete]

    @rule(interruptible=st.integers(0, 3).map(bool))
    def append(self, interruptible):
        self.clauses.append(Clause(object(), "text", interruptible=interruptible))
        self.playout.append(self.clauses[-1])

    @precondition(lambda self: self.open)
    @rule(data=st.data(), count=st.integers(0, 90), last=st.booleans())
    def add(self, data, count, last):
        one = data.draw(st.sampled_from(self.open))
        one.add(ramp(self.made, count))
        self.made += count
        one.complete = last

    @rule(count=st.integers(1, 60))
    def pull(self, count):
        before, gaps, starved = self.playout.position, self.playout.underruns, self.playout._starved
        ahead = self.playout.peek(count)
        block = self.playout.pull(count)
        # What was foreseen came, sample by sample.
        assert np.array_equal(ahead, block.samples[: len(ahead)])
        # Speech that falls behind fades out, and in again.
        self.fades += self.playout.underruns - gaps
        self.fades += self.playout._starved not in {None, starved}
        assert len(block.samples) == count
        assert block.samples.dtype == np.int16
        assert self.playout.position == before + count
        assert block.speaking == bool(np.any(block.samples))
        self.finished += block.finished
        self.out.append(block.samples[block.samples != 0])

    @rule()
    def hold(self):
        self.playout.hold()
        self.fades += 1
        assert self.playout.held

    @rule()
    def resume(self):
        self.playout.resume()
        self.fades += 1
        assert not self.playout.held

    @rule(force=st.booleans())
    def cut(self, force):
        dropped = self.playout.cut(force=force)
        self.fades += 1
        assert force or all(each.interruptible for each in dropped)
        assert not self.playout.held
        for each in dropped:
            each.complete = True
        self.dropped += dropped

    @invariant()
    def what_was_pulled_is_what_was_added_in_order(self):
        played = [each.audio[: each.played] for each in self.clauses]
        expected = np.concatenate([np.zeros(0, np.int16), *played]).astype(np.int32)
        out = np.concatenate([np.zeros(0, np.int16), *self.out]).astype(np.int32)
        # What fades out has been taken and comes with the next blocks.
        waiting = len(expected) - len(out)
        assert 0 <= waiting <= FADE
        expected = expected[: len(out)]
        faded = out != expected
        assert np.all((out > 0) & (out <= expected))
        assert np.count_nonzero(faded) <= FADE * self.fades

    @invariant()
    def clauses_are_played_one_after_the_other(self):
        kept = [each for each in self.clauses if each not in self.dropped]
        going = [each for each in kept if each not in self.finished]
        assert kept[: len(self.finished)] == self.finished
        assert all(each.over for each in self.finished)
        assert all(each.played == 0 for each in going[1:])
        assert self.playout.current is (going[0] if going else None)
        assert self.playout.waiting == sum(each.received - each.played for each in going)


Accounts.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestAccounts = Accounts.TestCase


# -- playing


def test_silence_when_there_is_nothing():
    playout = Playout(RATE)
    block = playout.pull(20)
    assert not block.samples.any()
    assert (block.audible, block.finished, block.speaking) == (None, (), False)
    assert playout.empty
    assert not playout.underruns


def test_clauses_follow_each_other_without_a_gap():
    playout = Playout(RATE)
    one, two = clause(30), clause(30, start=30)
    playout.append(one)
    playout.append(two)
    first, second = playout.pull(40), playout.pull(40)
    assert np.array_equal(np.concatenate([first.samples, second.samples[:20]]), ramp(0, 60))
    assert not second.samples[20:].any()
    assert (first.finished, second.finished) == ((one,), (two,))
    assert playout.empty


def test_a_clause_that_comes_early_waits_for_the_one_before():
    playout = Playout(RATE)
    one, two = Clause(object(), "one"), clause(20, start=100)
    playout.append(one)
    playout.append(two)
    assert not playout.pull(20).speaking
    one.add(ramp(0, 10))
    one.complete = True
    assert np.array_equal(playout.pull(20).samples, np.concatenate([ramp(0, 10), ramp(100, 10)]))


def test_a_clause_without_audio_is_over_at_once():
    playout = Playout(RATE)
    empty, next_one = clause(0), clause(20)
    playout.append(empty)
    playout.append(next_one)
    assert playout.pull(20).finished == (empty, next_one)


def test_the_first_audible_sample_is_found_to_the_sample():
    playout = Playout(RATE)
    quiet = Clause(object(), "text")
    quiet.add(np.full(25, AUDIBLE - 1, np.int16))
    quiet.add(np.full(5, -AUDIBLE, np.int16))
    quiet.add(np.array([-32768] * 5, np.int16))
    playout.append(quiet)
    assert playout.pull(20).audible is None
    assert playout.pull(20).audible == (5, quiet)


def test_the_loudest_sample_is_audible_too():
    playout = Playout(RATE)
    loud = Clause(object(), "text")
    loud.add(np.array([-32768], np.int16))
    loud.complete = True
    playout.append(loud)
    assert playout.pull(20).audible == (0, loud)


# -- underruns


def test_a_gap_within_a_clause_is_an_underrun_counted_once():
    playout = Playout(RATE)
    slow = clause(30, complete=False)
    playout.append(slow)
    playout.pull(20)
    for _ in range(5):
        playout.pull(20)
    slow.add(ramp(30, 20))
    slow.complete = True
    assert playout.pull(20).speaking
    assert playout.underruns == 1


def slow_speech(count: int) -> tuple[Playout, Clause]:
    """A clause that is not complete, of which all but the last 5 samples can be played at once."""
    playout = Playout(RATE)
    slow = clause(count, complete=False)
    playout.append(slow)
    playout.pull(count - 5 - FADE)
    return playout, slow


def test_speech_that_falls_behind_fades_out_without_a_jump():
    playout, slow = slow_speech(100)
    out = np.concatenate([playout.pull(10).samples, playout.pull(40).samples]).astype(int)
    assert slow.played == 100
    assert out[0] == ramp(85, 1)[0]
    assert np.all(np.diff(out[5 : 5 + FADE]) < 0)
    assert not out[5 + FADE :].any()
    assert np.abs(np.diff(out)).max() < 3 * ramp(0, 1)[0] / FADE


def test_speech_that_fell_behind_goes_on_once_there_is_some_in_reserve():
    playout, slow = slow_speech(100)
    playout.pull(50)
    reserve = round(RATE * RESERVE)
    for start in range(0, reserve - 10, 10):
        slow.add(ramp(100 + start, 10))
        assert not playout.pull(10).speaking
    slow.add(ramp(100 + reserve - 10, 10))
    resumed = playout.pull(30).samples.astype(int)
    assert np.all(np.diff(resumed[:FADE]) > 0)
    assert np.array_equal(resumed[FADE - 1 :], ramp(100 + FADE - 1, 31 - FADE))
    assert playout.underruns == 1


def test_the_rest_of_slow_speech_is_not_held_back():
    playout, slow = slow_speech(100)
    playout.pull(50)
    slow.add(ramp(100, 20))
    assert not playout.pull(10).speaking
    slow.complete = True
    assert playout.pull(30).finished == (slow,)
    assert slow.played == 120


def test_holding_or_cutting_what_fell_behind_plays_none_of_its_reserve():
    for act in (Playout.hold, Playout.cut):
        playout, slow = slow_speech(100)
        playout.pull(50)
        slow.add(ramp(100, 50))
        assert playout.tail_if_cut == 0
        act(playout)
        assert not playout.pull(30).speaking
        assert slow.played == 100


def test_a_few_samples_are_not_begun_with():
    playout = Playout(RATE)
    slow = clause(15, complete=False)
    playout.append(slow)
    assert not playout.pull(10).speaking
    slow.add(ramp(15, 5))
    assert playout.pull(10).speaking
    assert playout.underruns == 0


def test_waiting_for_the_first_sample_is_no_underrun():
    playout = Playout(RATE)
    slow = Clause(object(), "text")
    playout.append(slow)
    playout.pull(20)
    slow.add(ramp(0, 20))
    playout.pull(20)
    assert playout.underruns == 0


def test_an_end_that_is_told_late_is_no_underrun():
    playout = Playout(RATE)
    one, two = clause(60, complete=False), clause(30, start=60)
    playout.append(one)
    playout.append(two)
    playout.pull(40)
    playout.pull(40)
    assert not playout.pull(20).speaking
    one.complete = True
    assert playout.pull(20).finished == (one,)
    assert playout.underruns == 0


# -- holding


def test_holding_fades_out_and_resuming_goes_on_at_the_next_sample():
    playout = Playout(RATE)
    playout.append(clause(200))
    playout.pull(50)
    playout.hold()
    faded = playout.pull(50).samples
    assert not faded[FADE:].any()
    assert faded[0] == ramp(50, 1)[0]
    assert np.all(np.diff(faded[:FADE].astype(int)) < 0)
    for _ in range(10):
        assert not playout.pull(50).speaking
    playout.resume()
    resumed = playout.pull(30).samples
    # It fades in, too, and from there on is the same.
    assert np.all(np.diff(resumed[:FADE].astype(int)) > 0)
    assert 0 < resumed[0] < 2 * ramp(50 + FADE, 1)[0] / FADE
    assert np.array_equal(resumed[FADE - 1 :], ramp(50 + 2 * FADE - 1, 31 - FADE))


def test_holding_again_while_it_still_fades_loses_nothing():
    playout = Playout(RATE)
    playout.append(clause(200))
    playout.pull(50)
    playout.hold()
    playout.resume()
    playout.hold()
    playout.pull(100)
    playout.resume()
    assert playout.pull(FADE).samples[-1] == ramp(50 + 2 * FADE - 1, 1)[0]


def test_holding_before_the_first_sample_lets_none_out():
    playout = Playout(RATE)
    playout.append(clause(100))
    playout.hold()
    assert not playout.pull(50).speaking
    playout.resume()
    assert np.array_equal(playout.pull(50).samples, ramp(0, 50))


def test_speech_that_is_protected_plays_on_while_the_rest_is_held():
    playout = Playout(RATE)
    playout.append(clause(30, interruptible=False))
    playout.append(clause(30, start=30))
    playout.pull(10)
    playout.hold()
    block = playout.pull(50)
    assert np.array_equal(block.samples[:20], ramp(10, 20))
    assert not block.samples[20:].any()
    playout.resume()
    assert np.array_equal(playout.pull(30).samples, ramp(30, 30))


# -- guesses


def test_a_guess_waits_unheard_until_it_comes_true():
    playout = Playout(RATE)
    guess = clause(30)
    guess.held = True
    playout.append(guess)
    assert playout.empty
    for _ in range(3):
        assert not playout.pull(20).speaking
    guess.held = False
    assert not playout.empty
    assert np.array_equal(playout.pull(20).samples, ramp(0, 20))
    assert playout.underruns == 0


def test_what_is_being_said_ends_before_a_guess_begins():
    playout = Playout(RATE)
    said, guess = clause(30), clause(30, start=30)
    guess.held = True
    playout.append(said)
    playout.append(guess)
    assert playout.pull(60).finished == (said,)
    assert playout.empty
    assert playout.cut() == [guess]
    assert guess.played == 0


# -- cutting


def test_cutting_fades_out_and_counts_what_fades_as_played():
    playout = Playout(RATE)
    one, two = clause(100), clause(100, start=100)
    playout.append(one)
    playout.append(two)
    playout.pull(50)
    assert playout.cut() == [one, two]
    assert (one.played, two.played) == (50 + FADE, 0)
    tail = playout.pull(50)
    assert tail.speaking
    assert not tail.samples[FADE:].any()
    assert playout.empty


def test_cutting_what_was_held_is_silent_and_counts_no_more():
    playout = Playout(RATE)
    one = clause(100)
    playout.append(one)
    playout.pull(50)
    playout.hold()
    playout.pull(50)
    playout.cut()
    assert one.played == 50 + FADE
    assert not playout.pull(50).speaking


def test_what_is_protected_and_all_before_it_survives_a_cut():
    playout = Playout(RATE)
    before, safe, after = clause(30), clause(30, start=30, interruptible=False), clause(30)
    for each in (before, safe, after):
        playout.append(each)
    playout.pull(10)
    assert playout.cut() == [after]
    assert np.array_equal(playout.pull(50).samples, ramp(10, 50))
    assert playout.empty


def test_force_cuts_what_is_protected():
    playout = Playout(RATE)
    safe = clause(100, interruptible=False)
    playout.append(safe)
    playout.pull(50)
    assert playout.cut(force=True) == [safe]
    assert np.count_nonzero(playout.pull(50).samples) == FADE


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_speech_is_gone_within_the_fade_at_any_rate(rate):
    playout = Playout(rate)
    playout.append(clause(rate))
    playout.pull(rate // 2)
    playout.cut()
    assert np.count_nonzero(playout.pull(rate).samples) <= 0.02 * rate


def test_a_cut_of_nothing_is_nothing():
    assert Playout(RATE).cut() == []
