from __future__ import annotations

import pytest

from vivavoce.pipelines.interpret.hindsight import LETTER, USUAL, Hindsight


def test_a_word_was_said_a_delay_before_it_was_understood() -> None:
    hindsight = Hindsight()
    hindsight.started(1.0)
    assert hindsight.said(3.0) == pytest.approx(3.0 - USUAL)
    assert Hindsight(0.2).said(3.0) == pytest.approx(2.8)


def test_never_in_a_silence() -> None:
    hindsight = Hindsight(0.4)
    hindsight.started(1.0)
    hindsight.stopped(2.0)
    assert hindsight.said(3.5) == 2.0  # told late, by a flush: its last word
    hindsight.started(5.0)
    assert hindsight.said(5.2) == 5.0  # told early: it cannot have been said before
    assert hindsight.said(2.6) == 2.0


def test_words_that_come_together_were_said_one_after_the_other() -> None:
    hindsight = Hindsight(0.4)
    hindsight.started(0.0)
    assert hindsight.said(9.0, 20) == pytest.approx(8.6 - 20 * LETTER)


def test_it_learns_how_late_a_transcriber_is() -> None:
    hindsight = Hindsight()
    for start in range(0, 100, 5):
        hindsight.started(start)
        hindsight.understood("Hello", start + 5 * LETTER + 0.9)
        hindsight.understood("Hello there", start + 4.0)  # only the first words tell
        hindsight.stopped(start + 3.0)
    assert hindsight.delay == pytest.approx(0.9, abs=0.02)


def test_before_any_voice_it_guesses() -> None:
    assert Hindsight(0.5).said(0.2) == 0.0
