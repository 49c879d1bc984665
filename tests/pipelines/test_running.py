import asyncio

import pytest

from vivavoce.pipelines import running
from vivavoce.pipelines.local import Passage


def worker():
    return running.make_worker([Passage("In"), Passage("Out")], 24_000)


async def test_a_call_is_carried_and_settled_behind_its_pipeline():
    told = []

    async def carry():
        told.append("carried")
        return "it hung up"

    async def end(reason):
        told.append(reason)

    made = worker()
    await running.run(made, carry, end)
    assert told == ["carried", "it hung up"]
    assert made.has_finished()


async def test_what_goes_wrong_is_told_and_the_call_is_settled_all_the_same():
    told = []

    async def carry():
        raise ValueError("no")

    async def end(reason):
        told.append(reason)

    with pytest.raises(ValueError, match="no"):
        await running.run(worker(), carry, end)
    assert told == ["the line was closed"]


async def test_cancelling_it_lets_the_end_finish():
    told, carried = [], asyncio.Event()

    async def carry():
        carried.set()
        await asyncio.Event().wait()

    async def end(reason):
        await asyncio.sleep(0.05)
        told.append(reason)

    task = asyncio.create_task(running.run(worker(), carry, end))
    await asyncio.wait_for(carried.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == ["the line was closed"]


async def test_a_pipeline_that_does_not_start(monkeypatch):
    monkeypatch.setattr(running, "START", 0.0)
    told = []

    async def carry():
        raise AssertionError

    async def end(reason):
        told.append(reason)

    with pytest.raises(RuntimeError, match="did not start within"):
        await running.run(worker(), carry, end)
    assert told
