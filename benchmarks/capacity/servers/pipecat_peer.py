"""Stock pipecat on one core: its SmallWebRTC transport and its own Mistral services.

Runs in an environment of its own (`benchmarks/latency/peers/pipecat-webrtc.txt`). Its argument is
one JSON object: `url` and `key` of the model servers, and `variant` as the worker on the pipe has
it. It prints one line of JSON with its port, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib.metadata import version
from typing import Any

OPTIONS: dict[str, Any] = json.loads(sys.argv[1])
OUT = os.dup(1)  # the other worker, whose services are used, takes standard output for itself

import aiohttp  # noqa: E402
from aiohttp import web  # noqa: E402
from loguru import logger  # noqa: E402
from pipecat.audio.vad.silero import SileroVADAnalyzer  # noqa: E402
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.processors.aggregators.llm_context import LLMContext  # noqa: E402
from pipecat.processors.aggregators.llm_response_universal import (  # noqa: E402
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.transports.base_transport import TransportParams  # noqa: E402
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection  # noqa: E402
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

from benchmarks.latency.workers.pipecat_peer import services  # noqa: E402


class Calls:
    """Holds the calls of this process."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._running: set[asyncio.Task[None]] = set()

    async def offer(self, request: web.Request) -> web.Response:
        """Answer an offer: a pipeline as pipecat's own examples build it."""
        given = await request.json()
        connection = SmallWebRTCConnection([])
        await connection.initialize(sdp=given["sdp"], type=given["type"])
        transport = SmallWebRTCTransport(
            connection, TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        )
        stt, llm, tts = services(self._session, OPTIONS["key"])
        pair = LLMContextAggregatorPair(
            LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
        )
        worker = PipelineWorker(
            Pipeline(
                [
                    transport.input(),
                    stt,
                    pair.user(),
                    llm,
                    tts,
                    transport.output(),
                    pair.assistant(),
                ]
            ),
            params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000),
            idle_timeout_secs=None,
        )
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        task = asyncio.create_task(runner.run(), name="pipecat")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        answer = connection.get_answer()  # type: ignore[no-untyped-call]
        assert answer is not None
        return web.json_response(answer)

    async def close(self) -> None:
        """End all calls."""
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=8)


async def run() -> None:
    """Take calls until standard input ends."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    async with aiohttp.ClientSession() as session:
        calls = Calls(session)
        app = web.Application()
        app.router.add_post("/api/offer", calls.offer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told = {
            "port": runner.addresses[0][1],
            "versions": {name: version(name) for name in ("pipecat-ai", "mistralai", "aiortc")},
        }
        os.write(OUT, json.dumps(told).encode() + b"\n")
        try:
            await asyncio.to_thread(sys.stdin.buffer.read)
        finally:
            await calls.close()
            await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(run())
