"""The engine of an interpreter's simulated session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from vivavoce.agent.call import Call
from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.testing.engine import PATIENCE, SimulationError
from vivavoce.agent.testing.steps import Model
from vivavoce.pipelines.interpret.interpretation import Interpretation
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.interfaces import Hearing
from vivavoce.pipelines.simulation.engine import hush
from vivavoce.pipelines.simulation.line import SimulatedLine
from vivavoce.pipelines.simulation.senses import LevelVad, TrackHearing
from vivavoce.pipelines.simulation.thinking import ScriptedThinking
from vivavoce.pipelines.simulation.track import RATE, Track
from vivavoce.pipelines.simulation.voice import ToneVoice
from vivavoce.pipelines.simulation.warp import virtual_time

GAP = 0.3
"""Seconds that a speaker takes before they begin."""


class InterpretedEngine:
    """A session of one line in virtual time, with scripted models. Implements `Engine`.

    Args:
        interpreter: Who interprets.
        model: Translates.
        call_id: Names the call.
        hearing: Makes the transcription of a track, instead of one that never errs.

    Attributes:
        models: What the session works with; may be changed before `start`.
        track: What is said.
        line: Carries it.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        model: Model,
        *,
        call_id: str = "simulated",
        hearing: Callable[[Track], Hearing] = TrackHearing,
    ) -> None:
        self._interpreter, self._call_id = interpreter, call_id
        self._scripted = ScriptedThinking(model, self._pulse)
        self.track = Track()
        self.line = SimulatedLine(self.track, lambda _frame: None, self._pulse, virtual=True)
        self.line.together = True
        self.models = Models(
            hearing=lambda _wishes: hearing(self.track),
            thinking=self._scripted,
            speaking=ToneVoice(self.line.wake),
            names=dict.fromkeys(("hearing", "thinking", "speaking"), "scripted"),
            vad=LevelVad,
        )
        self._stack = contextlib.ExitStack()
        self._waits: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._running: asyncio.Task[Call[Any]] | None = None
        self._session: Interpretation | None = None
        self._broken = False

    @property
    def session(self) -> Interpretation:
        """The session."""
        if self._session is None:
            raise SimulationError("the session has not begun: use `async with interpret(...)`")
        return self._session

    @property
    def call(self) -> Call[Any]:
        """The session's call."""
        return self.session.call

    @property
    def asked(self) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
        """What the model was sent."""
        return self._scripted.asked

    async def start(self) -> None:
        """Open the line."""
        try:
            self._stack.enter_context(virtual_time())
            self._session = Interpretation(
                self._interpreter, self.models, self.line, call_id=self._call_id, simulated=True
            )
            self._running = asyncio.create_task(self._session.run(), name="simulated session")
            self._running.add_done_callback(lambda _: self._pulse())
            await self._until(lambda: self.line.open, "open the line")
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the session, once everything is spoken."""
        running = self._running
        try:
            if running is not None and not running.done():
                if not self._broken:
                    with contextlib.suppress(SimulationError):
                        await self.settle(PATIENCE)
                self.line.farewell = "the speaker hung up"
                self.line.wake()
                await asyncio.shield(running)
        finally:
            if running is not None and not running.done():
                running.cancel()
                await asyncio.wait({running})
            self._stack.close()

    async def speak(self, text: str) -> None:
        """Say a text."""
        if not any(char.isalnum() for char in text):
            raise SimulationError(f"nobody can say {text!r}: there is no word in it")
        self.track.say(text, self.track.position + round(GAP * RATE))
        self.line.wake()
        await self._said()

    async def sound(self, seconds: float) -> None:
        """Make a sound without words."""
        self.track.sound(seconds, self.track.position + round(GAP * RATE))
        self.line.wake()
        await self._said()

    async def settle(self, within: float) -> None:
        """Return when everything that was said is spoken or written."""
        await self._until(lambda: self.session.settled, "speak to the end", within)

    async def passes(self, seconds: float) -> None:
        """Let time pass."""
        until = self.session.now() + seconds
        await self._until(lambda: self.session.now() >= until, "let time pass", seconds + PATIENCE)

    async def _said(self) -> None:
        length = (self.track.end - self.track.position) / RATE
        await self._until(
            lambda: not self.track.sounding, "hear the speaker out", length + PATIENCE
        )

    def _pulse(self) -> None:
        """Something happened: see whether it is what somebody waits for."""
        for done, future in self._waits:
            if not future.done() and done():
                future.set_result(None)

    async def _until(self, done: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
        """Wait for something to become true, or for the session's end.

        Raises:
            SimulationError: If it does not within so many seconds of the session.
        """
        assert self._running is not None
        running, session = self._running, self.session
        deadline = session.now() + within

        def enough() -> bool:
            broken = self._scripted.broken is not None
            return done() or broken or running.done() or session.now() > deadline

        if not enough():
            entry = enough, asyncio.get_running_loop().create_future()
            self._waits.append(entry)
            try:
                await entry[1]
            finally:
                self._waits.remove(entry)
        if self._scripted.broken is not None:
            error, self._scripted.broken = self._scripted.broken, None
            self._broken = True
            raise error
        if running.done():
            reason = running.result().reason
            raise SimulationError(f"the interpreter did not {what}: the session is over ({reason})")
        if not done():
            raise SimulationError(f"the interpreter did not {what} within {within:g} s")


def open_engine(interpreter: Interpreter, model: Model, *, call_id: str) -> InterpretedEngine:
    """Make the engine of one simulated session."""
    hush()
    return InterpretedEngine(interpreter, model, call_id=call_id)
