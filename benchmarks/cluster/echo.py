"""What is behind the proxies that are compared: it answers a text, and gives sound back.

`python -m benchmarks.cluster.echo`, with the cluster's key in the environment: an echo that our
front takes for a worker. Its first line tells its address.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from aiohttp import WSMsgType, web

ANSWER = json.dumps({"sdp": "v=0 " + "a=candidate:1 1 udp 2122260223 127.0.0.1 40000 " * 60})
"""About 3 KB, as an SDP answer has."""
NAME = "w1"


async def _state(_request: web.Request) -> web.Response:
    from vivavoce.web.cluster.state import WorkerState

    return web.json_response(WorkerState(NAME, room=10_000).to_dict())


async def _offer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(text=ANSWER, content_type="application/json")


async def _socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def _main() -> None:
    app = web.Application()
    app.add_routes(
        [
            web.get("/cluster/state", _state),
            web.post("/api/offer", _offer),
            web.get("/api/ws", _socket),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server: Any = site._server  # noqa: SLF001 (aiohttp has no other way to the port)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}", "pids": [os.getpid()]}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_main())
