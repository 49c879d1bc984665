"""The wire: what a call asks of the pipeline that carries it."""

from __future__ import annotations

import asyncio
import contextlib
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from pipecat.processors.frame_processor import FrameProcessor

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.line import LineError, Sound
from vivavoce.agent.phrases import CONNECTING, phrase
from vivavoce.agent.transcript import Reply
from vivavoce.agent.transfer import TransferRequest
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.audio.ringing import ringing
from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.pipelines.consult import consult
from vivavoce.pipelines.mind import Mind
from vivavoce.pipelines.models.interfaces import Samples, Thinking
from vivavoce.pipelines.mouth import Mouth
from vivavoce.pipelines.stage import Context

LONGEST_SOUND = 600.0
"""Seconds of a sound that are played at most."""


@runtime_checkable
class CanTransfer(Protocol):
    """A transport that can hand the caller over."""

    async def transfer(self, to: str) -> None:
        """Hand the caller over to a number or address.

        Raises:
            LineError: If the other side refused.
        """


@runtime_checkable
class CanBridge(Protocol):
    """A transport that can call somebody and join them with the caller."""

    async def bridge(self, request: TransferRequest, call: Call[Any]) -> None:
        """Call somebody; return once they and the caller hear each other.

        Raises:
            LineError: If nobody took the caller.
        """


@runtime_checkable
class CanPress(Protocol):
    """A transport that can send key tones."""

    async def send_dtmf(self, digits: str) -> None:
        """Send keys: 0 to 9, "*", "#", A to D."""


@runtime_checkable
class CanHold(Protocol):
    """A transport whose other side is told that it is on hold."""

    async def hold(self, *, on: bool) -> None:
        """Put the other side on hold, or take it back."""


@runtime_checkable
class CanSend(Protocol):
    """A transport that carries messages to the application at the other end."""

    async def send(self, message: Any) -> None:
        """Send anything that JSON can hold."""


class HangUp(Protocol):
    """Ends the call."""

    async def __call__(self, reason: str, *, after_speech: bool) -> None:
        """End it, after what is being said where asked."""


