"""Trying: a model's work is done again where that may help, and is never waited for for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from vivavoce.pipelines.models.errors import ModelError, StageName

PATIENCE = (3.0, 6.0, 10.0)
"""Seconds that a model may be silent, in each try: what is stuck is asked again soon, since
everything behind it waits, and what is merely slow has its time in the end."""
AGAIN = (0.2, 0.6)
"""Seconds before it is tried again."""
ASKED = 2.0
"""Seconds at most that are waited because a server asks for it."""

Alive = Callable[[], None]
"""Called whenever work has come further."""


async def tried(
    stage: StageName, work: Callable[[Alive], Awaitable[None]], given: Callable[[], bool]
) -> None:
    """Do something, again if it fails and that may help.

    Args:
        stage: Whose work it is.
        work: Does it once; calls what it is given whenever it has come further.
        given: Whether something of it was given already, and must not be given again: then it is
            not tried again.

    Raises:
        ModelError: The last one.

    Cancellation: the work is cancelled.
    """
    for number, patience in enumerate(PATIENCE):
        try:
            async with asyncio.timeout(patience) as deadline:
                await work(partial(_put_off, deadline, patience))
        except TimeoutError:
            error = ModelError(stage, "timeout", f"silent for {patience:g} s")
        except ModelError as problem:
            error = problem
        else:
            return
        if error.lasting or patience == PATIENCE[-1] or given():
            raise error
        await asyncio.sleep(max(AGAIN[number], min(ASKED, error.retry_after or 0.0)))


def _put_off(deadline: asyncio.Timeout, patience: float) -> None:
    """Begin to wait anew."""
    deadline.reschedule(asyncio.get_running_loop().time() + patience)
