"""Home: a real MCP server in a process of its own is what the voice controls."""

import pytest

from vivavoce.agent.testing import call_tool, simulate

pytest.importorskip("mcp", reason="needs vivavoce[mcp]")

# One call, of few words: time passes as it does in the world while the server is there.


async def test_the_house_obeys_and_its_door_opens_after_a_yes(example):
    unlock = call_tool("unlock_door", door="front")
    replies = [
        [
            call_tool("set_light", room="kitchen", level=40),
            call_tool("set_light", room="cellar", level=40),
            call_tool("erase_everything"),
            unlock,
        ],
        "Unlock?",
        [call_tool("house"), unlock],
        "Open.",
    ]
    async with simulate(example("home").agent, replies) as caller:
        await caller.says("Open up")
        light, cellar, erased, door = [call.result or "" for call in caller.tool_calls]
        assert light == "The light in the kitchen is at 40 percent."
        assert "hall" in cellar  # which rooms there are
        assert "no tool" in erased or "erase_everything" in erased
        assert "was not run" in door
        await caller.says("Yes")
        house, door = [call.result or "" for call in caller.tool_calls[4:]]
        assert '"kitchen":40' in house.replace(" ", "")
        assert door == "The front door is unlocked."
    assert not caller.tool_calls[2].use.ok
    _, tools = caller.requests[-1]
    offered = {tool["function"]["name"] for tool in tools}
    assert offered == {"set_light", "house", "unlock_door"}
