"""Hands: runs the tools of one call.

Each tool runs in a task of its own. The book (`vivavoce.tools.Executions`) decides what becomes of
it when the caller barges in; here it is carried out, and what the book says stands in the
transcript, from which every request's history is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pipecat.frames.frames import Frame, FunctionCallInProgressFrame, FunctionCallResultFrame

from vivavoce.agent.events import ToolEnded, ToolStarted
from vivavoce.agent.handoff import HandOff
from vivavoce.agent.ledger import Span
from vivavoce.agent.transcript import Reply, ToolUse, Utterance
from vivavoce.pipelines.frames import ReplyEndFrame, ReplyStartFrame, ReplyTextFrame
from vivavoce.pipelines.models.interfaces import ToolCallDelta
from vivavoce.pipelines.stage import Context
from vivavoce.pipelines.tasks import Tasks
from vivavoce.tools import (
    Confirmations,
    Execution,
    Executions,
    Interruption,
    Outcome,
    Request,
    Toolbox,
    run_named,
)
from vivavoce.tools.execution import BACKGROUND_AFTER

Say = Callable[[str], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Grip:
    """The tools of one model message.

    Attributes:
        executions: The calls, in the message's order.
        toolbox: What the model was offered.
        tasks: What runs them.
        filler: What is to be said if they take long; empty if nothing is, or it was.
    """

    executions: list[Execution]
    toolbox: Toolbox
    tasks: list[asyncio.Task[None]]
    filler: str = ""


LINGER = 60.0
"""Seconds after the call's end that tools which must not be stopped may take; each has a time-out
of its own besides."""


class Hands:
    """Runs tools.

    Attributes:
        has_news: Whether something came of a tool that was not waited for, and was not taken yet.
    """

    def __init__(self, context: Context, push: Callable[[Frame], Awaitable[None]]) -> None:
        """Prepare it.

        Args:
            context: The call.
            push: Sends a frame downstream.
        """
        self._context = context
        # Not the stage's: what must not be left half done outlives the pipeline.
        self._tasks = Tasks(context.call.id)
        self._over = False
        self._push = push
        self._book = Executions()
        self._confirmations = Confirmations()
        self._uses: dict[Execution, ToolUse] = {}
        self._running: dict[Execution, asyncio.Task[None]] = {}
        self._fillers: dict[str, int] = {}
        # A call that goes on after its server was lost has some already.
        self._groups = max((use.group for use in context.call.transcript.tools), default=0)
        self._spoken = 0
        self._news_told: Reply | None = None
        self.has_news = False

    @property
    def busy(self) -> bool:
        """Whether a tool runs, waited for or not."""
        return bool(self._running)

    @property
    def waited_for(self) -> bool:
        """Whether a tool runs that the next request has to wait for."""
        return bool(self._book.unsettled)

    def caller_spoke(self, utterance: Utterance) -> None:
        """Count a turn that could answer a question: something was heard before it."""
        heard = any(
            isinstance(entry, Reply) and entry.started is not None
            for entry in self._context.call.transcript
            if entry is not utterance
        )
        self._spoken += heard

    def interrupt(self) -> None:
        """The caller barged in: stop what may be stopped."""
        self._carry_out(self._book.interrupt())

    def end(self) -> None:
        """The call is over; idempotent."""
        self._over = True
        self._carry_out(self._book.end())

    async def close(self) -> None:
        """Let what must not be stopped run to its end, after the call's; idempotent."""
        self.end()
        if self._running:
            await asyncio.wait(set(self._running.values()), timeout=LINGER)
        await self._tasks.close()

    def take_news(self) -> list[str]:
        """What came of tools that were not waited for; each once."""
        self.has_news = False
        return self._book.take_news()

    async def settle(self) -> None:
        """Wait for tools that an interruption left running; each has its own time-out."""
        while running := [
            self._running[each] for each in self._book.unsettled if each in self._running
        ]:
            await asyncio.wait(running)

    def take(self, calls: Sequence[ToolCallDelta]) -> Grip:
        """Begin the tools of one model message, side by side."""
        toolbox = self._context.agent.tools
        self._groups += 1
        requests = [Request(call.id, call.name, call.arguments) for call in calls]
        grip = Grip(self._book.receive(requests, toolbox), toolbox, [])
        grip.filler = self._filler(grip)
        for execution in grip.executions:
            use = ToolUse(
                execution.id,
                execution.name,
                execution.arguments,
                self._groups,
                self._context.at,
                shown=toolbox.redact(execution.name, execution.arguments),
            )
            self._uses[execution] = use
            self._context.call.transcript.add(use)
        # Only now: a tool that ends at once must not come between two calls of one message.
        for execution in grip.executions:
            if self._book.start(execution):
                task = self._tasks.spawn(
                    self._run(execution, toolbox), f"tool {execution.name[:64]}"
                )
                self._running[execution] = task
                grip.tasks.append(task)
        self._write()
        return grip

    async def wait(self, grip: Grip, say: Say) -> None:
        """Wait for the tools of a message, but for those that go on in the background.

        Cancelling the wait stops no tool.

        Args:
            grip: What `take` gave.
            say: Says its filler.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        filler_due = began + self._context.agent.speech.filler_after
        release_due = began + BACKGROUND_AFTER
        background = any(each.tool is not None and each.tool.background for each in grip.executions)
        while True:
            pending = [
                self._running[each]
                for each in grip.executions
                if each in self._running and each.state == "running"
            ]
            if not pending:
                break
            dues = [release_due] if background else []
            dues += [filler_due] if grip.filler else []
            until = max(0.0, min(dues) - clock()) if dues else None
            await asyncio.wait(pending, timeout=until, return_when=asyncio.FIRST_COMPLETED)
            now = clock()
            if background and now >= release_due:
                background = False
                self._book.release()
                self._write()
            if grip.filler and now >= filler_due and any(not task.done() for task in pending):
                filler, grip.filler = grip.filler, ""
                await say(filler)
        self._write()

    def _filler(self, grip: Grip) -> str:
        for execution in grip.executions:
            tool = execution.tool
            if tool is not None and tool.fillers:
                said = self._fillers.get(tool.name, 0)
                self._fillers[tool.name] = said + 1
                return tool.next_filler(said) or ""
        return ""

    def _carry_out(self, interruption: Interruption) -> None:
        for execution in interruption.stop:
            if (task := self._running.get(execution)) is not None:
                task.cancel()
        self._write()

    async def _run(self, execution: Execution, toolbox: Toolbox) -> None:
        context, use = self._context, self._uses[execution]
        context.emit(ToolStarted(context.at, use))
        await self._push(
            FunctionCallInProgressFrame(
                function_name=use.name, tool_call_id=use.id, arguments=use.shown
            )
        )
        started = context.clock.now()
        outcome = Outcome.cancelled(execution.name)
        try:
            outcome = await run_named(
                toolbox,
                execution.name,
                context.call,
                execution.arguments,
                on_progress=self._tell,
                confirmations=self._confirmations,
                spoken=self._spoken,
            )
        finally:
            # Cancelled as well: the history has an answer to every call.
            self._finish(execution, outcome, context.clock.now() - started)
        if not outcome.ok and outcome.kind in {"error", "timeout"} and outcome.error is not None:
            context.fail(
                "tools",
                f"tool {use.name}: {type(outcome.error).__name__}: {outcome.error}",
            )
        if self._over:
            return
        await self._push(
            FunctionCallResultFrame(
                function_name=use.name,
                tool_call_id=use.id,
                arguments=use.shown,
                result=outcome.content,
            )
        )

    def _finish(self, execution: Execution, outcome: Outcome, seconds: float) -> None:
        aside = execution.state == "detached"
        counts = self._book.finish(execution, outcome)
        self.has_news = self.has_news or (aside and counts)
        self._running.pop(execution, None)
        use = self._uses[execution]
        use.seconds = seconds
        use.ok = outcome.ok
        self._write()
        if counts and isinstance(outcome.value, HandOff):
            self._context.call.take_over(outcome.value)
        self._context.emit(ToolEnded(self._context.at, use))

    def _write(self) -> None:
        """Have the transcript say of each call what the book says."""
        for execution, use in list(self._uses.items()):
            use.result = execution.result
            real = execution.original or execution
            if real.state in {"done", "cancelled"} and real not in self._running:
                use.ok = real.outcome is not None and real.outcome.ok
                del self._uses[execution]

    async def _tell(self, text: str) -> None:
        """Have the caller told what a tool is doing, unless they are still being told."""
        if self._over or (self._news_told is not None and not self._news_told.closed):
            return
        self._news_told = reply = Reply(aside=True)
        self._context.call.transcript.add(reply)
        now = self._context.clock.now()
        await self._push(ReplyStartFrame(reply=reply))
        await self._push(ReplyTextFrame(text, reply=reply, spans=(Span("thinking", now, now),)))
        await self._push(ReplyEndFrame(reply=reply))
