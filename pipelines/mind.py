"""Mind: the stage that thinks.

A caller's turn comes in, a reply's text goes out, as it is written. Tools run in between, each
in a task of its own: an interruption ends the thinking at once, and the tools that may be left
half done; the others run on, and the next thought waits for their results, so that the history
is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

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
from vivavoce.agent.transcript import Reply, ToolUse
from vivavoce.pipelines.frames import (
    CallerTurnFrame,
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


class Mind(Stage):
    """Thinks: the model's answer, tools, and functions that answer instead of a model."""

    def __init__(self, context: Context, thinking: Thinking) -> None:
        super().__init__(context, "Mind")
        self._thinking = thinking
        self._reply: asyncio.Task[None] | None = None
        self._running: dict[asyncio.Task[None], ToolUse] = {}
        self._groups = 0
        self._draft: Reply | None = None

    @property
    def busy(self) -> bool:
        """Whether a reply is being made or a tool runs."""
        return bool(self._running) or (self._reply is not None and not self._reply.done())

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer turns; hand everything on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame | CancelFrame | EndFrame):
            self._stop()
        await self.push_frame(frame, direction)
        if isinstance(frame, CallerTurnFrame):
            self._stop()
            self.context.call.state = "thinking"
            self._reply = self.tasks.spawn(self._answer(frame), "reply")

    def _stop(self) -> None:
        """End the thinking, and the tools that may be left half done."""
        if self._reply is not None:
            self._reply.cancel()
        for task, use in self._running.items():
            tool = self.context.agent.tools.get(use.name)
            if tool is None or tool.interruptible:
                task.cancel()

    async def _answer(self, turn: CallerTurnFrame) -> None:
        try:
            if self.context.agent.answerer is not None:
                await self._answer_by_function(turn)
            else:
                await self._answer_by_model(turn)
        except ModelError as error:
            if self._draft is not None:
                await self._close(self._draft)
            await self.context.trouble(error)

    async def _answer_by_function(self, turn: CallerTurnFrame) -> None:
        agent, call = self.context.agent, self.context.call
        draft = await self._begin(turn)
        started = self.context.clock.now()
        spans = turn.spans
        try:
            async with aclosing(agent.answer(call, turn.utterance.text)) as pieces:
                async for piece in pieces:
                    spans = (*turn.spans, Span("thinking", started, self.context.clock.now()))
                    await self.push_frame(ReplyTextFrame(piece, reply=draft, spans=spans))
        except Exception as error:  # noqa: BLE001 (the user's own function)
            message = f"the agent's reply function failed: {type(error).__name__}: {error}"
            await self._close(draft)
            self.context.fail("thinking", message)
            await self.context.trouble(None)
            return
        await self._close(draft)

    async def _answer_by_model(self, turn: CallerTurnFrame) -> None:
        context = self.context
        await self._settle_tools()
        spans = turn.spans
        for remaining in range(context.agent.limits.tool_rounds, -1, -1):
            draft = await self._begin(turn)
            spans, calls = await self._think(draft, spans, with_tools=remaining > 0)
            if not calls:
                await self._close(draft)
                if not draft.generated:
                    raise ModelError("thinking", "broken", "the model answered with nothing")
                return
            started = context.clock.now()
            await self._use_tools(draft, calls)
            spans = (*spans, Span("tools", started, context.clock.now()))
            await self._close(draft)

    async def _think(
        self, draft: Reply, spans: tuple[Span, ...], *, with_tools: bool
    ) -> tuple[tuple[Span, ...], list[ToolCallDelta]]:
        """Have the model write; return what it took and the tools that it calls."""
        context = self.context
        agent, call = context.agent, context.call
        entries = [entry for entry in call.transcript if entry is not draft]
        messages = history.messages(agent.instructions_for(call), entries)
        tools = agent.tools.definitions if with_tools else []
        started = context.clock.now()
        first: Span | None = None
        calls: list[ToolCallDelta] = []
        async with aclosing(self._thinking.stream(messages, tools)) as thoughts:
            async for thought in thoughts:
                if isinstance(thought, TextDelta | ToolCallDelta) and first is None:
                    first = Span("thinking", started, context.clock.now())
                if isinstance(thought, TextDelta):
                    await self.push_frame(
                        ReplyTextFrame(thought.text, reply=draft, spans=(*spans, *_some(first)))
                    )
                elif isinstance(thought, ToolCallDelta):
                    calls.append(thought)
        return (*spans, Span("thinking", started, context.clock.now())), calls

    async def _begin(self, turn: CallerTurnFrame) -> Reply:
        draft = self._draft = Reply()
        self.context.call.transcript.add(draft)
        await self.push_frame(ReplyStartFrame(reply=draft, stopped=turn.stopped))
        return draft

    async def _close(self, draft: Reply) -> None:
        await self.push_frame(ReplyEndFrame(reply=draft))

    async def _use_tools(self, draft: Reply, calls: Sequence[ToolCallDelta]) -> None:
        """Run tools side by side and wait for all of them."""
        self._groups += 1
        tasks = [
            self._start_tool(ToolUse(call.id, call.name, call.arguments, self._groups, self._at))
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

    @property
    def _at(self) -> float:
        return self.context.at

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
