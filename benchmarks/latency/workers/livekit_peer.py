"""livekit-agents on the benchmark's pipe, without a room. Runs in an environment of its own.

Variants: `mistral`, its Mistral plugin as it comes (but speech as PCM: its default is MP3, which
is slower); `ideal`, its defaults with plugin classes that lose no time; `tuned`, the same with
what its options give.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from importlib.metadata import version
from typing import Any

from benchmarks.latency.wire import RATE, Pipe

PIPE = Pipe()  # before anything can print
OPTIONS: dict[str, Any] = json.loads(sys.argv[1])
VARIANT: str = OPTIONS["variant"]

import aiohttp  # noqa: E402
import numpy as np  # noqa: E402
from livekit import rtc  # noqa: E402
from livekit.agents import Agent, AgentSession, LanguageCode, inference, stt, tts, vad  # noqa: E402
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions  # noqa: E402
from livekit.agents.voice import io  # noqa: E402
from livekit.plugins import mistralai, silero  # noqa: E402
from mistralai.client import Mistral  # noqa: E402

OUT_RATE = 24_000
BLOCK = OUT_RATE // 50 * 2
"""Bytes of 20 ms."""
HEAR = "voxtral-mini-transcribe-realtime-2602"
THINK = "ministral-8b-latest"
SPEAK = "voxtral-mini-tts-2603"
VOICE = "en_paul_neutral"


class PipeInput(io.AudioInput):
    """The caller's audio."""

    def __init__(self) -> None:
        super().__init__(label="pipe")
        self.frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self.frames.get()


class PipeOutput(io.AudioOutput):
    """The agent's audio, in real time: a block as soon as it is there, the next when it played."""

    def __init__(self, call: int) -> None:
        super().__init__(
            label="pipe",
            capabilities=io.AudioOutputCapabilities(pause=True),
            sample_rate=OUT_RATE,
        )
        self._line = call
        self._buffer = bytearray()
        self._pushed = 0
        self._played = 0
        self._flushed = False
        self._wake = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._playing: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take audio, faster than it plays."""
        await super().capture_frame(frame)
        if self._flushed and self._playing is not None:
            await self._playing  # the segment before
        data = bytes(frame.data)
        self._buffer += data
        self._pushed += len(data)
        self._wake.set()
        if self._playing is None or self._playing.done():
            self._playing = asyncio.create_task(self._play(), name="playout")

    def flush(self) -> None:
        """The segment is whole."""
        super().flush()
        if self._pushed:
            self._flushed = True
            self._wake.set()

    def clear_buffer(self) -> None:
        """Stop at once."""
        if self._pushed:
            if self._playing is not None:
                self._playing.cancel()
            self._buffer.clear()
            self._finish(interrupted=True)

    def pause(self) -> None:
        """Hold."""
        super().pause()
        self._going.clear()

    def resume(self) -> None:
        """Go on."""
        super().resume()
        self._going.set()

    def _finish(self, *, interrupted: bool) -> None:
        seconds = self._played / 2 / OUT_RATE
        self._pushed = self._played = 0
        self._flushed = False
        self.on_playback_finished(playback_position=seconds, interrupted=interrupted)

    async def _play(self) -> None:
        due = time.monotonic()
        started = False
        while True:
            await self._going.wait()
            if len(self._buffer) < BLOCK and not self._flushed:
                self._wake.clear()
                await self._wake.wait()
                continue
            if not self._buffer:
                break
            if not started:
                started = True
                self.on_playback_started(created_at=time.time())
            block = bytes(self._buffer[:BLOCK])
            del self._buffer[:BLOCK]
            PIPE.send(b"A", self._line, block)
            self._played += len(block)
            due = max(due, time.monotonic() - 0.02) + len(block) / 2 / OUT_RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        self._finish(interrupted=False)


class IdealSTT(stt.STT[Any]):
    """The benchmark's transcriber, flushed after a short silence of its own voice detector."""

    def __init__(self, session: aiohttp.ClientSession, key: str, silence: float) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True, interim_results=True, offline_recognize=False
            )
        )
        self.http = session
        self.key = key
        self.vad = silero.VAD.load(min_silence_duration=silence)

    async def _recognize_impl(self, *_args: Any, **_more: Any) -> stt.SpeechEvent:
        raise NotImplementedError

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_more: Any
    ) -> IdealStream:
        """Begin to transcribe a call."""
        return IdealStream(self, conn_options)


