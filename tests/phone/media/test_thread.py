"""Media on a thread of their own: they go on, and nothing of them is left."""

import asyncio
import threading
import time

import numpy as np
import pytest

from tests.phone.media.test_endpoint import PORTS, until
from vivavoce.phone.media.session import MediaConfig, MediaSession
from vivavoce.phone.media.thread import MediaThread, SameLoop


async def test_media_goes_on_while_the_application_hangs():
    async with MediaThread() as thread:
        heard, where = [], []

        def source(count):
            where.append(threading.current_thread().name)
            return np.full(count, 5000, np.int16)

        listener = await thread.open(ports=PORTS, heard=heard.append)
        speaker = await thread.open(ports=PORTS, source=source)
        listener.start(MediaSession(MediaConfig(remote=speaker.address)))
        speaker.start(MediaSession(MediaConfig(remote=listener.address)))
        await until(lambda: len(heard) >= 5)
        asyncio.get_running_loop().slow_callback_duration = 1.0
        before, count = speaker.statistics().sent.packets, len(heard)
        time.sleep(0.4)  # noqa: ASYNC251 - the application is to hang
        assert speaker.statistics().sent.packets - before >= 12  # of 20, on a busy machine
        assert len(heard) == count
        await until(lambda: len(heard) >= count + 12, within=0.1)  # they waited for us
        await thread.close(listener)
        await thread.close(speaker)
        await thread.close(speaker)
    assert set(where) == {"media"}
    assert not any(t.name == "media" for t in threading.enumerate())
    speaker.push(np.zeros(800, np.int16))  # too late, and harmless
    await thread.stop()
    with pytest.raises(RuntimeError, match="does not run"):
        await thread.open(ports=PORTS)


async def test_who_gives_up_opening_leaves_no_port_behind():
    async with MediaThread() as thread:
        for _ in range(20):
            opening = asyncio.create_task(thread.open(ports=PORTS))
            await asyncio.sleep(0)
            time.sleep(0.002)  # noqa: ASYNC251 - it may be open by now, on its thread
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        await until(lambda: not asyncio.all_tasks(thread._loop))
        await asyncio.sleep(0.05)
        fresh = await thread.open(ports=range(PORTS.start, PORTS.start + 2000))
        await thread.close(fresh)


async def test_a_thread_is_started_once_and_stopped_as_often_as_one_likes():
    thread = MediaThread()
    await thread.stop()
    thread.start()
    with pytest.raises(RuntimeError, match="started once"):
        thread.start()
    await thread.stop()
    await thread.stop()


async def test_media_on_the_same_loop():
    here = SameLoop()
    here.start()
    heard = []
    endpoint = await here.open(ports=PORTS, heard=heard.append)
    endpoint.start(MediaSession(MediaConfig(remote=("127.0.0.1", 9))))
    await until(lambda: len(heard) >= 3)
    await here.close(endpoint)
    await here.close(endpoint)
    await here.stop()


async def test_what_is_said_at_once_is_not_lost():
    """The session begins on the thread in its own time; what is said meanwhile comes behind it."""
    async with MediaThread() as thread:
        for _ in range(20):
            endpoint = await thread.open(ports=PORTS)
            session = MediaSession(MediaConfig(remote=("127.0.0.1", 9)))
            endpoint.start(session)
            endpoint.push(np.full(8000, 5000, np.int16), 0)
            await until(lambda session=session: session.left + session.queued * 8000 == 8000)
            await thread.close(endpoint)
