"""Tools and interruptions: whatever is interrupted and when, the history is valid and side effects
happen exactly once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from vivavoce.agent import Agent
from vivavoce.agent.testing import call_tool, say, simulate, wait
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, ToolCallDelta
from vivavoce.pipelines.text import text_models

KINDS = {
    "default": {},
    "uncancellable": {"cancellable": False},
    "protected": {"interruptible": False},
    "background": {"background": True},
}
FILLER = "Let me look that up for you, it may take a little while today."
RESULT = "Here is all that was found about it in the big book of reservations."
TAKES = 2.5  # seconds of a tool


async def speak(caller, text: str) -> None:
    """Say something and do not wait for the answer to be written."""
    await caller._engine.listen()
    await caller._engine.speak(text)


class Twice:
    """A model that writes the same call twice in a message."""

    def __init__(self) -> None:
        self.asked = []

    async def stream(self, messages, tools):
        self.asked.append(messages)
        if len(self.asked) == 1:
            for _ in range(2):
                yield ToolCallDelta("abcdefghi", "pay", '{"euros": 5}')
        else:
            yield TextDelta("It is paid.")
        yield Finished("stop")


class Scene:
    """An agent with one tool of each kind, a model, and what both of them did."""

    def __init__(self, kinds: tuple[str, ...], moment: str) -> None:
        self.kinds = kinds
        self.moment = moment
        self.begun: Counter[int] = Counter()
        self.done: Counter[int] = Counter()
        self.asked: list[list[dict]] = []
        self.called = False
        self.agent = Agent("You look things up.")
        for kind in dict.fromkeys(kinds):
            self._add(kind)

    def _add(self, kind: str) -> None:
        filler = FILLER if self.moment == "during" else None

        @self.agent.tool(name=kind, filler=filler, timeout=30, **KINDS[kind])
        async def act(number: int) -> str:
            """Act.

            Args:
                number: Which one.
            """
            self.begun[number] += 1
            await asyncio.sleep(0.05 if self.moment == "after" else TAKES)
            self.done[number] += 1
            return f"done {number}"

    def model(self, messages, tools):
        """Call the tools once; then tell what came of them, or answer what was said."""
        request = ChatCompletionRequest.model_validate({"model": "m", "messages": messages})
        get_validator(TokenizerVersion.v13, ValidationMode.serving).validate_request(request)
        self.asked.append([dict(message) for message in messages])
        if not self.called:
            self.called = True
            calls = [call_tool(kind, number=number) for number, kind in enumerate(self.kinds)]
            return [say(FILLER), wait(6), *calls] if self.moment == "before" else calls
        return say(RESULT if messages[-1]["role"] == "tool" else "Fine, I see.")

    async def play(self):
        async with simulate(self.agent, replies=self.model) as caller:
            await speak(caller, "Please look it up")
            await caller.interrupts("Sorry, I meant something else", after=0.7)
            await caller.silent(TAKES + 2)
            await caller.listens()
            await caller.says("Are you still there")
            await caller.listens()
            assert caller.heard == "Fine, I see."
        return caller


PLAYS = [
    *((kind,) for kind in KINDS),
    *itertools.combinations_with_replacement(KINDS, 2),
]


@pytest.mark.parametrize("kinds", PLAYS, ids="+".join)
@pytest.mark.parametrize("moment", ["before", "during", "after"])
async def test_history_is_valid_and_effects_happen_once(kinds, moment):
    scene = Scene(kinds, moment)
    caller = await scene.play()
    assert caller.transcript.replies[0].interrupted

    if moment == "before":
        assert not scene.begun
        assert not caller.transcript.tools
        return
    assert scene.begun == dict.fromkeys(range(len(kinds)), 1)
    told = [message["content"] for message in scene.asked[-1] if message["role"] == "tool"]
    news = [m["content"] for m in scene.asked[-1] if m["role"] == "user" and "done" in m["content"]]
    assert len(told) == len(kinds)
    for number, kind in enumerate(kinds):
        if moment == "after" or kind == "protected":
            assert scene.done[number] == 1
            assert told[number] == f"done {number}"
        elif kind == "default":
            assert scene.done[number] == 0
            assert "stopped before it ended" in told[number]
        else:
            assert scene.done[number] == 1
            assert "in the background" in told[number]
            # Told once, when it came, and for good.
            assert sum(f"done {number}" in each for each in news) == 1
    assert all(
        use.result is not None and use.seconds is not None for use in caller.transcript.tools
    )


async def test_a_tool_that_must_be_heard_to_its_end_is_answered_after_the_interruption():
    scene = Scene(("protected",), "during")
    await scene.play()
    # The request after the interruption waited for it, and had its result.
    assert scene.asked[1][-1]["role"] in {"tool", "user"}
    assert "done 0" in str(scene.asked[1])


async def test_the_end_of_the_call_stops_what_may_be_stopped_and_no_more():
    scene = Scene(("default", "uncancellable"), "during")
    async with simulate(scene.agent, replies=scene.model) as caller:
        await speak(caller, "Please look it up")
        await caller.silent(2.5)
        await caller.hangs_up(after=0.1)
        assert [use.result is None for use in caller.transcript.tools] == [False, False]
    assert scene.begun == {0: 1, 1: 1}
    # A tool that may not be left half done runs to its end behind the call's.
    assert (scene.done[0], scene.done[1]) == (0, 1)


async def test_a_call_that_a_model_repeats_within_a_message_runs_once():
    ran = []
    agent = Agent()

    @agent.tool
    async def pay(euros: int) -> str:
        """Pay.

        Args:
            euros: How much.
        """
        ran.append(euros)
        return "paid"

    model = Twice()
    async with simulate(agent, models=text_models(model)) as caller:
        await caller.says("Please pay five euros")
        await caller.listens()
    assert ran == [5]
    assert [m["content"] for m in model.asked[1] if m["role"] == "tool"] == ["paid", "paid"]
    assert [use.ok for use in caller.transcript.tools] == [True, True]


async def test_a_tool_that_needs_leave_runs_once_and_only_after_the_caller_has_spoken():
    booked = []
    agent = Agent()

    @agent.tool(confirm="Shall I book it?")
    async def book(people: int) -> str:
        """Book.

        Args:
            people: How many.
        """
        booked.append(people)
        return "booked"

    steps = [
        call_tool("book", people=4),
        call_tool("book", people=4),  # without asking: it does not get through
        say("Shall I book it for four?"),
        call_tool("book", people=4),
        say("It is booked."),
    ]
    async with simulate(agent, replies=steps) as caller:
        await caller.says("A table for four")
        await caller.listens()
        assert not booked
        await caller.says("Yes please do")
        await caller.listens()
        assert caller.heard == "It is booked."
    assert booked == [4]
