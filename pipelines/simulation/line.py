"""The line: carries a call with a simulated caller, in as few blocks as the call allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import Frame, InputAudioRawFrame, InputDTMFFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from vivavoce.pipelines.local import Passage
from vivavoce.pipelines.simulation.track import RATE, Track
from vivavoce.pipelines.simulation.warp import jump
from vivavoce.pipelines.transport import Carried

BLOCK = RATE // 50
"""Samples of a block where something may happen at any moment: 20 ms."""
SPEAKING = 2 * BLOCK
"""Samples of a block while only the agent speaks: its end is known to 40 ms at worst."""
LISTENING = 5 * BLOCK
"""Samples of a block in the middle of what the caller says."""
REST = 25 * BLOCK
"""Samples of a block while nobody speaks and nothing is made: half a second."""


class Exit(Passage):
    """The pipeline's end, which shows what comes by."""

    def __init__(self, see: Callable[[Frame], None]) -> None:
        super().__init__("SimulatedOutput")
        self._see = see

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Show a frame and hand it on."""
        self._see(frame)
        await super().process_frame(frame, direction)


class SimulatedLine:
    """A `Transport` whose caller is a track.

    Args:
        track: What the caller says.
        see: Shown every frame that reaches the pipeline's end.
        pulse: Told after every block.
        virtual: Whether the event loop's time is virtual. If not, time is skipped where no model
            is waited for, and every block is of 20 ms.

    Attributes:
        open: Whether the call has begun.
        farewell: Why the caller hung up; empty while they stay.
        exact: Asks for small blocks: something is about to happen at a certain moment.
        waited_for: Something outside the call is being waited for: no time is skipped.
        together: Both sides speak at once and neither cuts the other: nothing happens at a moment.
    """

    def __init__(
        self,
        track: Track,
        see: Callable[[Frame], None],
        pulse: Callable[[], None],
        *,
        virtual: bool,
    ) -> None:
        self.open = False
        self.farewell = ""
        self.exact = False
        self.waited_for = False
        self.together = False
        self._track = track
        self._pulse = pulse
        self._virtual = virtual
        self._input = Passage("SimulatedInput")
        self._output = Exit(see)
        self._woken = asyncio.Event()
        self._speaking = False

    def input(self) -> FrameProcessor:
        """Return the processor that pushes the caller's audio."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the processor that takes the agent's audio."""
        return self._output

    def wake(self) -> None:
        """There is something to do: rest no longer."""
        self._woken.set()

    async def press(self, key: str) -> None:
        """Send one key of a telephone."""
        await self._input.push_frame(InputDTMFFrame(KeypadEntry(key)))

    async def carry(self, conversation: Carried) -> str:
        """Carry the call until it is over; return why it ended."""
        began = conversation.clock.now()
        self.open = True
        while not conversation.over:
            if self.farewell:
                return self.farewell
            if self._virtual and conversation.settled and self._quiet and not self.exact:
                size = await self._rest(conversation, began)
            else:
                size = self._size()
                block = await conversation.play(round(size / RATE * conversation.rate))
                self._speaking = block.speaking
                self._pulse()
                await self._pace(conversation, began + (self._track.position + size) / RATE)
            pcm = self._track.take(size)
            await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), RATE, 1))
            self._pulse()
        return conversation.over

    async def close(self) -> None:
        """Nothing is held."""

    @property
    def _quiet(self) -> bool:
        return not self._track.sounding

    def _size(self) -> int:
        """Return the samples of the next block: few where their edge matters."""
        if not self._virtual or self.exact:
            return BLOCK
        edge = self._track.next_edge()
        if edge is not None:
            middle = edge - self._track.position > LISTENING + BLOCK
            if self.together and middle:
                return SPEAKING
            return LISTENING if middle and not self._speaking and self._in_speech() else BLOCK
        if self._speaking and self._settled_down():
            return SPEAKING
        return BLOCK

    def _in_speech(self) -> bool:
        """Whether the caller has been speaking for a while: it was noticed."""
        return self._track.speaking_for > RATE // 4

    def _settled_down(self) -> bool:
        """Whether the caller has been silent for so long that nothing hangs on it."""
        return self._track.position - self._track.end > RATE // 2

    async def _rest(self, conversation: Carried, began: float) -> int:
        """Wait while nobody speaks; return for how many samples."""
        self._woken.clear()
        # Nothing is there to be played, but whoever counts the silence goes by this.
        self._speaking = (await conversation.play(round(BLOCK / RATE * conversation.rate))).speaking
        clock = conversation.clock
        start = began + self._track.position / RATE
        try:
            async with asyncio.timeout(REST / RATE):
                await self._woken.wait()
        except TimeoutError:
            return REST
        # What woke us happens at the next block's edge.
        blocks = max(1, -(-round((clock.now() - start) * RATE) // BLOCK))
        await self._pace(conversation, start + blocks * BLOCK / RATE)
        return blocks * BLOCK

    async def _pace(self, conversation: Carried, until: float) -> None:
        ahead = until - conversation.clock.now()
        if not self._virtual and ahead > 0 and not (conversation.busy or self.waited_for):
            conversation.clock.skip(ahead)
            ahead = 0
        if self._virtual and jump(ahead):
            return
        await asyncio.sleep(max(0.0, ahead))
