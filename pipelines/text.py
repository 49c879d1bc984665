"""Text calls: the same pipeline without audio.

A typed line enters where the ears hand a caller's turn on, and the reply's text is read where the
mouth hands it on. Everything between is what carries a spoken call: the mind, its tools, clauses,
what was heard, interruptions. The two ends are deaf and mute: nothing is transcribed, and each
clause is one short tick of sound, played as soon as it stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import numpy as np
from pipecat.frames.frames import Frame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.time import time_now_iso8601

from vivavoce.agent.call import Call
from vivavoce.agent.events import CallerSaid
from vivavoce.agent.transcript import Reply, Utterance
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.frames import CallerTurnFrame, ReplyTextFrame
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Http
from vivavoce.pipelines.models.interfaces import HearingListener, Samples, Thinking
from vivavoce.pipelines.transport import Carried

RATE = 8_000
"""Sample rate of the ticks (Hz)."""
TICK = RATE // 50
"""Samples of one: a clause is heard whole or not at all."""
IDLE = 0.02
"""Seconds between two looks while nothing is said."""
BUSY = 0.005
"""Seconds between two looks while a reply is being made."""

Writer = Callable[[Reply, str], None]


class Deaf:
    """A transcription that hears nothing. Implements `Hearing`."""

    backlog = 0.0

    async def open(self, listener: HearingListener) -> None:
        """Do nothing."""

    def send(self, pcm: bytes) -> None:
        """Do nothing."""

    def flush(self) -> int:
        """Do nothing."""
        return 0

    async def close(self) -> None:
        """Do nothing."""


class Mute:
    """A speech model whose every text is one tick. Implements `Speaking`."""

    rate = RATE

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Give one tick for a text."""
        del text, voice, language
        yield np.full(TICK, 1_000, np.int16)


def text_models(thinking: Thinking, *, name: str = "", http: Http | None = None) -> Models:
    """Return the models of text calls.

    Args:
        thinking: The chat model.
        name: What it is, for records.
        http: What it connects with; closed with the models.
    """
    return Models(
        hearing=lambda _wishes: Deaf(),
        thinking=thinking,
        speaking=Mute(),
        names={"thinking": name} if name else {},
        http=http,
    )


class TextTransport:
    """Carries a text call: lines in, pieces of replies out. Implements `Transport`.

    Give it to a `Conversation` with `text_models`, and tell it the conversation's call with
    `follow` before that runs.

    Args:
        write: Told each piece of a reply as the model writes it. What is said otherwise (a
            greeting, `call.say`, an apology) comes with the call's `AgentSaid` alone.
    """

    def __init__(self, write: Writer | None = None) -> None:
        self._input = _Entry()
        self._output = _Exit(write)
        self._call: Call[Any] | None = None
        self._conversation: Carried | None = None
        self._quiet = asyncio.Event()
        self._over = False

    def input(self) -> FrameProcessor:
        """Return the processor that pushes the caller's turns."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the processor that reads replies."""
        return self._output

    def follow(self, call: Call[Any]) -> None:
        """Take the call in whose transcript the lines are to stand."""
        self._call = call

    @property
    def over(self) -> bool:
        """Whether the call is over."""
        return self._over

    async def carry(self, conversation: Carried) -> str:
        """Carry the call until somebody ends it; return why."""
        self._conversation = conversation
        try:
            while not conversation.over:
                # Nothing is played while nothing is said: that would pass for the silence of a
                # caller who has gone, and somebody who types may take their time.
                if conversation.settled:
                    self._quiet.set()
                    await asyncio.sleep(IDLE)
                    continue
                self._quiet.clear()
                block = await conversation.play(TICK)
                await asyncio.sleep(0 if block.speaking else BUSY)
            return conversation.over
        finally:
            await self.close()

    async def quiet(self) -> None:
        """Wait until the agent has said and done all that it is about to, or the call is over.

        It takes as long as the models and tools, which have their time-outs, and no longer than
        the call may last (`Limits.call`). Cancelling it changes nothing.
        """
        await self._quiet.wait()

    async def say(self, text: str) -> None:
        """Say a line as the caller, and wait until it is answered (`quiet`).

        Cancelling it does not take the line back. After the call's end it does nothing.

        Args:
            text: The caller's turn.

        Raises:
            RuntimeError: If `follow` was not called.
        """
        if self._call is None:
            raise RuntimeError("tell the transport its call first: transport.follow(call)")
        await self.quiet()
        if self._over or self._conversation is None:
            return
        call, clock = self._call, self._conversation.clock
        utterance = Utterance(text, call.now, call.now, "typed")
        turn = CallerTurnFrame(
            text=text,
            user_id="caller",
            timestamp=time_now_iso8601(),
            finalized=True,
            utterance=utterance,
            stopped=clock.now(),
        )
        self._quiet.clear()
        call.transcript.add(utterance)
        call.emit(CallerSaid(call.now, utterance))
        await self._input.push_frame(turn)
        await self.quiet()

    async def close(self) -> None:
        """End it; idempotent."""
        self._over = True
        self._quiet.set()


class _Entry(FrameProcessor):
    """Where lines enter."""

    def __init__(self) -> None:
        super().__init__(name="TextInput", enable_direct_mode=True)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class _Exit(FrameProcessor):
    """Where replies are read."""

    def __init__(self, write: Writer | None) -> None:
        super().__init__(name="TextOutput", enable_direct_mode=True)
        self._write = write

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ReplyTextFrame) and self._write is not None:
            self._write(frame.reply, frame.text)
        if not isinstance(frame, OutputAudioRawFrame):
            await self.push_frame(frame, direction)
