from __future__ import annotations

import pytest

from vivavoce.agent.answers import digits, yes_no
from vivavoce.agent.asking import GATHER, Asking, Given, Say, Stop


def asking(kind=None, **given) -> Asking:
    given = {"language": "en", "retries": 1, "patience": 8.0, **given}
    made = Asking("Your pin?", kind or digits(4), **given)
    assert made.begin() == Say("Your pin?")
    return made


def test_an_answer_is_given():
    question = asking()
    question.listening(1)
    assert question.said("one two three four", 3) == Given("1234")


def test_it_may_be_given_in_two_breaths():
    question = asking()
    question.listening(1)
    assert question.said("one two", 3) is None
    assert question.due == pytest.approx(3 + GATHER)
    assert question.said("three four", 5) == Given("1234")


def test_what_came_before_is_forgotten_where_the_whole_makes_no_sense():
    question = asking()
    question.listening(1)
    question.said("nine nine", 3)
    assert question.said("sorry, one two three four", 5) == Given("1234")


def test_it_is_asked_again_and_then_given_up():
    question = asking()
    question.listening(1)
    again = question.said("what?", 3)
    assert isinstance(again, Say)
    assert "digits" in again.text
    question.listening(5)
    assert isinstance(question.said("no idea", 7), Stop)
    assert question.heard == ["what?", "no idea"]


def test_the_words_for_asking_again_may_be_ones_own():
    question = asking(again="Four digits, please.")
    question.listening(1)
    assert question.said("what?", 3) == Say("Four digits, please.")


def test_silence_is_waited_for_from_the_questions_end():
    question = asking()
    assert question.tick(100) is None
    assert question.due is None
    question.listening(101)
    assert question.due == pytest.approx(109)
    assert question.tick(108) is None
    assert isinstance(question.tick(109.5), Say)


def test_nothing_is_due_while_the_caller_speaks():
    question = asking()
    question.listening(1)
    question.speaking()
    assert question.tick(100) is None
    question.silent(100)
    assert question.due == pytest.approx(108)


def test_an_unfinished_answer_that_is_not_finished_is_asked_for_again():
    question = asking()
    question.listening(1)
    question.said("one two", 3)
    assert isinstance(question.tick(3 + GATHER), Say)
    question.listening(8)
    # What was said before the question was asked again no longer counts.
    assert question.said("three four five six", 10) == Given("3456")


def test_keys_answer_as_words_do():
    question = asking()
    question.listening(1)
    assert [question.pressed(key, 2) for key in "123"] == [None, None, None]
    assert question.pressed("4", 2) == Given("1234")


def test_false_is_an_answer():
    question = asking(yes_no())
    question.listening(1)
    assert question.said("no", 2) == Given(value=False)
