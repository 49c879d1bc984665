"""Home: a real MCP server in a process of its own is what the voice controls."""

import pytest

from vivavoce.agent.testing import call_tool, expect, simulate

pytest.importorskip("mcp", reason="needs vivavoce[mcp]")


async def test_the_light_goes_on(example):
    replies = [
        call_tool("set_light", room="kitchen", level=40),
        "Forty percent.",
        call_tool("house"),
        "The kitchen is lit.",
    ]
    async with simulate(example("home").agent, replies) as caller:
        await caller.says("Some light in the kitchen")
        assert caller.tool_calls[0].result == "The light in the kitchen is at 40 percent."
        await caller.says("Which lights are on?")
        assert '"kitchen":40' in (caller.tool_calls[1].result or "").replace(" ", "")
    expect(caller).no_failures()


async def test_the_door_opens_after_a_yes(example):
    unlock = call_tool("unlock_door", door="front")
    house = call_tool("house")
    replies = [unlock, "Shall I unlock the front door?", [house, unlock], "It is open.", house, "…"]
    async with simulate(example("home").agent, replies) as caller:
        await caller.says("Open the front door")
        assert "was not run" in (caller.tool_calls[0].result or "")
        await caller.says("Yes")
        assert caller.tool_calls[2].result == "The front door is unlocked."


async def test_what_it_cannot_do(example):
    replies = [
        call_tool("erase_everything"),
        "I cannot do that.",
        call_tool("set_light", room="cellar", level=40),
        "There is no cellar.",
    ]
    async with simulate(example("home").agent, replies) as caller:
        await caller.says("Erase everything")
        await caller.says("Some light in the cellar")
    erase, light = caller.tool_calls
    assert not erase.use.ok
    assert "hall" in (light.result or "")
    _, tools = caller.requests[0]
    offered = {tool["function"]["name"] for tool in tools}
    assert offered == {"set_light", "house", "unlock_door"}
