from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from vivavoce.pipelines.simulation.warp import GRID, Warp, WarpError, jump, real_time, virtual_time


async def test_time_jumps_to_the_next_timer():
    loop = asyncio.get_running_loop()
    before = time.monotonic()
    with virtual_time():
        began = loop.time()
        await asyncio.sleep(3600)
        assert loop.time() - began == pytest.approx(3600, abs=1e-5)
    assert time.monotonic() - before < 60


async def test_timers_run_in_the_order_of_their_times():
    done: list[int] = []

    async def later(seconds: int) -> None:
        await asyncio.sleep(seconds)
        done.append(seconds)

    with virtual_time():
        await asyncio.gather(*[later(seconds) for seconds in (30, 10, 20, 10)])
    assert done == [10, 10, 20, 30]


async def test_what_is_ready_runs_before_time_passes():
    loop = asyncio.get_running_loop()
    with virtual_time():
        began = loop.time()
        for _ in range(100):
            await asyncio.sleep(0)
        assert loop.time() == began


async def test_time_never_goes_back_and_stays_on_its_grid():
    loop = asyncio.get_running_loop()
    moments = [loop.time()]
    for _ in range(3):
        with virtual_time():
            for seconds in (0.02, 0.1, 1 / 3):
                await asyncio.sleep(seconds)
                moments.append(loop.time())
                assert (loop.time() / GRID).is_integer()
        moments.append(loop.time())
    assert moments == sorted(moments)


async def test_timers_that_outlive_it_run_on_as_they_were_set():
    loop = asyncio.get_running_loop()
    fired = asyncio.Event()
    with virtual_time():
        await asyncio.sleep(1000)
        loop.call_later(0.05, fired.set)
    assert not fired.is_set()
    await asyncio.wait_for(fired.wait(), 20)


async def test_a_timeout_around_it_counts_virtual_time():
    with virtual_time(), pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await asyncio.Event().wait()


async def test_time_stands_still_while_a_thread_works():
    loop = asyncio.get_running_loop()
    with virtual_time():
        began = loop.time()
        await asyncio.wait_for(asyncio.to_thread(time.sleep, 0.2), 5)
        assert loop.time() == began


async def test_time_stands_still_for_a_tools_own_thread():
    loop = asyncio.get_running_loop()
    with virtual_time():
        began, future = loop.time(), loop.create_future()

        def work() -> None:
            time.sleep(0.2)
            loop.call_soon_threadsafe(future.set_result, None)

        threading.Thread(target=work, name="tool slow", daemon=True).start()
        await asyncio.wait_for(future, 5)
        assert loop.time() == began


async def test_a_thread_that_is_stuck_does_not_stop_time(monkeypatch):
    monkeypatch.setattr("vivavoce.pipelines.simulation.warp.PATIENCE", 0.2)
    stop = threading.Event()
    threading.Thread(target=stop.wait, name="tool stuck", daemon=True).start()
    try:
        with virtual_time():
            await asyncio.sleep(500)
    finally:
        stop.set()


async def test_time_is_real_while_a_socket_is_open_that_was_opened_meanwhile():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with virtual_time():
        reader, writer = await asyncio.open_connection(sock=ours)
        answer = threading.Timer(0.3, theirs.sendall, [b"x"])
        answer.start()
        # In virtual time this would be over at once.
        assert await asyncio.wait_for(reader.read(1), 30) == b"x"
        writer.close()
        await writer.wait_closed()
        began = loop.time()
        await asyncio.sleep(900)
        assert loop.time() - began >= 900
    answer.join()
    theirs.close()


async def test_held_time_is_real():
    before = time.monotonic()
    with virtual_time():
        with real_time():
            await asyncio.sleep(0.2)
        assert time.monotonic() - before >= 0.19
        await asyncio.sleep(900)
    with real_time():
        await asyncio.sleep(0)


async def test_it_jumps_only_over_nothing():
    loop = asyncio.get_running_loop()
    assert not jump(1.0)
    with virtual_time():
        began = loop.time()
        assert jump(1.0)
        assert loop.time() - began == 1.0
        timer = loop.call_later(0.5, lambda: None)
        assert not jump(1.0)
        timer.cancel()
        loop.call_soon(lambda: None)
        assert not jump(0.1)


async def test_blocks_may_overlap():
    async def one(seconds: float) -> None:
        with virtual_time():
            await asyncio.sleep(seconds)

    await asyncio.gather(one(100), one(300), one(200))
    loop = asyncio.get_running_loop()
    assert not hasattr(loop._selector, "_warp")


def test_another_kind_of_loop_is_refused():
    class Other(asyncio.AbstractEventLoop):
        pass

    with pytest.raises(WarpError, match="asyncio's own event loop"):
        Warp(Other())


async def test_time_that_passes_is_not_taken_for_a_slow_callback(caplog):
    loop = asyncio.get_running_loop()
    before = loop.slow_callback_duration
    with virtual_time():
        assert jump(60.0)
        await asyncio.sleep(0)
    assert loop.slow_callback_duration == before
    assert "took 60" not in caplog.text
