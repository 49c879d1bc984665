"""The conversation: an agent, its models and a transport, put together as a pipecat pipeline."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.events import CallEnded, CallStarted, Resumed
from vivavoce.agent.phrases import APOLOGY, FAREWELL, phrase
from vivavoce.agent.revival import Past, unanswered
from vivavoce.pipelines import running
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.ears import Ears
from vivavoce.pipelines.lag import LoopLag
from vivavoce.pipelines.lifespan import Lifespan
from vivavoce.pipelines.mind import Mind
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.mouth import Mouth
from vivavoce.pipelines.observing import logs
from vivavoce.pipelines.patience import Patience
from vivavoce.pipelines.speech import Speech
from vivavoce.pipelines.stage import Context, Noting
from vivavoce.pipelines.transport import Transport
from vivavoce.pipelines.turns.playout import Block
from vivavoce.pipelines.turns.silence import Scene
from vivavoce.pipelines.wire import Wire


class Conversation:
    """One call from its first sample to its last. Implements `Carried`.

    Attributes:
        call: The call's public face.
        worker: The pipecat worker beneath: the way out for whoever needs all of pipecat.
    """

    def __init__(
        self,
        agent: Agent[Any],
        models: Models,
        transport: Transport,
        *,
        call_id: str | None = None,
        deps: Any = None,
        caller: str = "",
        called: str = "",
        opening: Callable[[Call[Any]], Awaitable[bool]] | None = None,
        simulated: bool = False,
        past: Past | None = None,
    ) -> None:
        """Put it together; call it on the event loop that will run it.

        Args:
            agent: Who answers.
            models: What it hears, thinks and speaks with.
            transport: What carries the call.
            call_id: Names the call; made up if None.
            deps: What the tools need, instead of what the agent's `deps` makes.
            caller: Who calls, where that is known: a number or an address.
            called: What they called, likewise.
            opening: Runs before the greeting, while the line is open; the agent says nothing of
                its own if it returns False.
            simulated: Whether time is simulated: then the event loop has no lag to watch.
            past: What another server carried of the call until it was lost: it goes on from there,
                with no greeting and no `opening`. None: it begins.
        """
        self.clock = Clock()
        self.call: Call[Any] = Call(
            agent, call_id or secrets.token_hex(6), deps, caller=caller, called=called
        )
        self.call.models = dict(models.names)
        self._past = past
        self._missing = [] if past is None else past.restore(self.call)
        self._models = models
        self._transport = transport
        self._opening = opening
        began = self.clock.now() - self.call.now
        self._context = Context(self.call, self.clock, began, self._trouble)
        self._mind = Mind(self._context, models.thinking)
        self._ears = Ears(
            self._context,
            models.hearing(Wishes.of(agent, models.listening)),
            models.smart_turn,
            self,
            models.vad() if models.vad else None,
        )
        self._mouth = Mouth(self._context, models.speaking, lambda: self._ears.began)
        self._patience = Patience(
            agent.silence, self._mouth, lambda: self.call.language, self.call.hang_up
        )
        self._wire = Wire(
            self._context,
            ears=self._ears,
            mind=self._mind,
            mouth=self._mouth,
            thinking=models.thinking,
            transport=transport,
            hang_up=self.hang_up,
        )
        self._lifespan = Lifespan(agent, self.call)
        self._lag = None if simulated else LoopLag()
        self._greeting: Speech | None = None
        self._over = ""
        self._leaving = ""
        self._apology: Speech | None = None
        self._apologising = 0
        self.worker = running.make_worker(
            [transport.input(), self._ears, self._mind, self._mouth, transport.output()],
            self._mouth.rate,
        )

    # What the transport sees.

    @property
    def rate(self) -> int:
        """Sample rate of what `play` gives (Hz)."""
        return self._mouth.rate

    @property
    def busy(self) -> bool:
        """Whether a model is being waited for: time must pass as it does."""
        at_work = self._works or (self._mind.at_work and not self.call.asking)
        return self._ears.busy or at_work or self._mouth.waiting or self._apologising > 0

    @property
    def _works(self) -> bool:
        # A tool that asks the caller something waits for them, not they for it.
        return (self._mind.busy and not self.call.asking) or self.call.considering

    @property
    def settled(self) -> bool:
        """Whether nobody speaks and nothing is being made."""
        return self._ears.quiet and not self._works and self._mouth.idle

    @property
    def undecided(self) -> bool:
        """Whether the caller speaks, or it is not decided yet whether their turn is over."""
        return not self._ears.quiet

    @property
    def answered(self) -> bool:
        """Whether the caller's turn is decided and all of its answer is written."""
        return self._ears.quiet and not self._works

    @property
    def over(self) -> str:
        """Why the call is over; empty while it goes on."""
        if self._leaving and not self._mind.busy and self._mouth.idle:
            self._over = self._over or self._leaving
        if not self._over and self.now() > self.agent.limits.call:
            self._over = "the call reached its longest duration"
        return self._over

    async def play(self, count: int) -> Block:
        """Take the next `count` samples of the agent's speech."""
        block = await self._mouth.play(count)
        scene = Scene(
            caller=not self._ears.quiet,
            agent=self._mouth.sounding,
            thinking=self._mind.busy or self.call.on_hold,
            tools=self._mind.working and not self.call.asking and not self.call.on_hold,
        )
        await self._patience.tick(self.clock.now(), scene)
        self._wire.tick()
        if self._ears.quiet and self._mouth.idle:
            self._mind.tell_news()
        return block

    def ahead(self, seconds: float) -> tuple[int, Samples]:
        """Return what `play` is going to give next, as far as is known (int16 at `rate`).

        With it goes a count that changes when that becomes something else: the caller cut in.
        """
        return self._mouth.ahead(seconds)

    def fail(self, stage: str, message: str) -> None:
        """Note that something of the transport's failed; the call goes on."""
        self._context.fail(stage, message)

    # What the call sees.

    def now(self) -> float:
        """Return the seconds since the call began."""
        return self._context.at

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End the call, after what is being said where asked."""
        if after_speech:
            self._leaving = self._leaving or reason
        else:
            self._over = self._over or reason

    # What reloading sees.

    @property
    def agent(self) -> Agent[Any]:
        """Who speaks now."""
        return self.call.agent

    def use(self, agent: Agent[Any]) -> None:
        """Have a newer version of the agent go on with the call, from the next reply on.

        The history, `call.deps` and how turns are taken stay as they are.
        """
        self.call.agent = agent

    # Running it.

    async def run(self) -> Call[Any]:
        """Carry the call to its end and return it.

        Cancelling it ends the call: what was said and heard by then is settled, the recording is
        whole, and the cancellation goes on.

        Raises:
            RuntimeError: If the pipeline does not start.
        """
        logs.call_id.set(self.call.id)
        await running.run(self.worker, self._carry, self._end)
        return self.call

    async def _carry(self) -> str:
        # Before the line opens: a phone rings on meanwhile.
        begun = await self._attempt("agent", "the agent could not begin", self._lifespan.enter())
        past = self._past
        self._context.began = self.clock.now() - self.call.now
        self.call.connect(self._wire)
        if past is None:
            self._context.emit(CallStarted(0.0, self.call.id))
        else:
            self._context.emit(Resumed(self._context.at, self.call.id, past.away))
            for text in self._missing:
                self._context.fail("agent", f"after its server was lost: {text}")
        if self._lag is not None:
            self._lag.start()
        preparing = asyncio.create_task(self._prepare(), name="prepare the apology")
        opening = asyncio.create_task(self._context.prepare(self.agent), name="open the tools")
        beginning: asyncio.Task[None] | None = None
        try:
            if begun and past is not None:
                await self._go_on()
            elif begun and self._opening is None:
                await self._greet()
            elif begun and self._opening is not None:
                beginning = asyncio.create_task(self._open(self._opening), name="opening")
                await asyncio.sleep(0)  # what it says first is on its way before the line opens
            else:
                await self._apologise(phrase(FAREWELL, self.call.language))
                await self.hang_up("the agent could not begin", after_speech=True)
            return await self._transport.carry(self)
        finally:
            tasks = [task for task in (preparing, opening, beginning) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _attempt(self, stage: str, what: str, work: Awaitable[object]) -> bool:
        """Do something of the user's own; what it raises is reported, and does not end us."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 (the user's own function)
            self._context.fail(stage, f"{what}: {type(error).__name__}: {error}")
            return False
        return True

    async def _open(self, opening: Callable[[Call[Any]], Awaitable[bool]]) -> None:
        """Do what comes before the greeting, then greet."""
        go_on = False

        async def open_up() -> None:
            nonlocal go_on
            go_on = await opening(self.call)

        if not await self._attempt("agent", "what comes before the greeting failed", open_up()):
            # What was to be said first was not: nothing may be said instead of it.
            await self.hang_up("what comes before the greeting failed", after_speech=True)
        elif go_on and not self.call.ended:
            await self._greet()

    async def _greet(self) -> None:
        """Say the greeting, if there is one."""

        async def say() -> None:
            async with asyncio.timeout(self.agent.limits.lifespan):
                text = await self.agent.greeting_for(self.call)
            if text.strip():
                protected = self.agent.turns.greeting != "interruptible"
                self._greeting = self._mouth.say(text, protected=protected)

        await self._attempt("agent", "the agent's greeting failed", say())

    async def _go_on(self) -> None:
        """Say what the agent says to a caller who is back, and what it still owes them."""
        owed = unanswered(self.call.transcript)

        async def say() -> None:
            async with asyncio.timeout(self.agent.limits.lifespan):
                text = await self.agent.resuming_for(self.call)
            if text.strip():
                # What is owed is answered as if nothing had come between.
                self._mouth.say(text, aside=owed is not None)

        await self._attempt("agent", "what is said to a caller who is back failed", say())
        await self._mind.go_on(owed)

    async def _end(self, reason: str) -> None:
        await self._transport.close()
        self._wire.close()
        if self._lag is not None:
            self._lag.close()
            self.call.ledger.health.lag = self._lag.to_dict()
        self.call.emit(CallEnded(self._context.at, self._over or reason))
        await self._mind.close()
        await self._attempt("agent", "the agent could not end", self._lifespan.leave())
        await self._context.close()

    # Trouble.

    @property
    def asking(self) -> bool:
        """Whether the agent has just asked something, and "yes" is an answer."""
        return self._mouth.asking or self.call.questioning

    def recent(self, seconds: float) -> Samples:
        """Return the last of what was played (int16 at `rate`)."""
        return self._mouth.recent(seconds)

    @property
    def deaf(self) -> bool:
        """Whether the caller is not listened to: until a greeting is over, if the agent says so."""
        greeting = self._greeting
        muted = self.agent.turns.greeting == "muted"
        return muted and greeting is not None and not greeting.over.is_set()

    @property
    def playout(self) -> float:
        """How long after it was played speech is heard (s), as far as the line knows."""
        return self._mouth.delay

    @playout.setter
    def playout(self, delay: float) -> None:
        self._mouth.delay = delay

    def note_heard(self) -> None:
        """Bring `Reply.heard` of what is being said up to now; it else waits for its end."""
        self._mouth.note_heard()

    @property
    def answering(self) -> bool:
        """Whether there is a reply, spoken or being made, that the caller may cut."""
        return self._mouth.interruptible or self._mind.answering

    def _apology_text(self) -> str:
        limits, language = self.agent.limits, self.call.language
        ending = limits.on_failure == "end"
        return limits.apology or phrase(FAREWELL if ending else APOLOGY, language)

    async def _prepare(self) -> None:
        """Have the apology ready before it is needed, which is when the models fail."""
        await self._clip(self._apology_text())

    async def _clip(self, text: str) -> Samples | None:
        language = self.call.language
        # No reply is served by it, but a provider that fails here has failed in this call.
        with served.listening(Noting(self._context, lambda _provider: None)):
            return await self._models.clip(
                text, voice=self.agent.voice_for(language), language=language
            )

    async def _trouble(self, error: ModelError | None) -> None:
        """A model server failed: apologise once, and end the call if the agent is set to."""
        if error is not None:
            self._context.fail(error.stage, str(error), error.kind)
        await self._apologise(self._apology_text())
        if self.agent.limits.on_failure == "end":
            await self.hang_up("a model server failed", after_speech=True)

    async def _apologise(self, text: str) -> None:
        """Say that something is wrong, once at a time."""
        if self._apology is None or self._apology.over.is_set():
            self._apologising += 1
            try:
                clip = await self._clip(text)
            finally:
                self._apologising -= 1
            if clip is not None:
                self._apology = self._mouth.sound(clip, text)
            else:
                # Nothing can speak: two falling notes say that something is wrong.
                self._apology = self._mouth.sound(_notes(self._mouth.rate))


def _notes(rate: int) -> Samples:
    parts = []
    for hertz in (440.0, 330.0):
        time = np.arange(round(rate * 0.25)) / rate
        envelope = np.minimum(1, np.minimum(time, time[::-1]) / 0.02)
        parts.append(np.sin(2 * np.pi * hertz * time) * envelope * 3_200)
    samples: Samples = np.concatenate(parts).astype(np.int16)
    return samples
