"""The feed: the events of a call, for whoever follows it, however late they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator

from vivavoce.agent.events import CallEnded, CallerPartial, Event


class Feed:
    """What happens in one call, told to any number of listeners, who never hold each other up.

    Of what was understood of an utterance so far, word by word, only the last is kept for those who
    come late: it holds all that came before it, and nearly all events of a long call are such.
    """

    def __init__(self) -> None:
        self._past: list[Event] = []
        self._listeners: list[asyncio.Queue[Event | None]] = []
        self._over = False

    @property
    def past(self) -> tuple[Event, ...]:
        """What has been told so far."""
        return tuple(self._past)

    def tell(self, event: Event) -> None:
        """Tell every listener; the end of the call is the end of the feed."""
        past = self._past
        if past and isinstance(event, CallerPartial) and isinstance(past[-1], CallerPartial):
            past.pop()
        past.append(event)
        for queue in self._listeners:
            queue.put_nowait(event)
        if isinstance(event, CallEnded):
            self._over = True
            for queue in self._listeners:
                queue.put_nowait(None)

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Queue[Event | None]]:
        """Give a queue of what happens from now on, within a `with` block; None is the end."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            yield queue
        finally:
            self._listeners.remove(queue)

    async def __aiter__(self) -> AsyncGenerator[Event]:
        """Iterate over all that happens, from the call's start to its end.

        Cancelling it affects nobody else.
        """
        with self.listening() as queue:
            for past in self._past:
                queue.put_nowait(past)
            if self._over:
                queue.put_nowait(None)
            while (event := await queue.get()) is not None:
                yield event
