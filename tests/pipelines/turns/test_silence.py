from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.agent import Silence
from vivavoce.pipelines.turns.silence import Ask, GiveUp, Reassure, Scene, Watch

QUIET = Scene()
SPEAKS = Scene(agent=True)
CALLS = Scene(caller=True)
THINKS = Scene(thinking=True)
WORKS = Scene(thinking=True, tools=True)


class Line:
    """Drives the machine as the pipeline does, every 20 ms."""

    def __init__(self, **silence):
        self.watch = Watch(Silence(**silence))
        self.now = 0.0

    def wait(self, seconds, scene=QUIET):
        """Let time pass; what was due, and when."""
        due = []
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            if (what := self.watch.tick(self.now, scene)) is not None:
                due.append((round(self.now, 2), what))
        return due


def test_a_quiet_line_is_asked_and_then_given_up():
    line = Line(ask_after=5, asks=2)
    due = line.wait(60)
    assert [what for _, what in due] == [Ask(1), Ask(2), GiveUp()]
    assert [at for at, _ in due] == pytest.approx([5, 10, 15], abs=0.1)


def test_the_question_itself_is_waited_for():
    line = Line(ask_after=5, asks=1)
    assert line.wait(5.1)[0][1] == Ask(1)
    line.wait(3, SPEAKS)
    ((at, what),) = line.wait(10)
    assert what == GiveUp()
    assert at == pytest.approx(13.1, abs=0.1)


@pytest.mark.parametrize("scene", [SPEAKS, CALLS, THINKS])
def test_who_does_something_is_not_asked(scene):
    assert Line(ask_after=5).wait(60, scene) == []


def test_an_answer_begins_it_all_anew():
    line = Line(ask_after=5, asks=1)
    assert line.wait(5.1)[0][1] == Ask(1)
    line.wait(1, CALLS)
    assert [what for _, what in line.wait(5.1)] == [Ask(1)]


def test_who_never_asks_never_hangs_up():
    assert Line(ask_after=None).wait(600) == []


def test_who_does_not_hang_up_asks_no_more():
    assert [what for _, what in Line(ask_after=5, asks=1, hang_up=False).wait(60)] == [Ask(1)]


def test_a_slow_tool_is_told_of_and_again():
    due = Line(work_after=2, work_again=6).wait(15, WORKS)
    assert [what for _, what in due] == [Reassure(1), Reassure(2), Reassure(3)]
    assert [at for at, _ in due] == pytest.approx([2, 8, 14], abs=0.1)


def test_a_tool_under_words_is_not_told_of():
    line = Line(work_after=2)
    assert line.wait(5, Scene(agent=True, thinking=True, tools=True)) == []
    assert line.wait(1.5, WORKS) == []
    assert [what for _, what in line.wait(1, WORKS)] == [Reassure(1)]


def test_nobody_is_told_anything_while_the_caller_speaks():
    line = Line(work_after=2)
    assert line.wait(10, Scene(caller=True, thinking=True, tools=True)) == []


def test_a_tool_that_works_silently_is_not_told_of():
    assert Line(working="nothing").wait(60, WORKS) == []


def test_the_next_slow_tool_is_told_of_as_the_first():
    line = Line(work_after=2, work_again=6, ask_after=None)
    assert line.wait(2.1, WORKS)[0][1] == Reassure(1)
    line.wait(1)
    assert [what for _, what in line.wait(2.1, WORKS)] == [Reassure(1)]


@given(st.lists(st.tuples(st.sampled_from([QUIET, SPEAKS, CALLS, THINKS, WORKS]),
                          st.floats(0.1, 8)), max_size=30))  # fmt: skip
def test_nobody_is_given_up_who_was_heard_or_answered(scenes):
    line = Line(ask_after=3, asks=1)
    quiet = 0.0
    for scene, seconds in scenes:
        for _, what in line.wait(seconds, scene):
            if isinstance(what, GiveUp):
                assert scene == QUIET
        quiet = quiet + seconds if scene == QUIET else 0.0
