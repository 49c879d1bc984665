"""The agent on pipecat with a transport that leads nowhere; its services speak with the sandbox."""

import asyncio
import os
import sys
from collections.abc import Callable
from functools import partialmethod
from importlib.metadata import version
from typing import Any

from loguru import logger
from mistralai.client import Mistral
from pipecat.frames.frames import LLMMessagesAppendFrame, OutputAudioRawFrame, StartFrame
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.mistral.llm import MistralLLMService
from pipecat.services.mistral.stt import MistralSTTService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.workers.runner import WorkerRunner

from benchmarks.compared.script import LINES, options, tell

PARAMS = TransportParams(audio_in_enabled=True, audio_out_enabled=True)


class Ear(BaseInputTransport):
    """Hears nothing."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)


class Mouth(BaseOutputTransport):
    """Counts what would be played."""

    played = 0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self.played += len(frame.audio) // 2
        await asyncio.sleep(0)
        return True


class Nowhere(BaseTransport):
    """A transport without a far end."""

    def __init__(self) -> None:
        super().__init__()
        self.ear, self.mouth = Ear(PARAMS), Mouth(PARAMS)

    def input(self) -> FrameProcessor:
        return self.ear

    def output(self) -> FrameProcessor:
        return self.mouth


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    try:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise TimeoutError(f"it did not come to {what} within 20 s") from None


async def run(given: dict[str, Any]) -> None:
    """Hold the conversation and print what came of it."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    url = given["url"]
    for service, where in ((MistralSTTService, url), (MistralLLMService, f"{url}/v1")):
        service.__init__ = partialmethod(service.__init__, base_url=where)  # type: ignore[method-assign, assignment]
    # Its speech has no setting for where Mistral is.
    Mistral.__init__ = partialmethod(Mistral.__init__, server_url=url)  # type: ignore[method-assign, assignment]
    os.environ["MISTRAL_API_KEY"] = given["key"]
    from benchmarks.compared import on_pipecat

    transport = Nowhere()
    worker, flow = on_pipecat.build(transport)
    started = asyncio.Event()

    async def ready(*_given: object) -> None:
        started.set()

    worker.add_event_handler("on_pipeline_started", ready)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run(), name="pipecat")
    try:
        await asyncio.wait_for(started.wait(), 30)
        await flow.initialize(on_pipecat.host())
        context = flow._context_aggregator.user().context  # noqa: SLF001

        def said() -> list[str]:
            return [
                str(one["content"])
                for one in context.get_messages()
                if one.get("role") == "assistant" and one.get("content")
            ]

        await until(lambda: len(said()) == 1, "a greeting")
        for count, words in enumerate(LINES, 2):
            message = {"role": "user", "content": words}
            await worker.queue_frame(LLMMessagesAppendFrame([message], run_llm=True))
            await until(lambda count=count: len(said()) >= count, f"reply {count - 1}: {words}")
        tell(
            flow.state["book"],
            said(),
            agent=str(flow.current_node),
            version=version("pipecat-ai"),
            samples=transport.mouth.played,
        )
    finally:
        await worker.cancel()
        await asyncio.wait({running}, timeout=8)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(run(options()), 120))
