"""Calls for measurements: a caller, an agent, the real pipeline, a recording.

A call runs faster than real time where nothing waits on the clock. The models are the sandbox's,
over their real clients and sockets; what is heard is really transcribed.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import numpy as np
from numpy.typing import NDArray

from vivavoce.agent import Agent, Call, Turns
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.caller import BLOCK, RATE
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.local import LocalTransport
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.speech import SpeechModel
from vivavoce.pipelines.turns.playout import AUDIBLE
from vivavoce.sandbox.launch import Sandbox

Samples = NDArray[np.int16]
T = TypeVar("T")

OPENING = "What do you have for me today?"
MODELS = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "mistral-small-latest",
    "speak": "voxtral-mini-tts-2603",
}
FILES = "voxtral-mini-2602"
LONGEST = 120.0
"""Seconds of real time that one call, or one request, may take."""
LEADS = (0.1, 0.25, 0.4)
"""Silences before a recording, in seconds: how a recogniser hears a cut word depends on it."""
PEACE = 1.2
"""Seconds without anything going on after which the caller leaves."""
_SIZE = round(RATE * BLOCK)


class Intruder:
    """Asks, listens, and makes one sound at a moment of the answer.

    Args:
        opening: What it asks (int16, `RATE`).
        sound: What it does meanwhile; None: nothing.
        into: When: seconds into the answer, to the sample.
        stay: Seconds that it stays behind its sound at most.

    Attributes:
        sound_at: The first sample of the sound, in samples of the call; None until then.
    """

    farewell = "the caller hung up"

    def __init__(
        self, opening: Samples, sound: Samples | None, into: float = 0.0, stay: float = 60.0
    ) -> None:
        self.sound_at: int | None = None
        self._sound = sound
        self._into = round(into * RATE)
        self._stay = stay
        self._say = np.concatenate([np.zeros(_SIZE * 10, np.int16), opening])
        self._position = 0
        self._answered: int | None = None
        self._done: int | None = None
        self._peace = 0.0

    def next(self, heard: Samples, *, settled: bool) -> Samples | None:
        """Return the next block, or None to leave."""
        at, self._position = self._position, self._position + _SIZE
        if not len(self._say) and self._answered is None:
            loud = len(heard) and int(np.abs(heard.astype(np.int32)).max()) >= AUDIBLE
            self._answered = at if loud else None
        if self._sound is not None and self.sound_at is None and self._answered is not None:
            moment = self._answered + self._into
            if moment < at + _SIZE:
                pause = max(0, moment - at)
                self.sound_at = at + pause
                self._say = np.concatenate([np.zeros(pause, np.int16), self._sound])
        block, self._say = self._say[:_SIZE], self._say[_SIZE:]
        if not len(self._say) and (self._sound is None or self.sound_at is not None):
            self._done = at if self._done is None else self._done
            self._peace = self._peace + BLOCK if settled else 0.0
            left = (at - self._done) / RATE
            if left > self._stay or (self._peace > PEACE and left > PEACE):
                return None
        elif at > 60 * RATE:
            return None
        return np.pad(block, (0, _SIZE - len(block)))

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Held:
    """A call that is over.

    Attributes:
        call: It.
        caller: The caller's side of the recording (int16, at `rate`).
        agent: The agent's side (int16, at `rate`).
        rate: Hz.
        sound_at: When the caller's sound began (s in the recording); None if it never did.
        underruns: How often the synthesiser fell behind within a clause.
        requests: Requests that the model servers counted, by endpoint.
    """

    call: Call[Any]
    caller: Samples
    agent: Samples
    rate: int
    sound_at: float | None
    underruns: int
    requests: dict[str, int] = field(default_factory=dict)

    @property
    def heard_words(self) -> str:
        """What the call says was heard of the answer."""
        return self.call.transcript.replies[0].heard if self.call.transcript.replies else ""


class Hall:
    """Where the calls are held: one sandbox, one pool of connections."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._plain = sandbox.make_key()
        self._http = Http()
        self._smart_turn = SmartTurn()
        self._spoken: dict[tuple[str, str], Samples] = {}

    async def speak(self, text: str, voice: str = "en_paul_neutral") -> Samples:
        """Return a text spoken (int16, `RATE`), trimmed to where it is audible."""
        if (text, voice) not in self._spoken:
            endpoint = Endpoint(self._sandbox.url, self._plain, MODELS["speak"])
            model = SpeechModel(self._http, endpoint)
            async with aclosing(model.stream(text, voice=voice, language="en")) as chunks:
                audio = np.concatenate([chunk async for chunk in chunks])
            audio = resample(audio, model.rate, RATE)
            loud = np.flatnonzero(np.abs(audio.astype(np.int32)) >= AUDIBLE)
            self._spoken[text, voice] = audio[loud[0] : loud[-1] + 1]
        return self._spoken[text, voice]

    async def transcribe(self, audio: Samples, rate: int) -> str:
        """Return what a recording says, as the server's file transcription hears it."""
        file = io.BytesIO()
        with wave.open(file, "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(rate)
            wav.writeframes(audio.tobytes())
        form = aiohttp.FormData()
        form.add_field("model", FILES)
        form.add_field("file", file.getvalue(), filename="cut.wav", content_type="audio/wav")
        async with asyncio.timeout(LONGEST):
            answer = await self._http.session.post(
                f"{self._sandbox.url}/v1/audio/transcriptions",
                data=form,
                headers={"Authorization": f"Bearer {self._plain}"},
            )
            async with answer:
                answer.raise_for_status()
                return str((await answer.json())["text"])

    async def hear(self, audio: Samples, rate: int) -> list[str]:
        """Return what a recording says behind each of three silences: the recogniser is moody."""
        return [
            await self.transcribe(np.pad(audio, (round(lead * rate), rate // 2)), rate)
            for lead in LEADS
        ]

    async def hold(
        self,
        reply: str,
        sound: Samples | None,
        into: float = 0.0,
        *,
        stay: float = 60.0,
        turns: Turns | None = None,
        **profile: Any,
    ) -> Held:
        """Hold a call: the caller asks, is answered with `reply`, and makes a sound meanwhile.

        Args:
            reply: The answer to everything.
            sound: int16, `RATE`; None: the caller only listens.
            into: When, in seconds into the answer.
            stay: Seconds that the caller stays behind the sound at most.
            turns: The agent's turn-taking.
            profile: Latencies and faults of the model servers.
        """
        script = {"think": [reply] * 12, **profile.pop("script", {})}
        key = self._sandbox.make_key(script=script, **profile)
        caller = Intruder(await self.speak(OPENING), sound, into, stay)
        hear, think, speak = (Endpoint(self._sandbox.url, key, name) for name in MODELS.values())
        try:
            with tempfile.TemporaryDirectory() as folder:
                recording = Path(folder, "call.wav")
                async with Models.connect(
                    hear=hear, think=think, speak=speak, smart_turn=self._smart_turn
                ) as models:
                    agent: Agent[Any] = Agent("Be brief.", turns=turns or Turns())
                    transport = LocalTransport(caller, recording, fast=True)
                    conversation = Conversation(agent, models, transport)
                    async with asyncio.timeout(LONGEST):
                        call = await conversation.run()
                    underruns = call.ledger.health.underruns
                with wave.open(str(recording)) as file:
                    rate = file.getframerate()
                    both = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            requests = self._sandbox.report(key)["requests"]
        finally:
            self._sandbox.drop_key(key)
        sides = both.reshape(-1, 2)
        at = None if caller.sound_at is None else caller.sound_at / RATE
        return Held(call, sides[:, 0], sides[:, 1], rate, at, underruns, requests)

    async def close(self) -> None:
        """Close the connections; idempotent."""
        await self._http.close()


async def side_by_side(count: int, at_once: int, job: Callable[[int], Awaitable[T]]) -> list[T]:
    """Do `count` jobs, some at the same time; return what they give, in their order.

    Args:
        count: How many.
        at_once: How many of them run at any time.
        job: Takes its number.

    A job that fails ends the others; cancelling ends all.
    """
    found: dict[int, T] = {}
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            found[number] = await job(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, count)):
            group.create_task(work(), name="calls")
    return [found[number] for number in range(count)]


@asynccontextmanager
async def hall(sandbox: Sandbox | None = None) -> AsyncIterator[Hall]:
    """Open a hall, on a sandbox of its own unless one is given."""
    if sandbox is None:
        async with Sandbox.launch() as own, hall(own) as opened:
            yield opened
        return
    opened = Hall(sandbox)
    try:
        yield opened
    finally:
        await opened.close()
