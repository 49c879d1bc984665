"""The telephone as a transport: one line carries one conversation."""

from __future__ import annotations

from pathlib import Path

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    OutputDTMFFrame,
    OutputDTMFUrgentFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from vivavoce.agent.line import LineError
from vivavoce.phone.line import PhoneLine
from vivavoce.phone.media.receiver import BLOCK
from vivavoce.phone.sip.decisions import Outcome
from vivavoce.phone.sip.leg import CallError
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.local import Passage
from vivavoce.pipelines.recorder import Recorder
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.transport import Carried

GOODBYE = 3.0
"""Seconds that the far end is given to take our hanging up."""

_WHY = {
    Outcome.REFUSED: "the far end does not transfer calls (allow REFER on the trunk)",
    Outcome.FAILED: "the far end tried, and nobody answered there",
    Outcome.UNKNOWN: "the far end never told whether it went well",
}
_PIPECAT = {entry.value for entry in KeypadEntry}  # A to D are not among them


class PhoneOutput(Passage):
    """The pipeline's end: presses the keys that the pipeline wants pressed."""

    def __init__(self, line: PhoneLine) -> None:
        super().__init__("PhoneOutput")
        self._line = line

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Press keys; hand everything else on."""
        if isinstance(frame, OutputDTMFFrame | OutputDTMFUrgentFrame):
            self._line.press(frame.to_string())
        await super().process_frame(frame, direction)


class PhoneTransport:
    """Carries a conversation over a telephone line.

    Audio comes in blocks of 20 ms by the line's clock, at the codec's own rate; speech goes out
    by the same clock, and never more than a packet waits: what is cut is silent with the packet
    after the next. The call is answered when the pipeline stands and the greeting is being made.

    Args:
        line: The line; ringing (it is answered) or answered.
        recording: Where the call is recorded (stereo: caller left, agent right); None: nowhere.
    """

    def __init__(self, line: PhoneLine, recording: Path | None = None) -> None:
        self._line = line
        self._recording = recording
        self._recorder: Recorder | None = None
        self._input = Passage("PhoneInput")
        self._output = PhoneOutput(line)
        self._resampler: Resampler | None = None
        self._tasks = Tasks()

    def input(self) -> Passage:
        """Return the processor that pushes the caller's audio and keys."""
        return self._input

    def output(self) -> Passage:
        """Return the processor that takes the agent's audio and keys."""
        return self._output

    async def carry(self, conversation: Carried) -> str:
        """Answer, and carry the call until it is over; return why it ended.

        Raises:
            OSError: No RTP port is free.
            TimeoutError: The line's clock stands still: a defect.
        """
        line = self._line
        if not await line.answer():
            return line.farewell or "the call was not answered"
        if self._recording is not None:
            self._recorder = Recorder(self._recording, conversation.rate, BLOCK)
        with line.keys(self._pressed):
            while not conversation.over:
                blocks = await line.listen()
                if not blocks:
                    return line.farewell
                for pcm, rate in blocks:
                    if self._recorder is not None:
                        self._recorder.caller(pcm, rate)
                    await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), rate, 1))
                await self._speak(conversation)
            await line.said()
        return conversation.over

    async def transfer(self, to: str) -> None:
        """Hand the caller over to a number or URI (REFER); the call ends when it is done.

        Raises:
            LineError: The far end refused, or could not.
        """
        try:
            outcome = await self._line.transfer(to)
        except (CallError, ValueError) as error:
            raise LineError(f"no transfer to {to}: {error}") from error
        if outcome is not Outcome.DONE:
            raise LineError(f"no transfer to {to}: {_WHY[outcome]}")
        self._line.hang_up(f"transferred to {to}")

    async def send_dtmf(self, digits: str) -> None:
        """Press keys: 0 to 9, "*", "#", A to D."""
        self._line.press(digits)

    async def hold(self, *, on: bool) -> None:
        """Put the far end on hold, or take it back.

        Where it does not take that the call goes on as it is; whoever holds plays music anyway.
        """
        await (self._line.hold() if on else self._line.resume())

    async def close(self) -> None:
        """Hang up and finish the recording; idempotent."""
        self._line.hang_up()
        await self._line.over(GOODBYE)
        await self._tasks.close()
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None

    async def _speak(self, conversation: Carried) -> None:
        """Give the line what it lacks for its next packet, and no more."""
        count = round(self._line.wanted * conversation.rate)
        if count <= 0:
            return
        samples = (await conversation.play(count)).samples
        rate = self._line.rate
        if self._resampler is None or self._resampler.target_rate != rate:
            self._resampler = Resampler(conversation.rate, rate, aligned=False)
        self._line.say(self._resampler.feed(samples))
        if self._recorder is not None:
            self._recorder.agent(samples)

    def _pressed(self, key: str) -> None:
        if key not in _PIPECAT:
            return
        frame = InputDTMFFrame(button=KeypadEntry(key))
        self._tasks.spawn(self._input.push_frame(frame), "key")
