"""The telephone as a transport: one line carries one conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    OutputDTMFFrame,
    OutputDTMFUrgentFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from vivavoce.agent import Call
from vivavoce.agent.line import LineError
from vivavoce.agent.transfer import TransferRequest
from vivavoce.phone.bridge import Bridge
from vivavoce.phone.joined import Both
from vivavoce.phone.lines import TelephoneLine
from vivavoce.phone.media.receiver import BLOCK
from vivavoce.phone.sip.decisions import Outcome
from vivavoce.phone.sip.leg import CallError
from vivavoce.phone.sip.uri import Uri
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.local import Passage
from vivavoce.pipelines.recorder import Recorder
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.transport import Carried

log = logging.getLogger("vivavoce")

T = TypeVar("T")

GOODBYE = 3.0
"""Seconds that the far end is given to take our hanging up."""

RESERVE = 0.35
"""Seconds of speech that are left with the line, for when we come too late to say them."""
REFRESH = 5
"""Blocks after which that is done anew: at least 250 ms are there."""
PAST = 0.02
"""Seconds of what was said that a resampler is fed first, so that it goes on without a click."""

_WHY = {
    Outcome.REFUSED: "the far end does not transfer calls (allow REFER on the trunk)",
    Outcome.FAILED: "the far end tried, and nobody answered there",
    Outcome.UNKNOWN: "the far end never told whether it went well",
}
OnJoining = bool | Callable[[str], str]
"""Whether a recording goes on when others are joined; a function: where they say yes to a question,
which it returns in a language, in the briefing of a warm transfer."""

_PIPECAT = {entry.value for entry in KeypadEntry}  # A to D are not among them


@dataclass(frozen=True, slots=True)
class Briefed:
    """What somebody said to a briefing.

    Attributes:
        takes: Whether they take the call.
        agrees: Whether they may be recorded; False where nobody asked them.
    """

    takes: bool
    agrees: bool = False


class Switchboard(Protocol):
    """What a line's conversation needs to reach somebody else."""

    def permit(self, to: str) -> None:
        """Let a number be called now.

        Raises:
            LineError: It may not be.
        """

    async def reach(self, line: TelephoneLine, request: TransferRequest) -> TelephoneLine:
        """Call somebody for whoever is on a line; cancelling hangs up.

        Raises:
            LineError: Nobody answered, or they may not be called.
        """

    async def brief(
        self, line: TelephoneLine, call: Call[Any], request: TransferRequest, question: str = ""
    ) -> Briefed:
        """Tell somebody what a call is about; return whether they take it.

        Args:
            line: Theirs.
            call: What it is about.
            request: What they are told.
            question: Asked of those who take it: whether they may be recorded. "" asks nothing.
        """

    def follows(self, line: TelephoneLine, target: Uri) -> bool:
        """Whether the far end of a line may have us call a target (REFER)."""

    def number_of(self, line: TelephoneLine, target: Uri) -> str:
        """Return how a target is dialled."""


