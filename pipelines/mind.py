"""Mind: the stage that thinks.

A caller's turn comes in, a reply's text goes out, as it is written. The turn may be a guess: the
reply is then made (`vivavoce.pipelines.responder`), but nothing of it enters the transcript and no
tool runs until the guess comes true. An interruption ends the thinking at once, and the tools that
may be left half done (`vivavoce.pipelines.hands`); the next thought waits for the others, so that
the history is whole.
"""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputDTMFFrame,
    InterruptionFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.utils.time import time_now_iso8601

from vivavoce.agent.transcript import Entry, Utterance
from vivavoce.pipelines.answer import Answer
from vivavoce.pipelines.frames import CallerTurnFrame, CommitFrame, DropFrame
from vivavoce.pipelines.hands import Hands
from vivavoce.pipelines.models.interfaces import Thinking
from vivavoce.pipelines.responder import Responder
from vivavoce.pipelines.stage import Context, Stage
from vivavoce.pipelines.writer import Writer


class Mind(Stage):
    """Thinks: decides which turn is answered, when it counts, and when the thinking ends."""

    def __init__(self, context: Context, thinking: Thinking) -> None:
        super().__init__(context, "Mind")
        self._hands = Hands(context, self.push_frame)
        self._writer = Writer(context, self.push_frame)
        self._responder = Responder(context, thinking, self._hands, self._writer)
        self._answer: Answer | None = None
        self._task: asyncio.Task[None] | None = None
        self._passed_by: CallerTurnFrame | None = None
        self._owed = False

    @property
    def busy(self) -> bool:
        """Whether a reply is being made, or a tool runs that one waits for."""
        return self._thinks or self._hands.waited_for

    @property
    def at_work(self) -> bool:
        """Whether a tool runs, waited for or not."""
        return self._hands.busy

    @property
    def working(self) -> bool:
        """Whether a tool runs that a reply waits for."""
        return self._hands.waited_for

    @property
    def answering(self) -> bool:
        """Whether a reply is being made to a turn that is decided."""
        if self._thinks:
            return self._answer is None or self._answer.committed.is_set()
        return self._hands.waited_for

    @property
    def _thinks(self) -> bool:
        return self._task is not None and not self._task.done()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer turns; hand everything on."""
        await super().process_frame(frame, direction)
        call = self.context.call
        match frame:
            case InterruptionFrame():
                # What is said while a question waits, or on hold, is no objection to the reply.
                if not call.questioning and not call.on_hold:
                    self._stop()
                    self._hands.interrupt()
                    self._owed = self._hands.waited_for
            case CancelFrame() | EndFrame():
                self._stop()
                self._hands.end()
            case CommitFrame():
                if not await self._decide(frame):
                    return
            case DropFrame():
                if self._passed_by is not None and self._passed_by.guess == frame.guess:
                    self._passed_by = None
                if self._answer is not None and self._answer.guess == frame.guess:
                    self._stop()
            case InputDTMFFrame():
                call.pressed(frame.button.value)
            case _:
                pass
        await self.push_frame(frame, direction)
        if isinstance(frame, CallerTurnFrame):
            self._turn(frame)

    async def close(self) -> None:
        """Wait for the tools that must not be stopped, once the call is over; idempotent."""
        await self._hands.close()

    def tell_news(self) -> None:
        """Have the agent speak unasked, where there is cause to; call it in a pause."""
        call = self.context.call
        if self.busy:
            return
        if (self._owed or self._hands.has_news) and not call.questioning and not call.on_hold:
            self._begin_answer(Answer(None))

    async def greet(self) -> None:
        """Say the greeting of the agent that took the call over, where it has one."""
        call = self.context.call
        if not call.greeting_due:
            return
        answer = Answer(None)
        answer.committed.set()
        await self._responder.greet(answer)

    async def go_on(self, owed: Entry | None) -> None:
        """Answer what was left unanswered when the server of the call was lost.

        Args:
            owed: What that is; None for nothing.
        """
        if self.context.call.greeting_due:
            await self.greet()
        elif isinstance(owed, Utterance):
            # The caller waits for it since they are back, not since they said it.
            turn = CallerTurnFrame(
                text=owed.text,
                user_id="caller",
                timestamp=time_now_iso8601(),
                finalized=True,
                utterance=owed,
                stopped=self.context.clock.now(),
            )
            self._begin_answer(Answer(turn))
        elif owed is not None:
            self._begin_answer(Answer(None))

    # Turns.

    def _turn(self, turn: CallerTurnFrame) -> None:
        """The caller's turn is over, or so it is guessed."""
        call = self.context.call
        if turn.guess is None:
            self._hands.caller_spoke(turn.utterance)
        if call.questioning or call.on_hold:
            self._pass_by(turn)
            return
        if turn.guess is not None and call.would_speak(turn.text) != call.language:
            # In which language it is answered is known once it is decided.
            self._passed_by = turn
            return
        self._stop()
        self._begin_answer(Answer(turn, turn.guess))

    def _pass_by(self, turn: CallerTurnFrame) -> None:
        """A turn that the model does not answer."""
        if turn.guess is not None:
            self._passed_by = turn
        elif self._answer is not None and self._answer.committed.is_set():
            # A tool asked, and this is the answer: the caller waits from here on.
            self._answer.turn = turn

    async def _decide(self, frame: CommitFrame) -> bool:
        """A guess came true.

        Returns:
            Whether the frame goes on; not if all that was made on the guess is no good.
        """
        passed, self._passed_by = self._passed_by, None
        answer, call = self._answer, self.context.call
        if passed is not None and passed.guess == frame.guess:
            passed.guess = None
            passed.stopped, passed.spans = frame.stopped, frame.spans
            self._turn(passed)
            return True
        if answer is None or answer.turn is None or answer.guess != frame.guess:
            return True
        answer.guess = answer.turn.guess = None
        answer.turn.stopped, answer.turn.spans = frame.stopped, frame.spans
        self._hands.caller_spoke(answer.turn.utterance)
        if call.questioning or call.on_hold:
            self._stop()
            await self.push_frame(DropFrame(frame.guess))
            return False
        if not self._commit(answer):
            # What was made on the guess is no good: it is made anew.
            await self.push_frame(DropFrame(frame.guess))
            self._begin_answer(Answer(answer.turn))
            return False
        return True

    def _commit(self, answer: Answer) -> bool:
        """What was made on a guess counts from now on, unless a model failed meanwhile."""
        call = self.context.call
        call.phase = "thinking"
        call.ledger.speculation.hits += 1
        if answer.failed is not None:
            return False
        for draft in answer.drafts:
            if not draft.closed or draft.generated:
                call.transcript.add(draft)
        answer.committed.set()
        self._writer.tell_checked(answer)
        return True

    def _begin_answer(self, answer: Answer) -> None:
        self._answer = answer
        self._owed = False
        if answer.guess is None:
            answer.committed.set()
            self.context.call.phase = "thinking"
        else:
            self.context.call.ledger.speculation.guesses += 1
        self._task = self.tasks.spawn(self._responder.respond(answer), "reply")

    def _stop(self) -> None:
        """End the thinking."""
        if self._task is not None:
            self._task.cancel()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.committed.is_set():
            self.context.call.ledger.speculation.wasted_tokens += answer.tokens
