"""The interview: carries out a question of a call (`Call.ask`)."""

from __future__ import annotations

import asyncio
from typing import Generic, Protocol, TypeVar

from vivavoce.agent.asking import Asking, Given, NoAnswer, Say, Step, Stop
from vivavoce.agent.events import (
    CallEnded,
    CallerSaid,
    CallerStarted,
    CallerStopped,
    Event,
    KeyPressed,
)
from vivavoce.agent.line import Line
from vivavoce.agent.transcript import Reply

T = TypeVar("T")


class Asked(Protocol):
    """The call, as an interview sees it.

    Attributes:
        considering: Whether something that the caller said or typed was not looked at yet.
    """

    considering: bool

    async def say(self, text: str, *, interruptible: bool = True) -> Reply:
        """Speak a text."""

    async def interrupt(self) -> None:
        """Cut what is being said."""


class Interview(Generic[T]):
    """One question from its first word to its answer.

    Args:
        call: Who is asked.
        line: Its line.
        asking: Decides what to say, and what is an answer.
        queue: Gets the call's events from now on.
    """

    def __init__(
        self,
        call: Asked,
        line: Line,
        asking: Asking[T],
        queue: asyncio.Queue[Event | None],
    ) -> None:
        self._call = call
        self._line = line
        self._asking = asking
        self._queue = queue
        self._speech: asyncio.Task[Reply] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._due: float | None = None
        self._event: asyncio.Task[Event | None] | None = None

    async def hold(self) -> T:
        """Ask until there is an answer, or none to be had."""
        try:
            await self._say(self._asking.begin())
            while True:
                step = await self._next()
                if isinstance(step, Given):
                    await self._hush()
                    value: T = step.value
                    return value
                if isinstance(step, Stop):
                    raise NoAnswer(step.why, self._asking.heard)
                if isinstance(step, Say):
                    await self._say(step)
        finally:
            tasks = [task for task in (self._speech, self._timer, self._event) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self) -> Step[T] | None:
        """Wait for the next thing that happens."""
        self._set_timer()
        if self._queue.empty() and (self._event is None or not self._event.done()):
            self._call.considering = False
        if self._event is None:
            self._event = asyncio.create_task(self._queue.get(), name="answer")
        waited = [each for each in (self._event, self._speech, self._timer) if each is not None]
        done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        now = self._line.now()
        if self._event in done:
            event = self._event.result()
            self._event = None
            return await self._happened(event, now)
        if self._speech in done:
            self._speech = None
            self._asking.listening(now)
            return None
        self._timer = None
        return self._asking.tick(now)

    async def _happened(self, event: Event | None, now: float) -> Step[T] | None:
        match event:
            case None | CallEnded():
                return Stop("the call has ended")
            case CallerStarted():
                self._asking.speaking()
            case CallerStopped():
                self._asking.silent(now)
            case CallerSaid():
                return self._asking.said(event.utterance.text, now)
            case KeyPressed():
                await self._hush()
                return self._asking.pressed(event.key, now)
            case _:
                pass
        return None

    async def _say(self, step: Say) -> None:
        self._speech = asyncio.create_task(self._call.say(step.text), name="question")
        # It is on its way to be said before anybody looks whether something is.
        await asyncio.sleep(0)

    async def _hush(self) -> None:
        """Say no more of a question that is answered."""
        if self._speech is not None and not self._speech.done():
            await self._call.interrupt()

    def _set_timer(self) -> None:
        due = self._asking.due
        if due == self._due and self._timer is not None:
            return
        self._due = due
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            wait = max(0.0, due - self._line.now())
            self._timer = asyncio.create_task(self._line.sleep(wait), name="patience")