class IdealStream(stt.RecognizeStream):
    """One call's transcription."""

    def __init__(self, service: IdealSTT, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=service, conn_options=conn_options, sample_rate=RATE)
        self._service = service

    async def _run(self) -> None:
        url = OPTIONS["url"].replace("http", "ws", 1)
        async with self._service.http.ws_connect(
            f"{url}/v1/audio/transcriptions/realtime?model={HEAR}",
            headers={"Authorization": f"Bearer {self._service.key}"},
        ) as socket:
            ears = self._service.vad.stream()
            tasks = [
                asyncio.create_task(self._feed(socket, ears)),
                asyncio.create_task(self._flush(socket, ears)),
                asyncio.create_task(self._listen(socket)),
            ]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await ears.aclose()

    async def _feed(self, socket: aiohttp.ClientWebSocketResponse, ears: vad.VADStream) -> None:
        async for frame in self._input_ch:
            if isinstance(frame, rtc.AudioFrame):
                ears.push_frame(frame)
                data = base64.b64encode(bytes(frame.data)).decode()
                await socket.send_str(f'{{"type":"input_audio.append","audio":"{data}"}}')
        await socket.close()

    async def _flush(self, socket: aiohttp.ClientWebSocketResponse, ears: vad.VADStream) -> None:
        async for event in ears:
            if event.type == vad.VADEventType.END_OF_SPEECH:
                await socket.send_str('{"type": "input_audio.flush"}')

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        text = ""
        async for message in socket:
            event = json.loads(message.data)
            if event["type"] == "transcription.text.delta":
                text += event["text"]
                self._tell(stt.SpeechEventType.INTERIM_TRANSCRIPT, text)
            elif event["type"] == "transcription.done":
                text = ""
                if event["text"]:
                    self._tell(stt.SpeechEventType.FINAL_TRANSCRIPT, event["text"])

    def _tell(self, kind: stt.SpeechEventType, text: str) -> None:
        said = stt.SpeechData(language=LanguageCode("en"), text=text)
        self._event_ch.send_nowait(stt.SpeechEvent(type=kind, alternatives=[said]))


class IdealTTS(tts.TTS[Any]):
    """The benchmark's speech, converted by numpy."""

    def __init__(self, session: aiohttp.ClientSession, key: str) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=OUT_RATE,
            num_channels=1,
        )
        self.http = session
        self.key = key

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> IdealSpeech:
        """Speak a sentence."""
        return IdealSpeech(tts=self, input_text=text, conn_options=conn_options)


class IdealSpeech(tts.ChunkedStream):
    """One sentence."""

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=str(uuid.uuid4()),
            sample_rate=OUT_RATE,
            num_channels=1,
            mime_type="audio/pcm",
            frame_size_ms=20,
        )
        assert isinstance(self._tts, IdealTTS)
        async for pcm in speech(self._tts.http, self._tts.key, self.input_text):
            output_emitter.push(pcm)
        output_emitter.flush()


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


def make(http: aiohttp.ClientSession, key: str) -> AgentSession[None]:
    """Return one call's session."""
    client = Mistral(api_key=key, server_url=OPTIONS["url"])
    llm = mistralai.LLM(client=client, model=THINK, api_mode="chat_completions")
    if VARIANT == "mistral":
        return AgentSession(
            stt=mistralai.STT(client=client, model=HEAR),
            llm=llm,
            tts=mistralai.TTS(client=client, model=SPEAK, voice=VOICE, response_format="pcm"),
        )
    if VARIANT == "ideal":
        return AgentSession(stt=IdealSTT(http, key, 0.2), llm=llm, tts=IdealTTS(http, key))
    return AgentSession(
        stt=IdealSTT(http, key, 0.1),
        llm=llm,
        tts=IdealTTS(http, key),
        # The least that its turn detector allows.
        vad=inference.VAD(min_silence_duration=0.25),
        turn_handling={
            "endpointing": {"min_delay": 0.2, "max_delay": 1.0},
            "interruption": {"min_duration": 0.2},
            "preemptive_generation": {"enabled": True, "preemptive_tts": True},
        },
        aec_warmup_duration=None,
    )


async def run() -> None:
    """Hold calls until the pipe ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    await PIPE.open()
    async with aiohttp.ClientSession() as http:
        inputs: list[PipeInput] = []
        sessions: list[AgentSession[None]] = []
        try:
            async with asyncio.timeout(90):
                for number, key in enumerate(OPTIONS["keys"]):
                    session = make(http, key)
                    inputs.append(PipeInput())
                    session.input.audio = inputs[-1]
                    session.output.audio = PipeOutput(number)
                    sessions.append(session)
                    await session.start(
                        Agent(instructions="You are a helpful assistant on the phone.")
                    )
            PIPE.tell(b"Y", 0, {"rate": OUT_RATE, "versions": versions()})
            while (message := await PIPE.receive()) is not None:
                kind, number, payload = message
                if kind == b"A":
                    frame = rtc.AudioFrame(payload, RATE, 1, len(payload) // 2)
                    inputs[number].frames.put_nowait(frame)
        finally:
            closing = [asyncio.create_task(session.aclose()) for session in sessions]
            if closing:
                await asyncio.wait(closing, timeout=8)


def versions() -> dict[str, str]:
    """Return what runs here."""
    names = ("livekit-agents", "livekit-plugins-mistralai", "livekit-plugins-silero", "mistralai")
    return {name: version(name) for name in names}


if __name__ == "__main__":
    try:
        asyncio.run(run())
    except Exception as error:
        PIPE.send(b"X", 0, f"{type(error).__name__}: {error}".encode())
        raise
