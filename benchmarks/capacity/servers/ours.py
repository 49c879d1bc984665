"""Viva Voce's call server on one core: WebRTC and websockets, as `vivavoce serve` has it.

It takes one JSON object as its argument: `url` and `key` of the model servers, `gate` (whether
calls are refused when it is full), `uvloop` and `watch`. It prints one line of JSON with its port,
and ends with its standard input. `/bench/stalls` tells how late its loop was, and why, where it is
watched.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from importlib.metadata import version
from typing import Any

from aiohttp import web
from loguru import logger

from benchmarks.capacity.stalls import Watch
from vivavoce.agent import Agent, Silence
from vivavoce.agent.options import Limits as CallLimits
from vivavoce.agent.settings import MISTRAL_MODELS
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.warm import settle, warm_up
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits
from vivavoce.web.server import CallServer

MANY = 1_000


async def run(options: dict[str, Any]) -> None:
    """Take calls until standard input ends."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")  # as for the peers: pipecat's debug log costs CPU
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    agent: Agent[None] = Agent(
        "You are a helpful assistant on the phone.",
        voice="en_paul_neutral",
        limits=CallLimits(call=86_400),
        silence=Silence(ask_after=None),
    )
    url, key = options["url"], options["key"]
    models = Models.connect(
        hear=Endpoint(url, key, MISTRAL_MODELS["hear"]),
        think=Endpoint(url, key, MISTRAL_MODELS["think"]),
        speak=Endpoint(url, key, MISTRAL_MODELS["speak"]),
        smart_turn=warm_up(),
    )
    watch = Watch()
    gate = Gate() if options["gate"] else None

    async def stalls(_request: web.Request) -> web.Response:
        told = watch.report()
        if gate is not None:
            told["gate"] = {**gate.strain.figures.to_dict(), "calls": gate.strain.calls}
        return web.json_response(told)

    async def fresh(_request: web.Request) -> web.Response:
        watch.clear()
        return web.json_response({})

    # All callers come from one address here.
    limits = Limits(
        calls=MANY,
        per_address=MANY,
        starts=MANY * 10,
        requests=MANY,
        connections=MANY * 2,
        connections_per_address=MANY * 2,
    )
    async with models:
        desk = Desk([agent], models, limits=limits, gate=gate)
        routes = [web.get("/bench/stalls", stalls), web.post("/bench/stalls", fresh)]
        async with CallServer(desk, Exposure(port=0), routes=routes) as server:
            settle()  # as `vivavoce serve` does
            if gate is not None:
                gate.start()
            if options["watch"]:
                watch.start()
            told = {
                "port": server.port,
                "versions": {name: version(name) for name in ("vivavoce", "aiortc", "aiohttp")},
                "loop": type(asyncio.get_running_loop()).__module__,
            }
            print(json.dumps(told), flush=True)
            try:
                await asyncio.to_thread(sys.stdin.buffer.read)
            finally:
                watch.close()
                if gate is not None:
                    gate.close()


def main() -> None:
    """Run it, on the loop that was asked for."""
    options = json.loads(sys.argv[1])
    if options["uvloop"]:
        from importlib import import_module

        import_module("uvloop").run(run(options))
    else:
        asyncio.run(run(options))


if __name__ == "__main__":
    main()
