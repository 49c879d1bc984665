"""A line on simulated time, whose speaker is a script. Implements `Transport`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import numpy as np
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.processors.frame_processor import FrameProcessor

from benchmarks.interpret.scripted import RATE, Samples, Speech
from vivavoce.pipelines.local import Passage
from vivavoce.pipelines.simulation.track import VOICE
from vivavoce.pipelines.simulation.warp import jump
from vivavoce.pipelines.transport import Carried

BLOCK = RATE // 50
DRAIN = 60.0
"""Silence behind the last word after which the line is closed at the latest (s)."""

Losses = list[tuple[float, float]]
"""Begin and length of each (s)."""

_SIGNS: Samples = (2 * np.random.default_rng(3).integers(0, 2, RATE) - 1).astype(np.int16)


class VirtualLine:
    """Carries a session whose speaker is `Speech`, on simulated time. Implements `Transport`.

    Args:
        said: What is said.
        lost: Begin and length of each loss of the line, in which nothing comes and nothing goes.
        until: When the line is closed (s); when nothing more is to be expected if None.

    Attributes:
        given: What the listener was given, in blocks, each with when it was given (s).
    """

    def __init__(
        self,
        said: Speech,
        lost: Sequence[tuple[float, float]] = (),
        *,
        until: float | None = None,
    ) -> None:
        self._said = said
        self._until = until
        self._lost = list(lost)
        self._input = Passage("VirtualInput")
        self._output = Passage("VirtualOutput")
        self.given: list[tuple[float, Samples]] = []
        self._stretch = 0

    def input(self) -> FrameProcessor:
        """See `Transport`."""
        return self._input

    def output(self) -> FrameProcessor:
        """See `Transport`."""
        return self._output

    async def carry(self, conversation: Carried) -> str:
        """See `Transport`."""
        clock = conversation.clock
        began = clock.now()
        count = round(BLOCK / RATE * conversation.rate)
        position = 0
        while not conversation.over:
            now = position / RATE
            quiet = now > self._said.seconds + 2 and conversation.settled
            if self._until is not None:
                quiet = now > self._until
            if quiet or now > max(self._said.seconds, self._until or 0.0) + DRAIN:
                return "everything was said"
            lost = next((n for at, n in self._lost if at <= now < at + BLOCK / RATE), 0.0)
            if lost:
                # What was said meanwhile comes at once when the line is back.
                await asyncio.sleep(lost)
            block = await conversation.play(count)
            self.given.append((now + lost, block.samples))
            position += BLOCK
            ahead = began + position / RATE - clock.now()
            if ahead > 0 and not jump(ahead):
                await asyncio.sleep(ahead)
            pcm = self._voice(position - BLOCK)
            await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), RATE, 1))
        return conversation.over

    def _voice(self, start: int) -> Samples:
        """Return a block of the speaker's audio."""
        stretches = self._said.stretches
        while self._stretch < len(stretches) and stretches[self._stretch][1] * RATE <= start:
            self._stretch += 1
        out = np.zeros(BLOCK, np.int16)
        for begin, end in stretches[self._stretch : self._stretch + 2]:
            first = max(0, round(begin * RATE) - start)
            last = min(BLOCK, round(end * RATE) - start)
            if last > first:
                at = (start + first) % (RATE - BLOCK)
                out[first:last] = _SIGNS[at : at + last - first] * VOICE
        return out

    async def close(self) -> None:
        """See `Transport`."""


def troubles(
    said: Speech, seed: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Choose when the transcriber's connection and the line are lost: each every five minutes."""
    dice = random.Random(seed)
    count = round(said.seconds / 300)
    outages = [(300 * k + dice.uniform(30, 270), dice.uniform(0.5, 4.0)) for k in range(count)]
    pauses = [
        begin
        for (_, begin), (end, _) in zip(said.stretches, said.stretches[1:], strict=False)
        if end - begin > 5
    ]
    lost = [(round((at + 0.5) * 50) / 50, dice.uniform(1.0, 3.0)) for at in pauses[::3]]
    return outages, lost
