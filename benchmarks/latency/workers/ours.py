"""Viva Voce's conversation, on the benchmark's pipe."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

from benchmarks.latency.wire import BLOCK, RATE, Pipe

PIPE = Pipe()  # before anything can print

from loguru import logger  # noqa: E402
from pipecat.frames.frames import InputAudioRawFrame  # noqa: E402
from pipecat.processors.frame_processor import FrameProcessor  # noqa: E402

from vivavoce.agent import Agent, Silence, Turns  # noqa: E402
from vivavoce.agent.events import AgentStarted, CallerSaid  # noqa: E402
from vivavoce.agent.options import Limits  # noqa: E402
from vivavoce.agent.settings import MISTRAL_MODELS  # noqa: E402
from vivavoce.pipelines.conversation import Conversation  # noqa: E402
from vivavoce.pipelines.lag import LoopLag  # noqa: E402
from vivavoce.pipelines.local import Passage  # noqa: E402
from vivavoce.pipelines.models.connect import Models  # noqa: E402
from vivavoce.pipelines.models.http import Endpoint  # noqa: E402
from vivavoce.pipelines.transport import Carried  # noqa: E402
from vivavoce.pipelines.warm import warm_up  # noqa: E402

VOXTRAL_3 = "voxtral-mini-transcribe-realtime-3-0"


class PipeTransport:
    """Carries a call over the pipe: as long as the caller's audio comes, ours goes out."""

    def __init__(self, pipe: Pipe, call: int) -> None:
        self._pipe = pipe
        self._call = call
        self._input = Passage("PipeInput")
        self._output = Passage("PipeOutput")
        self.caller: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.carrying = asyncio.Event()

    def input(self) -> FrameProcessor:
        """See `Transport`."""
        return self._input

    def output(self) -> FrameProcessor:
        """See `Transport`."""
        return self._output

    async def carry(self, conversation: Carried) -> str:
        """See `Transport`. A block out for each block in."""
        self.carrying.set()
        count = conversation.rate * BLOCK // RATE
        while not conversation.over:
            # No time-out: between its turns a call of the benchmark rests.
            pcm = await self.caller.get()
            if pcm is None:
                return "the benchmark is over"
            await self._input.push_frame(InputAudioRawFrame(pcm, RATE, 1))
            block = await conversation.play(count)
            self._pipe.send(b"A", self._call, block.samples.tobytes())
        return conversation.over

    async def close(self) -> None:
        """See `Transport`."""


async def follow(conversation: Conversation, call: int, lag: LoopLag) -> None:
    """Tell the benchmark of the caller's turns and of our own account of each reply."""
    async for event in conversation.call:
        if isinstance(event, AgentStarted) and event.reply.latency is not None:
            PIPE.tell(b"T", call, {"latency": event.reply.latency.to_dict()})
        elif isinstance(event, CallerSaid):
            told = {
                "text": event.utterance.text,
                "why_ended": event.utterance.why_ended,
                "loop_lag_ms": lag.to_dict(),
            }
            PIPE.tell(b"T", call, told)


async def run(options: dict[str, Any]) -> None:
    """Hold calls until the pipe ends."""
    # As for the peers: pipecat's debug log costs CPU.
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    await PIPE.open()
    smart_turn = warm_up()
    v3 = options["variant"] == "v3"
    agent: Agent[None] = Agent(
        "You are a helpful assistant on the phone.",
        voice="en_paul_neutral",
        limits=Limits(call=86_400),
        turns=Turns(detector="model" if v3 else "local"),
        # It rests while others have their turns: nobody is to ask the caller where they are.
        silence=Silence(ask_after=None),
    )
    ear = VOXTRAL_3 if v3 else MISTRAL_MODELS["hear"]
    url = options["url"]
    async with AsyncExitStack() as stack:
        # A call has its own key, hence its own clients; calls of one key share them.
        served: dict[str, Models] = {}
        for key in options["keys"]:
            if key not in served:
                models = Models.connect(
                    hear=Endpoint(url, key, ear),
                    think=Endpoint(url, key, MISTRAL_MODELS["think"]),
                    speak=Endpoint(url, key, MISTRAL_MODELS["speak"]),
                    smart_turn=smart_turn,
                )
                served[key] = await stack.enter_async_context(models)
        lines = [PipeTransport(PIPE, number) for number in range(len(options["keys"]))]
        calls = [
            Conversation(agent, served[key], line)
            for key, line in zip(options["keys"], lines, strict=True)
        ]
        lag = LoopLag()
        running = [asyncio.create_task(one.run(), name="call") for one in calls]
        following = [
            asyncio.create_task(follow(one, number, lag), name="follow")
            for number, one in enumerate(calls)
        ]
        try:
            async with asyncio.timeout(60):
                for line in lines:
                    await line.carrying.wait()
            lag.start()
            PIPE.tell(b"Y", 0, {"rate": calls[0].rate, "versions": versions()})
            while (message := await PIPE.receive()) is not None:
                kind, call, payload = message
                if kind == b"A":
                    lines[call].caller.put_nowait(payload)
        finally:
            lag.close()
            for line in lines:
                line.caller.put_nowait(None)
            await asyncio.gather(*running, return_exceptions=True)
            await asyncio.gather(*following, return_exceptions=True)


def versions() -> dict[str, str]:
    """Return what runs here."""
    return {name: version(name) for name in ("vivavoce", "pipecat-ai", "onnxruntime")}


if __name__ == "__main__":
    try:
        asyncio.run(run(json.loads(sys.argv[1])))
    except Exception as error:
        PIPE.send(b"X", 0, f"{type(error).__name__}: {error}".encode())
        raise
