"""How a server is told to end."""

from __future__ import annotations

import asyncio
import os
import signal

from vivavoce.cli.stopping import hurried, signals


async def _set(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), 10.0)


async def test_the_first_signal_ends_and_the_second_hurries() -> None:
    stop, again, renew = asyncio.Event(), asyncio.Event(), asyncio.Event()
    with signals(stop, again, renew):
        os.kill(os.getpid(), signal.SIGHUP)
        await _set(renew)
        os.kill(os.getpid(), signal.SIGTERM)
        await _set(stop)
        assert not again.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await _set(again)


async def test_signals_mean_what_they_did_before_once_the_block_is_left() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals(asyncio.Event(), asyncio.Event()):
        assert signal.getsignal(signal.SIGTERM) is not before
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before


async def test_an_end_is_waited_for() -> None:
    async with asyncio.timeout(10.0):
        assert await hurried(asyncio.create_task(asyncio.sleep(0)), asyncio.Event())


async def test_an_end_that_is_asked_for_again_is_left_to_its_owner() -> None:
    again = asyncio.Event()
    again.set()
    ending = asyncio.create_task(asyncio.sleep(3600))
    async with asyncio.timeout(10.0):
        assert not await hurried(ending, again)
    assert not ending.cancelled()
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)
