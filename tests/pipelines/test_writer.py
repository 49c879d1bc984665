"""Replies on their way to the mouth, and the checks on their way."""

from __future__ import annotations

from typing import Any

import pytest
from pipecat.frames.frames import Frame

from vivavoce.agent import Agent, Call, Refuse
from vivavoce.agent.events import Checked, Failed
from vivavoce.agent.ledger import Span
from vivavoce.agent.options import Limits
from vivavoce.pipelines.answer import Answer
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.frames import ReplyEndFrame, ReplyStartFrame, ReplyTextFrame
from vivavoce.pipelines.stage import Context
from vivavoce.pipelines.writer import RefusedError, Writer

THOUGHT = (Span("thinking", 1.0, 2.0),)


class Desk:
    """A writer, and what it sent."""

    def __init__(self, agent: Agent[Any], *, decided: bool = True) -> None:
        self.call, self.sent = Call(agent), list[Frame]()
        context = Context(self.call, Clock(), 0.0, self._trouble)
        self.writer = Writer(context, self._push)
        self.answer = Answer(None, guess=None if decided else 4)
        if decided:
            self.answer.committed.set()

    async def _push(self, frame: Frame) -> None:
        self.sent.append(frame)

    async def _trouble(self, error: object) -> None:
        raise AssertionError(error)

    @property
    def text(self) -> list[str]:
        return [each.text for each in self.sent if isinstance(each, ReplyTextFrame)]

    @property
    def checked(self) -> list[Checked]:
        return [event for event in self.call.past if isinstance(event, Checked)]


def strict() -> Agent[Any]:
    agent = Agent()

    @agent.check_reply
    def check(call: Call, clause: str) -> str | Refuse | None:
        if "price" in clause:
            return Refuse("Ask the desk.")
        return clause.replace("wine", "juice") if "wine" in clause else None

    return agent


async def test_pieces_go_out_as_they_are_written():
    desk = Desk(Agent())
    draft = await desk.writer.begin(desk.answer)
    assert await desk.writer.write(desk.answer, draft, "Of cou", THOUGHT)
    assert await desk.writer.write(desk.answer, draft, "rse", ())
    await desk.writer.finish(desk.answer, draft)
    await desk.writer.close(draft)
    assert [type(each) for each in desk.sent] == [
        ReplyStartFrame,
        ReplyTextFrame,
        ReplyTextFrame,
        ReplyEndFrame,
    ]
    assert desk.text == ["Of cou", "rse"]
    assert desk.sent[1].spans == THOUGHT
    assert desk.call.transcript.entries == [draft]


async def test_of_a_guess_nothing_enters_the_transcript():
    desk = Desk(Agent(), decided=False)
    await desk.writer.say(desk.answer, "Of course.")
    assert not desk.call.transcript.entries
    assert desk.sent[0].guess == 4
    assert desk.text == ["Of course."]


async def test_no_more_is_wanted_behind_the_bound():
    desk = Desk(Agent(limits=Limits(reply=100)))
    draft = await desk.writer.begin(desk.answer)
    assert not await desk.writer.write(desk.answer, draft, "It is so. " * 40, THOUGHT)
    assert desk.text == [("It is so. " * 11).strip()]


async def test_checks_judge_clause_by_clause_and_change_words():
    desk = Desk(strict())
    draft = await desk.writer.begin(desk.answer)
    await desk.writer.write(desk.answer, draft, "There is beer. There is wi", THOUGHT)
    assert desk.text == ["There is beer. "]
    await desk.writer.write(desk.answer, draft, "ne.", THOUGHT)
    await desk.writer.finish(desk.answer, draft)
    assert desk.text == ["There is beer. ", "There is juice. "]
    # Judging counts as a part of what had to be done before it could be said.
    assert [span.stage for span in desk.sent[1].spans] == ["thinking", "clause"]
    (checked,) = desk.checked
    assert (checked.what, checked.refused) == ("reply", False)


async def test_a_clause_that_is_refused_ends_the_reply_with_other_words():
    desk = Desk(strict())
    draft = await desk.writer.begin(desk.answer)
    with pytest.raises(RefusedError):
        await desk.writer.write(desk.answer, draft, "Yes. The price is ten. No more. ", THOUGHT)
    assert desk.text == ["Yes. ", "Ask the desk."]
    assert [each.refused for each in desk.checked] == [True]


async def test_what_checks_did_to_a_guess_is_told_once_it_is_decided():
    desk = Desk(strict(), decided=False)
    desk.writer.note(desk.answer, "heard", "a", "b", refused=True, why="the check took too long")
    assert not desk.call.past
    desk.answer.committed.set()
    desk.writer.tell_checked(desk.answer)
    desk.writer.tell_checked(desk.answer)
    assert [type(event) for event in desk.call.past] == [Failed, Checked]
