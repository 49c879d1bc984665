"""The local transport: a caller in this process, and both sides recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from vivavoce.pipelines.caller import BLOCK, RATE, Caller
from vivavoce.pipelines.recorder import Recorder
from vivavoce.pipelines.transport import Carried


class Passage(FrameProcessor):
    """One end of the pipeline: hands frames on, and swallows the agent's audio."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, enable_direct_mode=True)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hand a frame on."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, OutputAudioRawFrame):
            await self.push_frame(frame, direction)


class LocalTransport:
    """Carries a call with a caller in this process: a file, a script, a test.

    Time is counted in blocks, of what the caller says and what is played at the end of it, so
    both sides share one sample clock. The call runs at its own speed, or (`fast`) without
    waiting where nothing waits on the clock: the time until the next block is skipped while no
    model is at work, so latencies stay what they are.

    Args:
        caller: Who calls.
        recording: Where the call is recorded (stereo: caller left, agent right); None: nowhere.
        fast: Do not wait where nothing happens.
    """

    def __init__(
        self, caller: Caller, recording: Path | None = None, *, fast: bool = False
    ) -> None:
        self._caller = caller
        self._recording = recording
        self._fast = fast
        self._input = Passage("LocalInput")
        self._output = Passage("LocalOutput")
        self._recorder: Recorder | None = None

    def input(self) -> FrameProcessor:
        """Return the processor that pushes the file's audio."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the processor that takes the agent's audio."""
        return self._output

    async def carry(self, conversation: Carried) -> str:
        """Carry the call and record both sides; return why it ended."""
        if self._recording is not None:
            self._recorder = Recorder(
                self._recording,
                conversation.rate,
                BLOCK,
                lambda why: conversation.fail("recording", why),
                required=True,
            )
        clock = conversation.clock
        count = round(conversation.rate * BLOCK)
        heard = np.zeros(count, np.int16)
        began = clock.now()
        number = 0
        while not conversation.over:
            pcm = self._caller.next(heard, settled=conversation.settled)
            if pcm is None:
                return self._caller.farewell
            await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), RATE, 1))
            heard = (await conversation.play(count)).samples
            if self._recorder is not None:
                self._recorder.caller(pcm, RATE)
                self._recorder.agent(heard)
            number += 1
            await self._pace(conversation, began + number * BLOCK - clock.now())
        return conversation.over

    async def _pace(self, conversation: Carried, ahead: float) -> None:
        """Wait until the next block is due, `ahead` seconds from now."""
        if ahead > 0 and self._fast and not conversation.busy:
            conversation.clock.skip(ahead)
            ahead = 0
        await asyncio.sleep(max(0.0, ahead))

    async def close(self) -> None:
        """Finish the recording; idempotent."""
        self._caller.close()
        if self._recorder is not None:
            await self._recorder.finish()
