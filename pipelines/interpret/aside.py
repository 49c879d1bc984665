"""An aside: what an interpreted session itself says to a participant, and their call's line."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from vivavoce.agent.agent import Agent
from vivavoce.agent.events import AgentSaid, AgentStarted
from vivavoce.agent.line import LineError, Sound
from vivavoce.agent.transcript import Reply
from vivavoce.agent.transfer import TransferRequest
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Samples, Speaking
from vivavoce.pipelines.speakable import speakable
from vivavoce.pipelines.stage import Context, Noting
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.playout import Block, Clause, Playout
from vivavoce.pipelines.wire import CanPress, CanSend, CanTransfer, HangUp

SAY = 60.0
"""Seconds that an announcement may take."""
FIRST = 10.0
"""Seconds until its first audio."""
LONGEST = 600
"""Seconds of a sound that are played at most."""


class Aside:
    """Does for a participant's call what it asks of its line. Implements `Line`.

    Announcements ("this session is recorded") are spoken over everything else that the
    participant hears. There is no agent here: what needs one is refused.

    Args:
        context: The call.
        speaking: Text to speech.
        transport: What carries the call.
        hang_up: Ends the call.
    """

    def __init__(
        self, context: Context, speaking: Speaking, transport: object, hang_up: HangUp
    ) -> None:
        self._context, self._speaking = context, speaking
        self._transport, self._hang_up = transport, hang_up
        self._playout = Playout(speaking.rate)
        self._said: dict[Clause, tuple[Reply, asyncio.Event]] = {}
        self._closing = asyncio.Event()
        self._tasks = Tasks()

    @property
    def idle(self) -> bool:
        """Whether nothing is being announced."""
        return not self._said and self._playout.empty

    def pull(self, count: int) -> Block:
        """Take the next `count` samples; for the seat."""
        block = self._playout.pull(count)
        at = self._context.at
        if block.audible is not None:
            reply, _ = self._said[block.audible[1]]
            if reply.started is None:
                reply.started = at + block.audible[0] / self._playout.rate
                self._context.emit(AgentStarted(at, reply))
        for clause in block.finished:
            self._close(clause, at + count / self._playout.rate)
        return block

    async def close(self) -> None:
        """Fall silent; idempotent."""
        self._closing.set()
        await self._tasks.close()
        for clause in list(self._said):
            self._close(clause, self._context.at)

    # What the call asks for (`Line`).

    def now(self) -> float:
        """Return the seconds since the session began."""
        return self._context.at

    async def sleep(self, seconds: float) -> None:
        """Wait; return at once when the call ends."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def say(self, text: str, *, interruptible: bool) -> Reply:
        """Announce a text; return when it was played."""
        del interruptible  # nobody cuts it: they may be speaking to somebody else
        reply, clause, over = self._begin(text)
        self._tasks.spawn(self._synthesise(clause, reply), "announcement")
        return await self._played(reply, over)

    async def play(self, sound: Sound, *, rate: int, text: str, interruptible: bool) -> Reply:
        """Play a sound; return when it was played."""
        del interruptible
        reply, clause, over = self._begin(text)
        clause.add(await self._samples(sound, rate))
        clause.complete = True
        return await self._played(reply, over)

    async def interrupt(self) -> None:
        """Do nothing: a translation that is being spoken is never cut."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End the call, after what is being said where asked."""
        await self._hang_up(reason, after_speech=after_speech)

    async def hold(self, *, on: bool, music: Sound | None, rate: int) -> None:
        """Refuse it.

        Raises:
            LineError: Always.
        """
        del on, music, rate
        raise LineError("nobody is put on hold in an interpreted session")

    async def transfer(self, request: TransferRequest) -> None:
        """Hand the participant over.

        Raises:
            LineError: If this line cannot.
        """
        if not isinstance(self._transport, CanTransfer):
            raise LineError("this line cannot transfer a participant")
        await self._transport.transfer(request.to)

    async def send_dtmf(self, digits: str) -> None:
        """Send key tones.

        Raises:
            LineError: If this line cannot.
        """
        if not isinstance(self._transport, CanPress):
            raise LineError("this line carries no key tones")
        await self._transport.send_dtmf(digits)

    async def send(self, message: Any) -> None:
        """Send a message to the application at the other end.

        Raises:
            LineError: If this line carries none.
        """
        if not isinstance(self._transport, CanSend):
            raise LineError("this line carries no messages")
        await self._transport.send(message)

    async def handed_off(self) -> None:
        """Do nothing: there is no agent."""

    async def consult(self, agent: Agent[Any, Any], request: str) -> str:
        """Refuse it.

        Raises:
            LineError: Always.
        """
        del agent, request
        raise LineError("there is no agent in an interpreted session that could be consulted")

    # Inside.

    def _begin(self, text: str) -> tuple[Reply, Clause, asyncio.Event]:
        reply, over = Reply(generated=text, aside=True), asyncio.Event()
        clause = Clause(reply, text, interruptible=False)
        self._said[clause] = (reply, over)
        self._context.call.transcript.add(reply)
        self._playout.append(clause)
        return reply, clause, over

    async def _played(self, reply: Reply, over: asyncio.Event) -> Reply:
        try:
            async with asyncio.timeout(SAY):
                await over.wait()
        except TimeoutError:
            self._context.fail("speaking", f"an announcement was not over within {SAY:g} s")
        return reply

    async def _synthesise(self, clause: Clause, reply: Reply) -> None:
        context, language = self._context, self._context.call.language
        text = speakable(clause.text, language).said
        noted = Noting(context, partial(reply.served.__setitem__, "speaking"), characters=len(text))
        context.call.usage.characters += len(text)
        voice = context.agent.voice_for(language)
        try:
            async with asyncio.timeout(FIRST) as deadline:
                stream = self._speaking.stream(text, voice=voice, language=language)
                with served.listening(noted):
                    async with aclosing(stream) as chunks:
                        async for chunk in chunks:
                            clause.add(chunk)
                            deadline.reschedule(asyncio.get_running_loop().time() + FIRST)
        except ModelError as error:
            context.fail(error.stage, str(error), error.kind)
        except TimeoutError:
            context.fail("speaking", f"no audio of an announcement within {FIRST:g} s", "timeout")
        finally:
            clause.complete = True

    def _close(self, clause: Clause, at: float) -> None:
        reply, over = self._said.pop(clause)
        reply.closed = True
        if reply.started is not None:
            reply.heard, reply.ended = reply.generated, at
            self._context.emit(AgentSaid(at, reply))
        else:
            self._context.call.transcript.drop(reply)
        over.set()

    async def _samples(self, sound: Sound, rate: int) -> Samples:
        if isinstance(sound, str | PathLike):
            return await asyncio.to_thread(_read, Path(sound), self._playout.rate)
        samples: Samples = np.frombuffer(memoryview(sound), np.int16)
        return resample(samples, rate, self._playout.rate)


def _read(path: Path, rate: int) -> Samples:
    """Return a WAV file's samples.

    Raises:
        vivavoce.pipelines.audio.wav.AudioFileError: If it cannot be read.
    """
    reader = WavReader(path, rate)
    try:
        blocks: list[Samples] = []
        for block in reader:
            blocks.append(block)
            if sum(map(len, blocks)) > LONGEST * rate:
                break
        return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
    finally:
        reader.close()
