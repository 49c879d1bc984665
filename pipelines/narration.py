"""Narration: a text of any length spoken clause by clause, each asked for while others sound."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.clauses import Clauses
from vivavoce.pipelines.models.interfaces import Samples, Speaking
from vivavoce.pipelines.speakable import prepare, speakable

AHEAD = 3
"""Clauses that are asked for at the same time, at most."""

_Chunks = asyncio.Queue[Samples | None | Exception]


def clauses_of(text: str, language: str, longest: int = 220) -> list[str]:
    """Return a text in clauses, each as it is read out.

    Args:
        text: Any length.
        language: Its code.
        longest: Characters of one, about.
    """
    prepare(language)
    cutter = Clauses(longest=longest)
    cut = [*cutter.feed(text), *cutter.finish()]
    spoken = (speakable(clause, language) for clause in cut)
    return [each.text for each in spoken if each.said]


async def narrate(
    speaking: Speaking,
    clauses: list[str],
    *,
    voice: str | Speaker | None,
    language: str,
    ahead: int = AHEAD,
) -> AsyncGenerator[tuple[int, Samples]]:
    """Speak clauses in order.

    Closing the iterator ends all requests; what was given before an error stays given.

    Args:
        speaking: The speech model.
        clauses: What to say.
        voice: Who speaks.
        language: Its code.
        ahead: Clauses that are asked for at the same time, at most.

    Yields:
        The number of the clause, from 0, and a chunk of it (int16 at the model's rate).

    Raises:
        ModelError: If one of them cannot be spoken.
    """
    running: deque[tuple[asyncio.Task[None], _Chunks]] = deque()

    async def speak(text: str, chunks: _Chunks) -> None:
        try:
            stream = speaking.stream(text, voice=voice, language=language)
            async with aclosing(stream) as sound:
                async for samples in sound:
                    await chunks.put(samples)
        except Exception as error:  # noqa: BLE001 - told to whoever listens, in its place
            await chunks.put(error)
        else:
            await chunks.put(None)

    waiting = deque(clauses)
    number = 0
    try:
        while waiting or running:
            while waiting and len(running) < ahead:
                # Some seconds of speech are held; a text of hours must not be.
                chunks: _Chunks = asyncio.Queue(2_000)
                task = asyncio.create_task(speak(waiting.popleft(), chunks), name="narration")
                running.append((task, chunks))
            task, chunks = running[0]
            while (piece := await chunks.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield number, piece
            await task
            running.popleft()
            number += 1
    finally:
        for task, _ in running:
            task.cancel()
        await asyncio.gather(*(task for task, _ in running), return_exceptions=True)
