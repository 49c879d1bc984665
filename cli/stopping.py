"""How a server is told to end: once to let calls go on for a while, twice to end at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def signals(
    stop: asyncio.Event, again: asyncio.Event, renew: asyncio.Event | None = None
) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM set the first event and then the second one, within the block.

    Where a system has no such signals nothing is handled.

    Args:
        stop: Set by the first.
        again: Set by those that follow.
        renew: Set by SIGHUP; None: that is left alone.
    """
    loop = asyncio.get_running_loop()

    def asked() -> None:
        (again if stop.is_set() else stop).set()

    wanted = [(signal.SIGINT, asked), (signal.SIGTERM, asked)]
    if renew is not None:
        wanted.append((signal.SIGHUP, renew.set))
    handled = []
    for number, told in wanted:
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, told)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


async def hurried(ending: asyncio.Task[Any], again: asyncio.Event) -> bool:
    """Wait for an end, but no longer once it is asked for again.

    Cancelled, it leaves the end to its owner.

    Args:
        ending: The end; its owner cancels it where it goes on.
        again: Set by who does not wait.

    Returns:
        Whether it came to its end.
    """
    hurry = asyncio.create_task(again.wait(), name="hurry")
    try:
        await asyncio.wait({ending, hurry}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hurry.cancel()
        await asyncio.gather(hurry, return_exceptions=True)
    return ending.done()
