"""What a transport of our own is: it carries a call's audio, and sets its pace."""

from __future__ import annotations

from typing import Protocol

from pipecat.processors.frame_processor import FrameProcessor

from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.turns.playout import Block, Samples


class Carried(Protocol):
    """The conversation, as its transport sees it."""

    @property
    def clock(self) -> Clock:
        """The call's clock."""

    @property
    def rate(self) -> int:
        """Sample rate of what `play` gives (Hz)."""

    @property
    def busy(self) -> bool:
        """Whether a model is being waited for: time must pass as it does."""

    @property
    def settled(self) -> bool:
        """Whether nobody speaks and nothing is being made."""

    @property
    def over(self) -> str:
        """Why the call is over; empty while it goes on."""

    def fail(self, stage: str, message: str) -> None:
        """Note that something of the transport's failed; the call goes on."""

    async def play(self, count: int) -> Block:
        """Take the next `count` samples of the agent's speech."""

    def ahead(self, seconds: float) -> tuple[int, Samples]:
        """Return what `play` is going to give next, as far as is known (int16 at `rate`).

        With it goes a count that changes when that becomes something else: the caller cut in.
        """


class Transport(Protocol):
    """Carries one call. Its processors stand at the two ends of the pipeline."""

    def input(self) -> FrameProcessor:
        """Return the processor that pushes `InputAudioRawFrame`s."""

    def output(self) -> FrameProcessor:
        """Return the processor that takes `OutputAudioRawFrame`s."""

    async def carry(self, conversation: Carried) -> str:
        """Carry the call until it is over; return why it ended.

        It takes the agent's speech by `conversation.play` at its own pace. Cancelled when the
        call is ended from outside.
        """

    async def close(self) -> None:
        """Release everything; idempotent."""
