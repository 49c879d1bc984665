"""The call: one live conversation, as tools and applications hold it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from typing_extensions import TypeVar as DefaultTypeVar

from vivavoce.agent.answers import Answer, free_text
from vivavoce.agent.asking import Asking, NoAnswer
from vivavoce.agent.events import (
    CallEnded,
    CallerSaid,
    Event,
    HandedOff,
    HoldEnded,
    HoldStarted,
    KeyPressed,
    LanguageChanged,
    MessageReceived,
    TransferMoved,
)
from vivavoce.agent.handoff import HandOff
from vivavoce.agent.interview import Interview
from vivavoce.agent.languages import base, check, follow
from vivavoce.agent.ledger import Ledger
from vivavoce.agent.line import Line, LineError, Sound
from vivavoce.agent.prices import Price, cost
from vivavoce.agent.spending import spent
from vivavoce.agent.transcript import HandOver, Reply, Transcript
from vivavoce.agent.transfer import Mode, Transfer, TransferRequest
from vivavoce.agent.transfer import State as TransferState
from vivavoce.agent.usage import Usage

if TYPE_CHECKING:
    from vivavoce.agent.agent import Agent

Deps = DefaultTypeVar("Deps", default=Any)
State = DefaultTypeVar("State", default=Any)
T = TypeVar("T")

Phase = Literal["connecting", "listening", "thinking", "speaking", "holding", "ended"]

KEYS = frozenset("0123456789*#ABCD")
"""The keys of a telephone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Resumption:
    """A call went on after its server was lost.

    Attributes:
        at: When, in seconds since the call began.
        away: How long nobody was there (s).
    """

    at: float
    away: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"at": round(self.at, 3), "away": round(self.away, 3)}


