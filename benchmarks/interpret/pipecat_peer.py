"""Stock pipecat as an interpreter, on the benchmark's pipe. Runs in an environment of its own.

The pipeline is that of pipecat's own example (pipecat-ai/pipecat-examples, `translation-chatbot`):
transport, voice detector, transcriber, a processor that asks for the translation of each final
transcript without any history, model, speech, transport. Two things differ, both for its good: the
example mutes the speaker while the translation sounds, which would lose most of a talk; here
everything is heard, and translations wait for one another. And the prompt's first line names the
languages as the sandbox's brain expects them.

Variants are those of the latency benchmark's peer: `mistral`, its own Mistral services, and
`ideal`, with services that lose no time.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

# Behind the pipe: from there on what libraries print goes to stderr.
import aiohttp
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.mistral.llm import MistralLLMService
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from benchmarks.latency.wire import RATE
from benchmarks.latency.workers.pipecat_peer import (
    OPTIONS,
    OUT_RATE,
    PIPE,
    PipeInput,
    PipeOutput,
    services,
    versions,
)

PROMPT = (
    "You are a simultaneous interpreter from English (en) to French (fr).\n"
    "You will be provided with a sentence in English, and your task is to only translate it into"
    " French."
)


class Translate(FrameProcessor):  # type: ignore[misc]
    """Asks for the translation of each final transcript, as the example does."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Turn a transcript into a question."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, TranscriptionFrame):
            await self.push_frame(frame, direction)
            return
        self.heard += 1
        PIPE.tell(b"T", 0, {"heard": self.heard, "text": frame.text})
        messages: Any = [{"role": "user", "content": frame.text}]
        await self.push_frame(LLMContextFrame(LLMContext(messages)))


class Written(FrameProcessor):  # type: ignore[misc]
    """Tells what was translated."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.text = ""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Note a piece of text."""
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMFullResponseStartFrame):
            self.count, self.text = self.count + 1, ""
        elif isinstance(frame, LLMTextFrame):
            self.text += frame.text
        elif isinstance(frame, LLMFullResponseEndFrame):
            PIPE.tell(b"T", 0, {"written": self.count, "text": self.text})
        await self.push_frame(frame, direction)


class Spoken(FrameProcessor):  # type: ignore[misc]
    """Tells how many samples the speech of each answer has, in the order in which they go out."""

    def __init__(self) -> None:
        super().__init__()
        self.contexts: list[str] = []
        self.samples = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Count audio."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            context = str(frame.context_id)
            if not self.contexts or self.contexts[-1] != context:
                self.contexts.append(context)
                self.samples = 0
            self.samples += len(frame.audio) // 2
        elif isinstance(frame, TTSStoppedFrame) and self.samples:
            spoken = {"spoken": len(self.contexts), "seconds": self.samples / OUT_RATE}
            PIPE.tell(b"T", 0, spoken)
            self.samples = 0
        await self.push_frame(frame, direction)


async def run() -> None:
    """Interpret until the pipe ends."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    await PIPE.open()
    params = TransportParams(
        audio_in_enabled=True,
        audio_out_enabled=True,
        audio_in_sample_rate=RATE,
        audio_out_sample_rate=OUT_RATE,
    )
    async with aiohttp.ClientSession() as session:
        stt, _assistant, tts = services(session, OPTIONS["keys"][0])
        llm = MistralLLMService(
            api_key=OPTIONS["keys"][0],
            base_url=f"{OPTIONS['url']}/v1",
            settings=MistralLLMService.Settings(system_instruction=PROMPT),
        )
        entry = PipeInput(params)
        worker = PipelineWorker(
            Pipeline(
                [
                    entry,
                    VADProcessor(vad_analyzer=SileroVADAnalyzer()),
                    stt,
                    Translate(),
                    llm,
                    Written(),
                    tts,
                    Spoken(),
                    PipeOutput(0, params),
                ]
            ),
            params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=OUT_RATE),
            idle_timeout_secs=None,
        )
        started = asyncio.Event()

        async def begun(_worker: PipelineWorker, _frame: object) -> None:
            started.set()

        worker.add_event_handler("on_pipeline_started", begun)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run(), name="pipecat")
        try:
            async with asyncio.timeout(90):
                await started.wait()
            PIPE.tell(b"Y", 0, {"rate": OUT_RATE, "versions": versions()})
            while (message := await PIPE.receive()) is not None:
                kind, _number, payload = message
                if kind == b"A":
                    await entry.push_audio_frame(InputAudioRawFrame(payload, RATE, 1))
        finally:
            await worker.queue_frame(EndFrame())
            await asyncio.wait({running}, timeout=8)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    try:
        asyncio.run(run())
    except Exception as error:
        PIPE.send(b"X", 0, f"{type(error).__name__}: {error}".encode())
        raise
