"""The course of a call: what it is, what has happened in it, and who is told of it.

It knows no line and waits for nothing: pipelines tell it what happens, tools and applications read
it. What can be done in a call is `vivavoce.agent.call`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal

from typing_extensions import TypeVar

from vivavoce.agent.events import (
    CallEnded,
    CallerSaid,
    Event,
    HandedOff,
    KeyPressed,
    LanguageChanged,
    MessageReceived,
    TransferMoved,
)
from vivavoce.agent.feed import Feed
from vivavoce.agent.handoff import HandOff
from vivavoce.agent.languages import base, check, follow
from vivavoce.agent.ledger import Ledger
from vivavoce.agent.line import KEYS
from vivavoce.agent.prices import Price, cost
from vivavoce.agent.resumption import Resumption
from vivavoce.agent.spending import spent
from vivavoce.agent.transcript import HandOver, Transcript
from vivavoce.agent.transfer import State as TransferState
from vivavoce.agent.transfer import Transfer
from vivavoce.agent.usage import Usage

if TYPE_CHECKING:
    from vivavoce.agent.agent import Agent

Deps = TypeVar("Deps", default=Any)
State = TypeVar("State", default=Any)

Phase = Literal["connecting", "listening", "thinking", "speaking", "holding", "ended"]


class Course(Generic[Deps, State]):
    """What a call is, and what has happened in it.

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
        """Prepare a call that has not begun.

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
        self._clock: Callable[[], float] | None = None
        self._seconds = 0.0
        self._feed = Feed()
        self._questions = 0
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
        return self._clock() if self._clock else self._seconds

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

    # What tools and applications note and follow.

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

    @property
    def events(self) -> AsyncGenerator[Event]:
        """What happens, from the call's start to its end: `async for event in call.events`."""
        return self.__aiter__()

    def __aiter__(self) -> AsyncGenerator[Event]:
        """Iterate over what happens, from the call's start to its end.

        Each iteration sees what was before, too, however late it begins; of the words of an
        utterance only the last state. Cancelling it affects nobody else.
        """
        return aiter(self._feed)

    @property
    def past(self) -> tuple[Event, ...]:
        """What has happened so far."""
        return self._feed.past

    # What pipelines and transports tell.

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
        transfer.come(state, self.now, why)
        self.emit(TransferMoved(self.now, replace(transfer)))

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
        if isinstance(event, CallEnded):
            self.phase = "ended"
            self.reason = event.reason
            self._seconds = event.at
            self._clock = None
        self._feed.tell(event)
