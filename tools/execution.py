"""The book of one call's tool calls: each runs at most once, and each has an answer.

A state machine; whoever runs the tools writes into it what happens, and does what it says:

1. `receive` a model message's calls. What comes back stands in the history, in that order.
2. `start` each. Where it says True, run it (`run_named`), and `finish` it with the outcome.
3. Wait for what is `unsettled`. After `BACKGROUND_AFTER` seconds, `release` those that work in
   the background: the wait is over for them.
4. When the caller barges in, `interrupt`, and cancel what it says to stop. When the call is
   over, `end` likewise.
5. At a pause, `take_news`: what came of what was not waited for.

At every moment, `Execution.result` is what the history must give as the answer to the call:

| the caller barges in | before it began | while it runs | after |
|---|---|---|---|
| interruptible, cancellable (the default) | not run | stopped; may have taken effect | its result |
| interruptible, not cancellable | not run | runs on, its result follows | its result |
| not interruptible (protected) | not run | runs on, and is waited for | its result |
| in the background | not run | runs on, its result follows | its result |
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from .outcome import Outcome
from .secret import redact
from .tool import Tool
from .toolbox import Toolbox

State = Literal["pending", "running", "detached", "done", "cancelled"]
"""`pending`: not begun. `running`: waited for. `detached`: runs, and is not waited for. `done`:
its outcome is known. `cancelled`: stopped, or never begun."""

BACKGROUND_AFTER = 0.3
"""Seconds that a background tool is waited for all the same: what is wrong with its arguments,
or a quick result, is better known at once."""

_SHOWN = 200  # characters of the arguments in the news of a tool


@dataclass(frozen=True, slots=True)
class Request:
    """A call as a model wrote it.

    Attributes:
        id: The model's name for the call; may be empty, or used before.
        name: The tool's name.
        arguments: JSON text.
    """

    id: str
    name: str
    arguments: str


@dataclass(slots=True, eq=False)
class Execution:
    """What becomes of one call.

    Attributes:
        id: Names it in the history; unlike that of every other of the same telephone call.
        name: The tool's name, as the model wrote it.
        arguments: JSON text, as the model wrote it.
        tool: The tool; None if there is none of that name.
        original: The execution that this one repeats; it is answered alike, and never run.
        state: Where it stands.
        outcome: What came of it, once that is known.
        answer: What the history was last given; empty before there is anything to give.
    """

    id: str
    name: str
    arguments: str
    tool: Tool[..., Any] | None
    original: "Execution | None" = None
    state: State = "pending"
    outcome: Outcome | None = None
    answer: str = field(default="", repr=False)

    @property
    def ran(self) -> bool:
        """Whether it was begun, whatever came of it."""
        if self.original is not None or self.state == "pending":
            return False
        return self.outcome is None or self.outcome.kind != "cancelled" or self.outcome.tries > 0

    @property
    def result(self) -> str:
        """What the history gives as the answer to the call, at this moment."""
        if self.original is not None:
            return self.original.result
        if self.answer:
            return self.answer
        return f"{self.name[:64]} is still at work; its result is not known yet."


@dataclass(frozen=True, slots=True)
class Interruption:
    """What an interruption does to the tools of a call.

    Attributes:
        stop: Running ones: cancel what runs them. The book has them as cancelled already.
        dropped: Those that had not begun: `start` says False from now on.
        detached: Those that run on, and are no longer waited for.
        kept: Those that run on, and are waited for.
    """

    stop: tuple[Execution, ...] = ()
    dropped: tuple[Execution, ...] = ()
    detached: tuple[Execution, ...] = ()
    kept: tuple[Execution, ...] = ()


class Executions:
    """The book of one call's tool calls; see the module."""

    def __init__(self) -> None:
        self._all: dict[str, Execution] = {}
        self._news: list[Execution] = []
        self._made = 0
        self._ended = False

    def __getitem__(self, execution_id: str) -> Execution:
        return self._all[execution_id]

    def __len__(self) -> int:
        return len(self._all)

    @property
    def unsettled(self) -> tuple[Execution, ...]:
        """Those that the next request to the model has to wait for."""
        return tuple(each for each in self._originals() if each.state in ("pending", "running"))

    @property
    def at_work(self) -> tuple[Execution, ...]:
        """Those that run, waited for or not."""
        return tuple(each for each in self._originals() if each.state in ("running", "detached"))

    def receive(self, requests: Iterable[Request], toolbox: Toolbox) -> list[Execution]:
        """Enter the calls of one model message.

        A call that repeats another of the message, id and all, is not run a second time. One
        that only has its id in common with another is a call of its own, under another id.

        Args:
            requests: The calls, in the message's order.
            toolbox: What the model was offered.

        Returns:
            One execution for each call, in order. After `end`, they are all cancelled.
        """
        received: list[Execution] = []
        first: dict[tuple[str, str, str], Execution] = {}
        for request in requests:
            key = (request.id, request.name, _normal(request.arguments))
            # Without an id, two equal calls may both be meant.
            original = first.get(key) if request.id else None
            made = Execution(
                self._new_id(request.id),
                request.name,
                request.arguments,
                toolbox.get(request.name),
                original,
            )
            if original is None:
                first[key] = made
            if self._ended:
                _drop(made)
            self._all[made.id] = made
            received.append(made)
        return received

    def start(self, execution: Execution) -> bool:
        """Say whether to run it; True once at most.

        Args:
            execution: One that `receive` gave.
        """
        if execution.original is not None or execution.state != "pending":
            return False
        execution.state = "running"
        return True

    def release(self) -> tuple[Execution, ...]:
        """Wait no longer for those that work in the background.

        To be called `BACKGROUND_AFTER` seconds after they began. Their answer is then that
        they are at work, and their result comes as news.

        Returns:
            Those that are no longer waited for.
        """
        freed = tuple(
            each
            for each in self._originals()
            if each.state == "running" and each.tool is not None and each.tool.background
        )
        for each in freed:
            _detach(each)
        return freed

    def finish(self, execution: Execution, outcome: Outcome) -> bool:
        """Enter what came of a tool that ran.

        What is known beats what was feared: of a tool that had ended before the interruption
        reached it, the history gets the result. Otherwise the first outcome counts.

        Args:
            execution: One that was started.
            outcome: What `run_named` returned.

        Returns:
            Whether it is what the history now says, or will be as news.

        Raises:
            ValueError: It was never started.
        """
        if execution.original is not None or (
            execution.state == "pending" and execution.outcome is None
        ):
            raise ValueError(f"{execution.name} has an outcome without having begun: start it")
        stopped = execution.state == "cancelled"
        if execution.state == "done" or (stopped and not (outcome.ok and execution.ran)):
            return False
        if execution.state == "detached":
            self._news.append(execution)
        else:
            execution.answer = outcome.content
        execution.outcome = outcome
        execution.state = "cancelled" if outcome.kind == "cancelled" else "done"
        return True

    def interrupt(self) -> Interruption:
        """The caller barged in."""
        return self._interrupt(over=False)

    def end(self) -> Interruption:
        """The call is over: what is cancellable stops, the rest runs to its end; idempotent."""
        self._ended = True
        return self._interrupt(over=True)

    def take_news(self) -> list[str]:
        """What came of tools that were not waited for; each once.

        Returns:
            Sentences for the model, such as a user message can hold; without secrets.
        """
        news, self._news = self._news, []
        return [_tell(each) for each in news]

    def _interrupt(self, *, over: bool) -> Interruption:
        stop: list[Execution] = []
        dropped: list[Execution] = []
        detached: list[Execution] = []
        kept: list[Execution] = []
        for each in self._originals():
            if each.state == "pending":
                _drop(each)
                dropped.append(each)
            elif each.state == "running" or (each.state == "detached" and over):
                way = _way(each.tool, over=over)
                if way == "stop":
                    _stop(each)
                    stop.append(each)
                elif way == "keep":
                    kept.append(each)
                else:
                    if each.state == "running":
                        _detach(each)
                    detached.append(each)
        return Interruption(tuple(stop), tuple(dropped), tuple(detached), tuple(kept))

    def _originals(self) -> list[Execution]:
        return [each for each in self._all.values() if each.original is None]

    def _new_id(self, wanted: str) -> str:
        """The model's id, or one like it: nine letters and digits, as Mistral's models insist."""
        while not wanted or wanted in self._all:
            self._made += 1
            wanted = f"call{self._made:05d}"
        return wanted


