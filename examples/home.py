"""A voice for the house: its tools come from an MCP server, which is home_server.py here."""

import sys
from pathlib import Path

from vivavoce.agent import Agent, Turns
from vivavoce.tools.mcp import MCPServer

house = MCPServer.stdio(
    sys.executable,
    [str(Path(__file__).with_name("home_server.py"))],
    name="house",
    deny=["erase_everything"],  # not even offered to the model
    confirm_only=["unlock_door"],  # a television must not open the door
    timeout=5,
)

agent = Agent(
    "You are the voice of a house. Do what you are told and answer in a few words. Never say that"
    " something is done before its tool says so.",
    name="home",
    voice="gb_oliver_neutral",
    greeting="Yes?",
    tools=[house],
    turns=Turns(min_silence=0.2),
)
