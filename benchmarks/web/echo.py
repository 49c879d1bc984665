"""One agent on two transports: it says what it hears, the moment that it hears it.

`python -m benchmarks.web.echo ours|pipecat` serves it on a free port of this machine, which it
prints. Both stand in a pipecat pipeline between their transport's two ends; all that differs is
what brings the sound there and takes it away.
"""

from __future__ import annotations

import asyncio
import json
import sys

import numpy as np
from aiohttp import web
from loguru import logger
from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.playout import Block
from vivavoce.web.line import Line
from vivavoce.web.sdp import read_offer
from vivavoce.web.webrtc import RATE, Peer


def audible(frame: InputAudioRawFrame) -> bool:
    """Whether there is anything to say again: silence would queue up behind a slow start."""
    return bool(np.abs(np.frombuffer(frame.audio, np.int16).astype(int)).max(initial=0) > 100)


class Parrot(FrameProcessor):
    """The agent in pipecat's transport: what came in goes out."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)
        elif audible(frame):
            said = OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
            await self.push_frame(said, direction)


class Echo(FrameProcessor):
    """The agent in ours: what came in is what it has to say. Implements `Carried`."""

    rate = RATE
    busy = settled = False
    over = ""

    def __init__(self) -> None:
        super().__init__(enable_direct_mode=True)
        self.clock = Clock()
        self._heard = np.zeros(0, np.int16)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            if not audible(frame):
                return
            pcm = np.frombuffer(frame.audio, np.int16)
            self._heard = np.concatenate([self._heard, pcm])[-self.rate :]
        else:
            await self.push_frame(frame, direction)

    def fail(self, stage: str, message: str) -> None:
        raise AssertionError(f"{stage}: {message}")

    async def play(self, count: int) -> Block:
        said, self._heard = self._heard[:count], self._heard[count:]
        missing = np.zeros(count - len(said), np.int16)
        return Block(np.concatenate([missing, said]), None, (), bool(said.any()))


async def run_ours(tasks: Tasks, sdp: str) -> str:
    peer = Peer()
    line, echo = Line(peer), Echo()
    worker = PipelineWorker(
        Pipeline([line.input(), echo, line.output()]),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
        idle_timeout_secs=None,
        enable_rtvi=False,
    )

    async def carry() -> None:
        await asyncio.sleep(0.3)  # the pipeline starts
        await line.carry(echo)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    tasks.spawn(runner.run(), "pipeline")
    tasks.spawn(carry(), "carry")
    return await peer.answer(read_offer(sdp))


async def run_pipecat(tasks: Tasks, sdp: str) -> str:
    from pipecat.transports.base_transport import TransportParams
    from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
    from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

    connection = SmallWebRTCConnection([])
    await connection.initialize(sdp=sdp, type="offer")
    transport = SmallWebRTCTransport(
        connection, TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    )
    worker = PipelineWorker(
        Pipeline([transport.input(), Parrot(), transport.output()]),
        params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000),
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    tasks.spawn(runner.run(), "pipeline")
    answer = connection.get_answer()
    assert answer is not None
    return answer["sdp"]


async def main(engine: str) -> None:
    logger.remove()
    tasks = Tasks()
    begin = {"ours": run_ours, "pipecat": run_pipecat}[engine]

    async def offer(request: web.Request) -> web.Response:
        given = await request.json()
        return web.json_response({"sdp": await begin(tasks, given["sdp"]), "type": "answer"})

    app = web.Application()
    app.router.add_post("/api/offer", offer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
