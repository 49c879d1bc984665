"""What the backends alone cost: the same requests as in a call, and nothing of ours between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.take import BLOCK, RATE
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import TextDelta
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.turns.endpointing import TurnEvent

LONGEST = 30.0
"""Seconds that one request may take."""
ENDING = 0.8
"""Seconds of speech before a flush."""
CLAUSE = "Certainly, I have made a note of that for you and your guests."


class _Listener:
    """Waits for a final text."""

    def __init__(self) -> None:
        self.final: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_partial(self, segment: int, text: str) -> None:
        """Not needed."""

    def on_final(self, segment: int, text: str) -> None:
        """It is there."""
        del segment, text
        if not self.final.done():
            self.final.set_result(None)

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        """Not asked for."""

    def on_trouble(self, error: ModelError, *, lost: bool) -> None:
        """The server fails."""
        if lost and not self.final.done():
            self.final.set_exception(error)


async def measure(models: Models, clip: Clip, rounds: int) -> dict[str, list[float]]:
    """Ask each stage's server so many times; return its delays (ms) by stage.

    "hear" is from a flush to the final text, "think" to the first words, "speak" to the first
    sound. The first request of each opens connections and is left out.

    Raises:
        ModelError: A server fails.
        TimeoutError: One does not answer.
    """
    found: dict[str, list[float]] = {}
    asks: dict[str, Callable[[], Awaitable[float]]] = {
        "hear": lambda: _hear(models, clip),
        "think": lambda: _think(models, clip.text),
        "speak": lambda: _speak(models),
    }
    for stage, ask in asks.items():
        took = []
        for _ in range(rounds + 1):
            async with asyncio.timeout(LONGEST):
                took.append(round(await ask() * 1000, 1))
        found[stage] = took[1:]
    return found


async def _hear(models: Models, clip: Clip) -> float:
    hearing = models.hearing(Wishes())
    listener = _Listener()
    await hearing.open(listener)
    try:
        began = time.monotonic()
        said = clip.samples[-round(ENDING * RATE) :]
        for number, at in enumerate(range(0, len(said), BLOCK), 1):
            await asyncio.sleep(max(0.0, began + number * BLOCK / RATE - time.monotonic()))
            hearing.send(said[at : at + BLOCK].tobytes())
        flushed = time.monotonic()
        hearing.flush()
        await listener.final
        return time.monotonic() - flushed
    finally:
        await hearing.close()


async def _think(models: Models, text: str) -> float:
    messages = [
        {"role": "system", "content": "You are a helpful assistant on the phone."},
        {"role": "user", "content": text},
    ]
    began = time.monotonic()
    async with aclosing(models.thinking.stream(messages, [])) as thoughts:
        async for thought in thoughts:
            if isinstance(thought, TextDelta) and thought.text.strip():
                return time.monotonic() - began
    raise ModelError("thinking", "broken", "it answered with nothing")


async def _speak(models: Models) -> float:
    began = time.monotonic()
    async with aclosing(models.speaking.stream(CLAUSE, voice=None, language="en")) as chunks:
        async for chunk in chunks:
            if len(chunk):
                return time.monotonic() - began
    raise ModelError("speaking", "broken", "it sent no sound")
