"""Text calls: typed turns through the real pipeline, with a chat model that is scripted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from vivavoce.agent import Agent, Call
from vivavoce.agent.events import AgentSaid, CallerSaid, ToolEnded
from vivavoce.agent.options import Silence
from vivavoce.agent.transcript import Reply
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, Thought, ToolCallDelta
from vivavoce.pipelines.text import TICK, Deaf, Mute, TextTransport, text_models


class Scripted:
    """A chat model that gives one answer after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[list[dict[str, Any]]] = []

    async def stream(self, messages: Any, tools: Any) -> AsyncGenerator[Thought]:
        self.asked.append([dict(message) for message in messages])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            async for thought in answer():
                yield thought
            return
        if isinstance(answer, ToolCallDelta):
            yield answer
        else:
            for piece in re.findall(r"\S+\s*", answer):
                yield TextDelta(piece)
        yield Finished("stop")


@asynccontextmanager
async def calling(agent: Agent[Any], *answers: Any) -> AsyncGenerator[Any]:
    """Hold a text call; ends with it."""
    thinking = Scripted(*answers)
    written: list[tuple[Reply, str]] = []
    transport = TextTransport(lambda reply, text: written.append((reply, text)))
    conversation = Conversation(agent, text_models(thinking, name="script"), transport)
    transport.follow(conversation.call)
    running = asyncio.create_task(conversation.run())

    class Here:
        call: Call[Any] = conversation.call

    here: Any = Here()
    here.transport, here.conversation, here.thinking = transport, conversation, thinking
    here.written, here.running = written, running
    try:
        async with asyncio.timeout(30):
            yield here
    finally:
        await conversation.hang_up("the test is over", after_speech=False)
        await asyncio.wait_for(running, 20)


async def test_a_line_is_a_turn_and_the_reply_comes_as_it_is_written() -> None:
    agent: Agent[Any] = Agent("Be brief.", greeting="Good evening!")
    async with calling(agent, "We open at six. Until then, good day.") as here:
        await here.transport.say("When do you open?")
        assert "".join(text for _, text in here.written) == "We open at six. Until then, good day."
        assert len(here.written) > 4
        assert here.call.transcript.heard == "Good evening! We open at six. Until then, good day."
        (turn,) = here.call.transcript.caller
        assert (turn.text, turn.why_ended) == ("When do you open?", "typed")
        reply = here.call.transcript.replies[-1]
        assert reply.closed
        assert reply.latency is not None
        assert reply.latency.total == sum(reply.latency.stages.values())
    assert here.call.reason == "the test is over"
    assert here.thinking.asked[0][-1] == {"role": "user", "content": "When do you open?"}


async def test_tools_run_and_the_history_goes_on() -> None:
    agent: Agent[Any] = Agent("Be brief.")
    days: list[str] = []

    @agent.tool
    async def look(day: str) -> str:
        """Look a day up.

        Args:
            day: The day.
        """
        days.append(day)
        return "two tables"

    call = ToolCallDelta("abcdefghi", "look", '{"day": "Friday"}')
    async with calling(agent, call, "There are two.", "You are welcome.") as here:
        await here.transport.say("A table on Friday?")
        await here.transport.say("Thank you.")
        assert days == ["Friday"]
        assert [use.result for use in here.call.transcript.tools] == ["two tables"]
        roles = [message["role"] for message in here.thinking.asked[-1]]
        assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    kinds = [type(event) async for event in here.call]
    assert [kind for kind in kinds if kind in {CallerSaid, ToolEnded, AgentSaid}] == [
        CallerSaid, ToolEnded, AgentSaid, CallerSaid, AgentSaid,
    ]  # fmt: skip


async def test_an_interruption_keeps_what_was_shown() -> None:
    going, closed = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncGenerator[Thought]:
        try:
            for word in ("One. ", "Two. ", "Three. "):
                yield TextDelta(word)
            going.set()
            await asyncio.sleep(60)
        finally:
            closed.set()

    agent: Agent[Any] = Agent("Count.")
    async with calling(agent, endless, "Yes?") as here:
        saying = asyncio.create_task(here.transport.say("Count."))
        await going.wait()
        await asyncio.sleep(0.3)
        assert not saying.done()
        await here.call.interrupt()
        await asyncio.wait_for(saying, 10)
        assert closed.is_set()
        reply = here.call.transcript.replies[-1]
        assert reply.closed
        assert reply.heard == "One. Two. Three."
        await here.transport.say("Wait.")
        assert here.call.transcript.heard.endswith("Yes?")
    assert {"role": "assistant", "content": reply.said} in here.thinking.asked[-1]


async def test_who_thinks_before_typing_is_not_asked_whether_they_are_there() -> None:
    agent: Agent[Any] = Agent("Be brief.", silence=Silence(ask_after=1.0, asks=0))
    async with calling(agent, "Hello.") as here:
        await here.transport.quiet()
        await asyncio.sleep(2.5)
        assert not here.transport.over
        await here.transport.say("Hello?")
        assert here.call.transcript.heard == "Hello."


async def test_a_model_that_fails_is_apologised_for_and_the_call_goes_on() -> None:
    agent: Agent[Any] = Agent("Be brief.")
    error = ModelError("thinking", "refused", "the server is on holiday")
    async with calling(agent, error, "I am back.") as here:
        await here.transport.say("Hello?")
        assert [failure.stage for failure in here.call.transcript.failures] == ["thinking"]
        assert "Sorry" in here.call.transcript.heard
        await here.transport.say("And now?")
        assert here.call.transcript.heard.endswith("I am back.")


async def test_an_agent_that_hangs_up_ends_it() -> None:
    agent: Agent[Any] = Agent()

    @agent.reply
    async def answer(call: Call[Any], heard: str) -> str:
        await call.hang_up("all is said")
        return "Goodbye."

    async with calling(agent) as here:
        await here.transport.say("Bye.")
        await asyncio.wait_for(here.running, 10)
        assert here.transport.over
        await here.transport.say("Are you still there?")
        assert len(here.call.transcript.caller) == 1
    assert here.call.reason == "all is said"
    assert here.call.transcript.heard == "Goodbye."


async def test_a_transport_wants_to_know_its_call() -> None:
    with pytest.raises(RuntimeError, match="follow"):
        await TextTransport().say("Hello?")


async def test_the_deaf_hear_nothing_and_the_mute_tick() -> None:
    chunks = [chunk async for chunk in Mute().stream("Hello.", voice=None, language="en")]
    assert [chunk.dtype for chunk in chunks] == [np.int16]
    assert [len(chunk) for chunk in chunks] == [TICK]
    deaf = Deaf()
    deaf.send(bytes(640))
    assert deaf.flush() == 0
    await deaf.close()
