"""Blocks between a leg's clock and its listener."""

from __future__ import annotations

import asyncio

import numpy as np

from vivavoce.web.blocks import KEPT, Blocks


def block(value: int) -> np.ndarray:
    return np.full(160, value, np.int16)


async def test_what_waits_is_taken_in_order_and_the_oldest_is_dropped():
    blocks = Blocks()
    for number in range(KEPT + 5):
        blocks.put(block(number), 8_000)
    taken = await blocks.take(closed=False)
    assert [int(pcm[0]) for pcm, _ in taken] == list(range(5, KEPT + 5))
    assert {rate for _, rate in taken} == {8_000}
    assert await blocks.take(closed=True) == []


async def test_a_listener_waits_for_a_block_and_for_the_clocks_end():
    blocks = Blocks()
    with blocks.ticking():
        listening = asyncio.create_task(blocks.take(closed=False))
        await asyncio.sleep(0)
        blocks.put(block(7), 16_000)
        assert len(await asyncio.wait_for(listening, 10)) == 1
        listening = asyncio.create_task(blocks.take(closed=False))
        await asyncio.sleep(0)
    assert await asyncio.wait_for(listening, 10) == []
    listening = asyncio.create_task(blocks.take(closed=False))
    await asyncio.sleep(0)
    blocks.wake()
    assert await asyncio.wait_for(listening, 10) == []
