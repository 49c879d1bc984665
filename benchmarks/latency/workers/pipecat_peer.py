"""Stock pipecat on the benchmark's pipe. Runs in an environment of its own.

Variants: `mistral`, its own Mistral services, as they come; `ideal`, its defaults with services
that lose no time: a transcriber whose final comes straight after the voice detector's stop and is
marked so, speech converted by numpy; `tuned`, the same with what its options give.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncGenerator
from importlib.metadata import version
from typing import Any

from benchmarks.latency.wire import RATE, Pipe

PIPE = Pipe()  # before anything can print
OPTIONS: dict[str, Any] = json.loads(sys.argv[1])
TUNED = OPTIONS["variant"] == "tuned"
if TUNED:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

import aiohttp  # noqa: E402
import numpy as np  # noqa: E402
from loguru import logger  # noqa: E402
from mistralai.client import Mistral  # noqa: E402
from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams  # noqa: E402
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3  # noqa: E402
from pipecat.audio.vad.silero import SileroVADAnalyzer  # noqa: E402
from pipecat.audio.vad.vad_analyzer import VADParams  # noqa: E402
from pipecat.frames.frames import (  # noqa: E402
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.processors.aggregators.llm_context import LLMContext  # noqa: E402
from pipecat.processors.aggregators.llm_response_universal import (  # noqa: E402
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import (  # noqa: E402
    FrameDirection,
    FrameProcessorSetup,
)
from pipecat.services.mistral.llm import MistralLLMService  # noqa: E402
from pipecat.services.mistral.stt import MistralSTTService  # noqa: E402
from pipecat.services.mistral.tts import MistralTTSService  # noqa: E402
from pipecat.services.settings import STTSettings, TTSSettings  # noqa: E402
from pipecat.services.stt_service import STTService  # noqa: E402
from pipecat.services.tts_service import TTSService  # noqa: E402
from pipecat.transports.base_input import BaseInputTransport  # noqa: E402
from pipecat.transports.base_output import BaseOutputTransport  # noqa: E402
from pipecat.transports.base_transport import TransportParams  # noqa: E402
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy  # noqa: E402
from pipecat.turns.user_turn_strategies import UserTurnStrategies  # noqa: E402
from pipecat.utils.time import time_now_iso8601  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

OUT_RATE = 24_000
HEAR = "voxtral-mini-transcribe-realtime-2602"
SPEAK = "voxtral-mini-tts-2603"
VOICE = "en_paul_neutral"


class PipeInput(BaseInputTransport):
    """The caller's audio, as its websocket transports take it."""

    async def start(self, frame: StartFrame) -> None:
        """Begin to take audio."""
        await super().start(frame)
        await self.set_transport_ready(frame)


class PipeOutput(BaseOutputTransport):
    """The agent's audio, paced as its websocket transports pace it."""

    def __init__(self, call: int, params: TransportParams) -> None:
        super().__init__(params)
        self._line = call
        self._send_at = 0.0

    async def start(self, frame: StartFrame) -> None:
        """Begin to give audio."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Start the clock anew after an interruption."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._send_at = 0.0

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Send a chunk, then wait as long as it plays."""
        PIPE.send(b"A", self._line, frame.audio)
        seconds = len(frame.audio) / 2 / self.sample_rate
        wait = max(0.0, self._send_at - time.monotonic())
        await asyncio.sleep(wait)
        self._send_at = self._send_at + seconds if wait else time.monotonic() + seconds
        return True