class Call(Generic[Deps, State]):
    """One live conversation.

    Everything works from tools and from outside, and is safe at any time: before the line is open
    it waits for nothing and does nothing, and after the call has ended it does nothing.

    Attributes:
        id: Names the call in logs and records.
        agent: Who speaks now; another one after a hand-off.
        deps: What the agent's `deps` made for this call.
        state: What the agent's `state` made for this call: yours to read and to change.
        memory: What was noted with `remember`; the model is told of it.
        caller: Who calls: a number or an address, where the line tells it.
        called: What they called, likewise.
        language: What the agent speaks now.
        transcript: What was said, heard and done so far.
        ledger: The latency of each reply so far.
        usage: What the call took from the models so far.
        models: Which model serves each stage ("thinking").
        phase: What the call is doing.
        reason: Why it ended; empty while it goes on.
        transfers: Whom the caller was handed over to, or was to be.
        disclosed: When the caller was told that a machine speaks (s); None if nobody did.
        consent: Whether the caller agreed to be recorded; None if nobody asked.
        copies: Who agreed that their voice is copied, and what came of it, as JSON.
        resumptions: How often it went on after its server was lost; `resumed` is the last one.
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
        self.id = call_id
        self.agent: Agent[Any, Any] = agent
        self.deps: Deps = agent.new_deps() if deps is None else deps
        self.state: State = agent.new_state()
        self.memory: dict[str, str] = {}
        self.caller = caller
        self.called = called
        self.language = agent.languages[0]
        self.transcript = Transcript()
        self.ledger = Ledger()
        self.usage = Usage()
        self.models: dict[str, str] = {}
        self.phase: Phase = "connecting"
        self.reason = ""
        self.transfers: list[Transfer] = []
        self.disclosed: float | None = None
        self.consent: bool | None = None
        self.copies: list[dict[str, Any]] = []
        self.resumptions: list[Resumption] = []
        self.greeting_due = False
        self.considering = False
        self._line: Line | None = None
        self._seconds = 0.0
        self._listeners: list[asyncio.Queue[Event | None]] = []
        self._backlog: list[Event] = []
        self._questions = 0
        self._turn_to_ask = asyncio.Lock()
        self._held = False
        self._asides = 0

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.phase}>"

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self.phase == "ended"

    @property
    def resumed(self) -> Resumption | None:
        """Whether this is a call that went on after its server was lost, and since when.

        The agent's lifespan runs anew there: it may ask this.
        """
        return self.resumptions[-1] if self.resumptions else None

    @property
    def now(self) -> float:
        """Seconds since the call began; stands still once it is over."""
        return self._line.now() if self._line else self._seconds

    @property
    def latency(self) -> Ledger:
        """The latency of each reply so far: the ledger."""
        return self.ledger

    @property
    def asking(self) -> bool:
        """Whether a question (`ask`) waits for the caller, who has not answered by now."""
        return self._questions > 0 and not self.considering

    @property
    def questioning(self) -> bool:
        """Whether what the caller says goes to a question (`ask`)."""
        return self._questions > 0

    @property
    def on_hold(self) -> bool:
        """Whether the caller is on hold, or waits for something else than the agent."""
        return self._held or self._asides > 0

    @property
    def joined(self) -> bool:
        """Whether the caller speaks with somebody else: the agent's part is over."""
        return bool(self.transfers) and self.transfers[-1].state in {"joined", "done"}

    def cost(self, prices: dict[str, Price] | None = None) -> float | None:
        """Return what the call has cost so far (USD), or None where a price is not known.

        Args:
            prices: By model; `vivavoce.agent.prices.PRICES` if None.
        """
        if not self.models:
            return None
        return cost(spent(self.usage, self.models, self.ledger), prices)

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
            queue: asyncio.Queue[Event | None] = asyncio.Queue()
            self._listeners.append(queue)
            self._questions += 1
            try:
                return await Interview(self, self._line, asking, queue).hold()
            finally:
                self._questions -= 1
                self.considering = False
                self._listeners.remove(queue)

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
        if self.transfers and self.transfers[-1].state not in {"done", "failed"}:
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

    def set_language(self, language: str) -> None:
        """Speak another language from the next reply on.

        Raises:
            LanguageError: If Voxtral TTS does not speak it.
        """
        check(language)
        if not self.ended and language != self.language:
            self.language = language
            self.emit(LanguageChanged(self.now, language))

    def remember(self, key: str, value: object) -> None:
        """Note something about this call; the model is told of it with every request.

        It stays when the beginning of a long call is no longer sent, and after a hand-off.
        """
        if not self.ended:
            self.memory[str(key)] = str(value)

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

    @property
    def events(self) -> AsyncGenerator[Event]:
        """What happens, from the call's start to its end: `async for event in call.events`."""
        return self.__aiter__()

    async def __aiter__(self) -> AsyncGenerator[Event]:
        """Iterate over what happens, from the call's start to its end.

        Each iteration sees every event, however late it begins. Cancelling it affects nobody else.
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        for past in self._backlog:
            queue.put_nowait(past)
        if self.ended:
            queue.put_nowait(None)
        self._listeners.append(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.remove(queue)

    # For the pipeline and the transport that carry the call.

    def connect(self, line: Line) -> None:
        """Give the call its line."""
        self._line = line
        self.phase = "listening"

    def go_on(self, resumption: Resumption) -> None:
        """The call began on another server, which was lost; its line is not open yet here."""
        self.resumptions.append(resumption)
        self._seconds = resumption.at

    def pressed(self, key: str) -> None:
        """The caller pressed a key; what is none is ignored."""
        if not self.ended and key.upper() in KEYS:
            self.emit(KeyPressed(self.now, key.upper()))

    def received(self, message: Any) -> None:
        """The application at the caller's end sent a message."""
        if not self.ended:
            self.emit(MessageReceived(self.now, message))

    def would_speak(self, text: str) -> str:
        """Return the language in which a caller who says this is answered."""
        if len(self.agent.languages) < 2:
            return self.language
        return follow(text, self.agent.languages, self.language)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leave what the caller says within a `with` block to whoever else listens.

        The agent does not answer it; it stands in the transcript.
        """
        self._asides += 1
        try:
            yield
        finally:
            self._asides -= 1

    def transfer_moved(self, state: TransferState, why: str = "") -> None:
        """The last transfer has come further; tell every listener."""
        transfer = self.transfers[-1]
        transfer.state, transfer.why = state, why or transfer.why
        if state == "joined":
            transfer.joined = self.now
        elif state in {"done", "failed"}:
            transfer.ended = self.now
        self.emit(TransferMoved(self.now, dataclasses.replace(transfer)))

    def take_over(self, handoff: HandOff) -> None:
        """Let another agent go on; its greeting is due, where it has one."""
        agent, previous = handoff.agent, self.agent
        self.agent = agent
        if not agent.fits_state(self.state):
            self.state = agent.new_state()
        if base(self.language) not in {base(each) for each in agent.languages}:
            self.language = agent.languages[0]
        self.greeting_due = agent.greets
        entry = HandOver(agent.name, previous.name, handoff.keep_history, handoff.note, self.now)
        self.transcript.add(entry)
        self.emit(HandedOff(self.now, entry))

    def emit(self, event: Event) -> None:
        """Tell every listener."""
        if isinstance(event, CallerSaid):
            self.set_language(self.would_speak(event.utterance.text))
        if isinstance(event, CallerSaid | KeyPressed):
            # Until the question has looked at it, nobody knows whether the caller must go on.
            self.considering = self.questioning
        self._backlog.append(event)
        for queue in self._listeners:
            queue.put_nowait(event)
        if isinstance(event, CallEnded):
            self.phase = "ended"
            self.reason = event.reason
            self._seconds = event.at
            self._line = None
            for queue in self._listeners:
                queue.put_nowait(None)
