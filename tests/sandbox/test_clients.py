"""pipecat's own Mistral services against the sandbox: code that this project did not write."""

from __future__ import annotations

import asyncio
from typing import Self

import numpy as np
import pytest
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.mistral.stt import MistralSTTService
from pipecat.services.mistral.tts import MistralTTSService
from pipecat.workers.runner import WorkerRunner

from vivavoce.sandbox import pcm


class Collector(FrameProcessor):
    """Keeps what comes out of a pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.arrived = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        self.arrived.set()
        await self.push_frame(frame, direction)

    async def wait_for(self, kind: type[Frame]) -> Frame:
        async with asyncio.timeout(10):
            while True:
                self.arrived.clear()
                found = [f for f in self.frames if isinstance(f, kind | ErrorFrame)]
                if found:
                    assert isinstance(found[0], kind), found[0]
                    return found[0]
                await self.arrived.wait()


class Running:
    """A pipeline of one service that runs until the test ends."""

    def __init__(self, service: FrameProcessor, *, rate: int) -> None:
        self.out = Collector()
        params = PipelineParams(audio_in_sample_rate=rate, audio_out_sample_rate=rate)
        self.worker = PipelineWorker(
            Pipeline([service, self.out]), params=params, idle_timeout_secs=None, enable_rtvi=False
        )
        self._runner = WorkerRunner(handle_sigint=False)

    async def __aenter__(self) -> Self:
        await self._runner.add_workers(self.worker)
        self._task = asyncio.create_task(self._runner.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.queue_frame(EndFrame())
        async with asyncio.timeout(10):
            await self._task

    async def send(self, *frames: Frame) -> None:
        for frame in frames:
            await self.worker.queue_frame(frame)


async def test_pipecats_transcriber_hears(client, say):
    sdk = await client()
    key = sdk.sandbox_key
    speech = pcm.resample(await say(sdk, "Where is the station?"), 24_000, 16_000)
    speech = np.concatenate((speech, np.zeros(-len(speech) % 320, np.float32)))
    service = MistralSTTService(api_key=key.key, base_url=key.url, sample_rate=16_000)
    async with Running(service, rate=16_000) as running:
        for turn in (1, 2):
            running.out.frames.clear()
            await running.send(VADUserStartedSpeakingFrame())
            for frame in speech.reshape(-1, 320):
                audio = pcm.encode_s16(frame)
                await running.send(InputAudioRawFrame(audio, 16_000, 1))
            await running.send(VADUserStoppedSpeakingFrame())
            final = await running.out.wait_for(TranscriptionFrame)
            assert final.text.lower() == "where is the station?"
            interim = await running.out.wait_for(InterimTranscriptionFrame)
            assert final.text.startswith(interim.text)
            assert key.report["turns"]["hear"] == turn
    assert key.report["connections"] == 1


async def test_pipecats_voice_speaks(client):
    sdk = await client()
    key = sdk.sandbox_key
    service = MistralTTSService(
        api_key=key.key, settings=MistralTTSService.Settings(voice="en_paul_neutral")
    )
    # It takes no base_url: the address goes where its own SDK client keeps it.
    service._client.sdk_configuration.server_url = key.url
    # Nor does it close that client.
    async with service._client, Running(service, rate=24_000) as running:
        await running.send(TTSSpeakFrame("Where is the station?"))
        await running.out.wait_for(TTSStoppedFrame)
        frames = [f for f in running.out.frames if isinstance(f, TTSAudioRawFrame)]
        audio = b"".join(frame.audio for frame in frames)
    samples = pcm.decode(audio, "pcm_s16le")
    assert 24_000 < len(samples) < 72_000
    assert pcm.level(samples) == pytest.approx(-20, abs=3)
    assert key.report["spoken_s"] == pytest.approx(len(samples) / 24_000, abs=0.2)


async def test_pipecats_voice_tells_an_error(client):
    sdk = await client(faults={"speak": [{"kind": "status", "status": 429}]})
    key = sdk.sandbox_key
    service = MistralTTSService(
        api_key=key.key, settings=MistralTTSService.Settings(voice="en_paul_neutral")
    )
    service._client.sdk_configuration.server_url = key.url
    # Nor does it close that client.
    async with service._client, Running(service, rate=24_000) as running:
        await running.send(TTSSpeakFrame("Hello."))
        await running.out.wait_for(TTSStoppedFrame)
    assert key.report["turns"]["speak"] == 1
