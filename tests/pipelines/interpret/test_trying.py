from __future__ import annotations

import asyncio

import pytest

from vivavoce.pipelines.interpret.trying import ASKED, PATIENCE, Alive, tried
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.simulation.warp import virtual_time


class Work:
    """Fails so many times."""

    def __init__(self, *errors: ModelError | None) -> None:
        self.errors = list(errors)
        self.tries = 0

    async def __call__(self, alive: Alive) -> None:
        self.tries += 1
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error


def broken(**more: float) -> ModelError:
    return ModelError("speaking", "broken", "the test says so", **more)


async def test_what_may_help_is_tried_again() -> None:
    with virtual_time():
        work = Work(broken(), broken())
        await tried("speaking", work, lambda: False)
        assert work.tries == 3
        work = Work(broken(), broken(), broken())
        with pytest.raises(ModelError, match="the test says so"):
            await tried("speaking", work, lambda: False)
        assert work.tries == 3


async def test_what_lasts_or_was_given_is_not() -> None:
    work = Work(ModelError("thinking", "refused", "no"))
    with pytest.raises(ModelError, match="no"):
        await tried("thinking", work, lambda: False)
    assert work.tries == 1
    work = Work(broken())
    with pytest.raises(ModelError):
        await tried("speaking", work, lambda: True)
    assert work.tries == 1


async def test_silence_is_given_up_and_progress_is_not() -> None:
    loop = asyncio.get_running_loop()

    async def stuck(alive: Alive) -> None:
        await asyncio.sleep(1_000)

    async def slow(alive: Alive) -> None:
        for _ in range(20):
            await asyncio.sleep(PATIENCE[0] / 2)
            alive()

    with virtual_time():
        began = loop.time()
        with pytest.raises(ModelError, match="silent for 10 s"):
            await tried("thinking", stuck, lambda: False)
        assert loop.time() - began < sum(PATIENCE) + 2
        await tried("thinking", slow, lambda: False)


async def test_a_server_that_asks_to_wait_is_waited_for_a_little() -> None:
    with virtual_time():
        loop = asyncio.get_running_loop()
        began = loop.time()
        await tried("thinking", Work(broken(retry_after=60.0)), lambda: False)
        assert loop.time() - began == pytest.approx(ASKED, abs=0.01)
