from __future__ import annotations

import asyncio

import pytest

from vivavoce.agent.testing import call_tool, fail, say, wait
from vivavoce.pipelines.frames import CallerTurnFrame, CommitFrame, DropFrame
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, ToolCallDelta
from vivavoce.pipelines.simulation.thinking import FIRST, Position, ScriptedThinking
from vivavoce.pipelines.simulation.warp import virtual_time


def turn(guess: int | None = None) -> CallerTurnFrame:
    return CallerTurnFrame(text="", user_id="caller", timestamp="", guess=guess)


def test_each_request_takes_a_step():
    position = Position()
    position.see(turn())
    assert [position.take(), position.take()] == [0, 1]
    position.see(turn())
    assert position.take() == 2


def test_what_was_asked_on_a_wrong_guess_is_asked_again():
    position = Position()
    position.see(turn(1))
    assert position.guessing
    assert position.take() == 0
    position.see(DropFrame(1))
    assert not position.guessing
    position.see(turn(2))
    assert position.take() == 0
    position.see(CommitFrame(2, 0.0, ()))
    assert position.take() == 1  # behind a tool
    position.see(turn())
    assert position.take() == 2


def test_a_guess_that_another_one_or_the_turn_replaces_is_forgotten():
    position = Position()
    position.see(turn(1))
    position.take()
    position.see(turn(2))
    assert position.take() == 0
    position.see(turn())
    assert position.take() == 0


def test_a_drop_of_another_guess_changes_nothing():
    position = Position()
    position.see(turn())
    position.take()
    position.see(DropFrame(7))
    assert position.take() == 1


async def answer(thinking: ScriptedThinking) -> list:
    return [thought async for thought in thinking.stream([], [])]


async def test_a_step_is_written_piece_by_piece():
    thinking = ScriptedThinking(
        [[say("One moment, I have a look at that. "), call_tool("a", n=1), call_tool("b")]],
        lambda: None,
    )
    loop = asyncio.get_running_loop()
    with virtual_time():
        began = loop.time()
        thoughts = await answer(thinking)
        assert loop.time() - began > FIRST
    text = "".join(each.text for each in thoughts if isinstance(each, TextDelta))
    assert text == "One moment, I have a look at that. "
    calls = [each for each in thoughts if isinstance(each, ToolCallDelta)]
    assert [(call.name, call.arguments) for call in calls] == [("a", '{"n": 1}'), ("b", "{}")]
    assert all(len(call.id) == 9 and call.id.isalnum() for call in calls)
    assert len({call.id for call in calls}) == 2
    assert isinstance(thoughts[-1], Finished)


async def collect(thinking: ScriptedThinking, seen: list) -> None:
    async for thought in thinking.stream([], []):
        seen.append(thought)  # noqa: PERF401 (what came before a failure counts)


async def test_it_takes_its_time_and_fails():
    thinking = ScriptedThinking([[wait(30), say("Two"), fail("timeout")]], lambda: None)
    loop = asyncio.get_running_loop()
    seen = []
    with virtual_time():
        began = loop.time()
        with pytest.raises(ModelError) as failed:
            await collect(thinking, seen)
        assert loop.time() - began > 30
    assert failed.value.kind == "timeout"
    assert seen == [TextDelta("Two")]


async def test_a_function_is_asked_with_what_would_be_sent():
    asked = []

    async def model(messages, tools):
        asked.append((messages, tools))
        return "Yes."

    thinking = ScriptedThinking(model, lambda: None)
    with virtual_time():
        thoughts = [t async for t in thinking.stream([{"role": "user"}], [{"type": "function"}])]
    assert thoughts[0] == TextDelta("Yes.")
    assert asked == [([{"role": "user"}], [{"type": "function"}])]


async def test_a_script_that_is_over_waits_and_tells():
    told = []
    thinking = ScriptedThinking([], lambda: told.append(True))
    asking = asyncio.create_task(answer(thinking))
    await asyncio.sleep(0.01)
    assert thinking.missing == 1
    assert told
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert thinking.missing == 0