def _way(tool: Tool[..., Any] | None, *, over: bool) -> Literal["stop", "keep", "detach"]:
    """What an interruption, or the end of the call, does to a running tool."""
    if tool is None:
        return "stop"
    if over:
        return "stop" if tool.cancellable else "detach"
    if tool.background:
        return "detach"
    if not tool.interruptible:
        return "keep"
    return "stop" if tool.cancellable else "detach"


def _normal(arguments: str) -> str:
    """JSON text in one form for one meaning; other text as it is."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def _drop(execution: Execution) -> None:
    execution.state = "cancelled"
    execution.outcome = Outcome.cancelled(execution.name, started=False)
    execution.answer = execution.outcome.content


def _stop(execution: Execution) -> None:
    if execution.state == "running":
        execution.answer = Outcome.cancelled(execution.name).content
    execution.state = "cancelled"
    execution.outcome = Outcome.cancelled(execution.name)


def _detach(execution: Execution) -> None:
    execution.state = "detached"
    execution.answer = (
        f"{execution.name} is at work in the background. Its result will be told later: go on "
        "without it, do not claim that it is done, and do not call it again for the same."
    )


def _tell(execution: Execution) -> str:
    arguments = execution.arguments
    if execution.tool is not None:
        arguments = redact(arguments, execution.tool.schema.parameters)
    if len(arguments) > _SHOWN:
        arguments = arguments[: _SHOWN - 1] + "…"
    content = execution.outcome.content if execution.outcome else ""
    return f"(News of {execution.name[:64]}, which was called with {arguments}: {content})"
