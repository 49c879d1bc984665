"""The call: one live conversation, as tools and applications hold it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from vivavoce.agent.answers import Answer, free_text
from vivavoce.agent.asking import Asking, NoAnswer
from vivavoce.agent.course import Course, Deps, State
from vivavoce.agent.events import CallEnded, Event, HoldEnded, HoldStarted
from vivavoce.agent.handoff import HandOff
from vivavoce.agent.interview import Interview
from vivavoce.agent.line import KEYS, Line, LineError, Sound
from vivavoce.agent.transcript import Reply
from vivavoce.agent.transfer import Mode, Transfer, TransferRequest

if TYPE_CHECKING:
    from vivavoce.agent.agent import Agent

T = TypeVar("T")


class Call(Course[Deps, State]):
    """One live conversation.

    Everything works from tools and from outside, and is safe at any time: before the line is open
    it waits for nothing and does nothing, and after the call has ended it does nothing.

    What it is and what has happened in it are the attributes of `Course`, which it is as well.
    """

    def __init__(
        self,
        agent: Agent[Deps, State],
        call_id: str = "call",
        deps: Deps | None = None,
        *,
        caller: str = "",
        called: str = "",
    ) -> None:
        """Prepare a call that has no line yet.

        Args:
            agent: Who answers.
            call_id: Names it.
            deps: What the tools need, instead of what the agent's `deps` makes.
            caller: Who calls.
            called: What they called.
        """
        super().__init__(agent, call_id, deps, caller=caller, called=called)
        self._line: Line | None = None
        self._turn_to_ask = asyncio.Lock()

    # Speaking.

    async def say(self, text: str, *, interruptible: bool = True) -> Reply:
        """Speak a text, after what is being said.

        Cancelling the wait does not take the words back.

        Args:
            text: What to say; nothing is spoken when it is blank.
            interruptible: Whether the caller may cut it.

        Returns:
            The reply, played to its end or cut; `heard` says how much of it. It is closed and
            empty when there is no line.
        """
        if self._line is None or self.ended or not text.strip():
            return Reply(generated=text, closed=True)
        return await self._line.say(text, interruptible=interruptible)

    async def play(
        self, sound: Sound, *, rate: int = 24_000, text: str = "", interruptible: bool = True
    ) -> Reply:
        """Play a sound, after what is being said.

        Args:
            sound: int16 mono samples (a numpy array, or bytes), or the path of a WAV file.
            rate: Sample rate of the samples (Hz); a file says its own.
            text: What is heard in it, for the transcript and the model.
            interruptible: Whether the caller may cut it.

        Raises:
            ValueError: If there is no such WAV file, or these are no int16 samples.
        """
        if self._line is None or self.ended:
            return Reply(generated=text, closed=True)
        return await self._line.play(sound, rate=rate, text=text, interruptible=interruptible)

    async def interrupt(self) -> None:
        """Cut what is being said, as if the caller had spoken."""
        if self._line is not None and not self.ended:
            await self._line.interrupt()

    async def ask(
        self,
        question: str,
        answer: Answer[T] | None = None,
        *,
        retries: int = 2,
        patience: float = 8.0,
        again: str | None = None,
    ) -> T:
        """Ask the caller, and wait for an answer that fits.

        What the caller says meanwhile goes to the question, not to the model; they may answer
        before it was said to its end, and with keys.

        Args:
            question: What is asked.
            answer: What counts as an answer: `digits(4)`, `yes_no()`, `date()`, `choice([…])`,
                `spelling()`, `free_text()` (if None).
            retries: How many times it is asked again.
            patience: Silence after which it is asked again (s).
            again: What is said then; None is a sentence that fits the kind of answer.

        Returns:
            The answer's value.

        Raises:
            NoAnswer: If there was none, or the call has ended.

        Cancellation: the question is taken back; what was said of it was said.
        """
        kind: Any = free_text() if answer is None else answer
        async with self._turn_to_ask:
            if self._line is None or self.ended:
                raise NoAnswer("the call has ended", [])
            asking: Asking[T] = Asking(
                question,
                kind,
                language=self.language,
                retries=retries,
                patience=patience,
                again=again,
            )
            with self._feed.listening() as queue:
                self._questions += 1
                try:
                    return await Interview(self, self._line, asking, queue).hold()
                finally:
                    self._questions -= 1
                    self.considering = False

    # The line.

    async def hold(self, music: Sound | None = None, *, rate: int = 24_000) -> None:
        """Put the caller on hold: they hear music or nothing, and are not answered.

        Args:
            music: Played again and again: samples or the path of a WAV file, as for `play`.
            rate: Sample rate of the samples (Hz).
        """
        if self._line is not None and not self._held:
            self._held = True
            await self._line.hold(on=True, music=music, rate=rate)
            if not self.ended:
                self.phase = "holding"
                self.emit(HoldStarted(self.now))

    async def unhold(self) -> None:
        """Take the caller back."""
        if self._line is not None and self._held:
            self._held = False
            await self._line.hold(on=False, music=None, rate=0)
            if not self.ended:
                self.phase = "listening"
                self.emit(HoldEnded(self.now))

    async def transfer(
        self,
        to: str,
        *,
        mode: Mode = "refer",
        announcement: str | None = None,
        briefing: str = "",
        music: Sound | None = None,
        rate: int = 24_000,
        trunk: str = "",
        ring_time: float = 30.0,
    ) -> None:
        """Hand the caller over to another number or address, which ends the agent's part.

        With `refer` the call ends. With `bridge` and `warm` it returns once both are joined:
        they speak with each other, no model listens, and the end of either ends the call.
        Cancelled before that, the caller is back with the agent.

        Args:
            to: As the line has it: "+33 1 23 45 67 89", "sip:desk@example.org".
            mode: See `TransferRequest`, also for all others.
            announcement: Said to the caller before they wait.
            briefing: What the other one is told first (`warm`).
            music: Played while the caller waits.
            rate: Its sample rate (Hz).
            trunk: The trunk that the other one is called over.
            ring_time: Seconds until it is given up.

        Raises:
            LineError: If the line cannot, the other side refused or declined, nobody answered,
                or a transfer is under way. The caller is back with the agent.
            ValueError: If something asked for makes no sense.
        """
        request = TransferRequest(
            to=to, mode=mode, announcement=announcement, briefing=briefing, music=music, rate=rate,
            trunk=trunk, ring_time=ring_time,
        )  # fmt: skip
        if self._line is None or self.ended:
            return
        if self.transfers and not self.transfers[-1].over:
            raise LineError(f"a transfer to {self.transfers[-1].to} is under way")
        self.transfers.append(Transfer(to, mode, self.now))
        self.transfer_moved("calling")
        try:
            with self.aside() if mode != "refer" else contextlib.nullcontext():
                await self._line.transfer(request)
        except BaseException as error:
            if not self.joined:
                self.transfer_moved("failed", str(error) or type(error).__name__)
            raise
        if mode == "refer":
            self.transfer_moved("done")

    async def send_dtmf(self, digits: str) -> None:
        """Send key tones.

        Args:
            digits: 0 to 9, "*", "#", A to D.

        Raises:
            ValueError: If there are others among them.
            LineError: If the line cannot.
        """
        wrong = sorted(set(digits.upper()) - KEYS)
        if wrong or not digits:
            raise ValueError(f"send_dtmf({digits!r}): give keys, 0 to 9, *, # and A to D")
        if self._line is not None and not self.ended:
            await self._line.send_dtmf(digits.upper())

    async def hang_up(
        self, reason: str = "the agent hung up", *, after_speech: bool = True
    ) -> None:
        """End the call.

        Args:
            reason: For the record.
            after_speech: Finish what is being said and the reply being made first.
        """
        if self._line is not None and not self.ended:
            await self._line.hang_up(reason, after_speech=after_speech)

    async def send(self, message: Any) -> None:
        """Send a message to the application at the caller's end (a browser's page).

        Args:
            message: Anything that JSON can hold.

        Raises:
            LineError: If the line carries no messages.
        """
        if self._line is not None and not self.ended:
            await self._line.send(message)

    # The conversation.

    async def hand_off(
        self, agent: Agent[Any, Any] | HandOff, *, keep_history: bool = True, note: str = ""
    ) -> None:
        """Have another agent go on with the call, from the next reply on.

        Its greeting is said, where it has one.

        Args:
            agent: Who takes over.
            keep_history: Whether its model is told what was said before.
            note: What its model is told of the caller's wish.
        """
        given = agent if isinstance(agent, HandOff) else HandOff(agent, keep_history, note)
        if self.ended:
            return
        self.take_over(given)
        if self._line is not None:
            await self._line.handed_off()

    async def consult(self, agent: Agent[Any, Any], request: str) -> str:
        """Have another agent's model answer a request in text, with its own tools.

        Nothing of it is said or stands in the transcript.

        Args:
            agent: Who is asked.
            request: In words.

        Returns:
            Its answer; empty when there is no line.
        """
        if self._line is None or self.ended:
            return ""
        return await self._line.consult(agent, request)

    # For the pipeline and the transport that carry the call.

    def connect(self, line: Line) -> None:
        """Give the call its line."""
        self._line, self._clock = line, line.now
        self.phase = "listening"

    def emit(self, event: Event) -> None:
        """Tell every listener."""
        super().emit(event)
        if isinstance(event, CallEnded):
            self._line = None
