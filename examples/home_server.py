"""The house behind home.py, as an MCP server of its own: a few lights, a heating and a door."""

from typing import Annotated, Literal

from mcp.server.mcpserver import MCPServer
from pydantic import Field

Room = Literal["hall", "kitchen", "bedroom"]

server = MCPServer("house", log_level="ERROR")
lights: dict[Room, int] = {"hall": 0, "kitchen": 0, "bedroom": 0}
doors = {"front": "locked", "garage": "locked"}


@server.tool()
def set_light(room: Room, level: Annotated[int, Field(ge=0, le=100)]) -> str:
    """Set the light of a room: 0 is off, 100 is as bright as it gets."""
    lights[room] = level
    return f"The light in the {room} is at {level} percent."


@server.tool()
def house() -> dict[str, object]:
    """Tell how bright the lights are, and which doors are locked."""
    return {"lights": dict(lights), "doors": doors}


@server.tool()
def unlock_door(door: Literal["front", "garage"]) -> str:
    """Unlock a door."""
    doors[door] = "unlocked"
    return f"The {door} door is unlocked."


@server.tool()
def erase_everything() -> str:
    """Reset the house to the state in which it was delivered."""
    raise RuntimeError("never from a voice")


if __name__ == "__main__":
    server.run("stdio")
