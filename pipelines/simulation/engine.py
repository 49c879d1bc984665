"""The engine: one simulated call, from its first ring to its last."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

from loguru import logger
from pipecat.frames.frames import Frame

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.testing.engine import PATIENCE, SimulationError
from vivavoce.agent.testing.steps import Replies
from vivavoce.agent.transcript import Reply
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import TextDelta, Thinking
from vivavoce.pipelines.simulation.line import SimulatedLine
from vivavoce.pipelines.simulation.senses import LevelVad, TrackHearing
from vivavoce.pipelines.simulation.thinking import RealThinking, ScriptedThinking
from vivavoce.pipelines.simulation.track import RATE, Track
from vivavoce.pipelines.simulation.voice import ToneVoice, length
from vivavoce.pipelines.simulation.warp import virtual_time
from vivavoce.pipelines.turns.heard import words

GAP = 0.3
"""Seconds that a caller takes before they answer."""
KEY = 0.15
"""Seconds from one key to the next."""


class TextEngine:
    """A call in virtual time, with scripted models. Implements `Engine`.

    Args:
        agent: Who is called.
        replies: What its model answers.
        deps: What its tools need, instead of what the agent makes.
        models: Whose model answers where `replies` is None.
        call_id: Names the call.
    """

    virtual = True
    """Whether the event loop's time is."""
    reaction = 0.09
    """Seconds from a caller's first sound to the agent's last: so much earlier must they begin
    to be heard as cutting in at a certain word."""

    def __init__(
        self,
        agent: Agent[Any],
        replies: Replies | None,
        *,
        deps: Any,
        models: object | None,
        call_id: str,
    ) -> None:
        if models is not None and not isinstance(models, Models):
            raise SimulationError(
                f"simulate(models={models!r}): give an open Models, or leave it out"
            )
        self._models = models
        self._scripted = replies is not None
        self._stack = contextlib.AsyncExitStack()
        self._agent, self._deps, self._call_id = agent, deps, call_id
        self._thinking = ScriptedThinking([] if replies is None else replies, self._pulse)
        self._track = Track()
        self._waits: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._line = SimulatedLine(self._track, self._see, self._pulse, virtual=self.virtual)
        self._running: asyncio.Task[Call[Any]] | None = None
        self._conversation: Conversation | None = None

    @property
    def call(self) -> Call[Any]:
        """The call."""
        return self._talk.call

    @property
    def asked(self) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
        """What the model was sent."""
        return self._thinking.asked

    @property
    def _talk(self) -> Conversation:
        if self._conversation is None:
            raise SimulationError("the call has not begun: use `async with simulate(...)`")
        return self._conversation

    # The call's beginning and end.

    async def start(self) -> None:
        """Open the line."""
        try:
            models = await self._open()
            self._conversation = Conversation(
                self._agent,
                models,
                self._line,
                call_id=self._call_id,
                deps=self._deps,
                simulated=True,
            )
            self._running = asyncio.create_task(self._conversation.run(), name="simulated call")
            self._running.add_done_callback(lambda _: self._pulse())
            await self._until(lambda: self._line.open, "open the line")
            await self.answer()
        except BaseException:
            await self.stop()
            raise

    async def _open(self) -> Models:
        """Begin to simulate; return what the call is carried with."""
        self._stack.enter_context(virtual_time())
        names = dict.fromkeys(("hearing", "thinking", "speaking"), "scripted")
        thinking: Thinking = self._thinking
        if self._models is not None and not self._scripted:
            thinking = RealThinking(self._models.thinking)
            names["thinking"] = self._models.names.get("thinking", "real")
        return Models(
            hearing=lambda _wishes: TrackHearing(self._track),
            thinking=thinking,
            speaking=ToneVoice(self._line.wake),
            names=names,
            vad=LevelVad,
        )

    async def stop(self) -> None:
        """End the call."""
        try:
            running = self._running
            if running is not None and not running.done():
                if self._speaks():
                    with contextlib.suppress(SimulationError):
                        await self._until(lambda: not self._speaks(), "finish")
                await self.hang_up("the caller hung up")
        finally:
            if self._running is not None and not self._running.done():
                self._running.cancel()
                await asyncio.wait({self._running})
            await self._stack.aclose()

    async def hang_up(self, reason: str) -> None:
        """The caller hangs up."""
        self._line.farewell = reason
        self._line.wake()
        if self._running is not None:
            await asyncio.shield(self._running)

    # What the caller does.

    async def listen(self, within: float = PATIENCE) -> None:
        """Return when the agent has finished."""
        await self._until(self._finished, "finish", within)

    async def speak(self, text: str) -> None:
        """Say a text."""
        if not words(text):
            raise SimulationError(f"the caller cannot say {text!r}: there is no word in it")
        await self._say(text, self._soon)
        await self._until(lambda: not self._track.sounding, "hear the caller out")

    async def sound(self, seconds: float) -> None:
        """Make a sound without words."""
        self._rustle(seconds, self._soon())
        await self._until(lambda: not self._track.sounding, "hear the caller out")

    async def answer(self, within: float = PATIENCE) -> None:
        """Return when the agent's answer has begun and is written."""
        await self._until(self._answered, "answer", within)

    async def decided(self) -> None:
        """Return when the caller's turn is decided."""
        await self._until(lambda: not self._in_turn(), "decide")

    async def cut_in(
        self, text: str | None, *, after: float | None, at_word: int | None, sound: float = 0.0
    ) -> None:
        """Say a text, or make a sound, while the agent speaks."""
        target = await self._target()
        self._line.exact = True
        try:
            moment = await self._moment(target, after, at_word)
            if text is None:
                self._rustle(sound, round(moment * RATE))
            else:
                await self._say(text, lambda: round(moment * RATE))
            await self._until(lambda: not self._track.sounding, "hear the caller out")
            await self._until(lambda: target.closed or not self._in_turn(), "react")
        finally:
            self._line.exact = False

    async def passes(self, seconds: float) -> None:
        """Let time pass."""
        until = self._talk.now() + seconds
        await self._until(lambda: self._talk.now() >= until, "let time pass", seconds + PATIENCE)

    async def press(self, keys: str) -> None:
        """Press keys of a telephone."""
        for key in keys:
            await self._line.press(key)
            await self.passes(KEY)

    def noise(self, level: float, seconds: float) -> None:
        """Have noise in the background."""
        self._track.noise(round(32_768 * 10 ** (level / 20)), seconds)
        self._line.wake()

    # How it is done.

    async def _say(self, text: str, at: Callable[[], int]) -> None:
        """Have the caller say a text from sample `at()` on."""
        self._track.say(text, at())
        self._line.wake()

    def _rustle(self, seconds: float, at: int) -> None:
        """Have the caller make a sound without words from a sample on."""
        self._track.sound(seconds, at)
        self._line.wake()

    def _soon(self) -> int:
        return self._track.position + round(GAP * RATE)

    def _last(self) -> Reply | None:
        """Return the reply that is being heard, or was last."""
        return next((reply for reply in self._replies() if reply.started is not None), None)

    def _replies(self) -> Iterator[Reply]:
        """Iterate over the replies, the last one first."""
        return (
            entry
            for entry in reversed(self._talk.call.transcript.entries)
            if isinstance(entry, Reply)
        )

    def _speaks(self) -> bool:
        last = self._last()
        return last is not None and not last.closed

    def _finished(self) -> bool:
        """Whether it is the caller's turn."""
        talk = self._talk
        if talk.settled:
            # If it is over, its end is waited for.
            return not talk.over
        # A tool that asks the caller something runs on meanwhile.
        waits = talk.call.asking and not talk.undecided
        return waits and all(reply.closed for reply in self._replies())

    def _in_turn(self) -> bool:
        return self._talk.undecided

    def _answered(self) -> bool:
        talk = self._talk
        if self._finished():
            return True
        if not (talk.answered or (talk.call.asking and not talk.undecided)):
            return False
        last = next(self._replies(), None)
        return last is not None and last.started is not None

    async def _target(self) -> Reply:
        """Wait for the agent to speak."""
        await self._until(lambda: self._speaks() or self._finished(), "speak")
        last = self._last()
        if last is None or last.closed:
            raise SimulationError(
                "there is nothing to cut in on: the agent has finished speaking"
                + (f' ("{last.heard}")' if last else "")
            )
        return last

    async def _moment(self, target: Reply, after: float | None, at_word: int | None) -> float:
        """Return when the caller begins, in seconds since the call began."""
        assert target.started is not None
        if at_word is None:
            return target.started + (0.0 if after is None else after)
        places = words(target.generated)
        if at_word > len(places):
            await self._until(
                lambda: len(words(target.generated)) >= at_word or self._talk.answered, "write"
            )
            places = words(target.generated)
        if at_word > len(places):
            raise SimulationError(
                f"there is no word {at_word} to cut in at: the reply has {len(places)}"
                f' ("{target.generated.strip()}")'
            )
        return target.started + await self._spoken(target, at_word) - self.reaction

    async def _spoken(self, target: Reply, count: int) -> float:
        """Return how long the first `count` words of a reply take to say (s)."""
        return length(target.generated[: words(target.generated)[count - 1][1]])

    def _see(self, frame: Frame) -> None:
        self._thinking.position.see(frame)

    def _pulse(self) -> None:
        """Something happened: see whether it is what somebody waits for."""
        for done, future in self._waits:
            if not future.done() and done():
                future.set_result(None)

    async def _until(self, done: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
        """Wait for something to become true in the call, or for the call's end.

        Raises:
            SimulationError: If it does not within so many seconds of the call.
        """
        assert self._running is not None
        running, talk = self._running, self._talk
        deadline = talk.now() + within

        def enough() -> bool:
            return done() or running.done() or self._stuck() or talk.now() > deadline

        if not enough():
            entry = enough, asyncio.get_running_loop().create_future()
            self._waits.append(entry)
            try:
                await entry[1]
            finally:
                self._waits.remove(entry)
        if running.done():
            running.result()
        elif not done():
            self._check()
            raise SimulationError(f"the agent did not {what} within {within:g} s of the call")

    def _stuck(self) -> bool:
        """Whether the script cannot go on."""
        thinking = self._thinking
        return thinking.broken is not None or (
            thinking.missing > 0 and not thinking.position.guessing
        )

    def _check(self) -> None:
        """Raise what keeps the script from going on, if anything does."""
        thinking = self._thinking
        if thinking.broken is not None:
            error, thinking.broken = thinking.broken, None
            raise error
        if thinking.missing and not thinking.position.guessing:
            messages = thinking.asked[-1][0]
            last = messages[-1] if messages else {"role": "nobody", "content": ""}
            raise SimulationError(
                f"the model was asked once more than replies= has steps ({thinking.steps});"
                f" the last message was of {last['role']}: {str(last['content'])[:200]!r}"
            )


def hush() -> None:
    """Have pipecat tell only what is wrong, where nobody has set its log up."""
    try:
        logger.remove(0)
    except ValueError:
        return
    logger.add(
        lambda message: logging.getLogger("pipecat").log(
            message.record["level"].no, message.record["message"]
        ),
        level="WARNING",
    )


def open_engine(
    agent: Agent[Any],
    replies: Replies | None,
    *,
    deps: Any,
    audio: bool,
    models: object | None,
    call_id: str,
) -> TextEngine:
    """Make the engine of one simulated call."""
    hush()
    if audio:
        from vivavoce.pipelines.simulation.spoken import SpokenEngine

        return SpokenEngine(agent, replies, deps=deps, models=models, call_id=call_id)
    return TextEngine(agent, replies, deps=deps, models=models, call_id=call_id)


async def ask_model(models: object, messages: list[dict[str, Any]]) -> str:
    """Return a real chat model's answer to some messages, without tools.

    Raises:
        SimulationError: If `models` is none, or its server fails.
    """
    if not isinstance(models, Models):
        raise SimulationError(f"models={models!r}: give an open Models")
    try:
        async with aclosing(RealThinking(models.thinking).stream(messages, [])) as thoughts:
            texts = [thought.text async for thought in thoughts if isinstance(thought, TextDelta)]
    except ModelError as error:
        raise SimulationError(str(error)) from error
    return "".join(texts)