class Wire:
    """Does for a call what it asks of its line. Implements `Line`."""

    def __init__(
        self,
        context: Context,
        *,
        ears: FrameProcessor,
        mind: Mind,
        mouth: Mouth,
        thinking: Thinking,
        transport: object,
        hang_up: HangUp,
    ) -> None:
        """Prepare it.

        Args:
            context: The call.
            ears: Where interruptions start.
            mind: What thinks.
            mouth: What speaks.
            thinking: The chat model.
            transport: What carries the call, and can what it has the methods of `CanTransfer`,
                `CanBridge`, `CanPress`, `CanHold` and `CanSend` for.
            hang_up: Ends the call.
        """
        self._context = context
        self._ears = ears
        self._mind = mind
        self._mouth = mouth
        self._thinking = thinking
        self._transport = transport
        self._hang_up = hang_up
        self._closed = False
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._music: asyncio.Task[None] | None = None

    # For the conversation.

    def tick(self) -> None:
        """Time has passed; call it with every block of audio."""
        if self._sleepers:
            now = self._context.clock.now()
            for due, sleeper in self._sleepers:
                if now >= due and not sleeper.done():
                    sleeper.set_result(None)

    def close(self) -> None:
        """Wake everybody up: the call is over. Idempotent."""
        self._closed = True
        for _, sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    # What the call asks for.

    def now(self) -> float:
        """Return the seconds since the call began."""
        return self._context.at

    async def sleep(self, seconds: float) -> None:
        """Wait, on the call's clock; return at once when the call ends."""
        if self._closed:
            return
        sleeper = asyncio.get_running_loop().create_future()
        entry = (self._context.clock.now() + seconds, sleeper)
        self._sleepers.append(entry)
        try:
            await sleeper
        finally:
            self._sleepers.remove(entry)

    async def say(self, text: str, *, interruptible: bool) -> Reply:
        """Speak a text; return when it was played or cut."""
        speech = self._mouth.say(text, protected=not interruptible)
        await speech.over.wait()
        return speech.reply

    async def play(self, sound: Sound, *, rate: int, text: str, interruptible: bool) -> Reply:
        """Play a sound; return when it was played or cut."""
        samples = await _samples(sound, rate, self._mouth.rate)
        speech = self._mouth.sound(samples, text, protected=not interruptible)
        await speech.over.wait()
        return speech.reply

    async def interrupt(self) -> None:
        """Cut what is being said."""
        await self._ears.broadcast_interruption()  # type: ignore[no-untyped-call]

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End the call, after what is being said where asked."""
        await self._hang_up(reason, after_speech=after_speech)

    async def hold(self, *, on: bool, music: Sound | None, rate: int) -> None:
        """Put the caller on hold, or take them back."""
        samples = None if music is None else await _samples(music, rate, self._mouth.rate)
        if self._music is not None:
            self._music.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._music
            self._music = None
            await self._mouth.cut(force=True)
        if isinstance(self._transport, CanHold):
            await self._transport.hold(on=on)
        if on and samples is not None and len(samples):
            self._music = self._mouth.tasks.spawn(self._repeat(samples), "music on hold")

    async def _repeat(self, samples: Samples) -> None:
        while True:
            await self._mouth.sound(samples).over.wait()

    async def transfer(self, request: TransferRequest) -> None:
        """Hand the caller over; return once that is done, or both are joined."""
        if request.mode == "refer":
            if not isinstance(self._transport, CanTransfer):
                raise LineError("this line cannot transfer a call: telephone lines can")
            if request.announcement:
                await self.say(request.announcement, interruptible=False)
            await self._transport.transfer(request.to)
            return
        if not isinstance(self._transport, CanBridge):
            raise LineError("this line cannot join calls: telephone lines can")
        rate = self._mouth.rate
        music = ringing(rate)
        if request.music is not None:
            music = await _samples(request.music, request.rate, rate)
        waiting = self._mouth.tasks.spawn(self._entertain(request, music), "waiting for a transfer")
        try:
            await self._transport.bridge(request, self._context.call)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await self._mouth.cut(force=True)

    async def _entertain(self, request: TransferRequest, music: Samples) -> None:
        """Tell the caller that somebody is called, and let them hear something meanwhile."""
        text = request.announcement
        if text is None:
            text = phrase(CONNECTING, self._context.call.language)
        if text.strip():
            await self.say(text, interruptible=False)
        while len(music):
            await self._mouth.tone(music).over.wait()

    async def send_dtmf(self, digits: str) -> None:
        """Send key tones."""
        if not isinstance(self._transport, CanPress):
            raise LineError("this line cannot send key tones: telephone lines can")
        await self._transport.send_dtmf(digits)

    async def send(self, message: Any) -> None:
        """Send a message to the application at the other end."""
        if not isinstance(self._transport, CanSend):
            raise LineError("this line carries no messages: browsers' lines do")
        await self._transport.send(message)

    async def handed_off(self) -> None:
        """Have the agent that took over say its greeting, once nothing is being thought out."""
        if not self._mind.answering:
            await self._mind.greet()

    async def consult(self, agent: Agent[Any, Any], request: str) -> str:
        """Have another agent's model answer a request in text, with its own tools."""
        return await consult(self._thinking, agent, self._context.call, request)


async def _samples(sound: Sound, rate: int, wanted: int) -> Samples:
    """Return a sound as int16 mono samples at the wanted rate.

    Raises:
        ValueError: If there is no such WAV file, or these are no int16 samples.
    """
    if isinstance(sound, str | PathLike):
        # A file is read in a thread: disks are slower than a block of audio is long.
        return await asyncio.to_thread(_read, Path(sound), wanted)
    view = memoryview(sound)
    if view.format not in {"h", "<h", "b", "B", "c"} or view.nbytes % 2 or not view.contiguous:
        raise ValueError(
            f"a sound is int16 mono samples or the path of a WAV file, not {view.format!r} items"
            f" in {view.nbytes} bytes"
        )
    if view.ndim > 1:
        raise ValueError(f"a sound is mono, one row of samples, not {view.ndim} rows")
    if not 8_000 <= rate <= 192_000:
        raise ValueError(f"a sound's rate is 8000 to 192000 Hz, not {rate}")
    samples = np.frombuffer(view.cast("B") if view.nbytes else b"", np.int16)
    if rate == wanted:
        return samples[: round(LONGEST_SOUND * wanted)]
    resampler = Resampler(rate, wanted)
    return np.concatenate([resampler.feed(samples), resampler.flush()])


def _read(path: Path, rate: int) -> Samples:
    reader = WavReader(path, rate, block=rate)
    try:
        blocks = []
        for block in reader:
            blocks.append(block)
            if len(blocks) >= LONGEST_SOUND:
                break
        return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
    finally:
        reader.close()
