"""Mind: the stage that thinks.

A caller's turn comes in, a reply's text goes out, as it is written. The turn may be a guess: the
reply is then made, but nothing of it enters the transcript and no tool runs until the guess comes
true. Tools run each in a task of its own: an interruption ends the thinking at once, and the tools
that may be left half done; the others run on, and the next thought waits for their results, so
that the history is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    InterruptionFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from vivavoce.agent import history
from vivavoce.agent.events import ToolEnded, ToolStarted
from vivavoce.agent.ledger import Span
from vivavoce.agent.transcript import Entry, Reply, ToolUse
from vivavoce.pipelines.frames import (
    CallerTurnFrame,
    CommitFrame,
    DropFrame,
    ReplyEndFrame,
    ReplyStartFrame,
    ReplyTextFrame,
)
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import TextDelta, Thinking, ToolCallDelta
from vivavoce.pipelines.stage import Context, Stage
from vivavoce.tools import Outcome, run_named

FILLER_AFTER = 0.3
"""Seconds a tool runs before its filler is said: a quick one needs none."""


@dataclass(slots=True, eq=False)
class Answer:
    """The answer to one turn, which may still be a guess.

    Attributes:
        turn: The turn.
        guess: The guess's number, while it is one.
        committed: Set once the turn is decided: from then on tools may run.
        drafts: Its replies; they stand in the transcript only once it is committed.
        tokens: Pieces of text that the model wrote for it.
        failed: What went wrong while it was a guess.
    """

    turn: CallerTurnFrame
    guess: int | None = None
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    drafts: list[Reply] = field(default_factory=list)
    tokens: int = 0
    failed: ModelError | None = None


class Mind(Stage):
    """Thinks: the model's answer, tools, and functions that answer instead of a model."""

    def __init__(self, context: Context, thinking: Thinking) -> None:
        super().__init__(context, "Mind")
        self._thinking = thinking
        self._answer: Answer | None = None
        self._task: asyncio.Task[None] | None = None
        self._running: dict[asyncio.Task[None], ToolUse] = {}
        self._groups = 0

    @property
    def busy(self) -> bool:
        """Whether a reply is being made or a tool runs."""
        return bool(self._running) or (self._task is not None and not self._task.done())

    @property
    def working(self) -> bool:
        """Whether a tool runs that a reply waits for."""
        return bool(self._running)

    @property
    def answering(self) -> bool:
        """Whether a reply is being made to a turn that is decided."""
        return self.busy and (self._answer is None or self._answer.committed.is_set())

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer turns; hand everything on."""
        await super().process_frame(frame, direction)
        match frame:
            case InterruptionFrame() | CancelFrame() | EndFrame():
                self._stop()
            case CommitFrame():
                if not self._commit(frame):
                    # What was made on the guess is no good: it is made anew.
                    await self.push_frame(DropFrame(frame.guess))
                    assert self._answer is not None
                    self._begin_answer(Answer(self._answer.turn))
                    return
            case DropFrame():
                if self._answer is not None and self._answer.guess == frame.guess:
                    self._stop()
            case _:
                pass
        await self.push_frame(frame, direction)
        if isinstance(frame, CallerTurnFrame):
            self._stop()
            self._begin_answer(Answer(frame, frame.guess))

    def _begin_answer(self, answer: Answer) -> None:
        self._answer = answer
        if answer.guess is None:
            answer.committed.set()
            self.context.call.state = "thinking"
        else:
            self.context.call.ledger.speculation.guesses += 1
        self._task = self.tasks.spawn(self._work(answer), "reply")

    def _commit(self, frame: CommitFrame) -> bool:
        """A guess came true: what was made on it counts from now on.

        Returns:
            Whether it does; not if a model failed meanwhile, which may have passed.
        """
        answer = self._answer
        if answer is None or answer.guess != frame.guess:
            return True
        answer.guess = None
        answer.turn.guess = None
        answer.turn.stopped, answer.turn.spans = frame.stopped, frame.spans
        call = self.context.call
        call.state = "thinking"
        call.ledger.speculation.hits += 1
        if answer.failed is not None:
            return False
        for draft in answer.drafts:
            if not draft.closed or draft.generated:
                call.transcript.add(draft)
        answer.committed.set()
        return True

    def _stop(self) -> None:
        """End the thinking, and the tools that may be left half done."""
        if self._task is not None:
            self._task.cancel()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.committed.is_set():
            self.context.call.ledger.speculation.wasted_tokens += answer.tokens
        for task, use in self._running.items():
            tool = self.context.agent.tools.get(use.name)
            if tool is None or tool.interruptible:
                task.cancel()

    async def _work(self, answer: Answer) -> None:
        try:
            if self.context.agent.answerer is not None:
                await self._answer_by_function(answer)
            else:
                await self._answer_by_model(answer)
        except ModelError as error:
            if not answer.committed.is_set():
                answer.failed = error
                return
            if answer.drafts:
                await self._close(answer.drafts[-1])
            await self.context.trouble(error)

    async def _answer_by_function(self, answer: Answer) -> None:
        # The function is the user's and may act: it never runs on a guess.
        await answer.committed.wait()
        agent, call = self.context.agent, self.context.call
        draft = await self._begin(answer)
        started = self.context.clock.now()
        try:
            async with aclosing(agent.answer(call, answer.turn.utterance.text)) as pieces:
                async for piece in pieces:
                    span = Span("thinking", started, self.context.clock.now())
                    await self.push_frame(ReplyTextFrame(piece, reply=draft, spans=(span,)))
        except Exception as error:  # noqa: BLE001 (the user's own function)
            message = f"the agent's reply function failed: {type(error).__name__}: {error}"
            await self._close(draft)
            self.context.fail("thinking", message)
            await self.context.trouble(None)
            return
        await self._close(draft)

    async def _answer_by_model(self, answer: Answer) -> None:
        context = self.context
        started = context.clock.now()
        await self._settle_tools()
        spans: tuple[Span, ...] = (Span("tools", started, context.clock.now()),)
        for remaining in range(context.agent.limits.tool_rounds, -1, -1):
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
            await self._use_tools(draft, calls)
            spans = (*spans, Span("tools", started, context.clock.now()))
            await self._close(draft)

    async def _think(
        self, answer: Answer, draft: Reply, spans: tuple[Span, ...], *, with_tools: bool
    ) -> tuple[tuple[Span, ...], list[ToolCallDelta]]:
        """Have the model write; return what it took and the tools that it calls."""
        context = self.context
        agent, call = context.agent, context.call
        entries: list[Entry] = [entry for entry in call.transcript if entry is not draft]
        if not answer.committed.is_set():
            entries.append(answer.turn.utterance)
        messages = history.messages(agent.instructions_for(call), entries)
        tools = agent.tools.definitions if with_tools else []
        call.ledger.speculation.requests += 1
        started = context.clock.now()
        first: Span | None = None
        calls: list[ToolCallDelta] = []
        async with aclosing(self._thinking.stream(messages, tools)) as thoughts:
            async for thought in thoughts:
                if isinstance(thought, TextDelta | ToolCallDelta) and first is None:
                    first = Span("thinking", started, context.clock.now())
                if isinstance(thought, TextDelta):
                    answer.tokens += 1
                    await self.push_frame(
                        ReplyTextFrame(thought.text, reply=draft, spans=(*spans, *_some(first)))
                    )
                elif isinstance(thought, ToolCallDelta):
                    calls.append(thought)
        return (*spans, Span("thinking", started, context.clock.now())), calls

    async def _begin(self, answer: Answer) -> Reply:
        draft = Reply()
        answer.drafts.append(draft)
        if answer.committed.is_set():
            self.context.call.transcript.add(draft)
        turn = answer.turn
        await self.push_frame(
            ReplyStartFrame(reply=draft, stopped=turn.stopped, spans=turn.spans, guess=answer.guess)
        )
        return draft

    async def _close(self, draft: Reply) -> None:
        await self.push_frame(ReplyEndFrame(reply=draft))

    async def _use_tools(self, draft: Reply, calls: Sequence[ToolCallDelta]) -> None:
        """Run tools side by side and wait for all of them."""
        self._groups += 1
        tasks = [
            self._start_tool(
                ToolUse(call.id, call.name, call.arguments, self._groups, self.context.at)
            )
            for call in _distinct(calls)
        ]
        filler = self._filler(calls) if not draft.generated else None
        if filler:
            done, _ = await asyncio.wait(tasks, timeout=FILLER_AFTER)
            if len(done) < len(tasks):
                started = self.context.clock.now()
                span = Span("thinking", started, started)
                await self.push_frame(ReplyTextFrame(filler, reply=draft, spans=(span,)))
                await self._close(draft)
        if tasks:
            await asyncio.wait(tasks)

    def _filler(self, calls: Sequence[ToolCallDelta]) -> str | None:
        for call in calls:
            tool = self.context.agent.tools.get(call.name)
            if tool is not None and tool.filler:
                return tool.filler
        return None

    def _start_tool(self, use: ToolUse) -> asyncio.Task[None]:
        self.context.call.transcript.add(use)
        task = self.tasks.spawn(self._run_tool(use), f"tool {use.name}")
        self._running[task] = use
        task.add_done_callback(self._running.pop)
        return task

    async def _run_tool(self, use: ToolUse) -> None:
        context = self.context
        context.emit(ToolStarted(context.at, use))
        await self.push_frame(
            FunctionCallInProgressFrame(
                function_name=use.name, tool_call_id=use.id, arguments=use.arguments
            )
        )
        started = context.clock.now()
        try:
            outcome = await run_named(context.agent.tools, use.name, context.call, use.arguments)
        except asyncio.CancelledError:
            self._end_tool(use, Outcome.cancelled(use.name), started)
            raise
        if not outcome.ok and outcome.kind in {"error", "timeout"} and outcome.error is not None:
            context.fail(
                "tools",
                f"tool {use.name}: {type(outcome.error).__name__}: {outcome.error}",
            )
        self._end_tool(use, outcome, started)
        await self.push_frame(
            FunctionCallResultFrame(
                function_name=use.name,
                tool_call_id=use.id,
                arguments=use.arguments,
                result=outcome.content,
            )
        )

    def _end_tool(self, use: ToolUse, outcome: Outcome, started: float) -> None:
        use.seconds = self.context.clock.now() - started
        use.result = outcome.content
        use.ok = outcome.ok
        self.context.emit(ToolEnded(self.context.at, use))

    async def _settle_tools(self) -> None:
        """Wait for tools that an interruption left running; each has its own time-out."""
        if self._running:
            await asyncio.wait(list(self._running))


def _some(span: Span | None) -> tuple[Span, ...]:
    return () if span is None else (span,)


def _distinct(calls: Sequence[ToolCallDelta]) -> list[ToolCallDelta]:
    """Drop calls that repeat another's id: side effects happen once."""
    seen: set[str] = set()
    return [call for call in calls if not (call.id in seen or seen.add(call.id))]  # type: ignore[func-returns-value]
