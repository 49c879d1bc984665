from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from vivavoce.agent import Agent, Call
from vivavoce.agent.testing import call_tool, say, simulate
from vivavoce.tools import run_named, tool


@tool
def stock() -> str:
    """Look into the stock."""
    return "seven"


class Store:
    """A source of tools that keeps what happened to it."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.happened = []

    def add_to(self, toolbox):
        toolbox.add(stock)

    async def __aenter__(self):
        await asyncio.sleep(0.01)
        if self.broken:
            raise ConnectionError("nobody answers")
        self.happened.append("opened")
        return self

    async def __aexit__(self, *_):
        self.happened.append("closed")


async def test_a_source_is_open_during_a_call_and_its_tools_can_be_called():
    store = Store()
    agent = Agent(tools=[store])
    for _ in range(2):
        async with simulate(agent, replies=[call_tool("stock"), say("Seven.")]) as caller:
            await caller.says("How many are there")
            await caller.listens()
            assert caller.heard == "Seven."
    assert store.happened == ["opened", "closed"] * 2
    assert agent.tools.names == ("stock",)


async def test_calls_share_a_source():
    store = Store()
    agent = Agent(tools=[store])
    async with agent.serving(), agent.serving():
        assert store.happened == ["opened"]
    assert store.happened == ["opened", "closed"]


async def test_a_call_goes_on_without_a_source_that_cannot_be_opened():
    agent = Agent(tools=[Store(broken=True)])
    async with simulate(agent, replies=["I cannot see that."]) as caller:
        await caller.says("How many are there")
        await caller.listens()
        assert caller.heard == "I cannot see that."
    assert "nobody answers" in caller.transcript.failures[0].message


async def test_a_call_that_ends_while_a_source_opens_leaves_nothing_open():
    store = Store()
    agent = Agent(tools=[store])
    opening = asyncio.create_task(agent.serving().__aenter__())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    async with agent.serving():
        assert store.happened == ["opened"]
    assert store.happened == ["opened", "closed"]


async def test_a_real_server_of_the_model_context_protocol():
    pytest.importorskip("mcp", reason="needs the extra mcp")
    from vivavoce.tools.mcp import MCPServer

    script = Path(__file__).parents[1] / "tools" / "mcp_server.py"
    server = MCPServer.stdio(sys.executable, [str(script), "stdio"], connect_timeout=60)
    agent = Agent(tools=[server])
    assert not agent.tools.names
    serving = agent.serving()
    # Opened in one task and closed in another, as calls do.
    assert await asyncio.create_task(serving.__aenter__()) == []
    assert "rooms" in agent.tools.names
    outcome = await run_named(agent.tools, "rooms", Call(agent), "{}")
    assert outcome.ok
    assert "kitchen" in outcome.content
    await asyncio.create_task(serving.__aexit__(None, None, None))
