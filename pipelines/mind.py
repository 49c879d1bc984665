"""Mind: the stage that thinks.

A caller's turn comes in, a reply's text goes out, as it is written. The turn may be a guess: the
reply is then made, but nothing of it enters the transcript and no tool runs until the guess comes
true. An interruption ends the thinking at once, and the tools that may be left half done
(`vivavoce.pipelines.hands`); the next thought waits for the others, so that the history is whole.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputDTMFFrame,
    InterruptionFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.utils.time import time_now_iso8601

from vivavoce.agent import history
from vivavoce.agent.events import Checked
from vivavoce.agent.ledger import Span
from vivavoce.agent.phrases import NOT_ANSWERED, phrase
from vivavoce.agent.transcript import Entry, News, Reply, Utterance
from vivavoce.pipelines.clauses import Clauses, ended
from vivavoce.pipelines.frames import (
    CallerTurnFrame,
    CommitFrame,
    DropFrame,
    ReplyEndFrame,
    ReplyStartFrame,
    ReplyTextFrame,
)
from vivavoce.pipelines.hands import Hands
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, Thinking, ToolCallDelta
from vivavoce.pipelines.stage import Context, Noting, Stage

WITHHELD = "(What the caller said here is withheld.)"
"""What the model is told in place of words that a check refused."""


class _RefusedError(Exception):
    """A check refused a clause: the reply is over."""


@dataclass(slots=True, eq=False)
class Answer:
    """The answer to one turn, which may still be a guess.

    Attributes:
        turn: The turn; None where the agent speaks unasked (a tool's late result).
        guess: The guess's number, while it is one.
        committed: Set once the turn is decided: from then on tools may run.
        drafts: Its replies; they stand in the transcript only once it is committed.
        tokens: Pieces of text that the model wrote for it.
        failed: What went wrong while it was a guess.
        checked: What checks did, told once it is committed.
        written: Characters of the reply that is being written.
        cut: A reply came to the bound of `Limits.reply`.
    """

    turn: CallerTurnFrame | None
    guess: int | None = None
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    drafts: list[Reply] = field(default_factory=list)
    tokens: int = 0
    failed: ModelError | None = None
    checked: list[Checked] = field(default_factory=list)
    written: int = 0
    cut: bool = False
    gate: Clauses = field(default_factory=Clauses)


class Mind(Stage):
    """Thinks: the model's answer, tools, and functions that answer instead of a model."""

    def __init__(self, context: Context, thinking: Thinking) -> None:
        super().__init__(context, "Mind")
        self._thinking = thinking
        self._hands = Hands(context, self.push_frame)
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
        call.greeting_due = False
        answer = Answer(None)
        answer.committed.set()
        await self._say_greeting(answer)

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
        self._tell_checked(answer)
        return True

    def _begin_answer(self, answer: Answer) -> None:
        self._answer = answer
        self._owed = False
        if answer.guess is None:
            answer.committed.set()
            self.context.call.phase = "thinking"
        else:
            self.context.call.ledger.speculation.guesses += 1
        self._task = self.tasks.spawn(self._work(answer), "reply")

    def _stop(self) -> None:
        """End the thinking."""
        if self._task is not None:
            self._task.cancel()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.committed.is_set():
            self.context.call.ledger.speculation.wasted_tokens += answer.tokens

    # Answers.

    async def _work(self, answer: Answer) -> None:
        context = self.context
        try:
            if await self._refused(answer):
                return
            if context.agent.answerer is not None and answer.turn is not None:
                await self._answer_by_function(answer)
            else:
                await self._answer_by_model(answer)
            if answer.cut:
                await answer.committed.wait()
                bound = context.agent.limits.reply
                context.fail("thinking", f"a reply was ended: it passed Limits(reply={bound})")
            if context.call.greeting_due:
                await self._say_greeting(answer)
        except ModelError as error:
            if not answer.committed.is_set():
                answer.failed = error
                return
            if answer.drafts:
                await self._close(answer.drafts[-1])
            await context.trouble(error)
        except Exception as error:  # noqa: BLE001 (the user's own instructions)
            await answer.committed.wait()
            if answer.drafts:
                await self._close(answer.drafts[-1])
            context.fail("thinking", f"the agent failed: {type(error).__name__}: {error}")
            await context.trouble(None)

    async def _refused(self, answer: Answer) -> bool:
        """Have the agent's checks judge what was heard; say the words of one that refuses."""
        if answer.turn is None:
            return False
        agent, call, utterance = self.context.agent, self.context.call, answer.turn.utterance
        judged = await agent.judge_heard(call, utterance.text)
        if judged.refused:
            utterance.told = WITHHELD
            words = judged.words or phrase(NOT_ANSWERED, call.language)
            self._note(answer, "heard", utterance.text, words, refused=True, why=judged.why)
            draft = await self._begin(answer)
            now = self.context.clock.now()
            await self._push_text(draft, words, (Span("thinking", now, now),))
            await self._close(draft)
        elif judged.text != utterance.text:
            utterance.told = judged.text
            self._note(answer, "heard", utterance.text, judged.text)
        return judged.refused

    async def _answer_by_function(self, answer: Answer) -> None:
        # The function is the user's and may act: it never runs on a guess.
        await answer.committed.wait()
        agent, call = self.context.agent, self.context.call
        assert answer.turn is not None
        utterance = answer.turn.utterance
        text = utterance.text if utterance.told is None else utterance.told
        # Begun with its first words: what the function says and asks of itself comes before.
        draft: Reply | None = None
        started = self.context.clock.now()
        try:
            async with aclosing(agent.answer(call, text)) as pieces:
                async for piece in pieces:
                    if not piece:
                        continue
                    draft = draft or await self._begin(answer)
                    span = Span("thinking", started, self.context.clock.now())
                    if not await self._write(answer, draft, piece, (span,)):
                        break
            if draft is not None:
                await self._finish_text(answer, draft)
        except _RefusedError:
            pass
        except Exception as error:  # noqa: BLE001 (the user's own function)
            message = f"the agent's reply function failed: {type(error).__name__}: {error}"
            if draft is not None:
                await self._close(draft)
            self.context.fail("thinking", message)
            await self.context.trouble(None)
            return
        if draft is not None:
            await self._close(draft)
        elif call.phase == "thinking":
            call.phase = "listening"

    async def _answer_by_model(self, answer: Answer) -> None:
        context = self.context
        started = context.clock.now()
        await self._hands.settle()
        spans: tuple[Span, ...] = (Span("tools", started, context.clock.now()),)
        for remaining in range(context.agent.limits.tool_rounds, -1, -1):
            if answer.committed.is_set():
                self._tell_late_results(answer)
            draft = await self._begin(answer)
            spans, calls = await self._think(answer, draft, spans, with_tools=remaining > 0)
            if not calls:
                await self._close(draft)
                if not draft.generated:
                    raise ModelError("thinking", "broken", "the model answered with nothing")
                return
            # Tools act on the world: never on a guess.
            await answer.committed.wait()
            started = context.clock.now()
            grip = self._hands.take(calls)
            if draft.generated or not grip.filler:
                # Nothing is to be said any more: what a tool says itself must not wait for it.
                await self._close(draft)
                grip.filler = ""

            async def say(filler: str, draft: Reply = draft) -> None:
                now = context.clock.now()
                await self._push_text(draft, filler, (Span("thinking", now, now),))
                await self._close(draft)

            await self._hands.wait(grip, say)
            spans = (*spans, Span("tools", started, context.clock.now()))
            if grip.filler:
                await self._close(draft)
            if context.call.greeting_due or context.call.joined:
                return

    def _tell_late_results(self, answer: Answer) -> None:
        """Let the model know what came of tools in the background, before what it answers."""
        transcript = self.context.call.transcript
        for text in self._hands.take_news():
            news = News(f"({text})", self.context.at)
            last = transcript.entries[-1] if transcript.entries else None
            if answer.turn is not None and last is answer.turn.utterance:
                transcript.entries.insert(len(transcript.entries) - 1, news)
            else:
                transcript.add(news)

    async def _think(
        self, answer: Answer, draft: Reply, spans: tuple[Span, ...], *, with_tools: bool
    ) -> tuple[tuple[Span, ...], list[ToolCallDelta]]:
        """Have the model write; return what it took and the tools that it calls."""
        context = self.context
        agent, call = context.agent, context.call
        await context.prepare(agent)
        entries: list[Entry] = [entry for entry in call.transcript if entry is not draft]
        if answer.turn is not None and not answer.committed.is_set():
            entries.append(answer.turn.utterance)
        limits = agent.limits
        messages = history.messages(
            await agent.instructions_for(call),
            entries,
            tokens=limits.history_tokens,
            turns=limits.history_turns,
        )
        history.make_ready(messages)
        tools = agent.tools.definitions if with_tools else []
        call.ledger.speculation.requests += 1
        call.usage.requests += 1
        started = context.clock.now()
        first: Span | None = None
        calls: list[ToolCallDelta] = []
        noted = Noting(context, partial(draft.served.__setitem__, "thinking"))
        try:
            with served.listening(noted):
                async with aclosing(self._thinking.stream(messages, tools)) as thoughts:
                    async for thought in thoughts:
                        if isinstance(thought, TextDelta | ToolCallDelta) and first is None:
                            first = Span("thinking", started, context.clock.now())
                        if isinstance(thought, TextDelta):
                            answer.tokens += 1
                            call.ledger.speculation.tokens += 1
                            told = (*spans, *_some(first))
                            if not await self._write(answer, draft, thought.text, told):
                                calls.clear()
                                break
                        elif isinstance(thought, ToolCallDelta):
                            calls.append(thought)
                        elif isinstance(thought, Finished):
                            call.usage.prompt_tokens += thought.usage.prompt
                            call.usage.completion_tokens += thought.usage.completion
                            noted.used(thought.usage.prompt, thought.usage.completion)
            await self._finish_text(answer, draft)
        except _RefusedError:
            calls = []
        return (*spans, Span("thinking", started, context.clock.now())), calls

    async def _say_greeting(self, answer: Answer) -> None:
        call = self.context.call
        call.greeting_due = False
        text = await self.context.agent.greeting_for(call)
        if text:
            draft = await self._begin(answer)
            now = self.context.clock.now()
            await self._push_text(draft, text, (Span("thinking", now, now),))
            await self._close(draft)

    # Replies.

    async def _begin(self, answer: Answer) -> Reply:
        draft = Reply()
        answer.drafts.append(draft)
        answer.written = 0
        answer.gate = Clauses(longest=self.context.agent.speech.longest)
        if answer.committed.is_set():
            self.context.call.transcript.add(draft)
        turn = answer.turn
        await self.push_frame(
            ReplyStartFrame(
                reply=draft,
                stopped=None if turn is None else turn.stopped,
                spans=() if turn is None else turn.spans,
                guess=answer.guess,
            )
        )
        return draft

    async def _write(
        self, answer: Answer, draft: Reply, text: str, spans: tuple[Span, ...]
    ) -> bool:
        """Have a piece of text said; clause by clause, where there are checks on them.

        Returns:
            Whether there is room for more in the reply.
        """
        last = ended(text, self.context.agent.limits.reply - answer.written)
        answer.written += len(text)
        if last is not None:
            text, answer.cut = last, True
        if not self.context.agent.judges_replies:
            await self._push_text(draft, text, spans)
            return not answer.cut
        for clause in answer.gate.feed(text):
            await self._check(answer, draft, clause, spans)
        return not answer.cut

    async def _finish_text(self, answer: Answer, draft: Reply) -> None:
        if self.context.agent.judges_replies:
            for clause in answer.gate.finish():
                await self._check(answer, draft, clause, ())

    async def _check(
        self, answer: Answer, draft: Reply, clause: str, spans: tuple[Span, ...]
    ) -> None:
        call = self.context.call
        started = self.context.clock.now()
        judged = await self.context.agent.judge_reply(call, clause)
        # Judging is a part of gathering what can be said.
        spans = (*spans, Span("clause", started, self.context.clock.now())) if spans else spans
        if judged.refused:
            words = judged.words or phrase(NOT_ANSWERED, call.language)
            self._note(answer, "reply", clause, words, refused=True, why=judged.why)
            await self._push_text(draft, words, spans)
            raise _RefusedError
        if judged.text != clause:
            self._note(answer, "reply", clause, judged.text)
        if judged.text.strip():
            await self._push_text(draft, f"{judged.text} ", spans)

    def _note(
        self,
        answer: Answer,
        what: str,
        text: str,
        instead: str,
        *,
        refused: bool = False,
        why: str = "",
    ) -> None:
        answer.checked.append(Checked(self.context.at, what, text, instead, refused, why))
        if answer.committed.is_set():
            self._tell_checked(answer)

    def _tell_checked(self, answer: Answer) -> None:
        checked, answer.checked = answer.checked, []
        for event in checked:
            if event.why:
                self.context.fail("checks", event.why)
            self.context.emit(event)

    async def _push_text(self, draft: Reply, text: str, spans: tuple[Span, ...]) -> None:
        await self.push_frame(ReplyTextFrame(text, reply=draft, spans=spans))

    async def _close(self, draft: Reply) -> None:
        await self.push_frame(ReplyEndFrame(reply=draft))


def _some(span: Span | None) -> tuple[Span, ...]:
    return () if span is None else (span,)
