"""The file transport: a WAV file calls, and both sides are recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.pipelines.recorder import Recorder
from vivavoce.pipelines.transport import Carried

RATE = 16_000
BLOCK = 0.02
"""Seconds per block, as a phone or a browser sends them."""
RUN_OUT = 0.6
"""Seconds of peace after the file's end that end the call."""
PATIENCE = 90.0
"""Seconds after the file's end at which the call ends whatever goes on."""


class Passage(FrameProcessor):
    """One end of the pipeline: hands frames on, and swallows the agent's audio."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, enable_direct_mode=True)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hand a frame on."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, OutputAudioRawFrame):
            await self.push_frame(frame, direction)


class FileTransport:
    """A caller who is a WAV file.

    The file is played to the agent at its own speed, or (`fast`) without waiting where nothing
    waits on the clock: the time until the next block is skipped while no model is at work, so
    latencies stay what they are.

    Args:
        source: What the caller says.
        recording: Where the call is recorded (stereo: caller left, agent right); None: nowhere.
        fast: Do not wait where nothing happens.

    Raises:
        vivavoce.pipelines.audio.wav.AudioFileError: If the file cannot be read or written.
    """

    def __init__(self, source: Path, recording: Path | None = None, *, fast: bool = False) -> None:
        self._reader = WavReader(source, RATE, block=round(RATE * BLOCK))
        self._recording = recording
        self._fast = fast
        self._input = Passage("FileInput")
        self._output = Passage("FileOutput")
        self._recorder: Recorder | None = None

    @property
    def warning(self) -> str:
        """What was wrong with the file, if it could be read all the same."""
        return self._reader.warning

    def input(self) -> FrameProcessor:
        """Return the processor that pushes the file's audio."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the processor that takes the agent's audio."""
        return self._output

    async def carry(self, conversation: Carried) -> str:
        """Play the file to the agent and record both; return why the call ended."""
        if self._recording is not None:
            self._recorder = Recorder(self._recording, conversation.rate, BLOCK)
        clock = conversation.clock
        count = round(conversation.rate * BLOCK)
        blocks: Iterator[NDArray[np.int16]] = iter(self._reader)
        began = clock.now()
        ran_out: float | None = None
        peace = 0.0
        number = 0
        while not conversation.over:
            pcm = next(blocks, None)
            now = number * BLOCK
            if pcm is None:
                ran_out = now if ran_out is None else ran_out
                peace = peace + BLOCK if conversation.settled else 0.0
                if peace > RUN_OUT or now - ran_out > PATIENCE:
                    return "the recording ended"
            pcm = _whole(pcm)
            await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), RATE, 1))
            block = await conversation.play(count)
            if self._recorder is not None:
                self._recorder.caller(pcm, RATE)
                self._recorder.agent(block.samples)
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
        self._reader.close()
        if self._recorder is not None:
            self._recorder.close()


def _whole(pcm: NDArray[np.int16] | None) -> NDArray[np.int16]:
    """Fill the last block, or one after the end, with silence."""
    block = np.zeros(round(RATE * BLOCK), np.int16)
    if pcm is not None:
        block[: len(pcm)] = pcm
    return block