class IdealSTT(STTService):
    """The benchmark's transcriber, flushed at the voice detector's stop, its final marked."""

    def __init__(self, session: aiohttp.ClientSession, key: str) -> None:
        super().__init__(
            ttfs_p99_latency=0.5,  # a safety net only: its finals are marked
            sample_rate=RATE,
            settings=STTSettings(model=HEAR, language=None),
        )
        self._http = session
        self._key = key
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._listening: asyncio.Task[None] | None = None
        self._text = ""

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        """Connect."""
        await super().setup(setup)
        url = OPTIONS["url"].replace("http", "ws", 1)
        self._socket = await self._http.ws_connect(
            f"{url}/v1/audio/transcriptions/realtime?model={HEAR}",
            headers={"Authorization": f"Bearer {self._key}"},
        )
        self._listening = self.create_task(self._listen(), name="listen")

    async def cleanup(self) -> None:
        """Disconnect."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        if self._listening is not None:
            await self.cancel_task(self._listening)
            self._listening = None
        if self._socket is not None:
            await self._socket.close()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Flush where speech has stopped."""
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame) and self._socket is not None:
            self.request_finalize()  # type: ignore[no-untyped-call]
            await self._socket.send_str('{"type": "input_audio.flush"}')

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Send audio."""
        if self._socket is not None:
            data = base64.b64encode(audio).decode()
            await self._socket.send_str(f'{{"type":"input_audio.append","audio":"{data}"}}')
        yield None

    async def _listen(self) -> None:
        assert self._socket is not None
        async for message in self._socket:
            event = json.loads(message.data)
            if event["type"] == "transcription.text.delta":
                self._text += event["text"]
                await self.push_frame(
                    InterimTranscriptionFrame(self._text, self._user_id, time_now_iso8601())
                )
            elif event["type"] == "transcription.done":
                self._text = ""
                self.confirm_finalize()  # type: ignore[no-untyped-call]
                if event["text"]:
                    await self.push_frame(
                        TranscriptionFrame(event["text"], self._user_id, time_now_iso8601())
                    )


class IdealTTS(TTSService):
    """The benchmark's speech, without the Mistral service's conversion in Python."""

    def __init__(self, session: aiohttp.ClientSession, key: str) -> None:
        super().__init__(
            sample_rate=OUT_RATE,
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model=SPEAK, voice=VOICE, language=None),
        )
        self._http = session
        self._key = key

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame, None]:
        """Speak a sentence."""
        async for pcm in speech(self._http, self._key, text):
            yield TTSAudioRawFrame(pcm, OUT_RATE, 1, context_id=context_id)


async def speech(
    session: aiohttp.ClientSession, key: str, text: str
) -> AsyncGenerator[bytes, None]:
    """Yield a text's speech as int16."""
    body = {
        "model": SPEAK,
        "input": text,
        "voice_id": VOICE,
        "response_format": "pcm",
        "stream": True,
    }
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{OPTIONS['url']}/v1/audio/speech"
    async with session.post(url, json=body, headers=headers) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data:") and b"audio_data" in line:
                data = base64.b64decode(json.loads(line[5:])["audio_data"])
                samples = np.frombuffer(data, "<f4")
                yield (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()


class Call:
    """One call's pipeline."""

    def __init__(self, number: int, key: str, session: aiohttp.ClientSession) -> None:
        params = TransportParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_in_sample_rate=RATE,
            audio_out_sample_rate=OUT_RATE,
        )
        if TUNED:
            params.audio_out_10ms_chunks = 2
        self.input = PipeInput(params)
        self.started = asyncio.Event()
        stt, llm, tts = services(session, key)
        users = LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
        if TUNED:
            # Half the silence, and a third of the wait where smart-turn says "not yet".
            users = LLMUserAggregatorParams(
                vad_analyzer=SileroVADAnalyzer(params=VADParams(start_secs=0.1, stop_secs=0.1)),
                user_turn_strategies=UserTurnStrategies(
                    stop=[
                        TurnAnalyzerUserTurnStopStrategy(
                            turn_analyzer=LocalSmartTurnAnalyzerV3(
                                params=SmartTurnParams(stop_secs=1.0)
                            )
                        )
                    ]
                ),
            )
        pair = LLMContextAggregatorPair(LLMContext(), user_params=users)
        self.worker = PipelineWorker(
            Pipeline(
                [
                    self.input,
                    stt,
                    pair.user(),
                    llm,
                    tts,
                    PipeOutput(number, params),
                    pair.assistant(),
                ]
            ),
            params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=OUT_RATE),
            idle_timeout_secs=None,  # between its turns a call of the benchmark rests
        )

        async def started(_worker: PipelineWorker, _frame: object) -> None:
            self.started.set()

        self.worker.add_event_handler("on_pipeline_started", started)


def services(session: aiohttp.ClientSession, key: str) -> tuple[Any, Any, Any]:
    """Return a call's transcriber, model and speech."""
    url = OPTIONS["url"]
    llm = MistralLLMService(
        api_key=key,
        base_url=f"{url}/v1",
        settings=MistralLLMService.Settings(
            system_instruction="You are a helpful assistant on the phone."
        ),
    )
    if OPTIONS["variant"] != "mistral":
        return IdealSTT(session, key), llm, IdealTTS(session, key)
    stt = MistralSTTService(api_key=key, base_url=url)
    tts = MistralTTSService(api_key=key, settings=MistralTTSService.Settings(voice=VOICE))
    tts._client = Mistral(api_key=key, server_url=url)  # noqa: SLF001 (it has no base_url)
    return stt, llm, tts


async def run() -> None:
    """Hold calls until the pipe ends."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    await PIPE.open()
    async with aiohttp.ClientSession() as session:
        calls = [Call(number, key, session) for number, key in enumerate(OPTIONS["keys"])]
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(*(call.worker for call in calls))
        running = asyncio.create_task(runner.run(), name="pipecat")
        try:
            async with asyncio.timeout(90):
                for call in calls:
                    await call.started.wait()
            PIPE.tell(b"Y", 0, {"rate": OUT_RATE, "versions": versions()})
            while (message := await PIPE.receive()) is not None:
                kind, number, payload = message
                if kind == b"A":
                    await calls[number].input.push_audio_frame(InputAudioRawFrame(payload, RATE, 1))
        finally:
            for call in calls:
                await call.worker.queue_frame(EndFrame())
            await asyncio.wait({running}, timeout=8)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def versions() -> dict[str, str]:
    """Return what runs here."""
    return {name: version(name) for name in ("pipecat-ai", "mistralai", "onnxruntime")}


if __name__ == "__main__":
    try:
        asyncio.run(run())
    except Exception as error:
        PIPE.send(b"X", 0, f"{type(error).__name__}: {error}".encode())
        raise
