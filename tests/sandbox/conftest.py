"""What the sandbox's own tests share: the unmodified SDK, and audio made on the spot."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from mistralai.client import Mistral
from mistralai.client.models import AudioFormat
from mistralai.extra.realtime import RealtimeConnection, UnknownRealtimeEvent

from vivavoce.sandbox import pcm

REALTIME = "voxtral-mini-transcribe-realtime-2602"
SPEECH = "voxtral-mini-tts-2603"


@pytest.fixture
async def client(profile) -> AsyncIterator[Callable[..., Awaitable[Mistral]]]:
    """A factory: an SDK client with a key of its own, which is its attribute ``sandbox_key``."""
    opened: list[Mistral] = []

    async def make(**given: Any) -> Mistral:
        key = profile(**given)
        sdk = Mistral(api_key=key.key, server_url=key.url, timeout_ms=20_000)
        await sdk.__aenter__()
        sdk.sandbox_key = key
        opened.append(sdk)
        return sdk

    yield make
    for sdk in opened:
        await sdk.__aexit__(None, None, None)


@pytest.fixture
def say() -> Callable[..., Awaitable[np.ndarray]]:
    """Speak through the SDK; give float32 samples at 24 kHz."""

    async def speak(sdk: Mistral, text: str, voice: str = "en_paul_neutral") -> np.ndarray:
        audio = bytearray()
        stream = await sdk.audio.speech.complete_async(
            input=text, model=SPEECH, voice_id=voice, response_format="pcm", stream=True
        )
        async with stream:
            async for event in stream:
                if event.event == "speech.audio.delta":
                    audio += base64.b64decode(event.data.audio_data)
        return np.frombuffer(bytes(audio), "<f4")

    return speak


class Ears:
    """A realtime session through the SDK; any event that the SDK does not know fails."""

    def __init__(self, connection: RealtimeConnection) -> None:
        self.connection = connection
        self.events: list[Any] = []
        self._source = connection.events()

    async def next(self, kind: str | None = None) -> Any:
        """The next event, or the next of a kind."""
        async with asyncio.timeout(10):
            while True:
                event = await anext(self._source)
                assert not isinstance(event, UnknownRealtimeEvent), event
                self.events.append(event)
                if kind is None or event.type == kind:
                    return event

    async def feed(self, samples: np.ndarray, rate: int = 24_000, chunk_s: float = 0.1) -> None:
        """Send float32 samples as 16 kHz s16le, as fast as the server takes them."""
        data = pcm.encode_s16(pcm.resample(samples, rate, 16_000))
        step = int(chunk_s * 16_000) * 2
        for start in range(0, len(data), step):
            await self.connection.send_audio(data[start : start + step])

    async def flush(self) -> Any:
        await self.connection.flush_audio()
        return await self.next("transcription.done")

    def deltas(self) -> str:
        return "".join(e.text for e in self.events if e.type == "transcription.text.delta")


@pytest.fixture
async def ears() -> AsyncIterator[Callable[..., Awaitable[Ears]]]:
    """A factory: a realtime session for an SDK client."""
    opened: list[Ears] = []

    async def make(
        sdk: Mistral, encoding: str = "pcm_s16le", rate: int = 16_000, **more: Any
    ) -> Ears:
        connection = await sdk.audio.realtime.connect(
            REALTIME, audio_format=AudioFormat(encoding=encoding, sample_rate=rate), **more
        )
        opened.append(Ears(connection))
        return opened[-1]

    yield make
    for one in opened:
        await one.connection.close()
        await one._source.aclose()
