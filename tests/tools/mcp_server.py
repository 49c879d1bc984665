"""A server of the Model Context Protocol, for the tests: over stdio, or HTTP on a port.

python mcp_server.py stdio
python mcp_server.py http PORT [TOKEN]
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import uvicorn
from mcp import types
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse

server = MCPServer("house", log_level="ERROR")


class Light(BaseModel):
    room: str
    level: Annotated[int, Field(ge=0, le=100)] = 100


@server.tool()
def set_light(light: Light, mode: Literal["on", "off"] = "on") -> str:
    """Set a light."""
    return f"{light.room} {mode} at {light.level}"


@server.tool()
def rooms() -> list[str]:
    """List the rooms."""
    return ["hall", "kitchen"]


@server.tool()
def unlock(door: str) -> str:
    """Unlock a door."""
    return f"{door} is unlocked"


@server.tool()
def broken(secret: str) -> str:
    """Fail."""
    raise ValueError("the fuse is gone")


@server.tool()
async def slow(ctx: Context, note: str) -> str:
    """Take an hour, and say so."""
    await ctx.report_progress(1, 3, "An hour to go.")
    Path(note).write_text("begun")  # noqa: ASYNC240 (a server of nobody else)
    try:
        await asyncio.sleep(3_600)
    finally:
        Path(note).write_text("stopped")  # noqa: ASYNC240
    return "done"


@server.tool()
async def counted(ctx: Context) -> str:
    """Tell of its progress."""
    for number in range(3):
        await ctx.report_progress(number, 3, f"{number} of 3")
    return "counted"


@server.tool()
def die() -> str:
    """End the process."""
    os._exit(3)


@server.tool()
def environment(name: str) -> str:
    """Read a variable."""
    return os.environ.get(name, "unset")


@server.tool(name="garden.water/now", structured_output=False)
def water() -> str:
    """Water the garden."""
    return "watered"


@server.tool(structured_output=False)
def picture() -> types.ImageContent:
    """Take a picture."""
    return types.ImageContent(type="image", data="aGk=", mime_type="image/png")


@server.tool(structured_output=False)
def mixed() -> list[types.ContentBlock]:
    """Say something and show something."""
    return [
        types.TextContent(type="text", text="The hall."),
        types.ImageContent(type="image", data="aGk=", mime_type="image/png"),
    ]


def guarded(app, token):
    async def asked(scope, receive, send):
        if scope["type"] == "http":
            sent = dict(scope["headers"]).get(b"authorization", b"").decode()
            if sent != f"Bearer {token}":
                await PlainTextResponse("who are you?", 401)(scope, receive, send)
                return
        await app(scope, receive, send)

    return asked


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        app = server.streamable_http_app()
        if len(sys.argv) > 3:
            app = guarded(app, sys.argv[3])
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
