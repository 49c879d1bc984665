from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.narration import clauses_of, narrate


class Voice:
    """A speech model that gives three chunks, the first of them late."""

    rate = 8_000

    def __init__(self, broken: str = "") -> None:
        self.asked: list[str] = []
        self.running = self.most = 0
        self._broken = broken

    async def stream(
        self, text: str, *, voice: Any, language: str
    ) -> AsyncGenerator[np.ndarray[Any, np.dtype[np.int16]]]:
        self.asked.append(text)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            # Later ones are ready first.
            await asyncio.sleep(0.02 / len(self.asked))
            for part in range(3):
                if text == self._broken and part == 1:
                    raise ModelError("speaking", "broken", "broke off")
                yield np.full(10, ord(text[0]) * 10 + part, np.int16)
        finally:
            self.running -= 1


async def spoken(model: Voice, clauses: list[str], **more: Any) -> list[tuple[int, int]]:
    stream = narrate(model, clauses, voice=None, language="en", **more)
    async with aclosing(stream) as chunks:
        return [(number, int(chunk[0])) async for number, chunk in chunks]


async def test_clauses_overlap_and_come_in_order() -> None:
    model = Voice()
    found = await spoken(model, list("abcdef"))
    assert found == [(n, ord(c) * 10 + p) for n, c in enumerate("abcdef") for p in range(3)]
    assert model.most == 3
    assert model.running == 0


async def test_an_error_comes_in_its_place() -> None:
    model, found = Voice("c"), []

    async def listen() -> None:
        stream = narrate(model, list("abcdef"), voice=None, language="en")
        async with aclosing(stream) as chunks:
            async for number, _ in chunks:
                found.append(number)

    with pytest.raises(ModelError):
        await listen()
    assert found == [0, 0, 0, 1, 1, 1, 2]
    assert model.running == 0


async def test_closing_ends_all_requests() -> None:
    model = Voice()
    async with aclosing(narrate(model, list("abcdef"), voice=None, language="en")) as chunks:
        await anext(chunks)
    assert model.running == 0
    assert len(model.asked) <= 4


async def test_nothing_to_say() -> None:
    assert await spoken(Voice(), []) == []


def test_a_text_in_clauses_that_can_be_said() -> None:
    found = clauses_of("Hello, that is $5. 😀 **Bye!** --- See you at 7:30 pm.", "en")
    assert " ".join(found) == "Hello, that is five dollars. Bye! See you at seven thirty p.m."
    assert clauses_of("😀", "en") == []
