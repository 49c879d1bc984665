from __future__ import annotations

import asyncio

import pytest

from vivavoce.pipelines.clock import Clock


async def test_it_runs_with_the_loop_and_what_is_skipped_is_added():
    clock = Clock()
    loop = asyncio.get_running_loop()
    before, began = clock.now(), loop.time()
    clock.skip(100.0)
    clock.skip(0.5)
    passed = clock.now() - before
    assert 100.5 <= passed <= 100.5 + (loop.time() - began) + 1e-6


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_it_never_goes_back(seconds):
    clock = Clock()
    before = clock.now()
    clock.skip(seconds)
    assert before <= clock.now() < before + 0.5


def test_it_needs_a_running_loop():
    with pytest.raises(RuntimeError):
        Clock()