class PhoneOutput(Passage):
    """The pipeline's end: presses the keys that the pipeline wants pressed."""

    def __init__(self, transport: PhoneTransport) -> None:
        super().__init__("PhoneOutput")
        self._transport = transport

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Press keys; hand everything else on."""
        if isinstance(frame, OutputDTMFFrame | OutputDTMFUrgentFrame):
            self._transport.line.press(frame.to_string())
        await super().process_frame(frame, direction)


class PhoneTransport:
    """Carries a conversation over a telephone line.

    Audio comes in blocks of 20 ms by the line's clock, at the codec's own rate; speech goes out
    by the same clock, and never more than a packet waits: what is cut is silent with the packet
    after the next. The call is answered when the pipeline stands and the greeting is being made.

    Args:
        line: The line; ringing (it is answered) or answered.
        switchboard: Calls others, for `bridge`; None: nobody can be called.
        keep: Leave the line as it is at the end.

    Attributes:
        line: The line; another one after the far end had us call somebody.
        told: Given the keys that pipecat does not know: A to D.
    """

    def __init__(
        self, line: TelephoneLine, switchboard: Switchboard | None = None, *, keep: bool = False
    ) -> None:
        self.line = line
        self.told: Callable[[str], None] = lambda _key: None
        self._switchboard = switchboard
        self._keep = keep
        self._recording: Path | None = None
        self._recorder: Recorder | None = None
        self._on_joining: OnJoining = False
        self._goes_on = False
        self._input = Passage("PhoneInput")
        self._output = PhoneOutput(self)
        self._resampler: Resampler | None = None
        self._tasks = Tasks()
        self._joined: tuple[TelephoneLine, Call[Any]] | None = None
        self._following: asyncio.Task[None] | None = None
        self._last: Int16 = np.zeros(0, np.int16)  # the end of what was played
        self._changes, self._since, self._reserved = -1, 0, False

    def input(self) -> Passage:
        """Return the processor that pushes the caller's audio and keys."""
        return self._input

    def output(self) -> Passage:
        """Return the processor that takes the agent's audio and keys."""
        return self._output

    def record(self, path: Path, on_joining: OnJoining = False) -> None:
        """Record from now on (stereo: caller left, agent right, or who the caller speaks with).

        Args:
            path: Where to.
            on_joining: Whether it goes on when the caller is joined with somebody.
        """
        self._recording, self._on_joining = path, on_joining

    async def carry(self, conversation: Carried) -> str:
        """Answer, and carry the call until it is over; return why it ended.

        Raises:
            OSError: No RTP port is free.
            TimeoutError: The line's clock stands still: a defect.
        """
        if not await self.line.answer():
            return self.line.farewell or "the call was not answered"
        while True:
            line = self.line
            with line.keys(self._pressed), line.refers(self._referred):
                why = await self._speak_with(line, conversation)
            if self._following is not None and line.ended:
                # It had us call somebody, and did not wait for them to answer.
                await asyncio.wait({self._following})
            if self._joined is not None:
                return await self._join(*self._joined, conversation)
            if self.line is line:
                return why

    async def _speak_with(self, line: TelephoneLine, conversation: Carried) -> str:
        """Carry the call on a line until it, or the call, is over, or another one takes over."""
        while not conversation.over:
            blocks = await line.listen()
            if self.line is not line or self._joined is not None:
                return ""
            if not blocks:
                return line.farewell
            self._begin_recording(conversation)
            for pcm, rate in blocks:
                if self._recorder is not None:
                    self._recorder.caller(pcm, rate)
                await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), rate, 1))
            await self._speak(line, conversation)
        await line.said()
        return conversation.over

    async def _join(self, other: TelephoneLine, call: Call[Any], conversation: Carried) -> str:
        """Let the caller speak with somebody else to the end."""
        both = None
        if self._goes_on:
            self._begin_recording(conversation)
        else:
            # Nobody asked the other one whether they may be recorded.
            self._recording = None
            await self._end_recording()
        if self._recorder is not None:
            both = Both(self._recorder, conversation.rate)
            call.transfers[-1].recorded = True
        why = "the line was closed"
        try:
            why = await Bridge(self.line, other, both).run(lambda: conversation.over)
        finally:
            call.transfer_moved("done", why)
        return f"transferred to {call.transfers[-1].to}; {why}"

    # -- what the call asks for

    async def transfer(self, to: str) -> None:
        """Hand the caller over to a number or URI (REFER); the call ends when it is done.

        Raises:
            LineError: The far end refused, or could not, or the policy forbids it.
        """
        line = self.line
        if self._switchboard is not None:
            self._switchboard.permit(to)
        try:
            outcome = await line.transfer(to)
        except (CallError, ValueError) as error:
            raise LineError(f"no transfer to {to}: {error}") from error
        if outcome is not Outcome.DONE:
            raise LineError(f"no transfer to {to}: {_WHY[outcome]}")
        line.hang_up(f"transferred to {to}")

    async def bridge(self, request: TransferRequest, call: Call[Any]) -> None:
        """Call somebody, tell them what it is about where asked, and join both.

        Cancelling it hangs up on them; the caller stays.

        Raises:
            LineError: Nobody took the caller.
        """
        board, line = self._switchboard, self.line
        if board is None:
            raise LineError("nobody can be called from this line")
        other = await self._while_up(board.reach(line, request))
        taken, goes_on = False, self._on_joining is True
        try:
            if request.mode == "warm":
                call.transfer_moved("briefing")
                question = ""
                if self._recording is not None and callable(self._on_joining):
                    question = self._on_joining(call.language)
                briefed = await self._while_up(board.brief(other, call, request, question))
                if not briefed.takes:
                    raise LineError(f"{request.to} does not take the call")
                goes_on = goes_on or briefed.agrees
            if other.ended or line.ended:
                raise LineError(f"{'the caller' if line.ended else request.to} hung up")
            self._joined, self._goes_on = (other, call), goes_on
            taken = True
            call.transfer_moved("joined")
        finally:
            if not taken:
                other.hang_up("not joined")

    async def send_dtmf(self, digits: str) -> None:
        """Press keys: 0 to 9, "*", "#", A to D."""
        self.line.press(digits)

    async def hold(self, *, on: bool) -> None:
        """Put the far end on hold, or take it back.

        Where it does not take that the call goes on as it is; whoever holds plays music anyway.
        """
        await (self.line.hold() if on else self.line.resume())

    async def close(self) -> None:
        """Hang up and finish the recording; idempotent."""
        if not self._keep:
            self.line.hang_up()
            if self._joined is not None:
                self._joined[0].hang_up()
            await self.line.over(GOODBYE)
        await self._tasks.close()
        await self._end_recording()

    # -- inside

    def _begin_recording(self, conversation: Carried) -> None:
        if self._recording is not None and self._recorder is None:
            self._recorder = Recorder(
                self._recording,
                conversation.rate,
                BLOCK,
                lambda why: conversation.fail("recording", why),
            )

    async def _end_recording(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            await recorder.finish()

    async def _speak(self, line: TelephoneLine, conversation: Carried) -> None:
        """Give the line what it lacks for its next packet, and no more."""
        if self._resampler is None or self._resampler.target_rate != line.rate:
            self._resampler = Resampler(conversation.rate, line.rate, aligned=False)
        missed = round(line.behind * conversation.rate)
        if missed > 0:
            # We stalled: that much of what would have been played was sent out of the reserve.
            line.skip(await self._play(conversation, missed, self._resampler))
        count = round(line.wanted * conversation.rate)
        if count > 0:
            line.say(await self._play(conversation, count, self._resampler))
        self._reserve(line, conversation)

    async def _play(self, conversation: Carried, count: int, resampler: Resampler) -> Int16:
        samples = (await conversation.play(count)).samples
        self._last = samples[-round(PAST * conversation.rate) :]
        if self._recorder is not None:
            self._recorder.agent(samples)
        return resampler.feed(samples)

    def _reserve(self, line: TelephoneLine, conversation: Carried) -> None:
        """Leave the line what is to be said next, in case that we come too late to say it."""
        changes, _ = conversation.ahead(0)
        self._since += 1
        if changes == self._changes and self._since < REFRESH:
            return
        self._changes, self._since = changes, 0
        _, samples = conversation.ahead(RESERVE)
        if not len(samples) and not self._reserved:
            return
        self._reserved = bool(len(samples))
        if self._reserved:
            # With the end of what was said before it: a filter that begins anew would click.
            fresh = Resampler(conversation.rate, line.rate, aligned=False)
            past = len(fresh.feed(self._last))
            samples = np.concatenate([self._last, samples])
            fresh = Resampler(conversation.rate, line.rate, aligned=False)
            samples = fresh.feed(samples)[past:]
        line.reserve(samples)

    async def _while_up(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something for the caller, for as long as they are there.

        Raises:
            LineError: They hung up.
        """
        doing = asyncio.ensure_future(work)
        waiting = asyncio.ensure_future(self.line.over())
        try:
            await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise LineError("the caller hung up")
        except asyncio.CancelledError:
            if doing.done() and not doing.cancelled() and doing.exception() is None:
                found = doing.result()
                if isinstance(found, TelephoneLine):
                    found.hang_up("not joined")
            raise
        finally:
            for task in (doing, waiting):
                task.cancel()
            await asyncio.gather(doing, waiting, return_exceptions=True)

    def _pressed(self, key: str) -> None:
        if key not in _PIPECAT:
            self.told(key)
            return
        frame = InputDTMFFrame(button=KeypadEntry(key))
        self._tasks.spawn(self._input.push_frame(frame), "key")

    def _referred(self, target: Uri) -> None:
        self._following = self._tasks.spawn(self._follow(self.line, target), "a transfer of ours")

    async def _follow(self, line: TelephoneLine, target: Uri) -> None:
        """The far end wants us to speak with somebody else: do, where it may ask for that."""
        board = self._switchboard
        if board is None or not board.follows(line, target) or self._joined is not None:
            log.warning("%r: it may not have us call %s", line, target)
            line.report_transfer(603)
            return
        try:
            other = await board.reach(line, TransferRequest(to=board.number_of(line, target)))
        except LineError as error:
            log.info("%r: it had us call %s: %s", line, target, error)
            line.report_transfer(480)
            return
        self.line, self._following = other, None
        line.report_transfer(200)
        # Whoever transfers hangs up by itself; if not, it is forgotten.
        await line.over(GOODBYE)
        line.hang_up("transferred")
