from __future__ import annotations

import asyncio
import logging

import pytest

from vivavoce.pipelines.observing.logs import call_id
from vivavoce.pipelines.tasks import Tasks


async def test_a_task_is_kept_until_it_is_done():
    tasks = Tasks()
    task = tasks.spawn(asyncio.sleep(0, "value"), "short")
    assert len(tasks) == 1
    assert task.get_name() == "short"
    assert await task == "value"
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_closing_cancels_and_waits_for_all_and_may_be_done_twice():
    tasks = Tasks()
    cleaned = []

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    spawned = [tasks.spawn(work(), f"work {number}") for number in range(3)]
    await asyncio.sleep(0)
    await tasks.close()
    assert cleaned == [True] * 3
    assert all(task.cancelled() for task in spawned)
    await tasks.close()
    assert len(tasks) == 0


async def test_a_task_may_close_its_own_set():
    tasks = Tasks()
    other = tasks.spawn(asyncio.sleep(60), "other")
    await asyncio.wait_for(tasks.spawn(tasks.close(), "closer"), 1)
    assert other.cancelled()


async def test_a_defect_is_logged_with_its_traceback_and_ends_nobody_else(caplog):
    tasks = Tasks()

    async def broken():
        raise RuntimeError("a defect of ours")

    other = tasks.spawn(asyncio.sleep(60), "other")
    failed = tasks.spawn(broken(), "speech")
    await asyncio.wait([failed])
    await asyncio.sleep(0)
    (record,) = [each for each in caplog.records if each.name == "vivavoce"]
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "speech failed"
    assert "a defect of ours" in caplog.text
    assert not other.done()
    await tasks.close()


async def test_cancelling_who_closes_is_not_swallowed():
    tasks = Tasks()
    stubborn_asked = asyncio.Event()

    async def stubborn():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stubborn_asked.set()
            await asyncio.sleep(0.05)
            raise

    tasks.spawn(stubborn(), "stubborn")
    await asyncio.sleep(0)
    closing = asyncio.create_task(tasks.close())
    await stubborn_asked.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await tasks.close()
    assert len(tasks) == 0


async def test_tasks_of_a_call_are_known_to_the_log_as_its():
    seen: dict[str, str] = {}

    async def note(name: str) -> None:
        seen[name] = call_id.get()

    reader = call_id.set("the reader's")
    try:
        theirs, ours = Tasks(), Tasks("c-1")
        await asyncio.gather(theirs.spawn(note("theirs"), "a"), ours.spawn(note("ours"), "b"))
        assert call_id.get() == "the reader's"
    finally:
        call_id.reset(reader)
    assert seen == {"theirs": "the reader's", "ours": "c-1"}
    await theirs.close()
    await ours.close()
