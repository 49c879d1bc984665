"""The embedded thinking: deterministic rules that answer a chat completion request.

It is no language model and says so. Everything it knows comes with the request: the system
prompt, the tools' names, descriptions and JSON schemas, and the messages so far. The same
request and the same `now` give the same reply.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from vivavoce.sandbox.brain_dialogue import forced, opening, step
from vivavoce.sandbox.brain_frames import Scene, State
from vivavoce.sandbox.brain_history import (
    MAX_TURNS,
    BrainCall,
    Exchange,
    History,
    Reply,
    read_history,
)
from vivavoce.sandbox.brain_interpret import interpreted
from vivavoce.sandbox.brain_result import verbalise
from vivavoce.sandbox.brain_schema import read_tools
from vivavoce.sandbox.brain_talk import alike
from vivavoce.sandbox.brain_words import listen

__all__ = ["BrainCall", "Reply", "reply"]


def reply(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]],
    *,
    tool_choice: str | Mapping[str, Any] = "auto",
    now: datetime,
) -> Reply:
    """Answer a chat completion request by rule. Pure: no state, no I/O, no clock of its own.

    Args:
        messages: Messages as the chat API takes them; content a string or a list of chunks,
            tool calls' arguments a JSON string or an object.
        tools: Functions with JSON schemas as the chat API takes them.
        tool_choice: `auto`, `none`, `any`, `required`, or an object that names a function. With
            `any`, `required` or a name, a caller's turn always gives a call; required arguments
            that were not said are left out of it. After a tool's result it speaks in any case.
        now: What "tomorrow" refers to, and the time it tells.

    Returns:
        Text to say or calls to make; never neither. It does not raise on messages or tools of
        any shape: what makes no sense is passed over.
    """
    history = read_history(messages)
    if (spoken := interpreted(history.system, messages)) is not None:
        return Reply(spoken)
    mode, only = _choice(tool_choice)
    offered = read_tools(tools)
    scene = Scene(history.system, () if mode == "none" else offered, now)
    if history.due == "tool" and history.exchanges:
        return Reply(verbalise(history.exchanges[-1].results, now=now))
    if not history.exchanges:
        return Reply(opening(scene))
    if history.due == "assistant":
        return Reply("I am listening.")
    state = _replay(scene, history)
    last = history.exchanges[-1]
    if last.audio and not last.said.strip():
        return Reply("I can only read text here, and I cannot listen to audio in a message.")
    if mode == "any" and scene.tools:
        named = only if any(t.name == only for t in scene.tools) else None
        return forced(scene, state, last.said, named)
    answer = step(scene, state, last.said)[0]
    return answer if answer.content or answer.tool_calls else Reply("I did not catch that.")


def _choice(choice: Any) -> tuple[str, str | None]:
    """`auto`, `none` or `any`, and the tool that was named."""
    if isinstance(choice, Mapping):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        return ("any", name) if isinstance(name, str) else ("auto", None)
    if choice in ("any", "required"):
        return "any", None
    return ("none", None) if choice == "none" else ("auto", None)


def _replay(scene: Scene, history: History) -> State:
    """What the turns before the last left open.

    The API is stateless, so the turns are answered again; only those since the last turn that
    surely closed the matter, for a question can only be open across an unbroken chain of them.
    """
    past = history.exchanges[:-1]
    start = len(past)
    while start > 0 and len(past) - start < MAX_TURNS and _may_be_open(past[start - 1]):
        start -= 1
    before = past[start - 1].answer if start else history.opening
    state = State(answer=before)
    _remember(state, past[:start])
    for exchange in past[start:]:
        answer, after = step(scene, state, exchange.said)
        if not _same(answer.content, exchange):
            after = after.closed()
        state = after
        state.answer = exchange.answer or state.answer
        state.fresh = 0
    return state


def _may_be_open(exchange: Exchange) -> bool:
    asked = "?" in exchange.answer or exchange.cut or not exchange.answer
    return asked and not exchange.calls and not exchange.results


def _same(ours: str, exchange: Exchange) -> bool:
    """Whether what the assistant said is this reply, perhaps cut short."""
    theirs, mine = listen(exchange.answer).words, listen(ours).words
    return not theirs or mine[: len(theirs)] == theirs or alike(exchange.answer, ours) > 0.6


def _remember(state: State, past: Sequence[Exchange]) -> None:
    for age, exchange in enumerate(reversed(past[-6:])):
        # "Actually make it seven" may come after a question in between, not much later.
        if age < 3 and exchange.calls and not state.calls:
            state.fresh, state.results = len(exchange.calls), exchange.results
        state.calls += reversed(exchange.calls)
