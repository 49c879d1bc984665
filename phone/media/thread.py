"""Where media run: on the application's event loop, or on a thread of its own.

A thread has a loop of its own, which sends and receives by its clock also while the application's
is busy: with models, with a user's tool that blocks, with the garbage collector. Python runs one
thread at a time, but changes between them every 5 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, Self, TypeVar

from vivavoce.pipelines.audio.convert import Int16

from .endpoint import MediaEndpoint
from .session import Event, MediaSession

log = logging.getLogger("vivavoce")

T = TypeVar("T")


class MediaLoop(Protocol):
    """Where media run."""

    def start(self) -> None:
        """Begin; once only."""

    async def open(
        self,
        session: MediaSession | None = None,
        *,
        heard: Callable[[Int16], None] | None = None,
        happened: Callable[[Event], None] | None = None,
        **options: Any,
    ) -> MediaEndpoint:
        """Open an endpoint there (see `MediaEndpoint.open`).

        `heard` and `happened` run on the caller's loop.
        """

    async def close(self, endpoint: MediaEndpoint) -> None:
        """Close an endpoint that was opened here; idempotent."""

    async def stop(self) -> None:
        """End; idempotent. Close its endpoints first."""


class SameLoop:
    """Media on the application's own loop."""

    def start(self) -> None:
        """There is nothing to begin."""

    async def open(
        self,
        session: MediaSession | None = None,
        *,
        heard: Callable[[Int16], None] | None = None,
        happened: Callable[[Event], None] | None = None,
        **options: Any,
    ) -> MediaEndpoint:
        """Open an endpoint on this loop (see `MediaEndpoint.open`)."""
        return await MediaEndpoint.open(session, heard=heard, happened=happened, **options)

    async def close(self, endpoint: MediaEndpoint) -> None:
        """Close an endpoint that was opened here; idempotent."""
        await endpoint.close()

    async def stop(self) -> None:
        """There is nothing to end."""


class MediaThread:
    """An event loop on a thread of its own, for endpoints.

    Use it as an async context manager. What runs there is started by `run`; endpoints are
    opened by `open` and closed by `close`, both from the application's loop.
    """

    def __init__(self, name: str = "media") -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Start the thread; once only."""
        if self._thread is not None:
            raise RuntimeError("A media thread is started once.")
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._serve, args=(loop,), name=self._name, daemon=True
        )
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the thread and wait for it; cancelling cancels it there."""
        try:
            loop = self._running()
        except RuntimeError:
            work.close()
            raise
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))

    async def open(
        self,
        session: MediaSession | None = None,
        *,
        heard: Callable[[Int16], None] | None = None,
        happened: Callable[[Event], None] | None = None,
        **options: Any,
    ) -> MediaEndpoint:
        """Open an endpoint on the thread (see `MediaEndpoint.open`).

        `heard` and `happened` run on the caller's loop; `source` runs on the media thread.
        """
        here, loop = asyncio.get_running_loop(), self._running()
        opening = asyncio.run_coroutine_threadsafe(
            MediaEndpoint.open(
                session, heard=_on(here, heard), happened=_on(here, happened), **options
            ),
            loop,
        )
        try:
            return await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            # It may be open by now, and nobody knows it.
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                asyncio.run_coroutine_threadsafe(opening.result().close(), loop)
            raise

    async def close(self, endpoint: MediaEndpoint) -> None:
        """Close an endpoint that was opened here; idempotent."""
        if self._loop is not None and not self._loop.is_closed():
            await self.run(endpoint.close())

    async def stop(self) -> None:
        """Stop the thread and wait for it; idempotent. Close its endpoints first."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None or not thread.is_alive():
            return
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join, 5.0)
        if thread.is_alive():
            log.error("The media thread does not end: a callback on it blocks.")

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._loop.is_closed():
            raise RuntimeError("The media thread does not run: start it first.")
        return self._loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            gathered: Awaitable[object] = asyncio.gather(*tasks, return_exceptions=True)
            if tasks:
                loop.run_until_complete(gathered)
        finally:
            loop.close()


def _on(
    loop: asyncio.AbstractEventLoop, function: Callable[[T], None] | None
) -> Callable[[T], None] | None:
    if function is None:
        return None

    def post(argument: T) -> None:
        with contextlib.suppress(RuntimeError):  # that loop is closed: nobody listens
            loop.call_soon_threadsafe(function, argument)

    return post
